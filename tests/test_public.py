"""What `import bessemer` offers, written out."""

from __future__ import annotations

import re
import sys

import pytest

import bessemer

PUBLIC = [
    "__version__",
    "compress",
    "distill",
    "evaluate",
    "export_onnx",
    "fit",
    "load",
    "predict",
    "prune",
    "quantize",
    "run",
]


def test_the_public_names_are_these():
    assert bessemer.__all__ == PUBLIC
    assert dir(bessemer) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC[1:])
def test_a_public_name_is_a_callable_with_a_docstring(name):
    value = getattr(bessemer, name)
    assert callable(value)
    assert len((value.__doc__ or "").strip()) > 20


def test_compress_is_a_room_and_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    import bessemer.compress.prune as room

    assert bessemer.compress.prune is room
    monkeypatch.delitem(vars(bessemer), "compress")  # as before any of its files is imported
    assert bessemer.compress is sys.modules["bessemer.compress"]
    with pytest.raises(TypeError, match="compress\\(\\) missing 1 required positional argument: 'data'"):
        bessemer.compress(None, task="classify")


def test_the_version_is_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+", bessemer.__version__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'train_everything'"):
        bessemer.train_everything  # noqa: B018 (the look-up is what is tested)

"""The blocks of docs/python.md run in their order, and print what stands below them but for its numbers."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGE, re.DOTALL)
ROOMS = ("fit", "evaluate", "prune", "distill", "quantize", "compress", "export_onnx", "run", "load", "predict")


def words(text: str) -> str:
    """The first line without its numbers: those, and what a search found after it, differ between machines."""
    return re.sub(r"[-+]?\d[\d.,]*", "#", text.partition("\n")[0])


def test_every_room_has_a_section_and_is_called() -> None:
    code = "".join(code for code, _ in BLOCKS)
    assert len(BLOCKS) == PAGE.count("```python")
    assert sum(bool(shown) for _, shown in BLOCKS) == PAGE.count("```text")
    for room in ROOMS:
        assert re.search(rf"^## .*\b{room}\b", PAGE, re.MULTILINE), room
        assert f"bs.{room}(" in code, room


@pytest.mark.timeout(900)  # trainings, exports and a run; on a slow or busy machine they take minutes
def test_the_blocks_run_and_print_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    for code, shown in BLOCKS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, space)
        assert words(printed.getvalue()) == words(shown), code

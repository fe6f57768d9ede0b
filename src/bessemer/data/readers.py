"""Raw files to what an exported model takes: the very functions that prepared its training data.

`preprocess.json` beside the model says how; nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bessemer.data.kind import Kind, Reader
from bessemer.data.kinds import find_kind
from bessemer.data.record import Rejected
from bessemer.errors import DataError

PREPROCESS = "preprocess.json"
T = TypeVar("T")


def kind_of(about: Mapping[str, Any]) -> Kind:
    """The kind of data that an exported folder takes."""
    return find_kind(kind_name(about))


def kind_name(about: Mapping[str, Any]) -> str:
    """Its name, or its dotted path; a folder of an earlier version takes images."""
    return str(about.get("modality", "image"))


def reader(about: Mapping[str, Any], folder: Path) -> Reader:
    """A function from a raw file to inputs (n, ...): n is 1, or the number of clips of a long recording.

    Raises KeyError, TypeError or ValueError where `about`, the content of `preprocess.json`, is damaged. The
    function raises Rejected with the reason where a file cannot be used.
    """
    return kind_of(about).reader(about, folder)


def input_files(inputs: list[Path], kind: Kind) -> list[Path]:
    """The files that inputs name: files as given, folders with every file of the kind below them."""
    files: list[Path] = []
    for path in inputs:
        if path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.is_file() and kind.can_read(file.name))
        else:
            files.append(path)
    if not files:
        raise DataError(f"{inputs[0]}: no {kind.noun} in it", "give files, or folders of them")
    return files


def read_one(read: Callable[[Any], T], source: Any) -> T:
    """The inputs, or text, of one file or cell; raises Rejected also where the file cannot be opened."""
    try:
        return read(source)
    except OSError as error:
        raise Rejected(error.strerror or "cannot be read") from error

"""One file of rows with named columns, whatever its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from bessemer.data.files.delimited import DelimitedTable, open_delimited, regular
from bessemer.data.files.encoding import MARKS, wide_without_mark
from bessemer.data.files.fasttext import MARK, open_fasttext
from bessemer.data.files.jsonl import open_jsonl
from bessemer.data.files.jsonlist import open_json
from bessemer.data.files.packed import by_hand, inner_name, members, unpacked
from bessemer.data.files.parquet import open_parquet
from bessemer.data.files.pointer import refuse_pointer
from bessemer.data.record import Rejected
from bessemer.errors import DataError


class Table(Protocol):
    """One file of rows. `notes` say what was decided about it."""

    @property
    def path(self) -> Path: ...
    @property
    def columns(self) -> list[str]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    def tasks(self, rows: int, size: int) -> Iterator[Any]: ...
    def read(self, task: Any, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]: ...


@dataclass(frozen=True)
class PackedTable:
    """A table in a packed file: `path` is what the user knows, `inner` reads what was unpacked."""

    path: Path
    inner: Table

    @property
    def columns(self) -> list[str]:
        """Those of the table inside."""
        return self.inner.columns

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the table inside, and its name in an archive."""
        inside = (
            () if self.path.name.startswith(self.inner.path.name) else (f"its rows are in {self.inner.path.name}",)
        )
        return (*inside, *self.inner.notes)

    def tasks(self, rows: int, size: int) -> Iterator[Any]:
        """Pieces of the table inside."""
        return self.inner.tasks(rows, size)

    def read(self, task: Any, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]:
        """The rows of a piece of the table inside."""
        return self.inner.read(task, names)


Opener = Callable[[Path, Sequence[str]], Table]
OPENERS: dict[str, Opener] = {
    ".csv": open_delimited,
    ".tsv": open_delimited,
    ".tab": open_delimited,
    ".psv": open_delimited,
    ".jsonl": open_jsonl,
    ".ndjson": open_jsonl,
    ".parquet": open_parquet,
}
TABLE_SUFFIXES = tuple(OPENERS)
# A file of these names may be a table, and is looked into; "" is none. Many such files in folders are documents.
MAYBE_SUFFIXES = ("", ".txt", ".data", ".dat", ".json", ".train", ".test", ".valid", ".all")
SHEETS = (".xlsx", ".xls", ".ods")
HEAD, BINARY_HEAD = 64 * 2**10, 8000
MAGIC = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a gzip file (.gz)",
    b"%PDF-": "a PDF file",
    b"<!DOCTYPE html": "a web page",
    b"<html": "a web page",
    b"PAR1": "a Parquet file",
}


def is_table_name(name: str) -> bool:
    """Whether a file's name says that it is a table, packed or not."""
    return PurePosixPath(inner_name(name)).suffix.lower() in OPENERS


def is_table(path: Path) -> bool:
    """Whether a file is a table by its name, by its content, or by the name of what is packed in it.

    Raises DataError where it is packed and damaged, or several tables are packed in it.
    """
    if not path.is_file():
        return False
    inside = members(path)
    if len(inside) > 1 and all(is_table_name(name) for name in inside):
        remedy = f"unpack it in an empty folder and give that folder, or the one table: {by_hand(path)}"
        shown = ", ".join(inside[:4]) + (", ..." if len(inside) > 4 else "")
        raise DataError(f"{path}: {len(inside)} tables are packed in it ({shown})", remedy)
    if is_table_name(path.name) or (len(inside) == 1 and is_table_name(inside[0])):
        return True
    inner = unpacked(path) if not inside or _may_be(inside[0]) else None
    return _opener(inner or path) is not None if _may_be((inner or path).name) else False


def _may_be(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in MAYBE_SUFFIXES


def open_file(path: Path, wanted: Sequence[str] = ()) -> Table:
    """One table by its name, or by what it holds; `wanted` are columns that it must have, where they are known.

    Raises DataError where it is of no kind that is known, empty, or a pointer of Git LFS.
    """
    if not path.is_file():
        raise _unknown(path)
    refuse_pointer(path)
    if not path.stat().st_size:
        raise DataError(f"{path}: an empty table: the file has no bytes", "make or download it again")
    inner = unpacked(path)
    if inner is not None:
        try:
            return PackedTable(path, open_file(inner, wanted))
        except DataError as error:
            raise DataError(error.problem.replace(str(inner), str(path)), error.remedy) from error
    opener = OPENERS.get(path.suffix.lower()) or _opener(path)
    if opener is None:
        raise _unknown(path)
    if opener is not open_parquet:
        _refuse_binary(path)
    return opener(path, wanted)


def _unknown(path: Path) -> DataError:
    known = f"known are {', '.join(TABLE_SUFFIXES)} and .json, also packed (.gz, .bz2, .xz, .zst, .zip)"
    if path.suffix.lower() in SHEETS:
        known = f"save its sheet as CSV in the program that wrote it; {known}"
    return DataError(f"{path}: not a table that is known", known)


def _refuse_binary(path: Path) -> None:
    """Raise DataError where a file of text by its name holds something else, such as a renamed Excel file."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    wide = wide_without_mark(head) or any(head.startswith(mark) for mark, _ in MARKS)
    what = next((what for magic, what in MAGIC.items() if head.startswith(magic)), "")
    if what or (b"\0" in head[:BINARY_HEAD] and not wide):
        problem = f"{path}: not text, as its name says, but {what or 'binary data'}"
        raise DataError(problem, "give the file its right name, or save it as CSV in the program that wrote it")


def _opener(path: Path) -> Opener | None:
    """What opens a file whose name does not say that it is a table; None where it is none."""
    if path.suffix.lower() in OPENERS:
        return OPENERS[path.suffix.lower()]
    if not _may_be(path.name):
        return None
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(b"PAR1"):
        return open_parquet
    wide = wide_without_mark(head) or any(head.startswith(mark) for mark, _ in MARKS)
    start = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if path.suffix.lower() == ".json":
        return open_json
    if start.startswith(MARK.encode()):
        return open_fasttext
    if start.startswith((b"[{", b'{"')):
        return open_json
    return open_delimited if (wide or b"\0" not in head) and regular(path) else None


def is_typed(table: Table) -> bool:
    """Whether a file tells texts from nothing by itself, as JSON and Parquet do."""
    return not isinstance(table.inner if isinstance(table, PackedTable) else table, DelimitedTable)


def class_names_of(table: Table) -> dict[str, list[str]]:
    """Names of the classes for each column whose file tells them."""
    inner = table.inner if isinstance(table, PackedTable) else table
    names: dict[str, list[str]] = getattr(inner, "class_names", {})
    return names


def notes_of(tables: Sequence[Table], root: Path) -> list[str]:
    """What was decided about tables, in sentences; what is true of several is said once, with their number."""
    counts = Counter(note for table in tables for note in table.notes)
    first = {note: table.path for table in reversed(tables) for note in table.notes}
    names = {note: first[note].relative_to(root).as_posix() for note in counts}
    return [
        f"{names[note]}: {note}." if count == 1 else f"{count} files such as {names[note]}: {note}."
        for note, count in counts.items()
    ]

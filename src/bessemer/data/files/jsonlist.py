"""A list of objects in one JSON file, alone or as a value of an object; read in pieces that start at any element.

The list is never whole in memory: its elements are found by their brackets, and parsed one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from bessemer.data.files.delimited import PieceTask
from bessemer.data.files.jsonl import HEAD, JsonLinesTable, ObjectTable, columns_of, open_jsonl, parse
from bessemer.data.files.lines import BLOCK, TextForm, pieces, text_form
from bessemer.data.files.nested import pick
from bessemer.data.record import Rejected
from bessemer.errors import DataError

WIDE = ("cp932", "euc_jp", "cp949", "gb18030", "big5")  # their characters may end in bytes that are brackets
LARGEST = 64 * 2**20  # bytes of one element
OPENING, CLOSING = (b"[", b"{"), (b"]", b"}")
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
KEY = re.compile(_STRING + rb"\s*:\s*", re.DOTALL)
TOKEN = re.compile(_STRING + rb'|[][{}:,"]', re.DOTALL)
# An object without others inside is one token here: most lists hold such, and one by one brackets take long.
FLAT = re.compile(rb'\{[^][{}"]*(?:' + _STRING + rb'[^][{}"]*)*\}|' + _STRING + rb'|[][{},"]', re.DOTALL)


@dataclass(frozen=True)
class JsonListTable(ObjectTable):
    """One list of objects."""

    path: Path
    form: TextForm
    start: int  # byte after the bracket that opens the list
    columns: list[str]
    notes: tuple[str, ...] = ()

    def tasks(self, rows: int, size: int) -> Iterator[PieceTask]:
        """Pieces of at most so many elements and, where one is not larger, bytes; one pass over the file."""
        with self.path.open("rb") as file:
            yield from pieces(self.start, (after for _, after in elements(file, self.start)), rows, size)

    def objects(self, task: PieceTask) -> Iterator[tuple[str, dict[str, Any] | Rejected, str]]:
        """(place, object, repair) of each element of a piece."""
        start, begin, count = task
        with self.path.open("rb") as file:
            for number, (raw, _) in enumerate(islice(elements(file, start), count), begin + 1):
                if not raw:
                    yield (
                        f"record {number}",
                        Rejected("row too long", f"over {LARGEST:,} bytes; nothing after it is read"),
                        "",
                    )
                    continue
                key = KEY.match(raw)  # of an object of objects
                text, repair = self.form.decode(raw[key.end() :] if key else raw)
                yield f"record {number}", parse(text), repair


def elements(file: BinaryIO, start: int) -> Iterator[tuple[bytes, int]]:
    """(bytes of an element, byte after it) of the list that a file is in at `start`.

    One over LARGEST comes as b"", and nothing after it: its end may be a quote that is missing.
    """
    buffer, position, done, depth = b"", start, 0, 0
    while len(buffer) <= LARGEST:
        file.seek(position + len(buffer))
        block = file.read(BLOCK)
        if not block:
            break
        buffer += block
        begin = 0
        for match in FLAT.finditer(buffer, done):
            token = match.group()
            if token == b'"':
                break  # its string goes on in the next block
            done = match.end()
            depth += (token in OPENING) - (token in CLOSING)
            if depth < 0 or (depth == 0 and token == b","):
                if raw := buffer[begin : done - 1].strip():
                    yield raw, position + done
                if depth < 0:
                    return
                begin = done
        else:
            done = len(buffer)
        buffer, position, done = buffer[begin:], position + begin, done - begin
    if raw := buffer.strip():  # the file ends before the list does
        yield raw if len(buffer) <= LARGEST else b"", position + len(buffer)


def tokens(file: BinaryIO, start: int) -> Iterator[tuple[bytes, int]]:
    """(token, its place in the file) from `start` on: brackets, commas, colons and whole strings."""
    buffer, position = b"", start
    while True:
        file.seek(position + len(buffer))
        block = file.read(BLOCK)
        if not block or len(buffer) > LARGEST:  # a string that never ends
            return
        buffer += block
        done = 0
        for match in TOKEN.finditer(buffer):
            if match.group() == b'"':
                break  # its string goes on in the next block
            yield match.group(), position + match.start()
            done = match.end()
        else:
            done = len(buffer)
        buffer, position = buffer[done:], position + done


def open_json(path: Path, wanted: Sequence[str] = ()) -> JsonLinesTable | JsonListTable:
    """A list of objects, an object that holds one, or JSON Lines; raises DataError where it is none of them."""
    form = text_form(path)
    if _is_lines(path, form):
        return open_jsonl(path, wanted)
    if form.width > 1 or form.encoding in WIDE:
        remedy = f"save it as UTF-8: iconv -f {form.encoding} -t UTF-8 {path.name} > utf8-{path.name}"
        raise DataError(f"{path}: a JSON list in {form.encoding}", remedy)
    start, where = _find_rows(path, form)
    table = JsonListTable(path, form, start, [])
    every = [value for _, value, _ in table.objects((start, 0, HEAD))]
    objects = [value for value in every if isinstance(value, dict)]
    if not objects:
        raise _no_objects(path, every)
    known = columns_of(objects)
    named = [name for name in wanted if name not in known and any(pick(one, name) is not None for one in objects)]
    notes = (f"its rows are taken from {where!r}",) if where else ()
    return JsonListTable(path, form, start, [*known, *named], notes)


def _is_lines(path: Path, form: TextForm) -> bool:
    """Whether the first line is an object by itself, and another line follows."""
    found = JsonLinesTable(path, form, []).objects((form.start, 0, 2))
    first = [value for _, value, _ in found]
    return len(first) == 2 and isinstance(first[0], dict)


def _find_rows(path: Path, form: TextForm) -> tuple[int, str]:
    """Where the rows start, and the keys that lead there ("" for a list that is the whole file)."""
    with path.open("rb") as file:
        first, at = next(tokens(file, form.start), (b"", 0))
        if first == b"[":
            return at + 1, ""
        if first != b"{":
            raise DataError(f"{path}: no JSON list or object", "it must hold a list of objects: [{...}, {...}]")
        lists = list(_lists(file, at))
        if lists:
            _, where, start = max(lists)
            return start, where
        _refuse_columns(path, JsonListTable(path, form, at + 1, []))
        return at + 1, ""


def _lists(file: BinaryIO, start: int) -> Iterator[tuple[int, str, int]]:
    """(bytes, keys that lead there, byte after its bracket) of each list of objects that is in no other list."""
    open_ones: list[tuple[bytes, str, int]] = []
    of_objects, text, last = set(), b"", b""
    key = ""
    for token, at in tokens(file, start):
        if token == b":":
            key = text.decode("utf-8", "replace").strip('"')
        elif token in (b"[", b"{"):
            if token == b"{" and last == b"[":
                of_objects.add(open_ones[-1][2])
            open_ones.append((token, key, at))
            key = ""
        elif token in (b"]", b"}") and open_ones:
            kind, _, begin = open_ones[-1]
            names = [name for _, name, _ in open_ones if name]
            open_ones.pop()
            if kind == b"[" and begin in of_objects and all(one[0] == b"{" for one in open_ones):
                yield at - begin, ".".join(names), begin + 1
        text, last = token, token


def _refuse_columns(path: Path, table: JsonListTable) -> None:
    """Refuse an object that is a table column by column, or no table."""
    head = [value for _, value, _ in table.objects((table.start, 0, 3))]
    objects = [value for value in head if isinstance(value, dict)]
    if not objects or len(objects) < len(head) or all(key.isdigit() for one in objects for key in one):
        command = f"pandas.read_json('{path.name}').to_json('{path.stem}.jsonl', orient='records', lines=True)"
        problem = f"{path}: a JSON object without a list of objects in it, maybe a table column by column"
        raise DataError(problem, f'make JSON Lines of it: python -c "import pandas; {command}"')


def _no_objects(path: Path, found: list[dict[str, Any] | Rejected]) -> DataError:
    what = found[0].detail if found and isinstance(found[0], Rejected) else ""
    if what == "a list":
        command = f"csv.writer(open('{path.stem}.csv', 'w')).writerows(json.load(open('{path.name}')))"
        remedy = f'make a CSV file of it: python -c "import csv, json; {command}"'
        return DataError(f"{path}: a JSON list of lists, not of objects", remedy)
    problem = f"{path}: a JSON list without objects in it" + (f" (its first element is {what})" if what else "")
    return DataError(problem, 'each element must be an object, for example {"text": "...", "label": "..."}')

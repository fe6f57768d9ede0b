"""What the first rows of a delimited file say of it: separator, quoting, whether the first names the columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bessemer.data.files.lines import LIMIT

SEPARATORS = ",;\t|"
LOOKED_AT = 200  # rows
QUOTED, ESCAPED, PLAIN = "quoted", "escaped", "plain"
PLAINER = 3  # rows that must come out better unquoted: a few quotes are mistakes, unless tabs separate
TITLES = 20  # lines that may stand above a table
FEW_VALUES = 30  # of a column of classes
LONG = 40  # characters of a cell that is a sentence
RECURRING, MEASURED, SENTENCE, KNOWN = 2, 2, 1, 2  # what each sign counts for or against a header
NUMBER = re.compile(r"[-+]?[$€£]?\s?\d[\d.,' \xa0]*(e[-+]?\d+)?\s?[%€$£]?", re.IGNORECASE)
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d.*)?")
MISSING = {"", "?", "na", "n/a", "nan", "null", "none", "-", "."}
NAMES = {
    *("id", "label", "labels", "class", "category", "target", "topic", "sentiment", "title", "body", "name"),
    *("date", "path", "file", "filename", "split", "y", "x", "value", "score", "rating", "message", "content"),
}
_PAIRS = re.compile(r"\\(.?)", re.DOTALL)


def reader(lines: Iterator[str], separator: str, quoting: str, strict: bool = False) -> Iterator[list[str]]:
    r"""Rows of cells from lines with their ends.

    `quoted` is CSV as RFC 4180 has it, in `escaped` a quote inside of quotes is also written \", and in `plain` a
    quote is a character like any other. Raises csv.Error.
    """
    csv.field_size_limit(LIMIT)  # of the whole process; no other module reads CSV
    if quoting == PLAIN:
        return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
    if quoting == ESCAPED:
        literal = (_PAIRS.sub(lambda pair: _kept(pair, separator), line) for line in lines)
        return csv.reader(literal, delimiter=separator, escapechar="\\", strict=strict)
    return csv.reader(lines, delimiter=separator, strict=strict)


def _kept(pair: re.Match[str], separator: str) -> str:
    """A backslash that escapes nothing stands for itself: it is doubled for csv, which would drop it."""
    return pair.group() if pair[1] in ('"', "\\", separator) else "\\\\" + pair[1]


def sniff_separator(lines: Sequence[str], usual: str) -> str:
    """The separator that gives the most lines equally many cells, at least two; `usual` where none does better."""

    def share(separator: str, quoting: str) -> float:
        try:
            widths = [len(row) for row in reader(iter(lines), separator, quoting) if any(row)]
        except csv.Error:
            return 0.0
        width, most = Counter(widths).most_common(1)[0] if widths else (0, 0)
        return most / len(widths) if width > 1 else 0.0

    def best(quoting: str) -> tuple[float, bool, bool, str]:  # tabs stand in no text by chance
        return max((share(one, quoting), one == "\t", one == usual, one) for one in SEPARATORS)

    found = best(QUOTED)
    if found[0] < 0.9 and any('"' in line for line in lines):  # quotes may be no quotes
        found = max(found, best(PLAIN))
    return found[3] if found[0] else usual


def sniff_quoting(samples: Sequence[Sequence[str]], separator: str) -> str:
    """How quotes are meant in samples of lines, each from the beginning of a row on."""
    first = next((line for sample in samples for line in sample), "")
    width = Counter(
        len(row) for sample in samples for row in reader(iter(sample), separator, PLAIN) if any(row)
    ).most_common(1)
    most = width[0][0] if width else 0
    bad = {QUOTED: sum(_misfits(sample, separator, QUOTED) for sample in samples)}
    escapes = ('\\"', "\\" + separator)
    if any(mark in line for sample in samples for line in sample for mark in escapes):
        bad[ESCAPED] = sum(_misfits(sample, separator, ESCAPED) for sample in samples)
    quoted_names = first.startswith('"') and first.rstrip("\r\n").endswith('"')
    if most > 1 and not quoted_names:
        plain = sum(
            len(row) != most for sample in samples for row in reader(iter(sample), separator, PLAIN) if any(row)
        )
        bad[PLAIN] = plain if separator == "\t" else plain + PLAINER - 1
    return min(bad, key=lambda one: bad[one])  # the first of the best


def _misfits(lines: Sequence[str], separator: str, quoting: str) -> int:
    """Rows that break, have an unusual number of cells, or swallow lines that are rows by themselves."""
    widths: list[int] = []
    swallowing = broken = at = 0
    while at < len(lines):
        taken = [0]

        def feed(start: int = at, taken: list[int] = taken) -> Iterator[str]:
            for line in lines[start:]:
                taken[0] += 1
                yield line

        try:
            row = next(reader(feed(), separator, quoting, strict=True))
        except csv.Error:
            broken, at = broken + 1, at + 1
            continue
        if taken[0] > 1:
            alone = [len(next(reader(iter([line]), separator, PLAIN), [])) for line in lines[at : at + taken[0]]]
            swallowing += len(row) > 1 and all(width == len(row) for width in alone)
        at += taken[0]
        if any(row):
            widths.append(len(row))
    most = Counter(widths).most_common(1)[0][1] if widths else 0
    return broken + swallowing + len(widths) - most


def usual_width(rows: Sequence[Sequence[str]]) -> int:
    """The number of cells that most rows have."""
    counts = Counter(len(row) for row in rows)
    return max(counts, key=lambda width: counts[width], default=0)


def skipped_above(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first rows stand above the table: comments (`# ...`) and titles over a row of names."""
    width, above = usual_width(rows), 0
    for at, row in enumerate(rows[:TITLES]):
        rest = rows[at + 1 :]
        alone = sum(bool(cell.strip()) for cell in row) <= 1 < width
        comment = row[0].lstrip().startswith("#") and (len(row) != width or _names_follow(rest, width))
        if comment or (alone and _names_follow(rest, width)):
            above = at + 1
        elif not alone:
            break
    return above


def _names_follow(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the next row of the usual width, with nothing but titles before it, names the columns."""
    for at, row in enumerate(rows[:TITLES]):
        if len(row) == width and sum(bool(cell.strip()) for cell in row) > 1:
            return header_signs(row, rows[at + 1 :]) > 0
        if len(row) == width and row[0].lstrip().startswith("#"):
            return False
    return False


def header_signs(first: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Above 0 where the first row names the columns, below 0 where it is data like the others, 0 where unsure.

    Names are words above numbers, or words that tables are known by. Data are numbers above numbers, a class that
    comes again below, a sentence above sentences.
    """
    if _counts_columns(first):
        return KNOWN
    others = [row for row in rows if list(row) != list(first)]
    shift = 1 if usual_width(rows) == len(first) + 1 else 0  # a column of row names is often not named
    signs, known = 0, 0
    for at, name in enumerate(first):
        sign = _column_signs(name.strip(), [row[at + shift].strip() for row in others if len(row) > at + shift])
        signs += sign
        known = max(known, KNOWN * (sign >= 0 and name.strip().lower() in NAMES))
    return signs + known


def _column_signs(first: str, cells: Sequence[str]) -> int:
    known = [cell for cell in cells if cell.lower() not in MISSING]
    if not known or first.lower() in MISSING:
        return 0
    measured = sum(_is_measure(cell) for cell in known) >= 0.9 * len(known)
    if measured:
        return -MEASURED if _is_measure(first) else MEASURED
    values = Counter(known)
    if len(values) <= min(FEW_VALUES, len(known) / 2) and values[first] > 0:
        return -RECURRING
    sentences = sum(len(cell) for cell in known) >= LONG / 2 * len(known)
    asks = first.endswith(("?", ":")) and 5 * sum(cell.endswith(("?", ":")) for cell in known) < len(known)
    return -SENTENCE if sentences and not asks and len(first) >= LONG and len(first.split()) > 4 else 0


def _is_measure(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None or DATE.fullmatch(cell) is not None


def _counts_columns(first: Sequence[str]) -> bool:
    """Whether names are running numbers: 0, 1, 2, ... or years, as tables without names of their own are saved."""
    numbers = [int(name) for name in first if re.fullmatch(r"\d{1,6}", name.strip())]
    words = len(first) - len(numbers)
    if numbers == list(range(len(numbers))) and len(numbers) >= 2 and words <= 1:
        return True
    steps = {after - before for before, after in pairwise(numbers)}
    years = all(1800 <= number <= 2200 for number in numbers)
    return len(numbers) >= 3 and len(steps) == 1 and min(steps) > 0 and (years or words <= 1)


def names_of(first: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> list[str]:
    """Names of the columns of a table with this row of names; None where it has none."""
    width = usual_width(rows) or len(first or ())
    if first is None:
        return numbered([""] * width)
    names = [name.strip() for name in first]
    if names and names[0].startswith("# "):
        names[0] = names[0][1:].strip()
    while len(names) > 1 and not names[-1] and not any(any(row[len(names) - 1 :]) for row in rows):
        names.pop()
    full = [row for row in rows if len(row) == width]
    extra = width - len(names)
    if extra > 0 and any(any(row[len(names) :]) for row in full):
        beginnings = {row[0] for row in full}
        front = extra == 1 and len(beginnings) == len(full) and "" not in beginnings
        names = [""] * extra + names if front else names + [""] * extra
    return numbered(names)


def numbered(names: Sequence[str]) -> list[str]:
    """The names, `column 3` in place of one that is empty."""
    return [name or f"column {place}" for place, name in enumerate(names, 1)]

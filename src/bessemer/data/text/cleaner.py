"""From a raw row to clean texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bessemer.data.config import DataConfig
from bessemer.data.record import FILTERED, Clean, Raw, Rejected
from bessemer.data.text.boilerplate import LineCounter, drop_lines, label_hash, line_hashes
from bessemer.data.text.config import TextConfig
from bessemer.data.text.decode import decode
from bessemer.data.text.language import language_of
from bessemer.data.text.quality import problem, unfit_length
from bessemer.data.text.repair import clean_text
from bessemer.data.text.tags import MARKED_UP, NO_TAGS, OTHER, tags_in, without_tags
from bessemer.draws import U64

LARGEST = 64 << 20  # bytes of one document
PARAGRAPH = 20  # characters: a shorter one, as headings are, is joined to those after it
MOSTLY_MARKUP = 0.75  # share of the texts with tags in which these are markup: then they are in all


class TextCleaner:
    """Decodes, repairs, splits and judges texts; see bessemer.data.record.Clean for what comes out.

    With `data.text.boilerplate` above 0 or `html: auto` it surveys all rows first, for the lines that many of them
    share and for tags in plain texts.
    """

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self.settled: dict[str, Any] = {}

    @property
    def needs_survey(self) -> bool:
        """Whether `survey` and `settle` must run before `clean`."""
        return (self.config.text.boilerplate > 0 or self.config.text.html == "auto") and not self.settled

    def survey(self, raw: Raw) -> U64:
        """What is seen of the row: a hash of its label, what its tags are, hashes uint64 of its longer lines."""
        text, _ = self._text(raw)
        tags = tags_in(text) if self.config.text.html == "auto" else NO_TAGS
        if tags == MARKED_UP:
            text = without_tags(text)
        lines = line_hashes(text) if self.config.text.boilerplate > 0 else np.empty(0, np.uint64)
        return np.concatenate([np.array([label_hash(raw.label or ""), tags], np.uint64), lines])

    def settle(self, looks: Iterable[U64]) -> None:
        """Decide which lines are boilerplate and whether tags are markup; `settled` holds the lines' hashes."""
        counter, tags = LineCounter(self.config.text.boilerplate or 1.0), Counter[int]()
        for look in looks:
            counter.add(look[2:], int(look[0]))
            tags[int(look[1])] += 1
        lines, telling = counter.repeated()
        self.settled = {"documents": counter.documents, "boilerplate": lines}
        if telling:
            self.settled["telling_lines"] = telling
        with_tags = tags[MARKED_UP] + tags[OTHER]
        if with_tags and tags[MARKED_UP] >= MOSTLY_MARKUP * with_tags:
            self.settled["tags"] = "strip"
            self.settled["tagged"] = tags[MARKED_UP]
        self.__dict__.pop("_repeated", None)

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        """The row's texts in UTF-8, their length in characters.

        Raises Rejected for the whole row. Where the row is split, a part that fails is given as Rejected
        in its place, `detail` naming the part.
        """
        text, repairs = self._text(raw)
        shorter = drop_lines(text, self._repeated)
        if shorter != text:
            text, more = clean_text(shorter, "keep", self.config.text.white_space)
            repairs = (*repairs, "boilerplate lines dropped", *(name for name in more if name not in repairs))
        unit = self.config.unit if not raw.place else "file"
        if unit == "file":
            yield self._judged(text, repairs, "")
            return
        for part, piece in parts_of(text, unit, self.config.text):
            try:
                yield self._judged(piece, repairs, part)
            except Rejected as rejected:
                yield Rejected(rejected.reason, f"{part}: {rejected.detail}", rejected.kind)

    @cached_property
    def _repeated(self) -> frozenset[int]:
        return frozenset(self.settled.get("boilerplate", ()))

    def _text(self, raw: Raw) -> tuple[str, tuple[str, ...]]:
        value = raw.value
        if isinstance(value, Rejected):
            raise value
        if isinstance(value, np.ndarray):
            raise Rejected("not text", "pixels")
        assert not isinstance(value, Mapping)  # rows of a table are another kind's
        if isinstance(value, Path):
            value = _read(value)
        if len(value) > LARGEST:
            raise Rejected("larger than 64 MiB", f"{len(value) / 2**20:.0f} MiB", FILTERED)
        no_repairs: tuple[str, ...] = ()
        if isinstance(value, str):
            if not value.strip():
                raise Rejected("empty text")
            text, repairs = value, no_repairs
        else:
            text, repairs = decode(value)
        html = self.settled.get("tags", self.config.text.html)
        text, more = clean_text(text, html, self.config.text.white_space)
        return text, (*repairs, *more)

    def _judged(self, text: str, repairs: tuple[str, ...], part: str) -> Clean:
        settings = self.config.text
        reason = unfit_length(text, settings)
        odd = problem(text) if settings.quality != "off" and not reason else None
        if odd and settings.quality == "list":
            repairs = (*repairs, f"kept as it is, though odd: {odd}")
        elif reason := reason or odd:
            raise Rejected(reason, f"{len(text)} characters", FILTERED)
        if settings.languages is not None:
            language = language_of(text)
            if language not in settings.languages:
                raise Rejected("other language", language, FILTERED)
        return Clean(text.encode("utf-8"), len(text), self._signature(text), repairs, part)

    def _signature(self, text: str) -> U64:
        if not self.config.dedup.near:
            return np.empty(0, np.uint64)
        from bessemer.data.text.signature import text_signature

        signature: U64 = text_signature(text)
        return signature


def decided(settled: Mapping[str, Any]) -> list[str]:
    """What was decided from a look at all texts, in words."""
    said = []
    if lines := len(settled.get("boilerplate", ())):
        said.append(
            f"{lines:,} lines that stand in many texts, whatever their class, are dropped: data.text.boilerplate."
        )
    if telling := settled.get("telling_lines"):
        said.append(f"{telling:,} lines that stand in many texts tell the class, and stay.")
    if tagged := settled.get("tagged"):
        said.append(f"{tagged:,} texts have tags such as <br />: they are taken out, line breaks kept.")
    return said


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST:  # before it is in memory
            raise Rejected("larger than 64 MiB", f"{size / 2**20:.0f} MiB", FILTERED)
        return path.read_bytes()
    except OSError as error:
        raise Rejected("cannot be read", error.strerror or str(error)) from error


def parts_of(text: str, unit: str, settings: TextConfig) -> Iterator[tuple[str, str]]:
    """Lines, paragraphs or pieces with their names, counted from 1."""
    if unit == "line":
        lines = (line for line in text.split("\n") if line.strip())
        yield from ((f"line {number}", line.strip()) for number, line in enumerate(lines, 1))
    elif unit == "piece":
        found = pieces(text, settings.piece_characters)
        yield from ((f"piece {number}", piece) for number, piece in enumerate(found, 1))
    else:
        yield from _paragraphs(text, max(PARAGRAPH, settings.min_characters))


def pieces(text: str, size: int) -> list[str]:
    """A text in pieces of about `size` characters, cut at line ends; a rest shorter than half of it is joined."""
    found: list[str] = []
    waiting = ""
    for line in text.splitlines(keepends=True):
        for start in range(0, len(line), size):
            waiting += line[start : start + size]
            if len(waiting) >= size:
                found.append(waiting)
                waiting = ""
    if waiting and found and len(waiting) < size / 2:
        found[-1] += waiting
    elif waiting:
        found.append(waiting)
    return [piece.strip("\n") for piece in found if piece.strip()] or [text]


def _paragraphs(text: str, shortest: int) -> Iterator[tuple[str, str]]:
    """Paragraphs; a short one is joined to those after it."""
    waiting = ""
    number = 0
    for paragraph in re.split(r"\n\s*\n", text):
        waiting = f"{waiting}\n\n{paragraph}" if waiting else paragraph
        if len(waiting.strip()) >= shortest:
            number += 1
            yield f"paragraph {number}", waiting
            waiting = ""
    if waiting.strip():
        yield f"paragraph {number + 1}", waiting

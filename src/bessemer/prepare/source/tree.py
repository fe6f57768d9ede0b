"""The files below a folder in a stable order: links as asked for, never in a circle, and none of bessemer's own.

A run folder or a recipe that lies in the data is no data: it is known by what it holds, whatever its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bessemer.data.record import Rejected
from bessemer.prepare.source.common import is_inside, is_skipped

OWN = "bessemer's own runs and recipes"  # how they are counted among what is not read
RUN = ({"stages"}, {"log.jsonl"}, {"work"}, {".lock"})  # beside its recipe a run folder has one of them
MADE = (
    {"model.onnx", "preprocess.json"},
    {"architecture.json", "weights.safetensors"},
    {"dataset.json", "rows.arrow"},
)  # of other folders that bessemer writes
LARGEST_RECIPE = 1 << 16  # bytes
RECIPE = re.compile(rb"^data:[^\n]*\n([ #][^\n]*\n|\n)*? +source: *\w", re.MULTILINE)
MOST_LINKS = 4  # to folders, one below the other


class Found(NamedTuple):
    """A file, or what cannot be listed, with the reason."""

    path: str
    problem: Rejected | None = None


@dataclass
class Tree:
    """The files below `root`, a real path; with `follow` links may lead out of it.

    After a listing `out` has the links that lead out of the root, `passed` those to folders inside it that were
    not followed, and `own` what bessemer itself wrote.
    """

    root: str
    follow: bool = False
    out: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    def files(self) -> Iterator[Found]:
        """All files, each folder in order of names."""
        self.out, self.own, self.passed = [], [], []
        pending: list[tuple[os.DirEntry[str] | None, tuple[str, ...]]] = [(None, (self.root,))]
        while pending:
            item, chain = pending.pop()  # the chain holds the real paths of the folders that links led to
            path = item.path if item is not None else self.root
            is_link = item is not None and item.is_symlink()
            if item is not None and not (os.path.isdir(path) if is_link else item.is_dir()):
                yield from self._file(path, is_link)
                continue
            led = self._led(path, chain) if is_link else True
            if isinstance(led, Rejected):
                yield Found(path, led)
            if led is not True:
                continue
            chain = (*chain, os.path.realpath(path)) if is_link else chain
            try:
                inside = sorted(os.scandir(path), key=lambda found: found.name, reverse=True)
            except OSError as error:
                yield Found(path, Rejected("unreadable folder", str(error.strerror)))
                continue
            if item is not None and is_own_folder(path, {found.name for found in inside}):
                self.own.append(path)
                continue
            pending.extend((found, chain) for found in inside if not is_skipped(found.name))

    def _file(self, path: str, is_link: bool) -> Iterator[Found]:
        if is_own_recipe(path):
            self.own.append(path)
            return
        leads_out = is_link and not is_inside(path, self.root)
        if leads_out:
            self.out.append(path)
        yield Found(path, _out(path) if leads_out and not self.follow else None)

    def _led(self, path: str, chain: tuple[str, ...]) -> Rejected | bool:
        """Whether a link to a folder is followed; it is passed over where what it leads to is read anyway."""
        target, inside = os.path.realpath(path), is_inside(path, self.root)
        around = (*chain, os.path.realpath(os.path.dirname(path)))
        circle = any(one == target or one.startswith(target.rstrip(os.sep) + os.sep) for one in around)
        if circle or (inside and not self.follow):
            self.passed.extend([] if circle else [path])
            return False
        if not inside:
            self.out.append(path)
        if not self.follow:
            return _out(path)
        return Rejected("links behind links", f"more than {MOST_LINKS}") if len(chain) > MOST_LINKS else True


def _out(path: str) -> Rejected:
    return Rejected("link out of the data folder", f"to {os.path.realpath(path)}; data.links: follow reads it")


def is_own_folder(path: str, names: set[str]) -> bool:
    """Whether bessemer wrote the folder that has these names in it: a run, a model, an export, prepared data."""
    if any(made <= names for made in MADE):
        return True
    return any(mark <= names for mark in RUN) and is_own_recipe(os.path.join(path, "recipe.yaml"))


def is_own_recipe(path: str) -> bool:
    """Whether a file is a recipe of bessemer: small YAML whose `data` has a `source`."""
    if not path.endswith((".yaml", ".yml")):
        return False
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > LARGEST_RECIPE:
            return False
        with open(path, "rb") as file:
            return RECIPE.search(file.read()) is not None
    except OSError:
        return False  # reading it as a row tells why

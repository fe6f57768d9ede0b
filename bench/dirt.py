"""A dirtied copy of a folder, with a ledger of what was planted where.

Each kind of dirt is a function from the bytes of a file (and a random generator) to other bytes. It either
replaces a file or stands beside it as a copy. A file is used for one plant only. The tables are in dirt_image.py,
dirt_text.py and dirt_audio.py.
"""

from __future__ import annotations

import importlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Make = Callable[[bytes, random.Random], bytes]
WRONG_LABELS = 0.05


@dataclass(frozen=True)
class Plant:
    """One kind of dirt.

    `copy`: a new file beside the original instead of a change of it. `suffix`: what the file is called then.
    `leak`: the copy of a test file goes to the training folder. `share`: of all files; by default a few of each
    kind. `fits`: which files it can be made of. `truth`: the text that is right, where it is not the original's.
    """

    kind: str
    make: Make
    copy: bool = False
    suffix: str | None = None
    leak: bool = False
    share: float | None = None
    fits: Callable[[bytes], bool] = bool
    truth: Callable[[bytes, random.Random], str] | None = None


@dataclass
class Garden:
    """The copied folder, which files are still untouched, and the ledger."""

    root: Path
    seed: int
    free: list[str] = field(default_factory=list)
    plants: dict[str, dict[str, Any]] = field(default_factory=dict)

    def dice(self, *parts: str) -> random.Random:
        """A generator that depends on the seed and the parts, and on nothing that happened before."""
        return random.Random("/".join([str(self.seed), *parts]))

    def take(self, kind: str, count: int, fits: Callable[[str], bool]) -> list[str]:
        """So many untouched files that fit, no longer free."""
        order = list(self.free)
        self.dice("take", kind).shuffle(order)
        taken: list[str] = []
        for path in order:
            if len(taken) >= count:
                break
            if fits(path):
                taken.append(path)
        gone = set(taken)
        self.free = [path for path in self.free if path not in gone]
        return sorted(taken)


def dirty_copy(source: Path, out: Path, modality: str, seed: int) -> dict[str, Any]:
    """Copy `source` to `out`, plant every kind of dirt in it, write `out`.plants.json, and return that."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(source, out)
    garden = Garden(out, seed)
    garden.free = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    total = len(garden.free)
    table: tuple[Plant, ...] = importlib.import_module(f"dirt_{modality}").PLANTS
    few = max(2, min(20, total // 100))
    shares = [plant for plant in table if plant.share is not None]
    for plant in (plant for plant in table if plant.share is None):
        sow(garden, plant, few)
    mislabel(garden, max(1, round(WRONG_LABELS * total)))
    for plant in shares:
        sow(garden, plant, round((plant.share or 0) * total))
    ledger = {
        "corpus": source.name,
        "modality": modality,
        "seed": seed,
        "files": sum(path.is_file() for path in out.rglob("*")),
        "plants": dict(sorted(garden.plants.items())),
    }
    out.with_name(f"{out.name}.plants.json").write_text(json.dumps(ledger, indent=1), encoding="utf-8")
    return ledger


def sow(garden: Garden, plant: Plant, count: int) -> None:
    """Plant one kind of dirt in `count` files."""

    def fits(path: str) -> bool:
        if plant.leak and split_of(path) != "test":
            return False
        return plant.fits((garden.root / path).read_bytes())

    for path in garden.take(plant.kind, count, fits):
        file = garden.root / path
        raw, dice = file.read_bytes(), garden.dice(plant.kind, path)
        entry: dict[str, Any] = {"kind": plant.kind, "of": path}
        if plant.truth:
            entry["truth"] = plant.truth(raw, garden.dice(plant.kind, path))
        target = place_of(garden.root, path, plant, dice)
        if not plant.copy:
            file.unlink()
        target.write_bytes(plant.make(raw, dice))
        garden.plants[str(target.relative_to(garden.root))] = entry


def place_of(root: Path, path: str, plant: Plant, dice: random.Random) -> Path:
    """Where a plant is written: never over another file."""
    if plant.leak:
        path = path.replace("test/", "train/", 1)
    file = root / path
    suffix = plant.suffix or file.suffix
    target = file.with_suffix(suffix)
    while target.exists() and (plant.copy or target != file):
        target = file.with_name(f"{file.stem}-{dice.randrange(10**6):06d}{suffix}")
    return target


def split_of(path: str) -> str:
    """train, test or nothing, from the first folder of a path."""
    first = path.split("/")[0]
    return first if first in ("train", "test") else ""


def class_of(path: str) -> str:
    """The folder that names the class; nothing for a file that stands outside of all."""
    parts = path.split("/")[1:] if split_of(path) else path.split("/")
    return parts[0] if len(parts) > 1 else ""


def mislabel(garden: Garden, count: int) -> None:
    """Move training files into the folder of another class."""
    classes = sorted({class_of(path) for path in garden.free if class_of(path)})
    taken = garden.take("wrong label", count, lambda path: split_of(path) != "test" and class_of(path) != "")
    for path in taken:
        dice = garden.dice("wrong label", path)
        right = class_of(path)
        wrong = dice.choice([name for name in classes if name != right])
        split = [split_of(path)] if split_of(path) else []
        file = garden.root / path
        target = garden.root.joinpath(*split, wrong, file.name)
        while target.exists():
            target = target.with_name(f"{file.stem}-{dice.randrange(10**6):06d}{file.suffix}")
        file.rename(target)
        entry = {"kind": "wrong label", "of": path, "given": wrong, "right": right}
        garden.plants[str(target.relative_to(garden.root))] = entry


def emptied(raw: bytes, dice: random.Random) -> bytes:
    """A file of no bytes."""
    return b""


def same(raw: bytes, dice: random.Random) -> bytes:
    """An exact copy."""
    return raw


def cut_short(raw: bytes, dice: random.Random) -> bytes:
    """The first 40 to 80% of a file, as a broken download leaves it."""
    return raw[: max(1, int(len(raw) * dice.uniform(0.4, 0.8)))]


def words_instead(raw: bytes, dice: random.Random) -> bytes:
    """A text where something else is promised, as a server's error page under the name of the file."""
    return f"404 Not Found: the requested object {dice.randrange(10**9)} does not exist.\n".encode() * 3

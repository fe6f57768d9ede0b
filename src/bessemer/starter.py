"""A first recipe for a folder of data: it runs as it is, and says what to change."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bessemer.data.config import DataConfig
from bessemer.data.source import Source, idx_files, open_source
from bessemer.errors import DataError, UsageError

LARGE_IMAGE = 96
MAX_SIDE = 224
WORK = 4e13  # multiply-adds of training that a two-core machine does in about ten minutes


@dataclass(frozen=True)
class Plan:
    """What the starter recipe says, from a look at the data."""

    kind: str
    path: str
    rows: int
    classes: int
    size: tuple[int, int]
    channels: int
    found_size: tuple[int, int]


def write_recipe(data: Path, out: Path, force: bool = False) -> str:
    """Look at `data`, write a commented recipe to `out`, and say what was found.

    Raises DataError where the data is of no kind that is known, UsageError where `out` is there already.
    """
    if out.exists() and not force:
        raise UsageError(f"{out}: is there already", "give another name with -o, or --force to replace it")
    plan = look(data)
    try:
        out.write_text(recipe_text(plan, out), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "give another place with -o") from error
    shape = f"{plan.size[0]}x{plan.size[1]} {'gray' if plan.channels == 1 else 'RGB'}"
    return f"{plan.rows:,} images of {plan.classes} classes, {shape}: wrote {out}\nNext: bessemer run {out}"


def look(data: Path) -> Plan:
    """Find out what kind of data a folder holds."""
    if not data.exists():
        raise DataError(f"{data}: no such folder", "give the folder that holds the data")
    folder = data if data.is_dir() else data.parent
    if idx_files(folder):
        return plan_for("idx", folder)
    if data.is_file():
        raise DataError(
            f"{data}: not a kind of file that is known", "give a folder per class, or a folder of IDX files"
        )
    return plan_for("image_folder", folder)


def plan_for(kind: str, folder: Path) -> Plan:
    """Open the source and choose the size of the images."""
    values: dict[str, Any] = {"source": kind, "path": str(folder.resolve())}
    if kind == "image_folder":  # the largest allowed size: only the header of each file is read
        found = open_source(DataConfig(**values, size=None, color="auto")) if _fits(values) else None
        source = found or open_source(DataConfig(**values, size=[MAX_SIDE, MAX_SIDE]))
    else:
        source = open_source(DataConfig(**values))
    return Plan(
        kind=kind,
        path=str(folder.resolve()),
        rows=len(source.names),
        classes=len(np.unique(source.labels)),
        size=_reduced(source),
        channels=source.shape[2],
        found_size=source.shape[:2],
    )


def _fits(values: dict[str, Any]) -> bool:
    try:
        open_source(DataConfig(**values))
    except DataError as error:
        if "larger than a classifier needs" in error.problem:
            return False
        raise
    return True


def _reduced(source: Source) -> tuple[int, int]:
    """The images' size, its longer side at most MAX_SIDE, sides a multiple of 4 where it is reduced."""
    height, width = source.shape[:2]
    longest = max(height, width)
    if longest <= MAX_SIDE:
        return height, width
    factor = MAX_SIDE / longest
    return max(4, round(height * factor / 4) * 4), max(4, round(width * factor / 4) * 4)


def recipe_text(plan: Plan, out: Path) -> str:
    """The recipe as commented YAML."""
    large = min(plan.size) >= LARGE_IMAGE
    batch = 256 if plan.rows >= 20_000 else 64 if plan.rows >= 500 else 32
    ghost = min(64, batch)
    strides = [1, 2, 2] if large or min(plan.size) < 16 else [2, 2, 2]
    crop = max(1, round(min(plan.size) / 14))
    epochs = _epochs(plan, large)
    flip = "horizontal" if plan.channels == 3 else "none"
    size = f"[{plan.size[0]}, {plan.size[1]}]"
    return f"""\
# {plan.rows:,} images of {plan.classes} classes, commonest size {plan.found_size[0]}x{plan.found_size[1]}.
# Run it with: bessemer run {out.name}
# Every key and its meaning: bessemer schema. Try changes with --set, for example --set train.epochs=5.
name: {json.dumps(_name(plan.path))}
seed: 0
data:
  source: {plan.kind}
  path: {json.dumps(plan.path, ensure_ascii=False)}
  size: {size} # height, width; smaller is faster
  split: {{test: 0.2, validation: 0.1}} # used where the data brings no split of its own
augment:
  crop: {crop} # shift by up to so many pixels
  flip: {flip} # horizontal suits photographs and clothes; none suits digits, letters and signs
  rotate: 8 # degrees each way
  scale: [0.9, 1.1]
model:
  stem: {"large" if large else "small"} # large starts with stride 4, for images of about 100 pixels or more
  stem_width: 32
  widths: [64, 128, 256] # a large parent compresses well; lower these to train faster
  blocks: [1, 1, 1]
  strides: {strides}
train:
  epochs: {epochs} # more is better up to a point; look at the learning curve in the report
  batch_size: {batch}
  ghost_batch: {ghost}
  optimizer: {{name: sgd, learning_rate: {0.2 if batch == 256 else 0.1 if batch == 64 else 0.05}}}
  label_smoothing: 0.1
  ema: {0.998 if batch == 256 else 0.99}
compress:
  contract: # what the shipped file must hold against the parent; a run that can't, refuses
    max_drop: 0.02 # accuracy that may be lost: 0.02 is two points
    min_speedup: 1.5 # in ONNX Runtime, at batch 64
    min_shrink: 4
  ladder: [0.75, 0.5, 0.25] # shares of the channels kept, from gentle to harsh
  train:
    epochs: {max(2, round(epochs / 3))}
    batch_size: {batch}
    ghost_batch: {ghost}
    optimizer: {{name: sgd, learning_rate: {0.1 if batch == 256 else 0.05}}}
    ema: {0.998 if batch == 256 else 0.99}
"""


def _epochs(plan: Plan, large: bool) -> int:
    """Epochs that keep training near ten minutes on two cores, within 5 to 60."""
    pixels = plan.size[0] * plan.size[1] / (16 if large else 1)
    strided = 4 if not large and min(plan.size) >= 16 else 1
    operations = plan.rows * pixels / strided * 300_000  # of one pass forward and back, by this family of networks
    return int(np.clip(round(WORK / operations), 5, 60))


def _name(path: str) -> str:
    known = set(string.ascii_letters + string.digits + "._-")
    kept = "".join(letter if letter in known else "_" for letter in Path(path).name)
    return kept.lstrip("._-") or "run"

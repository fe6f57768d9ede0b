"""What first recipes share: what a look at the data found, and the sections that do not go by the kind of data."""

from __future__ import annotations

import json
import math
import string
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bessemer.config import dump_yaml
from bessemer.data.config import DataConfig
from bessemer.data.numbers import Unreadable, number_in, says_nothing

RARE = 5
MOST_NUMBERED = 30  # different whole numbers that may be names of classes
MOSTLY = 0.9  # share of the rows whose labels must be numbers
LEAST_STEPS = 300
TEST, VALIDATION = 0.2, 0.1  # shares
DROP, MOST_DROP, DECIDING_SAMPLES = 0.02, 0.1, 2.4


@dataclass(frozen=True)
class Plan:
    """What the starter recipe rests on: the data section, and what a look at the data found."""

    origin: Path  # the folder, or the file, that names the run
    data: dict[str, Any]
    rows: int
    counts: Counter[str]  # of each class
    splits: Counter[str]
    settled: dict[str, Any]
    looks: list[Any]
    config: DataConfig  # the settings that the look was made with
    remarks: tuple[str, ...] = ()  # what was decided or left out and a user should know, a sentence each

    @property
    def name(self) -> str:
        """A name for the run."""
        known = set(string.ascii_letters + string.digits + "._-")
        stem = self.origin.name.split(".")[0]
        kept = "".join(letter if letter in known else "_" for letter in stem)
        return kept.lstrip("._-") or "run"

    @property
    def numbers(self) -> list[float]:
        """The targets where they are numbers to be guessed, not classes: more of them than names would be."""
        decimal = (self.data.get("columns") or {}).get("decimal", ".")
        read = {label: _number(label, decimal) for label in self.counts if not says_nothing(label)}
        known = sum(self.counts[label] for label, number in read.items() if not math.isnan(number))
        said = sum(self.counts[label] for label in read)
        found = [number for number in read.values() if not math.isnan(number)]
        many = len(found) > MOST_NUMBERED or (len(found) > 2 and any(number % 1 for number in found))
        return found if many and known >= MOSTLY * said else []

    @property
    def targets(self) -> str:
        """What is to be told of a sample, in words."""
        if numbers := self.numbers:
            return f"with numbers from {min(numbers):g} to {max(numbers):g}"
        return f"of {len(self.counts)} classes"

    @property
    def min_class(self) -> int:
        """Classes with fewer usable samples are set aside, unless that would leave few classes."""
        rare = sum(count < RARE for count in self.counts.values())
        return RARE if not self.numbers and len(self.counts) - rare >= max(2, len(self.counts) / 2) else 1

    @property
    def batch(self) -> int:
        """A batch size that gives a few dozen steps an epoch."""
        return 256 if self.rows >= 20_000 else 64 if self.rows >= 500 else 32


def _number(label: str, decimal: str) -> float:
    try:
        return number_in(label, decimal)
    except Unreadable:
        return math.nan


def header(plan: Plan, out: Path, noun: str, found: str) -> str:
    """The lines above the recipe."""
    largest, smallest = plan.counts.most_common(1)[0], plan.counts.most_common()[-1]
    return f"""\
# {plan.rows:,} {noun} of {len(plan.counts)} classes, {found}.
# The largest class is {largest[0]!r} with {largest[1]:,}, the smallest {smallest[0]!r} with {smallest[1]:,}.
# Run it with: bessemer run {out.name}
# Every key and its meaning: bessemer schema. Try changes with --set, for example --set train.epochs=5.
{"".join(f"# Note: {remark}.{chr(10)}" for remark in plan.remarks)}name: {json.dumps(plan.name)}
seed: 0
data:
{data_section(plan)}"""


def data_section(plan: Plan) -> str:
    """The source, its columns, and what is done with rare classes and splits."""
    lines = [f"  source: {plan.data['source']}", f"  path: {json.dumps(plan.data['path'], ensure_ascii=False)}"]
    for name, value in plan.data.items():
        if name not in ("source", "path"):
            text = f"{name}: {value}" if isinstance(value, str) else dump_yaml({name: value}).rstrip()
            lines.append("  " + text.replace("\n", "\n  "))
    if plan.min_class > 1:
        lines.append(
            f"  min_class: {plan.min_class} # classes with fewer usable samples are set aside and reported"
        )
    lines.append("  max_quarantined: 0.3 # stop when a larger share is broken")
    given = f"the data brings {', '.join(sorted(plan.splits))}" if plan.splits else "of every class"
    lines.append(f"  split: {{test: {TEST}, validation: {VALIDATION}}} # {given}")
    return "\n".join(lines) + "\n"


def compress_section(plan: Plan, rate: str, batch: int, epochs: int, extra: str = "", speedup: float = 1.2) -> str:
    """The contract, and how candidates are trained. Little data: gentler, since a sample is a point or more."""
    drop = allowed_drop(plan.rows)
    return f"""\
compress:
  contract: # what the shipped file must hold against the parent; a run that can't, refuses
    max_drop: {drop:g} # accuracy that may be lost: {drop:g} is {100 * drop:.0f} points
    min_speedup: {speedup:g} # in ONNX Runtime, at batch 64
    min_shrink: 2.5
  ladder: [{"1, " if drop > DROP else ""}0.75, 0.5, 0.25] # shares of the channels kept, from gentle to harsh
  train:
    epochs: {epochs}
    batch_size: {batch}
    optimizer: {rate}
{extra}"""


def allowed_drop(rows: int) -> float:
    """Accuracy that may be lost: where the validation split is small, two or three of its samples."""
    validation = rows * (1 - TEST) * VALIDATION
    return min(MOST_DROP, max(DROP, math.ceil(100 * DECIDING_SAMPLES / validation) / 100))


def with_enough_steps(epochs: int, samples: int, batch: int, least: int = LEAST_STEPS) -> int:
    """At least so many epochs that the network takes `least` steps: on little data an epoch has few."""
    return max(epochs, -(-least * batch // max(1, samples)))

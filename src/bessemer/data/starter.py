"""What first recipes share: what a look at the data found, and the sections that do not go by the kind of data."""

from __future__ import annotations

import json
import math
import string
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bessemer.config import dump_yaml
from bessemer.data.config import DataConfig
from bessemer.data.numbers import Unreadable, number_in, says_nothing

RARE = 5
MOST_CLASSES = 200  # whose names are numbers
MOST_NUMBERED = 30  # different whole numbers that may be names of classes
MOSTLY = 0.9  # share of the rows whose labels must be numbers
LEAST_STEPS = 300
TEST, VALIDATION = 0.2, 0.1  # shares
MINUTES = 10.0  # of a whole run
PARENT, CANDIDATE = 0.5, 0.12  # shares of them: of the parent's training, and of each candidate's
REACHED = 0.5  # share of a machine's speed in convolutions that a whole training step reaches
USUAL_SPEED = 1.3e11  # multiply-adds a second of a machine with two cores and bf16
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
    as_numbers: bool | None = None  # labels are to be numbers, or classes; None goes by what they say
    notes: list[str] = field(default_factory=list)  # what was decided about the files, in words

    minutes: float = MINUTES  # that the whole run may take on this machine
    speed: Callable[[], float] = lambda: USUAL_SPEED  # multiply-adds a second of training on it; takes a moment

    @property
    def work(self) -> float:
        """Multiply-adds that fit into the training of the parent."""
        return self.speed() * REACHED * 60 * PARENT * self.minutes

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
        found = list(self.read.values())
        said = sum(count for label, count in self.counts.items() if not says_nothing(label))
        if self.as_numbers is False or sum(self.counts[label] for label in self.read) < MOSTLY * said:
            return []
        many = len(found) > MOST_NUMBERED or (len(found) > 2 and any(number % 1 for number in found))
        return found if self.as_numbers or (many and not self._numbered(found)) else []

    @property
    def read(self) -> dict[str, float]:
        """The labels that are numbers, and what each says."""
        decimal = (self.data.get("columns") or {}).get("decimal", ".")
        read = {label: _number(label, decimal) for label in self.counts if not says_nothing(label)}
        return {label: number for label, number in read.items() if not math.isnan(number)}

    def _numbered(self, found: list[float]) -> bool:
        """Whether they number classes: from 0 or 1 without a gap, each of several samples; not in tables."""
        gapless = min(found) in (0, 1) and sorted(found) == [min(found) + place for place in range(len(found))]
        often = min(self.counts.values()) >= RARE
        return gapless and often and len(found) <= MOST_CLASSES and not self.data.get("kind")

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
    task = "task: regress # the number itself is told; classify tells classes apart\n" if plan.numbers else ""
    return f"""\
# {plan.rows:,} {noun} {plan.targets}, {found}.
{class_sizes(plan)}\
# Run it with: bessemer run {out.name}
# Every key and its meaning: bessemer schema. Try changes with --set, for example --set train.epochs=5.
name: {json.dumps(plan.name)}
{task}\
seed: 0
data:
{data_section(plan)}"""


def class_sizes(plan: Plan) -> str:
    """The largest and the smallest class as a comment; nothing of numbers."""
    if plan.numbers:
        return ""
    (large, most), (small, least) = plan.counts.most_common()[0], plan.counts.most_common()[-1]
    return f"# The largest class is {large!r} with {most:,}, the smallest {small!r} with {least:,}.\n"


def data_section(plan: Plan) -> str:
    """The source, its columns, and what is done with rare classes and splits."""
    lines = [f"  source: {plan.data['source']}", f"  path: {json.dumps(plan.data['path'], ensure_ascii=False)}"]
    for name, value in plan.data.items():
        if name not in ("source", "path"):
            text = (
                f"{name}: {value}"
                if isinstance(value, str)
                else f"{name}: true"
                if value is True
                else dump_yaml({name: value}).rstrip()
            )
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
    lost = f"{drop:g} # accuracy that may be lost: {drop:g} is {100 * drop:.0f} points"
    return f"""\
compress:
  contract: # what the shipped file must hold against the parent; a run that can't, refuses
    max_drop: {"3% # of the error that may be added" if plan.numbers else lost}
    min_speedup: {speedup:g} # in ONNX Runtime, at batch 64
    min_shrink: 2.5
  simple: true # ships the simple model where it does as well: the network has to earn its keep
  ladder: [{"1, " if drop > DROP else ""}0.75, 0.5, 0.25] # shares of the channels kept, from gentle to harsh
  train:
    epochs: {epochs}
{minutes_line(plan, CANDIDATE, "    ")}\
    batch_size: {batch}
    optimizer: {rate}
{extra}"""


def minutes_line(plan: Plan, share: float = PARENT, indent: str = "  ") -> str:
    """How long a training may take."""
    return f"{indent}minutes: {plan.minutes * share:.2g} # fewer epochs where these take longer on this machine\n"


def smoothing(plan: Plan, share: float, why: str = "") -> str:
    """The line that keeps a network from being too sure of classes; nothing for numbers."""
    return "" if plan.numbers else f"  label_smoothing: {share:g}{why and f' # {why}'}\n"


def allowed_drop(rows: int) -> float:
    """Accuracy that may be lost: where the validation split is small, two or three of its samples."""
    validation = rows * (1 - TEST) * VALIDATION
    return min(MOST_DROP, max(DROP, math.ceil(100 * DECIDING_SAMPLES / validation) / 100))


def with_enough_steps(epochs: int, samples: int, batch: int, least: int = LEAST_STEPS) -> int:
    """At least so many epochs that the network takes `least` steps: on little data an epoch has few."""
    return max(epochs, -(-least * batch // max(1, samples)))

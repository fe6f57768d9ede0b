"""A first recipe for a folder of data: it runs as it is, and says what to change."""

from __future__ import annotations

import json
import math
import string
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bessemer.config import dump_yaml
from bessemer.data.config import DataConfig
from bessemer.errors import DataError, UsageError
from bessemer.prepare.ingest import Job
from bessemer.prepare.prepare import Selection, cleaner_for, tasks
from bessemer.prepare.source import open_source
from bessemer.prepare.source.detect import detect

LARGE_IMAGE = 96
MAX_SIDE = 224
WORK = 4e13  # multiply-adds of training that a two-core machine does in about ten minutes
LOOKS = 5000  # rows that are looked at to choose sizes
TEXT_VIEWS, AUDIO_VIEWS = 20_000, 90_000  # texts, and seconds of sound, that are trained on in a few minutes
CHARACTERS_A_TOKEN = 3.5
TEXT_LOOKS = 1000
RARE = 5
FEW_RECORDINGS = 200
LEAST_STEPS, LEAST_SOUND_STEPS = 300, 1800
FEW_CLIPS = 1000
SOUND_SPEEDUP = 0.75  # int8 makes these networks smaller and hardly faster: noise must not refuse them
TEST, VALIDATION = 0.2, 0.1  # shares
DROP, MOST_DROP, DECIDING_SAMPLES = 0.02, 0.1, 2.4
NOUNS = {"image": "images", "text": "texts", "audio": "recordings"}


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
    windows: bool = False  # few recordings are cut into clips

    @property
    def name(self) -> str:
        """A name for the run."""
        known = set(string.ascii_letters + string.digits + "._-")
        stem = self.origin.name.split(".")[0]
        kept = "".join(letter if letter in known else "_" for letter in stem)
        return kept.lstrip("._-") or "run"

    @property
    def min_class(self) -> int:
        """Classes with fewer usable samples are set aside, unless that would leave few classes."""
        rare = sum(count < RARE for count in self.counts.values())
        return RARE if len(self.counts) - rare >= max(2, len(self.counts) / 2) else 1

    @property
    def batch(self) -> int:
        """A batch size that gives a few dozen steps an epoch."""
        return 256 if self.rows >= 20_000 else 64 if self.rows >= 500 else 32


def write_recipe(data: Path, out: Path, force: bool = False) -> str:
    """Look at `data`, write a commented recipe to `out`, and say what was found.

    Raises DataError where the data is of no kind that is known, UsageError where `out` is there already.
    """
    if out.exists() and not force:
        raise UsageError(f"{out}: is there already", "give another name with -o, or --force to replace it")
    if not data.exists():
        raise DataError(f"{data}: no such file or folder", "give the folder or file that holds the data")
    plan, modality = look(data)
    try:
        out.write_text(TEMPLATES[modality](plan, out), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "give another place with -o") from error
    shape = DESCRIBE[modality](plan)
    found = f"{plan.rows:,} {NOUNS[modality]} of {len(plan.counts)} classes, {shape}"
    return f"{found}: wrote {out}\nNext: bessemer run {out}"


def look(data: Path) -> tuple[Plan, str]:
    """Find out what kind of data a folder or file holds, and what sizes suit it."""
    values = detect(data)
    values["path"] = str(Path(values["path"]).resolve())
    config = DataConfig(**values)
    job = Job([open_source(config)], cleaner_for(config))
    rows = [row for task in tasks(job, Selection()) for row in job.count(*task)]
    counts = Counter(label for label, _ in rows if label is not None)
    if len(counts) < 2:
        problem = f"only one class in it ({next(iter(counts))})" if counts else "no row in it has a label"
        raise DataError(f"{data}: {problem}", "a classifier needs at least two classes")
    windows = config.modality == "audio" and len(rows) < FEW_RECORDINGS
    if windows:
        audio = config.audio.model_copy(update={"windows": True})
        job = Job(job.sources, cleaner_for(config.model_copy(update={"audio": audio})))
    looks = list(islice((one for task in tasks(job, Selection()) for one in job.survey(*task)), LOOKS))
    if not looks:
        raise DataError(f"{data}: none of its {len(rows)} files can be read", "check that they are not damaged")
    job.cleaner.settle(iter(looks))
    if config.modality == "text":
        looks = text_lengths(job)
    splits = Counter(split for _, split in rows if split)
    origin = data.resolve() if data.is_dir() else Path(values["path"])
    return Plan(origin, values, len(rows), counts, splits, job.cleaner.settled, looks, windows), config.modality


def text_lengths(job: Job) -> list[float]:
    """Characters of the first clean texts."""
    cleaned = (job.clean(*task) for task in tasks(job, Selection()))
    lengths = (length for done in cleaned for length, size in zip(done.lengths, done.sizes, strict=True) if size)
    return list(islice(lengths, TEXT_LOOKS)) or [1.0]


def header(plan: Plan, out: Path, noun: str, found: str) -> str:
    """The lines above the recipe."""
    largest, smallest = plan.counts.most_common(1)[0], plan.counts.most_common()[-1]
    return f"""\
# {plan.rows:,} {noun} of {len(plan.counts)} classes, {found}.
# The largest class is {largest[0]!r} with {largest[1]:,}, the smallest {smallest[0]!r} with {smallest[1]:,}.
# Run it with: bessemer run {out.name}
# Every key and its meaning: bessemer schema. Try changes with --set, for example --set train.epochs=5.
name: {json.dumps(plan.name)}
seed: 0
data:
{data_section(plan)}"""


def data_section(plan: Plan) -> str:
    """The source, its columns, and what is done with rare classes and splits."""
    lines = [f"  source: {plan.data['source']}", f"  path: {json.dumps(plan.data['path'], ensure_ascii=False)}"]
    for name, value in plan.data.items():
        if name not in ("source", "path"):
            lines.append("  " + dump_yaml({name: value}).rstrip().replace("\n", "\n  "))
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


# --- images ---------------------------------------------------------------------------------------------


def image_recipe(plan: Plan, out: Path) -> str:
    """The recipe for images as commented YAML."""
    height, width = plan.settled["size"]
    gray, batch = plan.settled["gray"], plan.batch
    large = min(height, width) >= LARGE_IMAGE
    strides = [1, 2, 2] if large or min(height, width) < 16 else [2, 2, 2]
    epochs = with_enough_steps(image_epochs(plan, large), plan.rows, batch)
    ghost = min(64, batch)
    rate = {256: 0.2, 64: 0.1, 32: 0.05}[batch]
    ema = 0.998 if batch == 256 else 0.99
    fine = f"    ghost_batch: {ghost}\n    ema: {ema}\n"
    return f"""\
{header(plan, out, "images", f"at {height}x{width}")}\
  size: [{height}, {width}] # height, width; smaller is faster
augment:
  preset: light # light, standard or strong; look at it: bessemer prepare {out.name} --preview
  flip: {"none" if gray else "horizontal"} # horizontal suits photographs; none suits digits, letters and signs
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
  optimizer: {{name: sgd, learning_rate: {rate}}}
  label_smoothing: 0.1
  ema: {ema}
{compress_section(plan, f"{{name: sgd, learning_rate: {rate / 2:g}}}", batch, max(2, round(epochs / 3)), fine)}"""


def image_epochs(plan: Plan, large: bool) -> int:
    """Epochs that keep training near ten minutes on two cores, within 5 to 60."""
    height, width = plan.settled["size"]
    pixels = height * width / (16 if large else 1)
    strided = 4 if not large and min(height, width) >= 16 else 1
    operations = plan.rows * pixels / strided * 300_000  # of one pass forward and back, by this family of networks
    return int(np.clip(round(WORK / operations), 5, 60))


# --- text -----------------------------------------------------------------------------------------------


def text_recipe(plan: Plan, out: Path) -> str:
    """The recipe for text as commented YAML."""
    lengths = np.array(plan.looks)
    tokens = float(np.percentile(lengths, 90)) / CHARACTERS_A_TOKEN
    longest = int(np.clip(2 ** np.ceil(np.log2(tokens)), 256, 2048))
    batch = 16 if plan.rows < 1000 else 32
    epochs = with_enough_steps(int(np.clip(round(TEXT_VIEWS / plan.rows), 4, 15)), plan.rows, batch)
    fine = "    ema: 0.99\n"
    return f"""\
{header(plan, out, "texts", f"half of them longer than {int(np.median(lengths)):,} characters")}\
  text:
    max_tokens: {longest} # longer texts are cut here
    tokenizer: {{kind: bpe, vocabulary: 8000}} # trained on the training split
augment:
  token_delete: 0.2 # share of the tokens left out; look at it: bessemer prepare {out.name} --preview
model: # a small Transformer that reads, beside a bag of tokens and pairs that counts
  width: 128
  layers: 2
  heads: 4
  feedforward: 256
  context: 256 # first tokens that the Transformer reads; the bag counts all
train:
  epochs: {epochs} # more is better up to a point; look at the learning curve in the report
  batch_size: {batch}
  optimizer: {{name: adamw, learning_rate: 0.002, weight_decay: 0.05}}
  label_smoothing: 0.3 # much, since texts are soon learned by heart, wrong labels too
  ema: 0.99
{compress_section(plan, "{name: adamw, learning_rate: 0.001}", batch, max(2, round(epochs / 2)), fine, 1)}"""


# --- audio ----------------------------------------------------------------------------------------------


def audio_recipe(plan: Plan, out: Path) -> str:
    """The recipe for sound as commented YAML."""
    rate, seconds = plan.settled["rate"], plan.settled["samples"] / plan.settled["rate"]
    clips = max(plan.rows, round(2 * float(np.sum(plan.looks)) / seconds)) if plan.windows else plan.rows
    epochs, batch = audio_epochs(clips, seconds)
    rate_after, fine = "{name: sgd, learning_rate: 0.025}", f"    ghost_batch: {batch}\n    ema: 0.99\n"
    return f"""\
{header(plan, out, "recordings", f"half of them longer than {np.median(plan.looks):.1f} s")}\
  audio:
    rate: {rate} # samples a second
    seconds: {seconds:g} # length of a clip
    windows: {str(plan.windows).lower()} # true cuts long recordings into clips; those of one file stay together
augment:
  preset: standard # light, standard or strong; look at it: bessemer prepare {out.name} --preview
model: # log-mel features and a residual network
  stem: large
  stem_width: 16
  widths: [32, 64, 128]
  blocks: [1, 1, 1]
  strides: [1, 2, 2]
train:
  epochs: {epochs} # more is better up to a point; look at the learning curve in the report
  batch_size: {batch}
  ghost_batch: {batch}
  optimizer: {{name: sgd, learning_rate: 0.05}}
  label_smoothing: 0.1
  ema: 0.99
{compress_section(plan, rate_after, batch, max(3, round(epochs / 3)), fine, SOUND_SPEEDUP)}"""


def audio_epochs(clips: int, seconds: float) -> tuple[int, int]:
    """Epochs, 10 to 40, and a batch size; few clips get small batches, and as many more epochs as they need."""
    epochs = int(np.clip(round(AUDIO_VIEWS / (clips * seconds)), 10, 40))
    if clips >= FEW_CLIPS:
        return epochs, 32
    trained_on = round(clips * (1 - TEST) * (1 - VALIDATION))
    return with_enough_steps(epochs, trained_on, 16, LEAST_SOUND_STEPS), 16


TEMPLATES: dict[str, Callable[[Plan, Path], str]] = {
    "image": image_recipe,
    "text": text_recipe,
    "audio": audio_recipe,
}
DESCRIBE: dict[str, Callable[[Plan], str]] = {
    "image": lambda plan: (
        f"{plan.settled['size'][0]}x{plan.settled['size'][1]} {'gray' if plan.settled['gray'] else 'RGB'}"
    ),
    "text": lambda plan: f"half of them longer than {int(np.median(plan.looks)):,} characters",
    "audio": lambda plan: f"clips of {plan.settled['samples'] / plan.settled['rate']:.1f} s",
}

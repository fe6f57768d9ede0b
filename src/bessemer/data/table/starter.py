"""A first recipe for tables: columns as they were found, and a network and epochs that suit so many rows."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bessemer.data.starter import CANDIDATE, TEST, VALIDATION, Plan, allowed_drop, data_section, minutes_line

VIEWS = 1_500_000  # rows that are trained on in a few minutes
FEW, MANY_ROWS = 2000, 20_000  # rows up to which a small network and small batches do best (docs/benchmarks.md)
MANY = 200  # columns of numbers: too many for waves
WIDTH = 116


def table_recipe(plan: Plan, out: Path) -> str:
    """The recipe for a table as commented YAML."""
    settings, numbers = plan.settled["settings"], plan.numbers
    trained_on = plan.rows * (1 - TEST) * (1 - VALIDATION)
    few = plan.rows < FEW
    batch = 32 if few else 64 if plan.rows < MANY_ROWS else 256
    epochs = int(np.clip(VIEWS / trained_on, 4, 20))
    return f"""\
# {plan.rows:,} rows {plan.targets}, told from {plan.data["columns"]["label"]!r} by {_told(settings)}.
# Run it with: bessemer run {out.name}
# Every key and its meaning: bessemer schema. Try changes with --set, for example --set train.epochs=5.
name: {json.dumps(plan.name)}
{"task: regress # the number itself is told; classify tells classes apart" if numbers else "task: classify"}
seed: 0
data:
{data_section(plan)}\
  settings: # what each column holds; what is not named is left alone
{_columns(settings)}\
{_model(plan, few)}\
train:
  epochs: {epochs} # more is better up to a point; look at the learning curve in the report
{minutes_line(plan)}\
  batch_size: {batch}
  optimizer: {{name: adamw, learning_rate: 0.002, weight_decay: {0.1 if few else 0.02}}}
  schedule: {{name: cosine, warmup: 0.1}}
  ema: 0.95
  early_stopping: {{patience: 10, best: true}} # the weights of the best validation: rows are soon known by heart
{_compress(plan, batch, max(2, epochs // 4), bool(numbers))}"""


def _told(settings: dict[str, object]) -> str:
    from bessemer.data.table import columns_told

    return columns_told(settings)


def _columns(settings: dict[str, object]) -> str:
    lines = []
    for key, value in settings.items():
        if value and isinstance(value, list):
            lines.append(f"    {key}: {_flow(value)}")
        elif value and isinstance(value, dict):
            pairs = ", ".join(f"{_quoted(name)}: {_written(one)}" for name, one in value.items())
            lines.append(f"    {key}: {{{pairs}}}")
    return "\n".join(lines) + "\n"


def _flow(names: Sequence[str]) -> str:
    text = "[" + ", ".join(map(_quoted, names)) + "]"
    return textwrap.fill(text, WIDTH, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)


def _written(value: str | float) -> str:
    return _quoted(value) if isinstance(value, str) else f"{value:g}"


def _quoted(name: str) -> str:
    plain = name.replace("_", "a").isalnum() and name.isascii() and not name[0].isdigit()
    reserved = name.lower() in {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
    return name if plain and not reserved else json.dumps(name, ensure_ascii=False)


def _model(plan: Plan, few: bool) -> str:
    """A small perceptron for few rows, a residual network that sees numbers as waves for many."""
    waves = 0 if few or len(plan.settled["settings"]["numbers"]) > MANY else 16
    return f"""\
model:
  name: mlp
  widths: {"[128, 128]" if few else "[192, 192, 192]"}
  residual: {str(not few).lower()} # true: each hidden layer is a block with a shortcut
  waves: {waves} # frequencies at which each number is also seen; 0 is off
  dropout: {0.3 if few else 0.1}
"""


def _compress(plan: Plan, batch: int, epochs: int, numbers: bool) -> str:
    drop = "3%" if numbers else f"{allowed_drop(plan.rows):g}"
    said = "of the error that may be added" if numbers else "accuracy that may be lost"
    return f"""\
compress:
  contract: # what the shipped file must hold against the parent; a run that can't, refuses
    max_drop: {drop} # {said}
    min_shrink: 1.5
  simple: true # ships the linear model where it does as well: the network has to earn its keep
  ladder: [1, 0.75, 0.5] # shares of the channels kept, from gentle to harsh
  train:
    epochs: {epochs}
{minutes_line(plan, CANDIDATE, "    ")}\
    batch_size: {batch}
    optimizer: {{name: adamw, learning_rate: 0.0005, weight_decay: 0.1}}
"""

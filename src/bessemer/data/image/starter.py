"""A first recipe for images: sizes and epochs that suit what was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bessemer.data.starter import Plan, compress_section, header, smoothing, with_enough_steps

LARGE_IMAGE = 96
WORK = 4e13  # multiply-adds of training that a two-core machine does in about ten minutes


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
{smoothing(plan, 0.1)}\
  ema: {ema}
{compress_section(plan, f"{{name: sgd, learning_rate: {rate / 2:g}}}", batch, max(2, round(epochs / 3)), fine)}"""


def image_epochs(plan: Plan, large: bool) -> int:
    """Epochs that keep training near ten minutes on two cores, within 5 to 60."""
    height, width = plan.settled["size"]
    pixels = height * width / (16 if large else 1)
    strided = 4 if not large and min(height, width) >= 16 else 1
    operations = plan.rows * pixels / strided * 300_000  # of one pass forward and back, by this family of networks
    return int(np.clip(round(WORK / operations), 5, 60))

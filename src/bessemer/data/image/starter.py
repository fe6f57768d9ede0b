"""A first recipe for images: sizes and epochs that suit what was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bessemer.data.starter import Plan, compress_section, header, minutes_line, smoothing, with_enough_steps

LARGE_IMAGE = 96
PIXEL = 300_000  # multiply-adds a pixel behind the stem, forward and back, of the widest of these networks
SHARES = (1.0, 0.75, 0.5)  # of the channels
ENOUGH = 12  # epochs that are worth more than a wider network
LEAST, MOST = 5, 60  # epochs


def image_recipe(plan: Plan, out: Path) -> str:
    """The recipe for images as commented YAML."""
    height, width = plan.settled["size"]
    gray, batch = plan.settled["gray"], plan.batch
    large = min(height, width) >= LARGE_IMAGE
    strides = [1, 2, 2] if large or min(height, width) < 16 else [2, 2, 2]
    share, epochs = image_size(plan, large)
    epochs = with_enough_steps(epochs, plan.rows, batch)
    widths = [round(share * width) for width in (64, 128, 256)]
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
  stem_width: {widths[0] // 2}
  widths: {widths} # a large parent compresses well; lower these to train faster
  blocks: [1, 1, 1]
  strides: {strides}
train:
  epochs: {epochs} # more is better up to a point; look at the learning curve in the report
{minutes_line(plan)}\
  batch_size: {batch}
  ghost_batch: {ghost}
  optimizer: {{name: sgd, learning_rate: {rate}}}
{smoothing(plan, 0.1)}\
  ema: {ema}
{compress_section(plan, f"{{name: sgd, learning_rate: {rate / 2:g}}}", batch, max(2, round(epochs / 3)), fine)}"""


def image_size(plan: Plan, large: bool) -> tuple[float, int]:
    """The share of the channels, and the epochs, that this machine can train in the minutes given."""
    height, width = plan.settled["size"]
    pixels = height * width / (16 if large else 1)
    strided = 4 if not large and min(height, width) >= 16 else 1
    widest = plan.work / (plan.rows * pixels / strided * PIXEL)
    affordable = {share: widest / share**2 for share in SHARES}
    share = next((share for share, epochs in affordable.items() if epochs >= ENOUGH), SHARES[-1])
    return share, int(np.clip(round(affordable[share]), LEAST, MOST))

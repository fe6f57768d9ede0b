"""A first recipe for sound: lengths and epochs that suit what was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bessemer.data.starter import (
    TEST,
    VALIDATION,
    Plan,
    compress_section,
    header,
    minutes_line,
    smoothing,
    with_enough_steps,
)

AUDIO_VIEWS = 90_000  # seconds of sound that are trained on in a few minutes
LEAST_SOUND_STEPS = 1800
FEW_CLIPS = 1000
SOUND_SPEEDUP = 0.75  # int8 makes these networks smaller and hardly faster: noise must not refuse them


def audio_recipe(plan: Plan, out: Path) -> str:
    """The recipe for sound as commented YAML."""
    rate, seconds = plan.settled["rate"], plan.settled["samples"] / plan.settled["rate"]
    windows, lengths = plan.config.audio.windows, [look.seconds for look in plan.looks]
    clips = max(plan.rows, round(2 * float(np.sum(lengths)) / seconds)) if windows else plan.rows
    epochs, batch = audio_epochs(clips, seconds)
    rate_after, fine = "{name: sgd, learning_rate: 0.025}", f"    ghost_batch: {batch}\n    ema: 0.99\n"
    return f"""\
{header(plan, out, "recordings", f"half of them longer than {np.median(lengths):.1f} s")}\
  audio:
    rate: {rate} # samples a second, as most recordings have; others are resampled
    seconds: {seconds:g} # length of a clip
    windows: {str(windows).lower()} # true cuts long recordings into clips; those of one file stay together
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
{minutes_line(plan)}\
  batch_size: {batch}
  ghost_batch: {batch}
  optimizer: {{name: sgd, learning_rate: 0.05}}
{smoothing(plan, 0.1)}\
  ema: 0.99
{compress_section(plan, rate_after, batch, max(3, round(epochs / 3)), fine, SOUND_SPEEDUP)}"""


def audio_epochs(clips: int, seconds: float) -> tuple[int, int]:
    """Epochs, 10 to 40, and a batch size; few clips get small batches, and as many more epochs as they need."""
    epochs = int(np.clip(round(AUDIO_VIEWS / (clips * seconds)), 10, 40))
    if clips >= FEW_CLIPS:
        return epochs, 32
    trained_on = round(clips * (1 - TEST) * (1 - VALIDATION))
    return with_enough_steps(epochs, trained_on, 16, LEAST_SOUND_STEPS), 16

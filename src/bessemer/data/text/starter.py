"""A first recipe for texts: lengths and epochs that suit what was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bessemer.data.starter import Plan, compress_section, header, minutes_line, smoothing, with_enough_steps

TEXT_VIEWS = 20_000  # texts that are trained on in a few minutes
CHARACTERS_A_TOKEN = 3.5


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
{minutes_line(plan)}\
  batch_size: {batch}
  optimizer: {{name: adamw, learning_rate: 0.002, weight_decay: 0.05}}
{smoothing(plan, 0.3, "much, since texts are soon learned by heart, wrong labels too")}\
  ema: 0.99
{compress_section(plan, "{name: adamw, learning_rate: 0.001}", batch, max(2, round(epochs / 2)), fine, 1)}"""

"""A first recipe for language modelling: text of any layout, and a model whose training takes minutes."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bessemer.config import dump_yaml
from bessemer.data.config import DataConfig
from bessemer.data.files.table import is_table_name
from bessemer.data.starter import MINUTES
from bessemer.data.text import TEXT
from bessemer.data.text.config import TextConfig
from bessemer.errors import DataError, UsageError
from bessemer.prepare.ingest import Job
from bessemer.prepare.prepare import Selection, tasks
from bessemer.prepare.source import open_source
from bessemer.prepare.source.dataset import is_dataset
from bessemer.prepare.source.guess import guess_dataset, guess_table

LOOKED: dict[str, Any] = {  # as the task reads texts
    "html": "keep",
    "white_space": "keep",
    "boilerplate": 0.0,
    "min_characters": 20,
    "quality": "drop",
}
LOOKS = 500  # documents whose lengths are looked at
BYTES_A_TOKEN = 3.2
TOKENS = 3e6  # that a two-core machine trains the model below on in about ten minutes
SHARE = 0.8  # of the minutes of a run, for the training
LITTLE = 1e6  # bytes; less text is soon learned by heart
STDLIB = Path("stdlib")


def write_language_recipe(data: Path, out: Path, force: bool = False, minutes: float = MINUTES) -> str:
    """Look at `data`, write a commented recipe for language modelling to `out`, and say what was found.

    `minutes` is what a whole run may take on this machine. `data` is a folder or archive of text files, one long
    text file, a table with a column of text, or `stdlib`. Raises DataError where there is no text, UsageError
    where `out` is there already.
    """
    if out.exists() and not force:
        raise UsageError(f"{out}: is there already", "give another name with -o, or --force to replace it")
    values = source_of(data)
    documents, size, notes = look(data, values)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", data.stem).lstrip("._-") or "run"
    text = "".join(f"# {note}\n" for note in notes) + recipe(name, out, values, documents, size, minutes)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "give another place with -o") from error
    said = "".join(f"\nNote: {note}" for note in notes)
    return f"{documents:,} documents, {size / 1e6:,.1f} MB of text: wrote {out}{said}\nNext: bessemer run {out}"


def source_of(data: Path) -> dict[str, Any]:
    """The values of `data:` that read what stands at `data` as documents."""
    if data == STDLIB and not data.exists():
        return {"source": "stdlib"}
    if not data.exists():
        raise DataError(
            f"{data}: no such file or folder", "give the folder or file that holds the text, or stdlib"
        )
    path = data.resolve()
    columns: dict[str, Any] = {}
    if path.is_dir() and is_dataset(path):
        source, columns = "dataset", guess_dataset(path, label=False)["columns"]
    elif path.is_file() and (is_table_name(path.name) or path.suffix.lower() == ".json"):
        source, columns = "table", guess_table(path, label=False)["columns"]
    else:
        return {"source": "text_folder", "path": str(path)}
    if "text" not in columns:
        raise DataError(f"{data}: no column of text in it", "task language needs text")
    kept = {name: columns[name] for name in ("text", "split") if name in columns}
    return {"source": source, "path": str(path), "columns": kept}


def look(data: Path, values: dict[str, Any]) -> tuple[int, float, list[str]]:
    """Documents, about how many bytes of text they hold, and what was decided about their files."""
    config = DataConfig(**values, text=TextConfig(**LOOKED))
    job = Job([open_source(config, labelled=False)], TEXT.cleaner(config))
    documents = sum(len(job.count(*task)) for task in tasks(job, Selection()))
    cleaned = (job.clean(*task) for task in tasks(job, Selection()))
    sizes = list(islice((size for done in cleaned for size in done.sizes if size), LOOKS))
    if not sizes:
        raise DataError(f"{data}: none of its {documents} files can be read as text", "check the files")
    return documents, documents * float(np.mean(sizes)), list(getattr(job.sources[0], "notes", ()))


def recipe(name: str, out: Path, values: dict[str, Any], documents: int, size: float, minutes: float) -> str:
    """The recipe as commented YAML."""
    tokens = size / BYTES_A_TOKEN
    epochs = float(np.clip(round(TOKENS / tokens, 1), 0.1, 20))
    dropout = 0.1 if size < LITTLE or epochs > 4 else 0.0
    width, context = (128, 128) if size < LITTLE else (192, 256)
    lines = [
        f"{key}: {json.dumps(values[key], ensure_ascii=False)}" for key in ("source", "path") if key in values
    ]
    lines += [dump_yaml({"columns": values["columns"]}).rstrip()] if "columns" in values else []
    section = "".join(f"  {line}\n" for line in lines)
    return f"""\
# {documents:,} documents, about {size / 1e6:,.1f} MB of text.
# Run it with: bessemer run {out.name}
# Every key and its meaning: bessemer schema. Try changes with --set, for example --set train.epochs=2.
name: {json.dumps(name)}
seed: 0
task: language # says the next token; the result is in bits per byte, and fewer are better
data: # white space and markup stay as they are
{section}\
  max_quarantined: 0.3 # stop when a larger share is broken
  split: {{test: 0.1, validation: 0.05}} # whole documents
  text:
    tokenizer: {{kind: bpe, vocabulary: null}} # null goes by the size of the text: 1024, 2048 or 4096
model: # a Transformer decoder
  width: {width} # of features; twice as many take three times as long
  layers: 4
  heads: {width // 32}
  feedforward: {4 * width}
  context: {context} # tokens that it looks back
  convolution: 4 # neighbors are seen without attention: more learned in as many steps
  dropout: {dropout} # against learning little text by heart
train:
  epochs: {epochs:g} # times that the text is read
  minutes: {SHARE * minutes:.2g} # less of it where that takes longer on this machine
  batch_size: {2048 // context} # windows of {context} tokens
  optimizer: {{name: muon, learning_rate: 0.02, momentum: 0.9, adamw_rate: 0.016}}
compress: null # the parent ships; {{ladder: [0.5]}} tries half of the neurons, in fp32 and int8
"""

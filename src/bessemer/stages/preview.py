"""Augmented samples for people to look at: a sheet of pictures, or a page of texts."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.artifact import write_atomic
from bessemer.data.augment.preview import png, sheet
from bessemer.data.config import AugmentConfig
from bessemer.data.dataset import Dataset
from bessemer.data.split import take_count

SAMPLES, EPOCHS = 8, 6
STYLE = "body{font:14px system-ui;margin:2em}td,th{border:1px solid #ccc;padding:6px;vertical-align:top}"


def write_preview(dataset: Dataset, config: AugmentConfig, seed: int, folder: Path) -> Path:
    """Write samples and what training sees of them to `preview.png`, words to `preview.html`; returns the path."""
    train = dataset.split("train")
    chosen = take_count(train.labels, train.ids, SAMPLES, seed)
    columns = augmented(dataset, config, chosen, seed)
    headings = ["original", *(f"epoch {epoch}" for epoch in range(EPOCHS))]
    kind = dataset.kind
    if not kind.drawn:
        write_atomic(folder / "preview.html", page_of_words(columns, headings, kind.words(dataset.folder)))
        return folder / "preview.html"
    rows = [[kind.picture(column[number], dataset.about) for column in columns] for number in range(len(chosen))]
    write_atomic(folder / "preview.png", png(sheet(rows, headings)))
    return folder / "preview.png"


def augmented(dataset: Dataset, config: AugmentConfig, chosen: NDArray[np.int64], seed: int) -> list[NDArray[Any]]:
    """The chosen training samples (n, ...) as they are, then as they are seen in the first epochs."""
    train, change = dataset.split("train"), dataset.augmenter(config)
    inputs, ids = train.inputs[chosen], train.ids[chosen]
    epochs = (np.full(len(chosen), epoch, np.int64) for epoch in range(EPOCHS))
    return [inputs, *(change(inputs.copy(), ids, epoch, seed) for epoch in epochs)]


def page_of_words(columns: list[NDArray[Any]], headings: list[str], words: Callable[[NDArray[Any]], str]) -> str:
    """A table of texts: a row for each sample, a column for each epoch."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(words(column[row])[:400])}</td>" for column in columns) + "</tr>"
        for row in range(len(columns[0]))
    )
    return f"<!doctype html><meta charset='utf-8'><style>{STYLE}</style><table><tr>{head}</tr>{body}</table>"

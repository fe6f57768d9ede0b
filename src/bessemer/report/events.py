"""Learning curves as TensorBoard events, written while training goes on; in the end the report's words, too.

A training that goes on from a checkpoint opens a new file, which tells TensorBoard to forget what was written
beyond it. TensorBoard takes a second to import, so it is imported when the first point comes.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bessemer.report.markdown import told_sections
from bessemer.report.tracking import Tracker, curves, scalars

TOLD = "report"  # the TensorBoard run that holds words and tables
Series = dict[str, list[tuple[int, float]]]  # step and value by the name of a scalar


class Events(Tracker):
    """One TensorBoard run for the parent, one for each candidate and one for the report, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, Any] = {}

    def begin(self, name: str, step: int) -> None:
        self._close(name)
        if step == 0:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self._open(name, step + 1)

    def point(self, name: str, step: int, values: Mapping[str, float | None]) -> None:
        if name not in self._writers:
            self._open(name, step)
        for key, value in scalars(values).items():
            self._writers[name].add_scalar(key, value, step)
        self._writers[name].flush()

    def finish(self, report: Mapping[str, Any]) -> None:
        """Make the events those of the report, whatever was lost or is left of an earlier run."""
        self.close()
        every = curves(report)
        for old in self.folder.glob("*"):
            if old.name not in every and old.name != TOLD:
                shutil.rmtree(old)
        for name, points in every.items():
            if read_events(self.folder / name) != self._series(points):
                shutil.rmtree(self.folder / name, ignore_errors=True)
                self._open(name, 0)
                for point in points:
                    for key, value in scalars(point).items():
                        self._writers[name].add_scalar(key, value, point["step"])
        self._tell({title: "\n\n".join(body) for title, body in told_sections(report)})
        self.close()

    def _tell(self, texts: dict[str, str]) -> None:
        """Words and tables of the report's sections, as text."""
        if read_texts(self.folder / TOLD) == texts:
            return
        shutil.rmtree(self.folder / TOLD, ignore_errors=True)
        if texts:
            self._open(TOLD, 0)
            for title, text in texts.items():
                self._writers[TOLD].add_text(title, text)

    def close(self) -> None:
        for name in list(self._writers):
            self._close(name)

    def _series(self, points: list[dict[str, Any]]) -> Series:
        series: Series = {}
        for point in points:
            for key, value in scalars(point).items():
                series.setdefault(key, []).append((point["step"], float(np.float32(value))))
        return series

    def _open(self, name: str, first: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writers[name] = SummaryWriter(str(self.folder / name), purge_step=first)

    def _close(self, name: str) -> None:
        if name in self._writers:
            self._writers.pop(name).close()


def read_texts(folder: Path) -> dict[str, str]:
    """All texts of a TensorBoard run, by their titles."""
    if not folder.exists():
        return {}
    found = _loaded(folder)
    values = {tag: found.Tensors(tag)[-1].tensor_proto.string_val[0] for tag in found.Tags()["tensors"]}
    return {tag.removesuffix("/text_summary"): value.decode("utf-8") for tag, value in values.items()}


def read_events(folder: Path) -> Series:
    """All scalars of a TensorBoard run (values are float32), as TensorBoard shows them."""
    if not folder.exists():
        return {}
    found = _loaded(folder)
    return {key: [(one.step, one.value) for one in found.Scalars(key)] for key in found.Tags()["scalars"]}


def _loaded(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of each resume, which is as it should be
    return EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()

"""Progress on a terminal: one line that is written over; in a log file, a line now and then."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from bessemer.runtime import Progress

REDRAW_SECONDS = 0.1
LOG_SECONDS = 15.0


class TerminalProgress(Progress):
    """Writes to standard error, so that results on standard output stay clean."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.last = float("-inf")
        self.width = 0
        self.label = ""

    def note(self, text: str) -> None:
        self._clear()
        self.stream.write(text + "\n")
        self.stream.flush()

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        if label != self.label:
            self.label, self.last = label, float("-inf") if self.live else time.monotonic()
        now = time.monotonic()
        pause = REDRAW_SECONDS if self.live else LOG_SECONDS
        if now - self.last < pause and not (self.live and done == total):
            return
        self.last = now
        count = f"{done:,} of {total:,} ({done / total:.0%})" if total else f"{done:,}"  # how many is not known
        line = f"{label} {count} {facts}"
        if not self.live:
            self.stream.write(line + "\n")
        else:
            line = line[: shutil.get_terminal_size().columns - 1]
            self.stream.write("\r" + line.ljust(self.width))
            self.width = len(line)
        self.stream.flush()

    def _clear(self) -> None:
        if self.live and self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.width = 0

"""Checkpoints while training goes on: training makes a copy in memory, a thread writes it.

The price is memory for one more copy of the state. The gain is that neither a slow disk nor SHA-256 holds training
up. A save that fails is said aloud, and the checkpoint before it stays.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from bessemer.errors import StorageError
from bessemer.runtime import Progress
from bessemer.train.checkpoint import Files, Snapshot, TrainState, save_snapshot, take_snapshot

EVERY_STEP = 1e-3  # seconds; who asks for less between checkpoints means one after every step, and to wait for it
SHARE = 0.03  # of the time, at most, that saving may take: where a save takes long, the next one comes later


class Saver:
    """Saves checkpoints every `seconds` in a thread, one at a time; only the main rank, and only with a folder."""

    def __init__(self, folder: Path | None, seconds: float, progress: Progress, is_main: bool = True) -> None:
        self.folder, self.every, self.progress = folder, seconds, progress
        self.work = folder if is_main else None
        self.saved = 0  # checkpoints that were committed
        self.held_up = 0.0  # seconds that training waited
        self._began = time.monotonic()
        self._files: Files = {}
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._last = time.monotonic()
        self._cost = 0.0  # of the latest save: seconds that training waited, and of processor in the thread

    def __enter__(self) -> Saver:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        wait = self.every if self.every < EVERY_STEP else max(self.every, self._cost / SHARE)
        return self.work is not None and time.monotonic() - self._last > wait

    def save(self, state: TrainState) -> None:
        """Begin to save; where the one before is still being written, this one is left out."""
        if self.work is None:
            return
        began = self._last = time.monotonic()
        if self._thread is None or not self._thread.is_alive():
            self.wait()
            snapshot = take_snapshot(state, self._files)
            self._files = snapshot.files
            self._cost = time.monotonic() - began
            self._thread = threading.Thread(target=self._commit, args=(self.work, snapshot), name="checkpoint")
            self._thread.start()
        if self.every < EVERY_STEP:
            self.wait()
        self.held_up += time.monotonic() - began

    def save_now(self, state: TrainState) -> None:
        """Save and wait for it; raises StorageError where that fails, since nobody will try again."""
        self.wait()
        if self.work is not None:
            save_snapshot(self.work, take_snapshot(state, self._files))
            self.saved += 1

    def wait(self) -> None:
        """Wait for the save that is under way. One that failed is said aloud, and training can go on."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if isinstance(error, (OSError, StorageError)):
            why = error.problem if isinstance(error, StorageError) else str(error)
            self.progress.note(f"trouble with a checkpoint: {why}; training goes on, the newest whole one is kept")
        elif error is not None:
            raise error

    def facts(self) -> dict[str, float]:
        """How many checkpoints were saved, and the share of the time so far that training waited for them."""
        return {"checkpoints": self.saved, "share": self.held_up / max(1e-9, time.monotonic() - self._began)}

    def _commit(self, work: Path, snapshot: Snapshot) -> None:
        before = time.thread_time()
        try:
            save_snapshot(work, snapshot)
            self.saved += 1
        except Exception as error:  # noqa: BLE001 (it is handed to the thread that trains)
            self._error = error
        self._cost += time.thread_time() - before

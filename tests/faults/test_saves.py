"""Rows 5 and 7: a disk that fails under a save, and weights that change while it is written."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from bessemer.errors import StoppedError, StorageError
from bessemer.train import checkpoint, saver
from bessemer.train.checkpoint import TrainState, load_checkpoint, save_checkpoint
from bessemer.train.saver import Saver

pytestmark = pytest.mark.faults
HOURLY = 3600.0


def state_at(step: int) -> TrainState:
    weights = {"weight": torch.full((30, 10), float(step)), "count": torch.tensor(step)}
    moments = {0: {"exp_avg": torch.full((30, 10), -float(step)), "step": torch.tensor(float(step)), "k": step}}
    optimizer = {"state": moments, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return TrainState(step, weights, optimizer, {"ema": {"weight": torch.full((30, 10), 0.5 * step)}})


def failing(real: Callable[..., Any], turn: int, number: int) -> tuple[Callable[..., Any], list[int]]:
    """A call that fails the `turn`-th time, and a list with how often it was called."""
    calls = [0]

    def call(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == turn:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    return call, calls


OPERATIONS = [(os, "mkdir"), (Path, "open"), (os, "fsync"), (os, "rename"), (os, "unlink"), (os, "rmdir")]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize(("owner", "name"), OPERATIONS, ids=[name for _, name in OPERATIONS])
def test_a_failure_at_any_operation_leaves_a_whole_checkpoint_and_is_said(
    owner: Any, name: str, number: int, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn in range(1, 40):
        work, progress = tmp_path / str(turn), tiny.Watch()
        for step in (5, 10):
            save_checkpoint(work, state_at(step))
        with Saver(work, HOURLY, progress) as saves:
            call, calls = failing(getattr(owner, name), turn, number)
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, call)
                saves.save(state_at(20))
                saves.wait()
            if calls[0] < turn:
                assert turn > 1
                return
            said = list(progress.said)
            assert not list(work.glob(".*"))  # no temporary folder
            loaded = load_checkpoint(work, progress)
            assert loaded is not None
            assert tiny.bits(vars(loaded)) == tiny.bits(vars(state_at(loaded.step)))
            assert loaded.step in ((10, 20) if name in ("mkdir", "unlink", "rmdir") else (10,))
            assert loaded.step == 20 or os.strerror(number) in said[0]
            saves.save(state_at(30))
        assert load_checkpoint(work, progress).step == 30
        assert progress.said == said  # the next save was without trouble
    raise AssertionError("it never succeeded")


@pytest.mark.parametrize("way", ["cut short and said", "cut short in silence"])
@pytest.mark.parametrize("file", ["model", "optimizer", "methods"])
def test_a_short_write_never_becomes_a_checkpoint(
    way: str, file: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, progress = checkpoint.save_file, tiny.Watch()

    def short(tensors: Any, path: Path) -> None:
        real(tensors, path)
        if path.stem == file:
            os.truncate(path, path.stat().st_size - 1)
            if way == "cut short and said":
                raise SafetensorError("No space left on device (os error 28)")

    save_checkpoint(tmp_path, state_at(10))
    monkeypatch.setattr(checkpoint, "save_file", short)
    with Saver(tmp_path, HOURLY, progress) as saves:
        saves.save(state_at(20))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000010"]
    assert len(progress.said) == 1
    assert "training goes on" in progress.said[0]


def test_training_goes_on_over_a_full_disk_to_the_same_bits(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny.train()

    def full(*_: object) -> None:
        raise StorageError("no space left")

    def at_step(step: int) -> None:
        monkeypatch.setattr(saver, "save_snapshot", full if 3 <= step <= 6 else checkpoint.save_snapshot)

    progress = tiny.Watch(at_step)
    result = tiny.train(tmp_path, progress=progress)
    assert tiny.bits(result.model.state_dict()) == tiny.bits(whole.model.state_dict())
    assert len(progress.said) == 4
    assert result.safety["checkpoints"] == tiny.STEPS - 4
    assert load_checkpoint(tmp_path, progress).step == tiny.STEPS


def test_a_stop_that_cannot_save_says_so_instead(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("no space left")

    def at_step(step: int) -> None:
        if step == 3:
            monkeypatch.setattr(saver, "save_snapshot", full)
            os.kill(os.getpid(), 15)

    with pytest.raises(StorageError, match="no space left"):
        tiny.train(tmp_path, at_step)
    assert load_checkpoint(tmp_path, tiny.Watch()).step == 2


def test_a_mistake_in_our_own_code_is_not_taken_for_a_bad_disk(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr(saver, "save_snapshot", wrong)
    with pytest.raises(KeyError, match="a mistake"):
        tiny.train(tmp_path)


class SlowDisk:
    """Holds back the first save until it is let go."""

    def __init__(self) -> None:
        self.go, self.steps = threading.Event(), list[int]()

    def save(self, work: Path, snapshot: Any) -> None:
        self.steps.append(snapshot.step)
        assert self.go.wait(30)
        checkpoint.save_snapshot(work, snapshot)


def test_weights_that_change_under_a_save_do_not_reach_the_file(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowDisk()
    monkeypatch.setattr(saver, "save_snapshot", slow.save)

    def at_step(step: int) -> None:
        if step == tiny.STEPS:
            slow.go.set()

    result = tiny.train(tmp_path / "slow", at_step, checkpoint_seconds=2 * saver.EVERY_STEP)
    assert slow.steps[0] < tiny.STEPS - 2  # several steps were taken while it was held back
    assert len([step for step in slow.steps if step < tiny.STEPS]) == 1  # and no other save began
    monkeypatch.undo()
    first = checkpoint.read_checkpoint(tmp_path / "slow" / f"checkpoint-{slow.steps[0]:09d}")
    with pytest.raises(tiny.PowerCut):
        tiny.train(tmp_path / "exact", tiny.cut_at(slow.steps[0] + 1))
    exact = load_checkpoint(tmp_path / "exact", tiny.Watch())
    assert tiny.bits(vars(first)) == tiny.bits(vars(exact))
    assert tiny.bits(result.model.state_dict()) == tiny.bits(tiny.train().model.state_dict())


def test_buffers_are_used_again_and_never_while_they_are_written(tmp_path: Path, tiny: Any) -> None:
    with Saver(tmp_path, HOURLY, tiny.Watch()) as saves:
        saves.save(state_at(1))
        saves.wait()
        buffer = saves._files["model"]["weight"]
        saves.save(state_at(2))
        saves.wait()
        assert saves._files["model"]["weight"] is buffer
        assert float(buffer[0, 0]) == 2
    loaded = [load_checkpoint(tmp_path, tiny.Watch()), checkpoint.load_step(tmp_path, 1)]
    assert [tiny.bits(vars(one)) for one in loaded] == [tiny.bits(vars(state_at(step))) for step in (2, 1)]


def test_a_save_that_takes_long_puts_off_the_next_one(tmp_path: Path, tiny: Any) -> None:
    with Saver(tmp_path, 20.0, tiny.Watch()) as saves:
        for cost, waited, due in ((0.5, 19, False), (0.5, 21, True), (3.0, 99, False), (3.0, 101, True)):
            saves._cost, saves._last = cost, time.monotonic() - waited
            assert saves.is_due() == due
        saves.save(state_at(1))
        saves.wait()
        assert 0 < saves._cost < 3


def test_only_the_main_rank_saves_and_nothing_is_saved_without_a_folder(tmp_path: Path, tiny: Any) -> None:
    for saves in (Saver(tmp_path, 0.0, tiny.Watch(), is_main=False), Saver(None, 0.0, tiny.Watch())):
        assert not saves.is_due()
        saves.save(state_at(1))
        saves.save_now(state_at(1))
    assert list(tmp_path.iterdir()) == []


def test_a_stop_waits_for_the_save_under_way_and_adds_its_own(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowDisk()
    monkeypatch.setattr(saver, "save_snapshot", slow.save)

    def at_step(step: int) -> None:
        if step == 6:
            threading.Timer(0.2, slow.go.set).start()
            os.kill(os.getpid(), 15)

    with pytest.raises(StoppedError, match="stopped at step 6 of 8; state saved"):
        tiny.train(tmp_path, at_step, checkpoint_seconds=2 * saver.EVERY_STEP)
    assert slow.steps[-1] == 6
    assert load_checkpoint(tmp_path, tiny.Watch()).step == 6

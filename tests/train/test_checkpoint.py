"""Checkpoints: bit-exact, two kept, and safe against damage."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bessemer.train import checkpoint
from bessemer.train.checkpoint import TrainState, load_checkpoint, save_checkpoint
from bessemer.train.optimizer import build_optimizer
from bessemer.train.optimizer_config import OPTIMIZER_KEYS, OptimizerConfig

FILES = ["manifest.json", "methods.safetensors", "model.safetensors", "optimizer.safetensors", "state.json"]


def state_at(step: int, name: str = "adamw") -> TrainState:
    """The state of a small network after three real optimizer steps."""
    torch.manual_seed(step)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    optimizer = build_optimizer(net, OptimizerConfig(name=name))
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.rand(4, 1, 4, 4)).pow(2).sum().backward()
        optimizer.step()
    averages = {"ema": {"a/b": torch.rand(3).bfloat16(), "count": torch.tensor(7)}, "none": {}}
    history = [{"step": step, "loss": 0.1 + 0.2, "rate": 1e-300, "validation": None}]
    return TrainState(step, net.state_dict(), optimizer.state_dict(), averages, history)


def assert_same(left: Any, right: Any) -> None:
    """Equal in structure, types of tensors and every bit; a tuple may have become a list."""
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        assert left.contiguous().view(-1).view(torch.uint8).equal(right.contiguous().view(-1).view(torch.uint8))
    elif isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    else:
        assert left == right


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with checkpoints of steps 10 and 20."""
    for step in (10, 20):
        save_checkpoint(tmp_path / "work", state_at(step))
    return tmp_path / "work"


def newest(work: Path) -> Path:
    return work / "checkpoint-000000020"


@pytest.mark.parametrize("name", OPTIMIZER_KEYS)
def test_a_state_comes_back_bit_for_bit(name: str, tmp_path: Path, notes: Any) -> None:
    state = state_at(5, name)
    save_checkpoint(tmp_path, state)
    loaded = load_checkpoint(tmp_path, notes())
    assert loaded is not None
    state.methods.pop("none")  # a method without tensors has nothing to come back with
    assert_same(vars(state), vars(loaded))


@pytest.mark.parametrize("name", OPTIMIZER_KEYS)
def test_an_optimizer_goes_on_from_a_checkpoint_as_if_never_stopped(name: str, tmp_path: Path, notes: Any) -> None:
    def net_and_optimizer() -> tuple[nn.Module, torch.optim.Optimizer]:
        net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
        for parameter in net.parameters():
            nn.init.constant_(parameter, 0.3 if parameter.ndim > 1 else 0.1)
        return net, build_optimizer(net, OptimizerConfig(name=name, learning_rate=0.1))

    def step(net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        net(torch.tensor([[1.0, -2.0, 0.7]])).pow(2).sum().backward()
        optimizer.step()

    net, optimizer = net_and_optimizer()
    step(net, optimizer)
    save_checkpoint(tmp_path, TrainState(1, net.state_dict(), optimizer.state_dict()))
    step(net, optimizer)
    again, its_optimizer = net_and_optimizer()
    state = load_checkpoint(tmp_path, notes())
    assert state is not None
    again.load_state_dict(state.model)
    its_optimizer.load_state_dict(state.optimizer)
    step(again, its_optimizer)
    assert_same(net.state_dict(), again.state_dict())


def test_nothing_is_loaded_where_nothing_was_saved(tmp_path: Path, notes: Any) -> None:
    assert load_checkpoint(tmp_path / "absent", notes()) is None
    assert load_checkpoint(tmp_path, notes()) is None


def test_only_the_two_newest_checkpoints_are_kept(tmp_path: Path, notes: Any) -> None:
    for step in (9, 10, 100, 1000):
        save_checkpoint(tmp_path, state_at(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-000000100", "checkpoint-000001000"]
    assert load_checkpoint(tmp_path, notes()).step == 1000


def test_saving_the_same_step_again_changes_nothing(work: Path) -> None:
    before = (newest(work) / "manifest.json").read_bytes()
    save_checkpoint(work, state_at(20))
    assert (newest(work) / "manifest.json").read_bytes() == before


def test_sixty_flipped_bits_are_all_found_and_said_aloud(work: Path, notes: Any) -> None:
    assert sorted(path.name for path in newest(work).iterdir()) == FILES
    whole = {name: (newest(work) / name).read_bytes() for name in FILES}
    aside, random_ = work / "damaged-checkpoint-000000020", random.Random(0)
    for turn in range(60):
        name = FILES[turn % len(FILES)]
        damaged = bytearray(whole[name])
        place = random_.randrange(len(damaged))
        damaged[place] ^= 1 << random_.randrange(8)
        (newest(work) / name).write_bytes(damaged)
        progress = notes()
        assert load_checkpoint(work, progress).step == 10, f"{name}: flip at byte {place} was not found"
        assert len(progress.said) == 1
        assert "set aside" in progress.said[0]
        assert not newest(work).exists()
        aside.rename(newest(work))
        (newest(work) / name).write_bytes(whole[name])
    assert load_checkpoint(work, notes()).step == 20


@pytest.mark.parametrize("name", FILES)
def test_a_torn_file_is_found_and_the_checkpoint_before_used(name: str, work: Path, notes: Any) -> None:
    data = (newest(work) / name).read_bytes()
    for kept in (0, len(data) // 2, len(data) - 1):
        (newest(work) / name).write_bytes(data[:kept])
        assert load_checkpoint(work, notes()).step == 10
        (work / "damaged-checkpoint-000000020").rename(newest(work))
    (newest(work) / name).write_bytes(data)
    assert load_checkpoint(work, notes()).step == 20


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_found(name: str, work: Path, notes: Any) -> None:
    (newest(work) / name).unlink()
    progress = notes()
    assert load_checkpoint(work, progress).step == 10
    assert name in progress.said[0]


def test_with_every_checkpoint_damaged_training_starts_again(work: Path, notes: Any) -> None:
    for path in work.iterdir():
        (path / "model.safetensors").write_bytes(b"")
    progress = notes()
    assert load_checkpoint(work, progress) is None
    assert len(progress.said) == 2


def test_a_checkpoint_damaged_twice_over_replaces_the_one_set_aside(work: Path, notes: Any) -> None:
    shutil.copytree(newest(work), work / "damaged-checkpoint-000000020")
    (newest(work) / "state.json").write_text("{}")
    assert load_checkpoint(work, notes()).step == 10
    assert (work / "damaged-checkpoint-000000020" / "state.json").read_text() == "{}"


def test_what_a_killed_process_left_half_written_is_removed(work: Path, notes: Any) -> None:
    left = work / ".checkpoint-000000030.tmp-1a2b3c4d"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    assert load_checkpoint(work, notes()).step == 20
    assert not left.exists()


def test_a_save_that_fails_leaves_the_checkpoints_as_they_were(
    work: Path, notes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    before = sorted(work.iterdir())
    monkeypatch.setattr(checkpoint, "_pack_optimizer", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        save_checkpoint(work, state_at(30))
    assert sorted(work.iterdir()) == before
    assert load_checkpoint(work, notes()).step == 20

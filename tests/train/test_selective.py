"""Selective back-propagation against plain sorting."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.errors import UsageError
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.methods.selective import SelectiveConfig
from bessemer.train.methods.selective.hooks import Selective, select_hardest

HALF = SelectiveConfig(keep=0.5, start=0.2, end=0.8)


@given(
    losses=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    blocks=st.integers(1, 4),
    data=st.data(),
)
def test_the_hardest_equal_a_sorted_list(losses: list[int], blocks: int, data: st.DataObject) -> None:
    block = len(losses)
    keep = data.draw(st.integers(1, block))
    every = losses + [(7 * loss + number) % 10 for number in range(blocks - 1) for loss in losses]
    expected: list[int] = []
    for start in range(0, len(every), block):
        places = sorted(range(start, start + block), key=lambda place: (-every[place], place))
        expected += sorted(places[:keep])
    assert select_hardest(torch.tensor(every, dtype=torch.float32), keep, block).tolist() == expected


@pytest.fixture
def method(make_model: Callable[..., nn.Module], task: Classify) -> Selective:
    method = Selective(HALF, task, group=4, steps=10)
    method.prepare(make_model())
    return method


def test_the_samples_kept_have_the_largest_losses_of_their_block(
    method: Selective, make_model: Callable[..., nn.Module], samples: Samples
) -> None:
    batch = Batches(samples, 16, 0).batch(5)
    kept = method.batch(batch)
    with torch.no_grad():
        logits = make_model()(batch.inputs)
    losses = [float(F.cross_entropy(logits[place], batch.targets[place])) for place in range(16)]
    expected = [*sorted(np.argsort(losses[:8])[4:]), *sorted(8 + np.argsort(losses[8:])[4:])]
    assert kept.ids.tolist() == batch.ids[expected].tolist()
    assert torch.equal(kept.inputs, batch.inputs[expected])
    assert torch.equal(kept.targets, batch.targets[expected])


def test_it_acts_between_its_points_of_the_run_only(method: Selective, samples: Samples) -> None:
    batches = Batches(samples, 16, 0)
    assert [len(method.batch(batches.batch(step)).ids) for step in range(10)] == [16] * 2 + [8] * 6 + [16] * 2


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.75])
def test_the_choice_does_not_depend_on_the_number_of_ranks(
    keep: float, make_model: Callable[..., nn.Module], samples: Samples, task: Classify
) -> None:
    config = SelectiveConfig(keep=keep, start=0)
    group = 32 // config.fraction.denominator // 4
    method, batches = Selective(config, task, group, 10), Batches(samples, 32, 0)
    method.prepare(make_model())
    whole = method.batch(batches.batch(1))
    assert len(whole.ids) == 32 * keep
    for world in (2, 4):
        parts = [method.batch(batches.batch(1, rank, world)) for rank in range(world)]
        assert np.array_equal(np.concatenate([part.ids for part in parts]), whole.ids)
        assert [part.first for part in parts] == [rank * len(whole.ids) // world for rank in range(world)]


def test_the_look_leaves_modes_statistics_and_chance_as_they_are(task: Classify, samples: Samples) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), ToFloat(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 3)).train()
    net[2].eval()
    before, chance = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    method = Selective(HALF, task, 4, 10)
    method.prepare(net)
    method.batch(Batches(samples, 16, 0).batch(5))
    assert [module.training for module in net] == [True, True, False, True, True]
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert torch.equal(torch.get_rng_state(), chance)


class ToFloat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float() / 255


def test_losses_of_samples_average_to_the_loss(task: Classify) -> None:
    logits = torch.randn(6, 3)
    for targets in (torch.tensor([0, 1, 2, 0, 1, 2]), torch.softmax(torch.randn(6, 3), 1)):
        batch = Batch(logits, targets, np.arange(6), 0)
        assert float(task.losses(logits, batch.targets).mean()) == pytest.approx(
            float(task.loss(logits, batch.targets))
        )


def test_a_share_without_whole_blocks_and_a_task_without_losses_are_refused(
    method: Selective, samples: Samples, model: nn.Module
) -> None:
    with pytest.raises(UsageError, match="no whole blocks of 8") as caught:
        method.batch(Batches(samples, 12, 0).batch(5))
    assert "train.batch_size" in caught.value.remedy

    class Bare:
        pass

    with pytest.raises(UsageError, match="no losses sample by sample"):
        Selective(HALF, Bare(), 4, 10).prepare(model)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"selective": {"keep": 0.47}}, "not a fraction"),
        ({"selective": {"start": 0.9, "end": 0.5}}, "must come before end"),
        ({"batch_size": 96, "selective": {"keep": 0.5}}, "make it a multiple of 64"),
        ({"batch_size": 64, "selective": {}, "batch_warmup": {"doublings": 1}}, "make it a multiple of 128"),
        ({"selective": {}, "guard": {"spike": 10.0}}, "guard.spike"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig(**settings)


def test_processes_must_get_whole_blocks() -> None:
    config = TrainConfig(batch_size=128, selective=SelectiveConfig())
    config.check_processes(2)
    with pytest.raises(UsageError, match="whole groups of 64"):
        config.check_processes(4)

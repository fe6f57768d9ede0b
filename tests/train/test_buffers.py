"""Skipped steps and trials leave statistics and other buffers as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bessemer.data.dataset import Batches, Samples
from bessemer.model.layers import GhostBatchNorm2d
from bessemer.task.classify import Classify
from bessemer.train.buffers import Buffers
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit


class Moving(nn.Module):
    """Counts its forward passes in one buffer, puts another in its place, and has a constant one."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("table", torch.arange(100.0))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.mean = 0.5 * self.mean + 0.5 * x.mean(0)
        return x


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    return [name for name, tensor in one.items() if not torch.equal(tensor, other[name])]


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(2), nn.InstanceNorm1d(2, track_running_stats=True), Moving()])
def test_what_passes_move_is_put_back(layer: nn.Module) -> None:
    buffers, x = (
        Buffers(layer),
        torch.randn(8, 2, 3) if isinstance(layer, nn.InstanceNorm1d) else torch.randn(8, 2),
    )
    for _ in range(3):  # the first one finds out what moves
        before = state(layer)
        buffers.keep()
        layer(x * float("nan"))
        buffers.see()
        assert differing(before, state(layer))
        buffers.restore()
        assert not differing(before, state(layer))
        buffers.keep()
        layer(x)
        buffers.see()
        assert all(tensor.isfinite().all() for tensor in layer.state_dict().values())


def test_only_what_moves_is_copied_again() -> None:
    layer = nn.Sequential(Moving(), nn.BatchNorm1d(2), nn.Dropout())
    buffers = Buffers(layer)
    buffers.keep()
    layer(torch.ones(4, 2))
    buffers.see()
    names = {f"{type(buffers.places[index][0]).__name__}.{buffers.places[index][1]}" for index in buffers.copies}
    averages = {"BatchNorm1d.running_mean", "BatchNorm1d.running_var", "BatchNorm1d.num_batches_tracked"}
    assert names == {"Moving.count", "Moving.mean"} | averages


def test_a_network_without_buffers_and_ghost_statistics_have_nothing_to_copy() -> None:
    assert not Buffers(nn.Sequential(nn.Linear(2, 2), nn.Dropout())).places
    assert not Buffers(GhostBatchNorm2d(4)).places


def test_one_bad_sample_costs_one_step_and_no_statistics() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    x[5, 2] = np.nan
    samples = Samples(x, (x[:, 0] > 0).astype(np.int64), np.arange(64, dtype=np.uint64))
    config = TrainConfig(epochs=1, batch_size=16, precision="fp32")
    result = fit(model, Classify(2), Batches(samples, 16, 0), config)
    assert len(result.safety["skipped"]) == 1
    assert model[1].num_batches_tracked == 3  # nor has the trial of the first batch left a trace
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())

"""The number of micro-batches follows from measured bytes, and is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from bessemer.data.dataset import Batches
from bessemer.errors import UsageError
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit
from bessemer.train.memory import limit
from bessemer.train.memory.limit import (
    GIB,
    Need,
    available_bytes,
    choose_accumulate,
    line_through,
    peak_bytes,
    possible_parts,
    used_bytes,
)
from bessemer.train.memory.live import LiveBytes


@pytest.mark.parametrize(("gib", "parts"), [(100, 1), (18, 1), (17, 2), (9, 4), (6, 4), (5, 8)])
def test_the_fewest_micro_batches_that_fit_are_chosen(gib: float, parts: int) -> None:
    need = Need(fixed=2 * GIB, per_sample=GIB / 4)  # 2 GiB, and 16 for all 64 samples
    assert choose_accumulate(need, 64, [1, 2, 4, 8], gib * GIB) == parts


def test_a_step_that_cannot_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"takes 4\.00 GiB with 8 samples at once.*leaves 3\.00") as caught:
        choose_accumulate(Need(2 * GIB, GIB / 4), 64, [1, 2, 4, 8], 3 * GIB)
    assert "train.memory.checkpoint_every" in caught.value.remedy
    assert "train.ghost_batch" in caught.value.remedy


def test_micro_batches_hold_whole_groups() -> None:
    assert possible_parts(TrainConfig(batch_size=64, ghost_batch=8), 1) == [1, 2, 4, 8]
    assert possible_parts(TrainConfig(batch_size=64, ghost_batch=8), 2) == [1, 2, 4]
    assert possible_parts(TrainConfig(batch_size=64, ghost_batch=8, accumulate=2), 1) == [2, 4, 8]
    assert possible_parts(TrainConfig(batch_size=48, ghost_batch=8), 1) == [1, 2, 3, 6]
    assert possible_parts(TrainConfig(batch_size=20, ghost_batch=32), 1) == [1]
    growing = TrainConfig(batch_size=64, ghost_batch=8, batch_warmup={"doublings": 1})
    assert possible_parts(growing, 1) == [1, 2, 4]


def test_the_line_goes_through_both_peaks() -> None:
    assert line_through({8: 100, 16: 180}) == Need(20, 10)
    assert line_through({8: 80}) == Need(0, 10)
    assert line_through({8: 100, 16: 90}) == Need(100, 0)


def test_living_bytes_are_counted_once_and_until_they_die() -> None:
    x = torch.ones(256)
    with LiveBytes() as live:
        y = x * 2
        view = y[:4]
        assert live.now == 1024
        z = y + 1
        del y, view
        assert live.now == 1024
        z.add_(1)
        assert (live.now, live.peak) == (1024, 2048)
        del z
        assert live.now == 0


def test_the_peak_of_a_pass_grows_with_its_samples() -> None:
    layers = nn.Sequential(*[nn.Sequential(nn.Linear(32, 32), nn.ReLU()) for _ in range(8)])

    def peak(samples: int) -> int:
        def trial() -> None:
            layers(torch.ones(samples, 32)).sum().backward()
            layers.zero_grad()

        return peak_bytes(trial, "cpu")

    assert peak(64) == peak(64)
    need = line_through({64: peak(64), 128: peak(128)})
    assert need.peak(512) == pytest.approx(peak(512), rel=0.05)
    assert need.per_sample >= 8 * 32 * 4  # what the layers keep


def test_memory_of_this_machine() -> None:
    assert 0 < used_bytes("cpu") < 64 * GIB
    assert available_bytes("cpu", 2) == pytest.approx(available_bytes("cpu", 1) / 2, rel=0.2)


@pytest.fixture
def run(make_model: Any, samples: Any, notes: Any) -> Any:
    def train(work: Path | None, gib: Any, **settings: Any) -> tuple[nn.Module, list[str]]:
        told = notes()
        memory = {"limit_gib": gib, **settings}
        config = TrainConfig(epochs=1, batch_size=16, ghost_batch=4, precision="fp32", memory=memory)
        batches = Batches(samples, 16, 0)
        return fit(make_model(), Classify(3), batches, config, work=work, progress=told).model, told.said

    return train


def test_a_run_takes_micro_batches_to_fit_and_records_it(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, "used_bytes", lambda device: 0)
    _, said = run(tmp_path / "free", 1.0)
    assert json.loads((tmp_path / "free" / "execution.json").read_text())["accumulate"] == 1
    assert not any("micro-batches" in one for one in said)
    peaks = []
    real = limit.choose_accumulate
    monkeypatch.setattr(limit, "choose_accumulate", lambda *given: peaks.append(given[0]) or real(*given))
    run(None, 1.0)
    tight = (peaks[0].peak(8) + 1) / GIB
    model, said = run(tmp_path / "tight", tight)
    assert json.loads((tmp_path / "tight" / "execution.json").read_text())["accumulate"] == 2
    assert any(one.startswith("2 micro-batches a step") for one in said)
    with pytest.raises(UsageError, match="samples at once"):
        run(None, peaks[0].peak(4) / 2 / GIB)
    again, _ = run(tmp_path / "tight", 1.0)  # the record holds
    plain, _ = run(None, None)
    for one, two, three in zip(model.parameters(), again.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, two)
        torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-6)


def test_auto_takes_one_batch_where_there_is_memory_enough(run: Any, tmp_path: Path) -> None:
    run(tmp_path, "auto")
    assert json.loads((tmp_path / "execution.json").read_text())["accumulate"] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": {"pool_channels": 1}}, "pools nothing"),
        ({"memory": {"folder": "/tmp"}}, "folder is for saved: offload"),
        ({"memory": {"limit_gib": 0.0}}, "limit_gib must be above 0"),
        ({"memory": {"saved": "int4"}}, "'exact', 'int8' or 'offload'"),
        ({"memory": {"saved": "int8"}, "compile": True}, "set compile to false"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig(**settings)

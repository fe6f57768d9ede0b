"""fp32 or bf16: as asked, or as measured."""

from __future__ import annotations

import pytest
import torch

from bessemer.train import precision
from bessemer.train.precision import WORTH_IT, autocast, choose_precision


def refuse(device: str) -> dict[str, float]:
    raise AssertionError("nothing was to be measured")


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_precision_that_is_asked_for_is_taken_unmeasured(
    wanted: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "probe", refuse)
    assert choose_precision(wanted, device) == wanted


@pytest.mark.parametrize(
    ("fp32", "bf16", "expected"),
    [(2.0, 1.0, "bf16"), (1.0, 2.0, "fp32"), (1.0, 1.0, "fp32"), (1.1, 1.0, "fp32"), (WORTH_IT, 1.0, "fp32")],
)
def test_auto_takes_bf16_only_where_it_wins_clearly(
    fp32: float, bf16: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "probe", lambda device: {"fp32": fp32, "bf16": bf16})
    assert choose_precision("auto", "cpu") == expected


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_on_a_gpu_asks_the_gpu(supported: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "probe", refuse)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert choose_precision("auto", "cuda") == expected


def test_the_probe_times_both_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    real = precision.autocast
    monkeypatch.setattr(precision, "autocast", lambda name, device: used.append(name) or real(name, device))
    seconds = precision.probe("cpu")
    assert used == ["fp32", "bf16"] * (precision.TRIALS + 1)
    assert seconds.keys() == {"fp32", "bf16"}
    assert min(seconds.values()) > 0


def test_bf16_computes_in_bf16_and_keeps_weights_in_fp32() -> None:
    layer, x = torch.nn.Linear(4, 4), torch.ones(1, 4)
    with autocast("bf16", "cpu"):
        assert layer(x).dtype == torch.bfloat16
    with autocast("fp32", "cpu"):
        assert layer(x).dtype == torch.float32
    assert layer.weight.dtype == torch.float32

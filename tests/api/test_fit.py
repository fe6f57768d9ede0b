"""Training in one call: what is at hand is taken, and what suits most is the default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import bessemer as bs
from bessemer.data.dataset import Batches, Samples
from bessemer.data.given import samples_of
from bessemer.errors import BessemerError, DataError, UsageError
from bessemer.task.classify import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import FitResult
from bessemer.train.loop import fit as inner_fit

X = np.random.default_rng(0).normal(size=(96, 8)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
IDS = np.arange(96, dtype=np.uint64)
PAIR = torch.from_numpy(X), torch.from_numpy(Y)
BATCHES = Batches(Samples(X, Y, IDS), 16, 0)
QUICK: dict[str, Any] = {"precision": "fp32"}
CONFIG = TrainConfig(epochs=1, batch_size=16, ghost_batch=16, compile=False, **QUICK)


def net(outputs: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, outputs))


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


def right(model: nn.Module) -> float:
    return float((model(PAIR[0]).argmax(1) == PAIR[1]).float().mean())


def test_tensors_and_a_name_are_enough() -> None:
    result = bs.fit(net(), data=PAIR, task="classify", learning_rate=0.03)
    assert isinstance(result, FitResult)
    assert right(result.model) > 0.95
    assert result.cost["steps"] == 10 * 96 / 32
    assert not result.model.training
    assert result.validation is None
    assert re.fullmatch(r"FitResult\(30 steps in \d+\.\d s, loss 0\.\d+, (fp32|bf16)\)", repr(result))


@pytest.mark.parametrize(
    "data",
    [TensorDataset(*PAIR), (X.tolist(), Y.tolist()), (X.astype(float), Y.astype(np.uint8)), samples_of(PAIR)],
)
def test_the_same_data_in_another_form_gives_the_same_weights(data: Any) -> None:
    expected = bs.fit(net(), "classify", PAIR, epochs=1, **QUICK).model
    assert same(bs.fit(net(), "classify", data, epochs=1, **QUICK).model, expected)


def test_a_loader_brings_its_batch_size() -> None:
    result = bs.fit(net(), "classify", DataLoader(TensorDataset(*PAIR), 24, shuffle=True), epochs=1, **QUICK)
    assert result.cost["steps"] == 4
    assert bs.fit(net(), "classify", PAIR, epochs=1, batch_size=20, **QUICK).cost["steps"] == 5


def test_the_call_with_an_objective_and_batches_is_the_one_inside() -> None:
    samples = Samples(X, Y, IDS)
    expected = inner_fit(net(), Classify(2), Batches(samples, 16, 3), CONFIG, seed=3).model
    given = Samples(PAIR[0], Y.astype(np.int32), IDS)  # type: ignore[arg-type]
    assert same(bs.fit(net(), Classify(2), Batches(given, 16, 3), CONFIG, seed=3).model, expected)


def test_settings_are_changed_by_what_stands_beside_them() -> None:
    result = bs.fit(net(), "classify", PAIR, CONFIG, epochs=2, learning_rate=0.125)
    assert result.cost["steps"] == 2 * 96 / 16
    assert max(point["rate"] for point in result.history) == pytest.approx(0.125, rel=0.02)
    assert bs.fit(net(), "classify", PAIR, CONFIG, batch_size=48).cost["steps"] == 2
    default = bs.fit(net(), "classify", PAIR, epochs=4, **QUICK).history
    assert max(point["rate"] for point in default) == pytest.approx(2e-3, rel=0.05)


@pytest.mark.parametrize(("count", "batch_size", "steps"), [(5, None, 3), (1, None, 3), (33, None, 4), (7, 2, 11)])
def test_sets_smaller_than_a_batch_and_last_batches_work(count: int, batch_size: int | None, steps: int) -> None:
    pair = (X[:count], Y[:count])
    assert bs.fit(net(), "classify", pair, epochs=3, batch_size=batch_size, **QUICK).cost["steps"] == steps


def test_a_plain_loss_is_minimized() -> None:
    target = X @ np.arange(8, dtype=np.float32)[:, None]
    result = bs.fit(
        nn.Linear(8, 1), F.mse_loss, (X, target), validation=0.25, learning_rate=0.5, epochs=30, **QUICK
    )
    points = [point["validation"] for point in result.history if point["validation"] is not None]
    assert points[-1] < 0.02 * points[0]
    assert result.validation == points[-1]


def test_a_share_is_held_out_and_every_class_keeps_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Samples] = []
    inner = bs.api.fit.loop.fit
    monkeypatch.setattr("bessemer.train.loop.fit", lambda *a, **k: seen.append(a[2].samples) or inner(*a, **k))
    result = bs.fit(net(), "classify", PAIR, validation=0.25, epochs=5, **QUICK)
    trained = seen[0]
    assert len(trained) == 72
    assert abs(np.mean(trained.labels) - Y.mean()) < 0.02
    held_out = samples_of(PAIR).select(np.flatnonzero(~np.isin(samples_of(PAIR).ids, trained.ids)))
    x, y = torch.from_numpy(np.asarray(held_out.inputs)), torch.from_numpy(held_out.labels)
    assert result.validation == pytest.approx((result.model(x).argmax(1) == y).float().mean().item())
    assert f"validation {result.validation:.2g}"[:14] in repr(result)


def test_held_out_data_and_a_function_validate() -> None:
    expected = bs.fit(net(), "classify", PAIR, epochs=1, validation=PAIR, **QUICK)
    assert expected.validation == pytest.approx(right(expected.model))
    found = bs.fit(net(), "classify", PAIR, epochs=1, validate=right, **QUICK)
    for one, other in zip(found.history, expected.history, strict=True):
        assert one["validation"] == pytest.approx(other["validation"])
        assert one["loss"] == other["loss"]  # a look changes nothing


def test_work_may_be_text_and_is_gone_on_from(tmp_path: Path) -> None:
    work = f"{tmp_path}/deep/work"
    first = bs.fit(net(), "classify", PAIR, epochs=1, work=work, **QUICK)
    again = bs.fit(net(), "classify", PAIR, epochs=1, work=Path(work), **QUICK)
    assert same(first.model, again.model)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file: cannot be written"):
        bs.fit(net(), "classify", PAIR, epochs=1, work=tmp_path / "file", **QUICK)


def test_skipped_steps_are_told() -> None:
    class Filled(nn.Linear):
        """Answers gaps, but learns nothing from them."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x if self.training else x.nan_to_num())

    broken = X.copy()
    broken[5] = np.nan
    result = bs.fit(Filled(8, 2), "classify", (broken, Y), epochs=1, **QUICK)
    assert repr(result).endswith("fp32, 1 step skipped)")


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"data": PAIR}, UsageError, "say what is to be learned"),
        ({"task": "classify"}, UsageError, "data is a NoneType"),
        ({"task": "classify", "data": (X, Y + 1)}, DataError, r"y\[\d+\] is 2, and classes are 0 to 1"),
        ({"task": "classify", "data": PAIR, "epochs": 0}, UsageError, "epochs: Input should be greater than 0"),
        ({"task": "classify", "data": PAIR, "learning_rate": -1.0}, UsageError, r"optimizer.learning_rate"),
        ({"task": "classify", "data": PAIR, "validation": 1.5}, UsageError, "holds out 144 of 96"),
        ({"task": "classify", "data": PAIR, "validation": 0.001}, UsageError, "holds out 0 of 96"),
        ({"task": "classify", "data": PAIR, "validation": (X, Y + 1)}, DataError, r"y\[\d+\] is 2"),
        ({"task": "classify", "data": PAIR, "validation": PAIR, "validate": right}, UsageError, "one of them"),
        ({"task": "classify", "data": BATCHES, "validation": 0.5}, UsageError, "Batches"),
        ({"task": "classify", "data": PAIR, "model": nn.ReLU()}, UsageError, "no weights to train"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(
    options: dict[str, Any], error: type[BessemerError], told: str
) -> None:
    with pytest.raises(error, match=told) as caught:
        bs.fit(**{"model": net(), **QUICK, **options})
    assert caught.value.remedy


def test_settings_may_be_a_dict_as_in_a_recipe() -> None:
    values = {"epochs": 1, "batch_size": 16, "ghost_batch": 16, "compile": False, **QUICK}
    one, other = net(), net()
    bs.fit(one, "classify", PAIR, values)
    bs.fit(other, "classify", PAIR, CONFIG)
    assert same(one, other)
    with pytest.raises(UsageError, match="lr: Extra inputs"):
        bs.fit(net(), "classify", PAIR, {"lr": 3})


@pytest.mark.parametrize("options", [{}, {"validation": 0.25}])
def test_a_gap_in_x_is_named_before_anything_is_learned(options: dict[str, Any]) -> None:
    broken = X.copy()
    broken[5, 2] = np.nan
    model = net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for call in (bs.fit, bs.evaluate):
        with pytest.raises(DataError, match=r"x\[5\] has a value that is not finite"):
            call(model, "classify", (broken, Y), **(options if call is bs.fit else {}))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())

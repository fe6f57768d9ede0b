"""Stochastic depth against references that draw sample by sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.draws import Stream, key, uniform
from bessemer.errors import UsageError
from bessemer.model.contract import set_packing
from bessemer.model.gpt.network import GPT
from bessemer.train.methods.stochastic_depth.hooks import (
    StochasticDepth,
    factors_of,
    linear_rates,
    scale_samples,
)

SEED, STEP, FIRST = 7, 3, 8


def a_batch(inputs: Tensor, first: int = FIRST, step: int = STEP) -> Batch:
    return Batch(inputs, torch.zeros(len(inputs), dtype=torch.int64), np.arange(len(inputs)), step, first)


def slow_factors(rates: list[float], count: int) -> list[list[float]]:
    """Factor of each branch and sample, one draw at a time."""

    def own(number: int) -> np.uint64:
        return key(Stream.STOCHASTIC_DEPTH, SEED, STEP, number)

    return [
        [
            0.0 if uniform(np.array([FIRST + place], np.uint64), own(number))[0] < rate else 1 / (1 - rate)
            for place in range(count)
        ]
        for number, rate in enumerate(rates)
    ]


def answers(model: nn.Module, method: StochasticDepth, inputs: Tensor) -> Tensor:
    """What the model says in training under the method, its other dropout off."""
    method.prepare(model)
    for module in model.train().modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    method.before_forward(a_batch(inputs))
    with torch.no_grad():
        found: Tensor = model(inputs)
    method.release()
    return found


class Residual(nn.Module):
    """Two linear branches beside shortcuts: x + b1(x), then + b2."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.first(x)
        return x + self.second(x)


def test_factors_scale_what_stays_and_empty_the_rest() -> None:
    branch = torch.arange(1.0, 7).reshape(3, 2)
    dropped = scale_samples(branch, factors_of(torch.tensor([True, False, True]), 0.5))
    assert dropped.tolist() == [[2, 4], [0, 0], [10, 12]]


def test_rates_rise_linearly_to_the_last_block() -> None:
    assert linear_rates(4, 0.4) == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_a_plain_module_with_named_branches_equals_a_slow_reference() -> None:
    torch.manual_seed(0)
    model, inputs = Residual(), torch.randn(16, 4)
    found = answers(model, StochasticDepth(0.6, SEED, [["first"], ["second"]]), inputs)
    first, second = slow_factors([0.3, 0.6], 16)
    assert 0 < first.count(0.0) < 16
    for place, x in enumerate(inputs):
        x = x + first[place] * model.first(x)
        x = x + second[place] * model.second(x)
        torch.testing.assert_close(found[place], x.detach())


def test_a_resnet_equals_one_that_multiplies_before_its_additions(
    make_model: Callable[..., nn.Module], samples: Samples
) -> None:
    images, rate = torch.from_numpy(samples.inputs[:16]), 0.6
    found = answers(make_model(), StochasticDepth(rate, SEED), images)
    model = make_model().train()
    with torch.no_grad():
        x = model.stem(model.normalize(images))
        for block, factors in zip([*model.stages[0], *model.stages[1]], slow_factors([0.3, 0.6], 16), strict=True):
            branch = block.norm2(block.conv2(F.relu(block.norm1(block.conv1(x)))))
            x = F.relu(branch * torch.tensor(factors).reshape(16, 1, 1, 1) + block.shortcut(x))
        expected = model.head(x.mean((2, 3)))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", ["encoder", "gpt"])
def test_a_transformer_sample_equals_itself_with_its_branches_scaled(
    kind: str, make_encoder: Any, tokens: Any
) -> None:
    """Each sample alone, through a copy whose branches are multiplied by its own factors."""

    def build() -> nn.Module:
        torch.manual_seed(0)
        return make_encoder() if kind == "encoder" else GPT(60, 16, 2, 4, 24, 0.0, 24)

    inputs, rate = torch.from_numpy(tokens[:12]), 0.6
    found = answers(build(), StochasticDepth(rate, SEED), inputs)
    factors = slow_factors([rate / 2, rate / 2, rate, rate], 12)
    for place in range(12):
        model = build()
        for block, (mix, feed) in zip(model.blocks, [(0, 1), (2, 3)], strict=True):
            for name, number in (("attention", mix), ("down", feed)):
                getattr(block, name).register_forward_hook(lambda m, i, o, f=factors[number][place]: o * f)
        with torch.no_grad():
            alone = model.eval()(inputs[place : place + 1])
        torch.testing.assert_close(found[place], alone[0], rtol=1e-4, atol=1e-4)


def test_documents_in_shared_rows_are_dropped_as_in_rows_of_their_own(make_encoder: Any, tokens: Any) -> None:
    short = torch.from_numpy(np.where(np.arange(24) < 5, tokens[:12], 0))
    plain = answers(make_encoder(), StochasticDepth(0.6, SEED), short)
    packed = make_encoder()
    set_packing(packed, True)
    found = answers(packed, StochasticDepth(0.6, SEED), short)
    assert packed.documents is not None
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("world", [2, 4])
def test_decisions_do_not_depend_on_ranks_or_micro_batches(world: int, samples: Samples) -> None:
    torch.manual_seed(0)
    model, batches = nn.Sequential(nn.Flatten(), ToFloat(), nn.Linear(64, 4), Residual()), Batches(samples, 16, 0)
    method = StochasticDepth(0.8, SEED, [["3.first"], ["3.second"]])
    method.prepare(model)

    def factors(batch: Batch) -> dict[str, Tensor]:
        method.before_forward(batch)
        return dict(method.factors)

    whole = factors(batches.batch(STEP))
    parts = [factors(batches.batch(STEP, rank, world)) for rank in range(world)]
    for name, values in whole.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), values)
    assert not torch.equal(factors(batches.batch(STEP + 1))["3.first"], whole["3.first"])


class ToFloat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float() / 255


def test_the_expectation_over_steps_is_the_branch_itself() -> None:
    method = StochasticDepth(0.5, SEED, [["first"]])
    method.prepare(Residual())
    total = torch.zeros(64)
    for step in range(200):
        method.before_forward(a_batch(torch.zeros(64, 4), 0, step))
        total += method.factors["first"]
    assert float(total.mean()) / 200 == pytest.approx(1, abs=0.03)


def test_evaluation_looks_outside_of_steps_and_release_leave_the_model_as_it_is() -> None:
    model, inputs = Residual(), torch.randn(8, 4)
    plain, method = model(inputs), StochasticDepth(0.9, SEED, [["first", "second"]])
    method.prepare(model)
    method.before_forward(a_batch(inputs))
    assert not torch.equal(model.train()(inputs), plain)
    assert torch.equal(model.eval()(inputs), plain)
    method.after_step(model, STEP)
    assert torch.equal(model.train()(inputs), plain)
    method.release()
    assert not any(module._forward_hooks for module in model.modules())


def test_what_it_cannot_do_is_refused_with_a_remedy() -> None:
    with pytest.raises(UsageError, match="does not say which residual branches") as caught:
        StochasticDepth(0.5, 0).prepare(nn.Linear(2, 2))
    assert "train.stochastic_depth" in caught.value.remedy
    with pytest.raises(UsageError, match="no module 'third'"):
        StochasticDepth(0.5, 0, [["third"]]).prepare(Residual())
    attention = nn.Sequential(nn.MultiheadAttention(4, 2))
    method = StochasticDepth(0.5, 0, [["0"]])
    method.prepare(attention)
    method.before_forward(a_batch(torch.zeros(8, 4)))
    with pytest.raises(UsageError, match="gives a tuple"):
        attention[0](*[torch.zeros(8, 3, 4)] * 3)


def test_compiled_code_is_made_once_for_all_steps() -> None:
    model, method = Residual().train(), StochasticDepth(0.5, SEED, [["first"], ["second"]])
    method.prepare(model)
    made = []

    def count(graph: Any, example: Any) -> Any:
        made.append(graph)
        return graph.forward

    compiled = torch.compile(model, backend=count, fullgraph=True)
    inputs = torch.randn(8, 4)
    for step in range(5):
        method.before_forward(a_batch(inputs, FIRST, step))
        torch.testing.assert_close(compiled(inputs), model(inputs))
    assert len(made) == 1
    torch.compiler.reset()

"""One training step against plain PyTorch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.model.layers import GhostBatchNorm2d, set_ghost
from bessemer.runtime import Runtime
from bessemer.task.classify.objective import Classify
from bessemer.task.language import Language
from bessemer.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from bessemer.train.methods import Method
from bessemer.train.optimizer import build_optimizer
from bessemer.train.step import Training, learning_rate, micro_batches, shares, train_step, weighed

RATE = 0.1
PLAIN = OptimizerConfig(learning_rate=RATE, momentum=0, weight_decay=0)


def training_of(
    model: nn.Module,
    task: Classify,
    ghost: int = 16,
    accumulate: int = 1,
    methods: Sequence[Method] = (),
    schedule: ScheduleConfig | None = None,
) -> Training:
    """All that a step needs, with plain gradient descent."""
    schedule = schedule or ScheduleConfig(name="constant", warmup=0)
    config = TrainConfig(
        batch_size=16, ghost_batch=ghost, accumulate=accumulate, optimizer=PLAIN, schedule=schedule
    )
    model.train()
    set_ghost(model, ghost)
    optimizer = build_optimizer(model, config.optimizer)
    return Training(model, model, optimizer, task.loss, methods, config, Runtime(), "fp32", 10)


def with_torch_batch_norm(model: nn.Module) -> nn.Module:
    """A copy whose ghost batch normalizations are PyTorch's own layers."""
    model = copy.deepcopy(model)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, GhostBatchNorm2d):
            plain = nn.BatchNorm2d(layer.num_features)
            plain.load_state_dict(layer.state_dict())
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, plain)
    return model


@pytest.fixture
def batch(samples: Samples) -> Batch:
    return Batches(samples, 16, 0).batch(0)


def test_loss_and_gradients_equal_a_plain_pytorch_step(model: nn.Module, task: Classify, batch: Batch) -> None:
    plain = with_torch_batch_norm(model).train()
    expected = F.cross_entropy(plain(batch.inputs), batch.targets)
    expected.backward()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    loss, moved = train_step(training_of(model, task), batch)
    assert moved
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    gradients = {name: weight.grad for name, weight in plain.named_parameters()}
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, gradients[name], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(weight.detach(), before[name] - RATE * gradients[name], rtol=1e-4, atol=1e-6)


def test_running_statistics_move_as_in_pytorch(model: nn.Module, task: Classify, batch: Batch) -> None:
    plain = with_torch_batch_norm(model).train()
    plain(batch.inputs)
    old = copy.deepcopy(model.stem[1])
    train_step(training_of(model, task), batch)
    new, theirs = model.stem[1], plain.stem[1]
    torch.testing.assert_close(new.running_mean, theirs.running_mean, rtol=1e-5, atol=1e-6)
    count = 16 * 8 * 8  # PyTorch keeps the unbiased variance, here it is the one that normalizes
    biased = (theirs.running_var - 0.9 * old.running_var) * (count - 1) / count + 0.9 * old.running_var
    torch.testing.assert_close(new.running_var, biased, rtol=1e-5, atol=1e-6)


def test_two_micro_batches_equal_one_batch(model: nn.Module, task: Classify, batch: Batch) -> None:
    other = copy.deepcopy(model)
    whole = train_step(training_of(model, task, ghost=8), batch).loss
    halves = train_step(training_of(other, task, ghost=8, accumulate=2), batch).loss
    assert halves == pytest.approx(whole, rel=1e-6)
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(two, one, rtol=0, atol=1e-6, msg=name)


def ragged() -> tuple[nn.Module, Batch]:
    """A tiny decoder, and 16 windows of which every other one has a single target; the last four have none."""
    torch.manual_seed(0)
    tokens = torch.arange(128).reshape(16, 8) * 7 % 20
    targets = (tokens * 3 + 1) % 20
    targets[::2, 1:], targets[12:] = -100, -100
    return nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 20)), Batch(tokens, targets, np.arange(16), 0)


def test_micro_batches_weigh_by_the_targets_that_count() -> None:
    net, batch = ragged()
    found = []
    for parts in (1, 2, 4):
        other = copy.deepcopy(net)
        training = training_of(other, Language(), ghost=2, accumulate=parts)
        training.count = Language().count
        found.append((train_step(training, batch).loss, other[1].weight.detach()))
    expected = F.cross_entropy(net(batch.inputs).flatten(0, 1), batch.targets.flatten()).item()
    for loss, weight in found:
        assert loss == pytest.approx(expected, rel=1e-6)
        torch.testing.assert_close(weight, found[0][1], rtol=0, atol=1e-7)


def test_ranks_weigh_by_the_targets_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    net, batch = ragged()
    training = training_of(net, Language())
    training.count, training.runtime = Language().count, Runtime(world=2)
    seen = []
    for part, _ in micro_batches(batch, 2):
        own = int((part.targets != -100).sum())
        monkeypatch.setattr("bessemer.train.step.mean_over_ranks", lambda tensors, runtime: [torch.tensor(27.0)])
        share = shares(training, [(part, True)])
        assert [float(one) for one in share] == [pytest.approx(own / 27)]
        loss = Language().loss(net(part.inputs), part.targets)
        seen.append(weighed(loss, share[0]))
    expected = Language().loss(net(batch.inputs), batch.targets)  # of 54 targets, 27 in the mean
    torch.testing.assert_close(torch.stack(seen).mean(), expected)


def test_micro_batches_cut_a_batch_into_equal_parts_in_order(batch: Batch) -> None:
    parts = list(micro_batches(batch, 4))
    assert [last for _, last in parts] == [False, False, False, True]
    assert [part.first for part, _ in parts] == [0, 4, 8, 12]
    assert torch.equal(torch.cat([part.inputs for part, _ in parts]), batch.inputs)
    assert torch.equal(torch.cat([part.targets for part, _ in parts]), batch.targets)
    assert np.array_equal(np.concatenate([part.ids for part, _ in parts]), batch.ids)


class Broken(Classify):
    """A task whose loss is not a number."""

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return outputs.sum() * float("nan")


class Explosive(Classify):
    """A task with a finite loss whose gradient is not."""

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return (outputs.sum() * 0).sqrt()


@pytest.mark.parametrize(("of", "limit"), [(Broken, math.inf), (Explosive, math.inf), (Classify, 0.1)])
def test_a_step_that_is_not_sound_moves_nothing(
    of: type[Classify], limit: float, model: nn.Module, samples: Samples
) -> None:
    before = copy.deepcopy(model.state_dict())
    training = training_of(model, of(3))
    loss, moved = train_step(training, Batches(samples, 16, 0).batch(7), limit)
    assert not moved
    assert math.isnan(loss) == (of is Broken)
    assert not training.optimizer.state
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_failed_step_leaves_no_trace_in_the_next(model: nn.Module, task: Classify, batch: Batch) -> None:
    undisturbed = copy.deepcopy(model)
    train_step(training_of(undisturbed, task), batch)
    poisoned = Batch(torch.full_like(batch.inputs, 0).float() * float("nan"), batch.targets, batch.ids, 0)
    assert not train_step(training_of(model, task), poisoned).moved
    train_step(training_of(model, task), batch)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, undisturbed.state_dict()[name]), name


def test_the_rate_of_the_step_follows_the_schedule(model: nn.Module, task: Classify, samples: Samples) -> None:
    training = training_of(model, task, schedule=ScheduleConfig(name="cosine", warmup=0))
    train_step(training, Batches(samples, 16, 0).batch(5))
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(RATE / 2)
    assert learning_rate(training, 0) == RATE


class Recorder(Method):
    """Writes down when its hooks are called."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def batch(self, batch: Batch) -> Batch:
        self.calls.append(f"{self.name}.batch")
        return batch

    def loss(self, loss: Tensor, outputs: Tensor, batch: Batch) -> Tensor:
        self.calls.append(f"{self.name}.loss")
        return loss * 2

    def after_step(self, model: nn.Module, step: int) -> None:
        self.calls.append(f"{self.name}.after_step {step}")


def test_hooks_are_called_in_the_order_of_the_methods(
    make_model: Callable[..., nn.Module], task: Classify, samples: Samples
) -> None:
    calls: list[str] = []
    methods = [Recorder("a", calls), Recorder("b", calls)]
    batch = Batches(samples, 16, 0).batch(3)
    plain = train_step(training_of(make_model(), task), batch).loss
    doubled = train_step(training_of(make_model(), task, methods=methods), batch).loss
    assert calls == ["a.batch", "b.batch", "a.loss", "b.loss", "a.after_step 3", "b.after_step 3"]
    assert doubled == pytest.approx(4 * plain, rel=1e-6)


def test_dropout_is_a_function_of_the_step(task: Classify, samples: Samples) -> None:
    def losses(steps: Sequence[int]) -> list[float]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3))
        frozen = training_of(net, task, schedule=ScheduleConfig(name="constant", warmup=0))
        found = []
        for step in steps:
            start = copy.deepcopy(net.state_dict())
            torch.rand(step)  # other use of the generator must not matter
            first = Batches(samples, 16, 0).batch(0)
            images = first.inputs.float() / 255
            found.append(train_step(frozen, Batch(images, first.targets, first.ids, step)).loss)
            net.load_state_dict(start)
        return found

    assert losses([1, 2, 3]) == losses([3, 2, 1])[::-1]
    assert len(set(losses([1, 2, 3]))) == 3

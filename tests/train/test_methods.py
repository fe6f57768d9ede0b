"""Each training method against a slow, independent reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.draws import Stream, key
from bessemer.task.classify.objective import Classify
from bessemer.train.methods import Method
from bessemer.train.methods.ema.hooks import Ema, ema
from bessemer.train.methods.label_smoothing.hooks import LabelSmoothing, label_smoothing, smoothed_entropy
from bessemer.train.methods.mixup.hooks import Mixup, mixup


@pytest.fixture
def batch(samples: Samples) -> Batch:
    return Batches(samples, 16, 0).batch(3)


def test_label_smoothing_equals_its_formula_cell_by_cell() -> None:
    targets = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.25, 0.25, 0.5, 0.0]])
    smoothed = label_smoothing(targets, 0.2)
    for row, given in zip(smoothed.tolist(), targets.tolist(), strict=True):
        assert row == pytest.approx([0.8 * value + 0.2 / 4 for value in given])


@pytest.mark.parametrize(("smoothing", "classes"), [(0.1, 10), (0.3, 2), (0.0, 5)])
def test_the_floor_of_a_smoothed_loss_is_what_the_best_logits_reach(smoothing: float, classes: int) -> None:
    targets = label_smoothing(torch.eye(classes), smoothing)
    best = torch.nn.functional.cross_entropy(targets.clamp(min=1e-30).log(), targets)
    assert smoothed_entropy(smoothing, classes) == pytest.approx(float(best), abs=1e-6)


def test_label_smoothing_turns_labels_into_rows_that_add_up_to_one(task: Classify, batch: Batch) -> None:
    changed = LabelSmoothing(0.3, task).batch(batch)
    for row, label in zip(changed.targets.tolist(), batch.targets.tolist(), strict=True):
        assert row == pytest.approx([0.8 if place == label else 0.1 for place in range(3)])
    assert changed.inputs is batch.inputs


def slow_mixup(batch: Batch, alpha: float, group: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mixup, sample by sample, in float64."""
    images = batch.inputs.numpy().astype(np.float64)
    targets = np.eye(3)[batch.targets.numpy()]
    mixed_images, mixed_targets = np.empty_like(images), np.empty_like(targets)
    for start in range(0, len(images), group):
        members = list(range(start, min(start + group, len(images))))
        number = (batch.first + start) // group
        philox = np.random.Philox(int(key(Stream.MIXUP, seed, batch.step, number)))
        weight = np.random.Generator(philox).beta(alpha, alpha)
        for place, member in enumerate(members):
            neighbor = members[place - 1]
            mixed_images[member] = weight * images[member] + (1 - weight) * images[neighbor]
            mixed_targets[member] = weight * targets[member] + (1 - weight) * targets[neighbor]
    return mixed_images, mixed_targets


@pytest.mark.parametrize("group", [4, 6, 16])
def test_mixup_equals_a_slow_reference(group: int, task: Classify, batch: Batch) -> None:
    mixed = Mixup(0.4, task, group, seed=9).batch(batch)
    images, targets = slow_mixup(batch, 0.4, group, 9)
    np.testing.assert_allclose(mixed.inputs.numpy(), images, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(mixed.targets.numpy(), targets, rtol=1e-5, atol=1e-6)
    assert mixed.inputs.shape == batch.inputs.shape


def test_mixup_is_a_weighted_sum_with_the_sample_before() -> None:
    images, targets = torch.tensor([[0.0], [10.0], [20.0]]), torch.eye(3)
    mixed, soft = mixup(images, targets, torch.tensor([0.75, 0.5, 1.0]))
    assert mixed.flatten().tolist() == [5.0, 5.0, 20.0]
    assert soft.tolist() == [[0.75, 0, 0.25], [0.5, 0.5, 0], [0, 0, 1]]


def test_mixup_draws_one_weight_for_each_step_and_group(task: Classify, samples: Samples) -> None:
    method = Mixup(1.0, task, 8, seed=0)
    weights = {round(method._weight(step, group), 12) for step in range(5) for group in range(4)}
    assert len(weights) == 20
    assert all(0 <= weight <= 1 for weight in weights)
    assert method._weight(2, 3) == Mixup(1.0, task, 8, seed=0)._weight(2, 3)
    assert method._weight(2, 3) != Mixup(1.0, task, 8, seed=1)._weight(2, 3)


@pytest.mark.parametrize("world", [2, 4])
def test_mixup_does_not_depend_on_how_a_batch_is_spread(world: int, task: Classify, samples: Samples) -> None:
    batches, method = Batches(samples, 16, 0), Mixup(0.4, task, 4, seed=5)
    whole = method.batch(batches.batch(2))
    parts = [method.batch(batches.batch(2, rank, world)) for rank in range(world)]
    assert torch.equal(torch.cat([part.inputs for part in parts]), whole.inputs)
    assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)


def test_mixup_after_smoothing_mixes_the_smoothed_targets(task: Classify, batch: Batch) -> None:
    smoothed = LabelSmoothing(0.3, task).batch(batch)
    mixed = Mixup(0.4, task, 16, seed=9).batch(smoothed).targets
    hard = Mixup(0.4, task, 16, seed=9).batch(batch).targets
    torch.testing.assert_close(mixed, 0.7 * hard + 0.1)


def moving_net(step: int) -> nn.Module:
    """A network whose weights, statistics and counter depend on the step."""
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    generator = torch.Generator().manual_seed(step)
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.normal_(generator=generator)
        else:
            tensor.fill_(step)
    return net


def test_ema_equals_a_slow_average_with_a_rising_decay() -> None:
    method = Ema(0.5)
    method.prepare(moving_net(0))
    expected = {name: tensor.numpy().astype(np.float64) for name, tensor in moving_net(0).state_dict().items()}
    for step in range(12):
        net = moving_net(step + 1)
        method.after_step(net, step)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * tensor.numpy()
            else:
                expected[name] = tensor.numpy()  # a count is not averaged
    result = method.result()
    assert result.keys() == expected.keys()
    for name, tensor in result.items():
        np.testing.assert_allclose(tensor.numpy(), expected[name], rtol=1e-5, atol=1e-6)


def test_ema_moves_by_the_decay_it_is_given() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 10)
    average = {"weight": torch.zeros(1, 1)}
    ema(average, net, 0.9)
    assert average["weight"].item() == pytest.approx(1.0)


def test_ema_goes_on_from_its_state() -> None:
    whole, first = Ema(0.9), Ema(0.9)
    whole.prepare(moving_net(0))
    first.prepare(moving_net(0))
    for step in range(4):
        whole.after_step(moving_net(step + 1), step)
    for step in range(2):
        first.after_step(moving_net(step + 1), step)
    second = Ema(0.9)
    second.prepare(moving_net(99))
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()})
    for step in range(2, 4):
        second.after_step(moving_net(step + 1), step)
    for name, tensor in whole.result().items():
        assert torch.equal(tensor, second.result()[name])


def test_the_average_is_a_copy_of_the_weights_not_the_weights() -> None:
    net = nn.Linear(1, 1)
    method = Ema(0.9)
    method.prepare(net)
    before = method.result()["weight"].clone()
    with torch.no_grad():
        net.weight.add_(1)
    assert torch.equal(method.result()["weight"], before)


def test_the_base_of_methods_changes_nothing(batch: Batch) -> None:
    method = Method()
    loss = torch.tensor(1.0)
    assert method.batch(batch) is batch
    assert method.loss(loss, torch.zeros(1), batch) is loss
    assert method.state() == {}
    assert method.result() is None

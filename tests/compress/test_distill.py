"""Distillation: its losses against hand-written ones, and a student that moves towards its teacher."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import bessemer as bs
from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation, attention_loss, soft_target_loss
from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.errors import UsageError
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig

CONFIG = TrainConfig(
    epochs=4, batch_size=16, ghost_batch=16, precision="fp32", optimizer=OptimizerConfig(learning_rate=0.02)
)
TAPS = ["stages.0", "stages.1"]
Make = Callable[..., nn.Module]


def softened(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp(value / temperature) for value in logits]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_soft_target_loss_equals_a_hand_written_divergence(temperature: float) -> None:
    student, teacher = [[1.0, -2.0, 0.5], [0.1, 0.2, 0.3]], [[0.3, 0.3, -1.0], [4.0, 0.0, -4.0]]
    expected = 0.0
    for given, wanted in zip(student, teacher, strict=True):
        for p, q in zip(softened(wanted, temperature), softened(given, temperature), strict=True):
            expected += p * math.log(p / q) / 2
    loss = soft_target_loss(torch.tensor(student), torch.tensor(teacher), temperature)
    assert float(loss) == pytest.approx(expected * temperature**2, rel=1e-5)


def test_soft_target_loss_of_equal_outputs_is_zero_up_to_a_shift() -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5]])
    assert float(soft_target_loss(logits, logits + 3, 2.0)) == pytest.approx(0, abs=1e-6)


def test_attention_loss_of_equal_features_is_zero() -> None:
    features = torch.randn(2, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    assert float(attention_loss(features, features)) == 0
    assert float(attention_loss(features, 7 * features)) == pytest.approx(0, abs=1e-6)


def test_attention_loss_equals_numpys() -> None:
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(3, 4, 5, 6)), generator.normal(size=(3, 8, 5, 6))
    maps = []
    for features in (student, teacher):
        squares = (features**2).mean(1).reshape(3, -1)
        maps.append(squares / np.linalg.norm(squares, axis=1, keepdims=True))
    expected = ((maps[0] - maps[1]) ** 2).sum(1).mean()
    loss = attention_loss(torch.from_numpy(student), torch.from_numpy(teacher))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_attention_of_larger_features_is_compared_at_the_students_size() -> None:
    teacher = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    student = teacher.reshape(2, 3, 4, 2, 4, 2).mean((3, 5))
    assert float(attention_loss(student, teacher)) == pytest.approx(0, abs=1e-6)


def test_the_loss_is_mixed_as_the_settings_say(make_model: Make, task: Classify, samples: Samples) -> None:
    student, teacher = make_model(0), make_model(1)
    batch = Batches(samples, 8, 0).batch(0)
    method = Distillation(teacher, DistillConfig(weight=0.75, temperature=3, features=2), TAPS)
    features: dict[str, torch.Tensor] = {}
    for role, network in (("student", student), ("teacher", teacher)):
        for tap in TAPS:
            layer = network.get_submodule(tap)
            layer.register_forward_hook(lambda _, __, out, key=role + tap: features.update({key: out}))
    method.prepare(student)
    outputs = student(batch.inputs)
    own = task.loss(outputs, batch.targets)
    loss = method.loss(own, outputs, batch)
    expected = 0.25 * own + 0.75 * soft_target_loss(outputs, teacher(batch.inputs), 3)
    for tap in TAPS:
        expected = expected + 2 * attention_loss(features["student" + tap], features["teacher" + tap])
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_a_tap_that_a_network_lacks_is_refused_by_name(role: str, model: nn.Module) -> None:
    other = nn.Sequential(nn.Conv2d(1, 1, 1))
    pair = (other, model) if role == "student" else (model, other)
    method = Distillation(pair[1], DistillConfig(), ["stages.0"])
    with pytest.raises(UsageError, match=f"the {role} has no layer 'stages.0'"):
        method.prepare(pair[0])


def divergence(student: nn.Module, teacher: nn.Module, samples: Samples) -> float:
    images = torch.from_numpy(samples.inputs)
    with torch.no_grad():
        return float(soft_target_loss(student.eval()(images), teacher(images), 1.0))


@pytest.mark.parametrize("taps", [[], TAPS])
def test_distilling_moves_a_student_towards_its_teacher(
    taps: list[str], make_model: Make, task: Classify, samples: Samples
) -> None:
    student, teacher = make_model(0), make_model(1)
    unseen = Samples(samples.inputs, np.roll(samples.labels, 1), samples.ids)  # labels that teach nothing true
    before = divergence(student, teacher, samples)
    bs.distill(student, teacher, task, Batches(unseen, 16, 0), CONFIG, DistillConfig(weight=1), taps=taps)
    assert divergence(student, teacher, samples) < 0.5 * before


def test_the_teacher_is_not_changed(make_model: Make, task: Classify, samples: Samples) -> None:
    student, teacher = make_model(0), make_model(1)
    before = copy.deepcopy(teacher.state_dict())
    bs.distill(student, teacher, task, Batches(samples, 16, 0), CONFIG, taps=TAPS)
    assert not teacher.training
    for name, tensor in teacher.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_distilling_leaves_no_hooks_in_either_network(make_model: Make, task: Classify, samples: Samples) -> None:
    student, teacher = make_model(0), make_model(1)
    bs.distill(student, teacher, task, Batches(samples, 16, 0), CONFIG, taps=TAPS)
    for network in (student, teacher):
        assert not [name for name, layer in network.named_modules() if layer._forward_hooks]


class Amounts:
    """An objective of numbers, which says how far a student is from its teacher."""

    def losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs[:, 0] - targets).square()

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.losses(outputs, targets).mean()

    def taught(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return (student - teacher).abs().mean()


def batch_of_numbers() -> Batch:
    inputs = torch.arange(8.0).reshape(4, 2)
    return Batch(inputs, torch.ones(4), np.arange(4, dtype=np.uint64), 0)


def test_an_objective_says_itself_how_far_numbers_are_apart() -> None:
    student, teacher, batch = nn.Linear(2, 1), nn.Linear(2, 1), batch_of_numbers()
    task = Amounts()
    method = Distillation(teacher, DistillConfig(weight=0.75, features=0), task=task)
    method.prepare(student)
    outputs = student(batch.inputs)
    own = task.loss(outputs, batch.targets)
    expected = 0.25 * own + 0.75 * (outputs - teacher(batch.inputs)).abs().mean()
    torch.testing.assert_close(method.loss(own, outputs, batch), expected)


def test_one_output_is_no_logit() -> None:
    student, batch = nn.Linear(2, 1), batch_of_numbers()
    method = Distillation(nn.Linear(2, 1), DistillConfig(weight=0.5, features=0))
    method.prepare(student)
    with pytest.raises(UsageError, match="one output, which is no logit"):
        method.loss(torch.zeros(()), student(batch.inputs), batch)

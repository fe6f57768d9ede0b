"""Distillation in one call: the student learns, the teacher stays, and what cannot be compared is named."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

import bessemer as bs
from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation, soft_target_loss
from bessemer.errors import RecipeError, UsageError


def network(seed: int, classes: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = [nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, classes)]
    return nn.Sequential(*layers)


def points(count: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 8, generator=generator), torch.arange(count) % 3


def divergence(student: nn.Module, teacher: nn.Module) -> float:
    inputs = points()[0]
    with torch.no_grad():
        return float(soft_target_loss(student.eval()(inputs), copy.deepcopy(teacher).eval()(inputs), 1.0))


def test_a_student_learns_from_its_teacher_alone() -> None:
    student, teacher = network(0), network(1)
    before = divergence(copy.deepcopy(student), teacher)
    bs.distill(student, teacher, data=points(), task="classify", epochs=40, learning_rate=0.02, weight=1)
    assert divergence(student, teacher) < 0.2 * before


def test_the_teacher_keeps_its_weights_and_the_mode_of_every_layer() -> None:
    student, teacher = network(0), network(1).train()
    teacher[1].eval()
    modes, state = [layer.training for layer in teacher.modules()], copy.deepcopy(teacher.state_dict())
    bs.distill(student, teacher, data=points(), task="classify", epochs=1)
    assert [layer.training for layer in teacher.modules()] == modes
    assert all(torch.equal(tensor, state[name]) for name, tensor in teacher.state_dict().items())


def test_its_settings_are_those_that_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def keep(method: Distillation, model: nn.Module) -> None:
        seen.append((method.config, method.taps))

    monkeypatch.setattr(Distillation, "prepare", keep)
    monkeypatch.setattr(Distillation, "loss", lambda method, loss, outputs, batch: loss)
    base = DistillConfig(weight=0.3, temperature=5.0)
    for options in ({"weight": 0.9, "taps": ["0"]}, {"config": base}, {"config": base, "features": 0.7}):
        bs.distill(network(0), network(1), data=points(), task="classify", epochs=1, **options)
    assert seen == [
        (DistillConfig(weight=0.9), ["0"]),
        (base, []),
        (DistillConfig(weight=0.3, temperature=5.0, features=0.7), []),
    ]


@pytest.mark.parametrize(
    ("teacher", "options", "error", "told"),
    [
        (network(1, 4), {}, UsageError, r"student's outputs have the shape \(2, 3\), the teacher's \(2, 4\)"),
        (network(1), {"weight": 2.0}, RecipeError, "distill: weight: .* less than or equal to 1"),
        (nn.Linear(5, 3), {}, UsageError, "Linear does not take x"),
    ],
)
def test_what_cannot_be_learned_from_is_named(
    teacher: nn.Module, options: dict[str, Any], error: type[UsageError], told: str
) -> None:
    with pytest.raises(error, match=told) as caught:
        bs.distill(network(0), teacher, data=points(), task="classify", **options)
    assert caught.value.remedy

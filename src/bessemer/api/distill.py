"""A student that learns from a trained teacher, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from bessemer.api.fit import fit
from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation
from bessemer.config import Document, build
from bessemer.data.given import samples_of
from bessemer.errors import UsageError
from bessemer.model.modes import evaluating
from bessemer.task.given import first_outputs, objective_of
from bessemer.train.config import TrainConfig
from bessemer.train.loop import FitResult
from bessemer.train.methods import Method


def distill(
    student: nn.Module,
    teacher: nn.Module,
    task: Any = None,
    data: Any = None,
    train: TrainConfig | None = None,
    config: DistillConfig | None = None,
    *,
    weight: float | None = None,
    temperature: float | None = None,
    features: float | None = None,
    taps: Sequence[str] = (),
    methods: Sequence[Method] = (),
    **options: Any,
) -> FitResult:
    """Train a student in place under a teacher, which stays as it is.

    `task`, `data`, `train` (all settings of the training) and the other options, such as `epochs` or `validation`,
    are those of `bs.fit`. `weight` is the share of the loss that is the teacher's softened outputs (0.5),
    `temperature` softens them (2). `taps` names layers that both networks have, whose features (B, C, H, W) or
    (B, T, D) are compared with the weight `features` (0.1). `config` has all three.

    Raises UsageError where the networks give outputs of different shapes, RecipeError where a number is out of its
    range, and what `bs.fit` raises. Sources: see bessemer.compress.distill.
    """
    given = {"weight": weight, "temperature": temperature, "features": features}
    values = (config or DistillConfig()).model_dump() | {
        name: value for name, value in given.items() if value is not None
    }
    settings = build(DistillConfig, Document("distill", values, {}))
    samples = samples_of(data)
    shapes = [tuple(getattr(first_outputs(one, samples), "shape", ())) for one in (student, teacher)]
    if shapes[0] != shapes[1]:
        problem = f"the student's outputs have the shape {shapes[0]}, the teacher's {shapes[1]}"
        raise UsageError(problem, "give both networks the same outputs, class by class")
    objective = objective_of(task, samples, student)
    teaching = Distillation(teacher, settings, taps, objective)
    with evaluating(teacher):
        return fit(student, task, data, train, methods=[*methods, teaching], **options)

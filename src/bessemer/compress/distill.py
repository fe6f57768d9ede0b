"""Distillation: a student learns from a teacher's outputs and from its intermediate features, at once.

Outputs: cross-entropy with the teacher's softened probabilities (Hinton, Vinyals and Dean, 2015). Features:
attention transfer, the distance of normalized maps of where activations are large (Zagoruyko and Komodakis,
2017). It needs no layers of its own and no equal widths, so a pruned student can be compared at every stage.
Where outputs are no logits, the task's objective says how far they are apart (`taught`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from bessemer.compress.config import DistillConfig, FinetuneConfig
from bessemer.compress.steps import Lab, Made, Step
from bessemer.data.dataset import Batch
from bessemer.data.stream import IGNORED
from bessemer.errors import UsageError
from bessemer.model.contract import is_packing, set_packing
from bessemer.task.task import Objective, Teachable
from bessemer.train.methods import Method


def soft_target_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of softened logits (R, K), times the squared temperature; mean over R."""
    wanted = F.log_softmax(teacher.float() / temperature, dim=1)
    given = F.log_softmax(student.float() / temperature, dim=1)
    return F.kl_div(given, wanted, log_target=True, reduction="batchmean") * temperature**2


def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared distance of normalized attention maps of features (B, C, H, W) and (B, C', H', W').

    Or of (B, T, D) and (B, T, D').
    """
    if student.ndim == 4 and student.shape[2:] != teacher.shape[2:]:
        teacher = F.adaptive_avg_pool2d(teacher, (student.shape[2], student.shape[3]))
    return (attention_map(student) - attention_map(teacher)).pow(2).sum(1).mean()


def attention_map(features: Tensor) -> Tensor:
    """Where activations are large, of unit length: the mean square over channels or features.

    (B, H·W) of features (B, C, H, W), (B, T) of features (B, T, D), whose padding is zero.
    """
    channels = 1 if features.ndim == 4 else 2
    return F.normalize(features.float().pow(2).mean(channels).flatten(1), dim=1)


def rows_that_count(targets: Tensor, *outputs: Tensor) -> list[Tensor]:
    """Outputs (B, ..., K) as rows (R, K), without those of windows that lie behind the end of a text."""
    if outputs[0].ndim == 2:
        return list(outputs)
    real = targets.flatten() != IGNORED
    return [one.flatten(0, -2)[real] for one in outputs]


class Distillation(Method):
    """Mixes the task's loss with the teacher's, and adds attention transfer at the layers named `taps`."""

    name = "distillation"

    def __init__(
        self, teacher: nn.Module, config: DistillConfig, taps: Sequence[str] = (), task: Objective | None = None
    ) -> None:
        """`task` is asked how far outputs are from the teacher's, where it says so; else they are logits."""
        self.teacher = teacher
        self.taught = task.taught if isinstance(task, Teachable) else self._as_logits
        self.config = config
        self.taps = list(taps) if config.features > 0 else []
        if config.weight == 0 and not self.taps:
            warnings.warn("distillation with weight 0 and no features to compare changes nothing", stacklevel=2)
        self.hooks: list[RemovableHandle] = []
        self.seen: dict[str, dict[str, Tensor]] = {"student": {}, "teacher": {}}

    def release(self) -> None:
        for hook in self.hooks:
            hook.remove()
        self.hooks.clear()

    def prepare(self, model: nn.Module) -> None:
        device = next(model.parameters()).device
        self.teacher.to(device).eval()
        set_packing(self.teacher, is_packing(model))
        for role, network in (("student", model), ("teacher", self.teacher)):
            for tap in self.taps:
                self._watch(role, network, tap)

    def _watch(self, role: str, network: nn.Module, tap: str) -> None:
        modules = dict(network.named_modules())
        if tap not in modules:
            raise UsageError(
                f"the {role} has no layer {tap!r} to compare features at", "name layers that both have"
            )

        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self.seen[role][tap] = output

        self.hooks.append(modules[tap].register_forward_hook(keep))

    def loss(self, loss: Tensor, outputs: Tensor, batch: Batch) -> Tensor:
        with torch.no_grad():
            wanted = self.teacher(batch.inputs)
        weight = self.config.weight
        loss = (1 - weight) * loss + weight * self.taught(*rows_that_count(batch.targets, outputs, wanted))
        for tap in self.taps:
            part = attention_loss(self.seen["student"].pop(tap), self.seen["teacher"].pop(tap))
            loss = loss + self.config.features * part
        return loss

    def _as_logits(self, student: Tensor, teacher: Tensor) -> Tensor:
        if student.shape[1] == 1 and self.config.weight > 0:  # softened, one output says nothing
            problem = "the teacher has one output, which is no logit of a class"
            raise UsageError(problem, "give the task's objective a method `taught`, or set distill.weight to 0")
        return soft_target_loss(student, teacher, self.config.temperature)


class Distill(DistillConfig, Step):
    """A training under the parent, as a step of compression; on targets alone where the parent weighs nothing."""

    technique: ClassVar[str] = "distillation"
    mends: ClassVar[bool] = True

    step: Literal["distill"] = "distill"
    train: FinetuneConfig = FinetuneConfig()

    @property
    def taught(self) -> bool:
        """Whether the parent has a say."""
        return self.weight > 0 or self.features > 0

    def off(self) -> dict[str, Step | None]:
        return {self.technique: self.model_copy(update={"weight": 0.0, "features": 0.0})} if self.taught else {}

    def apply(self, made: Made, lab: Lab) -> Made:
        settings = DistillConfig(weight=self.weight, temperature=self.temperature, features=self.features)
        return lab.train(made, self.train, settings if self.taught else None)

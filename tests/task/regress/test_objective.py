"""The loss of numbers does not depend on their unit."""

from __future__ import annotations

import pytest
import torch

from bessemer.task.regress.objective import Regress
from bessemer.task.task import Teachable


def test_it_is_the_squared_error_in_deviations() -> None:
    outputs, targets = torch.tensor([[1.0, 20.0], [3.0, 10.0]]), torch.tensor([[2.0, 20.0], [1.0, 40.0]])
    task = Regress([0.5, 10.0])
    assert task.losses(outputs, targets).tolist() == [(4 + 0) / 2, (16 + 9) / 2]
    assert float(task.loss(outputs, targets)) == 7.25


def test_targets_of_one_number_are_a_list_of_them() -> None:
    assert Regress([2.0]).losses(torch.tensor([[1.0], [5.0]]), torch.tensor([3.0, 5.0])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_always_saying_the_mean_costs_one_in_any_unit(unit: float) -> None:
    targets = unit * torch.tensor([1.0, 2.0, 6.0])
    outputs = targets.mean().expand(3, 1)
    assert float(Regress([float(targets.std(correction=0))]).loss(outputs, targets)) == pytest.approx(1, rel=1e-5)


def test_a_student_is_as_far_from_its_teacher() -> None:
    task = Regress([2.0])
    assert isinstance(task, Teachable)
    assert float(task.taught(torch.tensor([[1.0], [4.0]]), torch.tensor([[3.0], [4.0]]))) == 0.5


def test_outputs_of_bf16_are_compared_in_fp32() -> None:
    assert Regress([1.0]).loss(torch.ones(2, 1).bfloat16(), torch.zeros(2)).dtype == torch.float32

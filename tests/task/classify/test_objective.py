"""The classification task: its loss and its soft targets."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from bessemer.task.classify.objective import Classify
from bessemer.train.methods.label_smoothing.hooks import label_smoothing


def test_loss_is_the_mean_negative_log_probability_of_the_label() -> None:
    logits = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.5, 0.0]])
    labels = [1, 2]
    expected = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        expected -= math.log(math.exp(row[label]) / sum(math.exp(value) for value in row)) / 2
    loss = Classify(3).loss(logits, torch.tensor(labels))
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_labels_and_their_rows_of_probabilities_give_the_same_loss() -> None:
    task = Classify(3)
    logits, labels = torch.tensor([[0.3, -0.7, 1.1], [0.2, 0.1, -2.0]]), torch.tensor([2, 0])
    hard = task.loss(logits, labels)
    soft = task.loss(logits, task.soft_targets(labels))
    assert float(hard) == pytest.approx(float(soft), rel=1e-6)


def test_loss_of_bf16_outputs_is_computed_in_fp32() -> None:
    logits, labels = torch.tensor([[0.3, -0.7, 1.1]]).bfloat16(), torch.tensor([2])
    loss = Classify(3).loss(logits, labels)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, Classify(3).loss(logits.float(), labels))


def test_soft_targets_of_labels_are_rows_with_a_single_one() -> None:
    rows = Classify(4).soft_targets(torch.tensor([3, 0]))
    assert rows.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert rows.dtype == torch.float32


def test_rows_of_probabilities_pass_unchanged() -> None:
    rows = torch.tensor([[0.25, 0.75]])
    assert Classify(2).soft_targets(rows) is rows


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_samples_without_a_label_count_for_nothing_as_in_torch(smoothing: float) -> None:
    logits = torch.tensor([[0.3, -0.7, 1.1], [0.2, 0.1, -2.0], [1.0, 0.0, 0.5], [0.0, 0.4, 0.1]])
    labels, task = torch.tensor([2, -100, 0, -100]), Classify(3)
    expected = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    rows = label_smoothing(task.soft_targets(labels), smoothing)
    assert rows[1].tolist() == rows[3].tolist() == [0, 0, 0]
    torch.testing.assert_close(task.loss(logits, rows), expected)
    assert task.count(labels) == task.count(rows) == 2
    assert task.losses(logits, labels)[1] == task.losses(logits, rows)[3] == 0
    if not smoothing:
        torch.testing.assert_close(task.loss(logits, labels), expected)


def test_labels_below_zero_are_no_classes() -> None:
    with pytest.raises(RuntimeError, match="non-negative"):
        Classify(3).soft_targets(torch.tensor([0, -1]))

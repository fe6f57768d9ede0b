"""CutMix against a slow reference; weights of labels are the areas that were pasted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.errors import UsageError
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.methods.cutmix.hooks import CutMix, choose_box, cutmix
from bessemer.train.methods.label_smoothing.hooks import LabelSmoothing
from bessemer.train.methods.standard import standard_methods


@pytest.fixture
def batch(samples: Samples) -> Batch:
    return Batches(samples, 16, 0).batch(3)


def test_a_rectangle_comes_from_the_sample_before() -> None:
    images = torch.arange(3, dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 4, 5, 1)
    cut, soft = cutmix(images, torch.eye(3), (1, 3, 2, 5))
    assert cut.dtype == torch.uint8
    for number, before in enumerate((2, 0, 1)):
        expected = np.full((4, 5), number)
        expected[1:3, 2:5] = before
        assert cut[number, ..., 0].tolist() == expected.tolist()
        assert soft[number, before].item() == pytest.approx(6 / 20)
        assert soft[number, number].item() == pytest.approx(14 / 20)


def test_an_empty_rectangle_changes_nothing_and_a_full_one_everything() -> None:
    images, targets = torch.rand(4, 6, 6, 3, generator=torch.Generator().manual_seed(0)), torch.eye(4)
    cut, soft = cutmix(images, targets, (3, 3, 2, 2))
    assert torch.equal(cut, images)
    assert torch.equal(soft, targets)
    cut, soft = cutmix(images, targets, (0, 6, 0, 6))
    assert torch.equal(cut, images.roll(1, 0))
    assert torch.equal(soft, targets.roll(1, 0))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    share=st.floats(0, 1),
    y=st.floats(0, 1, exclude_max=True),
    x=st.floats(0, 1, exclude_max=True),
)
def test_a_box_lies_inside_the_image_and_is_no_larger_than_asked(size, share, y, x) -> None:
    top, bottom, left, right = choose_box(*size, share, y, x)
    assert 0 <= top <= bottom <= size[0]
    assert 0 <= left <= right <= size[1]
    assert bottom - top <= np.sqrt(share) * size[0] + 1
    assert right - left <= np.sqrt(share) * size[1] + 1


def test_a_box_in_the_middle_has_the_share_that_was_asked() -> None:
    top, bottom, left, right = choose_box(100, 200, 0.25, 0.5, 0.5)
    assert (top, bottom, left, right) == (25, 75, 50, 150)


@pytest.mark.parametrize("group", [4, 6, 16])
def test_each_group_keeps_its_own_pixels_and_labels(group: int, task: Classify, batch: Batch) -> None:
    """Sample by sample: every pixel is the sample's own or its neighbor's, and labels count how many."""
    unique = torch.arange(16, dtype=torch.uint8).reshape(16, 1, 1, 1).expand(16, 8, 8, 1)
    mixed = CutMix(1.0, task, group, seed=9).batch(replace(batch, inputs=unique))
    for number in range(16):
        start = number // group * group
        before = number - 1 if number > start else min(start + group, 16) - 1
        pasted = (mixed.inputs[number] == before).double().mean().item()
        assert pasted + (mixed.inputs[number] == number).double().mean().item() in (1, 2)
        own, other = (torch.eye(3)[batch.targets[i]] for i in (number, before))
        wanted = own if before == number else (1 - pasted) * own + pasted * other
        torch.testing.assert_close(mixed.targets[number], wanted)


@pytest.mark.parametrize("world", [2, 4])
def test_it_does_not_depend_on_how_a_batch_is_spread(world: int, task: Classify, samples: Samples) -> None:
    batches, method = Batches(samples, 16, 0), CutMix(1.0, task, 4, seed=5)
    whole = method.batch(batches.batch(2))
    parts = [method.batch(batches.batch(2, rank, world)) for rank in range(world)]
    assert torch.equal(torch.cat([part.inputs for part in parts]), whole.inputs)
    assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)


def test_boxes_differ_by_step_group_and_seed(task: Classify) -> None:
    method = CutMix(1.0, task, 8, seed=0)
    boxes = {method._box(step, group, 1000, 1000) for step in range(5) for group in range(4)}
    assert len(boxes) == 20
    assert method._box(2, 3, 1000, 1000) == CutMix(1.0, task, 8, seed=0)._box(2, 3, 1000, 1000)
    assert method._box(2, 3, 1000, 1000) != CutMix(1.0, task, 8, seed=1)._box(2, 3, 1000, 1000)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_areas_follow_the_beta_distribution(alpha: float, task: Classify) -> None:
    """A box about the middle is cut off nowhere, so its area is what was drawn; others only lose some."""
    method = CutMix(alpha, task, 1, seed=0)
    boxes = np.array([method._box(step, 0, 10_000, 10_000) for step in range(2000)]) / 10_000
    areas = (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])
    whole = (boxes[:, [0, 2]] > 0).all(1) & (boxes[:, [1, 3]] < 1).all(1)
    drawn = 1 - np.random.default_rng(0).beta(alpha, alpha, 200_000)
    corner = np.sqrt(drawn) / 2
    inside = np.random.default_rng(1).random((2, 200_000))
    kept = ((inside > corner) & (inside < 1 - corner)).all(0)
    assert kstest(areas[whole], drawn[kept]).pvalue > 0.01
    assert whole.mean() == pytest.approx(kept.mean(), abs=0.04)


def test_smoothed_targets_are_mixed(task: Classify, batch: Batch) -> None:
    smoothed = CutMix(1.0, task, 16, seed=9).batch(LabelSmoothing(0.3, task).batch(batch)).targets
    torch.testing.assert_close(smoothed, 0.7 * CutMix(1.0, task, 16, seed=9).batch(batch).targets + 0.1)


def test_with_mixup_it_comes_first_and_both_mix_images_and_labels_alike(task: Classify, batch: Batch) -> None:
    """Each picture is as bright as its label is high, so brightness tells how much of each label is in it."""
    config = TrainConfig(batch_size=16, ghost_batch=16, cutmix=1.0, mixup=1.0)
    methods = standard_methods(config, task, 0, 12)
    assert [method.name for method in methods] == ["cutmix", "mixup"]
    levels = batch.targets.to(torch.uint8).reshape(-1, 1, 1, 1) * 100
    mixed = replace(batch, inputs=levels.expand(16, 8, 8, 1))
    for method in methods:
        mixed = method.batch(mixed)
    in_pixels = mixed.inputs.mean((1, 2, 3))
    in_labels = mixed.targets @ torch.tensor([0.0, 100, 200])
    assert not torch.equal(mixed.targets.max(1).values, torch.ones(16))
    torch.testing.assert_close(in_pixels, in_labels, rtol=1e-5, atol=1e-3)


def test_other_data_than_images_is_refused(task: Classify, batch: Batch) -> None:
    with pytest.raises(UsageError, match="not images"):
        CutMix(1.0, task, 8, 0).batch(replace(batch, inputs=batch.inputs.flatten(1)))

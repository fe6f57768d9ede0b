"""Batches are a pure function of (seed, step), shared evenly by ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bessemer.data.config import AugmentConfig, DataConfig
from bessemer.data.dataset import Batch, Batches, Dataset, Samples
from bessemer.data.order import Order
from bessemer.data.prepare import prepare

AUGMENT = AugmentConfig(crop=2, flip="horizontal", rotate=10)


def samples(count: int = 30, channels: int = 1) -> Samples:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 6, 6, channels), np.uint8)
    return Samples(images, rng.integers(0, 3, count), rng.permutation(count).astype(np.uint64) + np.uint64(100))


def same(one: Batch, other: Batch) -> bool:
    tensors = torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)
    return tensors and np.array_equal(one.ids, other.ids) and (one.step, one.first) == (other.step, other.first)


def test_a_batch_is_a_pure_function_of_its_step():
    """In any order, from any object, with the same seed."""
    first, second = Batches(samples(), 8, 5, AUGMENT), Batches(samples(), 8, 5, AUGMENT)
    forward = [first.batch(step) for step in range(6)]
    backward = [second.batch(step) for step in reversed(range(6))][::-1]
    assert all(same(one, other) for one, other in zip(forward, backward, strict=True))


def test_seeds_and_steps_give_different_batches():
    batches = Batches(samples(), 8, 5, AUGMENT)
    assert not same(batches.batch(0), batches.batch(1))
    assert not torch.equal(batches.batch(0).inputs, Batches(samples(), 8, 6, AUGMENT).batch(0).inputs)


def test_a_batch_holds_the_samples_that_the_order_names():
    every = samples()
    for step in (0, 3, 10):
        batch = Batches(every, 8, 5).batch(step)
        positions, _ = Order(30, 8, 5).batch(step)
        assert np.array_equal(batch.inputs.numpy(), every.inputs[positions])
        assert np.array_equal(batch.targets.numpy(), every.labels[positions])
        assert np.array_equal(batch.ids, every.ids[positions])
    assert (batch.inputs.dtype, batch.targets.dtype) == (torch.uint8, torch.int64)


def test_the_same_sample_changes_from_epoch_to_epoch():
    one = samples(1)
    images = [Batches(one, 1, 0, AUGMENT).batch(step).inputs for step in range(8)]
    assert len({image.numpy().tobytes() for image in images}) > 4


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_shares_of_the_ranks_make_up_the_global_batch(world):
    batches = Batches(samples(), 8, 5, AUGMENT)
    for step in (0, 3):  # step 3 runs over the edge of the first epoch
        whole = batches.batch(step)
        parts = [batches.batch(step, rank, world) for rank in range(world)]
        assert [part.first for part in parts] == [rank * 8 // world for rank in range(world)]
        assert torch.equal(torch.cat([part.inputs for part in parts]), whole.inputs)
        assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)
        assert np.array_equal(np.concatenate([part.ids for part in parts]), whole.ids)


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (3, 5), (4, 5), (5, 5)])
def test_batches_made_ahead_are_those_made_on_demand(start, stop):
    batches = Batches(samples(), 8, 5, AUGMENT)
    ahead = list(batches.from_step(start, stop, rank=1, world=2))
    assert [batch.step for batch in ahead] == list(range(start, stop))
    assert all(same(batch, batches.batch(batch.step, 1, 2)) for batch in ahead)


def test_batches_made_ahead_can_be_left_early():
    batches = Batches(samples(), 8, 5).from_step(0, 1000)
    assert next(batches).step == 0
    batches.close()
    with pytest.raises(StopIteration):
        next(batches)


def test_an_error_while_a_batch_is_made_reaches_the_one_who_asks(monkeypatch):
    batches = Batches(samples(), 8, 5)
    monkeypatch.setattr(batches, "order", Order(1000, 8, 5))  # names samples that are not there
    with pytest.raises(IndexError):
        list(batches.from_step(0, 3))


def test_a_batch_stays_where_it_is_on_the_same_device():
    batch = Batches(samples(), 8, 5).batch(0)
    assert batch.to("cpu") is batch


def test_a_prepared_data_set_gives_its_splits(tmp_path):
    about = prepare(DataConfig(source="digits", limit=200), 0, tmp_path)
    dataset = Dataset(tmp_path)
    assert dataset.about == about
    sizes = {name: len(dataset.split(name)) for name in ("train", "validation", "test")}
    assert sizes == about["splits"]
    ids = np.concatenate([dataset.split(name).ids for name in sizes])
    assert sorted(ids.tolist()) == sorted(dataset.samples.ids.tolist())
    batch = Batches(dataset.split("train"), 4, 0).batch(0)
    assert batch.inputs.shape == (4, 8, 8, 1)


def test_a_batch_of_a_memory_mapped_data_set_can_be_written_to(tmp_path):
    """The file must not change when a method changes a batch in place."""
    prepare(DataConfig(source="digits", limit=100), 0, tmp_path)
    before = (tmp_path / "images.bin").read_bytes()
    batch = Batches(Dataset(tmp_path).samples, 4, 0).batch(0)
    batch.inputs.zero_()
    assert int(batch.inputs.sum()) == 0
    assert (tmp_path / "images.bin").read_bytes() == before

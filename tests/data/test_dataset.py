"""Batches are a pure function of (seed, step), shared evenly by ranks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from bessemer.data.config import AugmentConfig, DataConfig
from bessemer.data.dataset import Batch, Batches, Dataset, Samples
from bessemer.data.image import IMAGE
from bessemer.data.order import Order
from bessemer.data.rows import View
from bessemer.prepare.prepare import prepare

AUGMENT = IMAGE.augmenter(AugmentConfig(crop=2, flip="horizontal", rotate=10), {})


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


# --- prepared data sets ---------------------------------------------------------------------------------

QUICK = {"label_check": {"folds": 0}}
DIGITS = DataConfig(source="digits", limit=200, **QUICK)


def test_a_prepared_data_set_gives_its_splits(out):
    about = prepare(DIGITS, 0, out, workers=1)
    dataset = Dataset(out)
    assert dataset.about == about
    sizes = {name: len(dataset.split(name)) for name in ("train", "validation", "test")}
    assert sizes == about["splits"]
    ids = np.concatenate([dataset.split(name).ids for name in sizes])
    assert sorted(ids.tolist()) == sorted(dataset.samples.ids.tolist())
    for name in sizes:
        some, places = dataset.split(name), dataset.positions(name)
        assert isinstance(some.inputs, View)  # on disk until it is asked for
        np.testing.assert_array_equal(some.inputs[:], dataset.samples.inputs[places])
        np.testing.assert_array_equal(some.labels, dataset.samples.labels[places])
    batch = Batches(dataset.split("train"), 4, 0).batch(0)
    assert batch.inputs.shape == (4, 8, 8, 1)


def test_a_batch_of_a_memory_mapped_data_set_can_be_written_to(out):
    """The file must not change when a method changes a batch in place."""
    prepare(DIGITS, 0, out, workers=1)
    before = (out / "inputs" / "00000.bin").read_bytes()
    batch = Batches(Dataset(out).samples, 4, 0).batch(0)
    batch.inputs.zero_()
    assert int(batch.inputs.sum()) == 0
    assert (out / "inputs" / "00000.bin").read_bytes() == before


@pytest.mark.faults
@pytest.mark.parametrize("name", ["labels", "ids", "sources", "split"])
def test_an_array_that_holds_a_pickle_is_refused_unread(out: Path, tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"

    class Hostile:
        def __reduce__(self) -> tuple:
            return Path.touch, (canary,)

    prepare(DIGITS, 0, out, workers=1)
    np.save(out / f"{name}.npy", np.array([Hostile()], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        Dataset(out)
    assert not canary.exists()


def test_samples_chosen_twice_are_the_choice_of_the_choice():
    every = samples()
    first, second = np.arange(29, 3, -2), np.array([4, 0, 4])
    some, now = every.select(first).select(second), every.at(first[second])
    np.testing.assert_array_equal(some.inputs[:], now.inputs)
    np.testing.assert_array_equal(some.labels, now.labels)
    np.testing.assert_array_equal(some.ids, now.ids)


@pytest.fixture
def texts(tmp_path, out, make_texts) -> Dataset:
    for topic, name in enumerate("ab"):
        make_texts(tmp_path / "set" / name, 15, topic, words=12 + 60 * topic, topic=4 * topic)
    text = {"boilerplate": 0.0, "tokenizer": {"vocabulary": 400}}
    prepare(DataConfig(source="text_folder", path=str(tmp_path / "set"), text=text, **QUICK), 0, out, workers=1)
    return Dataset(out)


@pytest.fixture
def sounds(tmp_path, out, make_sounds) -> Dataset:
    for seed, name in enumerate("ab"):
        make_sounds(tmp_path / "set" / name, 12, seed)
    audio = {"rate": 8000, "seconds": 0.3, "mels": 16}
    prepare(DataConfig(source="audio_folder", path=str(tmp_path / "set"), audio=audio, **QUICK), 0, out, workers=1)
    return Dataset(out)


def test_batches_of_texts_are_tokens_padded_to_the_longest(texts: Dataset) -> None:
    train, places = texts.split("train"), texts.positions("train")
    batches = Batches(train, 6, 0, texts.augmenter(AugmentConfig()))
    positions, _ = batches.order.batch(2)
    batch = batches.batch(2)
    rows = [texts.samples.inputs[int(places[position])] for position in positions]
    assert batch.inputs.dtype == torch.int32
    assert batch.inputs.shape == (6, max(map(len, rows)))
    for found, wanted in zip(batch.inputs.tolist(), rows, strict=True):
        assert found == wanted.tolist() + [0] * (len(found) - len(wanted))


def test_masking_tokens_changes_only_what_it_masks(texts: Dataset) -> None:
    train = texts.split("train")
    plain = Batches(train, 6, 0, texts.augmenter(AugmentConfig())).batch(0).inputs
    masked = Batches(train, 6, 0, texts.augmenter(AugmentConfig(token_mask=0.3))).batch(0).inputs
    changed = plain != masked
    assert 0.15 < changed[plain != 0].float().mean() < 0.45
    assert (masked[changed] == texts.about["mask"]).all()
    assert not changed[plain == 0].any()


def test_texts_are_read_by_position_and_split(texts: Dataset, rows_of, out: Path) -> None:
    kept = [row for row in rows_of(out) if row["state"] == "kept"]
    every = [(out.parent / "set" / row["origin"]).read_text().strip() for row in kept]
    assert [texts.text(position) for position in range(30)] == every
    test, places = texts.texts("test"), texts.positions("test")
    assert [*test] == [every[place] for place in places]
    assert test[1:3] == [every[place] for place in places[1:3]]
    assert texts.names(places) == [kept[place]["origin"] for place in places]
    assert texts.show(3) == {"image": None, "text": every[3] if len(every[3]) <= 280 else every[3][:280] + " …"}


def test_batches_of_sounds_are_clips_of_16_bits(sounds: Dataset) -> None:
    train = sounds.split("train")
    batches = Batches(train, 4, 0, sounds.augmenter(AugmentConfig()))
    positions, _ = batches.order.batch(1)
    found = batches.batch(1).inputs
    assert (found.dtype, found.shape) == (torch.int16, (4, 2400))
    np.testing.assert_array_equal(found.numpy(), train.inputs[positions])
    louder = Batches(train, 4, 0, sounds.augmenter(AugmentConfig(gain_db=12))).batch(1).inputs
    assert louder.dtype == torch.int16
    assert not torch.equal(louder, found)
    assert sounds.show(0)["image"].startswith("data:image/png")


@pytest.mark.parametrize("world", [1, 2])
def test_sources_are_seen_as_often_as_their_weights_say(tmp_path, out, world, make_images) -> None:
    """From the recipe's `also` to the batches, over the training split."""
    for name in "ab":
        make_images(tmp_path / "main" / name, 20, ord(name))
        make_images(tmp_path / "more" / name, 10, 7 * ord(name))
    also = [{"source": "image_folder", "path": str(tmp_path / "more"), "weight": 2.5}]
    config = DataConfig(source="image_folder", path=str(tmp_path / "main"), weight=0.5, also=also, **QUICK)
    prepare(config, 0, out, workers=1)
    dataset = Dataset(out)
    train = dataset.split("train")
    counts = np.bincount(train.sources)
    batches = Batches(train, 4, 0, weights=dataset.weights)
    length = batches.order.n
    assert length == round(0.5 * counts[0]) + round(2.5 * counts[1])
    source_of = dict(zip(train.ids.tolist(), train.sources.tolist(), strict=True))
    steps = [batches.batch(step, rank, world) for step in range(length) for rank in range(world)]
    ids = np.concatenate([batch.ids for batch in steps]).tolist()  # four epochs
    for epoch in range(4):
        seen = Counter(source_of[number] for number in ids[epoch * length : (epoch + 1) * length])
        assert seen == {0: round(0.5 * counts[0]), 1: round(2.5 * counts[1])}
        times = Counter(number for number in ids[epoch * length : (epoch + 1) * length])
        assert {times[number] for number, source in source_of.items() if source == 1} <= {2, 3}
        assert {times[number] for number, source in source_of.items() if source == 0} <= {0, 1}
    assert len(set(ids)) > 0.85 * len(source_of)  # other halves of the first source in each epoch
    labels = dict(zip(train.ids.tolist(), train.labels.tolist(), strict=True))
    assert all(labels[i] == t for batch in steps for i, t in zip(batch.ids.tolist(), batch.targets, strict=True))


def test_small_batches_in_memory_are_made_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = np.arange(40, dtype=np.float32).reshape(20, 2)
    samples = Samples(inputs, np.arange(20), np.arange(20, dtype=np.uint64))
    changed = Batches(samples, 8, 0, lambda inputs, ids, epochs, seed: inputs)
    expected = list(changed.from_step(1, 5))
    large = Batches(Samples(np.zeros((20, 1 << 16), np.float32), samples.labels, samples.ids), 8, 0)
    monkeypatch.setattr("bessemer.data.dataset.ThreadPoolExecutor", None)
    for one, other in zip(Batches(samples, 8, 0).from_step(1, 5), expected, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)
        assert one.step == other.step
    for batches in (changed, large):
        with pytest.raises(TypeError, match="not callable"):
            next(batches.from_step(1, 5))

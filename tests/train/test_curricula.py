"""Progressive resizing, warm-up of sequences and of batches against slow references."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.errors import UsageError
from bessemer.model.gpt.network import GPT
from bessemer.runtime import SILENT, Progress, Runtime
from bessemer.task.classify.objective import Classify
from bessemer.task.language.objective import Language
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import fit
from bessemer.train.methods.batch_warmup import BatchWarmupConfig
from bessemer.train.methods.resizing import ResizingConfig
from bessemer.train.methods.resizing.hooks import MULTIPLE, Resizing, resize_images, side_at
from bessemer.train.methods.sequence_warmup import SequenceWarmupConfig
from bessemer.train.methods.sequence_warmup.hooks import SequenceWarmup, cut_windows, parts_at

# --- resizing -------------------------------------------------------------------------------------------


def slow_resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Means over the pixels that each new one touches, (H, W, C) to (height, width, C)."""
    out = np.empty((height, width, image.shape[2]))
    for y in range(height):
        for x in range(width):
            rows = slice(y * image.shape[0] // height, math.ceil((y + 1) * image.shape[0] / height))
            columns = slice(x * image.shape[1] // width, math.ceil((x + 1) * image.shape[1] / width))
            out[y, x] = image[rows, columns].mean((0, 1))
    return out


@pytest.mark.parametrize("size", [(4, 4), (6, 5), (8, 7), (1, 3)])
def test_resized_images_equal_means_over_areas(size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 7, 3), dtype=np.uint8)
    found = resize_images(torch.from_numpy(images), *size)
    assert found.dtype == torch.uint8
    assert found.is_contiguous()
    for one, image in zip(found.numpy(), images, strict=True):
        assert np.abs(one - slow_resize(image, *size)).max() <= 0.5 + 1e-4


def test_floats_stay_floats() -> None:
    found = resize_images(torch.tensor([1.0, 2, 3, 4]).reshape(1, 2, 2, 1), 1, 1)
    assert found.tolist() == [[[[2.5]]]]


@given(side=st.integers(8, 300), start=st.floats(0.1, 0.9), until=st.floats(0.05, 0.95), sizes=st.integers(1, 8))
def test_sides_rise_in_few_steps_to_full_size(side: int, start: float, until: float, sizes: int) -> None:
    config, steps = ResizingConfig(start=start, until=until, sizes=sizes), 200
    found = [side_at(config, side, step, steps) for step in range(steps)]
    assert found == sorted(found)
    assert set(found[math.ceil(until * steps) :]) <= {side}
    assert len(set(found)) <= sizes + 1
    assert all(one == side or one % MULTIPLE == 0 for one in found)
    assert abs(found[0] - start * side) <= MULTIPLE


def test_each_size_is_held_as_long() -> None:
    config = ResizingConfig(start=0.5, until=0.8, sizes=4)
    found = [side_at(config, 64, step, 100) for step in range(100)]
    assert [found.count(side) for side in (32, 40, 48, 56, 64)] == [20, 20, 20, 20, 20]


@pytest.mark.parametrize("world", [2, 4])
def test_resizing_a_share_is_a_share_of_the_resized_batch(world: int, samples: Samples) -> None:
    batches, method = Batches(samples, 16, 0), Resizing(ResizingConfig(), 10)
    whole = method.batch(batches.batch(2))
    assert whole.inputs.shape == (16, 4, 4, 1)
    parts = [method.batch(batches.batch(2, rank, world)).inputs for rank in range(world)]
    assert torch.equal(torch.cat(parts), whole.inputs)
    last = batches.batch(9)
    assert method.batch(last) is last


def test_resizing_refuses_what_it_cannot_shrink(samples: Samples) -> None:
    tokens = Batch(torch.zeros(4, 8, dtype=torch.int32), torch.zeros(4, dtype=torch.int64), np.arange(4), 0)
    with pytest.raises(UsageError, match="not images"):
        Resizing(ResizingConfig(), 10).batch(tokens)
    with pytest.raises(UsageError, match="changes nothing") as caught:
        Resizing(ResizingConfig(start=0.95), 10).batch(Batches(samples, 16, 0).batch(0))
    assert "train.resizing.start" in caught.value.remedy


# --- sequences ------------------------------------------------------------------------------------------


def windows(count: int = 4, length: int = 16, step: int = 0, first: int = 8) -> Batch:
    tokens = torch.arange(count * length, dtype=torch.int64).reshape(count, length)
    return Batch(tokens, tokens + 1, np.arange(count, dtype=np.uint64), step, first)


def test_cut_windows_hold_the_same_tokens_in_order_each_with_its_target() -> None:
    batch = windows()
    cut = SequenceWarmup(SequenceWarmupConfig(doublings=2, until=0.5), 10).batch(batch)
    assert cut.inputs.shape == (16, 4)
    for row in range(16):
        source, start = divmod(row, 4)
        assert cut.inputs[row].tolist() == batch.inputs[source, 4 * start : 4 * start + 4].tolist()
        assert cut.targets[row].tolist() == [token + 1 for token in cut.inputs[row].tolist()]
        assert cut.ids[row] == batch.ids[source]
    assert cut.first == 4 * batch.first
    assert torch.equal(cut_windows(batch.inputs, 1), batch.inputs)


@given(doublings=st.integers(1, 6), until=st.floats(0.05, 0.95))
def test_parts_are_halved_to_one(doublings: int, until: float) -> None:
    config = SequenceWarmupConfig(doublings=doublings, until=until)
    found = [parts_at(config, step, 400) for step in range(400)]
    assert found == sorted(found, reverse=True)
    assert set(found) == {2**level for level in range(doublings + 1)}
    assert set(found[math.ceil(until * 400) :]) == {1}


def test_shares_of_cut_windows_put_together_are_the_cut_batch() -> None:
    method, batch = SequenceWarmup(SequenceWarmupConfig(), 10), windows(first=0)
    whole = method.batch(batch)
    halves = [
        method.batch(Batch(batch.inputs[part], batch.targets[part], batch.ids[part], 0, part.start))
        for part in (slice(0, 2), slice(2, 4))
    ]
    assert torch.equal(torch.cat([half.inputs for half in halves]), whole.inputs)
    assert halves[1].first == len(halves[0].inputs)


def test_sequence_warmup_refuses_documents_and_lengths_without_equal_parts(samples: Samples) -> None:
    method = SequenceWarmup(SequenceWarmupConfig(doublings=2), 10)
    documents = Batch(torch.zeros(4, 8, dtype=torch.int32), torch.zeros(4, dtype=torch.int64), np.arange(4), 0)
    with pytest.raises(UsageError, match="running text"):
        method.batch(documents)
    with pytest.raises(UsageError, match="windows of 18 tokens") as caught:
        method.batch(windows(length=18))
    assert "multiple of 4" in caught.value.remedy


# --- batches --------------------------------------------------------------------------------------------

GROWING = TrainConfig(
    epochs=4,
    batch_size=16,
    ghost_batch=4,
    batch_warmup=BatchWarmupConfig(doublings=2, until=0.5),
    optimizer=OptimizerConfig(learning_rate=0.05),
    precision="fp32",
)


def test_batches_grow_over_even_shares_of_the_samples(
    make_model: Callable[..., nn.Module], samples: Samples, task: Classify
) -> None:
    seen: dict[int, list[int]] = {}

    class Watched(Batches):
        def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
            found = super().batch(step, rank, world)
            seen[step] = [int(one) for one in found.ids]
            return found

    fit(make_model(), task, Watched(samples, 16, 0), GROWING)
    # Half of 4 x 48 samples: 48 in batches of 4, 48 in batches of 8; the other half in batches of 16.
    assert [len(seen[step]) for step in range(len(seen))] == [4] * 12 + [8] * 6 + [16] * 6
    every = [one for step in range(len(seen)) for one in seen[step]]
    for epoch in range(4):
        assert sorted(every[48 * epoch : 48 * epoch + 48]) == sorted(samples.ids.tolist())


def test_batches_that_grow_are_shared_from_the_first_on(
    samples: Samples, model: nn.Module, task: Classify
) -> None:
    with pytest.raises(UsageError, match="a batch of 4 does not give 2 process") as caught:
        fit(model, task, Batches(samples, 16, 0), GROWING, runtime=Runtime(world=2))
    assert "a multiple of 32" in caught.value.remedy
    GROWING.model_copy(update={"batch_size": 32}).check_processes(2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 20, "batch_warmup": {"doublings": 3}}, "make it a multiple of 8"),
        ({"batch_size": 64, "accumulate": 2, "batch_warmup": {"doublings": 1}}, "make it a multiple of 128"),
        ({"resizing": {}, "sequence_warmup": {}}, "set one of them to null"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig(**settings)


# --- whole runs of a decoder ----------------------------------------------------------------------------


def decoder_after(
    work: Path | None = None, progress: Progress = SILENT, **settings: Any
) -> dict[str, torch.Tensor]:
    """The weights of a small GPT after six steps on windows of 16 tokens."""
    generator = np.random.default_rng(0)
    text = generator.integers(0, 30, (24, 17))
    rows = Samples(text[:, :-1].astype(np.int32), text[:, 1:], np.arange(24, dtype=np.uint64))
    torch.manual_seed(0)
    model = GPT(30, 16, 2, 4, 24, 0.0, 16)
    optimizer = OptimizerConfig(name="adamw")
    config = TrainConfig(epochs=2, batch_size=8, ghost_batch=2, optimizer=optimizer, precision="fp32", **settings)
    config = config.model_copy(update={"checkpoint_seconds": 1e-9})
    batches = Batches(rows, 8, 0, lambda inputs, ids, epochs, seed: inputs)
    fit(model, Language(), batches, config, work=work, progress=progress)
    return model.state_dict()


@pytest.mark.parametrize(
    "settings",
    [
        {"sequence_warmup": {"doublings": 2, "until": 0.7}},
        {"stochastic_depth": 0.5},
        {"sequence_warmup": {"doublings": 1}, "stochastic_depth": 0.5, "accumulate": 2},
        {"lora": {"rank": 2, "layers": ["query_key_value", "up"]}},
    ],
)
def test_a_decoder_learns_otherwise_and_goes_on_to_the_same_bits(
    settings: dict[str, Any], tmp_path: Path, notes: Any
) -> None:
    def at_step(step: int) -> None:
        if step == 4:
            raise InterruptedError

    whole = decoder_after(**settings)
    with pytest.raises(InterruptedError):
        decoder_after(tmp_path, notes(at_step), **settings)
    resumed = decoder_after(tmp_path, **settings)
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
    without = decoder_after(accumulate=settings.get("accumulate", 1))
    assert whole.keys() == without.keys()
    assert not all(torch.equal(without[name], tensor) for name, tensor in whole.items())

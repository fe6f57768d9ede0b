"""What torch users have at hand becomes samples, or is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, WeightedRandomSampler

from bessemer.data.dataset import Batches, Samples
from bessemer.data.given import Items, batch_size_of, inputs_of, samples_of
from bessemer.draws import mix
from bessemer.errors import BessemerError, DataError, UsageError

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])
IDS = mix(np.arange(6, dtype=np.uint64))
SET = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


class Pairs(Dataset[Any]):
    """A map-style data set that counts what is read of it."""

    def __init__(self, shapes: Any = ((2,),) * 6) -> None:
        self.shapes, self.read = shapes, 0

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        self.read += 1
        return torch.full(self.shapes[place], float(place)), int(Y[place])


class Endless(IterableDataset[Any]):
    """A data set without positions."""

    def __iter__(self) -> Any:
        return iter(SET)


@pytest.mark.parametrize(
    "data",
    [
        (X, Y),
        (torch.from_numpy(X), torch.from_numpy(Y)),
        (X.tolist(), Y.tolist()),
        [X, Y],
        (X.astype(np.float64), Y.astype(np.int32)),
        (torch.from_numpy(X).bfloat16().requires_grad_(), Y.astype(np.uint8)),
        (X.astype(">f4"), Y[:, None]),
        SET,
        DataLoader(SET, 4, shuffle=True),
        Samples(torch.from_numpy(X), torch.from_numpy(Y), IDS),  # type: ignore[arg-type]
        Batches(Samples(X, Y, IDS), 4, 0),
    ],
)
def test_all_of_these_are_the_same_samples(data: Any) -> None:
    samples = samples_of(data)
    assert samples.inputs.dtype == np.float32
    np.testing.assert_array_equal(samples.inputs, X)
    assert samples.labels.dtype == np.int64
    np.testing.assert_array_equal(samples.labels, Y)
    np.testing.assert_array_equal(samples.ids, IDS)
    batch = Batches(samples, 3, 0).batch(0)
    assert (batch.inputs.dtype, batch.targets.dtype, tuple(batch.inputs.shape)) == (
        torch.float32,
        torch.int64,
        (3, 2),
    )


def test_a_map_style_set_is_read_when_it_is_asked_for() -> None:
    pairs = Pairs()
    samples = samples_of(pairs)
    assert pairs.read == 7  # labels once, and one input for its shape
    np.testing.assert_array_equal(samples.labels, Y)
    assert isinstance(samples.inputs, Items)
    np.testing.assert_array_equal(samples.inputs[np.array([4, 1])], [[4, 4], [1, 1]])
    np.testing.assert_array_equal(samples.inputs[5], [5, 5])
    assert pairs.read == 10
    assert np.asarray(samples.inputs).shape == samples.inputs.shape == (6, 2)
    assert samples.select(np.array([2, 3])).inputs[0].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("labels", "dtype", "expected"),
    [
        (np.array([True, False]), np.int64, [1, 0]),
        (np.array([0.5, 1.5]), np.float32, [0.5, 1.5]),
        (np.array([[0.5], [1.5]]), np.float32, [[0.5], [1.5]]),  # as outputs (N, 1) want it
        (np.array([[3], [4]], np.uint16), np.int64, [3, 4]),
        (np.array([[3, 1], [4, 1]]), np.int64, [[3, 1], [4, 1]]),  # tokens
        (torch.tensor([0.5, 1.5], dtype=torch.float64), np.float32, [0.5, 1.5]),
    ],
)
def test_labels_are_whole_numbers_or_floats(labels: Any, dtype: Any, expected: Any) -> None:
    found = samples_of((X[:2], labels)).labels
    assert found.dtype == dtype
    assert found.tolist() == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.bool_])
def test_whole_inputs_keep_their_type(dtype: Any) -> None:
    assert samples_of((X.astype(dtype), Y)).inputs.dtype == dtype


@pytest.mark.parametrize(
    ("data", "error", "told"),
    [
        ((X, Y[:4]), DataError, "x has 6 samples and y 4"),
        ((X[:0], Y[:0]), DataError, "no samples"),
        (Pairs(()), DataError, "no samples"),
        ((X, ["cat"] * 6), DataError, "y holds <U3 values"),
        (([[1.0], [1.0, 2.0]], [0, 1]), DataError, "x has rows of different lengths"),
        ((X, 1), DataError, "y is a single number"),
        ((X, np.array([2**64 - 1] * 6, np.uint64)), DataError, "too large"),
        (samples_of(Pairs(((2,),) * 5 + ((3,),))), DataError, r"item 5 has the shape \(3,\)"),
        ((X, Y, Y), UsageError, "tuple of 3"),
        (X, UsageError, "ndarray, which has no targets"),
        (torch.from_numpy(X), UsageError, "Tensor, which has no targets"),
        ("folder", UsageError, "data is a str"),
        ({"x": X, "y": Y}, UsageError, "data is a dict"),
        (None, UsageError, "data is a NoneType"),
        (TensorDataset(torch.from_numpy(X)), UsageError, "item 0 of TensorDataset is of 1 parts"),
        (Endless(), UsageError, "Endless is an IterableDataset"),
        (DataLoader(Endless(), 4), UsageError, "Endless is an IterableDataset"),
        (DataLoader(SET, 4, sampler=WeightedRandomSampler([1.0] * 6, 6)), UsageError, "WeightedRandomSampler"),
        (DataLoader(SET, batch_sampler=[[0, 1]]), UsageError, "batches by a sampler of its own"),
        (DataLoader(SET, 4, collate_fn=lambda rows: rows), UsageError, "collate_fn of its own"),
    ],
)
def test_what_cannot_be_taken_is_named_with_a_remedy(data: Any, error: type[BessemerError], told: str) -> None:
    with pytest.raises(error, match=told) as caught:
        np.asarray(samples_of(data).inputs)
    assert caught.value.remedy


def test_inputs_alone_are_a_tensor_as_it_is_an_array_whole_or_some_of_the_data() -> None:
    double = torch.from_numpy(X).double()
    assert inputs_of(double, 2) is double
    np.testing.assert_array_equal(inputs_of(X.astype(np.float64), 2), torch.from_numpy(X))
    for data in ((X, Y), SET, DataLoader(SET, 4), Pairs()):
        rows = inputs_of(data, 3)
        assert rows.dtype == torch.float32
        np.testing.assert_array_equal(rows, samples_of(data).inputs[np.array([0, 2, 4])])
    np.testing.assert_array_equal(inputs_of((X, Y), 100), X)


def test_loaders_and_batches_bring_their_batch_size() -> None:
    assert batch_size_of(DataLoader(SET, 4)) == 4
    assert batch_size_of(Batches(samples_of(SET), 3, 0)) == 3
    assert batch_size_of((X, Y)) is None

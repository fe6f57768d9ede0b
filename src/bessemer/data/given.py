"""Data as torch users have it at hand, as the samples that all rooms work on.

Pairs of tensors or arrays are taken as they are. A map-style data set stays where it is and is read item by item,
so that one which does not fit into memory is no trouble; only its labels are read once, in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
)

from bessemer.data.dataset import Batches, Samples
from bessemer.data.rows import Index, positions
from bessemer.draws import mix
from bessemer.errors import DataError, UsageError

TAKEN = (
    "give (x, y) of tensors, arrays or lists, a torch Dataset of (x, y) pairs, a DataLoader of one, "
    "or bessemer's Samples or Batches"
)
NUMBER = "give numbers; text and categories first need numbers of their own"


def samples_of(data: Any) -> Samples:
    """What a caller has at hand, as samples: inputs, labels, and ids that follow from positions.

    `data` is a pair (x, y) of tensors, arrays or lists; a map-style Dataset of such pairs; a DataLoader, whose
    data set is taken; Samples, or Batches, whose samples are taken. Inputs (N, ...) become float32 where they are
    floats of any width, and keep their type where they are whole numbers. Labels become int64 where they are whole
    numbers or truth values, and float32 where they are floats. Whole numbers (N, 1) become (N,); floats (N, 1)
    stay, as a loss compares them with outputs (N, 1).

    Raises UsageError where `data` is of another kind, DataError where it is empty, x and y differ in length, or
    they hold no numbers.
    """
    if isinstance(data, Batches):
        return samples_of(data.samples)
    if isinstance(data, Samples):
        return _checked(Samples(_inputs(data.inputs), _labels(data.labels), _ids(data.ids), data.sources))
    if isinstance(data, DataLoader):
        return samples_of(_dataset_of(data))
    if isinstance(data, TensorDataset) and len(data.tensors) == 2:
        return samples_of(tuple(data.tensors))
    if isinstance(data, tuple | list):
        if len(data) != 2:
            raise UsageError(f"data is a {type(data).__name__} of {len(data)}, not a pair (x, y)", TAKEN)
        inputs, labels = _inputs(data[0]), _labels(data[1])
        return _checked(Samples(inputs, labels, mix(np.arange(len(inputs), dtype=np.uint64))))
    return _checked(_samples_of_items(data))


def inputs_of(data: Any, most: int) -> torch.Tensor:
    """Inputs (n, ...) alone, as a network takes them, from whatever a caller has at hand.

    A tensor is taken as it is, and an array whole. Of data that `samples_of` takes, at most `most` inputs are
    read, evenly spread, so that data in the order of its classes gives some of each.
    """
    if isinstance(data, torch.Tensor):
        return data
    if isinstance(data, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(_inputs(data)))
    samples = samples_of(data)
    count = min(most, len(samples))
    places = np.arange(count, dtype=np.int64) * len(samples) // count
    return torch.from_numpy(np.ascontiguousarray(samples.inputs[places]))


def batch_size_of(data: Any) -> int | None:
    """The batch size that comes with a DataLoader or Batches; None where the data says none."""
    if isinstance(data, Batches):
        return int(data.order.batch_size)
    size: int | None = data.batch_size if isinstance(data, DataLoader) else None
    return size


class Items:
    """The inputs of a map-style data set of (x, y) pairs, read when they are asked for; all are of one shape.

    What the data set changes at random it changes anew at each reading, with numbers of its own.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        first = _for_networks(_input_of(dataset, 0))
        self.shape: tuple[int, ...] = (len(dataset), *first.shape)
        self.dtype = first.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Index) -> NDArray[Any]:
        if isinstance(index, (int, np.integer)):
            one: NDArray[Any] = self[np.array([index])][0]
            return one
        places = positions(index, len(self))
        out = np.empty((len(places), *self.shape[1:]), self.dtype)
        for row, place in enumerate(places.tolist()):
            value = _input_of(self.dataset, place)
            if value.shape != self.shape[1:]:
                problem = f"item {place} has the shape {value.shape}, and item 0 {self.shape[1:]}"
                raise DataError(problem, "bring all inputs to one shape, for example by padding")
            out[row] = value
        return out

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[place] for place in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


def _samples_of_items(dataset: Any) -> Samples:
    """Samples of a map-style data set, its labels read once."""
    name = type(dataset).__name__
    if isinstance(dataset, IterableDataset):
        problem = f"{name} is an IterableDataset: it has no positions, so neither order nor resuming can be kept"
        raise UsageError(
            problem, "give a map-style Dataset (with __len__ and __getitem__), or its items as arrays"
        )
    can_be_read = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    not_items = isinstance(dataset, str | Mapping | np.ndarray | torch.Tensor)
    if not_items or not (can_be_read or isinstance(dataset, Dataset)):
        raise UsageError(f"data is a {name}, which has no targets beside inputs", TAKEN)
    try:
        count = len(dataset)
    except (TypeError, NotImplementedError) as error:
        raise UsageError(f"{name} does not say how many items it has", "give it __len__") from error
    if not count:
        raise DataError("the data has no samples", "give at least one pair of x and y")
    labels = default_collate([_pair(dataset, place)[1] for place in range(count)])
    return Samples(Items(dataset), _labels(labels), mix(np.arange(count, dtype=np.uint64)))


def _dataset_of(loader: DataLoader[Any]) -> Any:
    """The data set of a loader; what the loader does besides is refused where it would be lost."""
    if isinstance(loader.dataset, IterableDataset):
        return loader.dataset
    if loader.batch_size is None or not isinstance(loader.sampler, RandomSampler | SequentialSampler):
        problem = f"the DataLoader chooses samples by a {type(loader.sampler).__name__}, which would not be used"
        if loader.batch_size is None:
            problem = "the DataLoader makes its batches by a sampler of its own, which would not be used"
        raise UsageError(problem, "give the data set of the samples that are to be learned from")
    if loader.collate_fn is not default_collate:
        problem = "the DataLoader has a collate_fn of its own, which would not be used"
        raise UsageError(problem, "give a Dataset whose items are ready, or (x, y) as arrays")
    return loader.dataset


def _pair(dataset: Any, place: int) -> tuple[Any, Any]:
    item = dataset[place]
    if not isinstance(item, tuple | list) or len(item) != 2:
        told = f"of {len(item)} parts" if isinstance(item, tuple | list) else f"a {type(item).__name__}"
        raise UsageError(f"item {place} of {type(dataset).__name__} is {told}, not a pair (x, y)", TAKEN)
    return item[0], item[1]


def _input_of(dataset: Any, place: int) -> NDArray[Any]:
    return _array(_pair(dataset, place)[0], "x")


def _inputs(values: Any) -> Any:
    """Inputs as an array of a type that networks take; rows on disk stay where they are."""
    return values if _is_rows(values) else _for_networks(_column(values, "x"))


def _for_networks(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype in (np.uint16, np.uint32, np.uint64):  # torch computes with few of these
        return array.astype(np.int64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _labels(values: Any) -> NDArray[Any]:
    """Labels as int64 or float32; rows on disk stay where they are."""
    if _is_rows(values):
        return cast("NDArray[Any]", values)
    array = _column(values, "y")
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise DataError(f"y holds {int(array.max())}, which is too large for a label", "number the classes from 0")
    whole: NDArray[Any] = array.astype(np.int64, copy=False)
    return whole.reshape(-1) if whole.ndim == 2 and whole.shape[1] == 1 else whole


def _ids(values: Any) -> NDArray[np.uint64]:
    return _column(values, "ids").astype(np.uint64, copy=False)


def _is_rows(values: Any) -> bool:
    """Whether values are rows on disk or the like, which are read by position."""
    whole = isinstance(values, np.ndarray | torch.Tensor | list | tuple | str | Mapping)
    return not whole and not hasattr(values, "to_numpy") and hasattr(values, "__getitem__")


def _column(values: Any, name: str) -> NDArray[Any]:
    """Values of all samples as an array (N, ...)."""
    array = _array(values, name)
    if not array.ndim:
        raise DataError(f"{name} is a single number", "give one row for each sample")
    return array


def _array(values: Any, name: str) -> NDArray[Any]:
    """A tensor, array or list as an array of numbers."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        problem = f"{name} has rows of different lengths"
        raise DataError(problem, "bring them to one shape, for example by padding") from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {array.dtype} values, not numbers", NUMBER)
    return array


def _checked(samples: Samples) -> Samples:
    """The same samples; raises DataError where there are none, or inputs and labels do not go together."""
    if len(samples.inputs) != len(samples.labels):
        problem = f"x has {len(samples.inputs)} samples and y {len(samples.labels)}"
        raise DataError(problem, "give one y for each x, in the same order")
    if not len(samples.labels):
        raise DataError("the data has no samples", "give at least one pair of x and y")
    if len(samples.ids) != len(samples.labels):
        raise DataError(f"there are {len(samples.ids)} ids for {len(samples.labels)} samples", "give one id each")
    return samples

"""What a kind of data is: everything that other rooms ask of it, in one class with defaults.

A kind says how its files are recognized, read and cleaned; how samples are stored, shown and changed at random;
what makes two of them alike; what an exported file takes; which simple model stands beside the networks; and what
`init` writes. Everything outside of its folder is about rows, whatever they hold. A new kind is a new folder,
listed in `bessemer.data.kinds`; a stranger's is named in the recipe by its dotted path (docs/extend.md).

A kind is imported to read a recipe, so what is heavy is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bessemer.config import Config

if TYPE_CHECKING:
    from bessemer.data.boosting import Columns
    from bessemer.data.config import AugmentConfig, DataConfig, DedupConfig
    from bessemer.data.copies import I64, Payload, Search
    from bessemer.data.features import Features, Transform
    from bessemer.data.record import Cleaner
    from bessemer.data.rows import Rows
    from bessemer.data.starter import Plan

U64 = NDArray[np.uint64]
Augment = Callable[[NDArray[Any], U64, NDArray[np.int64], int], NDArray[Any]]  # inputs, ids, epochs, seed
Reader = Callable[[Any], NDArray[Any]]  # of a path; where `reads_cells`, of a cell's text or bytes too
RowsOf = Callable[[Path], "Iterator[ReadRow]"]
Settled = Mapping[str, Any]  # what a cleaner decided from a look at all rows


class Kept(Protocol):
    """The rows that are kept, in order, as preparation hands them over to be stored."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each row's payload."""

    @property
    def train(self) -> NDArray[np.int64]:
        """Places of the training samples."""

    def payloads(self, which: NDArray[np.int64] | None = None) -> Iterator[NDArray[np.uint8]]:
        """The bytes that the cleaner gave, of all rows or of some places."""


@dataclass(frozen=True)
class ReadRow:
    """One row of a file, counted from 1: what the model takes (D,), or why there is none; what is odd in it."""

    number: int
    inputs: NDArray[Any] | None
    cells: Mapping[str, Any]  # of all its columns
    odd: tuple[str, ...] = ()
    error: str = ""


class Line(Protocol):
    """A simple model as a torch module: what is fitted on its features is put into it."""

    def learn(self, inputs: Rows) -> Features:
        """Features of training inputs (N, ...), and what they need to know of them."""

    def measure(self, inputs: Rows) -> Features:
        """The same features of other inputs."""

    def take(self, weights: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
        """Give it the weights (K, F) and offsets (K,) that were fitted on these features."""


@dataclass(frozen=True)
class Simple:
    """The simple model on a kind's features: its name, and what a search for its strength may cost."""

    name: str
    strengths: tuple[float, ...] = (0.1, 1.0, 10.0)  # scikit-learn's C, from strict to free
    limit: int = 60_000  # samples that are trained on
    trials: int = 60_000  # samples that choose the strength
    budget: int | None = None  # of what `Kind.amounts` counts, in the samples that are trained on
    network: str = ""  # the name of the one that a network holds, where that is another


class Kind:
    """A kind of data, with what most of them share."""

    Settings: type[Config] = Config  # the keys of `data.settings`; those of our own kinds stand in `data`

    # --- words -------------------------------------------------------------------------------------------

    noun: str  # what samples are, in the plural
    unit = "values"  # of a sample's length
    sizes = "Lengths"  # the heading of their histogram
    tag = "other"  # how Hugging Face's hub names it, in `image-classification`
    example = "sample.bin"  # a raw file's name, where `predict` is explained

    # --- files and recipes -------------------------------------------------------------------------------

    sources: tuple[str, ...] = ()  # of recipes that hold nothing else
    suffixes: frozenset[str] = frozenset()  # that say that a file is of this kind
    readable: frozenset[str] | None = None  # those of them that can be read; None for all
    any_name = False  # files of any name may be of it
    decisive = False  # a few files of it decide what a folder holds, however many of other kinds describe them
    in_cells = True  # a table's cell holds a sample itself, not the name of a file or its bytes
    reads_cells = False  # `reader` takes what a table's cell holds beside paths: text where `in_cells`, else bytes
    whole_rows = False  # a sample is a row of a table: the cleaner gets cells by the names of their columns
    optimizer: str | None = None  # that suits its networks, where the recipe names none
    presets: Mapping[str, Mapping[str, Any]] = {}  # what `augment.preset` stands for

    def sniff(self, head: bytes) -> bool:
        """Whether a file is of this kind, from its first bytes."""
        return False

    def can_read(self, name: str) -> bool:
        """Whether a file's name is that of a file which `predict` can read."""
        suffix = Path(name).suffix.lower()
        known = self.suffixes if self.readable is None else self.readable
        return not name.startswith(".") if self.any_name else suffix in known

    def preset(self, name: str, size: tuple[int, int] | None) -> Mapping[str, Any] | None:
        """The settings that a preset stands for; `size` is the recipe's height and width."""
        return self.presets.get(name)

    # --- preparation -------------------------------------------------------------------------------------

    simple = Simple("logistic regression on the values")
    ragged = False  # samples differ in length: batches are padded with zeros

    def cleaner(self, config: DataConfig) -> Cleaner:
        """What reads, judges and mends raw rows."""
        raise NotImplementedError

    def search(
        self, signatures: U64, heads: I64, payload: Payload, config: DedupConfig, settled: Settled
    ) -> Search | None:
        """How near copies are met and judged; None where only exact copies count."""
        return None

    def related(self, kept: Kept) -> I64:
        """Pairs (P, 2) of places of kept rows that are parts or forms of one work, and stay in one split."""
        return np.empty((0, 2), np.int64)

    def finish(self, config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
        """Store the kept rows in shards; returns what `dataset.json` says of them.

        That is at least `inputs` (from bessemer.data.rows), `arguments` (of the network's builder) and
        `preprocess` (for `reader`); `files` names those that an exported folder needs beside these. Statistics
        come from the training split alone.
        """
        raise NotImplementedError

    def features(self, values: Any, arguments: Mapping[str, Any]) -> tuple[Features, Transform]:
        """Features of the training samples for a linear model, and the function that computes those of others.

        What is estimated (means, scales) comes from these samples alone. By default they are those of
        `simple_network`, and where there is none, the values as they are.
        """
        from bessemer.data.features import flat, standardized

        network = self.simple_network(np.shape(values[:1])[1:], arguments, 1, False)
        return (network.learn(values), network.measure) if network is not None else standardized(values, flat)

    def baseline_features(self, values: Any, arguments: Mapping[str, Any]) -> tuple[Features, Transform]:
        """The same for the baseline, where a kind spends more on it than on a look at the labels."""
        return self.features(values, arguments)

    def simple_network(
        self, shape: Sequence[int], arguments: Mapping[str, Any], outputs: int, classes: bool
    ) -> Line | None:
        """The simple model as a network that can ship, not yet fitted; None where the kind has none.

        It takes samples of this `shape`, as networks do, and gives logits of `classes`, or numbers, (B, outputs).
        `arguments` is what `dataset.json` says to the network. Of dense features bessemer.data.simple.Linear makes
        it.
        """
        return None

    def repeats(self, rows: int, distinct: int) -> bool:
        """Whether equal rows are samples that happen to be alike, not copies of one; asked for `whole_rows`."""
        return False

    def columns(self, values: Any, arguments: Mapping[str, Any]) -> Columns | None:
        """Samples as columns for gradient boosting, which then stands beside the linear model; None has none.

        Columns are float32 (N, D), not a number where a cell is missing; the mask bool (D,) says which of them are
        codes of categories. What is estimated must be in `arguments`, which is what `dataset.json` says.
        """
        return None

    def amounts(self, values: Sequence[Any]) -> NDArray[np.int64] | None:
        """How much of what `simple.budget` limits, such as characters, each sample has (N,)."""
        return None

    # --- batches -----------------------------------------------------------------------------------------

    def augmenter(self, config: AugmentConfig, about: Mapping[str, Any]) -> Augment:
        """The random changes that the settings ask for.

        The keys of `augment` are those of our own kinds; others are refused. A kind of someone else has its
        own in `data.settings`, and `finish` puts what is needed here into `about`.
        """
        return as_they_are

    # --- the exported file -------------------------------------------------------------------------------

    def reader(self, about: Mapping[str, Any], folder: Path) -> Reader:
        """A function from a raw file to inputs (n, ...), by the `preprocess.json` that stands in `folder`.

        They are the parts of one sample, whose answers are put together; of `whole_rows` each is a sample.
        """
        raise NotImplementedError

    def rows(self, about: Mapping[str, Any]) -> RowsOf:
        """A function from a file of rows to these, by `preprocess.json`, for `predict`; asked for `whole_rows`."""
        raise NotImplementedError

    alone: str | None = None  # the module whose source reads a raw file without bessemer, for the model card

    def steps(self, about: Mapping[str, Any]) -> list[str]:
        """What `reader` does to a raw file, in words and in order, by what `preprocess.json` says."""
        return []

    def ship(self, folder: Path, about: Mapping[str, Any], inputs: Rows) -> None:
        """Write what an exported folder has besides `model.onnx`, proven on the test split's `inputs`."""

    def tensor(self, about: Mapping[str, Any]) -> str:
        """The input of the exported file in words, from what `dataset.json` says."""
        return f"`inputs` is {about['inputs']['dtype']} (batch, {', '.join(map(str, about['inputs']['shape']))})."

    def random_inputs(self, about: Mapping[str, Any], batch: int) -> NDArray[Any]:
        """A batch of noise as the exported file takes it, from what `preprocess.json` says."""
        generator, dtype = np.random.default_rng(0), np.dtype(about["input"]["dtype"])
        shape = (batch, *about["input"]["shape"][1:])
        if dtype.kind == "f":
            return generator.standard_normal(shape).astype(dtype)
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)

    # --- telling -----------------------------------------------------------------------------------------

    drawn = False  # samples are shown as pictures, not in words

    def told(self, about: Mapping[str, Any]) -> str:
        """What the samples are, for the report, from what `dataset.json` says."""
        return self.noun

    def picture(self, value: Any, about: Mapping[str, Any]) -> NDArray[np.uint8]:
        """A sample as the model takes it, as a picture (H, W) or (H, W, C); asked for where `drawn`."""
        raise NotImplementedError

    def show(self, value: Any, about: Mapping[str, Any]) -> str:
        """A sample, of text its text: a picture as a data URI where `drawn`, else its beginning in words."""
        from bessemer.data.show import data_uri
        from bessemer.report.samples import excerpt

        return data_uri(self.picture(value, about)) if self.drawn else excerpt(str(value))

    def show_payload(self, payload: bytes, settled: Settled) -> str:
        """A cleaned sample from the bytes that are stored of it, likewise."""
        raise NotImplementedError

    def show_raw(self, head: bytes) -> str | None:
        """The beginning of a quarantined row's raw value, where it can be shown."""
        return None

    def words(self, folder: Path) -> Callable[[NDArray[Any]], str]:
        """What a sample as the model takes it says in words, for a preview where not `drawn`."""
        return str

    # --- a first recipe ----------------------------------------------------------------------------------

    def columns_of(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """What `data.columns` says of a table with these first rows; None where it holds none of this kind.

        Asked of kinds whose samples are `whole_rows`, where no column holds files or longer texts.
        """
        return None

    measures_texts = False  # `init` looks at lengths of clean samples, in place of the cleaner's looks

    def suited(self, config: DataConfig, rows: int) -> DataConfig:
        """The settings of data that suit so many rows."""
        return config

    def notes(self, settled: Settled) -> list[str]:
        """What a look at all rows decided or found that a user should know, in sentences."""
        return []

    def found(self, plan: Plan) -> str:
        """What `init` says of the samples."""
        return self.noun

    def starter(self, plan: Plan, out: Path) -> str:
        """A first recipe as commented YAML."""
        raise NotImplementedError


def as_they_are(inputs: NDArray[Any], ids: U64, epochs: NDArray[np.int64], seed: int) -> NDArray[Any]:
    """No random changes."""
    return inputs

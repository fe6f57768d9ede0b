"""What a skilled engineer has of prepared data in an hour, with scikit-learn and xz alone.

`strong` learns from the training and validation rows of a prepared data set and answers its test rows. Of each
kind of data the models below compete, on the validation rows (five folds where there are few), and the winner
learns from both splits. Nothing here is of bessemer's own simple models: it judges these, too.

- image: HOG and a histogram of colors; logistic regression, or trees
- audio: mean and deviation of MFCC and of their slopes; logistic regression, or trees
- text: TF-IDF of words and pairs, and of one to five characters; logistic regression
- table: gradient boosting; a linear model; trees
- language: xz, which has read all the training text
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.sparse import vstack
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from bessemer.data.blocks import blocks
from bessemer.data.dataset import Dataset
from bessemer.task.task import Records

F32 = NDArray[np.float32]
Models = dict[str, Callable[[], Any]]  # estimators of scikit-learn, by their names
CELLS, LEAST_CELL = 8, 4  # of a picture's longer side; pixels
DIRECTIONS, CLIPPED = 9, 0.2
COLORS = 4  # steps of each of three channels
WINDOW, HOP = 0.025, 0.010  # seconds
MELS, COEFFICIENTS = 40, 20
TREES, ROUNDS = 400, (50, 150, 400)
FEW = 2000  # rows, with fewer five folds choose
MOST = 10_000  # training rows that choose; all of them then teach the winner
CODES = 255  # that scikit-learn's boosting takes as categories
DICTIONARY = 1 << 28  # bytes that xz may look back


@dataclass(frozen=True)
class Strong:
    """A model's name, the headline measure on the test rows, and what it said of each, where it tells."""

    name: str
    value: float
    records: Records | None = None


def strong(dataset: Dataset, task: Any, seed: int) -> Strong:
    """The best of the simple models of this kind of data, on the test rows.

    `task` is one of bessemer's own, whose `value` measures what it would measure of a network.
    """
    if task.has_windows:
        return Strong("xz", xz_bits(dataset.texts("train"), dataset.texts("test")))
    train, held_out, test = (dataset.split(name) for name in ("train", "validation", "test"))
    parts = features(dataset)
    labels = [np.asarray(one.labels) for one in (train, held_out)]
    found, name = taught(models(dataset, task, seed), parts[:2], labels, seed)
    said = found.predict(parts[2])
    records = numbers_said(dataset, test, said) if task.has_numbers else classes_said(test, said)
    return Strong(name, task.value(records), records)


def classes_said(test: Any, said: NDArray[np.int64]) -> Records:
    """Records as the task classify makes them; nothing is known of how sure a model was."""
    return {"truth": np.asarray(test.labels), "decided": said.astype(np.int64), "confidence": np.ones(len(said))}


def numbers_said(dataset: Dataset, test: Any, said: NDArray[np.float64]) -> Records:
    """Records as the task regress makes them of one target."""
    truth = np.asarray(test.labels).reshape(len(said), -1)
    scale = np.ones(1) if truth.shape[1] == 1 else np.array([one["std"] for one in dataset.about["numbers"]])
    return {"truth": truth, "said": said.reshape(len(said), -1), "scale": scale}


# --- choosing -------------------------------------------------------------------------------------------------


def taught(candidates: Models, parts: list[Any], labels: list[NDArray[Any]], seed: int) -> tuple[Any, str]:
    """The best of some models, taught by (training, validation) rows together, and its name."""
    rows, target = stacked(parts), np.concatenate(labels)
    first = len(labels[0])
    numbers = np.random.default_rng(seed)
    if len(target) < FEW:
        folds, some = numbers.permutation(np.arange(len(target)) % 5), np.arange(len(target))
    else:
        teach = numbers.permutation(first)[:MOST]
        some = np.concatenate([teach, np.arange(first, len(target))])
        folds = np.where(np.arange(len(some)) < len(teach), -1, 0)
    scores = {
        name: cross_val_score(make(), rows[some], target[some], cv=PredefinedSplit(folds)).mean()
        for name, make in candidates.items()
    }
    best = max(scores, key=lambda name: scores[name])
    return candidates[best]().fit(rows, target), best


def stacked(parts: list[Any]) -> Any:
    """Rows of several splits below each other, dense or sparse."""
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else vstack(parts, "csr")


def models(dataset: Dataset, task: Any, seed: int) -> Models:
    """What competes on this kind of data."""
    kind = dataset.about["modality"]
    if kind == "table":
        return of_tables(dataset, task.has_numbers, seed)
    if kind == "text":
        return {
            f"TF-IDF, logistic regression C={c:g}": lambda c=c: one_against_rest(c, seed) for c in (1, 10, 100)
        }
    noun = {"image": "HOG and colors", "audio": "MFCC"}[kind]
    found: Models = {
        f"{noun}, logistic regression C={c:g}": lambda c=c: make_pipeline(StandardScaler(), logistic(c))
        for c in (0.0003, 0.001, 0.01, 0.1, 1)
    }
    return {**found, f"{noun}, trees": lambda: ExtraTreesClassifier(TREES, n_jobs=-1, random_state=seed)}


def logistic(strength: float) -> Any:
    """All classes at once."""
    return LogisticRegression(C=strength, tol=1e-3, max_iter=2000)


def one_against_rest(strength: float, seed: int) -> Any:
    """For sparse rows with far more features than rows: there the dual takes a third of the primal's time."""
    one = LogisticRegression(C=strength, solver="liblinear", dual=True, tol=0.1, max_iter=1000, random_state=seed)
    return OneVsRestClassifier(one)


def of_tables(dataset: Dataset, numbers: bool, seed: int) -> Models:
    """Boosting, trees, and a linear model on scaled numbers and categories as they stand in the columns."""
    _, mask = columns_of(dataset, "train")
    codes, plain = np.flatnonzero(mask), np.flatnonzero(~mask)

    def linear(model: Any) -> Any:
        filled = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
        named = make_pipeline(
            SimpleImputer(strategy="constant", fill_value=-1), OneHotEncoder(handle_unknown="ignore")
        )
        return make_pipeline(ColumnTransformer([("numbers", filled, plain), ("names", named, codes)]), model)

    few = mask & (np.nan_to_num(columns_of(dataset, "train")[0]).max(0) < CODES)
    boosting = HistGradientBoostingRegressor if numbers else HistGradientBoostingClassifier
    trees = ExtraTreesRegressor if numbers else ExtraTreesClassifier
    found: Models = {
        f"boosting, {rounds} rounds": lambda rounds=rounds: boosting(
            learning_rate=0.05, max_iter=rounds, early_stopping=False, categorical_features=few, random_state=seed
        )
        for rounds in ROUNDS
    }
    found["trees"] = lambda: trees(TREES, n_jobs=-1, random_state=seed)
    for c in (0.01, 0.1, 1, 10):
        name = f"ridge {1 / c:g}" if numbers else f"logistic regression C={c:g}"
        found[name] = lambda c=c: linear(Ridge(1 / c) if numbers else logistic(c))
    return found


# --- features -------------------------------------------------------------------------------------------------


def features(dataset: Dataset) -> list[Any]:
    """Rows of the training, validation and test split for scikit-learn, each (N, D)."""
    kind, splits = dataset.about["modality"], ("train", "validation", "test")
    if kind == "table":
        return [columns_of(dataset, split)[0] for split in splits]
    if kind == "text":
        texts = [list(dataset.texts(split)) for split in splits]
        vectors = tfidf().fit(texts[0] + texts[1])
        return [vectors.transform(one) for one in texts]
    rate = dataset.about["preprocess"].get("rate", 0)
    measure = hog_and_colors if kind == "image" else lambda clip: mfcc(clip, rate)
    return [np.stack([measure(one) for one in each(dataset.split(split).inputs)]) for split in splits]


def each(inputs: Any) -> Iterator[NDArray[Any]]:
    """Samples one by one, read in blocks."""
    for block in blocks(inputs, False):
        yield from block


def columns_of(dataset: Dataset, split: str) -> tuple[F32, NDArray[np.bool_]]:
    """Columns (N, D) of a table as they were prepared, and which of them are codes of categories (D,)."""
    found: tuple[F32, NDArray[np.bool_]] = dataset.kind.columns(
        dataset.split(split).inputs, dataset.about["arguments"]
    )
    return found


def tfidf() -> Any:
    """Words and pairs of words, and runs of one to five characters, each with its own weight of rare ones."""
    shared: Mapping[str, Any] = {"sublinear_tf": True, "min_df": 2, "max_features": 200_000}
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\b\w+\b", **shared)
    return FeatureUnion(
        [("words", words), ("characters", TfidfVectorizer(analyzer="char", ngram_range=(1, 5), **shared))]
    )


def hog_and_colors(picture: NDArray[np.uint8]) -> F32:
    """HOG of about eight cells a side and, of colored pictures, the square root of a joint histogram.

    uint8 (H, W, C) of 1 or 3 channels.
    """
    height, width, channels = picture.shape
    cell = max(LEAST_CELL, round(max(height, width) / CELLS))
    wide, high = (cell * max(2, round(size / cell)) for size in (width, height))
    resized = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
    edges = hog(resized.reshape(high, wide, channels), cell)
    if channels == 1:
        return edges
    colors = cv2.calcHist([picture], [0, 1, 2], None, [COLORS] * 3, [0, 256] * 3).ravel()
    return np.concatenate([edges, np.sqrt(colors / colors.sum())]).astype(np.float32)


def hog(picture: NDArray[np.uint8], cell: int) -> F32:
    """Histograms of oriented gradients (Dalal and Triggs, 2005) of a picture (H, W, C) whose cells fill it.

    Nine directions without sign, shared between the two that are nearest; of colors the steepest counts; blocks of
    2x2 cells, normalized, clipped at 0.2 and normalized again.
    """
    high, wide, _ = picture.shape
    across, down = (slopes(picture, axis) for axis in (1, 0))
    steepest = np.argmax(across**2 + down**2, axis=2)[..., None]
    across, down = (np.take_along_axis(one, steepest, 2)[..., 0] for one in (across, down))
    place = np.arctan2(down, across) % np.pi / np.pi * DIRECTIONS - 0.5
    lower, share = np.floor(place).astype(int), place % 1
    cells = np.zeros((high // cell, wide // cell, DIRECTIONS))
    rows, columns = np.indices((high, wide)) // cell
    for direction, weight in ((lower, 1 - share), (lower + 1, share)):
        np.add.at(cells, (rows, columns, direction % DIRECTIONS), weight * np.hypot(across, down))
    corners = [cells[i : i - 1 or None, j : j - 1 or None] for i in (0, 1) for j in (0, 1)]
    blocks_of = np.concatenate(corners, axis=2)
    for most in (CLIPPED, np.inf):
        norms = np.sqrt(np.square(blocks_of).sum(2, keepdims=True) + 1e-6)
        blocks_of = np.minimum(blocks_of / norms, most)
    return blocks_of.ravel().astype(np.float32)


def slopes(picture: NDArray[np.uint8], axis: int) -> NDArray[np.float64]:
    """Half the difference of both neighbors along an axis; at borders the pixel stands for the one outside."""
    pads = [(1, 1) if one == axis else (0, 0) for one in range(3)]
    padded = np.pad(picture.astype(np.float64) / 255, pads, mode="edge")
    size = picture.shape[axis]
    after, before = (np.take(padded, range(start, start + size), axis) for start in (2, 0))
    return (after - before) / 2


def mfcc(clip: NDArray[np.int16], rate: int) -> F32:
    """Mean and deviation of 20 MFCC, and deviation of their slopes, where a clip (T,) is not padding.

    Davis and Mermelstein (1980): the cosine transform of the logarithm of 40 mel bands.
    """
    window, hop = round(WINDOW * rate), round(HOP * rate)
    heard = np.trim_zeros(clip)
    heard = np.pad(heard, (0, max(0, window - len(heard))))
    frames = np.lib.stride_tricks.sliding_window_view(heard, window)[::hop]
    power = np.abs(np.fft.rfft(frames / 32768 * np.hanning(window))) ** 2
    found = dct(np.log(power @ mel_bands(rate, window) + 1e-8), axis=1, norm="ortho")[:, :COEFFICIENTS]
    slopes = np.gradient(found, axis=0) if len(found) > 1 else np.zeros_like(found)
    return np.concatenate([found.mean(0), found.std(0), slopes.std(0)]).astype(np.float32)


def mel_bands(rate: int, window: int) -> NDArray[np.float64]:
    """Triangles (bins, MELS) that stand evenly on the mel scale, from 20 Hz to half the rate."""
    low, high = 2595 * np.log10(1 + np.array([20, rate / 2]) / 700)
    corners = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(window, 1 / rate)[:, None]
    rise = (bins - corners[:-2]) / np.diff(corners)[:-1]
    fall = (corners[2:] - bins) / np.diff(corners)[1:]
    return np.maximum(0, np.minimum(rise, fall))


# --- text that goes on ----------------------------------------------------------------------------------------


def xz_bits(train: Any, test: Any) -> float:
    """Bits per byte by which xz's output grows when the test documents follow all of the training text."""
    known, more = (b"\0".join(text.encode() for text in texts) for texts in (train, test))
    size = sum(len(text.encode()) for text in test)
    return 8 * (compressed(known + b"\0" + more) - compressed(known)) / max(1, size)


def compressed(text: bytes) -> int:
    """Bytes that are left of a text."""
    look_back = min(DICTIONARY, max(1 << 20, len(text)))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": look_back}]
    return len(lzma.compress(text, lzma.FORMAT_RAW, filters=filters))

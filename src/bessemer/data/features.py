"""Simple features, and the simple model on them: for the baseline of the report and for the label check.

Pixels, TF-IDF of words and word pairs, and mean spectra, each in the scale that a linear model wants. This is what
a careful engineer tries in the first hour; a network has to earn its keep against it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import Modality

Features = Any  # float32 (N, D): an array, or a scipy CSR matrix for text
Transform = Callable[[Any], Features]

MAX_VALUES = 1024  # of an image: larger ones are averaged down
MAX_CHARACTERS = 20_000  # of a document: what comes after is not looked at
MAX_TERMS = 100_000  # words and word pairs, the commonest
MELS = 64
BLOCK = 1024
ITERATIONS = 1000


def fit_features(modality: Modality, values: Any, rate: int = 16_000) -> tuple[Features, Transform]:
    """Features of the training samples, and the function that computes those of others.

    `values`: images uint8 (N, H, W, C), clips int16 (N, T) at `rate` samples a second, or a list of texts.
    What is estimated (means, scales, the vocabulary) comes from these samples alone.
    """
    if modality == "text":
        return text_features(values)
    if modality == "image":
        pixels = image_features(values)
        mean = pixels.mean(0)
        pixels -= mean
        return pixels, lambda others: image_features(others) - mean
    spectra = audio_features(values, rate)
    center, spread = spectra.mean(0), np.maximum(spectra.std(0), 1e-6)
    return (spectra - center) / spread, lambda others: (audio_features(others, rate) - center) / spread


def image_features(images: Any) -> NDArray[np.float32]:
    """Pixels float32 (N, D) from 0 to 1; images of more than 1,024 values are averaged down to fewer.

    `images`: uint8 (N, H, W, C), an array or anything that is read by slices; only a block is held at a time.
    """
    height, width, channels = images[0].shape
    size = _small_enough(height, width, channels)
    out = np.empty((len(images), size[0] * size[1] * channels), np.float32)
    for start in range(0, len(images), BLOCK):
        block = np.asarray(images[start : start + BLOCK])
        if size != (height, width):
            block = np.stack([_averaged(image, size) for image in block])
        out[start : start + len(block)] = block.reshape(len(block), -1)
    out /= 255
    return out


def _small_enough(height: int, width: int, channels: int) -> tuple[int, int]:
    """Sides of the same shape, of an image with at most `MAX_VALUES` values."""
    shrink = min(1.0, (MAX_VALUES / (height * width * channels)) ** 0.5)
    short, long = sorted((height, width))
    less = max(1, int(short * shrink))
    more = max(1, min(int(long * shrink), MAX_VALUES // (less * channels)))
    return (less, more) if height <= width else (more, less)


def _averaged(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    import cv2

    small = cv2.resize(image.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(*size, -1)


def audio_features(clips: Any, rate: int) -> NDArray[np.float32]:
    """Mean log spectra float32 (N, D) of clips int16 (N, T); only a block is held at a time."""
    from bessemer.data.spectrogram import mean_spectrum

    blocks = (np.asarray(clips[start : start + BLOCK]) for start in range(0, len(clips), BLOCK))
    return np.concatenate([mean_spectrum(block, rate, MELS) for block in blocks])


def text_features(texts: Sequence[str]) -> tuple[Features, Transform]:
    """TF-IDF of words and word pairs, term counts damped by a logarithm; float32 CSR (N, D).

    Terms of a single document are dropped where there are many documents. Texts without any word (numbers aside)
    are told apart by runs of up to three characters.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    settings = {"sublinear_tf": True, "dtype": np.float32, "max_features": MAX_TERMS}
    rarest = 2 if len(texts) >= 1000 else 1
    words = TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), min_df=rarest, **settings)
    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), **settings)
    try:
        return words.fit_transform(_cut(texts)), lambda others: words.transform(_cut(others))
    except ValueError:  # no term is left
        return characters.fit_transform(_cut(texts)), lambda others: characters.transform(_cut(others))


def _cut(texts: Sequence[str]) -> list[str]:
    return [text[:MAX_CHARACTERS] for text in texts]


def fit_linear(features: Features, labels: NDArray[np.int64], strength: float, seed: int) -> tuple[Any, bool]:
    """A logistic regression with `predict_proba`, and whether it converged; `strength` is scikit-learn's C.

    Dense features: all classes at once, by L-BFGS. Sparse ones, with far more features than samples: each class
    against the rest by Newton steps, which took a twentieth of the time and was no less accurate. One thread does
    it: several that wait for each other on a busy machine took twenty times as long, and the number of threads
    changes the last bits.
    """
    from scipy.sparse import issparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from threadpoolctl import threadpool_limits

    if issparse(features):
        one = LogisticRegression(C=strength, solver="liblinear", tol=1e-2, max_iter=ITERATIONS, random_state=seed)
        model: Any = OneVsRestClassifier(one)
    else:
        model = LogisticRegression(C=strength, tol=1e-3, max_iter=ITERATIONS)
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(features, labels)
    return model, not any(issubclass(one.category, ConvergenceWarning) for one in caught)

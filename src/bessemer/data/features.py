"""Simple features, and the simple model on them: for the baseline of the report and for the label check.

Each kind of data has its own (`Kind.features`), in the scale that a linear model wants. This is what a careful
engineer tries in the first hour; a network has to earn its keep against it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = Any  # float32 (N, D): an array, or a scipy CSR matrix for text
Transform = Callable[[Any], Features]

BLOCK = 1024
ITERATIONS = 1000


def standardized(values: Any, measure: Callable[[Any], NDArray[np.float32]]) -> tuple[Features, Transform]:
    """What `measure` says of the training samples with mean 0 and deviation 1, and the same of others."""
    found = measure(values)
    center, spread = found.mean(0), np.maximum(found.std(0), 1e-6)
    return (found - center) / spread, lambda others: (measure(others) - center) / spread


def flat(values: Any) -> NDArray[np.float32]:
    """Samples (N, ...) as rows of numbers float32 (N, D)."""
    return np.asarray(values[:], np.float32).reshape(len(values), -1)


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


def fit_ridge(
    features: Features, targets: NDArray[np.float64], strength: float
) -> Callable[[Features], NDArray[np.float64]]:
    """A ridge regression of targets (N, K), as a function of other features; `strength` is scikit-learn's alpha.

    Dense features are solved exactly; sparse ones, with far more features than samples, by conjugate gradients.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import Ridge
    from threadpoolctl import threadpool_limits

    sparse = issparse(features)
    model = Ridge(alpha=strength, solver="sparse_cg" if sparse else "cholesky", tol=1e-4)
    with threadpool_limits(1, user_api="blas"):
        model.fit(features if sparse else features.astype(np.float64), targets)
    return lambda others: np.asarray(model.predict(others), np.float64).reshape(-1, targets.shape[1])

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
NEVER = -1e4  # the logit of a class that no training sample has


def standardized(values: Any, measure: Callable[[Any], NDArray[np.float32]]) -> tuple[Features, Transform]:
    """What `measure` says of the training samples with mean 0 and deviation 1, and the same of others."""
    found = measure(values)
    center, spread = found.mean(0), np.maximum(found.std(0), 1e-6)
    return (found - center) / spread, lambda others: (measure(others) - center) / spread


def flat(values: Any) -> NDArray[np.float32]:
    """Samples (N, ...) as rows of numbers float32 (N, D)."""
    return np.asarray(values[:], np.float32).reshape(len(values), -1)


def fit_linear(
    features: Features, labels: NDArray[np.int64], strength: float, seed: int, before: Any = None
) -> tuple[Any, bool]:
    """A logistic regression with `predict_proba`, and whether it converged; `strength` is scikit-learn's C.

    Of dense features it may begin where one of another strength ended (`before`), which saves most of the steps.

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
        model = LogisticRegression(C=strength, tol=1e-3, max_iter=ITERATIONS, warm_start=True)
        if before is not None and np.array_equal(before.classes_, np.unique(labels)):
            model.coef_, model.intercept_ = before.coef_.copy(), before.intercept_.copy()
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(features, labels)
    return model, not any(issubclass(one.category, ConvergenceWarning) for one in caught)


def weights_of(model: Any, outputs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (K, F) and offsets (K,) of what `fit_linear` gave, for `outputs` classes.

    Of two classes half of the evidence speaks for one and against the other. A class that no sample has is never
    said.
    """
    parts = getattr(model, "estimators_", [model])
    weights = np.concatenate([one.coef_ for one in parts]).astype(np.float64)
    offsets = np.concatenate([one.intercept_ for one in parts]).astype(np.float64)
    if len(model.classes_) == 2:
        weights, offsets = np.stack([-weights[0], weights[0]]) / 2, np.array([-offsets[0], offsets[0]]) / 2
    every, bias = np.zeros((outputs, weights.shape[1])), np.full(outputs, NEVER)
    every[model.classes_], bias[model.classes_] = weights, offsets
    return every, bias


def fit_ridge(features: Features, targets: NDArray[np.float64], strength: float) -> Any:
    """A ridge regression of targets (N, K) with `predict`; `strength` is scikit-learn's alpha.

    Dense features are solved exactly; sparse ones, with far more features than samples, by conjugate gradients.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import Ridge
    from threadpoolctl import threadpool_limits

    sparse = issparse(features)
    model = Ridge(alpha=strength, solver="sparse_cg" if sparse else "cholesky", tol=1e-4)
    with threadpool_limits(1, user_api="blas"):
        model.fit(features if sparse else features.astype(np.float64), targets)
    return model

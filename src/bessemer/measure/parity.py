"""The parity gate: an exported file must answer as the model that it was made from, on real data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.errors import ParityError

TIE = 1e-4  # two logits this close, in units of their spread, may swap by summation order
CLOSE = 0.01  # two numbers this close, in units of their spread, are as good as equal
ROUNDING = 1e-6  # of the largest number: what float32 leaves where numbers hardly spread


@dataclass(frozen=True)
class Parity:
    """Share of equal decisions or close numbers, the largest difference of an output, how many were compared."""

    agreement: float
    max_abs_error: float
    samples: int
    ties: int  # differing decisions where the model itself was undecided

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def compare(expected: NDArray[np.float32], given: NDArray[np.float32]) -> Parity:
    """Compare logits (N, K) of the model and of the file."""
    differ = (expected.argmax(1) != given.argmax(1)) | ~np.isfinite(given).all(1)
    top = np.sort(expected, axis=1)[:, -2:]
    undecided = top[:, 1] - top[:, 0] <= TIE * max(1e-12, float(expected.std()))
    return Parity(
        agreement=float(1 - differ.mean()),
        max_abs_error=float(np.abs(expected - given).max()),
        samples=len(expected),
        ties=int((differ & undecided).sum()),
    )


def compare_numbers(expected: NDArray[np.float32], given: NDArray[np.float32], tolerance: float = CLOSE) -> Parity:
    """Compare outputs (N, K) that are numbers: a sample agrees where each is within `tolerance` of their spread.

    The spread is the standard deviation of an output over the samples, as the model gives it.
    """
    wanted = expected.astype(np.float64)
    error = np.abs(wanted - given)
    allowed = tolerance * wanted.std(0) + ROUNDING * np.abs(wanted).max(0)
    return Parity(
        agreement=float((error <= allowed).all(1).mean()),  # what is not a number agrees with nothing
        max_abs_error=float(error.max()),
        samples=len(expected),
        ties=0,
    )


def gate(name: str, parity: Parity, least: float) -> None:
    """Raise ParityError where fewer than `least` of the decisions agree, ties apart."""
    agreement = parity.agreement + parity.ties / parity.samples
    if agreement < least - 1e-12:
        problem = (
            f"{name}: the exported file agrees with its model on {parity.agreement:.2%} of {parity.samples} "
            f"test samples, {least:.2%} are required (largest difference {parity.max_abs_error:.3g})"
        )
        raise ParityError(problem, "nothing ships; report this with the run folder")

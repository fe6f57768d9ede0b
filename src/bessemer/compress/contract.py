"""The contract: terms on the file that ships, and whether a measurement meets them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bessemer.compress.config import ContractConfig


@dataclass(frozen=True)
class Measured:
    """What was measured on an exported file, against the parent's: all on real data, in its runtime."""

    drop: float  # accuracy lost, as a share
    speedup: float  # at the contract's batch size
    shrink: float  # parent's bytes over these
    bytes: int
    latency_ms: float  # median at batch 1


@dataclass(frozen=True)
class Verdict:
    """One term: its limit, the value measured, and whether it is met."""

    term: str
    limit: float
    value: float
    met: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def judge(contract: ContractConfig, measured: Measured, quantized: bool) -> list[Verdict]:
    """A verdict on each term that the contract asks.

    A quantized file that is slower than its parent is never shipped, whatever the contract says: `not_slower`.
    """
    limits = [
        ("max_drop", contract.max_drop, measured.drop, -1),
        ("min_speedup", contract.min_speedup, measured.speedup, 1),
        ("min_shrink", contract.min_shrink, measured.shrink, 1),
        ("max_bytes", contract.max_bytes, float(measured.bytes), -1),
        ("max_latency_ms", contract.max_latency_ms, measured.latency_ms, -1),
    ]
    if quantized and (contract.min_speedup or 0) < 1:
        limits.append(("not_slower", 1.0, measured.speedup, 1))
    slack = 1e-12  # a drop of exactly one point must not fail by rounding
    return [
        Verdict(term, limit, value, sign * (value - limit) >= -slack)
        for term, limit, value, sign in limits
        if limit is not None
    ]

"""The contract: terms on the file that ships, and whether a measurement meets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bessemer.compress.config import ContractConfig
from bessemer.report.units import Unit

if TYPE_CHECKING:
    from bessemer.task.task import Task

LEAD = "beat_baseline"  # a term that asks what a simple model is better by, for sure
SLACK = 1e-12  # a drop of exactly one point must not fail by rounding


@dataclass(frozen=True)
class Figures:
    """What was measured on an exported file, against the parent's: all on real data, in its runtime."""

    parent: float  # the headline measure of the parent
    drop: float  # what is lost of it, in its own numbers
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


def judge(contract: ContractConfig, measured: Figures, quantized: bool) -> list[Verdict]:
    """A verdict on each term that the contract asks.

    A quantized file that is slower than its parent is never shipped, whatever the contract says: `not_slower`.
    """
    lost = None if contract.max_drop is None else contract.most_lost(measured.parent)
    verdicts = [
        at_most("max_drop", lost, measured.drop),
        at_least("min_speedup", contract.min_speedup, measured.speedup),
        at_least("min_shrink", contract.min_shrink, measured.shrink),
        at_most("max_bytes", contract.max_bytes, float(measured.bytes)),
        at_most("max_latency_ms", contract.max_latency_ms, measured.latency_ms),
    ]
    if quantized and (contract.min_speedup or 0) < 1:
        verdicts.append(at_least("not_slower", 1.0, measured.speedup))
    return [verdict for verdict in verdicts if verdict is not None]


def few_samples(
    task: Task, splits: Mapping[str, int], parent: float, contract: ContractConfig, unit: Unit
) -> Iterator[str]:
    """Where one sample of a split weighs more than the quality that may be lost, in words."""
    for name, one in task.weight_of_a_sample(splits).items():
        limit, change = contract.most_lost(parent), unit.change
        if one > limit:
            yield (
                f"the {name} split has {splits[name]} samples; one of them is {change(one, signed=False)}, and "
                f"max_drop allows {change(limit, signed=False, word=False)}: chance will decide"
            )


def at_most(term: str, limit: float | None, value: float) -> Verdict | None:
    """Whether a value keeps below its limit; None where none is asked."""
    return None if limit is None else Verdict(term, limit, value, value <= limit + SLACK)


def at_least(term: str, limit: float | None, value: float) -> Verdict | None:
    """Whether a value reaches its limit; None where none is asked."""
    return None if limit is None else Verdict(term, limit, value, value >= limit - SLACK)

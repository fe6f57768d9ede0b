"""The search: candidates from gentle to harsh, measured on their exported files, until one meets the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from bessemer.compress.config import CompressConfig, ContractConfig
from bessemer.compress.contract import LEAD, Figures, judge
from bessemer.compress.propose import Proposal, Round
from bessemer.compress.steps import INTEGERS
from bessemer.report.units import Unit

PARENT = "parent_is_better"


@dataclass(frozen=True)
class Candidate:
    """One exported file and what was measured on it (quality on the validation split)."""

    name: str
    curve: str  # what the training of its network is called
    format: str
    steps: list[dict[str, Any]]
    quality: float  # the headline measure
    parent_quality: float
    drop: float  # what is lost of it, in its own numbers
    bytes: int
    shrink: float
    parameters: int
    flops: int
    latency_ms: dict[str, float]  # by batch size
    speedup: float
    speedup_low: float
    speedup_high: float
    beaten: bool = False  # of a simple model: the parent is better with confidence

    @property
    def measured(self) -> Figures:
        """The part that a contract speaks of; the speed-up is the low end of its interval, so that noise seldom
        makes the final measurement miss what this one met."""
        return Figures(
            self.parent_quality, self.drop, self.speedup_low, self.shrink, self.bytes, self.latency_ms["1"]
        )

    def missed(self, contract: ContractConfig) -> list[str]:
        """The terms that this candidate misses."""
        verdicts = judge(contract, self.measured, self.format == INTEGERS)
        missed = [verdict.term for verdict in verdicts if not verdict.met]
        return [*missed, *([PARENT] if self.beaten else [])]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def search(
    config: CompressConfig, propose: Proposal, make: Callable[[Round], Iterable[Candidate]]
) -> list[Candidate]:
    """Make the rounds of candidates that are proposed; `make` trains, exports and measures those of one.

    Stops at the first round that meets the contract, unless `config.search` is `all`.
    """
    found: list[Candidate] = []
    for plans in propose(config, found):
        made = list(make(plans))
        found += made
        if config.search == "first" and any(not one.missed(config.contract) for one in made):
            break
    return found


def choose(config: CompressConfig, candidates: list[Candidate]) -> Candidate | None:
    """Of the candidates that meet the contract the fastest, or the smallest; None where none does."""
    good = [one for one in candidates if not one.missed(config.contract)]
    if not good:
        return None
    if config.prefer == "size":
        return min(good, key=lambda one: (one.bytes, -one.speedup))
    return max(good, key=lambda one: (one.speedup, -one.bytes))


def contract_facts(
    config: CompressConfig, candidates: list[Candidate], chosen: Candidate | None
) -> dict[str, Any]:
    """What a report says of the search, as plain values."""
    rows = []
    for one in candidates:
        missed = one.missed(config.contract)
        rows.append({**one.as_dict(), "missed": missed, "met": not missed, "chosen": one is chosen})
    return {
        "terms": config.contract.model_dump(exclude_none=True, exclude={"batch", LEAD}),
        "batch": config.contract.batch,
        "candidates": rows,
        "chosen": chosen.name if chosen else None,
        "met": None if chosen else False,  # what is chosen is judged on the test split
    }


def describe(one: Candidate, contract: ContractConfig, unit: Unit) -> str:
    """One line on a candidate, for the terminal; `unit` is that of the headline measure."""
    missed = one.missed(contract)
    state = f"misses {', '.join(missed)}" if missed else "meets the contract"
    return (
        f"  {one.name}: {unit.told(one.quality)} ({unit.change(one.quality - one.parent_quality)}), "
        f"{one.shrink:.1f}x smaller, {one.speedup:.2f}x faster: {state}"
    )

"""The search walks the ladder and chooses."""

from __future__ import annotations

from typing import Any

import pytest

from bessemer.compress.config import CompressConfig, ContractConfig
from bessemer.compress.propose import Round, ladder
from bessemer.compress.search import Candidate, choose, search


def candidate(rung: int, form: str = "fp32", **other: Any) -> Candidate:
    values = {
        "name": f"rung {rung} {form}",
        "curve": f"rung {rung}",
        "steps": [],
        "format": form,
        "quality": 0.95,
        "parent_quality": 0.95,
        "drop": 0.0,
        "bytes": 1000,
        "shrink": 2.0,
        "parameters": 10,
        "flops": 10,
        "latency_ms": {"1": 0.5, "64": 9.0},
        "speedup": 2.0,
        "speedup_low": 1.9,
        "speedup_high": 2.1,
    }
    if "speedup" in other:  # the low end of its interval is what a contract judges
        other = {"speedup_low": other["speedup"], "speedup_high": other["speedup"], **other}
    return Candidate(**{**values, **other})


def config_of(**settings: Any) -> CompressConfig:
    contract = ContractConfig(max_drop=0.01, min_speedup=1.5)
    return CompressConfig(ladder=[0.75, 0.5, 0.25], contract=contract, **settings)


def walk(config: CompressConfig, meets: set[int]) -> list[str]:
    """The plans that are made when those of the rungs in `meets` meet the contract in int8."""
    made: list[list[str]] = []

    def make(plans: Round) -> list[Candidate]:
        rung = len(made)
        made.append([plan.name for plan in plans])
        return [candidate(rung, drop=0.5), candidate(rung, "int8", drop=0 if rung in meets else 0.5)]

    found = search(config, ladder, make)
    assert [one.name for one in found] == [f"rung {rung} {form}" for rung in range(len(made)) for form in FORMS]
    return [name for names in made for name in names]


FORMS = ("fp32", "int8")
LADDER = [f"keep {keep:g} {form}" for keep in (0.75, 0.5, 0.25) for form in FORMS]


@pytest.mark.parametrize(("meets", "rungs"), [({0}, 1), ({1}, 2), ({0, 1, 2}, 1), ({2}, 3), (set(), 3)])
def test_the_search_stops_at_the_first_rung_that_meets(meets: set[int], rungs: int) -> None:
    assert walk(config_of(search="first"), meets) == LADDER[: 2 * rungs]


def test_all_walks_on_after_a_rung_that_meets() -> None:
    assert walk(config_of(search="all"), {0}) == LADDER


FAST = candidate(0, speedup=4.0, bytes=900)
SMALL = candidate(1, speedup=2.0, bytes=100)
FASTEST_BUT_WRONG = candidate(2, speedup=9.0, bytes=10, drop=0.5)


def test_speed_chooses_the_fastest_that_meets() -> None:
    assert choose(config_of(prefer="speed"), [SMALL, FAST, FASTEST_BUT_WRONG]) is FAST


def test_size_chooses_the_smallest_that_meets() -> None:
    assert choose(config_of(prefer="size"), [SMALL, FAST, FASTEST_BUT_WRONG]) is SMALL


def test_of_equally_fast_the_smaller_and_of_equally_small_the_faster_is_chosen() -> None:
    same_speed = candidate(2, speedup=4.0, bytes=800)
    assert choose(config_of(prefer="speed"), [FAST, same_speed]) is same_speed
    same_size = candidate(2, speedup=3.0, bytes=100)
    assert choose(config_of(prefer="size"), [SMALL, same_size]) is same_size


def test_nothing_is_chosen_where_nothing_meets() -> None:
    assert choose(config_of(), [FASTEST_BUT_WRONG]) is None
    assert choose(config_of(), []) is None


def test_a_candidate_names_the_terms_that_it_misses() -> None:
    contract = ContractConfig(max_drop=0.01, min_speedup=3.0, max_latency_ms=0.4)
    assert candidate(0, drop=0.02).missed(contract) == ["max_drop", "min_speedup", "max_latency_ms"]


def test_latency_is_judged_at_batch_one() -> None:
    assert candidate(0).measured.latency_ms == 0.5


def test_an_int8_candidate_slower_than_its_parent_misses() -> None:
    free = ContractConfig(max_drop=None, min_speedup=None)
    assert candidate(0, "int8", speedup=0.9).missed(free) == ["not_slower"]
    assert candidate(0, "fp32", speedup=0.9).missed(free) == []

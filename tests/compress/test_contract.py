"""The contract's terms, judged at their edges."""

from __future__ import annotations

import math

import pytest

from bessemer.compress.config import ContractConfig
from bessemer.compress.contract import Figures, Verdict, judge

ASKED_NOTHING = {"max_drop": None, "min_speedup": None}
GOOD = {"parent": 0.9, "drop": 0.005, "speedup": 3.0, "shrink": 4.0, "bytes": 1000, "latency_ms": 0.5}
TERMS = {  # term: limit, measured as, exactly at the limit, just beyond
    "max_drop": (0.01, "drop", 0.01, 0.010001),
    "min_speedup": (2.0, "speedup", 2.0, 1.999999),
    "min_shrink": (4.0, "shrink", 4.0, 3.999999),
    "max_bytes": (1000, "bytes", 1000, 1001),
    "max_latency_ms": (0.5, "latency_ms", 0.5, 0.500001),
}


def judge_one(term: str, value: float, quantized: bool = False) -> Verdict:
    limit, field = TERMS[term][:2]
    contract = ContractConfig(**{**ASKED_NOTHING, term: limit})
    verdicts = judge(contract, Figures(**{**GOOD, field: value}), quantized)
    (found,) = [one for one in verdicts if one.term == term]
    return found


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_met_exactly_at_its_limit(term: str) -> None:
    limit, _, at, _ = TERMS[term]
    assert judge_one(term, at) == Verdict(term, limit, at, True)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_missed_just_beyond_its_limit(term: str) -> None:
    limit, _, _, beyond = TERMS[term]
    assert judge_one(term, beyond) == Verdict(term, limit, beyond, False)


@pytest.mark.parametrize("term", TERMS)
def test_a_value_that_is_not_a_number_meets_nothing(term: str) -> None:
    assert not judge_one(term, math.nan).met


def test_a_drop_of_exactly_one_point_does_not_fail_by_rounding() -> None:
    assert 0.97 - 0.96 > 0.01
    assert judge_one("max_drop", 0.97 - 0.96).met


def test_a_gain_in_accuracy_meets_a_drop_of_zero() -> None:
    contract = ContractConfig(max_drop=0, min_speedup=None)
    assert judge(contract, Figures(**{**GOOD, "drop": -0.01}), False)[0].met


def test_terms_that_are_not_asked_are_not_judged() -> None:
    assert judge(ContractConfig(**ASKED_NOTHING), Figures(**GOOD), False) == []
    terms = [one.term for one in judge(ContractConfig(), Figures(**GOOD), False)]
    assert terms == ["max_drop", "min_speedup"]


@pytest.mark.parametrize("least", [None, 0.5])
@pytest.mark.parametrize(("speedup", "met"), [(0.999, False), (1.0, True)])
def test_an_int8_file_slower_than_its_parent_never_ships(least: float | None, speedup: float, met: bool) -> None:
    contract = ContractConfig(max_drop=None, min_speedup=least)
    verdicts = judge(contract, Figures(**{**GOOD, "speedup": speedup}), quantized=True)
    assert all(one.met for one in verdicts) == met
    assert verdicts[-1] == Verdict("not_slower", 1.0, speedup, met)


def test_not_slower_is_not_said_twice_where_a_speedup_is_asked() -> None:
    terms = [one.term for one in judge(ContractConfig(min_speedup=1.0), Figures(**GOOD), quantized=True)]
    assert terms == ["max_drop", "min_speedup"]


def test_a_slower_fp32_file_may_ship_where_the_contract_allows() -> None:
    contract = ContractConfig(max_drop=None, min_speedup=0.5)
    assert all(one.met for one in judge(contract, Figures(**{**GOOD, "speedup": 0.6}), quantized=False))


def test_a_drop_may_be_a_share_of_what_the_parent_has() -> None:
    contract = ContractConfig(max_drop="0.5%", min_speedup=None)
    parent = 1.4  # bits per byte, say
    (kept,) = judge(contract, Figures(**{**GOOD, "parent": parent, "drop": 0.007}), False)
    assert (kept.limit, kept.met) == (pytest.approx(0.007), True)
    assert not judge(contract, Figures(**{**GOOD, "parent": parent, "drop": 0.0071}), False)[0].met


@pytest.mark.parametrize("drop", ["a little", "5", "%", -0.1, "-1%"])
def test_a_drop_that_is_no_number_and_no_share_is_refused(drop: object) -> None:
    with pytest.raises(ValueError, match="max_drop"):
        ContractConfig(max_drop=drop)  # type: ignore[arg-type]

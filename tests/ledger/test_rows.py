"""The arithmetic of the ledger: intervals against scipy, signs, and which trials make a pair."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bessemer.ledger.order import Trial
from bessemer.ledger.rows import paired, row, rows_of
from bessemer.report.units import SHARE, Measure
from bessemer.task.language.task import BITS

ACCURACY = Measure("accuracy", "accuracy", SHARE)
BYTES = Measure("bits_per_byte", "bits per byte", BITS, higher_is_better=False)
PRUNING, QUANTIZATION = "channel pruning", "int8 quantization"


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_interval_is_that_of_a_paired_t_test(n: int) -> None:
    chance = np.random.default_rng(n)
    one, other = chance.normal(0.97, 0.01, n), chance.normal(0.96, 0.01, n)
    mean, low, high = paired((one - other).tolist())
    expected = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert mean == pytest.approx((one - other).mean())
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_a_single_pair_has_no_interval() -> None:
    assert paired([0.25]) == (0.25, None, None)


def test_pairs_that_agree_have_an_interval_without_width() -> None:
    assert paired([0.0, 0.0]) == (0.0, 0.0, 0.0)


def measured(quality: float, seconds: float, size: int) -> dict[str, float]:
    return {"quality": quality, "seconds": seconds, "bytes": size}


def test_plus_is_better_longer_and_larger() -> None:
    found = row("ema", "train", [(measured(0.98, 12.0, 1000), measured(0.97, 10.0, 900))], ACCURACY)
    assert found["quality"] == pytest.approx(0.01)
    assert found["seconds"] == pytest.approx(2.0)
    assert found["bytes"] == 100
    assert (found["low"], found["high"], found["seconds_low"], found["pairs"]) == (None, None, None, 1)


def test_where_lower_is_better_a_gain_is_what_is_saved() -> None:
    found = row("ema", "train", [(measured(1.5, 1, 1), measured(1.6, 1, 1))], BYTES)
    assert found["quality"] == pytest.approx(0.1)


def test_each_trial_is_paired_with_the_base_of_its_own_round_and_integers_with_their_twin() -> None:
    def both(fp32: float, int8: float) -> dict[str, dict[str, float]]:
        return {"fp32": measured(fp32, 4.0, 400), "int8": measured(int8, 5.0, 100)}

    trials = {
        Trial("compress", None, 0): both(0.9, 0.8),
        Trial("compress", PRUNING, 0): both(0.95, 0.94),
        Trial("train", None, 0): {"fp32": measured(0.9, 1.0, 10)},
        Trial("train", "mixup", 0): {"fp32": measured(0.8, 1.0, 10)},
        Trial("train", None, 1): {"fp32": measured(0.7, 1.0, 10)},
        Trial("train", "mixup", 1): {"fp32": measured(0.5, 1.0, 10)},
    }
    mixup, quantization, pruning = rows_of(trials, ACCURACY, "int8", QUANTIZATION)
    assert (mixup["technique"], mixup["pairs"]) == ("mixup", 2)
    assert mixup["quality"] == pytest.approx(0.15)
    assert quantization["technique"] == QUANTIZATION
    assert (quantization["quality"], quantization["bytes"]) == (pytest.approx(-0.1), -300)
    assert pruning["quality"] == pytest.approx(0.8 - 0.94)  # of the format that ships
    assert [one["technique"] for one in rows_of(trials, ACCURACY, "fp32", None)] == ["mixup", PRUNING]

"""The parity gate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bessemer.data.dataset import Samples
from bessemer.errors import ParityError
from bessemer.measure.parity import CLOSE, TIE, Parity, compare, compare_numbers, gate
from bessemer.model.answers import TorchModel


def logits_of(decisions: list[int], classes: int = 3) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[decisions]


def test_equal_logits_agree_wholly() -> None:
    logits = logits_of([0, 1, 2])
    assert compare(logits, logits) == Parity(1.0, 0.0, 3, 0)


def test_agreement_and_error_are_counted() -> None:
    expected, given = logits_of([0, 1, 2, 0]), logits_of([0, 1, 2, 1])
    given[0, 0] = 3.5
    assert compare(expected, given) == Parity(0.75, 2.5, 4, 0)


def test_equal_decisions_with_other_logits_agree() -> None:
    expected = logits_of([0, 1, 2])
    assert compare(expected, 2 * expected).agreement == 1


@pytest.mark.parametrize(("gap", "ties"), [(0.5 * TIE, 1), (10 * TIE, 0)])
def test_only_decisions_between_nearly_equal_logits_count_as_ties(gap: float, ties: int) -> None:
    expected = logits_of([0, 1, 2, 0]) / logits_of([0, 1, 2, 0]).std()
    expected[0, 1] = expected[0, 0] - gap
    given = expected.copy()
    given[0, [0, 1]] = expected[0, [1, 0]]
    found = compare(expected, given)
    assert found.agreement == 0.75
    assert found.ties == ties


@pytest.mark.parametrize("agreement", [0.995, 0.9951, 1.0])
def test_the_gate_opens_at_its_limit(agreement: float) -> None:
    gate("int8", Parity(agreement, 0.1, 1000, 0), 0.995)


def test_the_gate_closes_below_its_limit_and_says_how_far() -> None:
    with pytest.raises(ParityError, match=r"int8: .* 99\.40% of 1000 .* 99\.50% are required") as caught:
        gate("int8", Parity(0.994, 0.1, 1000, 0), 0.995)
    assert caught.value.exit_code == 3
    assert caught.value.remedy


def test_ties_pass_the_gate_and_wrong_decisions_beside_them_do_not() -> None:
    gate("fp32", Parity(0.99, 1e-6, 300, 3), 1.0)
    with pytest.raises(ParityError):
        gate("fp32", Parity(0.99, 1e-6, 300, 2), 1.0)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_logits_that_are_not_finite_do_not_pass(broken: float) -> None:
    expected = logits_of([0, 0, 0])
    given = expected.copy()
    given[:, 0] = broken  # the largest logit, as argmax sees it
    with pytest.raises(ParityError):
        gate("int8", compare(expected, given), 1.0)


# --- outputs that are numbers ---------------------------------------------------------------------------

NUMBERS = np.linspace(-2, 2, 50, dtype=np.float32)[:, None]


def test_numbers_agree_within_a_share_of_their_spread() -> None:
    given = NUMBERS.copy()
    given[:5] += 0.9 * CLOSE * NUMBERS.std()
    given[5:7] += 1.1 * CLOSE * NUMBERS.std()
    found = compare_numbers(NUMBERS, given)
    assert (found.agreement, found.samples, found.ties) == (0.96, 50, 0)
    assert found.max_abs_error == pytest.approx(1.1 * CLOSE * NUMBERS.std(), rel=1e-3)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_another_unit_of_numbers_changes_nothing(scale: float) -> None:
    given = NUMBERS + 0.5 * CLOSE * NUMBERS.std()
    given[:5] += CLOSE * NUMBERS.std()
    found = compare_numbers((scale * NUMBERS).astype(np.float32), (scale * given).astype(np.float32))
    assert found.agreement == 0.9


def test_numbers_that_hardly_spread_may_differ_by_rounding() -> None:
    same = np.full((10, 1), 1e6, np.float32)
    assert compare_numbers(same, np.nextafter(same, np.float32(0))).agreement == 1
    assert compare_numbers(same, same + 10).agreement == 0


def test_every_output_of_a_sample_must_agree() -> None:
    expected = np.hstack([NUMBERS, 1000 * NUMBERS])
    given = expected.copy()
    given[0, 0] += 1  # little beside the other output, much for this one
    assert compare_numbers(expected, given).agreement == 0.98


@pytest.mark.parametrize("given", [-NUMBERS, np.full_like(NUMBERS, np.nan), np.full_like(NUMBERS, np.inf)])
def test_the_gate_refuses_a_file_that_says_other_numbers(given: np.ndarray) -> None:
    with pytest.raises(ParityError):
        gate("fp32", compare_numbers(NUMBERS, given), 0.9)


def test_logits_of_many_images_are_those_of_each(model: nn.Module, samples: Samples) -> None:
    many = np.concatenate([samples.inputs] * 6)
    found = TorchModel(model.train()).logits(many)
    with torch.no_grad():
        each = model.eval()(torch.from_numpy(samples.inputs)).numpy()
    assert found.shape == (288, 3)
    np.testing.assert_allclose(found, np.concatenate([each] * 6), rtol=0, atol=1e-5)

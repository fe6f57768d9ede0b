"""Which trials are made in a given time, under a clock of our own."""

from __future__ import annotations

from bessemer.ledger.order import Account, Trial, first_round, take

GUESSES = {"train": 10.0, "compress": 2.0}


def made(
    groups: dict[str, list[str]], seconds: float, clock: dict[str | None, float]
) -> list[tuple[str | None, int]]:
    """Technique and round of each trial, in order; a trial takes what `clock` says of its technique."""
    trials: list[Trial] = []

    def make(trial: Trial) -> float:
        trials.append(trial)
        return clock[trial.technique]

    account = take(groups, seconds, GUESSES, make)
    assert account.spent == sum(clock[trial.technique] for trial in trials)
    return [(trial.technique, trial.round) for trial in trials]


CLOCK: dict[str | None, float] = {None: 10.0, "ema": 8.0, "mixup": 12.0}
GROUPS = {"train": ["ema", "mixup"]}


def test_rounds_of_one_seed_while_they_fit() -> None:
    rounds = [(None, 0), ("ema", 0), ("mixup", 0), (None, 1), ("ema", 1), ("mixup", 1)]
    assert made(GROUPS, 60, CLOCK) == rounds
    assert made(GROUPS, 60 + 29, CLOCK) == [*rounds, (None, 2), ("ema", 2)]


def test_one_pair_of_each_is_made_however_short_the_time() -> None:
    assert made(GROUPS, 0.1, CLOCK) == [(None, 0), ("ema", 0), ("mixup", 0)]


def test_a_base_is_not_made_where_no_technique_fits_behind_it() -> None:
    assert made(GROUPS, 30 + 17, CLOCK) == made(GROUPS, 30, CLOCK)
    assert made(GROUPS, 30 + 18, CLOCK)[3:] == [(None, 1), ("ema", 1)]


def test_a_cheaper_technique_behind_an_expensive_one_still_fits() -> None:
    clock = {**CLOCK, "ema": 20.0, "mixup": 5.0}
    assert made(GROUPS, 35 + 16, clock)[3:] == [(None, 1), ("mixup", 1)]


def test_a_stage_goes_on_where_another_does_not_fit_any_more() -> None:
    clock: dict[str | None, float] = {None: 1.0, "ema": 30.0, "distillation": 1.0}
    found = made({"train": ["ema"], "compress": ["distillation"]}, 33 + 4, clock)
    assert found[4:] == [(None, 1), ("distillation", 1), (None, 2), ("distillation", 2)]


def test_a_base_that_is_its_own_pair_needs_no_technique() -> None:
    assert made({"compress": []}, 3, {None: 1.0}) == [(None, 0), (None, 1), (None, 2)]


def test_more_time_makes_the_same_trials_and_more() -> None:
    short, long = made(GROUPS, 60, CLOCK), made(GROUPS, 90, CLOCK)
    assert long[: len(short)] == short
    assert len(long) == 9


def test_trials_that_take_no_time_end() -> None:
    assert len(made({"train": ["ema"]}, 1, {None: 0.0, "ema": 0.0})) == 200


def test_what_is_expected_is_the_technique_before_then_the_base_then_the_guess() -> None:
    account = Account(GUESSES)
    assert account.expected("train", "ema") == 10
    account.taken[Trial("train", None, 0)] = 4.0
    assert account.expected("train", "ema") == 4
    account.taken |= {Trial("train", "ema", 0): 6.0, Trial("train", "ema", 1): 8.0}
    assert account.expected("train", "ema") == 7
    assert account.expected("compress", None) == 2
    assert first_round({"train": ["a", "b"], "compress": ["c"]}, GUESSES) == 34

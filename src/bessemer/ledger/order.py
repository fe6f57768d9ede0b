"""Which trials are made, in which order, in a given time.

Rounds of one seed each: the recipe as it is, then the recipe without each technique. The first round is always
made, so that each technique has a pair. Later on a trial is made only where the seconds that it is expected to
take still fit. What counts are the seconds that trials took, those from before too: so the same call makes nothing
new, and a call with more time goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

MOST_ROUNDS = 100


@dataclass(frozen=True)
class Trial:
    """A training of the ledger: its stage, the technique left out (None: the recipe as it is), its round."""

    stage: str
    technique: str | None
    round: int


class Account:
    """Seconds that trials took, and what the next one is expected to take."""

    def __init__(self, guesses: Mapping[str, float]) -> None:
        self.guesses = guesses  # of a trial of each stage, until one is known
        self.taken: dict[Trial, float] = {}

    @property
    def spent(self) -> float:
        """Seconds of all trials."""
        return sum(self.taken.values())

    def expected(self, stage: str, technique: str | None) -> float:
        """As the technique took before, or the recipe as it is, or the guess."""
        for name in (technique, None):
            known = [s for trial, s in self.taken.items() if (trial.stage, trial.technique) == (stage, name)]
            if known:
                return fmean(known)
        return self.guesses[stage]


def first_round(groups: Mapping[str, Sequence[str]], guesses: Mapping[str, float]) -> float:
    """Seconds that one pair of everything is expected to take."""
    return sum(guesses[stage] * (1 + len(names)) for stage, names in groups.items())


def take(
    groups: Mapping[str, Sequence[str]],
    seconds: float,
    guesses: Mapping[str, float],
    make: Callable[[Trial], float],
) -> Account:
    """Make the trials that fit into `seconds`, of each stage's techniques; `make` returns the seconds one took."""
    account = Account(guesses)

    def one(stage: str, technique: str | None, number: int) -> None:
        trial = Trial(stage, technique, number)
        account.taken[trial] = make(trial)

    for number in range(MOST_ROUNDS):
        before = len(account.taken)
        for stage, names in groups.items():
            # A base is of no use alone, unless it is measured both before and after a last step.
            least = min((account.expected(stage, name) for name in names), default=0.0)
            if number and account.spent + account.expected(stage, None) + least > seconds:
                continue
            one(stage, None, number)
            for name in names:
                if not number or account.spent + account.expected(stage, name) <= seconds:
                    one(stage, name, number)
        if len(account.taken) == before:
            break
    return account

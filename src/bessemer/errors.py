"""The errors a user can meet, as one small tree.

    BessemerError
    ├── UsageError          2    wrong command or argument
    │   ├── RecipeError     2    a recipe that cannot be run
    │   └── RunInUseError   2    another process holds the run folder
    ├── ContractError       3    no candidate meets the contract
    ├── ParityError         3    an exported file disagrees with its model
    ├── DataError           4    data refused
    ├── ArtifactError       5    a damaged or tampered artifact
    ├── TrainingError       1    training cannot go on
    ├── StorageError        1    the disk is full or fails
    └── StoppedError      130    stopped by a signal, state saved

The number is the exit code of the command line. Each error says what is wrong, where, and what to do.
"""

from __future__ import annotations


class BessemerError(Exception):
    """Base of every error that is the user's to fix; `remedy` says how."""

    exit_code = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}\n  → {self.remedy}" if self.remedy else self.problem


class UsageError(BessemerError):
    """A wrong command or argument."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe with an unknown key, a wrong type or settings that do not fit together."""


class RunInUseError(UsageError):
    """Another process is working in the run folder."""


class ContractError(BessemerError):
    """No candidate meets the contract, so nothing ships."""

    exit_code = 3


class ParityError(BessemerError):
    """An exported file does not give the answers of the model it was made from."""

    exit_code = 3


class DataError(BessemerError):
    """The data is missing, broken, or not enough to learn from."""

    exit_code = 4


class ArtifactError(BessemerError):
    """A saved artifact is incomplete, or differs from its manifest."""

    exit_code = 5


class TrainingError(BessemerError):
    """Training cannot go on, for example because the loss is no longer finite."""


class StorageError(BessemerError):
    """The disk is full or fails; what had been committed before is intact."""


class StoppedError(BessemerError):
    """A signal stopped the run after its state was saved."""

    exit_code = 130

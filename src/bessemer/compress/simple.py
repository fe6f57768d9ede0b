"""The simple model as a candidate: a linear one on fixed features, in place of the network.

It is fitted on the training split, exported and measured like any other candidate, and ships where it meets the
contract and the parent is not better with confidence: it is small, quick, and was there in seconds.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from bessemer.compress.steps import Lab, Made, Step


class Simple(Step):
    """The task's simple model on the kind's features, whatever network there was."""

    technique: ClassVar[str] = "simple model"

    step: Literal["simple"] = "simple"

    @property
    def label(self) -> str:
        return "simple model"

    def apply(self, made: Made, lab: Lab) -> Made:
        return lab.simple()

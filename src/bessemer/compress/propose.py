"""Which candidates are tried, and in which order: rounds of plans, made one after the other.

A proposal is a function from the settings and the candidates measured so far to rounds of plans. The ladder is
one; the recipe's own list of candidates is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from bessemer.compress.steps import FLOATS, INTEGERS, Plan, step_from

if TYPE_CHECKING:
    from bessemer.compress.config import CompressConfig
    from bessemer.compress.search import Candidate

Round = Sequence[Plan]
Proposal = Callable[["CompressConfig", Sequence["Candidate"]], Iterator[Round]]


def ladder(config: CompressConfig, found: Sequence[Candidate]) -> Iterator[Round]:
    """From gentle to harsh: a share of the channels kept, learned under the parent, in each format."""
    from bessemer.compress.distill import Distill
    from bessemer.compress.prune import Prune
    from bessemer.compress.quantize import Quantize

    taught = Distill(**config.distill.model_dump(), train=config.train)
    for keep in config.ladder:
        prune = Prune(keep=keep, round_to=config.round_to)
        floats = Plan((prune,) if prune.idle else (prune, taught), asked=FLOATS in config.formats)
        integers = Plan((Quantize(calibration=config.calibration),), floats)
        yield [plan for plan, form in ((floats, FLOATS), (integers, INTEGERS)) if form in config.formats]


def listed(config: CompressConfig, found: Sequence[Candidate]) -> Iterator[Round]:
    """The candidates that the recipe lists, each its own round; those that begin alike share their beginning."""
    known: dict[str, Plan] = {}
    for candidate in config.candidates or []:
        steps = [step_from(values) for values in candidate]
        base: Plan | None = None
        start = 0
        for end in range(len(steps) - 1, 0, -1):
            before = known.get(repr(steps[:end]))
            if before is not None:
                base, start = before, end
                break
        plan = Plan(tuple(steps[start:]), base)
        known[repr(steps)] = plan
        yield [plan]


def proposal(config: CompressConfig, has_simple: bool = False) -> Proposal:
    """The proposal that the settings ask for; first of all the simple model, where there is one."""
    own = ladder if config.candidates is None else listed
    return simple_first(own) if has_simple and config.simple else own


def simple_first(own: Proposal) -> Proposal:
    """The simple model before what another proposal tries."""

    def propose(config: CompressConfig, found: Sequence[Candidate]) -> Iterator[Round]:
        from bessemer.compress.simple import Simple

        yield [Plan((Simple(),))]
        yield from own(config, found)

    return propose

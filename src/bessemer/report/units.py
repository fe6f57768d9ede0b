"""How the figures of a measure are written: one value that tasks declare and every renderer reads.

A measure travels in `report.json` as plain values, so a report is rendered without asking which task it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bessemer.report.format import NOT_MEASURED, known


@dataclass(frozen=True)
class Unit:
    """Numbers times `scale`, with so many decimals; `sign` stands at once behind them, `word` behind a space.

    Differences of two numbers have a word of their own: 99.44% and 99.16% differ by 0.28 points.
    """

    scale: float = 1.0
    decimals: int = 3
    sign: str = ""
    word: str = ""
    difference: str = ""

    def value(self, number: Any) -> str:
        """`99.44%`, or `1.326`: the word is left to whoever writes a sentence."""
        return f"{self.scale * number:,.{self.decimals}f}{self.sign}" if known(number) else NOT_MEASURED

    def told(self, number: Any) -> str:
        """A number in a sentence: `99.44%`, or `1.326 bits per byte`."""
        return f"{self.value(number)} {self.word}".rstrip() if known(number) else NOT_MEASURED

    def change(self, number: Any, *, signed: bool = True, word: bool = True) -> str:
        """A difference: `-0.28 points`, `+0.012 bits per byte`; nothing has a sign where it rounds to zero."""
        if not known(number):
            return NOT_MEASURED
        rounded = round(self.scale * number, self.decimals) + 0.0  # adding zero turns -0.0 into 0.0
        text = f"{rounded:{'+' if signed and rounded else ''},.{self.decimals}f}"
        return f"{text} {self.difference}".rstrip() if word else text

    def interval(self, metric: Mapping[str, Any] | None) -> str:
        """The 95% interval of a metric (`low`, `high`), such as `97.40 to 99.38%`; empty where there is none."""
        low, high = (metric or {}).get("low"), (metric or {}).get("high")
        if not (known(low) and known(high)):
            return ""
        return f"{self.scale * low:,.{self.decimals}f} to {self.value(high)}"


SHARE = Unit(scale=100.0, decimals=2, sign="%", difference="points")
PLAIN = Unit(decimals=3)
COUNT = Unit(decimals=0)


def unit_for(spread: float) -> Unit:
    """A unit of numbers that differ by about `spread`: errors of a third of it have three digits.

    So what spreads by 77 has one decimal, and what spreads by a thousand none.
    """
    decimals = 2 - math.floor(math.log10(spread / 3)) if spread > 0 and math.isfinite(spread) else 3
    return Unit(decimals=min(max(decimals, 0), 12))


@dataclass(frozen=True)
class Measure:
    """A figure that a task reports: its key in `metrics`, its words, its unit, and which way is better."""

    name: str
    label: str
    unit: Unit = PLAIN
    higher_is_better: bool = True
    best: float | None = None  # what no model can better, where there is such a value
    beside: bool = False  # told wherever the headline is, which alone would mislead

    def words(self, number: Any) -> str:
        """A number of this measure in a sentence: `99.44% accuracy`, `1.326 bits per byte`."""
        text = self.unit.told(number)
        return text if self.unit.word else f"{text} {self.label}"

    def difference(self, number: Any) -> str:
        """A difference without its sign: `0.28 points of accuracy`, `0.012 bits per byte`."""
        text = self.unit.change(abs(number), signed=False)
        return text if self.unit.difference == self.label else f"{text} of {self.label}"

    def gain(self, before: float, after: float) -> float:
        """What `after` is better by, in the measure's own numbers; negative where it is worse."""
        return after - before if self.higher_is_better else before - after

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def measure_from(values: Mapping[str, Any]) -> Measure:
    """A measure from what `as_dict` gave."""
    return Measure(**{**values, "unit": Unit(**values["unit"])})

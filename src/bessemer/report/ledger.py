"""What each technique bought, as the terminal and the page tell it: rows of paired trials, not steps of the file.

The ledger holds two kinds of rows. Those with `pairs` come from trials with and without a technique, on the
validation split. The others are the steps from the parent to the shipped file, on the test split.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bessemer.report import facts
from bessemer.report import format as say
from bessemer.report.table import columns

Report = dict[str, Any]
HOW = "bessemer run RECIPE --ledger 30"
MIND = (
    "Seconds are single measurements of each trial's own clock, on a machine that may have been busy with other "
    "work. Intervals are over seeds, on one validation split: they do not cover other data."
)


def with_trials(report: Report, rows: Sequence[Report], about: Report) -> Report:
    """The report with these rows of trials in place of earlier ones."""
    return {**report, "ledger": [*steps(report), *rows], "trials": dict(about)}


def steps(report: Report) -> list[Report]:
    """The steps from the parent to the shipped file."""
    return [row for row in report.get("ledger") or [] if "pairs" not in row]


def trials(report: Report) -> list[Report]:
    """The rows of paired trials: training first, then what gained most."""
    found = [row for row in report.get("ledger") or [] if "pairs" in row]
    return sorted(found, key=lambda row: (row.get("stage") != "train", -(row.get("quality") or 0.0)))


def quality(report: Report, value: Any, word: bool = True) -> str:
    """A gain of the headline, positive where the technique helps: `+0.40 points`, `+0.012 bits per byte`."""
    return facts.headline_measure(report).unit.change(value, word=word)


def interval(report: Report, row: Report) -> str:
    """The 95% interval of the gain, or `one pair` where there can be none."""
    if not (say.known(row.get("low")) and say.known(row.get("high"))):
        return "one pair"
    return f"{quality(report, row['low'], word=False)} to {quality(report, row['high'], word=False)}"


def verdict(row: Report, low: str = "low", high: str = "high") -> str:
    """`helps`, `hurts`, `no difference`, or `may be chance` where the interval holds zero or there is none."""
    if not (say.known(row.get(low)) and say.known(row.get(high))):
        return "may be chance"
    if row[low] == row[high] == 0:
        return "no difference"
    return "helps" if row[low] > 0 else "hurts" if row[high] < 0 else "may be chance"


def words(report: Report, row: Report) -> str:
    """A row in words: `label smoothing: +0.40 points (-0.10 to +0.90), 3 pairs; +2.0 s`."""
    several = f" ({interval(report, row)}), {say.plural(row.get('pairs'), 'pair')}"
    gain = quality(report, row.get("quality")) + (", one pair" if row.get("pairs") == 1 else several)
    costs = [say.seconds(row.get("seconds"), sign=True)]
    costs += [say.size(row["bytes"], sign=True)] if row.get("bytes") else []
    return f"{row.get('technique')}: {gain}; {'; '.join(costs)}"


def cells(report: Report, row: Report) -> list[str]:
    """Technique, stage, quality, interval, pairs, verdict, time and size of a row."""
    return [
        str(row.get("technique", "")),
        str(row.get("stage", "")),
        quality(report, row.get("quality")),
        interval(report, row),
        say.count(row.get("pairs")),
        verdict(row),
        say.seconds(row.get("seconds"), sign=True),
        say.size(row.get("bytes"), sign=True),
    ]


HEAD = ["technique", "stage", "quality", "95% interval", "pairs", "verdict", "time", "size"]


def told(report: Report) -> str:
    """How the rows were measured, in a sentence."""
    about = report.get("trials") or {}
    return (
        f"{say.plural(about.get('trials'), 'training')} in {say.seconds(about.get('seconds'))}, measured on the "
        "validation split: the recipe as it is against the recipe without the technique, in pairs of the same "
        "seed. Plus is better, longer, larger."
    )


def ledger_table(report: Report) -> str:
    """The rows of trials for the terminal."""
    rows = [HEAD, *(cells(report, row) for row in trials(report))]
    return "\n".join(["ledger: what each technique bought", columns(rows, left=2), told(report), MIND])


def section(report: Report) -> dict[str, Any]:
    """What the page shows of the trials; empty rows where none were made."""
    rows = [{"cells": cells(report, row), "words": words(report, row)} for row in trials(report)]
    return {"head": HEAD, "rows": rows, "told": told(report), "mind": MIND, "how": HOW}

"""What preparation decided that a user should know, in sentences; what became of splits that the data brought."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bessemer.data.split import SPLITS
from bessemer.prepare.accounts import DUPLICATE, KEPT, LEAK, QUARANTINED, Fates
from bessemer.prepare.source.layout import lacking_in
from bessemer.prepare.staging import Staged


def given_splits(staged: Staged, fates: Fates) -> dict[str, Any]:
    """Of each split that came with the data: its rows, how many are kept, and why others are not."""
    given = {}
    for code, name in enumerate(SPLITS):
        states = fates.states[staged.splits == code]
        if not len(states):
            continue
        counts = np.bincount(states, minlength=LEAK + 1).tolist()
        aside = {reason: count for (split, reason), count in staged.aside.most_common() if split == name}
        aside[fates.rare_reason] = counts[QUARANTINED] - sum(aside.values())
        aside |= {"copies": counts[DUPLICATE], "leaks": counts[LEAK]}
        why = {reason: count for reason, count in aside.items() if count}
        given[name] = {"rows": len(states), "kept": counts[KEPT], "set_aside": why}
    return given


def notes_on(about: dict[str, Any]) -> Iterator[str]:
    """Sentences on what `dataset.json` says."""
    for name, one in about["given"].items():
        if name != "train" and one["kept"] < one["rows"]:
            why = ", ".join(f"{count:,} {reason}" for reason, count in one["set_aside"].items())
            gone = one["rows"] - one["kept"]
            yield f"{gone:,} of the {one['rows']:,} rows of the given {name} split are not used: {why}."
        if name != "train" and one["kept"]:
            counts = zip(about["classes"], about["class_counts"][name], strict=True)
            if lacking := [label for label, count in counts if not count]:
                yield lacking_in(name, lacking)
    if about["near_kept"]:
        near = about["near_kept"]
        yield f"Near copies are listed and not removed, as {near['why']} ({near['pairs']:,} pairs)."
    together = about["together"]
    for rule, one in together["used"].items():
        yield f"Kept on one side of the split: {one['groups']:,} groups of {one['rows']:,} samples, by {rule}."
    for rule, why in together["unused"].items():
        yield f"Not kept on one side of the split by {rule}: {why}."
    if together["across"]:
        yield f"Parts of {together['across']:,} groups stand in the given test split and outside of it too."

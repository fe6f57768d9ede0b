"""The data section of the page: every row accounted for, and samples of all that was found.

Samples may be pictures, sound (as a picture of its spectrogram) or text, and the text of a broken file may hold
anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bessemer.report import format as say
from bessemer.report.samples import BLANK, form, samples, shown
from bessemer.report.sections import blocks

PARTS = ("kept", "duplicates", "leaks", "quarantined")
REASONS = 5  # that the terminal names
EACH = 6  # quarantined samples shown of one reason
SHOWN = 24  # nearest copies, conflicts and probable label errors on the page


def data_section(report: dict[str, Any]) -> dict[str, Any]:
    """All that the template's data section needs."""
    data = report.get("data") or {}
    return {
        "source": data.get("source", ""),
        "told": data.get("told", ""),
        "account": _account(data),
        "splits": _splits(data),
        "blocks": blocks(data.get("blocks"), "data"),
        "lengths": (data.get("lengths") or {}).get("name", "Lengths"),
        "sources": [_source(one) for one in data.get("sources") or []],
        "tokens": _tokens(data.get("tokens") or {}),
        "quarantined": _quarantined(data),
        "notes": [str(note) for note in data.get("notes") or []],
        "repairs": _commonest(data.get("repairs")),
        "ignored": _commonest(data.get("ignored")),
        "nearest": _batches([_pair(one) for one in _first(data.get("nearest"))]),
        "conflicts": _conflicts(data.get("conflicts") or {}),
        "suspects": _suspects(data),
        "samples": samples(data.get("samples")),
        "form": form(samples(data.get("samples"))),
    }


def account_told(data: dict[str, Any]) -> list[str]:
    """What became of the rows in a few lines, for the terminal."""
    account = _account(data)
    if not account:
        return []
    gone = [f"{part['count']} {part['name']}" for part in account["parts"] if part["count"] != "0"]
    lines = [f"{account['rows']} rows: {', '.join(gone)}"]
    splits = [f"{say.count(rows)} {name}" for name, rows in (data.get("splits") or {}).items()]
    lines += [f"kept: {', '.join(splits)}"] if splits else []
    reasons = sorted((data.get("quarantined") or {}).items(), key=lambda item: -item[1])
    lines += [f"set aside: {say.count(times)} {reason}" for reason, times in reasons[:REASONS]]
    more = sum(times for _, times in reasons[REASONS:])
    return [*lines, *([f"set aside: {say.count(more)} for other reasons"] if more else [])]


def _account(data: dict[str, Any]) -> dict[str, Any]:
    """Where every row went; `rest` is what the figures leave unexplained, which must be nothing."""
    rows, counts = data.get("rows"), {name: data.get(name) for name in PARTS}
    if not data or not say.known(rows):
        return {}
    counts["quarantined"] = sum((data.get("quarantined") or {}).values())
    known = {name: int(value) for name, value in counts.items() if say.known(value)}
    rest = int(rows) - sum(known.values())
    near = data.get("near_duplicates")
    notes = {"duplicates": f"{say.count(near)} of them near copies" if near else ""}
    whole = max(int(rows), sum(known.values()), 1)
    parts = [
        {
            "name": name,
            "count": say.count(value),
            "share": say.percent(value / whole),
            "width": f"{100 * value / whole:.3f}",
            "note": notes.get(name, ""),
        }
        for name, value in known.items()
    ]
    return {"rows": say.count(rows), "parts": parts, "rest": f"{rest:+,}" if rest else ""}


def _splits(data: dict[str, Any]) -> dict[str, str]:
    """The samples of each split; of one that came with the data also how many of its rows are not used."""
    told = {}
    for name, rows in (data.get("splits") or {}).items():
        given = (data.get("given") or {}).get(name) or {}
        gone = given.get("rows", 0) - given.get("kept", 0)
        told[name] = f"{say.count(rows)} ({say.count(given['rows'])} given)" if gone else say.count(rows)
    return told


def _source(one: dict[str, Any]) -> dict[str, str]:
    weight = one.get("weight")
    return {
        "source": str(one.get("source", "")),
        "path": str(one.get("path") or ""),
        "rows": say.count(one.get("rows")),
        "weight": say.times(weight) if say.known(weight) else say.NOT_MEASURED,
    }


def _tokens(tokens: dict[str, Any]) -> str:
    """How the tokenizer fits, in a sentence."""
    told = []
    if say.known(tokens.get("truncated")):
        told.append(f"{say.percent(tokens['truncated'])} of the texts are longer than the model reads and are cut")
    if say.known(tokens.get("per_second")):
        told.append(f"tokenized at {say.count(tokens['per_second'])} tokens/s")
    return f"{'; '.join(told)}." if told else ""


def _quarantined(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Each reason with how often it was met and a few of its rows, the commonest first; `more` are not shown."""
    rows = data.get("quarantined_samples") or []
    reasons = sorted((data.get("quarantined") or {}).items(), key=lambda item: -item[1])
    groups = []
    for reason, times in reasons:
        mine = [one for one in rows if one.get("reason") == reason]
        some = [
            {"path": one.get("path", ""), "detail": one.get("detail") or "", **shown(one.get("shown"))}
            for one in mine[:EACH]
        ]
        kind = next((one["kind"] for one in mine if one.get("kind")), "")
        groups.append({"reason": reason, "times": times, "kind": kind, "rows": some, "more": times - len(some)})
    return groups


def _commonest(counts: Mapping[str, int] | None, most: int = SHOWN) -> list[tuple[str, str]]:
    ordered = sorted((counts or {}).items(), key=lambda item: -item[1])
    rows = [(name, say.count(times)) for name, times in ordered[:most]]
    rest = sum(times for _, times in ordered[most:])
    return [*rows, (f"{len(ordered) - most} others", say.count(rest))] if rest else rows


def _first(found: Sequence[dict[str, Any]] | None) -> Sequence[dict[str, Any]]:
    return (found or [])[:SHOWN]


def _batches(pairs: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The first pairs, and those that are folded away until the reader opens them."""
    return [part for part in (pairs[:EACH], pairs[EACH:]) if part]


def _pair(one: dict[str, Any]) -> dict[str, Any]:
    sides = [{**BLANK, **side, **shown(side.get("shown"))} for side in (one.get("a") or {}, one.get("b") or {})]
    likeness = one.get("similarity")
    state = str(one.get("state", ""))
    fates = {"duplicate": "one removed as a copy", "leak": "removed from the training side", "kept": "both kept"}
    return {
        "sides": sides,
        "similarity": say.percent(likeness),
        "state": state,
        "fate": fates.get(state, state),
        "crosses": len({str(side.get("label")) for side in sides}) > 1,
    }


def _conflicts(conflicts: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {"paths": one.get("paths") or [], "labels": one.get("labels") or []}
        for one in _first(conflicts.get("samples"))
    ]
    count = conflicts.get("count") or 0
    return {"count": count, "rows": rows, "more": max(count - len(rows), 0)}


def _suspects(data: dict[str, Any]) -> dict[str, Any]:
    """Samples whose label the cross-validated check doubts, and how the check was made."""
    check = data.get("label_check") or {}
    rows = [{**BLANK, **one, **shown(one.get("shown"))} for one in _first(data.get("label_issues"))]
    how = ""
    if say.known(check.get("checked")):
        found = check.get("found", len(rows))
        how = (
            f"{say.count(found)} of {say.plural(check['checked'], 'training sample')} are in doubt, by the "
            "cross-validated confidence of a simple model"
        )
        right = check.get("accuracy")
        how += f", which gives the stated label to {say.percent(right)} of them all." if say.known(right) else "."
    return {"how": how, "rows": rows, "more": max((check.get("found") or 0) - len(rows), 0)}

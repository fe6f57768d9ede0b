"""The model card: Markdown under the YAML front matter that model hubs read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from bessemer.report import facts, ledger, yardstick
from bessemer.report import format as say
from bessemer.report.markdown import table, text, told_sections

PYTHON = """```python
import onnxruntime

model = onnxruntime.InferenceSession("export/onnx/model.onnx")
(logits,) = model.run(None, {model.get_inputs()[0].name: inputs})
```"""

ALONE = "Without bessemer, from the run's folder, with the files to answer as arguments:"


def model_card(report: dict[str, Any]) -> str:
    """The card of the shipped model, or of the parent where nothing shipped."""
    none = facts.asks_nothing(report)
    body = [
        f"# {text(report.get('name', 'model'))}",
        facts.headline(report),
        *([] if none else [f"Contract: **{facts.verdict(report).removeprefix('contract ')}**."]),
        *(f"**Mind:** {text(warning)}" for warning in yardstick.warnings(report)),
        *_section("Results", _results(report)),
        *([] if none else _section("Contract", _contract(report))),
        *_section("What it does", _task(report)),
        *_section("How to use it", _use(report)),
        *_told_sections(report),
        *_section("Training data", _data(report)),
        *([] if none else _section("How it was made", _ledger(report))),
        *_section("Limits", _limits(report)),
        *_section("Parity", _parity(report)),
        *_section("Measured on", _machine(report)),
    ]
    card = f"{_front(report)}\n" + "\n\n".join(body) + "\n"
    return card.encode("utf-8", "replace").decode("utf-8")  # a name that is no UTF-8 must not stop the card


def _front(report: dict[str, Any]) -> str:
    """The front matter. Strings are written as JSON, which is YAML that needs no further quoting."""
    name, source = str(report.get("name", "model")), str((report.get("data") or {}).get("source", "unknown"))
    task = str(_told(report).get("pipeline_tag") or "other")
    lines = ["---", "library_name: onnx", f"pipeline_tag: {task}"]
    lines += ["tags:", "- bessemer", "- onnx"]
    kind = (facts.chosen(report) or {}).get("format")
    lines += [f"- {json.dumps(str(kind))}"] if kind else []
    metrics = facts.part(report, "metrics", _role(report))
    values = {one.name: (metrics.get(one.name) or {}).get("value") for one in facts.measures(report)}
    values = {key: value for key, value in values.items() if say.known(value)}
    if values:
        lines += ["model-index:", f"- name: {json.dumps(name)}", "  results:", "  - task:"]
        lines += [f"      type: {task}", "    dataset:", f"      name: {json.dumps(source)}"]
        lines += [f"      type: {json.dumps(source)}", "      split: test", "    metrics:"]
    for key, value in values.items():
        lines += [f"    - type: {key}", f"      value: {_written(value)}"]
    return "\n".join([*lines, "---", ""])


def _written(value: Any) -> str:
    """A number of the front matter: errors of a target of a small unit keep their digits."""
    return f"{value:.6f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.6e}"


def _role(report: dict[str, Any]) -> str:
    return "parent" if facts.value(report, "shipped") is None else "shipped"


def _told(report: dict[str, Any]) -> dict[str, Any]:
    """What the task says of its model for the card."""
    return report.get("card") or {}


def _section(title: str, blocks: Iterable[str]) -> list[str]:
    return [f"## {title}", *blocks]


def _results(report: dict[str, Any]) -> list[str]:
    def both(value: str, note: str) -> str:
        return f"{value} ({note})" if note else value

    rows = [
        [row.label, both(row.parent, row.parent_note), both(row.shipped, row.shipped_note), row.change]
        for row in facts.comparison(report)
    ]
    note = "Quality is measured on the test split, with 95% intervals. Latency is the median in ONNX Runtime."
    worth = yardstick.compared(report)
    blocks = [note, table(["", "parent", "shipped", "change"], rows)]
    return [*blocks, text(worth)] if worth else blocks


def _contract(report: dict[str, Any]) -> list[str]:
    rows = [[text(term.label), term.limit, term.value, term.state] for term in facts.terms(report)]
    if not rows:
        return [f"The contract was {say.NOT_RUN}."]
    return [table(["term", "limit", "measured", "verdict"], rows)]


def _task(report: dict[str, Any]) -> list[str]:
    return [text(line) for line in _told(report).get("does") or [f"What it does is {say.NOT_MEASURED}."]]


def _use(report: dict[str, Any]) -> list[str]:
    """The command for raw files, and the input of the ONNX file for those who prepare it themselves."""
    use = _told(report).get("use") or {}
    command = (
        f"```sh\nbessemer predict RUN {use.get('example', 'FILE')}   # {use.get('says', 'what it says')}\n```"
    )
    alone = [ALONE, f"```python\n{use['python'].strip()}\n```"] if use.get("python") else [PYTHON]
    return [command, *alone, *([str(use["tensors"])] if use.get("tensors") else [])]


def _told_sections(report: dict[str, Any]) -> list[str]:
    """The texts and tables of the sections that the task handed over; pictures are left to the page."""
    found = []
    for title, body in told_sections(report):
        found += _section(title, body)
    return found


def _data(report: dict[str, Any]) -> list[str]:
    data = report.get("data") or {}
    if not data:
        return [f"The data is {say.NOT_MEASURED}."]
    splits = ", ".join(f"{say.count(rows)} {text(name)}" for name, rows in (data.get("splits") or {}).items())
    broken, repairs = data.get("quarantined") or {}, data.get("repairs") or {}
    near = say.count(data["near_duplicates"]) if data.get("near_duplicates") else ""
    lines = [
        f"- source: {text(data.get('source', 'unknown'))}",
        f"- samples: {say.count(data.get('kept'))} kept of {say.count(data.get('rows'))}",
        f"- splits: {splits or say.NOT_RUN}",
        f"- duplicates: {say.count(data.get('duplicates'))}" + (f", {near} of them near copies" if near else ""),
        f"- leaks between splits: {say.count(data.get('leaks'))}",
        f"- quarantined: {say.count(sum(broken.values()))}",
        *(f"  - {text(reason)}: {say.count(times)}" for reason, times in broken.items()),
        *(f"- note: {text(note)}" for note in data.get("notes") or []),
        *(["- repaired:"] if repairs else []),
        *(f"  - {text(what)}: {say.count(times)}" for what, times in repairs.items()),
        *_labels(data),
    ]
    return ["\n".join(lines)]


def _labels(data: dict[str, Any]) -> list[str]:
    """What is known against the labels."""
    conflicts, check = (data.get("conflicts") or {}).get("count"), data.get("label_check") or {}
    lines = [f"- the same content under several labels: {say.count(conflicts)}"] if conflicts else []
    if say.known(check.get("found")):
        of = say.count(check.get("checked"))
        lines.append(f"- probable label errors, left as they are: {say.count(check['found'])} of {of} looked at")
    return lines


def _ledger(report: dict[str, Any]) -> list[str]:
    measure = facts.headline_measure(report)
    unit = measure.unit
    rows = [
        [
            text(line.get("technique", "")),
            text(line.get("stage", "")),
            unit.change(line.get("quality")),
            say.size(line.get("bytes"), sign=True),
            say.milliseconds(line.get("latency_ms"), sign=True),
        ]
        for line in ledger.steps(report)
    ]
    if not rows:
        return [f"The ledger was {say.NOT_RUN}."]
    return [table(["technique", "stage", measure.label, "size", "latency"], rows)]


def _limits(report: dict[str, Any]) -> list[str]:
    """What the figures do not cover, and what the task says of its model's weaknesses."""
    known = "The figures hold for data like the test split. Other data is not measured."
    return [known, *(text(line) for line in _told(report).get("limits") or [])]


def _parity(report: dict[str, Any]) -> list[str]:
    rows = [
        [text(name), say.percent(one.get("agreement")), say.count(one.get("samples"))]
        for name, one in (report.get("parity") or {}).items()
    ]
    return [table(["file", "same answer", "samples"], rows)] if rows else [f"Parity was {say.NOT_RUN}."]


def _machine(report: dict[str, Any]) -> list[str]:
    machine = report.get("machine") or {}
    place = text(machine.get("processor") or "an unknown processor")
    cores = f", {say.plural(machine['cores'], 'core')}" if say.known(machine.get("cores")) else ""
    versions = {"bessemer": report.get("version", "of unknown version")} | (machine.get("versions") or {})
    listed = ", ".join(f"{text(name)} {text(number)}" for name, number in versions.items())
    return [f"{place}{cores}. {listed}."]

"""The model card: Markdown under the YAML front matter that model hubs read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from bessemer.report import facts, language, ledger, yardstick
from bessemer.report import format as say

SIGNS = "\\`*_[]|#"  # what Markdown would act on
# What `predict` is given, and what the ONNX file takes.
INPUTS = {
    "image": (
        "photo.png",
        "`inputs` is uint8 (batch, height, width, channels): images of {shape} (height × width × channels), "
        "values 0 to 255, not normalized.",
    ),
    "text": (
        "letter.txt",
        "`inputs` is int32 (batch, tokens): the ids that `tokenizer.json` gives to the cleaned text, at most "
        "{longest}, padded with 0 at the end.",
    ),
    "audio": (
        "word.wav",
        "`inputs` is int16 (batch, samples): one channel at {rate} samples a second, clips of {seconds} s. The "
        "spectrogram is computed inside the model.",
    ),
}
LANGUAGE_COMMAND = (
    "```sh\nbessemer predict RUN letter.txt   # bits per byte of a text, and how it could go on\n```"
)
LANGUAGE_INPUT = (
    "`inputs` is int32 (batch, length): the ids that `tokenizer.json` gives to a text, after the end of another, "
    "at most as many as the model's context (`preprocess.json` has both). "
    "`logits` is (batch, length, vocabulary): what could follow each token."
)
PYTHON = """```python
import onnxruntime

model = onnxruntime.InferenceSession("export/onnx/model.onnx")
(logits,) = model.run(None, {model.get_inputs()[0].name: inputs})
```"""
FRONT = ("accuracy", "precision", "recall", "f1", "bits_per_byte", "perplexity")  # metrics of the front matter
LISTED = 30  # classes that the card names; the others are counted


def model_card(report: dict[str, Any]) -> str:
    """The card of the shipped model, or of the parent where nothing shipped."""
    body = [
        f"# {text(report.get('name', 'model'))}",
        facts.headline(report),
        *(
            []
            if facts.is_language(report)
            else [f"Contract: **{facts.verdict(report).removeprefix('contract ')}**."]
        ),
        *(f"**Mind:** {text(warning)}" for warning in yardstick.warnings(report)),
        *_section("Results", _results(report)),
        *([] if facts.is_language(report) else _section("Contract", _contract(report))),
        *_section("What it does", _task(report)),
        *_section("How to use it", _use(report)),
        *_section("Training data", _data(report)),
        *([] if facts.is_language(report) else _section("How it was made", _ledger(report))),
        *_section("Limits", _limits(report)),
        *_section("Parity", _parity(report)),
        *_section("Measured on", _machine(report)),
    ]
    card = f"{_front(report)}\n" + "\n\n".join(body) + "\n"
    return card.encode("utf-8", "replace").decode("utf-8")  # a name that is no UTF-8 must not stop the card


def text(value: object) -> str:
    """`value` as Markdown text: on one line, and with nothing in it that Markdown or HTML would act on."""
    line = " ".join(str(value).split())
    return escape("".join(f"\\{sign}" if sign in SIGNS else sign for sign in line), quote=False)


def _front(report: dict[str, Any]) -> str:
    """The front matter. Strings are written as JSON, which is YAML that needs no further quoting."""
    name, source = str(report.get("name", "model")), str((report.get("data") or {}).get("source", "unknown"))
    task = "text-generation" if facts.is_language(report) else f"{facts.modality(report)}-classification"
    lines = ["---", "library_name: onnx", f"pipeline_tag: {task}"]
    lines += ["tags:", "- bessemer", "- onnx"]
    kind = (facts.chosen(report) or {}).get("format")
    lines += [f"- {json.dumps(str(kind))}"] if kind else []
    metrics = facts.part(report, "metrics", _role(report))
    values = {key: (metrics.get(key) or {}).get("value") for key in FRONT}
    values = {key: value for key, value in values.items() if say.known(value)}
    if values:
        lines += ["model-index:", f"- name: {json.dumps(name)}", "  results:", "  - task:"]
        lines += [f"      type: {task}", "    dataset:", f"      name: {json.dumps(source)}"]
        lines += [f"      type: {json.dumps(source)}", "      split: test", "    metrics:"]
    for key, value in values.items():
        lines += [f"    - type: {key}", f"      value: {value:.6f}"]
    return "\n".join([*lines, "---", ""])


def _role(report: dict[str, Any]) -> str:
    if facts.is_language(report):
        return "shipped" if language.metric(report, "shipped") else "parent"
    return "parent" if facts.accuracy(report, "shipped") is None else "shipped"


def _section(title: str, blocks: Iterable[str]) -> list[str]:
    return [f"## {title}", *blocks]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def _results(report: dict[str, Any]) -> list[str]:
    def both(value: str, note: str) -> str:
        return f"{value} ({note})" if note else value

    rows = [
        [row.label, both(row.parent, row.parent_note), both(row.shipped, row.shipped_note), row.change]
        for row in facts.comparison(report)
    ]
    note = "Quality is measured on the test split, with 95% intervals. Latency is the median in ONNX Runtime."
    worth = yardstick.compared(report)
    blocks = [note, _table(["", "parent", "shipped", "change"], rows)]
    return [*blocks, text(worth)] if worth else blocks


def _contract(report: dict[str, Any]) -> list[str]:
    rows = [[text(term.label), term.limit, term.value, term.state] for term in facts.terms(report)]
    if not rows:
        return [f"The contract was {say.NOT_RUN}."]
    return [_table(["term", "limit", "measured", "verdict"], rows)]


def _task(report: dict[str, Any]) -> list[str]:
    if facts.is_language(report):
        return language.task(report)
    data = report.get("data") or {}
    names = [text(name) for name in data.get("classes") or []]
    if not names:
        return [f"The classes are {say.NOT_MEASURED}."]
    listed = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    kind = {"text": "texts", "audio": "recordings"}.get(facts.modality(report), "images")
    return [f"It sorts {kind} into {say.plural(len(names), 'class')}: {listed}."]


def _use(report: dict[str, Any]) -> list[str]:
    """The command for raw files, and the input of the ONNX file for those who prepare it themselves."""
    if facts.is_language(report):
        return [LANGUAGE_COMMAND, PYTHON, LANGUAGE_INPUT]
    example, tensor = INPUTS.get(facts.modality(report), INPUTS["image"])
    data = report.get("data") or {}
    settings = ((report.get("recipe") or {}).get("data") or {}).get(facts.modality(report)) or {}
    known = {
        "shape": " × ".join(map(str, data.get("image") or [])) or "unknown size",
        "longest": settings.get("max_tokens", "the recipe's max_tokens"),
        "rate": say.count(data.get("rate") or settings.get("rate")),
        "seconds": data.get("seconds") or settings.get("seconds") or "the prepared number of",
    }
    command = f"```sh\nbessemer predict RUN {example}   # classes and probabilities of raw files\n```"
    return [
        command,
        PYTHON,
        tensor.format(**known) + " `preprocess.json` says it in full; `logits` is one row a sample.",
    ]


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
    rows = [
        [
            text(line.get("technique", "")),
            text(line.get("stage", "")),
            say.points(line.get("quality"), sign=True),
            say.size(line.get("bytes"), sign=True),
            say.milliseconds(line.get("latency_ms"), sign=True),
        ]
        for line in ledger.steps(report)
    ]
    if not rows:
        return [f"The ledger was {say.NOT_RUN}."]
    return [_table(["technique", "stage", "accuracy", "size", "latency"], rows)]


def _limits(report: dict[str, Any]) -> list[str]:
    """What the figures do not cover, and the classes that the model knows least."""
    known = "The figures hold for data like the test split. Other data is not measured."
    if facts.is_language(report):
        return [f"{known} What it writes sounds like its data and need not be true."]
    rows = [one for one in (report.get("classes") or {}).get(_role(report)) or [] if say.known(one.get("f1"))]
    worst = sorted(rows, key=lambda one: float(one["f1"]))[:3]
    named = ", ".join(f"{text(one['name'])} ({say.percent(one['f1'])})" for one in worst)
    return [known, f"Lowest F1 by class: {named}."] if named else [known]


def _parity(report: dict[str, Any]) -> list[str]:
    rows = [
        [text(name), say.percent(one.get("agreement")), say.count(one.get("samples"))]
        for name, one in (report.get("parity") or {}).items()
    ]
    return [_table(["file", "same answer", "samples"], rows)] if rows else [f"Parity was {say.NOT_RUN}."]


def _machine(report: dict[str, Any]) -> list[str]:
    machine = report.get("machine") or {}
    place = text(machine.get("processor") or "an unknown processor")
    cores = f", {say.plural(machine['cores'], 'core')}" if say.known(machine.get("cores")) else ""
    versions = {"bessemer": report.get("version", "of unknown version")} | (machine.get("versions") or {})
    listed = ", ".join(f"{text(name)} {text(number)}" for name, number in versions.items())
    return [f"{place}{cores}. {listed}."]

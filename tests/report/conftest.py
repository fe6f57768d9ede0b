"""Made-up reports: whole runs, one stopped after training, one of many classes, messy data of each kind."""

from __future__ import annotations

import base64
import copy
import io
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bessemer.report import block_charts, html
from bessemer.report.blocks import (
    Bars,
    Block,
    Column,
    Curves,
    Gallery,
    Histogram,
    Matrix,
    Passage,
    Passages,
    Sample,
    Section,
    Table,
    Text,
    plain,
)
from bessemer.report.units import PLAIN
from bessemer.report.units import SHARE as PERCENT
from bessemer.task.classify.telling import confusions, mistake, mistakes, quality
from bessemer.task.task import balance

METRICS = ("accuracy", "precision", "recall", "f1")
SHARE = {"scale": 100.0, "decimals": 2, "sign": "%", "word": "", "difference": "points"}
MEASURES = [
    {"name": name, "label": label, "unit": SHARE, "higher_is_better": True, "best": best}
    for name, label, best in (
        ("accuracy", "accuracy", 1.0),
        ("precision", "precision", None),
        ("recall", "recall", None),
        ("f1", "F1", None),
    )
]


def picture(seed: int, side: int = 8) -> str:
    """A small noisy image as a data URI."""
    pixels = random.Random(seed).randbytes(side * side)
    file = io.BytesIO()
    Image.frombytes("L", (side, side), pixels).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def spectrogram(seed: int, bands: int = 32, frames: int = 96) -> str:
    """A picture of a tone that glides, as a data URI."""
    draw = random.Random(seed)
    start, slope = draw.uniform(6, 26), draw.uniform(-0.15, 0.15)
    pixels = bytes(
        round(min(255.0, 30 * draw.random() + 225 * math.exp(-(((row - start - slope * column) / 2) ** 2))))
        for row in range(bands)
        for column in range(frames)
    )
    file = io.BytesIO()
    Image.frombytes("L", (frames, bands), pixels).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


WORDS = (
    "the",
    "parser",
    "reads",
    "a",
    "table",
    "by",
    "row",
    "and",
    "gives",
    "back",
    "what",
    "it",
    "found",
    "as",
    "list",
    "of",
)


def prose(seed: int, words: int = 60) -> str:
    """Some words in two lines."""
    draw = random.Random(seed)
    line = " ".join(draw.choices(WORDS, k=words // 2))
    return f"{line.capitalize()}.\n{' '.join(draw.choices(WORDS, k=words // 2))}."


SHOW = {"image": picture, "audio": spectrogram, "text": prose}
SUFFIX = {"image": "png", "audio": "wav", "text": "txt"}
NAMES = {
    "image": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "audio": ["yes", "no", "up", "down", "left", "right"],
    "text": ["asyncio", "email", "json", "tkinter", "unittest", "xml"],
}
LENGTHS = {
    "image": {
        "name": "Sizes",
        "unit": "pixels",
        "edges": [64, 256, 1024, 4096, 16384, 65536],
        "counts": [3, 60, 1500, 220, 12],
    },
    "audio": {
        "unit": "seconds",
        "edges": [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5],
        "counts": [4, 60, 310, 1200, 190, 31],
    },
    "text": {
        "unit": "characters",
        "edges": [20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 40960, 81920, 163840],
        "counts": [12, 40, 90, 180, 260, 330, 300, 240, 170, 100, 50, 20, 3],
    },
}
REASONS = {
    "image": [
        ("cannot be decoded", "broken", 21),
        ("blank", "filtered", 9),
        ("smaller than 4 pixels", "filtered", 3),
    ],
    "audio": [("cannot be decoded", "broken", 12), ("silent", "filtered", 17), ("clipped", "filtered", 4)],
    "text": [
        ("shorter than 20 characters", "filtered", 61),
        ("repeats itself", "filtered", 25),
        ("binary data", "broken", 4),
    ],
}
REPAIRS = {
    "image": {"turned by its EXIF orientation": 31, "16 bits made 8": 4},
    "audio": {"resampled to 16,000 Hz": 240, "made mono": 61},
    "text": {
        "encoding windows-1252": 140,
        "mojibake repaired": 22,
        "HTML stripped": 310,
        "boilerplate lines dropped": 75,
    },
}
BASELINES = {"image": "logistic regression on pixels", "audio": "logistic regression on mean spectra"}


def messy(kind: str) -> dict[str, Any]:
    """A run on messy data of one kind, with all that preparation tells."""
    names, show = NAMES[kind], SHOW[kind]
    report = whole(names)
    reasons = {reason: times for reason, _, times in REASONS[kind]}
    kept, duplicates, leaks = 1795, 412, 38
    about = report["data"] | {
        "modality": kind,
        "source": {"image": "image_folder", "audio": "audio_folder", "text": "table"}[kind],
        "rows": kept + duplicates + leaks + sum(reasons.values()),
        "kept": kept,
        "quarantined": reasons,
        "duplicates": duplicates,
        "near_duplicates": 150,
        "leaks": leaks,
        "quarantined_samples": [
            {
                "path": f"{names[row % len(names)]}/{row:04d}.{SUFFIX[kind]}",
                "reason": reason,
                "detail": f"found {row + 3} in line {row}" if state == "filtered" else "the header is damaged",
                "kind": state,
                "shown": ("ab ab \x00\x1b" if kind == "text" else show(row)) if state == "filtered" else None,
            }
            for reason, state, times in REASONS[kind]
            for row in range(times)
        ],
        "repairs": REPAIRS[kind],
        "ignored": {".md": 12, ".DS_Store": 3, "": 2},
        "conflicts": {
            "count": 7,
            "samples": [
                {"paths": ["a/1", "deep/folder/of/b/2"], "labels": [names[0], names[1]]} for _ in range(3)
            ],
        },
        "lengths": LENGTHS[kind],
        "nearest": [
            {
                "similarity": 1 - 0.04 * row,
                "state": state,
                "a": side(kind, names[0], "train", row),
                "b": side(kind, names[row % 2], "test" if state == "leak" else "train", row),
            }
            for row, state in enumerate(["duplicate", "leak", "kept"])
        ],
        "label_issues": [
            {
                **side(kind, "", "train", 40 + row),
                "given": names[0],
                "suggested": names[1],
                "confidence": 0.97 - 0.1 * row,
            }
            for row in range(4)
        ],
        "label_check": {"checked": 1293, "found": 19, "accuracy": 0.88},
        "samples": [sample(kind, seed) | {"label": names[seed % len(names)]} for seed in range(12)],
        "balance": {
            "largest": {"name": names[0], "count": 180},
            "smallest": {"name": names[-1], "count": 12},
            "ratio": 15.0,
        },
    }
    if kind == "text":
        about |= {
            "tokens": {
                "edges": [0, 32, 64, 96, 128, 160, 192, 224, 256],
                "counts": [280, 410, 300, 230, 190, 140, 95, 150],
                "truncated": 0.083,
                "vocabulary": 8000,
            },
            "sources": [
                {"source": "table", "path": "posts.csv", "rows": 1900, "weight": 1.0},
                {"source": "text_folder", "path": "notes", "rows": about["rows"] - 1900, "weight": 0.5},
            ],
        }
    about["blocks"] = of_targets(about)
    settings = {"text": {"max_tokens": 256}, "audio": {"rate": 16_000, "seconds": 1.0}}
    recipe = report["recipe"] | {"data": report["recipe"]["data"] | {"source": about["source"]} | settings}
    simple = BASELINES.get(kind, "logistic regression on TF-IDF")
    return report | {
        "name": f"{kind}-demo",
        "data": about,
        "recipe": recipe,
        "baseline": {
            "name": simple,
            "metrics": {"accuracy": {"value": 0.9121, "low": 0.8912, "high": 0.9302}},
            "also": [constant(names[0], 1 / len(names))],
            "seconds": 3.2,
            "train": 1293,
        },
        "card": card(kind, names),
        "sections": report["sections"]
        | {
            "mistakes": mistakes(
                [
                    mistake(sample(kind, 70 + n), f"x/{n}.{SUFFIX[kind]}", names[n], names[-1], 0.9 - 0.1 * n)
                    for n in range(5)
                ]
            ).as_dict()
        },
    }


def sample(kind: str, seed: int) -> dict[str, Any]:
    """Something to show, as the stages write it."""
    shown = SHOW[kind](seed)
    return {"image": None, "text": shown} if kind == "text" else {"image": shown, "text": None}


def side(kind: str, label: str, split: str, seed: int) -> dict[str, Any]:
    """One of two near copies, or a sample whose label is doubted."""
    return {"path": f"{split}/{seed}.{SUFFIX[kind]}", "label": label, "split": split, "shown": SHOW[kind](seed)}


def curve(steps: int, loss: float, best: float) -> list[dict[str, Any]]:
    """A curve that falls and levels out, validated at every tenth step."""
    noise = random.Random(steps)
    points = []
    for step in range(1, steps + 1):
        done = 1 - math.exp(-4 * step / steps)
        value = best * (0.6 + 0.4 * done) if step % 10 == 0 else None
        level = loss * (1 - 0.95 * done) + noise.random() * 0.05
        points.append({"step": step, "loss": level, "validation": value})
    return points


TENSORS = {
    "image": "`inputs` is uint8: images of 8 × 8 × 1 (height × width × channels).",
    "text": "`inputs` is int32: at most 256 ids.",
    "audio": "`inputs` is int16: clips of 1 s.",
}


def constant(name: str, share: float) -> dict[str, Any]:
    """What always giving the same answer reaches."""
    return {"name": f"always answering “{name}”", "metrics": {"accuracy": {"value": share}}}


def card(kind: str, names: list[str]) -> dict[str, Any]:
    """What a task says of its model."""
    nouns = {"image": "images", "text": "texts", "audio": "recordings"}
    listed = ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
    return {
        "pipeline_tag": f"{kind}-classification",
        "does": [f"It sorts {nouns[kind]} into {len(names)} classes: {listed}."],
        "use": {"example": f"file.{SUFFIX[kind]}", "says": "classes", "tensors": TENSORS[kind]},
        "limits": ["Lowest F1 by class: eight (95.65%)."],
    }


def candidate(rung: int, keep: float, kind: str, drop: float, **other: Any) -> dict[str, Any]:
    """A candidate whose size and latency follow from what it keeps."""
    shrink = keep**2 / (3.6 if kind == "int8" else 1.0)
    latency = {"1": 0.142 * (0.2 + 0.8 * shrink), "64": 4.31 * (0.1 + 0.9 * shrink)}
    missed = (["max_drop"] if drop > 0.01 else []) + (["min_speedup"] if 4.31 / latency["64"] < 2 else [])
    return {
        "name": f"keep {keep:.2f} {kind}",
        "curve": f"keep {keep:.2f}",
        "format": kind,
        "quality": 0.9875 - drop,
        "parent_quality": 0.9875,
        "drop": drop,
        "bytes": round(1_212_000 * shrink) + 9_000,
        "parameters": round(302_122 * keep**2),
        "flops": round(18_412_000 * keep**2),
        "latency_ms": latency,
        "speedup": 4.31 / latency["64"],
        "missed": missed,
        "met": not missed,
        "chosen": False,
    } | other


def metrics(value: float) -> dict[str, dict[str, float]]:
    return {name: {"value": value, "low": value - 0.0121, "high": value + 0.0077} for name in METRICS}


def confusion(classes: int, wrong: int, seed: int) -> list[list[int]]:
    draw = random.Random(seed)
    matrix = [[36 if row == column else 0 for column in range(classes)] for row in range(classes)]
    for _ in range(wrong):
        truth, guess = draw.sample(range(classes), 2)
        matrix[truth][truth] -= 1
        matrix[truth][guess] += 1
    return matrix


def sections(role: str, names: list[str], matrices: dict[str, list[list[int]]]) -> dict[str, Any]:
    """What classification tells of a model."""
    counts = {name: np.array(matrix) for name, matrix in matrices.items()}
    before = counts["parent"] if role == "shipped" else None
    found = {
        "confusion": confusions(role, names, counts[role]),
        "classes": quality(role, names, counts[role], before),
        "mistakes": mistakes(
            [mistake({"image": picture(90 + n)}, "", names[n], names[-1], 0.98 - 0.07 * n) for n in range(6)]
        ),
    }
    return {name: section.as_dict() for name, section in found.items()}


def of_targets(about: dict[str, Any]) -> list[dict[str, Any]]:
    """How many samples each class has."""
    return [plain(Bars(about["classes"], about["class_counts"], caption=balance(about)))]


def whole(names: list[str]) -> dict[str, Any]:
    """A run that met its contract."""
    counts = {
        "train": [130 - 3 * (place % 7) for place in range(len(names))],
        "validation": [14] * len(names),
        "test": [36] * len(names),
    }
    size = len(names)
    matrices = {"parent": confusion(size, size // 2, 1), "shipped": confusion(size, size, 2)}
    tried = [
        candidate(0, 1.0, "fp32", 0.0),
        candidate(0, 1.0, "int8", 0.0007),
        candidate(1, 0.7, "fp32", 0.0014),
        candidate(1, 0.7, "int8", 0.0021),
        candidate(2, 0.5, "fp32", 0.0035),
        candidate(2, 0.5, "int8", 0.0042, chosen=True),
        candidate(3, 0.35, "fp32", 0.0139),
        candidate(3, 0.35, "int8", 0.0174),
        candidate(4, 0.2, "int8", 0.071),
    ]
    return {
        "format": 3,
        "version": "0.1.0",
        "name": "digits",
        "measures": MEASURES,
        "sample_noun": "sample",
        "card": card("image", names),
        "recipe": {
            "name": "digits",
            "data": {"source": "digits", "size": None, "split": {"test": 0.2, "validation": 0.1}},
            "train": {"epochs": 30, "optimizer": {"name": "sgd", "lr": 0.05}, "methods": ["mixup", "ema"]},
            "compress": {"contract": {"max_drop": 0.01, "min_speedup": 2.0}, "keep": [0.7, 0.5, 0.35, 0.2]},
        },
        "seed": 0,
        "machine": {
            "processor": "Example Processor 3000",
            "instructions": ["avx2", "avx512_vnni"],
            "cores": 2,
            "memory_gib": 7.8,
            "system": "Linux 6.8 x86_64",
            "python": "3.13.1",
            "versions": {"torch": "2.10.0", "onnxruntime": "1.22.0", "numpy": "2.4.0"},
        },
        "data": {
            "source": "digits",
            "rows": 1799,
            "kept": 1795,
            "quarantined": {"cannot be decoded": 2, "empty file": 1},
            "quarantined_samples": [{"path": "seven/0012.png", "reason": "cannot be decoded"}],
            "duplicates": 1,
            "leaks": 0,
            "classes": names,
            "splits": {"train": 1293, "validation": 142, "test": 360},
            "told": "images of 8 × 8 × 1 (height × width × channels)",
            "class_counts": counts,
            "blocks": of_targets({"classes": names, "class_counts": counts}),
            "samples": [{"image": picture(seed), "label": names[seed % len(names)]} for seed in range(20)],
        },
        "stages": [
            {"stage": "prepare", "hash": "a1" * 32, "seconds": 1.2, "cached": True},
            {"stage": "train", "hash": "b2" * 32, "seconds": 41.7, "cached": False},
            {"stage": "compress", "hash": "c3" * 32, "seconds": 83.4, "cached": False},
            {"stage": "export", "hash": "d4" * 32, "seconds": 6.1, "cached": False},
        ],
        "metrics": {"parent": metrics(0.9861), "shipped": metrics(0.9833)},
        "sections": sections("shipped", names, matrices),
        "sizes": {
            "parent": {"bytes": 1_221_000, "parameters": 302_122, "flops": 18_412_000},
            "shipped": {"bytes": 134_200, "parameters": 76_010, "flops": 4_603_000},
        },
        "latency": {
            "parent": {"1": {"median_ms": 0.142, "p90_ms": 0.161}, "64": {"median_ms": 4.31, "p90_ms": 4.62}},
            "shipped": {
                "1": {"median_ms": 0.0412, "p90_ms": 0.0533},
                "64": {"median_ms": 0.829, "p90_ms": 0.911},
            },
        },
        "contract": {
            "terms": {"max_drop": 0.01, "min_speedup": 2.0},
            "measured": {"drop": 0.0028, "speedup": 5.2, "bytes": 134_200, "latency_ms": 0.829},
            "verdict": [
                {"term": "max_drop", "limit": 0.01, "value": 0.0028, "met": True},
                {"term": "min_speedup", "limit": 2.0, "value": 5.2, "met": True},
            ],
            "met": True,
            "chosen": "keep 0.50 int8",
            "candidates": tried,
        },
        "parity": {
            "parent fp32": {"agreement": 1.0, "max_abs_error": 1.3e-6, "samples": 360},
            "shipped int8": {"agreement": 0.9972, "max_abs_error": 0.41, "samples": 360},
        },
        "curves": {
            "parent": curve(1200, 2.3, 0.9875),
            "candidates": {
                "keep 0.70": curve(400, 0.6, 0.986),
                "keep 0.50": curve(400, 0.9, 0.983),
                "keep 0.20": curve(400, 1.9, 0.917),
            },
        },
        "ledger": [
            {
                "technique": "structured pruning",
                "stage": "compress",
                "quality": -0.0111,
                "low": -0.0194,
                "high": -0.0028,
                "seconds": 2.1,
                "bytes": -906_000,
                "latency_ms": -2.81,
            },
            {
                "technique": "distillation",
                "stage": "compress",
                "quality": 0.0094,
                "low": 0.0021,
                "high": 0.0167,
                "seconds": 71.0,
                "bytes": 0,
                "latency_ms": 0.0,
            },
            {
                "technique": "int8 quantization",
                "stage": "compress",
                "quality": -0.0011,
                "low": -0.0032,
                "high": 0.0011,
                "seconds": 4.9,
                "bytes": -180_800,
                "latency_ms": -0.671,
            },
        ],
    }


@pytest.fixture(scope="session")
def bare() -> Callable[[dict[str, Any]], str]:
    """Renders a page without its charts, which take most of the time."""
    charts = ("pareto", "waterfall", "ledger", "curves", "lengths", "reached")

    def render(report: dict[str, Any]) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(html, "_charts", lambda _: dict.fromkeys(charts, ""))
            patch.setattr(block_charts, "draw", lambda *_: "")
            return html.render(report)

    return render


@pytest.fixture(scope="session")
def original() -> dict[str, Any]:
    """A run of ten classes that met its contract; not to be changed."""
    return whole(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


@pytest.fixture
def report(original: dict[str, Any]) -> dict[str, Any]:
    """A copy of the run of ten classes, to be changed at will."""
    return copy.deepcopy(original)


@pytest.fixture
def stopped(report: dict[str, Any]) -> dict[str, Any]:
    """A run that was stopped after training."""
    for key in ("metrics", "sizes", "latency"):
        del report[key]["shipped"]
    matrices = {"parent": confusion(10, 5, 1)}
    report["sections"] = sections("parent", report["data"]["classes"], matrices)
    del report["sections"]["mistakes"]
    report["curves"]["candidates"] = {}
    report["stages"] = report["stages"][:2]
    return report | {"contract": None, "parity": {}, "ledger": []}


@pytest.fixture
def many() -> dict[str, Any]:
    """A run of 120 classes."""
    return whole([f"species {place:03d}" for place in range(120)])


@pytest.fixture(scope="session", params=["image", "text", "audio"])
def told(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A kind of data, and the report of a run on messy data of that kind; not to be changed."""
    return request.param, messy(request.param)


ERRORS = {"scale": 1.0, "decimals": 2, "sign": "", "word": "steps", "difference": "steps"}


def every_block() -> list[Block]:
    """One block of each type, as a stranger's task could hand them over."""
    columns = [Column("grade"), Column("hit", PERCENT, bar=True), Column("gain", PLAIN, change=True)]
    rows = [[f"grade {place}", place / 4, 0.1 - 0.05 * place] for place in range(4)]
    return [
        Text("Grades are even."),
        Table([*columns], [*rows, ["none", None, None]], "By grade", folded_after=3, noun="grade"),
        Matrix(["low", "high"], [[7, 1], [2, 9]]),
        Bars(["low", "high"], {"train": [3, 4], "test": [1, 2]}, noun="essays", caption="Few are high."),
        Histogram([0, 1, 2, 4], [5, 3, 1], "length [pages]", "essays"),
        Curves({"parent": [(0, 1.0), (1, 0.5)]}, "grade", "error", "Error by grade"),
        Gallery([Sample(text="An essay.", path="a.txt", told={"said": "2", "truth": "4"}, wrong="said")]),
        Passages([Passage("b.txt", "It was", " late.", True, " dark.")]),
    ]


@pytest.fixture
def graded(report: dict[str, Any]) -> dict[str, Any]:
    """A run of a task that nobody here knows: grades, by how many steps they are off; fewer are better."""
    distance = {"name": "off", "label": "distance", "unit": ERRORS, "higher_is_better": False, "best": 0.0}
    report["measures"] = [distance]
    report["metrics"] = {
        role: {"off": {"value": value, "low": value - 0.05, "high": value + 0.05}}
        for role, value in (("parent", 0.4), ("shipped", 0.43))
    }
    report["baseline"] = {
        "name": "ordered logistic regression",
        "metrics": {"off": {"value": 0.7, "low": 0.65, "high": 0.75}},
        "also": [{"name": "always the middle grade", "metrics": {"off": {"value": 1.3}}}],
    }
    report["contract"]["terms"]["max_drop"] = "10%"
    report["contract"]["verdict"][0] |= {"limit": 0.04, "value": 0.03}
    for one in report["contract"]["candidates"]:
        one |= {"quality": 0.4 + one["drop"], "parent_quality": 0.4}
    report["sections"] = {"grades": Section("Grades", every_block(), "How grades are given.").as_dict()}
    report["card"] = {"pipeline_tag": "other", "does": ["It grades essays."], "use": {}, "limits": []}
    for one in (report["curves"]["parent"], *report["curves"]["candidates"].values()):
        for point in one:
            point["validation"] = point["validation"] and 1.4 - point["validation"]
    return report


@pytest.fixture
def text_report() -> dict[str, Any]:
    """A run on messy text, to be changed at will."""
    return messy("text")

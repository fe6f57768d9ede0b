"""Made-up reports: a whole run, a run stopped after training, and a run of many classes."""

from __future__ import annotations

import base64
import copy
import io
import math
import random
from typing import Any

import pytest
from PIL import Image

METRICS = ("accuracy", "precision", "recall", "f1")


def picture(seed: int, side: int = 8) -> str:
    """A small noisy image as a data URI."""
    pixels = random.Random(seed).randbytes(side * side)
    file = io.BytesIO()
    Image.frombytes("L", (side, side), pixels).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


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


def candidate(rung: int, keep: float, kind: str, drop: float, **other: Any) -> dict[str, Any]:
    """A candidate whose size and latency follow from what it keeps."""
    shrink = keep**2 / (3.6 if kind == "int8" else 1.0)
    latency = {"1": 0.142 * (0.2 + 0.8 * shrink), "64": 4.31 * (0.1 + 0.9 * shrink)}
    missed = (["max_drop"] if drop > 0.01 else []) + (["min_speedup"] if 4.31 / latency["64"] < 2 else [])
    return {
        "name": f"keep {keep:.2f} {kind}",
        "rung": rung,
        "keep": keep,
        "format": kind,
        "accuracy": 0.9875 - drop,
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


def per_class(names: list[str], matrix: list[list[int]]) -> list[dict[str, Any]]:
    rows = []
    for place, name in enumerate(names):
        right, support = matrix[place][place], sum(matrix[place])
        precision, recall = right / max(sum(row[place] for row in matrix), 1), right / support
        score = 2 * precision * recall / max(precision + recall, 1e-9)
        rows.append({"name": name, "precision": precision, "recall": recall, "f1": score, "support": support})
    return rows


def confusion(classes: int, wrong: int, seed: int) -> list[list[int]]:
    draw = random.Random(seed)
    matrix = [[36 if row == column else 0 for column in range(classes)] for row in range(classes)]
    for _ in range(wrong):
        truth, guess = draw.sample(range(classes), 2)
        matrix[truth][truth] -= 1
        matrix[truth][guess] += 1
    return matrix


def whole(names: list[str]) -> dict[str, Any]:
    """A run that met its contract."""
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
        "version": "0.1.0",
        "name": "digits",
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
            "class_counts": {
                "train": [130 - 3 * (place % 7) for place in range(len(names))],
                "validation": [14] * len(names),
                "test": [36] * len(names),
            },
            "image": [8, 8, 1],
            "samples": [{"image": picture(seed), "label": names[seed % len(names)]} for seed in range(20)],
        },
        "stages": [
            {"stage": "prepare", "hash": "a1" * 32, "seconds": 1.2, "cached": True},
            {"stage": "train", "hash": "b2" * 32, "seconds": 41.7, "cached": False},
            {"stage": "compress", "hash": "c3" * 32, "seconds": 83.4, "cached": False},
            {"stage": "export", "hash": "d4" * 32, "seconds": 6.1, "cached": False},
        ],
        "metrics": {"parent": metrics(0.9861), "shipped": metrics(0.9833)},
        "classes": {role: per_class(names, matrix) for role, matrix in matrices.items()},
        "confusion": matrices,
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
        "mistakes": [
            {
                "image": picture(90 + row),
                "truth": names[row],
                "predicted": names[-1],
                "confidence": 0.98 - 0.07 * row,
            }
            for row in range(6)
        ],
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
    for key in ("metrics", "classes", "confusion", "sizes", "latency"):
        del report[key]["shipped"]
    report["curves"]["candidates"] = {}
    report["stages"] = report["stages"][:2]
    return report | {"contract": None, "parity": {}, "ledger": [], "mistakes": []}


@pytest.fixture
def many() -> dict[str, Any]:
    """A run of 120 classes."""
    return whole([f"species {place:03d}" for place in range(120)])

"""Latency, throughput and size of models, in turns, in each runtime that can take them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bessemer.errors import UsageError
from bessemer.evaluate.benchmark import interleave, speedup, summarize
from bessemer.export.predictor import MODEL, find_export
from bessemer.export.session import OnnxModel
from bessemer.model.state import load_model
from bessemer.runtime import available_threads, machine

Runner = Callable[[NDArray[np.uint8]], object]


def bench_models(paths: list[Path], batches: list[int], seconds: float, threads: int | None) -> dict[str, Any]:
    """Time every model in ONNX Runtime, and in torch where the run keeps it; random images of the right shape.

    The first is the reference of the ratios. Raises UsageError where models take different images.
    """
    threads = threads or available_threads()
    torch.set_num_threads(threads)
    runners: dict[str, Runner] = {}
    bytes_of: dict[str, int] = {}
    shapes = set()
    for path in paths:
        folder = find_export(path)
        session = OnnxModel(folder / MODEL, threads)
        shapes.add(tuple(session.shape()[1:]))
        runners[f"{path} (ONNX Runtime)"] = session
        bytes_of[f"{path} (ONNX Runtime)"] = (folder / MODEL).stat().st_size
        weights = path / "model" / "weights.safetensors"
        if weights.exists():
            runners[f"{path} (torch)"] = partial(_in_torch, load_model(path / "model"))
            bytes_of[f"{path} (torch)"] = weights.stat().st_size
    if len(shapes) > 1:
        raise UsageError(f"the models take different images: {sorted(shapes)}", "compare models of one data set")
    shape = shapes.pop()
    rows = [row for batch in batches for row in _at_batch(runners, bytes_of, batch, shape, seconds)]
    return {"machine": machine(), "threads": threads, "rows": rows}


def _in_torch(model: torch.nn.Module, images: NDArray[np.uint8]) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(torch.from_numpy(images))
    return logits


def _at_batch(
    runners: dict[str, Runner], bytes_of: dict[str, int], batch: int, shape: tuple[int, ...], seconds: float
) -> list[dict[str, Any]]:
    images = np.random.default_rng(0).integers(0, 256, (batch, *shape), np.uint8)
    times = interleave({name: partial(call, images) for name, call in runners.items()}, seconds)
    reference = next(iter(times.values()))
    return [
        {
            "model": name,
            "batch": batch,
            "bytes": bytes_of[name],
            **summarize(taken),
            "images_per_second": batch / float(np.median(taken)),
            "speedup": speedup(reference, taken),
        }
        for name, taken in times.items()
    ]


def bench_table(result: dict[str, Any]) -> str:
    """The rows as a table for a terminal."""
    about = result["machine"]
    width = max(len(row["model"]) for row in result["rows"])
    lines = [
        f"{about['processor']}, {result['threads']} threads; all models in turns, median and 10% to 90%",
        f"{'model':{width}}  batch        ms        10% to 90%  images/s  times as fast      bytes",
    ]
    for row in result["rows"]:
        ratio = row["speedup"]
        spread = f"{row['p10_ms']:.3f} to {row['p90_ms']:.3f}"
        times = f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
        lines.append(
            f"{row['model']:{width}}  {row['batch']:5}  {row['median_ms']:8.3f}  {spread:>16}  "
            f"{row['images_per_second']:8,.0f}  {times:>20}  {row['bytes']:9,}"
        )
    return "\n".join(lines)

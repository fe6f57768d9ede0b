"""Latency, throughput and size of models, in turns, in each runtime that can take them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bessemer.data.readers import PREPROCESS, kind_of
from bessemer.errors import UsageError
from bessemer.export.predictor import MODEL, find_export
from bessemer.export.session import OnnxModel
from bessemer.measure.benchmark import interleave, speedup, summarize
from bessemer.model.state import load_model
from bessemer.runtime import available_threads, machine

Runner = Callable[[NDArray[Any]], object]


def bench_models(paths: list[Path], batches: list[int], seconds: float, threads: int | None) -> dict[str, Any]:
    """Time every model in ONNX Runtime, and in torch where the run keeps it; random inputs of the right shape.

    The first is the reference of the ratios. Raises UsageError where models take different inputs.
    """
    threads = threads or available_threads()
    torch.set_num_threads(threads)
    runners: dict[str, Runner] = {}
    bytes_of: dict[str, int] = {}
    kinds: dict[str, dict[str, Any]] = {}
    for path in paths:
        folder = find_export(path)
        session = OnnxModel(folder / MODEL, threads)
        about = json.loads((folder / PREPROCESS).read_text(encoding="utf-8"))
        kinds[str(about["input"])] = about
        runners[f"{path} (ONNX Runtime)"] = session
        bytes_of[f"{path} (ONNX Runtime)"] = (folder / MODEL).stat().st_size
        weights = path / "model" / "weights.safetensors"
        if weights.exists():
            runners[f"{path} (torch)"] = partial(_in_torch, load_model(path / "model"))
            bytes_of[f"{path} (torch)"] = weights.stat().st_size
    if len(kinds) > 1:
        raise UsageError(f"the models take different inputs: {sorted(kinds)}", "compare models of one data set")
    about = kinds.popitem()[1]
    noise = (kind_of(about).random_inputs(about, batch) for batch in batches)
    rows = [row for inputs in noise for row in _at_batch(runners, bytes_of, inputs, seconds)]
    return {"machine": machine(), "threads": threads, "rows": rows}


def _in_torch(model: torch.nn.Module, inputs: NDArray[Any]) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(torch.from_numpy(inputs))
    return logits


def _at_batch(
    runners: dict[str, Runner], bytes_of: dict[str, int], inputs: NDArray[Any], seconds: float
) -> list[dict[str, Any]]:
    batch = len(inputs)
    times = interleave({name: partial(call, inputs) for name, call in runners.items()}, seconds)
    reference = next(iter(times.values()))
    return [
        {
            "model": name,
            "batch": batch,
            "bytes": bytes_of[name],
            **summarize(taken),
            "samples_per_second": batch / float(np.median(taken)),
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
        f"{'model':{width}}  batch        ms        10% to 90%  samples/s  times as fast      bytes",
    ]
    for row in result["rows"]:
        ratio = row["speedup"]
        spread = f"{row['p10_ms']:.3f} to {row['p90_ms']:.3f}"
        times = f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
        lines.append(
            f"{row['model']:{width}}  {row['batch']:5}  {row['median_ms']:8.3f}  {spread:>16}  "
            f"{row['samples_per_second']:8,.0f}  {times:>20}  {row['bytes']:9,}"
        )
    return "\n".join(lines)

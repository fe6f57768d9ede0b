"""The parent as a fp32 ONNX file: its parity, its quality on the test split, and a simple model beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bessemer.data.dataset import Dataset
from bessemer.evaluate.baseline import baseline
from bessemer.export.onnx import export_onnx
from bessemer.export.parity import compare, gate, torch_logits
from bessemer.export.session import OnnxModel
from bessemer.model.state import load_model
from bessemer.stages.context import Context, quality, sizes

BASELINE = "baseline.json"


def evaluate(context: Context) -> None:
    """Export the parent, hold its file against the model, and measure it."""
    dataset = context.dataset()
    network = load_model(context.parent_model)
    test, validation = dataset.split("test"), dataset.split("validation")
    path = context.out / "model.onnx"
    export_onnx(network, torch.from_numpy(test.inputs[:2]), path)
    session = OnnxModel(path, context.runtime.threads)
    logits = session.logits(test.inputs)
    parity = compare(torch_logits(network, test.inputs), logits)
    gate("parent fp32", parity, 1.0)
    np.save(context.out / "test_predictions.npy", logits.argmax(1))
    np.save(context.out / "validation_predictions.npy", session.logits(validation.inputs).argmax(1))
    facts = quality(test, logits, dataset.about["classes"], "parent", context.recipe.seed)
    facts["sizes"] = {"parent": sizes(network, path, test)}
    facts["parity"] = {"parent fp32": parity.as_dict()}
    facts["baseline"] = simple_baseline(context, dataset)
    context.write_facts(facts)


def simple_baseline(context: Context, dataset: Dataset) -> dict[str, Any]:
    """What a simple model reaches on the same splits."""
    train, test = dataset.split("train"), dataset.split("test")
    modality, seed = dataset.about["modality"], context.recipe.seed
    rate = dataset.about["arguments"].get("rate", 0)

    def find() -> dict[str, Any]:
        values = (
            [dataset.texts("train"), dataset.texts("test")] if modality == "text" else [train.inputs, test.inputs]
        )
        return baseline(modality, values[0], train.labels, values[1], test.labels, rate=rate, seed=seed)

    return context.baseline("  a simple model on the same data, for comparison", find)

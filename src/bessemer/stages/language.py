"""A language model as one ONNX file: its parity, its bits per byte on the test split, and how it goes on.

Compression is not there yet, so what ships is the parent's file.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import torch

from bessemer.artifact import Decisions
from bessemer.data.dataset import Dataset, Samples
from bessemer.data.tokenize import TextEncoder, load_tokenizer
from bessemer.evaluate.benchmark import summarize
from bessemer.evaluate.language import Scores, score, some_windows, summary
from bessemer.evaluate.text_baseline import text_baseline
from bessemer.export.inputs import PREPROCESS, TOKENIZER
from bessemer.export.language import logit_nats
from bessemer.export.onnx import INPUT, OUTPUT, export_onnx
from bessemer.export.parity import compare, gate, torch_logits
from bessemer.export.session import OnnxModel
from bessemer.model.generate import generate
from bessemer.model.gpt import GPT
from bessemer.model.state import load_model
from bessemer.stages.context import Context, sizes, time_files

PARITY_TOKENS = 4096
PROMPTS, PROMPT_TOKENS, SAID_TOKENS = 4, 64, 96
TEMPERATURE, TOP_K = 0.8, 50
BATCH = 8  # windows that are timed at once, beside one


def evaluate_language(context: Context) -> None:
    """Export the model, hold its file against it, and measure the file on the whole test split."""
    dataset, network = context.dataset(), language_model(context)
    tokenizer = load_tokenizer(context.inputs["prepare"].path / TOKENIZER)
    test = dataset.windows("test", network.context)
    path = context.out / "model.onnx"
    export_onnx(network, torch.from_numpy(test.inputs[:2]), path)
    session = OnnxModel(path, context.runtime.threads)
    some = some_windows(test, PARITY_TOKENS).inputs
    parity = compare(rows_of(torch_logits(network, some)), rows_of(session.logits(some)))
    gate("parent fp32", parity, 1.0)
    scores = score_file(session, test, tokenizer, dataset.about["end"])
    context.write_facts(
        {
            "metrics": {"parent": metrics(scores, context.recipe.seed)},
            "scored": {"tokens": scores.tokens, "bytes": int(scores.bytes.sum()), "documents": len(scores.nats)},
            "sizes": {"parent": sizes(network, path, test)},
            "parity": {"parent fp32": parity.as_dict()},
            "baseline": simple_baseline(context, dataset),
            "continuations": continuations(dataset, network, tokenizer, context.recipe.seed),
        }
    )


def language_model(context: Context) -> GPT:
    """The trained decoder."""
    network = load_model(context.parent_model)
    assert isinstance(network, GPT)
    return network


def rows_of(logits: Any) -> Any:
    """Logits (B, T, V) as (B·T, V)."""
    return logits.reshape(-1, logits.shape[-1])


def score_file(session: OnnxModel, windows: Samples, tokenizer: TextEncoder, end: int) -> Scores:
    """Every token of the windows, as the exported file says it."""
    return score(lambda inputs, goals: logit_nats(session(inputs), goals), windows, tokenizer.byte_lengths(), end)


def metrics(scores: Scores, seed: int) -> dict[str, Any]:
    """Bits per byte with an interval over documents, and the perplexity of a token."""
    nats = float(scores.nats.sum()) / max(1, scores.tokens)
    return {"bits_per_byte": summary(scores, seed), "perplexity": {"value": float(np.exp(nats))}}


def simple_baseline(context: Context, dataset: Dataset) -> dict[str, Any]:
    """What simple means reach on the same documents."""

    def find() -> dict[str, Any]:
        return text_baseline(dataset.texts("train"), dataset.texts("test"), context.recipe.seed)

    return context.baseline("  n-grams of bytes and a compressor on the same text, for comparison", find)


def continuations(dataset: Dataset, network: GPT, tokenizer: TextEncoder, seed: int) -> list[dict[str, Any]]:
    """The beginnings of some test documents, how the model goes on, and how the document does."""
    places = dataset.positions("test")
    places = places[np.linspace(0, len(places) - 1, min(PROMPTS, len(places))).astype(np.int64)]
    found = []
    for number, (place, name) in enumerate(zip(places.tolist(), dataset.names(places), strict=True)):
        ids = tokenizer.encode(dataset.text(place))
        prompt, rest = ids[: min(PROMPT_TOKENS, len(ids) // 2)], ids[min(PROMPT_TOKENS, len(ids) // 2) :]
        begun = torch.tensor([[dataset.about["end"], *prompt.tolist()]])
        said = generate(
            network, begun, SAID_TOKENS, temperature=TEMPERATURE, top_k=TOP_K, seed=seed * PROMPTS + number
        )[0].numpy()
        ended = np.flatnonzero(said == dataset.about["end"])
        said = said[: ended[0]] if len(ended) else said
        found.append(
            {
                "path": name,
                "prompt": tokenizer.decode(prompt),
                "model": tokenizer.decode(said),
                "ended": bool(len(ended)),
                "document": tokenizer.decode(rest[:SAID_TOKENS]),
            }
        )
    return found


# --- what ships -----------------------------------------------------------------------------------------


def export_language(context: Context) -> None:
    """Write the measured file with all that is needed to use it, and time it."""
    dataset, network = context.dataset(), language_model(context)
    tokenizer = context.inputs["prepare"].path / TOKENIZER
    about = json.dumps(preprocessing(dataset, network.context), indent=1)
    for folder, own in (
        (context.out / "onnx", [context.parent_file]),
        (
            context.out / "model",
            [context.parent_model / "architecture.json", context.parent_model / "weights.safetensors"],
        ),
    ):
        folder.mkdir()
        for source in (*own, tokenizer):
            shutil.copyfile(source, folder / source.name)
        (folder / PREPROCESS).write_text(about, encoding="utf-8")
    latency = Decisions(context.work / "decisions.json").take("latency", lambda: time_windows(context, network))
    measured = context.inputs["evaluate"].json("facts.json")  # of this very file
    context.write_facts(
        {
            "metrics": {"shipped": measured["metrics"]["parent"]},
            "sizes": {"shipped": measured["sizes"]["parent"]},
            "parity": {"shipped fp32": measured["parity"]["parent fp32"]},
            "latency": {"parent": latency, "shipped": latency},
        }
    )


def time_windows(context: Context, network: GPT) -> dict[str, Any]:
    """Milliseconds for one whole window of the test split, and for several at once."""
    inputs = context.dataset().windows("test", network.context).inputs
    seconds, threads = context.recipe.export.benchmark_seconds, context.runtime.threads
    times = time_files({"file": context.parent_file}, inputs, BATCH, seconds, threads)
    return {str(size): summarize(taken["file"]) for size, taken in times.items()}


def preprocessing(dataset: Dataset, context: int) -> dict[str, Any]:
    """How a raw file becomes the model's input, and what its outputs mean."""
    about = dataset.about
    return {
        "task": "language",
        "modality": "text",
        **about["preprocess"],
        "inside_the_model": about["arguments"],
        "context": context,
        "max_tokens": context,
        "end": about["end"],
        "input": {"name": INPUT, "dtype": "int32", "shape": ["batch", "length"]},
        "output": {
            "name": OUTPUT,
            "dtype": "float32",
            "shape": ["batch", "length", about["arguments"]["vocabulary"]],
        },
    }

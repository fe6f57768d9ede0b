"""What the report says of a language model: how much was scored, and how it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from bessemer.data.text.read import TOKENIZER
from bessemer.data.text.tokenize import load_tokenizer
from bessemer.draws import Stream, seed_for
from bessemer.model.contract import reads_on
from bessemer.model.generate import generate
from bessemer.report.blocks import Passage, Passages, Section
from bessemer.task.task import Shown

if TYPE_CHECKING:
    from bessemer.model.gpt.network import GPT

PROMPTS, PROMPT_TOKENS, SAID_TOKENS = 4, 64, 96
TEMPERATURE, TOP_K = 0.8, 50


def facts(shown: Shown) -> dict[str, Any]:
    """What was scored, and what the card says."""
    records = shown.records
    scored = {
        "tokens": int(records["tokens"]),
        "bytes": int(records["bytes"].sum()),
        "documents": len(records["nats"]),
    }
    return {"scored": scored, "card": card(shown)}


def sections(shown: Shown) -> dict[str, Section]:
    """How the model goes on after the beginnings of some test documents."""
    if not reads_on(shown.network):
        return {}
    lead = (
        "The beginnings of some test documents, how the model goes on (drawn at a fixed seed, not chosen), and "
        "how the document does."
    )
    found = continuations(shown, cast("GPT", shown.network))
    return {"continuations": Section("Continuations", [Passages(found)], lead)}


def card(shown: Shown) -> dict[str, Any]:
    """What the model card says of a language model."""
    vocabulary = shown.dataset.about["arguments"]["vocabulary"]
    return {
        "pipeline_tag": "text-generation",
        "does": [
            f"It says the next token of a text, one of {vocabulary:,}, from the tokens before. It knows "
            "every byte, so it takes any text."
        ],
        "use": {
            "example": "letter.txt",
            "says": "bits per byte of a text, and how it could go on",
            "tensors": "`inputs` is int32 (batch, length): the ids that `tokenizer.json` gives to a text, after "
            "the end of another, at most as many as the model's context (`preprocess.json` has both). `logits` is "
            "(batch, length, vocabulary): what could follow each token.",
        },
        "limits": ["What it writes sounds like its data and need not be true."],
    }


def continuations(shown: Shown, network: GPT) -> list[Passage]:
    """The beginnings of some test documents, how the model goes on, and how the document does."""
    dataset, tokenizer = shown.dataset, load_tokenizer(shown.dataset.folder / TOKENIZER)
    places = dataset.positions("test")
    places = places[np.linspace(0, len(places) - 1, min(PROMPTS, len(places))).astype(np.int64)]
    found = []
    for number, (place, name) in enumerate(zip(places.tolist(), dataset.names(places), strict=True)):
        ids = tokenizer.encode(dataset.text(place))
        prompt, rest = ids[: min(PROMPT_TOKENS, len(ids) // 2)], ids[min(PROMPT_TOKENS, len(ids) // 2) :]
        begun = torch.tensor([[dataset.about["end"], *prompt.tolist()]])
        own = seed_for(Stream.CONTINUE, shown.seed, number)
        drawn = generate(network, begun, SAID_TOKENS, temperature=TEMPERATURE, top_k=TOP_K, seed=own)
        said = drawn[0].numpy()
        ended = np.flatnonzero(said == dataset.about["end"])
        said = said[: ended[0]] if len(ended) else said
        found.append(
            Passage(
                path=name,
                start=tokenizer.decode(prompt),
                added=tokenizer.decode(said),
                ended=bool(len(ended)),
                rest=tokenizer.decode(rest[:SAID_TOKENS]),
            )
        )
    return found

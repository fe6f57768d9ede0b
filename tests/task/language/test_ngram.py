"""The baseline of language modelling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bessemer.task.language.baseline import NGRAMS, XZ, text_baseline, within
from bessemer.task.language.ngram import NgramModel, ngrams

TEXT = "the cat sat on the mat and the cat ate the rat "


def as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


@pytest.mark.parametrize("order", [1, 3, 8])
def test_probabilities_of_all_bytes_sum_to_one(order: int) -> None:
    model = NgramModel([as_bytes(TEXT), as_bytes("dogs")], order)
    for context in ("", "the c", "never seen: q"):
        cost = model.nats(as_bytes(context)[:-1]) if context else 0.0
        before = as_bytes(context)
        chances = []
        for byte in range(1, 256):
            known = np.concatenate([before, [byte]]).astype(np.uint8)
            chances.append(np.exp(-(model.nats(known) - _end(model, known) - _without_end(model, before))))
        end = np.exp(-_end(model, before))
        assert sum(chances) + end == pytest.approx(1, abs=1e-6), (context, cost)


def _end(model: NgramModel, document: np.ndarray) -> float:
    """What the end behind a document costs."""
    return model.nats(document) - _without_end(model, document)


def _without_end(model: NgramModel, document: np.ndarray) -> float:
    every = ngrams(document, model.length)[:-1]
    chance = np.full(len(every), 1 / 256)
    from bessemer.task.language.ngram import _interpolated

    for length, one in enumerate(reversed(model.orders), 1):
        chance = _interpolated(one, every & np.uint64(256**length - 1), chance)
    return float(-np.log(chance).sum())


def test_what_was_seen_costs_less() -> None:
    model = NgramModel([as_bytes(TEXT)])
    assert model.nats(as_bytes("the cat sat")) < 0.5 * model.nats(as_bytes("tac eht tas"))


def test_a_context_counts_kinds_not_times() -> None:
    # "z" always follows "y"; alone it is rare in kinds of contexts, so it is a poor guess elsewhere.
    model = NgramModel([as_bytes("yz" * 50 + "axbxcxdx")], 2)
    assert model.nats(as_bytes("?x")) < model.nats(as_bytes("?z"))


def test_ngrams_begin_and_end_with_a_zero() -> None:
    assert [hex(int(one)) for one in ngrams(as_bytes("ab"), 3)] == ["0x61", "0x6162", "0x616200"]


def value_of(found: dict[str, Any]) -> float:
    return float(found["metrics"]["bits_per_byte"]["value"])


def test_the_better_of_both_is_the_baseline_and_says_on_what_it_learned() -> None:
    generator = np.random.default_rng(0)
    words = ["".join(one) for one in generator.choice(list("abcdefgh"), (30, 4))]
    texts = [" ".join(generator.choice(words, 200)) for _ in range(30)]
    found = text_baseline(texts[:20], texts[20:])
    values = [value_of(one) for one in (found, *found["also"])]
    assert len(values) == 2
    assert value_of(found) == min(values)
    assert max(values) < 3  # a letter of eight takes three bits
    assert found["trained_on"] == found["train_bytes"] == sum(map(len, texts[:20]))
    less = text_baseline(texts[:20], texts[20:], most=found["train_bytes"] // 4)
    (other,) = less["also"]
    trained_on = {one["name"]: one["trained_on"] for one in (less, other)}
    assert trained_on == {NGRAMS: found["train_bytes"] // 4, XZ: found["train_bytes"]}  # exactly
    assert less["amount"] == {"unit": "bytes", "trained_on": less["trained_on"], "of": less["train_bytes"]}
    least = text_baseline(texts[:20], texts[20:], most=100, most_packed=100)
    assert least["trained_on"] == 100
    assert value_of(least) > value_of(found)


def test_a_budget_takes_documents_from_all_over_and_is_kept_to_the_byte() -> None:
    texts = [chr(65 + number) * 10 for number in range(20)]
    some, more = (b"".join(part.tobytes() for part in within(texts, most)) for most in (55, 155))
    assert (len(some), len(more)) == (55, 155)
    assert list(some) == sorted(some)  # in their order
    assert set(some) <= set(more)
    assert min(some) < 70 < 75 < max(some)
    assert within(texts, 1000)[7].tobytes() == b"H" * 10

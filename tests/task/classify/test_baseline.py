"""The baseline is a strong simple model, honestly counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from bessemer.data.kind import Simple
from bessemer.data.kinds import KINDS
from bessemer.measure.metrics import wilson
from bessemer.model.answers import TorchModel
from bessemer.task.classify.baseline import baseline
from bessemer.task.classify.task import softmax

DIGITS = load_digits()
IMAGES = np.rint(DIGITS.images * (255 / 16)).astype(np.uint8)[..., None]
LABELS = DIGITS.target.astype(np.int64)
TRAIN, TEST = slice(0, 1400), slice(1400, None)


def value_of(found):
    return found["metrics"]["accuracy"]["value"]


def tones(count, seed):
    """Clips of a low or a high tone in noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    time = np.arange(2000) / 8000
    pitch = np.where(labels, 900, 500)[:, None] * generator.uniform(0.95, 1.05, (count, 1))
    sound = 3000 * np.sin(2 * np.pi * pitch * time) + generator.normal(0, 300, (count, 2000))
    return sound.astype(np.int16), labels.astype(np.int64)


def texts(count, seed):
    """Documents whose topic shows in a few of their words."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, count)
    words = [f"common{i}" for i in range(50)]
    made = [
        " ".join([*generator.choice(words, 10), *generator.choice([f"t{topic}a", f"t{topic}b"], 3)])
        for topic in labels
    ]
    return made, labels.astype(np.int64)


def test_pixels_of_digits():
    found = baseline(KINDS["image"], IMAGES[TRAIN], LABELS[TRAIN], IMAGES[TEST], LABELS[TEST])
    assert found["name"] == "logistic regression on gradients, colors and pixels"
    assert found["converged"]
    assert found["trained_on"] == found["train_rows"] == 1400
    assert value_of(found) > 0.93
    assert set(found["metrics"]) == {"accuracy", "precision", "recall", "f1"}
    assert plain(found)


def plain(found):
    """Whether all but what is no figure can be written as JSON."""
    figures = {name: value for name, value in found.items() if name not in ("records", "network")}
    return json.loads(json.dumps(figures)) == figures


def test_what_it_said_of_each_test_sample_is_kept_and_a_network_says_the_same():
    found = baseline(KINDS["image"], IMAGES[TRAIN], LABELS[TRAIN], IMAGES[TEST], LABELS[TEST])
    (records,) = found["records"].values()
    assert np.mean(records["decided"] == records["truth"]) == value_of(found)
    assert np.array_equal(records["truth"], LABELS[TEST])
    assert found["network"]["name"] == found["name"]
    shares = softmax(TorchModel(found["network"]["module"]).logits(IMAGES[TEST]))
    assert np.array_equal(shares.argmax(1), records["decided"])
    assert shares.max(1) == pytest.approx(records["confidence"], abs=1e-5)


def test_it_is_no_weaker_than_a_quick_attempt_with_scikit_learn():
    """On average over seeds: of a small set, chance decides between two strengths that are as good."""
    data = (IMAGES[TRAIN], LABELS[TRAIN], IMAGES[TEST], LABELS[TEST])
    found = [value_of(baseline(KINDS["image"], *data, seed=seed)) for seed in range(4)]
    flat = IMAGES.reshape(len(IMAGES), -1) / 255
    quick = LogisticRegression(max_iter=5000).fit(flat[TRAIN], LABELS[TRAIN])
    assert np.mean(found) >= quick.score(flat[TEST], LABELS[TEST]) - 0.01


def test_accuracy_has_wilsons_interval():
    found = baseline(KINDS["image"], IMAGES[TRAIN], LABELS[TRAIN], IMAGES[TEST], LABELS[TEST])["metrics"][
        "accuracy"
    ]
    total = len(LABELS[TEST])
    assert (found["low"], found["high"]) == wilson(round(found["value"] * total), total)


@pytest.mark.parametrize(("modality", "make"), [("text", texts), ("audio", tones)])
def test_text_and_sound_are_learned(modality, make):
    (train, train_labels), (test, test_labels) = make(240, 0), make(100, 1)
    found = baseline(KINDS[modality], train, train_labels, test, test_labels, arguments={"rate": 8000})
    assert value_of(found) > 0.95


def test_a_limit_thins_out_every_class_alike():
    found = baseline(KINDS["image"], IMAGES[TRAIN], LABELS[TRAIN], IMAGES[TEST], LABELS[TEST], limit=200, seed=3)
    again = baseline(KINDS["image"], IMAGES[TRAIN], LABELS[TRAIN], IMAGES[TEST], LABELS[TEST], limit=200, seed=3)
    assert (found["trained_on"], found["train_rows"]) == (200, 1400)
    assert found["metrics"] == again["metrics"]
    assert value_of(found) > 0.75


def test_long_texts_are_thinned_out_by_their_length(monkeypatch):
    monkeypatch.setattr(type(KINDS["text"]), "simple", Simple("a line", (10.0,), budget=8000))
    (train, train_labels), (test, test_labels) = texts(240, 0), texts(50, 1)
    found = baseline(KINDS["text"], train, train_labels, test, test_labels)
    assert found["trained_on"] < found["train_rows"] == 240
    assert 8000 - max(map(len, train)) < found["amount"]["trained_on"] <= 8000
    assert found["amount"]["of"] == sum(map(len, train))
    assert found["amount"]["unit"] == "characters"


def test_the_accuracy_of_always_naming_the_commonest_class_stands_beside():
    labels = np.array([0] * 30 + [1] * 10, np.int64)
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), np.uint8)
    found = baseline(KINDS["image"], images, labels, images[20:], labels[20:])
    (constant,) = found["also"]
    assert constant["name"] == "always the commonest class"
    assert value_of(constant) == 0.5


def test_what_cannot_be_told_apart_stays_at_chance():
    generator = np.random.default_rng(1)
    images, labels = generator.integers(0, 256, (800, 6, 6, 1), np.uint8), generator.integers(0, 2, 800)
    found = baseline(KINDS["image"], images[:400], labels[:400], images[400:], labels[400:])["metrics"]["accuracy"]
    assert found["low"] < 0.5 < found["high"]


def test_a_handful_of_samples_is_enough():
    images = np.zeros((4, 2, 2, 1), np.uint8)
    images[2:] = 255
    found = baseline(KINDS["image"], images, np.array([0, 0, 1, 1]), images, np.array([0, 0, 1, 1]))
    assert value_of(found) == 1.0


class Columns(type(KINDS["image"])):
    """Images whose four pixels are the columns of a table, the last of them a code."""

    def columns(self, values, arguments):
        flat = np.asarray(values, np.float32).reshape(len(values), -1)
        return flat, np.arange(flat.shape[1]) == flat.shape[1] - 1


def cells(count, seed, rule):
    """Rows of four bytes, and classes that follow from them by a rule."""
    rows = np.random.default_rng(seed).integers(0, 256, (count, 2, 2, 1), np.uint8)
    return rows, rule(rows.reshape(count, 4).astype(int)).astype(np.int64)


RULES = {
    "gradient boosting": lambda rows: (rows[:, 0] > 128) ^ (rows[:, 1] > 128),  # no line tells these apart
    "logistic regression on gradients, colors and pixels": lambda rows: rows[:, 0] + rows[:, 1] > 256,
}


@pytest.mark.parametrize("best", RULES)
def test_where_there_are_columns_the_held_out_part_chooses_between_a_line_and_trees(best):
    data = (*cells(400, 0, RULES[best]), *cells(200, 1, RULES[best]))
    found = baseline(Columns(), *data)
    constant, other = found["also"]
    assert found["name"] == best
    assert {best, other["name"]} == set(RULES)
    assert constant["name"] == "always the commonest class"
    assert value_of(found) > 0.9
    assert found["rounds"] >= 1
    assert plain(found)
    assert baseline(Columns(), *data)["metrics"] == found["metrics"]


def test_without_columns_no_trees_grow():
    data = (*cells(200, 0, RULES["gradient boosting"]), *cells(9, 1, RULES["gradient boosting"]))
    assert baseline(KINDS["image"], *data)["rounds"] is None

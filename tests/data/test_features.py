"""Features against independent computations, and the simple model on them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_matrix, issparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from bessemer.data.audio.features import audio_features
from bessemer.data.audio.spectrogram import mean_spectrum
from bessemer.data.features import fit_linear, fit_ridge
from bessemer.data.image.features import MAX_VALUES, image_features
from bessemer.data.kinds import KINDS
from bessemer.data.text.features import MAX_CHARACTERS, text_features

RNG = np.random.default_rng(0)
DOCUMENTS = ["the cat sat", "the dog sat on the cat", "a bird sang", "the bird and the dog"] * 5


def random_images(count: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, *shape), np.uint8)


def test_small_images_are_their_pixels():
    images = random_images(7, 8, 9, 3)
    assert np.array_equal(image_features(images), (images / np.float32(255)).reshape(7, -1))


@pytest.mark.parametrize("shape", [(64, 64, 1), (100, 40, 3), (33, 33, 1), (1, 4096, 1)])
def test_larger_images_are_averaged_to_at_most_1024_values(shape):
    images = random_images(3, *shape)
    features = image_features(images)
    assert features.dtype == np.float32
    assert features.shape[1] <= MAX_VALUES
    assert features.mean(1) == pytest.approx(images.reshape(3, -1).mean(1) / 255, abs=0.02)


def test_averaging_by_a_whole_factor_is_the_mean_of_blocks():
    images = random_images(2, 64, 64, 1)
    blocks = images.reshape(2, 32, 2, 32, 2).mean((2, 4)) / 255
    assert image_features(images) == pytest.approx(blocks.reshape(2, -1), abs=1e-6)


def test_images_are_read_in_blocks():
    class Lazy:
        largest = 0

        def __len__(self):
            return 3000

        def __getitem__(self, index):
            if isinstance(index, slice):
                start, stop, _ = index.indices(3000)
                Lazy.largest = max(Lazy.largest, stop - start)
                return np.full((stop - start, 2, 2, 1), start // 1024, np.uint8)
            return np.zeros((2, 2, 1), np.uint8)

    features = image_features(Lazy())
    assert Lazy.largest <= 1024
    assert np.array_equal(np.unique(np.rint(features * 255)), [0, 1, 2])


def test_what_is_estimated_comes_from_the_training_samples():
    train, other = random_images(20, 4, 4, 1), random_images(5, 4, 4, 1)
    features, transform = KINDS["image"].features(train, {})
    assert features.mean(0) == pytest.approx(np.zeros(16), abs=1e-6)
    expected = image_features(other) - image_features(train).mean(0)
    assert transform(other) == pytest.approx(expected, abs=1e-6)


def test_text_features_are_damped_tf_idf_of_words_and_pairs():
    features, transform = text_features(DOCUMENTS)
    reference = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+")
    expected = reference.fit_transform(DOCUMENTS)
    assert issparse(features)
    assert features.dtype == np.float32
    assert features.toarray() == pytest.approx(expected.toarray(), abs=1e-6)
    assert transform(["the cat sang"]).toarray() == pytest.approx(
        reference.transform(["the cat sang"]).toarray(), abs=1e-6
    )


def test_texts_without_words_are_told_apart_by_their_characters():
    features, transform = text_features(["++ --", "++ **", "?!"])
    assert features.shape[0] == 3
    assert transform(["++"]).nnz > 0


def test_the_end_of_a_very_long_document_is_not_looked_at():
    features, _ = text_features(["word " * MAX_CHARACTERS + "unseen", "word other"])
    assert features.shape[1] == len({"word", "word word", "wor", "other", "word other"}) - 1


def test_sound_is_its_mean_spectrum_in_even_scale():
    clips = RNG.integers(-2000, 2000, (6, 8000)).astype(np.int16)
    assert audio_features(clips, 8000) == pytest.approx(mean_spectrum(clips, 8000, 64), abs=1e-5)
    features, transform = KINDS["audio"].features(clips, {"rate": 8000})
    assert features.mean(0) == pytest.approx(np.zeros(features.shape[1]), abs=1e-4)
    assert transform(clips) == pytest.approx(features, abs=1e-5)


@pytest.mark.parametrize("as_features", [np.asarray, csr_matrix], ids=["dense", "sparse"])
def test_the_linear_model_separates_what_is_separable(as_features):
    labels = np.arange(90) % 3
    values = RNG.normal(0, 0.3, (90, 6)).astype(np.float32)
    values[np.arange(90), labels] += 2
    model, converged = fit_linear(as_features(values), labels, 1.0, 0)
    assert converged
    assert model.score(as_features(values), labels) == 1.0
    assert model.predict_proba(as_features(values)).sum(1) == pytest.approx(np.ones(90))


def test_the_dense_model_is_scikit_learns():
    labels = np.arange(60) % 2
    values = RNG.normal(0, 1, (60, 4)) + labels[:, None]
    model, _ = fit_linear(values, labels, 0.5, 0)
    reference = LogisticRegression(C=0.5, tol=1e-8, max_iter=10_000).fit(values, labels)
    assert model.predict_proba(values) == pytest.approx(reference.predict_proba(values), abs=0.01)


def test_not_converging_is_told_and_not_warned_of(monkeypatch):
    monkeypatch.setattr("bessemer.data.features.ITERATIONS", 1)
    values = RNG.normal(0, 1, (60, 4))
    _, converged = fit_linear(values, np.arange(60) % 2, 1e6, 0)
    assert not converged


def test_importing_features_and_labels_does_not_import_anything_heavy():
    heavy = "{'torch', 'sklearn', 'cv2', 'cleanlab', 'pandas', 'scipy'}"
    imported = "bessemer.data.kinds, bessemer.data.features, bessemer.prepare.labels"
    script = f"import sys, {imported}; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("sparse", [False, True])
def test_a_ridge_regression_is_the_solution_of_its_equations(sparse):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(80, 6)).astype(np.float32)
    targets = features @ generator.normal(size=(6, 2)) + 5 + 0.1 * generator.normal(size=(80, 2))
    said = fit_ridge(csr_matrix(features) if sparse else features, targets, 10.0)(features)
    centered, mean = features - features.mean(0), targets.mean(0)
    weights = np.linalg.solve(centered.T @ centered + 10 * np.eye(6), centered.T @ (targets - mean))
    assert said == pytest.approx(mean + centered @ weights, abs=1e-3)
    assert fit_ridge(features, targets[:, :1], 10.0)(features).shape == (80, 1)

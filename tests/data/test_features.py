"""Features against independent computations, and the simple model on them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.fft import dct
from scipy.sparse import csr_matrix, issparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from bessemer.data.audio.features import CEPSTRA, MELS, PARTS
from bessemer.data.audio.spectrogram import log_mel
from bessemer.data.features import fit_linear, fit_ridge, weights_of
from bessemer.data.image.features import CLIP, DIRECTIONS, LEAST, MAX_VALUES, ImageFeatures, cells
from bessemer.data.kinds import KINDS
from bessemer.data.simple import AT_ONCE, measured
from bessemer.data.text.features import MAX_CHARACTERS, text_features, with_characters
from bessemer.data.text.grams import Bag
from bessemer.export.onnx import export_onnx
from bessemer.export.session import OnnxModel
from bessemer.model.answers import TorchModel
from bessemer.model.state import Architecture, load_model, save_model
from bessemer.task.classify.task import softmax

RNG = np.random.default_rng(0)
DOCUMENTS = ["the cat sat", "the dog sat on the cat", "a bird sang", "the bird and the dog"] * 5


def random_images(count: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, *shape), np.uint8)


def features_of(kind: str, values: np.ndarray, arguments: dict | None = None) -> np.ndarray:
    network = KINDS[kind].simple_network(values.shape[1:], arguments or {}, 2, True)
    return measured(network.features, values, sum(network.groups))


def picture_in(features: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The small picture, which stands last."""
    size = ImageFeatures(*shape).groups[-1]
    return features[:, features.shape[1] - size :]


@pytest.mark.parametrize("shape", [(64, 64, 1), (100, 40, 3), (33, 33, 1), (1, 4096, 1), (3, 2, 1), (1, 1, 3)])
def test_larger_images_are_averaged_to_at_most_1024_values(shape: tuple[int, ...]) -> None:
    images = random_images(3, *shape)
    small = picture_in(features_of("image", images), shape)
    assert small.dtype == np.float32
    assert small.shape[1] <= MAX_VALUES
    assert small.mean(1) == pytest.approx(images.reshape(3, -1).mean(1) / 255, abs=0.02)


def test_averaging_by_a_whole_factor_is_the_mean_of_blocks() -> None:
    images = random_images(2, 64, 64, 1)
    blocks = images.reshape(2, 32, 2, 32, 2).mean((2, 4)) / 255
    assert picture_in(features_of("image", images), (64, 64, 1)) == pytest.approx(blocks.reshape(2, -1), abs=1e-6)


def hog_by_hand(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Histograms of oriented gradients of an image (H, W, C) pixel by pixel, with `size` cells."""
    values, (rows, columns) = np.sqrt(image / 255), size
    height, width, channels = image.shape
    cells = np.zeros((rows, columns, DIRECTIONS))
    for y in range(height):
        for x in range(width):
            pairs = []
            for c in range(channels):
                across = values[y, x + 1, c] - values[y, x - 1, c] if 0 < x < width - 1 else 0.0
                down = values[y + 1, x, c] - values[y - 1, x, c] if 0 < y < height - 1 else 0.0
                pairs.append((across, down))
            across, down = max(pairs, key=lambda pair: pair[0] ** 2 + pair[1] ** 2)
            place = (np.arctan2(down, across) % np.pi) / np.pi * DIRECTIONS - 0.5
            for near in (int(np.floor(place)), int(np.floor(place)) + 1):
                share = (1 - abs(place - near)) * np.hypot(across, down)
                for row in range(rows):
                    for column in range(columns):
                        up = max(0.0, 1 - abs((y + 0.5) * rows / height - row - 0.5))
                        along = max(0.0, 1 - abs((x + 0.5) * columns / width - column - 0.5))
                        cells[row, column, near % DIRECTIONS] += share * up * along
    blocks = []
    for row in range(rows - 1):
        for column in range(columns - 1):
            block = cells[row : row + 2, column : column + 2].ravel()
            block = np.minimum(block / np.sqrt((block**2).sum() + LEAST), CLIP)
            blocks.append(block / np.sqrt((block**2).sum() + LEAST**2))
    return np.array(blocks)  # (blocks, 4 * 9)


@pytest.mark.parametrize("shape", [(16, 16, 1), (13, 22, 3)])
def test_gradients_are_counted_as_dalal_and_triggs_do(shape: tuple[int, ...]) -> None:
    images, network = random_images(2, *shape), ImageFeatures(*shape)
    size = cells(shape[0], shape[1])
    blocks = (size[0] - 1) * (size[1] - 1)
    found = measured(network, images, sum(network.groups))[:, : network.groups[0]]
    assert found.shape[1] == blocks * 36
    expected = np.stack([hog_by_hand(image, size) for image in images])
    assert found.reshape(2, 36, blocks).transpose(0, 2, 1) == pytest.approx(expected, abs=1e-4)


def test_colors_are_counted_by_their_nearness() -> None:
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[0, :2] = (255, 0, 85)  # the bins of 1, 0 and 1/3
    found = features_of("image", image)[0]
    start = ImageFeatures(4, 4, 3).groups[0]
    shares = found[start : start + 64].reshape(4, 4, 4) ** 2
    assert shares[3, 0, 1] == pytest.approx(0.5, abs=1e-6)
    assert shares[0, 0, 0] == pytest.approx(0.5, abs=1e-6)
    assert shares.sum() == pytest.approx(1)


def test_images_are_read_in_blocks() -> None:
    class Lazy:
        largest = 0

        def __len__(self) -> int:
            return 300

        def __getitem__(self, index: slice) -> np.ndarray:
            start, stop, _ = index.indices(300)
            Lazy.largest = max(Lazy.largest, stop - start)
            return np.full((stop - start, 2, 2, 1), start % 256, np.uint8)

    network = ImageFeatures(2, 2, 1)
    features = measured(network, Lazy(), sum(network.groups))
    assert Lazy.largest <= AT_ONCE
    assert np.rint(features[:, -1] * 255)[[0, AT_ONCE]].tolist() == [0, AT_ONCE]


def test_what_is_estimated_comes_from_the_training_samples() -> None:
    train, other = random_images(20, 4, 4, 1), random_images(5, 4, 4, 1)
    features, transform = KINDS["image"].features(train, {})
    assert features.mean(0) == pytest.approx(np.zeros(features.shape[1]), abs=1e-6)
    plain, first = features_of("image", train), ImageFeatures(4, 4, 1).groups[0]
    pixels = plain[:, first:].std(0)
    expected = (features_of("image", other) - plain.mean(0))[:, first:] / np.sqrt((pixels**2).mean())
    assert transform(other)[:, first:] == pytest.approx(expected, abs=1e-4)


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


def test_runs_of_characters_stand_beside_the_words() -> None:
    words, _ = text_features(DOCUMENTS)
    both, transform = with_characters(DOCUMENTS)
    assert both.shape[1] > words.shape[1]
    assert (both[:, : words.shape[1]] != words).nnz == 0
    unseen = transform(["doggy"])  # no word of it is known, but its beginning
    assert unseen[:, : words.shape[1]].nnz == 0 < unseen.nnz


def test_texts_without_words_are_told_apart_by_their_characters():
    features, transform = text_features(["++ --", "++ **", "?!"])
    assert features.shape[0] == 3
    assert transform(["++"]).nnz > 0


def test_the_end_of_a_very_long_document_is_not_looked_at():
    features, _ = text_features(["word " * MAX_CHARACTERS + "unseen", "word other"])
    assert features.shape[1] == len({"word", "word word", "wor", "other", "word other"}) - 1


def clip(seed: int, samples: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-2000, 2000, samples).astype(np.int16) | np.int16(1)  # no zeros


def cepstra_by_hand(sound: np.ndarray, rate: int) -> np.ndarray:
    """The orthonormal cosine transform of each frame's log-mel spectrum (frames, CEPSTRA)."""
    return dct(log_mel(sound[None], rate, MELS)[0].astype(np.float64), norm="ortho")[:, :CEPSTRA]


def test_sound_is_cepstra_their_slopes_and_their_means_in_parts() -> None:
    sound = clip(0, 8000)
    found, by_hand = features_of("audio", sound[None], {"rate": 8000})[0], cepstra_by_hand(sound, 8000)
    slopes = np.stack([np.polyfit(np.arange(5), by_hand[start : start + 5], 1)[0] for start in range(94)])
    expected = np.concatenate([by_hand.mean(0), by_hand.std(0), slopes.mean(0), slopes.std(0)])
    assert found[: 4 * CEPSTRA] == pytest.approx(expected, abs=2e-3)
    place = (np.arange(98) + 0.5) / 98
    near = np.maximum(0, 1 - np.abs(place[:, None] - (np.arange(PARTS) + 0.5) / PARTS) * PARTS)
    means = (near.T @ by_hand) / near.sum(0)[:, None]
    assert found[4 * CEPSTRA : -1] == pytest.approx(means.ravel(), abs=2e-3)
    assert found[-1] == pytest.approx(np.log(98), abs=1e-5)


@pytest.mark.parametrize(("before", "after"), [(80, 0), (800, 1600), (0, 4000)])
def test_padding_does_not_change_what_is_said_of_a_sound(before: int, after: int) -> None:
    sound = clip(1, 2000)
    alone, padded = (
        features_of("audio", one[None], {"rate": 8000}) for one in (sound, np.pad(sound, (before, after)))
    )
    assert padded == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("length", [0, 1, 60])
def test_a_sound_shorter_than_a_frame_and_silence_have_features(length: int) -> None:
    sound = np.pad(clip(2, length), (1000, 1000))[None]
    assert np.isfinite(features_of("audio", sound, {"rate": 8000})).all()


CELLS = {"numbers": 2, "dates": 1, "categories": [3, 5], "centers": [1.0, 0.0, 5e8], "factors": [2.0, 0.0, 1e-8]}
CELLS |= {"gaps": [True, False, False]}
ROWS = np.array([[1.5, 7, 5e8, 0, 4], [np.nan, np.nan, 6e8, 2, 1], [100, 0, 5e8, 1, 9]])


def test_rows_are_scaled_numbers_marks_of_gaps_and_ones_for_categories() -> None:
    far = 198 / np.sqrt(1 + (198 / 3) ** 2)
    near = 1 / np.sqrt(1 + (1 / 3) ** 2)
    expected = [
        [near, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1],
        [0, 0, near, 1, 0, 0, 1, 0, 1, 0, 0, 0],
        [far, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    ]
    assert features_of("table", ROWS, CELLS) == pytest.approx(np.array(expected), abs=1e-6)


def tokens(count: int) -> np.ndarray:
    rows = RNG.integers(1, 40, (count, 12)).astype(np.int32)
    rows[RNG.random((count, 12)).cumsum(1) > 5] = 0
    rows[:, 0] = 1 + np.arange(count) % 3
    return rows


def test_tokens_and_pairs_are_counted_as_scikit_learn_does() -> None:
    rows, network = tokens(30), Bag(40, 0, 3, True, pairs=1 << 16)
    found = network.learn(rows)
    texts = [" ".join(f"t{token}" for token in row if token) for row in rows]
    for size, columns in ((1, slice(0, 40)), (2, slice(40, None))):
        reference = TfidfVectorizer(sublinear_tf=True, ngram_range=(size, size), token_pattern=r"\w+")
        expected = reference.fit_transform(texts)
        part = found[:, columns]
        # Columns stand in another order, and hashes may meet: products of documents are the same.
        assert (part @ part.T).toarray() == pytest.approx((expected @ expected.T).toarray(), abs=1e-5)


GIVEN = {
    "image": (random_images(60, 20, 17, 3), {}),
    "audio": (np.stack([clip(seed, 3000) for seed in range(60)]), {"rate": 8000}),
    "table": (RNG.normal(size=(60, 3)) @ np.eye(3, 5) + [0, 0, 5e8, 1, 2], CELLS),
    "text": (tokens(60), {"vocabulary": 40, "pad": 0}),
}


def line(kind: str, classes: int) -> tuple[Architecture, torch.nn.Module, np.ndarray]:
    """A network with a fitted line in it, how it is built, and what scikit-learn gives (N, K)."""
    inputs, arguments = GIVEN[kind]
    labels = np.arange(len(inputs)) % classes
    about = {"kind": kind, "shape": list(inputs.shape[1:]), "arguments": arguments, "outputs": classes}
    architecture = Architecture("bessemer.model.simple.MODEL", {**about, "of_classes": True})
    network = architecture.build()
    features = network.learn(inputs)
    model, _ = fit_linear(features, labels, 0.1, 0)
    network.take(*weights_of(model, classes))
    return architecture, network, model.predict_proba(features)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", GIVEN)
def test_a_network_says_what_the_line_in_it_says(kind: str, classes: int, tmp_path: Path) -> None:
    architecture, network, shares = line(kind, classes)
    said = TorchModel(network).logits(GIVEN[kind][0])
    assert softmax(said) == pytest.approx(shares, abs=1e-5)
    save_model(tmp_path, architecture, network)
    assert TorchModel(load_model(tmp_path)).logits(GIVEN[kind][0]) == pytest.approx(said, abs=1e-6)


@pytest.mark.parametrize("kind", GIVEN)
def test_a_network_with_a_line_in_it_is_exported(kind: str, tmp_path: Path) -> None:
    network, inputs = line(kind, 3)[1], GIVEN[kind][0]
    said = TorchModel(network).logits(inputs)
    export_onnx(network, torch.from_numpy(inputs[:2]), tmp_path / "model.onnx")
    session = OnnxModel(tmp_path / "model.onnx", 1)
    for batch in (1, 5):
        assert session(inputs[:batch]) == pytest.approx(said[:batch], abs=1e-3)


def test_a_class_that_no_sample_has_is_never_said() -> None:
    values = RNG.normal(0, 1, (40, 4)).astype(np.float32)
    model, _ = fit_linear(values, np.array([0, 2] * 20), 1.0, 0)
    weights, offsets = weights_of(model, 4)
    said = softmax(values @ weights.T + offsets)
    assert said[:, [0, 2]] == pytest.approx(model.predict_proba(values), abs=1e-6)
    assert said[:, [1, 3]].max() == 0


def test_a_line_begins_where_another_ended_and_ends_where_it_would() -> None:
    labels = np.arange(90) % 3
    values = RNG.normal(0, 1, (90, 6)) + np.eye(3, 6)[labels]
    first, _ = fit_linear(values, labels, 0.01, 0)
    second, _ = fit_linear(values, labels, 1.0, 0, first)
    alone, _ = fit_linear(values, labels, 1.0, 0)
    assert second.predict_proba(values) == pytest.approx(alone.predict_proba(values), abs=0.01)
    other, _ = fit_linear(values[labels < 2], labels[labels < 2], 1.0, 0, first)
    assert other.classes_.tolist() == [0, 1]


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
    said = fit_ridge(csr_matrix(features) if sparse else features, targets, 10.0).predict(features)
    centered, mean = features - features.mean(0), targets.mean(0)
    weights = np.linalg.solve(centered.T @ centered + 10 * np.eye(6), centered.T @ (targets - mean))
    assert said == pytest.approx(mean + centered @ weights, abs=1e-3)

"""What a model must know of its data comes from the training split alone; shards are of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from bessemer.data.config import DataConfig
from bessemer.data.dataset import Dataset
from bessemer.data.histogram import histogram
from bessemer.data.image.prepare import channel_statistics
from bessemer.data.text.tokenize import load_tokenizer, train_tokenizer
from bessemer.prepare.prepare import prepare

CHECK = {"label_check": {"folds": 0}}


def config(path: Path, modality: str, **other) -> DataConfig:
    return DataConfig(source=f"{modality}_folder", path=str(path), **{**CHECK, **other})


# --- images ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_mean_and_deviation_are_those_of_the_training_split(tmp_path, out, channels, make_images):
    for seed, name in enumerate("ab"):
        make_images(tmp_path / "set" / name, 30, seed, channels=channels)
    about = prepare(config(tmp_path / "set", "image"), 0, out, workers=1)
    train = Dataset(out).split("train").inputs[:] / 255
    assert np.allclose(about["mean"], train.mean((0, 1, 2)), rtol=0, atol=1e-6)
    assert np.allclose(about["std"], train.std((0, 1, 2)), rtol=0, atol=1e-6)
    every = Dataset(out).samples.inputs[:] / 255
    assert not np.allclose(about["mean"], every.mean((0, 1, 2)), rtol=0, atol=1e-6)
    assert about["arguments"] == {"mean": about["mean"], "std": about["std"]}
    assert len(about["mean"]) == channels


@given(arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=5)), st.integers(1, 3))
def test_statistics_do_not_depend_on_the_blocks_they_are_read_in(images, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bessemer.data.image.prepare.BLOCK", block)
        mean, std = channel_statistics(images, np.arange(len(images)))
    values = images / 255
    np.testing.assert_allclose(mean, values.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(std, np.maximum(values.std((0, 1, 2)), 1 / 255), atol=2e-6)


def test_a_constant_channel_does_not_give_a_deviation_of_zero(tmp_path, out):
    for index, name in enumerate("ab"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for turn in range(6):
            pixels = np.full((8, 8, 3), (0, index * 100 + turn, 7), np.uint8)
            pixels[2:5, :, 1] += 90
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{turn}.png")
    settings = config(tmp_path / "set", "image", dedup={"near": False})
    about = prepare(settings, 0, out, workers=1)
    assert (about["mean"][0], about["std"][0]) == (0, pytest.approx(1 / 255, abs=1e-6))
    assert min(about["std"]) > 0


def test_shards_are_of_one_size_and_hold_all_images_in_order(tmp_path, out, make_images):
    for seed, name in enumerate("ab"):
        make_images(tmp_path / "set" / name, 25, seed, side=8)
    about = prepare(config(tmp_path / "set", "image", shard_mib=7 * 64 / 2**20), 0, out, workers=1)
    assert [shard["rows"] for shard in about["inputs"]["shards"]] == [7] * 7 + [1]
    files = [out / shard["file"] for shard in about["inputs"]["shards"]]
    assert sorted(files) == sorted((out / "inputs").iterdir())
    assert [file.stat().st_size for file in files] == [7 * 64] * 7 + [64]
    wanted = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "set").rglob("*.png"))]
    assert b"".join(file.read_bytes() for file in files) == np.stack(wanted).tobytes()


# --- sound ----------------------------------------------------------------------------------------------


def test_mel_bands_are_measured_on_the_training_split(tmp_path, out, make_sounds):
    """Against log-mel spectrograms of the training clips, computed by torch.stft."""
    import torch

    from bessemer.data.audio.spectrogram import FLOOR, frame_sizes, mel_filters

    for seed, name in enumerate("ab"):
        make_sounds(tmp_path / "set" / name, 15, seed, seconds=0.2)
    audio = {"rate": 8000, "seconds": 0.2, "mels": 16}
    about = prepare(config(tmp_path / "set", "audio", audio=audio), 0, out, workers=1)
    assert (about["rate"], about["seconds"], about["inputs"]["shape"]) == (8000, 0.2, [1600])

    def bands(clips: np.ndarray) -> np.ndarray:
        window, hop, size = frame_sizes(8000)
        waves = torch.from_numpy(clips / 32768)
        frames = waves.unfold(1, window, hop) * torch.hann_window(window, dtype=torch.float64)
        power = torch.fft.rfft(frames, size).abs() ** 2
        return np.log(power.numpy() @ mel_filters(8000, 16) + FLOOR).reshape(-1, 16)

    train, every = bands(Dataset(out).split("train").inputs[:]), bands(Dataset(out).samples.inputs[:])
    np.testing.assert_allclose(about["arguments"]["mean"], train.mean(0), atol=1e-4)
    np.testing.assert_allclose(about["arguments"]["std"], train.std(0), atol=1e-4)
    assert not np.allclose(about["arguments"]["mean"], every.mean(0), atol=1e-4)


# --- text -----------------------------------------------------------------------------------------------


def text_set(root: Path, make_text) -> DataConfig:
    """Texts with a word of their own in each file, three times."""
    for name in "ab":
        (root / name).mkdir(parents=True)
        for number in range(20):
            own = "zq" + name + "bcdfghjklm"[number % 10] + "vwxy"[number // 10]
            body = f"{own} {make_text(100 * ord(name) + number, 20)} {own} {own}"
            (root / name / f"{number:02}.txt").write_text(body, encoding="utf-8")
    text = {"boilerplate": 0.0, "max_tokens": 128, "tokenizer": {"vocabulary": 3000}}
    return config(root, "text", text=text)


def test_the_tokenizer_is_trained_on_the_training_split(tmp_path, out, make_text):
    about = prepare(text_set(tmp_path / "set", make_text), 0, out, workers=1)
    tokenizer = load_tokenizer(out / "tokenizer.json")
    dataset = Dataset(out)

    def known(name: str) -> list[bool]:
        """Whether the word that stands in this text alone is one token."""
        return [len(tokenizer.encode(" " + text.split()[-1])) == 1 for text in dataset.texts(name)]

    assert all(known("train"))
    assert not any(known("test") + known("validation"))
    again = train_tokenizer(iter(dataset.texts("train")), text_set(tmp_path / "x", make_text).text.tokenizer)
    assert again.to_json() == (out / "tokenizer.json").read_text(encoding="utf-8")
    assert about["arguments"] == {"vocabulary": tokenizer.vocabulary, "pad": 0, "max_tokens": 128}


def test_texts_are_stored_beside_their_tokens(tmp_path, out, make_text):
    prepare(text_set(tmp_path / "set", make_text), 0, out, workers=1)
    tokenizer, dataset = load_tokenizer(out / "tokenizer.json"), Dataset(out)
    written = {path.read_text(encoding="utf-8") for path in (tmp_path / "set").rglob("*.txt")}
    assert {*dataset.texts("train"), *dataset.texts("validation"), *dataset.texts("test")} == written
    for position in range(40):
        tokens = dataset.samples.inputs[position]
        assert tokens.tolist() == tokenizer.encode(dataset.text(position)).tolist()
        assert tokenizer.decode(tokens) == dataset.text(position)


def test_long_texts_are_cut_and_their_share_is_told(tmp_path, out, make_text):
    settings = text_set(tmp_path / "set", make_text)
    long = tmp_path / "set" / "a" / "long.txt"
    long.write_text(make_text(7, 200), encoding="utf-8")
    about = prepare(settings, 0, out, workers=1)
    dataset = Dataset(out)
    assert about["tokens"]["truncated"] == pytest.approx(1 / 41)
    (place,) = [i for i in range(41) if dataset.text(i) == long.read_text()]
    whole = load_tokenizer(out / "tokenizer.json").encode(dataset.text(place))
    assert len(whole) > 128
    assert dataset.samples.inputs[place].tolist() == whole[:128].tolist()


def test_the_tokens_of_a_large_vocabulary_are_stored_whole(tmp_path, out, make_text):
    """A vocabulary from a file may have more entries than 16 bits can number."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    settings = text_set(tmp_path / "set", make_text)
    texts = [path.read_text(encoding="utf-8") for path in sorted((tmp_path / "set").rglob("*.txt"))]
    words = ["[PAD]", "[UNK]", "[MASK]", *(f"filler{i}" for i in range(70_000))]
    words += sorted({word for text in texts for word in text.split()})
    large = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    large.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    large.save(str(tmp_path / "large.json"))
    text = settings.text.model_copy(
        update={"tokenizer": settings.text.tokenizer.model_copy(update={"path": str(tmp_path / "large.json")})}
    )
    about = prepare(settings.model_copy(update={"text": text}), 0, out, workers=1)
    assert about["arguments"]["vocabulary"] == len(words)
    dataset = Dataset(out)
    for position in range(40):
        assert [words[i] for i in dataset.samples.inputs[position]] == dataset.text(position).split()


# --- histograms -----------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=50))
def test_a_histogram_counts_every_value_once(values):
    found = histogram(np.array(values, np.float32))
    assert sum(found["counts"]) == len(values)
    assert len(found["edges"]) == len(found["counts"]) + 1
    assert found["edges"] == sorted(found["edges"])
    assert found["edges"][0] <= min(values) + 1e-3
    assert found["edges"][-1] >= max(values) * (1 - 1e-6) - 1e-3


def test_a_histogram_of_a_wide_range_has_logarithmic_bins():
    edges = np.array(histogram(np.array([1.0, 10, 1000]))["edges"])
    np.testing.assert_allclose(edges[1:] / edges[:-1], 1000 ** (1 / 24), rtol=0.01)
    assert histogram(np.array([])) == {"edges": [], "counts": []}


@pytest.mark.parametrize(
    "values",
    [
        [1e-5, 2e-5],
        [-3e-5, 4e-6],
        [1e-9, 1e-2],
        [1e-30, 1e30],
        [0.5, 0.5000001],
        [1e30, 1e30],
        [1e-5, 1e-5],
        [0, 0],
    ],
)
def test_edges_of_narrow_bins_still_rise(values):
    found = histogram(np.array(values, np.float32))
    edges = np.array(found["edges"])
    assert (np.diff(edges) > 0).all()
    assert sum(found["counts"]) == len(values)
    assert edges[-1] >= np.float32(max(values)) - (edges[-1] - edges[-2])


def test_edges_of_wide_bins_have_three_decimals():
    assert histogram(np.array([0.0, 1.0]), 3)["edges"] == [0, 0.333, 0.667, 1]
    assert histogram(np.array([0.0, 1e6]), 3)["edges"] == [0, 333333.333, 666666.667, 1e6]

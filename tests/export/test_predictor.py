"""An exported folder classifies image files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bessemer.artifact import commit
from bessemer.data.dataset import Samples
from bessemer.errors import ArtifactError
from bessemer.export.predictor import Predictor, find_export
from bessemer.export.session import OnnxModel

CLASSES = ["top", "middle", "bottom"]


@pytest.fixture
def folder(fp32_file: Path, tmp_path: Path) -> Path:
    """A run whose export is committed with its manifest."""

    def write(out: Path) -> None:
        (out / "model.onnx").write_bytes(fp32_file.read_bytes())
        about = {"size": [8, 8], "color": "gray", "classes": CLASSES}
        (out / "preprocess.json").write_text(json.dumps(about))

    commit(tmp_path / "run" / "export" / "onnx", write)
    return tmp_path / "run" / "export" / "onnx"


@pytest.fixture
def pictures(samples: Samples, tmp_path: Path) -> list[Path]:
    """The first nine samples as PNG files."""
    paths = [tmp_path / f"{index}.png" for index in range(9)]
    for path, image in zip(paths, samples.inputs[:9], strict=True):
        Image.fromarray(image[..., 0]).save(path)
    return paths


def test_a_saved_picture_gets_the_class_of_its_sample(
    folder: Path, pictures: list[Path], samples: Samples
) -> None:
    found = list(Predictor(folder).predict(pictures))
    assert [one["class"] for one in found] == [CLASSES[label] for label in samples.labels[:9]]
    assert [one["path"] for one in found] == [str(path) for path in pictures]


def test_probabilities_are_the_softmax_of_the_files_logits(
    folder: Path, pictures: list[Path], samples: Samples
) -> None:
    logits = OnnxModel(folder / "model.onnx").logits(samples.inputs[:1])[0].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum()
    (found,) = Predictor(folder).predict(pictures[:1])
    assert {one["class"]: one["probability"] for one in found["top"]} == pytest.approx(
        dict(zip(CLASSES, shares, strict=True))
    )
    ranked = [one["probability"] for one in found["top"]]
    assert ranked == sorted(ranked, reverse=True)


def test_only_the_most_probable_classes_are_named(folder: Path, pictures: list[Path]) -> None:
    (found,) = Predictor(folder).predict(pictures[:1], top=2)
    assert len(found["top"]) == 2
    assert found["top"][0]["class"] == found["class"]


def test_a_broken_picture_gives_an_error_and_the_others_their_class(folder: Path, pictures: list[Path]) -> None:
    pictures[1].write_bytes(pictures[1].read_bytes()[:40])
    pictures[2].write_bytes(b"")
    pictures[3].write_text("not a picture")
    pictures[4].unlink()
    found = list(Predictor(folder).predict(pictures))
    assert [sorted(one) for one in found[1:5]] == [["error", "path"]] * 4
    assert found[2]["error"] == "empty file"
    assert found[3]["error"] == "not an image"
    assert all("class" in one for one in [found[0], *found[5:]])


def test_a_larger_color_picture_is_brought_to_the_models_input(
    folder: Path, tmp_path: Path, samples: Samples
) -> None:
    large = Image.fromarray(samples.inputs[1][..., 0]).resize((64, 64), Image.Resampling.NEAREST)
    large.convert("RGB").save(tmp_path / "large.png")
    (found,) = Predictor(folder).predict([tmp_path / "large.png"])
    assert found["class"] == CLASSES[samples.labels[1]]


@pytest.mark.parametrize("name", ["model.onnx", "preprocess.json", "manifest.json"])
def test_a_tampered_folder_is_refused(name: str, folder: Path) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ArtifactError) as caught:
        Predictor(folder)
    assert caught.value.exit_code == 5


def test_a_file_added_to_the_folder_is_refused(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"1")
    with pytest.raises(ArtifactError, match="does not belong"):
        Predictor(folder)


@pytest.mark.parametrize("text", ["", "{}", '{"size": [8], "color": "gray", "classes": []}', "[]"])
def test_damaged_preprocessing_is_refused_without_a_manifest_too(text: str, folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (folder / "preprocess.json").write_text(text)
    with pytest.raises(ArtifactError, match="damaged"):
        Predictor(folder)


def test_an_export_is_found_in_its_run_or_by_itself(folder: Path) -> None:
    assert find_export(folder) == folder
    assert find_export(folder.parents[1]) == folder


def test_a_folder_without_an_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no exported model"):
        find_export(tmp_path)
    with pytest.raises(ArtifactError, match="no such folder"):
        find_export(tmp_path / "absent")


# --- other kinds of data --------------------------------------------------------------------------------


class Constant:
    """A model in place of ONNX Runtime: its logits are the last row of what it was given, and two zeros."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        self.given.append(inputs)
        logits = np.zeros((len(inputs), 3), np.float32)
        logits[:, 0] = np.arange(len(inputs)) * 2
        return logits


def test_of_a_recording_in_clips_the_mean_of_their_probabilities_is_told(folder: Path, tmp_path: Path) -> None:
    import soundfile

    (folder / "manifest.json").unlink()
    about = {"modality": "audio", "rate": 8000, "samples": 800, "windows": True, "silence_db": -60}
    about["classes"] = CLASSES
    (folder / "preprocess.json").write_text(json.dumps(about))
    wave = np.random.default_rng(0).normal(0, 0.1, 2000)
    soundfile.write(tmp_path / "long.wav", wave, 8000, subtype="PCM_16")
    (tmp_path / "broken.wav").write_bytes(b"RIFF of old")
    predictor = Predictor(folder)
    predictor.model = Constant()
    found, broken = predictor.predict([tmp_path / "long.wav", tmp_path / "broken.wav"])
    (clips,) = predictor.model.given
    assert (clips.dtype, clips.shape) == (np.int16, (4, 800))
    first = np.exp([0, 2, 4, 6])
    assert found["top"][0]["probability"] == pytest.approx(np.mean(first / (first + 2)))
    assert broken == {"path": str(tmp_path / "broken.wav"), "error": "not a sound file"}


def test_a_text_model_needs_its_tokenizer(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    about = {"modality": "text", "html": "auto", "max_tokens": 32, "piece_characters": None, "classes": CLASSES}
    (folder / "preprocess.json").write_text(json.dumps(about))
    with pytest.raises(ArtifactError, match="tokenizer"):
        Predictor(folder)

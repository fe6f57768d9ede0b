"""A saved model comes back the same, in another process too; a damaged one is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from bessemer.errors import ArtifactError
from bessemer.model.resnet import ResNetConfig
from bessemer.model.state import Architecture, load_model, read_architecture, save_model

SETTINGS = ResNetConfig(stem_width=4, widths=[4, 6], blocks=[1, 1], strides=[1, 2]).model_dump()
ARCHITECTURE = Architecture("resnet", {"classes": 3, "mean": [0.5], "std": [0.25], **SETTINGS})
KEEP = {
    "edit": "keep_channels",
    "layers": {
        "stages.0.0.conv1": {"out": [3, 1]},
        "stages.0.0.norm1": {"out": [3, 1]},
        "stages.0.0.conv2": {"in": [3, 1]},
    },
}


def trained(architecture: Architecture) -> nn.Module:
    """A model whose every number differs from a fresh one's."""
    model, generator = architecture.build().eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand(value.shape, generator=generator) + 0.1)
    return model


def images() -> torch.Tensor:
    return torch.randint(0, 256, (5, 8, 8, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def saved(tmp_path):
    save_model(tmp_path / "model", ARCHITECTURE, trained(ARCHITECTURE))
    return tmp_path / "model"


@pytest.mark.parametrize("architecture", [ARCHITECTURE, ARCHITECTURE.edited(KEEP)], ids=["plain", "pruned"])
def test_a_saved_model_comes_back_bit_for_bit(tmp_path, architecture):
    model = trained(architecture)
    save_model(tmp_path, architecture, model)
    loaded = load_model(tmp_path)
    assert not loaded.training
    assert read_architecture(tmp_path) == architecture
    assert torch.equal(loaded(images()), model(images()))
    state = loaded.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


RELOAD = """
import sys
from pathlib import Path
import numpy as np
import torch
from bessemer.model.state import load_model

torch.set_num_threads(int(sys.argv[2]))
folder = Path(sys.argv[1])
with torch.no_grad():
    outputs = load_model(folder / "model")(torch.from_numpy(np.load(folder / "images.npy")))
np.save(folder / "outputs.npy", outputs.numpy())
"""


def test_a_saved_model_gives_the_same_bits_in_a_new_process(tmp_path):
    architecture = ARCHITECTURE.edited(KEEP)
    model = trained(architecture)
    save_model(tmp_path / "model", architecture, model)
    np.save(tmp_path / "images.npy", images().numpy())
    command = [sys.executable, "-c", RELOAD, str(tmp_path), str(torch.get_num_threads())]
    subprocess.run(command, check=True, timeout=120)
    with torch.no_grad():
        assert np.array_equal(np.load(tmp_path / "outputs.npy"), model(images()).numpy())


def test_a_dotted_path_names_a_builder(tmp_path):
    architecture = Architecture("torch.nn.Linear", {"in_features": 3, "out_features": 2})
    model = trained(architecture)
    save_model(tmp_path, architecture, model)
    x = torch.ones(1, 3)
    assert torch.equal(load_model(tmp_path)(x), model(x))


def test_edits_are_added_to_a_copy_of_the_architecture():
    edited = ARCHITECTURE.edited(KEEP, KEEP)
    assert ARCHITECTURE.edits == []
    assert edited.edits == [KEEP, KEEP]


@pytest.mark.parametrize("builder", ["alexnet", "torch.nn.NoSuchLayer", "no.such.module", "", ".", "resnet."])
def test_an_unknown_builder_is_refused_by_name(builder):
    with pytest.raises(ArtifactError, match="no builder"):
        Architecture(builder, {}).build()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": 1, "builder": "resnet"}',
        '{"format": 1, "builder": "resnet", "arguments": {}, "edits": [], "more": 1}',
        "\x00",
    ],
    ids=["empty", "open", "list", "null", "no format", "only format", "no arguments", "unknown key", "zero"],
)
def test_a_damaged_architecture_is_refused_with_its_path(saved, text):
    (saved / "architecture.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"architecture\.json: damaged"):
        load_model(saved)


def test_an_architecture_that_is_not_text_is_refused(saved):
    (saved / "architecture.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ArtifactError, match="damaged"):
        load_model(saved)


def test_another_format_is_refused_with_the_one_that_is_read(saved):
    values = json.loads((saved / "architecture.json").read_text()) | {"format": 99}
    (saved / "architecture.json").write_text(json.dumps(values))
    with pytest.raises(ArtifactError, match=r"(?s)another format.*reads format 1"):
        load_model(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"classes": 3}},
        {"arguments": {**ARCHITECTURE.arguments, "depth": 3}},
        {"arguments": None},
        {"edits": None},
        {"edits": [{"edit": "keep_channels"}]},
        {"edits": [{"edit": "keep_channels", "layers": {"stages.0.0.conv1": {"out": [99]}}}]},
    ],
    ids=["missing", "unknown", "no arguments", "no edits", "empty edit", "channel out of range"],
)
def test_an_architecture_that_cannot_be_built_is_refused(saved, change):
    values = json.loads((saved / "architecture.json").read_text()) | change
    (saved / "architecture.json").write_text(json.dumps(values))
    with pytest.raises(ArtifactError):
        load_model(saved)


@pytest.mark.parametrize("name", ["architecture.json", "weights.safetensors"])
def test_a_missing_file_is_refused_by_name(saved, name):
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        load_model(saved)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="none: no architecture"):
        load_model(tmp_path / "none")


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_truncated_weights_are_refused(saved, keep):
    path = saved / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match=r"weights\.safetensors: cannot be loaded"):
        load_model(saved)


@pytest.mark.parametrize("other", [{"classes": 4}, {"widths": [4, 8]}, {"blocks": [1, 2]}])
def test_weights_of_another_shape_are_refused(saved, other, tmp_path):
    architecture = Architecture("resnet", {**ARCHITECTURE.arguments, **other})
    save_model(tmp_path / "other", architecture, trained(architecture))
    (tmp_path / "other" / "weights.safetensors").rename(saved / "weights.safetensors")
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        load_model(saved)

"""Exported files: they decide as the network they were made from, in every way of running them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from bessemer import __version__
from bessemer.data.dataset import Samples
from bessemer.errors import ArtifactError, UsageError
from bessemer.export.onnx import INPUT, OUTPUT, export_onnx
from bessemer.export.session import OnnxModel
from bessemer.model.answers import TorchModel


@pytest.fixture(params=["fp32", "int8"])
def exported(request: pytest.FixtureRequest) -> tuple[Path, nn.Module]:
    """A file, and the network that it was made from."""
    file, network = {"fp32": ("fp32_file", "trained"), "int8": ("int8_file", "quantized")}[request.param]
    return request.getfixturevalue(file), request.getfixturevalue(network)[1]


def test_the_fp32_file_gives_the_logits_of_the_network(fp32_file: Path, trained: Any, samples: Samples) -> None:
    expected, given = TorchModel(trained[1]).logits(samples.inputs), OnnxModel(fp32_file).logits(samples.inputs)
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-4)
    assert np.array_equal(given.argmax(1), expected.argmax(1))
    assert len(set(given.argmax(1))) == 3
    assert given.dtype == np.float32


@pytest.mark.parametrize("optimize", [True, False])
def test_the_int8_file_decides_as_its_simulation(
    optimize: bool, int8_file: Path, quantized: Any, samples: Samples
) -> None:
    expected = TorchModel(quantized[1]).logits(samples.inputs)
    given = OnnxModel(int8_file, optimize=optimize).logits(samples.inputs)
    assert np.array_equal(given.argmax(1), expected.argmax(1))
    assert np.abs(given - expected).max() < 0.05 * expected.std()


def test_the_files_agree_with_the_reference_evaluator(exported: tuple[Path, nn.Module], samples: Samples) -> None:
    path, network = exported
    images = samples.inputs[:4]
    (reference,) = ReferenceEvaluator(str(path)).run(None, {INPUT: images})
    spread = 0.05 * reference.std()
    assert np.abs(reference - TorchModel(network).logits(images)).max() < spread
    assert np.abs(reference - OnnxModel(path).logits(images)).max() < spread
    assert np.array_equal(reference.argmax(1), OnnxModel(path).logits(images).argmax(1))


def test_a_file_takes_any_batch_size(exported: tuple[Path, nn.Module], samples: Samples) -> None:
    file = OnnxModel(exported[0])
    whole = file(samples.inputs)
    for size in (1, 3, 7):
        np.testing.assert_allclose(file(samples.inputs[:size]), whole[:size], rtol=0, atol=1e-5)


def test_more_images_than_a_batch_holds_are_run_in_batches(
    exported: tuple[Path, nn.Module], samples: Samples
) -> None:
    file = OnnxModel(exported[0])
    many = np.concatenate([samples.inputs] * 6)
    expected = np.concatenate([file.logits(samples.inputs)] * 6)
    np.testing.assert_allclose(file.logits(many), expected, rtol=0, atol=1e-5)


def test_a_file_takes_raw_pixels_of_a_fixed_shape(exported: tuple[Path, nn.Module]) -> None:
    file = OnnxModel(exported[0])
    assert file.input.name == INPUT
    assert file.input.type == "tensor(uint8)"
    assert isinstance(file.shape()[0], str)
    assert file.shape()[1:] == [8, 8, 1]
    (output,) = file.session.get_outputs()
    assert output.name == OUTPUT
    assert output.type == "tensor(float)"


def test_the_int8_file_holds_integer_weights_only(int8_file: Path) -> None:
    proto = onnx.load(int8_file)
    large = [tensor for tensor in proto.graph.initializer if int(np.prod(tensor.dims)) > 64]
    assert large
    assert {tensor.data_type for tensor in large} == {TensorProto.INT8}
    kinds = {node.op_type for node in proto.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= kinds


def test_the_int8_file_is_less_than_a_2_5th_of_the_fp32_file(int8_file: Path, fp32_file: Path) -> None:
    assert fp32_file.stat().st_size > 2.5 * int8_file.stat().st_size


def test_a_file_carries_no_notes(exported: tuple[Path, nn.Module]) -> None:
    proto = onnx.load(exported[0])
    graph = proto.graph
    assert [(one.key, one.value) for one in proto.metadata_props] == [("bessemer", __version__)]
    assert not proto.doc_string
    for item in [graph, *graph.node, *graph.initializer, *graph.input, *graph.output]:
        assert not item.metadata_props, item
        assert not item.doc_string, item
    assert not graph.value_info
    assert not proto.functions
    assert str(Path(__file__).parents[2]).encode() not in exported[0].read_bytes()


def test_an_export_says_its_size_and_keeps_the_network_working(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).train()
    images = torch.rand(1, 2, 2)  # one image is enough of an example
    size = export_onnx(network, images, tmp_path / "model.onnx")
    assert size == (tmp_path / "model.onnx").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    found = OnnxModel(tmp_path / "model.onnx")(images.repeat(5, 1, 1).numpy())
    np.testing.assert_allclose(found, network(images).detach().numpy().repeat(5, 0), atol=1e-6)


class Unlike(nn.Module):
    """Cannot be exported: its branch depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.drop = nn.Linear(4, 3), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.drop(x)) if x.sum() > 0 else x


def frozen() -> nn.Sequential:
    """A network in training, whose batch normalization its owner keeps in evaluation mode."""
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)).train()
    network[1].eval()
    return network


def modes(network: nn.Module) -> list[bool]:
    return [layer.training for layer in network.modules()]


def test_every_layer_has_its_own_mode_after_an_export(tmp_path: Path) -> None:
    network, example = frozen(), torch.rand(4, 4)
    before, state = modes(network), copy.deepcopy(network.state_dict())
    export_onnx(network, example, tmp_path / "model.onnx")
    assert modes(network) == before
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    expected = TorchModel(copy.deepcopy(network))(example.numpy())
    np.testing.assert_allclose(OnnxModel(tmp_path / "model.onnx")(example.numpy()), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("network", "inputs", "name"),
    [(frozen(), 5, "model.onnx"), (frozen(), 4, "taken"), (Unlike(), 4, "model.onnx")],
    ids=["wrong example", "name of a folder", "branch on values"],
)
def test_every_layer_has_its_own_mode_after_a_failure_that_names_the_file(
    network: nn.Module, inputs: int, name: str, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    before = modes(network)
    with pytest.raises(UsageError, match=str(tmp_path / name)) as caught:
        export_onnx(network, torch.ones(4, inputs), tmp_path / name)
    assert caught.value.remedy
    assert modes(network) == before
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_path_may_be_text_and_its_folder_is_made(tmp_path: Path) -> None:
    size = export_onnx(nn.Linear(4, 3), torch.rand(2, 4), f"{tmp_path}/new/deep/model.onnx")
    assert size == (tmp_path / "new" / "deep" / "model.onnx").stat().st_size


@pytest.mark.parametrize("place", ["file/model.onnx", "/proc/none/model.onnx"])
def test_a_place_that_cannot_be_written_to_is_named(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=place) as caught:
        export_onnx(nn.Linear(4, 3), torch.rand(2, 4), str(tmp_path / place))
    assert caught.value.remedy


def test_an_example_that_the_network_does_not_take_is_told_with_its_shape(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"torch.float32 of shape \(2, 5\): mat1 and mat2"):
        export_onnx(nn.Linear(4, 3), torch.rand(7, 5), tmp_path / "model.onnx")


def pointing_to(folder: Path, location: str) -> Path:
    """An ONNX file whose weights are said to be in another file."""
    folder.mkdir(exist_ok=True)
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("inputs", "logits"))
    add = helper.make_node("Add", ["inputs", "w"], ["logits"])
    graph = helper.make_graph([add], "g", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


@pytest.mark.parametrize("location", ["../secret.bin", "absolute", "beside.bin"])
def test_a_file_that_reads_other_files_is_refused(location: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.ones(4, np.float32).tobytes())
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "beside.bin").write_bytes(secret.read_bytes())
    path = pointing_to(tmp_path / "export", str(secret) if location == "absolute" else location)
    with pytest.raises(ArtifactError, match="ONNX Runtime refuses"):
        OnnxModel(path)


@pytest.mark.parametrize("data", [b"", b"not an ONNX file"])
def test_a_damaged_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(ArtifactError, match="refuses it") as caught:
        OnnxModel(tmp_path / "model.onnx")
    assert caught.value.exit_code == 5


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such file"):
        OnnxModel(tmp_path / "absent.onnx")

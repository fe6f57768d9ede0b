"""Exported encoders: any batch, any length, integer kernels, and no logit that depends on padding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from bessemer.compress.prune import prune
from bessemer.compress.quantize import quantize
from bessemer.data.blocks import trimmed
from bessemer.export.onnx import export_onnx
from bessemer.export.session import OnnxModel
from bessemer.model.answers import TorchModel
from bessemer.model.contract import set_packing

Array = NDArray[Any]
Pair = tuple[nn.Module, Path]


@pytest.fixture(scope="module")
def pairs(
    make_encoder: Callable[..., nn.Module], tokens: Array, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Pair]:
    """The encoder in fp32, and pruned in int8, each with its file."""
    network = make_encoder()
    set_packing(network, True)  # a file never packs
    pruned, _ = prune(network, torch.from_numpy(tokens[:2]), 0.5)
    models = {"fp32": network, "int8": quantize(pruned, torch.from_numpy(tokens))[0]}
    folder = tmp_path_factory.mktemp("encoder")
    for form, model in models.items():
        export_onnx(model, torch.from_numpy(tokens[:1, :1]), folder / f"{form}.onnx")
    return {form: (model, folder / f"{form}.onnx") for form, model in models.items()}


@pytest.fixture(params=["fp32", "int8"])
def pair(request: pytest.FixtureRequest, pairs: dict[str, Pair]) -> Pair:
    return pairs[request.param]


@pytest.mark.parametrize("optimize", [True, False])
def test_the_file_gives_the_logits_of_the_network(optimize: bool, pair: Pair, tokens: Array) -> None:
    expected, given = TorchModel(pair[0]).logits(tokens), OnnxModel(pair[1], optimize=optimize).logits(tokens)
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-4 * expected.std() + 1e-5)


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 24), (3, 2), (7, 16), (40, 17), (2, 200)])
def test_the_file_takes_any_batch_and_length(batch: int, length: int, pair: Pair) -> None:
    some = np.random.default_rng(batch).integers(1, 60, (batch, length), dtype=np.int32)
    with torch.no_grad():
        expected = pair[0](torch.from_numpy(some)).numpy()
    np.testing.assert_allclose(OnnxModel(pair[1])(some), expected, rtol=0, atol=1e-4)


def test_the_input_is_int32_of_a_free_batch_and_length(pair: Pair) -> None:
    file = OnnxModel(pair[1])
    assert (file.input.name, file.input.type) == ("inputs", "tensor(int32)")
    assert file.shape() == ["batch", "length"]
    assert file.free_length


def test_padding_changes_no_logit_of_a_file(pair: Pair, tokens: Array) -> None:
    file = OnnxModel(pair[1])
    whole = file(tokens)
    np.testing.assert_allclose(file(np.pad(tokens, ((0, 0), (0, 9)))), whole, rtol=0, atol=1e-5)
    for row in range(6):
        alone = trimmed(tokens[row : row + 1])
        np.testing.assert_allclose(file(alone)[0], whole[row], rtol=0, atol=1e-5)


def test_documents_without_a_token_get_finite_logits(pair: Pair) -> None:
    assert np.isfinite(OnnxModel(pair[1])(np.zeros((2, 3), np.int32))).all()


class Ragged:
    """Rows as a data set on disk gives them: padded to the longest of those that are read together."""

    def __init__(self, tokens: Array) -> None:
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: slice) -> Array:
        return trimmed(self.tokens[index])


def test_logits_of_rows_of_any_padding_are_the_same(
    pair: Pair, tokens: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, path = pair
    file = OnnxModel(path)
    expected = file.logits(tokens)
    for batch in (3, 16):
        monkeypatch.setattr("bessemer.data.blocks.TOKEN_BATCH", batch)
        np.testing.assert_allclose(file.logits(Ragged(tokens)), expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(TorchModel(network).logits(Ragged(tokens)), expected, rtol=0, atol=1e-4)


def test_trimming_keeps_every_token_and_one_column() -> None:
    tokens = np.array([[1, 0, 2, 0, 0], [3, 0, 0, 0, 0]], np.int32)
    assert trimmed(tokens).tolist() == [[1, 0, 2], [3, 0, 0]]
    assert trimmed(np.zeros((2, 4), np.int32)).shape == (2, 1)


def test_every_linear_layer_runs_in_an_integer_kernel(pairs: dict[str, Pair], tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(str(pairs["int8"][1]), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert kinds["QGemm"] == 2 * 6 + 1
    assert kinds["Gemm"] == kinds["DequantizeLinear"] == 0


def test_embeddings_and_weights_are_stored_in_8_bits(pairs: dict[str, Pair]) -> None:
    graph = onnx.load(pairs["int8"][1]).graph
    large = {tensor.name: tensor for tensor in graph.initializer if np.prod(tensor.dims) > 128}
    floats = [name for name, tensor in large.items() if tensor.data_type != onnx.TensorProto.INT8]
    assert len(large) >= 7
    assert floats == ["positions"]

"""A torch model as one ONNX file, with a free batch size (and length, of tokens) and its pre-processing inside.

Quantized models become QuantizeLinear and DequantizeLinear nodes around plain operators, the form that ONNX
Runtime, OpenVINO and TensorRT turn into integer kernels.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxscript import opset20 as op
from torch import Tensor, nn

import bessemer.model.quantized  # noqa: F401 (it registers the operators that are translated below)
from bessemer import __version__
from bessemer.artifact import place_errors, write_atomic
from bessemer.data.given import inputs_of
from bessemer.errors import UsageError
from bessemer.model.contract import free_length
from bessemer.model.modes import evaluating

OPSET = 20
INPUT, OUTPUT = "inputs", "logits"


def _round_to_uint8(x: Any, scale: Any, zero: Any) -> Any:
    return op.DequantizeLinear(op.QuantizeLinear(x, scale, zero), scale, zero)


def _dequantize(q: Any, scale: Any) -> Any:
    return op.DequantizeLinear(q, scale, axis=0)


# The overloads that torch.library.custom_op registers are the ones that a traced graph calls.
TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.bessemer.round_to_uint8.default: _round_to_uint8,
    torch.ops.bessemer.dequantize.default: _dequantize,
}


def export_onnx(
    model: nn.Module, example: Any, path: str | Path, metadata: Mapping[str, str] | None = None
) -> int:
    """Write `model` as ONNX to `path` and return its size in bytes.

    `example` is a batch (B, ...) of inputs as the model takes them, or data of which two are taken (see
    bessemer.data.given); the file takes any batch size. That of a model of free length also takes tokens (B, T) of
    any length. `metadata` stands in the file (ONNX Runtime: `get_modelmeta().custom_metadata_map`) beside the
    version that wrote it. The folder is made where it is missing. The file holds
    the model in evaluation mode; the model itself keeps its device and the mode of every layer, whether this
    succeeds or not. Raises UsageError where the model cannot be exported or `path` names no file, and StorageError
    where the disk is full; both name the file.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise UsageError(f"{path} is a folder", f"name a file, such as {path / 'model.onnx'}")
    with place_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    network = model if _on_processor(model) else copy.deepcopy(model).cpu()
    with evaluating(network):
        data = _as_onnx(network, inputs_of(example, 2).cpu(), path, metadata or {})
    with place_errors(path):
        write_atomic(path, data)
    return len(data)


def _on_processor(model: nn.Module) -> bool:
    return all(tensor.device.type == "cpu" for tensor in (*model.parameters(), *model.buffers()))


def _as_onnx(network: nn.Module, example: Tensor, path: Path, metadata: Mapping[str, str]) -> bytes:
    """The bytes of the file; raises UsageError where the exporter or the format cannot take the network."""
    sizes: dict[int, Any] = {0: torch.export.Dim("batch")}
    if free_length(network):
        sizes[1] = torch.export.Dim("length")
    example = _traceable(example, sizes)
    kind, given = type(network).__name__, f"{example.dtype} of shape {tuple(example.shape)}"
    with _named(f"{path}: {kind} does not take the example, {given}", "give inputs as the model takes them"):
        _probe(network, example)
    with (
        _named(f"{path}: {kind} cannot be exported", "keep branches and shapes on values out of forward()"),
        _quiet(),
    ):
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=(sizes,),
            custom_translation_table=TRANSLATIONS,
            verbose=False,
        )
        assert program is not None
        proto = program.model_proto
        _strip(proto)
        _write_zero_points(proto.graph)
        onnx.helper.set_model_props(proto, {**metadata, "bessemer": __version__})
        onnx.checker.check_model(proto)
        data: bytes = proto.SerializeToString()
    return data


@torch.no_grad()
def _probe(network: nn.Module, example: Tensor) -> None:
    """Run the network once: what it says of a wrong example is plainer than what the exporter says."""
    network(example)


@contextmanager
def _named(problem: str, remedy: str) -> Iterator[None]:
    """Turn any failure into a UsageError: the problem, and the first line of what caused it."""
    try:
        yield
    except Exception as error:
        words = str(error.__cause__ or error).strip() or type(error).__name__
        raise UsageError(f"{problem}: {words.splitlines()[0]}", remedy) from error


def _traceable(example: Tensor, sizes: Mapping[int, Any]) -> Tensor:
    """Two samples, and at least two entries along every free dimension: the exporter takes a 1 for a constant."""
    example = example[:2]
    for dim in sizes:
        if example.shape[dim] < 2:
            example = torch.cat([example, example], dim)
    return example


def _strip(proto: Any) -> None:
    """Drop the exporter's notes (source lines, shapes it inferred): a third of a small file."""
    for item in [
        proto,
        proto.graph,
        *proto.graph.node,
        *proto.graph.initializer,
        *proto.graph.input,
        *proto.graph.output,
    ]:
        del item.metadata_props[:]
        if hasattr(item, "doc_string"):
            item.ClearField("doc_string")
    del proto.graph.value_info[:]


def _write_zero_points(graph: Any) -> None:
    """Give int8 weights the zero points that the format lets out: ONNX Runtime's integer Gemm waits for them."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and len(node.input) == 2:
            weight, scale = tensors[node.input[0]], tensors[node.input[1]]
            if weight.data_type == onnx.TensorProto.INT8:
                name = f"{weight.name}_zero"
                graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(scale.dims, np.int8), name))
                node.input.append(name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's remarks about packages that nobody here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

"""A torch model as one ONNX file, with a free batch size (and length, of tokens) and its pre-processing inside.

Quantized models become QuantizeLinear and DequantizeLinear nodes around plain operators, the form that ONNX
Runtime, OpenVINO and TensorRT turn into integer kernels.
"""

from __future__ import annotations

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
from bessemer.model.contract import free_length

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


def export_onnx(model: nn.Module, example: Tensor, path: Path) -> int:
    """Write `model` as ONNX to `path` and return its size in bytes.

    `example` is a batch (B, ...) of inputs as the model takes them; the file takes any batch size. That of a model
    of free length also takes tokens (B, T) of any length.
    """
    sizes: dict[int, Any] = {0: torch.export.Dim("batch")}
    if free_length(model):
        sizes[1] = torch.export.Dim("length")
    with _quiet():
        program = torch.onnx.export(
            model.cpu().eval(),
            (_traceable(example.cpu(), sizes),),
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
    onnx.checker.check_model(proto)
    onnx.save_model(proto, str(path))
    return path.stat().st_size


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

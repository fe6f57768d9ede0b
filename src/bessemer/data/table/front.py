"""An ONNX file that takes the raw columns of a table, each an input of its own.

Numbers and dates (seconds since 1970) are float64 (batch, 1), NaN where nothing is known; categories are text
(batch, 1), "" where nothing is known. Names that training did not know count as it had counted rare ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.table.prepare import LISTED, OTHER, UNKNOWN
from bessemer.errors import ParityError

FILE = "columns.onnx"
BLOCK = 4096


def column_names(about: Mapping[str, Any]) -> list[str]:
    """The inputs in the order of a stored row."""
    settings = about["settings"]
    return [*settings["numbers"], *settings["dates"], *settings["categories"]]


def write_front(folder: Path, about: Mapping[str, Any]) -> Path:
    """Write `columns.onnx` beside `model.onnx`; returns its path."""
    import onnx
    from onnx import TensorProto, compose, helper

    model = onnx.load(folder / "model.onnx")
    (rows,) = model.graph.input
    inputs, nodes, parts = [], [], []
    for place, name in enumerate(column_names(about)):
        known, part = about["listed"].get(name), f"column {place}"
        kind = TensorProto.DOUBLE if known is None else TensorProto.STRING
        inputs.append(helper.make_tensor_value_info(name, kind, ["batch", 1]))
        stands_for_nothing = about["settings"]["missing"].get(name)
        parts.append(name if known is None and stands_for_nothing is None else part)
        if stands_for_nothing is not None:
            nodes += _nothing(name, part, stands_for_nothing)
        if known is not None:
            keys = ["", *known]
            codes = [float(code) for code in (UNKNOWN, *range(LISTED, LISTED + len(known)))]
            nodes.append(
                helper.make_node(
                    "LabelEncoder",
                    [name],
                    [f"{part} codes"],
                    domain="ai.onnx.ml",
                    keys_strings=keys,
                    values_floats=codes,
                    default_float=float(OTHER),
                )
            )
            nodes.append(helper.make_node("Cast", [f"{part} codes"], [part], to=TensorProto.DOUBLE))
    nodes.append(helper.make_node("Concat", parts, ["front rows"], axis=1))
    out = helper.make_tensor_value_info("front rows", TensorProto.DOUBLE, ["batch", len(parts)])
    opsets = [*model.opset_import]
    if not any(one.domain == "ai.onnx.ml" for one in opsets):
        opsets.append(helper.make_opsetid("ai.onnx.ml", 3))
        model.opset_import.append(opsets[-1])
    front = helper.make_model(
        helper.make_graph(nodes, "columns", inputs, [out]), opset_imports=opsets, ir_version=model.ir_version
    )
    whole = compose.merge_models(front, model, io_map=[("front rows", rows.name)])
    path = folder / FILE
    path.write_bytes(whole.SerializeToString())
    return path


def _nothing(name: str, part: str, number: float) -> list[Any]:
    """Nodes that turn a number that stands for nothing known into NaN."""
    from onnx import TensorProto, helper

    constants = [
        helper.make_node(
            "Constant", [], [f"{part} {what}"], value=helper.make_tensor(what, TensorProto.DOUBLE, [], [value])
        )
        for what, value in (("said", number), ("nothing", np.nan))
    ]
    return [
        *constants,
        helper.make_node("Equal", [name, f"{part} said"], [f"{part} is nothing"]),
        helper.make_node("Where", [f"{part} is nothing", f"{part} nothing", name], [part]),
    ]


def as_columns(rows: NDArray[np.float64], about: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Stored rows (n, D) as raw columns (n, 1) by name."""
    feeds: dict[str, NDArray[Any]] = {}
    for place, name in enumerate(column_names(about)):
        column, known = rows[:, place : place + 1], about["listed"].get(name)
        if known is not None:
            names = np.array(["", "\x1f", *known], object)  # the second is one that nobody knows
            column = names[column.astype(np.int64)]
        elif (number := about["settings"]["missing"].get(name)) is not None:
            column = np.where(np.isnan(column), number, column)
        feeds[name] = np.ascontiguousarray(column)
    return feeds


def ship_front(folder: Path, about: Mapping[str, Any], inputs: Any) -> None:
    """Write `columns.onnx` and hold it against `model.onnx` on all rows; raises ParityError where they differ."""
    import onnxruntime as ort

    path = write_front(folder, about)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    one, other = (
        ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        for file in (folder / "model.onnx", path)
    )
    for start in range(0, len(inputs), BLOCK):
        rows = np.asarray(inputs[start : start + BLOCK])
        (expected,) = one.run(None, {one.get_inputs()[0].name: rows})
        (given,) = other.run(None, as_columns(rows, about))
        if not np.allclose(expected, given, rtol=1e-5, atol=1e-6):
            worst = float(np.abs(expected - given).max())
            problem = f"{path.name} does not answer as model.onnx does: they differ by up to {worst:.3g}"
            raise ParityError(problem, "report it; model.onnx itself was proven")

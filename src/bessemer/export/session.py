"""Running an exported ONNX file in ONNX Runtime on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bessemer.data.blocks import blocks
from bessemer.data.rows import Rows
from bessemer.errors import ArtifactError


class OnnxModel:
    """An ONNX file ready to run: inputs (B, ...) as the model takes them in, logits (B, K) float32 out."""

    def __init__(self, path: Path, threads: int = 1, optimize: bool = True) -> None:
        """Load a file. With `optimize=False` every node runs as written, which simulates int8 in floats."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait in a loop after their work would slow down whoever is timed next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if not optimize:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            # Bytes, not a path: a file that points to data outside itself is then refused.
            self.session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except FileNotFoundError as error:
            raise ArtifactError(f"{path}: no such file", "give an exported folder or a run folder") from error
        except Exception as error:
            raise ArtifactError(f"{path}: ONNX Runtime refuses it: {error}", "export the model again") from error
        self.input = self.session.get_inputs()[0]

    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of one batch."""
        logits: NDArray[np.float32] = self.session.run(None, {self.input.name: inputs})[0]
        return logits

    def logits(self, inputs: Rows) -> NDArray[np.float32]:
        """Logits of any number of inputs, in batches."""
        return np.concatenate([self(block) for block in blocks(inputs, self.free_length)])

    @property
    def free_length(self) -> bool:
        """Whether the file takes tokens (B, T) of any length."""
        return len(self.input.shape) == 2 and isinstance(self.input.shape[1], str)

    @property
    def dtype(self) -> str:
        """What inputs are, as numpy names it."""
        name = str(self.input.type).removeprefix("tensor(").removesuffix(")")
        return {"float": "float32"}.get(name, name)

    def shape(self) -> list[Any]:
        """Shape of the input, its batch size (and free length) as a name."""
        return list(self.input.shape)

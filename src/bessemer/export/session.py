"""Running an exported ONNX file in ONNX Runtime on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bessemer.errors import ArtifactError

BATCH = 256


class OnnxModel:
    """An ONNX file ready to run: images (B, H, W, C) uint8 in, logits (B, K) float32 out."""

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

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits of one batch."""
        logits: NDArray[np.float32] = self.session.run(None, {self.input.name: images})[0]
        return logits

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits of any number of images, in batches."""
        parts = [self(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def shape(self) -> list[Any]:
        """Shape of the input, its batch size as a name."""
        return list(self.input.shape)

"""Classes and probabilities from the outputs of the model, without bessemer: the model card shows this source."""

from typing import Any

import numpy as np


def answers(outputs: Any, about: dict[str, Any], together: bool) -> list[dict[str, float]]:
    powers = np.exp(outputs.astype(np.float64) - outputs.max(1, keepdims=True))
    shares = powers / powers.sum(1, keepdims=True)
    rows = shares.mean(0, keepdims=True) if together else shares
    return [dict(zip(about["classes"], map(float, row), strict=True)) for row in rows]

"""The first losses of a tiny run, so that no change moves training unnoticed.

`python tests/golden/test_losses.py` prints them; with `--write` they become the new reference.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bessemer.data.config import AugmentConfig
from bessemer.data.dataset import Batches, Samples
from bessemer.data.image import IMAGE
from bessemer.model.state import Architecture
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import FitResult, fit

GOLDEN = Path(__file__).with_name("losses.json")
STEPS = 20


def run() -> FitResult:
    """Twenty fp32 steps with augmentation, label smoothing, mixup and averaging; every number comes from NumPy."""
    generator = np.random.default_rng(0)
    labels = np.arange(64, dtype=np.int64) % 4
    images = generator.integers(0, 120, (64, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += 100
    samples = Samples(images, labels, np.arange(64, dtype=np.uint64))
    settings = {"stem": "small", "stem_width": 8, "widths": [8, 16], "blocks": [1, 1], "strides": [1, 2]}
    model = Architecture("resnet", {"classes": 4, "mean": [0.3], "std": [0.2], **settings}).build()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                numbers = generator.normal(0, parameter[0].numel() ** -0.5, tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(numbers))
        model.head.bias.zero_()
    config = TrainConfig(
        epochs=STEPS * 16 / 64,
        batch_size=16,
        ghost_batch=8,
        optimizer=OptimizerConfig(learning_rate=0.05),
        label_smoothing=0.1,
        mixup=0.3,
        ema=0.9,
        precision="fp32",
    )
    augment = IMAGE.augmenter(AugmentConfig(crop=1, flip="horizontal", rotate=10, border="zero"), {})
    held_out = torch.from_numpy(images[:16])

    def validate(network: torch.nn.Module) -> float:  # of the averaged weights
        with torch.no_grad():
            return float(network(held_out).square().mean())

    return fit(model, Classify(4), Batches(samples, 16, 5, augment), config, seed=5, validate=validate)


def losses() -> dict[str, list[float]]:
    """The loss of each step, and the mean square of the averaged network's logits after it."""
    history = run().history
    return {"loss": [one["loss"] for one in history], "averaged": [one["validation"] for one in history[1::2]]}


@pytest.mark.parametrize("name", ["loss", "averaged"])
def test_losses_are_those_of_the_reference(name: str) -> None:
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    assert len(expected) == {"loss": STEPS, "averaged": STEPS // 2}[name]
    np.testing.assert_allclose(losses()[name], expected, rtol=1e-4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"replace {GOLDEN.name}")
    torch.set_num_threads(1)
    found = json.dumps(losses(), indent=1)
    if parser.parse_args().write:
        GOLDEN.write_text(found + "\n", encoding="utf-8")
    else:
        print(found)


if __name__ == "__main__":
    main()

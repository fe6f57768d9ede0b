"""fp32 or bf16, decided by a few milliseconds of measurement.

Processors with bf16 instructions gain 1.5x to 13x in convolutions and matrix products; others lose. Data sheets
do not say by how much, so `auto` times one small training step of each. Weights, sums and the optimizer stay
in fp32 either way (autocast).
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import torch
from torch import nn

WORTH_IT = 1.15  # bf16 must win clearly, so that noise does not decide
TRIALS = 9
BATCH, CHANNELS, SIDE = 32, 64, 14  # of the convolution that is timed
PROBED = 3 * BATCH * SIDE**2 * CHANNELS**2 * 9  # its multiply-adds, forward and back


def choose_precision(wanted: str, device: str) -> str:
    """`fp32` or `bf16`: as wanted, or the faster of the two on this device for `auto`."""
    if wanted != "auto":
        return wanted
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    seconds = probe(device)
    return "bf16" if seconds["fp32"] > WORTH_IT * seconds["bf16"] else "fp32"


def probe(device: str) -> dict[str, float]:
    """Least seconds of a small convolution's forward and backward pass in each precision, in turns.

    The least, not the median: on a busy machine the median measures the others.
    """
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(device)
    x = torch.ones(BATCH, CHANNELS, SIDE, SIDE, device=device).contiguous(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for _ in range(TRIALS + 1):
        for precision, taken in times.items():
            start = time.perf_counter()
            with autocast(precision, device):
                loss = layer(x).float().mean()
            loss.backward()
            taken.append(time.perf_counter() - start)
    return {precision: min(taken[1:]) for precision, taken in times.items()}


def speed(device: str = "cpu") -> float:
    """Multiply-adds a second of a small convolution in training, in the faster precision."""
    return PROBED / min(probe(device).values())


def autocast(precision: str, device: str) -> AbstractContextManager[object]:
    """The context in which a forward pass runs."""
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")

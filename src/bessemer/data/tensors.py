"""What the exported file takes, in words: an example of a raw file, and the tensor, by kind of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INPUTS = {
    "image": (
        "photo.png",
        "`inputs` is uint8 (batch, height, width, channels): images of {shape} (height × width × channels), "
        "values 0 to 255, not normalized.",
    ),
    "text": (
        "letter.txt",
        "`inputs` is int32 (batch, tokens): the ids that `tokenizer.json` gives to the cleaned text, at most "
        "{longest}, padded with 0 at the end.",
    ),
    "audio": (
        "word.wav",
        "`inputs` is int16 (batch, samples): one channel at {rate:,} samples a second, clips of {seconds:g} s. "
        "The spectrogram is computed inside the model.",
    ),
}
NOUNS = {"image": "images", "text": "texts", "audio": "recordings"}


def described(about: Mapping[str, Any]) -> tuple[str, str]:
    """An example of a file for `predict`, and the input of the ONNX file, from what `dataset.json` says."""
    example, tensor = INPUTS[about["modality"]]
    told = {
        "shape": " × ".join(map(str, about.get("image") or [])),
        "longest": about["arguments"].get("max_tokens"),
        "rate": about.get("rate"),
        "seconds": about.get("seconds"),
    }
    return example, tensor.format(**told)

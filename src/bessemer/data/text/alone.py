"""A text in UTF-8 to what the exported model takes, without bessemer: the model card shows this source.

It says again in few lines what `bessemer.data.text` does to texts in UTF-8 without markup and mojibake, and a test
holds one against the other.
"""

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

MODEL = "model.onnx"
TOGETHER = True  # outputs of one file are parts of one answer
REMOVED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)


def read(path: str, about: dict[str, Any], folder: str) -> dict[str, Any]:
    text = unicodedata.normalize("NFC", REMOVED.sub("", Path(path).read_bytes().decode("utf-8")))
    if about.get("white_space", "normalize") == "normalize":
        text = tidy(without_repeated(tidy(text), frozenset(about.get("boilerplate", ()))))
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    shift = 0 if 0 in (tokenizer.token_to_id("[PAD]"), tokenizer.token_to_id("<pad>")) else 1
    found = [
        tokenizer.encode(one, add_special_tokens=False).ids for one in pieces(text, about["piece_characters"])
    ]
    tokens = np.zeros((len(found), max(1, *(min(len(ids), about["max_tokens"]) for ids in found), 1)), np.int32)
    for row, ids in zip(tokens, found, strict=True):
        ids = ids[: about["max_tokens"]]
        row[: len(ids)] = np.array(ids, np.int32) + shift
    return {about["input"]["name"]: tokens}


def tidy(text: str) -> str:
    text = re.sub("\r\n?|[\x85\u2028\u2029\x0b\x0c]", "\n", text)
    text = re.sub("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]", " ", text)
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def without_repeated(text: str, repeated: frozenset[int]) -> str:
    """Without lines that most texts of the training data shared."""
    lines, run, dropped = text.split("\n"), [], set()
    known = [mark(line) in repeated for line in lines]
    for place, line in enumerate([*lines, "."]):
        if place < len(lines) and known[place]:
            run.append(place)
            if len(line.strip()) >= 40 and len(line.split()) >= 5:
                dropped.add(place)
        elif line.strip():
            dropped.update(run if len(run) >= 3 else ())
            run = []
    return "\n".join(line for place, line in enumerate(lines) if place not in dropped)


def mark(line: str) -> int | None:
    plain = re.sub(r"\s+", " ", line.strip())
    if len(plain) < 20 or not any(map(str.isalpha, plain)):
        return None
    plain = re.sub(r"\d", "0", plain.casefold())
    return int.from_bytes(hashlib.blake2b(plain.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def pieces(text: str, size: int | None) -> list[str]:
    """The text whole or, where training cut it, in pieces that end at line ends."""
    if not size:
        return [text]
    found: list[str] = []
    waiting = ""
    for line in text.splitlines(keepends=True):
        for start in range(0, len(line), size):
            waiting += line[start : start + size]
            if len(waiting) >= size:
                found, waiting = [*found, waiting], ""
    if waiting and found and len(waiting) < size / 2:
        found[-1] += waiting
    elif waiting:
        found.append(waiting)
    return [piece.strip("\n") for piece in found if piece.strip()] or [text]

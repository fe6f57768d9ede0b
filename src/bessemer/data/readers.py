"""Raw files to what an exported model takes: the very functions that prepared its training data.

`preprocess.json` beside the model says how; nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bessemer.data.record import Rejected
from bessemer.errors import DataError

PREPROCESS, TOKENIZER = "preprocess.json", "tokenizer.json"
Reader = Callable[[Path], NDArray[Any]]
T = TypeVar("T")


def reader(about: dict[str, Any], folder: Path) -> Reader:
    """A function from a raw file to inputs (n, ...): n is 1, or the number of clips of a long recording.

    Raises KeyError, TypeError or ValueError where `about`, the content of `preprocess.json`, is damaged. The
    function raises Rejected with the reason where a file cannot be used.
    """
    return READERS[about.get("modality", "image")](about, folder)


def image_reader(about: dict[str, Any], folder: Path) -> Reader:
    """Image files to uint8 (1, H, W, C)."""
    from bessemer.data.image import read_image

    size, gray = (int(about["size"][0]), int(about["size"][1])), about["color"] == "gray"
    return lambda path: read_image(path, size, gray)[None]


def audio_reader(about: dict[str, Any], folder: Path) -> Reader:
    """Sound files to int16 (n, T). Of several clips the silent ones are left out, as in training."""
    from bessemer.data.audio import loudness, read_clips

    rate, samples, windows = int(about["rate"]), int(about["samples"]), bool(about["windows"])
    silence = float(about["silence_db"])

    def read(path: Path) -> NDArray[np.int16]:
        clips = read_clips(path, rate, samples, windows)
        heard = np.array([loudness(clip / np.float32(32768)) >= silence for clip in clips])
        return clips[heard] if heard.any() else clips

    return read


def text_reader(about: dict[str, Any], folder: Path) -> Reader:
    """Text files to token ids int32 (n, T), padded with 0: a row for each piece of the text."""
    from bessemer.data.text.cleaner import pieces
    from bessemer.data.tokenize import load_tokenizer

    tokenizer, longest = load_tokenizer(folder / TOKENIZER), int(about["max_tokens"])
    size, text_of = about["piece_characters"], clean_reader(about)

    def read(path: Path) -> NDArray[np.int32]:
        text = text_of(path)
        found = tokenizer.encode_batch(pieces(text, size) if size else [text], longest)
        tokens = np.zeros((len(found), max([1, *map(len, found)])), np.int32)
        for row, one in zip(tokens, found, strict=True):
            row[: len(one)] = one
        return tokens

    return read


def clean_reader(about: dict[str, Any]) -> Callable[[Path], str]:
    """A function from a text file to its text, cleaned as `about` says."""
    from bessemer.data.text.boilerplate import drop_lines
    from bessemer.data.text.decode import decode
    from bessemer.data.text.repair import clean_text

    html, spaces = str(about["html"]), str(about.get("white_space", "normalize"))
    repeated = frozenset(about.get("boilerplate", ()))

    def read(path: Path) -> str:
        text, _ = clean_text(decode(path.read_bytes())[0], html, spaces)
        shorter = drop_lines(text, repeated)
        return text if shorter == text else clean_text(shorter, "keep", spaces)[0]

    return read


READERS: dict[str, Callable[[dict[str, Any], Path], Reader]] = {
    "image": image_reader,
    "audio": audio_reader,
    "text": text_reader,
}


def input_files(inputs: list[Path], modality: str) -> list[Path]:
    """The files that inputs name: files as given, folders with every file of the kind below them."""
    files: list[Path] = []
    for path in inputs:
        if path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.is_file() and is_of(file, modality))
        else:
            files.append(path)
    if not files:
        raise DataError(f"{inputs[0]}: no {modality} files in it", "give files, or folders of them")
    return files


def is_of(path: Path, modality: str) -> bool:
    """Whether a file's name is that of a kind of data; any name may be text."""
    if modality == "text":
        return not path.name.startswith(".")
    if modality == "audio":
        from bessemer.data.audio import SUFFIXES
    else:
        from bessemer.data.image import SUFFIXES
    return path.suffix.lower() in SUFFIXES


def read_one(read: Callable[[Path], T], path: Path) -> T:
    """The inputs, or text, of one file; raises Rejected also where the file cannot be opened."""
    try:
        return read(path)
    except OSError as error:
        raise Rejected(error.strerror or "cannot be read") from error

"""The folders of real life on which preparation is proven, and a dirtied copy of each.

    python bench/corpora.py OUT [fashion] [stdlib] [docstrings] [speech] [recordings] [--dirty] [--seed N]

`OUT/NAME` is the untouched folder. With --dirty, `OUT/NAME-dirty` is a copy in which files were damaged,
disguised, copied and put into wrong classes, and `OUT/NAME-dirty.plants.json` beside it says which;
bench/plants.py holds a run against it. The same seed plants the same.

- fashion: 6,000 training and 1,000 test images of Fashion-MNIST as PNG files (Debian: dataset-fashion-mnist, whose
  IDX files are a source as they are)
- stdlib: the Python standard library's packages as folders of real .py files, without their tests
- docstrings: its documentation strings, one text file each, in folders by module or package (20 or more)
- speech: ten words in many voices, speeds and pitches, before other voices 5 to 20 dB lower (Debian: espeak-ng)
- recordings: Debian's pocketsphinx-testdata, where it stands; nothing is written
"""

from __future__ import annotations

import argparse
import ast
import gzip
import io
import shutil
import subprocess
import sys
import sysconfig
import wave
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from dirt import dirty_copy
from numpy.typing import NDArray
from PIL import Image

Sound = NDArray[np.float32]
FASHION = Path("/usr/share/datasets/fashion-mnist")
CLOTHES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"]
RECORDINGS = Path("/usr/share/pocketsphinx/test/data")
TESTS = {"test", "tests", "idle_test", "site-packages", "__pycache__"}
WORDS = [
    "cat",
    "tack",
    "top",
    "pot",
    "net",
    "ten",
    "tip",
    "pit",
    "peek",
    "keep",
]  # the same sounds in another order
ACCENTS = ["en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"]
VARIANTS = ["m1", "m2", "m3", "m5", "m7", "f1", "f2", "f3", "f4", "f5"]
SPEEDS, PITCHES = (130, 160, 190), (35, 60)
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
MODALITIES = {"fashion": "image", "stdlib": "text", "docstrings": "text", "speech": "audio"}


class MissingPackageError(Exception):
    """A Debian package that a corpus needs is not installed."""


# --- images ---------------------------------------------------------------------------------------------


def build_fashion(out: Path, source: Path = FASHION, per_class: tuple[int, int] = (600, 100)) -> None:
    """The first 600 training and 100 test images of each class: out/train/coat/00017.png, named by position."""
    if not source.is_dir():
        raise MissingPackageError(f"{source}: no such folder; apt-get install dataset-fashion-mnist")
    for split, prefix, wanted in zip(("train", "test"), ("train", "t10k"), per_class, strict=True):
        images = read_idx(source / f"{prefix}-images-idx3-ubyte.gz")
        labels = read_idx(source / f"{prefix}-labels-idx1-ubyte.gz")
        for label, name in enumerate(CLOTHES):
            folder = out / split / name
            folder.mkdir(parents=True)
            for position in np.flatnonzero(labels == label)[:wanted]:
                Image.fromarray(images[position]).save(folder / f"{position:05d}.png")


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of a gzipped IDX file of bytes."""
    with gzip.open(path) as file:
        raw = file.read()
    shape = np.frombuffer(raw, ">i4", raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


# --- text -----------------------------------------------------------------------------------------------


def stdlib_files(root: Path) -> Iterator[Path]:
    """The library's own modules, in order, without tests and installed packages."""
    for path in sorted(root.rglob("*.py")):
        if not TESTS & set(path.relative_to(root).parts):
            yield path


def library() -> Path:
    """The folder of the standard library."""
    return Path(sysconfig.get_paths()["stdlib"])


def build_stdlib(out: Path, root: Path | None = None) -> None:
    """Packages as they stand: out/asyncio/base_events.py; single modules belong to no package and stay out."""
    root = root or library()
    for path in stdlib_files(root):
        place = path.relative_to(root)
        if len(place.parts) > 1:
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, out / place)


def build_docstrings(out: Path, root: Path | None = None, least: int = 20) -> None:
    """Documentation strings of at least 20 characters: out/asyncio/base_events.BaseEventLoop.close.txt."""
    root = root or library()
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path in stdlib_files(root):
        place = path.relative_to(root).with_suffix("")
        inner = ".".join(place.parts[1:]) or place.name
        for name, text in docstrings(path.read_bytes()):
            if len(text) >= 20:
                found[place.parts[0]].setdefault(f"{inner}{name}.txt", text)
    for package, texts in found.items():
        if len(texts) < least:
            continue
        (out / package).mkdir(parents=True)
        for name, text in texts.items():
            (out / package / name).write_text(text + "\n", encoding="utf-8")


def docstrings(source: bytes) -> Iterator[tuple[str, str]]:
    """(".Class.method", documentation) of a module and of all that is defined in it."""

    def walk(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield name, text
        for child in ast.iter_child_nodes(node):
            inner = getattr(child, "name", None) if isinstance(child, DEFINITIONS) else None
            yield from walk(child, f"{name}.{inner}" if inner else name)

    try:
        yield from walk(ast.parse(source), "")
    except SyntaxError:
        return  # lib2to3 and others keep sources of Python 2


# --- sound ----------------------------------------------------------------------------------------------


def build_speech(out: Path, words: list[str] = WORDS, limit: int | None = None) -> None:
    """One WAV file for each word, accent, variant, speed and pitch: out/yes/en-us+f3-160-60.wav.

    At most `limit` of a word. Up to 0.3 s of background stand before and after the word.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingPackageError("espeak-ng is not on the PATH; apt-get install espeak-ng")
    voices = list(product(ACCENTS, VARIANTS, SPEEDS, PITCHES))[:limit]

    def speak(job: tuple[str, tuple[str, str, int, int]]) -> tuple[Sound, int]:
        word, (accent, variant, speed, pitch) = job
        settings = ["-v", f"{accent}+{variant}", "-s", str(speed), "-p", str(pitch), "--stdout"]
        done = subprocess.run([program, *settings, word], check=True, capture_output=True)
        with wave.open(io.BytesIO(done.stdout)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return samples.astype(np.float32) / 32768, file.getframerate()

    jobs = list(product(words, voices))
    with ThreadPoolExecutor(2) as pool:
        spoken = list(pool.map(speak, jobs))
    sounds = [sound for sound, _ in spoken]
    for number, ((word, voice), (_, rate)) in enumerate(zip(jobs, spoken, strict=True)):
        accent, variant, speed, pitch = voice
        file = out / word / f"{accent}+{variant}-{speed}-{pitch}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_wav(file, among_others(sounds, number, rate), rate)


def among_others(sounds: list[Sound], number: int, rate: int) -> Sound:
    """One voice in front of three others, at a random distance; the same each time."""
    dice = np.random.default_rng(number)
    word = sounds[number]
    before, after = (int(seconds * rate) for seconds in dice.uniform(0, 0.3, 2))
    padded = np.pad(word, (before, after))
    others = [sounds[other] for other in dice.integers(0, len(sounds), 3)]
    babble = sum(np.roll(np.resize(other, len(padded)), dice.integers(len(padded))) for other in others)
    level = np.sqrt(np.mean(word**2) / np.mean(babble**2)) * 10 ** (-dice.uniform(5, 20) / 20)
    mixed = padded + level * babble
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max()) / 0.99), np.float32)


def write_wav(path: Path, sound: Sound, rate: int) -> None:
    """One channel of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.rint(sound * 32767).astype("<i2").tobytes())


def locate_recordings(out: Path) -> None:
    """Say where the recordings stand; nothing is written."""
    if not RECORDINGS.is_dir():
        raise MissingPackageError(f"{RECORDINGS}: no such folder; apt-get install pocketsphinx-testdata")


BUILDERS: dict[str, Callable[[Path], None]] = {
    "fashion": build_fashion,
    "stdlib": build_stdlib,
    "docstrings": build_docstrings,
    "speech": build_speech,
    "recordings": locate_recordings,
}


def build(name: str, out: Path, dirty: bool, seed: int) -> None:
    """Build one corpus unless it is there, and its dirtied copy anew."""
    folder = RECORDINGS if name == "recordings" else out / name
    if not folder.exists():
        part = out / f".{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        BUILDERS[name](part)
        part.rename(folder)
    elif name == "recordings":
        locate_recordings(out)
    files = sum(path.is_file() for path in folder.rglob("*"))
    print(f"{folder}: {files} files")
    if dirty and name in MODALITIES:
        copy = out / f"{name}-dirty"
        ledger = dirty_copy(folder, copy, MODALITIES[name], seed)
        kinds = Counter(plant["kind"] for plant in ledger["plants"].values())
        print(f"{copy}: {ledger['files']} files; " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()))


def main() -> int:
    """Build what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BUILDERS)}; all by default")
    parser.add_argument("--dirty", action="store_true", help="also a copy with planted faults")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(BUILDERS)
    if unknown:
        parser.error(f"no corpus {', '.join(sorted(unknown))}; there are {', '.join(BUILDERS)}")
    for name in chosen.names or BUILDERS:
        try:
            build(name, chosen.out, chosen.dirty, chosen.seed)
        except MissingPackageError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

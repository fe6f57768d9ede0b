"""What the sources share: names of splits, kinds of files, checks of paths."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePosixPath

from bessemer.data.kind import Kind
from bessemer.data.kinds import KINDS
from bessemer.errors import DataError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
SKIPPED_NAMES = {"__pycache__", "__MACOSX", "Thumbs.db", "desktop.ini"}
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
OTHER = (
    "pyc pyo pyd so o a lib dll dylib exe bin class jar whl egg deb rpm msi dmg iso img apk "
    "pdf doc docx xls xlsx ppt pptx odt ods odp rtf epub mobi ps eps djvu db sqlite sqlite3 mdb "
    "npy npz pt pth ckpt pkl pickle joblib h5 hdf5 safetensors onnx tflite parquet arrow feather orc avro mat rds "
    "zip tar tgz gz bz2 xz tbz2 txz zst 7z rar z lz4 "
    "mp4 mkv avi mov webm wmv flv mpg mpeg m4v ttf otf woff woff2 eot psd ai blend mo swp mid midi"
)  # suffixes of files that are no samples
KIND_OF_SUFFIX = {f".{suffix}": "other" for suffix in OTHER.split()} | {
    suffix: name for name, kind in KINDS.items() for suffix in kind.suffixes
}


def existing(path: str | None) -> Path:
    """The file or folder that `data.path` names; DataError where there is none."""
    root = Path(str(path))
    if not root.exists():
        problem = f"{root}: no such {'file' if root.suffix else 'folder'}"
        raise DataError(problem, "correct data.path; a relative path starts at the recipe's folder")
    return root


def existing_folder(path: str | None) -> Path:
    """The folder that `data.path` names; DataError where there is none."""
    root = existing(path)
    if not root.is_dir():
        remedy = "correct data.path; a relative path starts at the recipe's folder"
        raise DataError(f"{root}: is a file, not a folder", remedy)
    return root


def is_skipped(name: str) -> bool:
    """Whether a file or folder is a tool's own and never data."""
    return name.startswith(".") or name in SKIPPED_NAMES


def is_archive(name: str) -> bool:
    """Whether a name says zip or tar."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def suffix_of(name: str) -> str:
    """The suffix in small letters, "" where there is none."""
    return PurePosixPath(name).suffix.lower()


def is_other_kind(name: str, kind: Kind) -> bool:
    """Whether the suffix clearly belongs to another kind of data; an unknown one does not."""
    suffix = suffix_of(name)
    return suffix in KIND_OF_SUFFIX and suffix not in kind.suffixes


def printable(name: str) -> str:
    """A file name as text that can be stored; bytes that are not UTF-8 are written as \\xff."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def as_label(name: str) -> str:
    """A class name in one Unicode form, so that the same folder made on two systems gives one class."""
    return unicodedata.normalize("NFC", printable(name))


def is_inside(path: str, root: str) -> bool:
    """Whether a path, its links followed, stands below `root` (a real path)."""
    return os.path.realpath(path).startswith(root.rstrip(os.sep) + os.sep)


def split_of_stem(stem: str) -> str | None:
    """The split that a file's name starts with (`test.csv`, `train-00000-of-00002.parquet`)."""
    return SPLIT_NAMES.get(stem.lower().replace("_", "-").replace(".", "-").split("-")[0])

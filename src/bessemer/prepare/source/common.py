"""What the sources share: names of splits, kinds of files, checks of paths."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
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
# Words that stand beside a split's name in the name of a folder: `test_set`, `train_images`, `cropped-val`.
BESIDE = (
    "a an and the of for my set sets data dataset datasets image images img imgs picture pictures photo photos "
    "jpg jpeg png text texts txt doc docs file files audio audios wav wavs sound sounds clip clips sample samples "
    "example examples folder folders dir directory split part subset seg segmented cropped crop resized original "
    "raw clean final full all class classes"
)
BESIDE_SPLITS = set(BESIDE.split())
# What people call a folder of samples that nobody has labelled.
UNLABELLED = {
    *("unsup", "unsupervised", "unlabeled", "unlabelled", "unlabel", "nolabel", "nolabels", "withoutlabel"),
    *("withoutlabels", "unannotated"),
}
SKIPPED_NAMES = {
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "ehthumbs.db",
    "__pycache__",
    "__MACOSX",
    "Thumbs.db",
    "desktop.ini",
}
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


def archive_stem(name: str) -> str:
    """An archive's name without what says that it is one: `cats.tar.gz` is cats."""
    suffix = next(
        suffix for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True) if name.lower().endswith(suffix)
    )
    return name[: -len(suffix)]


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


def words_of(name: str) -> list[str]:
    """The words of a name in small letters, without numbers: `TrainSet_v2` is train, set, v."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_A-Za-z]+", name)]


def split_in(name: str) -> tuple[str, tuple[str, ...]]:
    """The split that a folder's name speaks of, and the words beside it: `seg_test` is test, and (seg).

    The split is "" where the name speaks of none, or of two.
    """
    words = [part for word in words_of(name) for part in _parted(word)]
    found = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
    return (found.pop() if len(found) == 1 else ""), tuple(word for word in words if word not in SPLIT_NAMES)


def _parted(word: str) -> list[str]:
    """`trainset` in two words; others as they are."""
    for split in SPLIT_NAMES:
        if word.startswith(split) and word[len(split) :] in BESIDE_SPLITS:
            return [split, word[len(split) :]]
    return [word]


def splits_of(names: Iterable[str]) -> dict[str, str]:
    """The split that each of these sibling folders is, by its name; folders that are none are left out.

    `train` and `test` are splits; `train_images` and `test_set` too; and so are `flowers_train` and
    `flowers_test`, as the same words stand beside each. Names with words beside the split count where two splits
    are there, one of them the training split.
    """
    told = {name: split_in(name) for name in names}
    told = {name: (split, beside) for name, (split, beside) in told.items() if split}
    plain = {name: split for name, (split, _) in told.items() if name.strip().lower() in SPLIT_NAMES}
    beside = [set(words) - BESIDE_SPLITS for _, words in told.values()]
    alike = all(words == beside[0] for words in beside)
    wordy = {name: split for name, (split, words) in told.items() if alike or set(words) <= BESIDE_SPLITS}
    both = set(wordy.values()) > {"train"}
    return wordy if both else plain


def says_unlabelled(name: str) -> bool:
    """Whether a folder's name says that what is in it has no label."""
    words = [word for word in words_of(name) if word not in BESIDE_SPLITS]
    return "".join(words) in UNLABELLED


def split_of_stem(stem: str) -> str | None:
    """The split that a file's name starts with (`test.csv`, `train-00000-of-00002.parquet`)."""
    return SPLIT_NAMES.get(stem.lower().replace("_", "-").replace(".", "-").split("-")[0])

"""Sources: the places that rows come from, listed cheaply and read piece by piece in other processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bessemer.artifact import digest_of
from bessemer.data.config import DataConfig, SourceConfig
from bessemer.data.kinds import find_kind
from bessemer.data.record import Source
from bessemer.prepare.source.arrays import idx_files, open_digits, open_idx
from bessemer.prepare.source.common import SPLIT_NAMES, existing, existing_folder, printable
from bessemer.prepare.source.dataset import open_dataset
from bessemer.prepare.source.documents import open_documents, open_stdlib, stdlib_mark
from bessemer.prepare.source.folder import open_folder
from bessemer.prepare.source.table import open_table
from bessemer.prepare.source.tree import Tree

__all__ = ["DOCUMENT_OPENERS", "OPENERS", "SPLIT_NAMES", "fingerprint", "open_source"]

OPENERS: dict[str, Callable[[SourceConfig], Source]] = {
    "digits": open_digits,
    "idx": open_idx,
    "image_folder": open_folder,
    "text_folder": open_folder,
    "audio_folder": open_folder,
    "folder": open_folder,
    "table": open_table,
    "dataset": open_dataset,
    "stdlib": open_stdlib,
}
DOCUMENT_OPENERS = {**OPENERS, "text_folder": open_documents}


def open_source(config: SourceConfig, labelled: bool = True) -> Source:
    """The source that the settings name; raises DataError where it cannot be used.

    With `labelled=False` all rows carry the same label, and none is looked for.
    """
    if labelled:
        return OPENERS[config.source](config)
    if config.columns is not None:
        unlabelled = config.columns.model_copy(update={"label": None, "one_of": []})
        config = config.model_copy(update={"columns": unlabelled})
    return DOCUMENT_OPENERS[config.source](config)


def fingerprint(config: DataConfig) -> str:
    """A cheap digest of what the sources hold: names, sizes and times of their files, not their bytes."""
    digests = [_fingerprint(source) for source in config.sources]
    return digests[0] if len(digests) == 1 else digest_of(digests)


def _fingerprint(config: SourceConfig) -> str:
    if config.source == "stdlib":
        return stdlib_mark()
    if config.path is None:
        return "built in"
    root = existing_folder(config.path) if config.source in ("idx", "dataset") else existing(config.path)
    if config.source == "idx":
        files = idx_files(root)
    elif root.is_dir():
        files = list(_files(root, config.links == "follow"))
    elif config.source == "table" and not find_kind(config.modality).in_cells:
        root, files = root.parent, list(_files(root.parent))  # with the files that the rows name
    else:
        root, files = root.parent, [root]
    stats = [(printable(path.relative_to(root).as_posix()), path.stat()) for path in sorted(files)]
    return digest_of([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])


def _files(root: Path, follow: bool = False) -> Iterator[Path]:
    tree = Tree(os.path.realpath(root), follow)
    for found in tree.files():
        path = Path(root, os.path.relpath(found.path, tree.root))
        if path.is_file():
            yield path

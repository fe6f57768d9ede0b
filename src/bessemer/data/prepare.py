"""The prepare stage: every image read once, broken ones set aside, copies removed, split, and measured.

Every row is accounted for: kept + quarantined + duplicates + leaks = rows.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.dataset import SPLITS
from bessemer.data.image import BadImageError
from bessemer.data.order import key, mix
from bessemer.data.source import Source, open_source
from bessemer.data.split import take_count, take_share
from bessemer.errors import DataError
from bessemer.runtime import SILENT, Progress, available_cores

TEST = SPLITS.index("test")
MAX_LISTED = 1000


def prepare(config: DataConfig, seed: int, out: Path, progress: Progress = SILENT) -> dict[str, Any]:
    """Read the source, write the prepared data set into `out`, and return what `dataset.json` says.

    Raises DataError where the data is missing, broken beyond `max_quarantined`, or too small to split.
    """
    source = limit(open_source(config), config.limit, seed)
    check_classes(source)
    kept, ids, quarantined = copy_pixels(source, out / "images.all", progress)
    check_quarantined(config, source, quarantined)
    survivors, duplicates, leaks = remove_copies(kept, ids, source)
    rows, ids = kept[survivors], ids[survivors]
    labels = source.labels[rows]
    split = choose_splits(config, source, rows, ids, seed)
    check_splits(source, labels, split)
    _compact(out, source.shape, len(kept), survivors)
    np.save(out / "labels.npy", labels)
    np.save(out / "ids.npy", ids)
    np.save(out / "split.npy", split)
    images = np.memmap(out / "images.bin", np.uint8, "r", shape=(len(rows), *source.shape))
    mean, std = channel_statistics(images, np.flatnonzero(split == 0))
    counts = {
        name: np.bincount(labels[split == i], minlength=len(source.classes)) for i, name in enumerate(SPLITS)
    }
    about = {
        "source": config.source,
        "classes": source.classes,
        "image": list(source.shape),
        "mean": mean,
        "std": std,
        "rows": len(source.names),
        "kept": len(rows),
        "quarantined": dict(Counter(reason for _, reason in quarantined)),
        "quarantined_samples": [{"path": name, "reason": why} for name, why in quarantined[:MAX_LISTED]],
        "duplicates": duplicates,
        "leaks": leaks,
        "splits": {name: int(count.sum()) for name, count in counts.items()},
        "class_counts": {name: count.tolist() for name, count in counts.items()},
    }
    (out / "dataset.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return about


def limit(source: Source, count: int | None, seed: int) -> Source:
    """At most `count` items, every class and given split keeping its share."""
    if count is None or count >= len(source.names):
        return source
    groups = source.labels * 4 + np.array([SPLITS.index(s) if s else 3 for s in source.splits])
    chosen = take_count(groups, mix(np.arange(len(groups), dtype=np.uint64)), count, seed)
    read = source.read
    return replace(
        source,
        names=[source.names[i] for i in chosen],
        labels=source.labels[chosen],
        splits=[source.splits[i] for i in chosen],
        read=lambda i: read(int(chosen[i])),
    )


def copy_pixels(
    source: Source, path: Path, progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.uint64], list[tuple[str, str]]]:
    """Write all readable images to one file; returns kept items, their content ids, and what was quarantined."""
    kept, ids, quarantined = [], [], []
    total = len(source.names)
    with path.open("wb") as file, ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, total, 512):
            block = range(start, min(start + 512, total))
            for i, pixels in zip(block, pool.map(lambda i: _try_read(source, i), block), strict=True):
                if isinstance(pixels, str):
                    quarantined.append((source.names[i], pixels))
                    continue
                raw = pixels.tobytes()
                file.write(raw)
                kept.append(i)
                ids.append(int.from_bytes(hashlib.sha256(raw).digest()[:8], "little"))
            progress.step("prepare", block.stop, total, f"{len(quarantined)} quarantined")
    return np.array(kept, np.int64), np.array(ids, np.uint64), quarantined


def _try_read(source: Source, item: int) -> NDArray[np.uint8] | str:
    try:
        return source.read(item)
    except BadImageError as error:
        return str(error)


def remove_copies(
    kept: NDArray[np.int64], ids: NDArray[np.uint64], source: Source
) -> tuple[NDArray[np.int64], int, int]:
    """Positions that stay, the number of exact copies dropped, and of those that copied a test image.

    A test split that came with the source is never touched. Elsewhere the first copy stays, and training
    images that also stand in the test split go.
    """
    is_test = np.array([source.splits[i] == "test" for i in kept], bool)
    leaks = ~is_test & np.isin(ids, ids[is_test])
    first = np.zeros(len(ids), bool)
    rest = np.flatnonzero(~is_test)
    first[rest[np.unique(ids[rest], return_index=True)[1]]] = True
    stays = is_test | (first & ~leaks)
    return np.flatnonzero(stays), int((~stays & ~leaks).sum()), int(leaks.sum())


def choose_splits(
    config: DataConfig, source: Source, rows: NDArray[np.int64], ids: NDArray[np.uint64], seed: int
) -> NDArray[np.uint8]:
    """0, 1 or 2 (train, validation, test) for each row: as the source says, the rest stratified by class."""
    given = np.array([source.splits[i] for i in rows])
    labels = source.labels[rows]
    split = np.zeros(len(rows), np.uint8)
    for index, name in enumerate(SPLITS):
        split[given == name] = index
    for name, share in (("test", config.split.test), ("validation", config.split.validation)):
        if not (given == name).any():
            open_rows = np.flatnonzero(split == 0)
            chosen = take_share(
                labels[open_rows], ids[open_rows], share, int(key(seed, SPLITS.index(name)) >> np.uint64(1))
            )
            split[open_rows[chosen]] = SPLITS.index(name)
    return split


def channel_statistics(images: NDArray[np.uint8], positions: NDArray[np.int64]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, in 0 to 1, over the given images (the training split)."""
    total, squares, count = 0.0, 0.0, 0
    for start in range(0, len(positions), 1024):
        block = images[positions[start : start + 1024]].astype(np.float64) / 255
        total = total + block.sum(axis=(0, 1, 2))
        squares = squares + (block**2).sum(axis=(0, 1, 2))
        count += block.shape[0] * block.shape[1] * block.shape[2]
    mean = np.asarray(total) / count
    variance = np.maximum(np.asarray(squares) / count - mean**2, 0)
    std = np.maximum(np.sqrt(variance), 1 / 255)  # a constant channel must not divide by zero
    return [round(float(m), 6) for m in mean], [round(float(s), 6) for s in std]


def _compact(out: Path, shape: tuple[int, int, int], total: int, survivors: NDArray[np.int64]) -> None:
    """Turn `images.all` into `images.bin`, which holds the survivors only."""
    if len(survivors) == total:
        (out / "images.all").rename(out / "images.bin")
        return
    every = np.memmap(out / "images.all", np.uint8, "r", shape=(total, *shape))
    with (out / "images.bin").open("wb") as file:
        for start in range(0, len(survivors), 1024):
            file.write(every[survivors[start : start + 1024]].tobytes())
    (out / "images.all").unlink()


def check_classes(source: Source) -> None:
    """Refuse a source with nothing to tell apart."""
    present = np.unique(source.labels)
    if len(present) < 2:
        only = source.classes[int(present[0])] if len(present) else "none"
        raise DataError(f"only one class in the data ({only})", "a classifier needs at least two classes")


def check_quarantined(config: DataConfig, source: Source, quarantined: list[tuple[str, str]]) -> None:
    """Stop where more is broken than the settings allow."""
    if not quarantined:
        return
    name, reason = quarantined[0]
    first = f"first: {name}: {reason}"
    if len(quarantined) == len(source.names):
        raise DataError(f"all {len(source.names)} images are broken ({first})", "check the files")
    share = len(quarantined) / len(source.names)
    if share > config.max_quarantined:
        problem = f"{len(quarantined)} of {len(source.names)} images ({share:.0%}) are broken ({first})"
        raise DataError(problem, f"repair them, or raise data.max_quarantined (now {config.max_quarantined})")


def check_splits(source: Source, labels: NDArray[np.int64], split: NDArray[np.uint8]) -> None:
    """Every class that is tested must be trained, and every split must hold something."""
    for index, name in enumerate(SPLITS):
        if not (split == index).any():
            raise DataError(f"no image is left for the {name} split", "add data, or change data.split")
    for label in sorted(set(source.labels.tolist()) - set(labels.tolist())):
        problem = f"class {source.classes[label]!r} has no usable image: all of them are broken or copies"
        raise DataError(problem, "add images of this class or remove it")
    untrained = set(np.unique(labels).tolist()) - set(np.unique(labels[split == 0]).tolist())
    if untrained:
        name = source.classes[min(untrained)]
        count = int((labels == min(untrained)).sum())
        problem = f"class {name!r} has {count} usable image(s), none of them in the training split"
        raise DataError(problem, "add images of this class or remove it")

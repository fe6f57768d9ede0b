"""Which folders of a tree are classes, and which are splits, wrappers or parts, by how many files each holds."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from bessemer.data.files.packed import is_about
from bessemer.data.kind import Kind
from bessemer.errors import DataError
from bessemer.prepare.source.common import (
    BESIDE_SPLITS,
    SPLIT_NAMES,
    archive_stem,
    as_label,
    says_unlabelled,
    split_in,
    splits_of,
    words_of,
)

NUMBERED = (
    "part parts fold folds batch batches chunk chunks shard shards session sessions disc disk cd vol volume "
    "archive section block group round run take day week export"
)
PARTS = set(NUMBERED.split())
PACKED = {".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".lz4"}
SHOWN = 5  # names in a sentence
MOST_FILES = 100  # that may be a class each
Folders = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Which folders are the classes: those below `prefix`, or further down.

    `splits` are the outermost folders below it that are splits, where there are any, and `through` the lone
    folders inside each that are passed through. With `parts` a level of folders such as `part1` and `part2` is
    passed over. `inside` are folders that are splits inside each class. `unlabelled` would be classes, but for
    what their names say. `spelled` has class folders whose names differ in case alone from that of another split,
    and the name that both get. With `by_file` each file is a class, a sample in each of its parts; `by_suffix`
    where suffixes alone tell the files apart.
    """

    prefix: Folders
    splits: Mapping[str, str] = field(default_factory=dict)
    through: Mapping[str, Folders] = field(default_factory=dict)
    parts: bool = False
    inside: Mapping[str, str] = field(default_factory=dict)
    unlabelled: frozenset[str] = frozenset()
    spelled: Mapping[str, str] = field(default_factory=dict)
    by_file: bool = False
    by_suffix: bool = False

    def place(self, folders: Folders, name: str = "") -> tuple[str | None, str]:
        """(label, split) of a file of this name in these folders; the label is None where there is no class."""
        if self.by_file and is_about(name):
            return None, ""
        if self.by_file:
            folders = (*folders, PurePosixPath(name).suffix[1:] if self.by_suffix else PurePosixPath(name).stem)
        return self._place(folders)

    def _place(self, folders: Folders) -> tuple[str | None, str]:
        name, split, below = self._class_folder(folders)
        if name is None or name in self.unlabelled:
            return None, split
        return as_label(self.spelled.get(name, name)), split or (self.inside.get(below[0], "") if below else "")

    def is_unlabelled(self, folders: Folders, name: str) -> bool:
        """Whether a file in these folders stands in the folder of this name that holds no class."""
        return name in self.unlabelled and self._class_folder(folders)[0] == name

    def why_unlabelled(self, folders: Folders) -> str:
        """Why a file in these folders has no label."""
        if self.by_file:
            return "no label: a file about the others"
        in_unlabelled = self._class_folder(folders)[0] is not None
        return "no label: its folder's name says so" if in_unlabelled else "no label: not in a class folder"

    def _class_folder(self, folders: Folders) -> tuple[str | None, str, Folders]:
        """The class folder's name as it stands on disk, the split, and the folders below."""
        if folders[: len(self.prefix)] != self.prefix:
            return None, "", ()
        rest, split = folders[len(self.prefix) :], ""
        if self.splits and rest:
            outer, split = rest[0], self.splits.get(rest[0], "")
            through = self.through.get(outer, ())
            there = bool(split) and rest[1 : 1 + len(through)] == through
            rest = rest[1 + len(through) :] if there else ()
        rest = rest[1:] if self.parts else rest
        return (rest[0], split, rest[1:]) if rest else (None, split, ())


def find_layout(
    root: str, kind: Kind, filled: Counter[Folders], ignored: Counter[str], problem: str = ""
) -> Layout:
    """The layout of a tree, from the number of files directly in each of its folders.

    A lone folder around all others is passed through, as an archive often has one.
    Raises DataError where there are no classes.
    """
    if not any(filled):
        raise _no_classes(root, kind, bool(filled), ignored, problem)
    prefix = _without_wrappers(filled)
    splits = _outer_splits(root, filled, prefix)
    if not splits:
        parts = are_parts(filled, prefix)
        classes = {path[: len(prefix) + 1 + parts] for path in filled if path[: len(prefix)] == prefix}
        classes = {path for path in classes if len(path) == len(prefix) + 1 + parts}
        return Layout(prefix, parts=parts, inside=_inner_splits(filled, classes), unlabelled=_unlabelled(classes))
    through = {name: _inner_wrapper(filled, (*prefix, name)) for name in splits}
    classes = {
        (*prefix, name, *through[name], one)
        for name in splits
        for one in _children(filled, (*prefix, name, *through[name]))
    }
    if not classes:
        names = ", ".join(sorted(splits))
        raise DataError(
            f"{root}: no class folders inside {names}", "make one folder per class inside each of them"
        )
    trained = {path[-1] for path in classes if splits[path[len(prefix)]] == "train"}
    spelled = _spelled(trained, {path[-1] for path in classes})
    return Layout(prefix, splits, through, unlabelled=_unlabelled(classes), spelled=spelled)


def layout_of_files(names: Collection[Folders]) -> Layout | None:
    """The layout in which each file is a class, from the folders and the name of each file.

    None where there are too many files, or they stand in class folders.
    """
    folders = {name[:-1] for name in names}
    splits = splits_of(one[0] for one in folders if one)
    by_split = all(len(one) == 1 and one[0] in splits for one in folders)
    if not 2 <= len(names) <= MOST_FILES or not (by_split or folders == {()}):
        return None
    stems = {PurePosixPath(name[-1]).stem for name in names}
    return Layout((), splits, by_file=True, by_suffix=len(stems) == 1)


def _spelled(trained: Collection[str], names: Collection[str]) -> dict[str, str]:
    """Names that the training split lacks, and its one name that differs from each in case and spaces alone."""
    same: dict[str, list[str]] = defaultdict(list)
    for name in trained:
        same[name.strip().casefold()].append(name)
    found = {name: same[name.strip().casefold()] for name in set(names) - set(trained)}
    return {name: those[0] for name, those in found.items() if len(those) == 1}


def _outer_splits(root: str, filled: Counter[Folders], prefix: Folders) -> dict[str, str]:
    """The folders below `prefix` that are splits; none where they are classes."""
    folders = _children(filled, prefix)
    splits = splits_of(folders)
    odd = sorted(folders - set(splits))
    if not odd or not splits:
        return splits
    if "train" not in splits.values():
        return {}
    inside = {
        name: _children(filled, (*prefix, name, *_inner_wrapper(filled, (*prefix, name)))) for name in folders
    }
    classes = {one for name in splits for one in inside[name]}
    if (
        len(splits) == 1
    ):  # such as trains among cars, unless only these have folders inside, and no files beside them
        (only,) = splits
        holds_classes = len(classes) > 1 and not filled[(*prefix, only)]
        return splits if holds_classes and not any(inside[name] for name in odd) else {}
    if like := [name for name in odd if inside[name] & classes or not classes]:
        remedy = "keep only train, validation and test, or only class folders"
        raise DataError(f"{root}: folders of splits beside other folders ({', '.join(like[:SHOWN])})", remedy)
    return splits


def _inner_splits(filled: Counter[Folders], classes: Collection[Folders]) -> dict[str, str]:
    """The folders that are splits inside each class; none where a class has files or folders beside them."""
    names = {name for one in classes for name in _children(filled, one)}
    splits = splits_of(names)
    whole = all(not filled[one] and _children(filled, one) for one in classes)
    return splits if whole and set(splits) == names and set(splits.values()) > {"train"} else {}


def _unlabelled(classes: Collection[Folders]) -> frozenset[str]:
    """Folders whose names say that they hold no class, where two or more are left without them."""
    names = {path[-1] for path in classes}
    found = frozenset(name for name in names if says_unlabelled(name))
    return found if len(names - found) >= 2 else frozenset()


def are_parts(filled: Counter[Folders], prefix: Folders) -> bool:
    """Whether folders below `prefix` are numbered parts (`part1`, `part2`) that hold the same class folders."""
    folders = _children(filled, prefix)
    inside = [_children(filled, (*prefix, name)) for name in folders]
    loose = any(filled[(*prefix, name)] for name in folders)
    return len(folders) > 1 and not loose and all(map(is_part, folders)) and len(set.intersection(*inside)) > 1


def is_part(name: str) -> bool:
    """Whether a name is that of a numbered part of a set of data: `part1`, `images_002`."""
    words = set(words_of(name))
    return bool(words) and words <= PARTS | BESIDE_SPLITS - {"a", "an"} and re.search(r"\d", name) is not None


def _without_wrappers(filled: Counter[Folders]) -> Folders:
    prefix: Folders = ()
    while len(folders := _children(filled, prefix)) == 1:
        (only,) = folders
        inner = (*prefix, only)
        inside = _children(filled, inner)
        if only.lower() in SPLIT_NAMES or not inside or filled[inner] > len(inside):
            break
        prefix = inner
    several = len(folders) > 1 or all(name.lower() in SPLIT_NAMES for name in folders)
    return prefix if several else ()


def _inner_wrapper(filled: Counter[Folders], split: Folders) -> Folders:
    """The lone folders inside a split that stand around its class folders: `seg_train/seg_train/street`."""
    inner: Folders = ()
    while len(folders := _children(filled, (*split, *inner))) == 1:
        (only,) = folders
        inside = _children(filled, (*split, *inner, only))
        if len(inside) < 2 or filled[(*split, *inner, only)] > len(inside):
            break
        inner = (*inner, only)
    return inner


def _children(filled: Counter[Folders], prefix: Folders) -> set[str]:
    depth = len(prefix)
    return {path[depth] for path in filled if len(path) > depth and path[:depth] == prefix}


def _no_classes(root: str, kind: Kind, loose: bool, ignored: Counter[str], problem: str) -> DataError:
    found = f"; {sum(ignored.values())} files of other kinds ({', '.join(sorted(ignored)[:5])})" if ignored else ""
    broken = f"; first problem: {problem}" if problem else ""
    what = "no folders in it" if loose else f"no {kind.noun} in a class folder"
    remedy = f"make one folder per class and put its {kind.noun} inside"
    if packed := sorted(PACKED & set(ignored)):
        remedy = f"unpack the {packed[0]} files: of archives zip and tar are read"
    return DataError(f"{root}: {what}{found}{broken}", remedy)


# --- archives -------------------------------------------------------------------------------------------


def named_archives(listed: Counter[tuple[str, Folders]]) -> dict[str, str]:
    """Archives that stand for a folder of their name, by path: "split" or "class", what that folder is.

    `listed` counts files by (archive, "" for none; folders, an archive counting as unpacked beside itself).
    `train.zip` and `test.zip` are splits where none of their members stands in a folder of a split; `cats.zip` and
    `dogs.zip` are classes where all of their members stand loose in them, or all in one folder of one name.
    """
    inside: dict[str, set[Folders]] = defaultdict(set)
    folders_at: dict[str, set[str]] = defaultdict(set)
    for file, folders in listed:
        if file:
            inside[file].add(folders[file.count("/") :])
        for depth, name in enumerate(() if file else folders):
            folders_at["/".join(folders[:depth])].add(name)
    named = {}
    for place in {file.rpartition("/")[0] for file in inside}:
        beside = {file: below for file, below in inside.items() if file.rpartition("/")[0] == place}
        stems = {file: archive_stem(file.rpartition("/")[2]) for file in beside}
        splits = splits_of([*stems.values(), *folders_at[place]])
        said = {file for file, below in beside.items() if any(path and split_in(path[0])[0] for path in below)}
        if set(splits.values()) > {"train"} and not said:
            named.update({file: "split" for file, stem in stems.items() if stem in splits})
        if _are_classes(beside, stems):
            named.update(dict.fromkeys(beside, "class"))
    return named


def _are_classes(beside: Mapping[str, set[Folders]], stems: Mapping[str, str]) -> bool:
    """Whether archives beside each other hold one class each, by their names."""
    if len(beside) < 2 or any(is_part(stem) or split_in(stem)[0] for stem in stems.values()):
        return False
    loose = all(below == {()} for below in beside.values())
    lone = {path for below in beside.values() for path in below}
    return loose or (all(len(below) == 1 for below in beside.values()) and len(lone) == 1)


def folders_of(listed: Counter[tuple[str, Folders]], named: Collection[str]) -> Counter[Folders]:
    """Number of files directly in each folder, archives that stand for folders being such."""
    filled: Counter[Folders] = Counter()
    for (file, folders), count in listed.items():
        depth = file.count("/")
        within = (archive_stem(file.rpartition("/")[2]),) if file in named else ()
        filled[folders[:depth] + within + folders[depth:]] += count
    return filled


# --- what is told ---------------------------------------------------------------------------------------


def notes_on(
    layout: Layout, filled: Counter[Folders], named: Mapping[str, str], empty: Collection[str], in_parts: bool
) -> Iterator[str]:
    """What a user should know of how folders are taken, a sentence each; `in_parts`: files hold many samples."""
    placed: dict[str, Counter[str]] = defaultdict(Counter)
    loose: Counter[str] = Counter()
    for folders, count in filled.items():
        label, split = layout.place(folders)
        if label is not None:
            placed[split][label] += count
        elif not any(layout.is_unlabelled(folders, name) for name in layout.unlabelled):
            loose["/".join(folders[: len(layout.prefix) + 1])] += count
    splits = layout.splits or layout.inside
    if any(name.lower() not in SPLIT_NAMES for name in splits):
        yield f"Taken as splits: {'; '.join(f'{name} is {split}' for name, split in sorted(splits.items()))}."
    if layout.parts:
        yield "The numbered outer folders hold the same classes, and are taken together."
    if classes := sorted(file for file, what in named.items() if what == "class"):
        yield f"Each archive is taken as one class ({some(classes)})."
    if sets := sorted(file for file, what in named.items() if what == "split"):
        yield f"Archives are taken as the splits of their names ({some(sets)})."
    for name in sorted(layout.unlabelled):
        count = sum(times for folders, times in filled.items() if layout.is_unlabelled(folders, name))
        yield f"{name!r} says that it has no labels: its files are set aside ({count:,})."
    if loose:
        where = some([place or "the folder itself" for place in sorted(loose)])
        yield f"Files in no class folder are set aside: {sum(loose.values()):,} (in {where})."
    for name, meant in sorted(layout.spelled.items()):
        yield f"The class folder {name!r} is taken as {meant!r}, as the training split has it."
    yield from _uneven(placed)
    if empty:
        yield f"Class folders without any file: {some(sorted(os.path.basename(one) for one in empty))}."
    small = sorted(name for name, count in sum(placed.values(), Counter()).items() if count == 1)
    if small and not in_parts:
        yield f"Classes with one file: {some(small)}."


def _uneven(placed: Mapping[str, Counter[str]]) -> Iterator[str]:
    """Classes that some of the given splits lack."""
    for split in ("test", "validation"):
        if placed.get(split) and (lacking := sorted(set(placed["train"]) - set(placed[split]))):
            yield lacking_in(split, lacking)
        if placed.get(split) and (unknown := sorted(set(placed[split]) - set(placed["train"]))):
            yield f"The training split has none of {some(unknown)}, which stand in the given {split} split."


def lacking_in(split: str, classes: Collection[str]) -> str:
    """That a given split has nothing of some classes."""
    return f"The given {split} split has none of {some(classes)}: nothing can be measured on it there."


def some(names: Collection[str]) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(list(names)[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"

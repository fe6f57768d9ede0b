"""Folders that are committed atomically, named by what they depend on, and checked when they are read.

A commit writes into a fresh temporary folder, syncs every file, adds a manifest with each file's SHA-256,
syncs the folder, renames it into place and syncs the parent. So after a crash at any moment a folder is
there whole, or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from bessemer import __version__
from bessemer.dotted import sources_named
from bessemer.errors import ArtifactError, RunInUseError, StorageError, UsageError
from bessemer.runtime import versions

MANIFEST = "manifest.json"
ATTEMPTS = "attempts.json"
ABOUT = "about.json"  # in a work folder: what goes into the manifest of the artifact that is made
_FREE_SPACE = "free some space, or give a folder that can be written to; finished work is kept"
T = TypeVar("T")
_STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM}


def digest_of(value: Any) -> str:
    """SHA-256 of plain values in canonical JSON, as hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Artifact:
    """A committed folder: its path, manifest and content digest."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest

    @property
    def digest(self) -> str:
        """SHA-256 over the names and bytes of all files."""
        return str(self.manifest["digest"])

    def json(self, name: str) -> Any:
        """Read one JSON file of the folder."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))


def open_artifact(path: Path) -> Artifact:
    """Open a committed folder and check every byte of it against its manifest.

    Raises ArtifactError where a file is missing, added or changed.
    """
    remedy = f"delete {path} and run again to rebuild it, or restore it from a copy"
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        sealed = manifest.pop("seal") == digest_of(manifest)
        digests = {name: about["sha256"] for name, about in manifest["files"].items()}
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(f"{path}: no {MANIFEST}, so this is not a whole artifact", remedy) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path / MANIFEST}: damaged ({error})", remedy) from error
    if not sealed:
        raise ArtifactError(f"{path / MANIFEST}: its seal does not match its content; it was changed", remedy)
    present = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()} - {MANIFEST}
    for name in sorted(present ^ digests.keys()):
        state = "is missing" if name in digests else "does not belong to the artifact"
        raise ArtifactError(f"{path / name}: {state}", remedy)
    for name, digest in digests.items():
        if file_digest(path / name) != digest:
            raise ArtifactError(f"{path / name}: its SHA-256 differs from the manifest; it was changed", remedy)
    return Artifact(path, manifest)


def commit(
    target: Path, write: Callable[[Path], None], *, replace: bool = False, about: Mapping[str, Any] | None = None
) -> Artifact:
    """Write a folder with `write(folder)` and put it at `target` atomically.

    `about` goes into the manifest beside the files' digests. With `replace`, an older folder at `target`
    gives way. On any error nothing is left behind and `target` is as it was.
    """
    temporary = target.parent / f".{target.name}.tmp-{uuid.uuid4().hex[:8]}"
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.mkdir()
            write(temporary)
            manifest = _write_manifest(temporary, about or {})
            _put_in_place(temporary, target, replace)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return Artifact(target, manifest)


def _put_in_place(temporary: Path, target: Path, replace: bool) -> None:
    """Rename and sync the parent; where that fails, everything goes back to where it was."""
    old = target.parent / f".{target.name}.tmp-old-{uuid.uuid4().hex[:8]}" if replace and target.exists() else None
    if old is not None:
        os.rename(target, old)
    try:
        os.rename(temporary, target)
        sync_folder(target.parent)
    except BaseException:
        if not temporary.exists():
            os.rename(target, temporary)
        if old is not None:
            os.rename(old, target)
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _write_manifest(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    files: dict[str, dict[str, Any]] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        sync_file(file)
        name = file.relative_to(folder).as_posix()
        files[name] = {"sha256": file_digest(file), "bytes": file.stat().st_size}
    manifest: dict[str, Any] = {**about, "digest": digest_of(files), "files": files}
    manifest["seal"] = digest_of(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    sync_file(folder / MANIFEST)
    for inner in [path for path in folder.rglob("*") if path.is_dir()] + [folder]:
        sync_folder(inner)
    return manifest


def sync_file(path: Path) -> None:
    """Wait until a file's bytes are on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until a folder's entries are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replace one file in a single step; readers see the old text or the new."""
    temporary = path.parent / f".{path.name}.tmp-{uuid.uuid4().hex[:8]}"
    with storage_errors(path):
        try:
            temporary.write_bytes(data.encode() if isinstance(data, str) else data)
            sync_file(temporary)
            os.replace(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def copy_into(source: Path, folder: Path) -> None:
    """Copy a committed folder's files, less its manifest, into a folder that is being written."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))


def remove_leftovers(folder: Path) -> None:
    """Delete temporary folders that a killed process left; call it while holding the lock."""
    for path in folder.glob(".*.tmp-*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full or failing disk into a StorageError that names the path."""
    try:
        yield
    except StorageError:
        raise  # it has its path and remedy already
    except OSError as error:
        if error.errno not in _STORAGE_ERRORS:
            raise
        problem = f"{path}: cannot be written: {os.strerror(error.errno)}"
        raise StorageError(problem, _FREE_SPACE) from error
    except Exception as error:  # safetensors and torch wrap the operating system's error in their own
        if "No space left" not in str(error) and "File too large" not in str(error):
            raise
        problem = f"{path}: cannot be written: {error}"
        raise StorageError(problem, _FREE_SPACE) from error


@contextmanager
def place_errors(path: Path) -> Iterator[None]:
    """As `storage_errors`, and a UsageError that names the path where it is no place to write to."""
    try:
        with storage_errors(path):
            yield
    except OSError as error:
        problem = f"{path}: cannot be written: {os.strerror(error.errno) if error.errno else error}"
        raise UsageError(problem, "name a place that you may write to") from error


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a run folder; the operating system frees it when the holder dies, however it dies.

    Raises RunInUseError naming the holder where another process has it.
    """
    with storage_errors(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise UsageError(f"{folder}: is not a folder", "give another one with -o") from error
        except FileNotFoundError as error:
            raise UsageError(f"{folder}: cannot be made", "give another one with -o") from error
    holder = folder / ".holder.json"
    guard = FileLock(folder / ".lock")
    try:
        guard.acquire(timeout=0)
    except Timeout as error:
        raise RunInUseError(
            f"{folder}: in use by {_describe_holder(holder)}", "wait for it, or give another folder with -o"
        ) from error
    try:
        about = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        write_atomic(holder, json.dumps(about))
        yield
    finally:
        holder.unlink(missing_ok=True)
        guard.release()


def _describe_holder(path: Path) -> str:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "another process that is just starting"
    return f"process {about['pid']} on {about['host']}, since {about['since']}"


class Decisions:
    """Choices that rest on timing: recorded when they are taken, and never taken again on resume."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        if path.exists():
            try:
                self.values = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ArtifactError(f"{path}: damaged ({error})", f"delete {path.parent} and run again") from error

    def take(self, name: str, choose: Callable[[], T]) -> T:
        """The recorded choice, or the one that `choose` makes now (a plain JSON value)."""
        if name not in self.values:
            self.values[name] = choose()
            write_atomic(self.path, json.dumps(self.values, indent=1))
        choice: T = self.values[name]
        return choice


def _begin_attempt(work: Path) -> float:
    """Seconds of attempts that did not end, each to the last file it left; notes that another begins."""
    path, earlier = work / ATTEMPTS, 0.0
    if path.exists():
        told = json.loads(path.read_text(encoding="utf-8"))
        last = max(file.stat().st_mtime for file in work.rglob("*") if file.is_file())
        earlier = told["seconds"] + max(0.0, last - told["began"])
    write_atomic(path, json.dumps({"seconds": earlier, "began": time.time()}))
    return float(earlier)


class Cache:
    """Artifacts of a run, each named by its stage and the hash of all that it depends on.

    Keys are built here and nowhere else: the version of bessemer and of what computes stands in each of them, so
    nothing is taken for new that other code made.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.stages = run / "stages"
        self.work = run / "work"

    def depends(self, settings: Mapping[str, Any], inputs: Mapping[str, Artifact] | None = None) -> dict[str, Any]:
        """All that an artifact depends on, as plain values: versions, settings, and what stands upstream.

        Strangers' code that the settings name is known by its source.
        """
        digests = {name: artifact.digest for name, artifact in (inputs or {}).items()}
        return {
            "version": __version__,
            "versions": versions(),
            "settings": dict(settings),
            "sources": sources_named(settings),
            "inputs": digests,
        }

    def path(self, stage: str, settings: Mapping[str, Any], inputs: Mapping[str, Artifact] | None = None) -> Path:
        """Where the artifact stands, or would."""
        return self._path(stage, self._key(stage, self.depends(settings, inputs)))

    def _key(self, stage: str, depends: Mapping[str, Any]) -> str:
        return digest_of({"stage": stage, **depends})

    def _path(self, stage: str, key: str) -> Path:
        return self.stages / f"{stage}-{key[:16]}"

    def obtain(
        self,
        stage: str,
        settings: Mapping[str, Any],
        make: Callable[[Path, Path], None],
        inputs: Mapping[str, Artifact] | None = None,
    ) -> tuple[Artifact, bool]:
        """The artifact, and whether it was there before; otherwise `make(out, work)` makes it now.

        `work` is a folder that outlives a crash and is the same on the next try; it goes when `out` is committed.
        What `make` leaves in its ABOUT goes into the manifest: timings, say, which are no part of the digest, so
        that an artifact that is made again is the same to what stands after it.
        """
        depends = self.depends(settings, inputs)
        key = self._key(stage, depends)
        path = self._path(stage, key)
        work = self.work / path.name
        if path.exists():
            artifact = open_artifact(path)
            shutil.rmtree(work, ignore_errors=True)  # left by a kill just after the commit
            return artifact, True
        with storage_errors(work):
            work.mkdir(parents=True, exist_ok=True)
        began, earlier = time.monotonic(), _begin_attempt(work)

        def write(out: Path) -> None:
            make(out, work)
            about["seconds"] = round(earlier + time.monotonic() - began, 3)
            told = json.loads((work / ABOUT).read_text(encoding="utf-8")) if (work / ABOUT).exists() else {}
            about.update({key: value for key, value in told.items() if key not in about})

        about: dict[str, Any] = {"stage": stage, "key": key, "depends": depends, "seconds": 0.0}
        artifact = commit(path, write, about=about)
        shutil.rmtree(work)
        return artifact, False

    def clean(self) -> None:
        """Remove what killed processes left half-written; call it while holding the lock."""
        for folder in (self.run, self.stages, self.run / "export"):
            remove_leftovers(folder)

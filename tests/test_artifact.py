"""Folders are there whole or not at all, whatever fails; damage is found; one process holds a run."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bessemer.artifact import (
    MANIFEST,
    Cache,
    Decisions,
    commit,
    copy_into,
    digest_of,
    file_digest,
    lock,
    open_artifact,
    remove_leftovers,
    storage_errors,
    write_atomic,
)
from bessemer.errors import ArtifactError, RunInUseError, StorageError, UsageError

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and resource limits")


def write_old(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(bytes(range(200)))
    (folder / "inner").mkdir()
    (folder / "inner" / "facts.json").write_text('{"value": 1}')


def write_new(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"new" * 50)
    (folder / "inner").mkdir()
    (folder / "inner" / "facts.json").write_text('{"value": 2}')


def is_old(target: Path) -> bool:
    return bool(open_artifact(target).json("inner/facts.json") == {"value": 1})


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- digests --------------------------------------------------------------------------------------------


def test_a_digest_does_not_depend_on_the_order_of_keys_and_differs_with_values():
    assert digest_of({"a": 1, "b": [2, 3]}) == digest_of({"b": [2, 3], "a": 1})
    different = [{"a": 1}, {"a": 2}, {"a": 1.5}, {"a": "1"}, {"b": 1}, {"a": [1]}, {"a": None}]
    assert len({digest_of(value) for value in different}) == len(different)


def test_a_file_digest_is_sha256(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_digest(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- commit ---------------------------------------------------------------------------------------------


def test_a_committed_folder_holds_what_was_written_and_its_manifest(tmp_path):
    made = commit(tmp_path / "deep" / "a", write_old, about={"stage": "train"})
    opened = open_artifact(tmp_path / "deep" / "a")
    assert made.digest == opened.digest
    assert opened.manifest["stage"] == "train"
    assert set(opened.manifest["files"]) == {"weights.bin", "inner/facts.json"}
    assert opened.manifest["files"]["weights.bin"]["bytes"] == 200
    assert opened.json("inner/facts.json") == {"value": 1}


def test_the_digest_is_of_names_and_bytes_only(tmp_path):
    digests = [
        commit(tmp_path / "a", write_old, about={"seconds": 1}).digest,
        commit(tmp_path / "b", write_old, about={"seconds": 2}).digest,
        commit(tmp_path / "c", write_new).digest,
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_in_write_leaves_nothing(tmp_path, kind):
    def fail(folder: Path) -> None:
        write_new(folder)
        raise kind("half-way")

    with pytest.raises(kind):
        commit(tmp_path / "a", fail)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_in_write_leaves_the_old_folder_as_it_was(tmp_path):
    commit(tmp_path / "a", write_old)
    before = files_of(tmp_path)

    def fail(folder: Path) -> None:
        write_new(folder)
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        commit(tmp_path / "a", fail, replace=True)
    assert files_of(tmp_path) == before


def test_replace_gives_the_new_folder_and_nothing_else(tmp_path):
    commit(tmp_path / "a", write_old)
    commit(tmp_path / "a", write_new, replace=True)
    assert not is_old(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_without_replace_an_existing_folder_is_left_as_it_was(tmp_path):
    commit(tmp_path / "a", write_old)
    with pytest.raises(OSError, match="not empty"):
        commit(tmp_path / "a", write_new)
    assert is_old(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_copy_leaves_the_manifest_behind_and_can_be_committed_again(tmp_path):
    first = commit(tmp_path / "a", write_old)
    second = commit(tmp_path / "b", lambda out: copy_into(first.path, out))
    assert first.digest == second.digest


@posix_only
def test_every_file_and_folder_is_synced_before_the_folder_is_put_in_place(tmp_path, monkeypatch):
    synced, at_rename, fsync, rename = set(), [], os.fsync, os.rename

    def note_sync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def note_rename(source: Path, target: Path) -> None:
        at_rename.append(set(synced))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", note_rename)
    target = commit(tmp_path / "a", write_old).path
    assert {path.stat().st_ino for path in [target, *target.rglob("*")]} <= at_rename[0]
    assert tmp_path.stat().st_ino in synced


# --- open_artifact --------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "wanted"),
    [
        (lambda a: (a / "weights.bin").unlink(), "weights.bin: is missing"),
        (lambda a: (a / "extra.txt").write_text("x"), "extra.txt: does not belong"),
        (lambda a: (a / "weights.bin").write_bytes(bytes(200)), "weights.bin: its SHA-256 differs"),
        (lambda a: truncate(a / "weights.bin"), "weights.bin: its SHA-256 differs"),
        (lambda a: (a / "inner" / "facts.json").write_text("{}"), "facts.json: its SHA-256 differs"),
        (lambda a: (a / MANIFEST).unlink(), "no manifest.json"),
        (lambda a: truncate(a / MANIFEST), "manifest.json: damaged"),
        (lambda a: (a / MANIFEST).write_text(""), "manifest.json: damaged"),
        (lambda a: (a / MANIFEST).write_bytes(b"\xff\xfe"), "manifest.json: damaged"),
        (lambda a: shutil.rmtree(a), "no manifest.json"),
    ],
)
def test_a_damaged_artifact_is_refused_with_the_file_and_a_remedy(tmp_path, damage, wanted):
    target = commit(tmp_path / "a", write_old).path
    damage(target)
    with pytest.raises(ArtifactError, match=re.escape(wanted)) as refused:
        open_artifact(target)
    assert "run again to rebuild it" in refused.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "null",
        '{"files": [], "digest": "x"}',
        '{"files": NaN, "digest": "x"}',
        '{"files": {"\\ud800": 1}, "digest": "x"}',
        '{"files": {"weights.bin": 1}, "digest": "' + digest_of({"weights.bin": 1}) + '"}',
        '{"files": ["weights.bin"], "digest": "' + digest_of(["weights.bin"]) + '"}',
    ],
    ids=["list", "empty", "null", "no names", "nan", "surrogate", "no digests", "list of names"],
)
def test_a_manifest_of_the_wrong_shape_is_refused(tmp_path, text):
    target = commit(tmp_path / "a", lambda out: (out / "weights.bin").write_bytes(b"x") and None).path
    (target / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError):
        open_artifact(target)


def test_a_file_where_an_artifact_should_be_is_refused(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(ArtifactError):
        open_artifact(tmp_path / "a")


def test_one_flipped_bit_anywhere_is_refused(tmp_path):
    """50 places over all files, the manifest and what it says beside the digests among them."""
    about = {"stage": "train", "key": "0" * 40, "seconds": 12.5, "depends": {"seed": 7}}
    target = commit(tmp_path / "a", write_old, about=about).path
    places = [
        (path, i) for path in sorted(target.rglob("*")) if path.is_file() for i in range(len(path.read_bytes()))
    ]
    rng = random.Random(7)
    accepted = []
    for path, index in rng.sample(places, 50):
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[index] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            open_artifact(target)
        except ArtifactError:
            pass
        else:
            accepted.append(f"{path.name}: {whole[max(0, index - 12) : index + 12]!r}")
        path.write_bytes(whole)
    open_artifact(target)
    assert accepted == []


# --- a full disk ----------------------------------------------------------------------------------------

OPERATIONS = [(os, "fsync"), (Path, "open"), (os, "rename"), (os, "replace"), (os, "mkdir")]
IDS = ["fsync", "open", "rename", "replace", "mkdir"]


def full_disk(monkeypatch, owner, name, turn):
    """Let the `turn`-th call fail as on a full disk; returns the number of calls so far, in a list."""
    real, calls = getattr(owner, name), [0]

    def call(*args, **kwargs):
        calls[0] += 1
        if calls[0] == turn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)
    return calls


def storage_error_of(work) -> StorageError | None:
    try:
        work()
    except StorageError as error:
        return error
    return None


def fails_until_it_succeeds(monkeypatch, owner, name, before, work, check) -> int:
    """Run `work` with the first, second, ... call of an operation failing; returns how often it was refused."""
    refused = 0
    for turn in range(1, 60):
        before()
        with monkeypatch.context() as patch:
            calls = full_disk(patch, owner, name, turn)
            failure = storage_error_of(work)
        if failure is None:
            if calls[0] < turn:
                return refused
            assert name == "mkdir", f"{name} failed at call {turn} and nobody was told"
            continue  # the folder was there already, so nothing was lost
        assert "No space left on device" in failure.problem
        assert "free some space" in failure.remedy
        refused += 1
        check(failure)
    raise AssertionError("it never succeeded")


@pytest.mark.parametrize(("owner", "name"), OPERATIONS, ids=IDS)
def test_a_full_disk_while_committing_leaves_nothing(tmp_path, monkeypatch, owner, name):
    target = tmp_path / "stages" / "a"

    def check(error: StorageError) -> None:
        assert str(target) in error.problem
        assert not target.exists()
        assert not target.parent.exists() or list(target.parent.iterdir()) == []

    def before() -> None:
        shutil.rmtree(target.parent, ignore_errors=True)

    failures = fails_until_it_succeeds(monkeypatch, owner, name, before, lambda: commit(target, write_old), check)
    assert failures > 0 or name == "replace"
    assert is_old(target)


@pytest.mark.parametrize(("owner", "name"), OPERATIONS, ids=IDS)
def test_a_full_disk_while_replacing_leaves_the_old_folder(tmp_path, monkeypatch, owner, name):
    target = tmp_path / "a"

    def before() -> None:
        commit(target, write_old, replace=True)

    def check(error: StorageError) -> None:
        assert str(target) in error.problem
        assert [path.name for path in tmp_path.iterdir()] == ["a"]
        assert is_old(target)

    def work() -> None:
        commit(target, write_new, replace=True)

    failures = fails_until_it_succeeds(monkeypatch, owner, name, before, work, check)
    assert failures > 0 or name == "replace"
    assert not is_old(target)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(("owner", "name"), OPERATIONS, ids=IDS)
def test_a_full_disk_while_replacing_a_file_leaves_one_whole_text(tmp_path, monkeypatch, owner, name):
    path = tmp_path / "state.json"

    def before() -> None:
        path.write_text("old")

    def check(error: StorageError) -> None:
        assert str(path) in error.problem
        assert path.read_text() in ("old", "new")
        assert [p.name for p in tmp_path.iterdir()] == ["state.json"]

    failures = fails_until_it_succeeds(monkeypatch, owner, name, before, lambda: write_atomic(path, "new"), check)
    assert failures > 0 or name in ("rename", "mkdir")
    assert path.read_text() == "new"


def test_write_atomic_takes_text_and_bytes_and_leaves_no_other_file(tmp_path):
    write_atomic(tmp_path / "a", "größer")
    write_atomic(tmp_path / "b", b"\x00\xff")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "größer"
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS])
def test_an_error_of_the_disk_is_a_storage_error(tmp_path, number):
    with pytest.raises(StorageError, match=re.escape(os.strerror(number))), storage_errors(tmp_path / "x"):
        raise OSError(number, os.strerror(number))


def test_a_library_s_own_word_for_a_full_disk_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="No space left"), storage_errors(tmp_path):
        raise RuntimeError('Error while serializing: Io(Os { code: 28, message: "No space left on device" })')


def test_other_errors_pass_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "no such file")
    with pytest.raises(ValueError, match="other"), storage_errors(tmp_path):
        raise ValueError("other")


def test_a_storage_error_inside_another_is_told_once(tmp_path, monkeypatch):
    full_disk(monkeypatch, os, "replace", 1)
    with pytest.raises(StorageError) as refused:
        commit(tmp_path / "a", lambda out: write_atomic(out / "x", "y"))
    assert str(refused.value).count("→") == 1


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from bessemer.artifact import commit, open_artifact, write_atomic
from bessemer.errors import StorageError

root = Path(sys.argv[1])
commit(root / "a", lambda out: (out / "x").write_bytes(b"old") and None)
(root / "state.json").write_text("old")
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
big = bytes(100_000)
tries = {
    "file": lambda: commit(root / "a", lambda out: (out / "x").write_bytes(big) and None, replace=True),
    "tensors": lambda: commit(root / "b", lambda out: save_file({"w": np.zeros(25_000)}, out / "w.safetensors")),
    "atomic": lambda: write_atomic(root / "state.json", big),
}
for name, work in tries.items():
    try:
        work()
    except StorageError as error:
        print(name, "refused", str(root) in error.problem, bool(error.remedy))
open_artifact(root / "a")
"""


@posix_only
def test_a_write_that_the_kernel_refuses_leaves_what_was_there(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name} refused True True" for name in ("file", "tensors", "atomic")]
    assert (tmp_path / "a" / "x").read_bytes() == b"old"
    assert (tmp_path / "state.json").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "state.json"]


# --- lock -----------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from bessemer.artifact import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `tmp_path / "run"` until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.faults
def test_a_second_process_is_refused_and_told_who_holds_the_run(tmp_path, holder):
    with (
        pytest.raises(RunInUseError, match=f"in use by process {holder.pid} on ") as refused,
        lock(tmp_path / "run"),
    ):
        pass
    assert "-o" in refused.value.remedy


def test_a_holder_that_ends_frees_the_run(tmp_path, holder):
    holder.communicate("")
    assert holder.returncode == 0
    with lock(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / ".holder.json").read_text())["pid"] == os.getpid()
    assert not (tmp_path / "run" / ".holder.json").exists()


@posix_only
@pytest.mark.faults
def test_a_holder_that_is_killed_frees_the_run(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    assert holder.wait() == -signal.SIGKILL
    with lock(tmp_path / "run"):
        pass


def test_a_run_is_held_once_within_a_process_too(tmp_path):
    with lock(tmp_path), pytest.raises(RunInUseError, match=f"process {os.getpid()} "), lock(tmp_path):
        pass


def test_an_exception_frees_the_run(tmp_path):
    with pytest.raises(ValueError, match="inside"), lock(tmp_path):
        raise ValueError("inside")
    with lock(tmp_path):
        pass


def test_a_file_instead_of_a_run_folder_is_a_wrong_argument(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(UsageError), lock(tmp_path / "run"):
        pass


# --- decisions ------------------------------------------------------------------------------------------


def never() -> str:
    raise AssertionError("it was decided before")


def test_a_decision_is_taken_once_and_remembered(tmp_path):
    path = tmp_path / "decisions.json"
    first = Decisions(path)
    assert first.take("precision", lambda: "bf16") == "bf16"
    assert first.take("precision", never) == "bf16"
    again = Decisions(path)
    assert again.take("precision", never) == "bf16"
    assert again.take("threads", lambda: 3) == 3
    assert json.loads(path.read_text()) == {"precision": "bf16", "threads": 3}


def test_a_decision_for_nothing_is_remembered_too(tmp_path):
    Decisions(tmp_path / "d.json").take("tool", lambda: None)
    assert Decisions(tmp_path / "d.json").take("tool", never) is None


def test_a_choice_that_failed_is_not_remembered(tmp_path):
    with pytest.raises(AssertionError):
        Decisions(tmp_path / "d.json").take("precision", never)
    assert Decisions(tmp_path / "d.json").take("precision", lambda: "fp32") == "fp32"


# --- cache ----------------------------------------------------------------------------------------------


def counting(made: list[str], text: str = "x"):
    def make(out: Path, work: Path) -> None:
        assert work.is_dir()
        made.append(text)
        (out / "result.txt").write_text(text)

    return make


def test_an_artifact_is_made_once_and_then_cached(tmp_path):
    made: list[str] = []
    first, cached_first = Cache(tmp_path).obtain("train", {"seed": 1}, counting(made))
    again, cached_again = Cache(tmp_path).obtain("train", {"seed": 1}, counting(made))
    assert (cached_first, cached_again) == (False, True)
    assert first.digest == again.digest
    assert len(made) == 1
    assert again.manifest["stage"] == "train"
    assert again.manifest["depends"]["settings"] == {"seed": 1}
    assert again.manifest["seconds"] >= 0


def test_another_dependency_or_stage_is_another_artifact(tmp_path):
    cache, made = Cache(tmp_path), []
    paths = {
        cache.obtain(stage, depends, counting(made))[0].path
        for stage, depends in [("train", {"seed": 1}), ("train", {"seed": 2}), ("evaluate", {"seed": 1})]
    }
    assert len(paths) == len(made) == 3


def test_an_artifact_of_another_version_is_made_again(tmp_path, monkeypatch):
    cache, made = Cache(tmp_path), []
    first, _ = cache.obtain("train", {"seed": 1}, counting(made))
    monkeypatch.setattr("bessemer.artifact.__version__", "0.0.0")
    other, cached = cache.obtain("train", {"seed": 1}, counting(made))
    monkeypatch.setattr("bessemer.artifact.versions", lambda: {"torch": "another"})
    third, cached_third = cache.obtain("train", {"seed": 1}, counting(made))
    assert (cached, cached_third) == (False, False)
    assert len({first.path, other.path, third.path}) == len(made) == 3


def test_another_input_is_another_artifact(tmp_path):
    cache, made = Cache(tmp_path), []
    one, _ = cache.obtain("prepare", {"of": 1}, counting(made, "one"))
    two, _ = cache.obtain("prepare", {"of": 2}, counting(made, "two"))
    found = [cache.obtain("train", {}, counting(made), {"prepare": data})[0] for data in (one, two, one)]
    assert found[0].path != found[1].path
    assert found[0].path == found[2].path == cache.path("train", {}, {"prepare": one})


def test_a_damaged_artifact_in_the_cache_is_refused(tmp_path):
    cache = Cache(tmp_path)
    made, _ = cache.obtain("train", {}, counting([]))
    (made.path / "result.txt").write_text("other")
    with pytest.raises(ArtifactError, match=r"result\.txt: its SHA-256 differs"):
        cache.obtain("train", {}, counting([]))


def test_the_work_folder_survives_a_failure_and_goes_on_success(tmp_path):
    cache = Cache(tmp_path)

    def fail(out: Path, work: Path) -> None:
        (work / "checkpoint").write_text("step 5")
        raise RuntimeError("crash")

    def resume(out: Path, work: Path) -> None:
        (out / "result.txt").write_text((work / "checkpoint").read_text())

    with pytest.raises(RuntimeError, match="crash"):
        cache.obtain("train", {}, fail)
    assert list(cache.stages.iterdir()) == []
    made, _ = cache.obtain("train", {}, resume)
    assert (made.path / "result.txt").read_text() == "step 5"
    assert list(cache.work.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from bessemer.artifact import Cache

def make(out, work):
    (out / "half").write_text("x")
    (work / "checkpoint").write_text("step 5")
    os.kill(os.getpid(), signal.SIGKILL)

Cache(Path(sys.argv[1])).obtain("train", {}, make)
"""


@posix_only
def test_after_a_kill_the_work_is_kept_and_the_leftovers_go(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    cache = Cache(tmp_path)
    assert len(list(cache.stages.iterdir())) == 1
    cache.clean()
    assert list(cache.stages.iterdir()) == []
    seen = []
    cache.obtain("train", {}, lambda out, work: seen.append((work / "checkpoint").read_text()))
    assert seen == ["step 5"]


def test_seconds_are_those_of_all_attempts(tmp_path, monkeypatch):
    cache, now = Cache(tmp_path), [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def fail(out: Path, work: Path) -> None:
        (work / "checkpoint").write_text("step 5")
        for file in work.iterdir():  # it worked for 100 seconds, as far as files tell
            os.utime(file, (now[0] + 100, now[0] + 100))
        raise RuntimeError("crash")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="crash"):
            cache.obtain("train", {}, fail)
        now[0] += 5000  # nobody worked meanwhile
    made, _ = cache.obtain("train", {}, lambda out, work: None)
    assert 200 <= made.manifest["seconds"] < 260


def test_leftovers_are_folders_and_files_and_nothing_else_goes(tmp_path):
    commit(tmp_path / "train-1", write_old)
    (tmp_path / ".train-2.tmp-12345678").mkdir()
    (tmp_path / ".train-2.tmp-12345678" / "half").write_text("x")
    (tmp_path / ".facts.json.tmp-12345678").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "train-1"]


def test_cleaning_a_run_that_never_began_does_nothing(tmp_path):
    Cache(tmp_path / "none").clean()
    assert not (tmp_path / "none").exists()


def test_writing_stops_where_the_folder_cannot_be_made(tmp_path, monkeypatch):
    full_disk(monkeypatch, os, "mkdir", 1)
    with pytest.raises(StorageError, match="No space left"):
        Cache(tmp_path).obtain("train", {}, counting([]))

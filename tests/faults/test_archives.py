"""Rows 16, 17, 18 and 20 of the fault matrix, as far as sources go: bombs, links, paths, pickles."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from bessemer.data.config import DataConfig, SourceConfig
from bessemer.data.record import Raw, Rejected
from bessemer.errors import DataError
from bessemer.prepare.source import archive as limits
from bessemer.prepare.source import open_source
from bessemer.prepare.source.arrays import read_idx
from bessemer.prepare.source.detect import detect

pytestmark = pytest.mark.faults
MIB = 2**20
GOOD = {"a/good.png": b"good a", "b/good.png": b"good b"}


def rows_of(config: SourceConfig) -> list[Raw]:
    source = open_source(config)
    return [row for task in source.tasks() for row in source.read(task)]


def images(path: Path) -> SourceConfig:
    return DataConfig(source="image_folder", path=str(path))


def reasons(path: Path) -> dict[str, str]:
    """Why each row is not used, "" where it is, by what stands after the `!` of its origin."""
    rows = rows_of(images(path))
    named = [(row.origin.partition("!")[2], row.value) for row in rows]
    return {name: value.reason if isinstance(value, Rejected) else "" for name, value in named}


def add_members(archive: tarfile.TarFile, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in root.rglob("*")}


class Peak:
    """Most Python memory in use at once within the block, in bytes."""

    def __enter__(self) -> Peak:
        tracemalloc.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


# --- bombs ----------------------------------------------------------------------------------------------


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in GOOD.items():
            archive.writestr(name, data)
        archive.writestr("a/bomb.png", bytes(64 * MIB))
    assert path.stat().st_size < MIB
    with Peak() as peak:
        found = reasons(path)
    assert found == {"a/good.png": "", "b/good.png": "", "a/bomb.png": "compression bomb"}
    assert peak.bytes < 8 * MIB


def rewrite_sizes(path: Path, name: bytes, size: int) -> None:
    """Make a zip's directory lie about the unpacked size of a member."""
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\1\2")
    while raw[entry + 46 : entry + 46 + len(name)] != name:
        entry = raw.index(b"PK\1\2", entry + 1)
    raw[entry + 24 : entry + 28] = struct.pack("<I", size)
    path.write_bytes(raw)


@pytest.mark.parametrize("claimed", [1000, 9 * MIB])
def test_a_zip_bomb_with_a_lying_header_unpacks_to_no_more_than_it_claims(tmp_path, claimed):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in GOOD.items():
            archive.writestr(name, data)
        archive.writestr("a/bomb.png", bytes(64 * MIB))
    rewrite_sizes(path, b"a/bomb.png", claimed)
    with Peak() as peak:
        found = reasons(path)
    assert found == {"a/good.png": "", "b/good.png": "", "a/bomb.png": "damaged archive member"}
    assert peak.bytes < 24 * MIB


def test_a_member_over_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "LIMIT", 1000)
    rng = np.random.default_rng(0)
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        add_members(archive, {**GOOD, "a/large.png": rng.bytes(1001), "b/fits.png": rng.bytes(1000)})
    assert reasons(tmp_path)["a/large.png"] == "archive member too large"
    assert reasons(tmp_path)["b/fits.png"] == ""


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
def test_a_compressed_tar_that_is_a_bomb_is_left_at_its_ratio(tmp_path, packing):
    path = tmp_path / f"set.tar.{packing}"
    with tarfile.open(path, f"w:{packing}") as archive:
        add_members(archive, {**GOOD, "a/bomb.png": bytes(64 * MIB), "b/after.png": b"never seen"})
    with Peak() as peak:
        rows = rows_of(images(path))
    found = {row.origin: row.value.reason if isinstance(row.value, Rejected) else "" for row in rows}
    assert found.pop(path.name) == "compression bomb"
    assert all(reason == "" for name, reason in found.items() if "good" in name)
    assert f"{path.name}!b/after.png" not in found
    assert peak.bytes < 32 * MIB


def test_a_tar_header_of_absurd_length_is_not_read_into_memory(tmp_path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 900 * MIB
    raw = info.tobuf(tarfile.GNU_FORMAT) + bytes(9 * MIB)
    with tarfile.open(tmp_path / "good.tar", "w") as archive:
        add_members(archive, GOOD)
    (tmp_path / "set.tgz").write_bytes(gzip.compress(raw))
    with Peak() as peak:
        rows = {row.origin: row.value for row in rows_of(images(tmp_path))}
    assert rows["set.tgz"].reason == "damaged archive"
    assert rows["good.tar!a/good.png"] == b"good a"
    assert peak.bytes < 8 * MIB


def test_a_tar_member_of_negative_size_ends_the_reading(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        add_members(archive, GOOD)
        info = tarfile.TarInfo("a/back.png")
        info.size = -1536  # the next header would be that of the second member, for ever
        buffer.write(info.tobuf(tarfile.GNU_FORMAT))
    (tmp_path / "set.tar").write_bytes(buffer.getvalue()[: 5 * 512] + bytes(1024))
    rows = {row.origin: row.value for row in rows_of(images(tmp_path))}
    assert rows["set.tar"].reason == "damaged archive"


def idx_header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(struct.pack(">I", size) for size in shape)


@pytest.mark.parametrize("shape", [(2**16, 64, 64), (10, 4, 4)], ids=["promised", "hidden"])
def test_a_gzip_bomb_in_an_idx_file_is_never_inflated_beyond_its_promise(tmp_path, shape):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    packer = zlib.compressobj(9, wbits=31)
    raw = packer.compress(idx_header(*shape))
    for _ in range(256):
        raw += packer.compress(bytes(MIB))
    path.write_bytes(raw + packer.flush())
    with Peak() as peak, pytest.raises(DataError, match=r"compression bomb|promises 160 bytes") as error:
        read_idx(path)
    assert str(path) in error.value.problem
    assert peak.bytes < 4 * MIB


# --- paths, links, devices ------------------------------------------------------------------------------


HOSTILE_NAMES = ["../../evil.png", "/etc/evil.png", "a/../../evil.png", "C:\\evil.png", "..\\evil.png"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("suffix", ["zip", "tar", "tgz"])
def test_names_that_point_elsewhere_are_refused_and_nothing_is_written(tmp_path, name, suffix):
    root = tmp_path / "deep" / "root"
    root.mkdir(parents=True)
    path = root / f"set.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in {**GOOD, name: b"evil"}.items():
                archive.writestr(member, data)
    else:
        with tarfile.open(path, "w:gz" if suffix == "tgz" else "w") as archive:
            add_members(archive, {**GOOD, name: b"evil"})
    before = snapshot(tmp_path)
    for target in (root, path):
        rows = rows_of(images(target))
        refused = [row for row in rows if isinstance(row.value, Rejected)]
        assert [row.value.reason for row in refused] == ["unsafe archive member"]
        assert refused[0].label is None
        assert len(rows) == 3
    assert detect(root)["source"] == "image_folder"
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
@pytest.mark.parametrize("suffix", ["tar", "tgz"])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind, suffix):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    root = tmp_path / "root"
    root.mkdir()
    with tarfile.open(root / f"set.{suffix}", "w:gz" if suffix == "tgz" else "w") as archive:
        info = tarfile.TarInfo("a/link.png")
        info.type, info.linkname = kind, str(secret)
        archive.addfile(info)
        through = tarfile.TarInfo("a/link.png/inside.png")
        archive.addfile(through)
        add_members(archive, GOOD)
    before = snapshot(tmp_path)
    rows = rows_of(images(root))
    assert reasons(root)["a/link.png"] == "unsafe archive member"
    assert all(row.value != b"secret" for row in rows)
    assert sum(isinstance(row.value, bytes) for row in rows) == 3
    assert snapshot(tmp_path) == before


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        info = zipfile.ZipInfo("a/link.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        for name, data in GOOD.items():
            archive.writestr(name, data)
    assert reasons(tmp_path) == {"a/link.png": "unsafe archive member", "a/good.png": "", "b/good.png": ""}


def test_links_in_a_folder_are_followed_only_to_files_inside_it(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for path in (root / "a" / "1.png", root / "b" / "1.png", outside / "c" / "1.png"):
        path.parent.mkdir(parents=True)
        path.write_bytes(str(path).encode())
    (root / "a" / "in.png").symlink_to(root / "b" / "1.png")
    (root / "a" / "out.png").symlink_to(outside / "c" / "1.png")
    (root / "a" / "gone.png").symlink_to(root / "nowhere.png")
    (root / "a" / "loop").symlink_to(root)
    (root / "c").symlink_to(outside / "c")
    os.mkfifo(root / "a" / "pipe.png")
    found = {
        row.origin: row.value.reason if isinstance(row.value, Rejected) else "" for row in rows_of(images(root))
    }
    assert found == {
        "a/1.png": "",
        "a/gone.png": "unreadable file",
        "a/in.png": "",
        "a/out.png": "link out of the data folder",
        "a/pipe.png": "not a file",
        "b/1.png": "",
        "c": "link out of the data folder",
    }


@pytest.mark.parametrize(
    "name", ["../secret.png", "a/../../secret.png", "{outside}", "a/link.png", "file:///etc/passwd"]
)
def test_a_manifest_reaches_no_file_outside_of_its_folder(tmp_path, name):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "1.png").write_bytes(b"one")
    (root / "a" / "link.png").symlink_to(secret)
    (root / "list.csv").write_text(f"path,label\na/1.png,a\n{name.format(outside=secret)},b\n{root}/a/1.png,c\n")
    config = DataConfig(source="table", path=str(root / "list.csv"), columns={"image": "path"})
    good, bad, inside = rows_of(config)
    assert good.value == root / "a" / "1.png"
    assert bad.value.reason == ("missing file" if name.startswith("file:") else "path outside the data folder")
    assert inside.value.read_bytes() == b"one"


# --- damage ---------------------------------------------------------------------------------------------


def make_archive(path: Path) -> None:
    rng = np.random.default_rng(0)
    files = {f"{'ab'[i % 2]}/{i}.png": rng.bytes(3000) for i in range(8)}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, {".tar": "w", ".tgz": "w:gz", ".txz": "w:xz"}[path.suffix]) as archive:
            add_members(archive, files)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tgz", "txz"])
@pytest.mark.parametrize("cut", [0, 100, 0.5, 0.9])
def test_a_truncated_archive_is_said_once_and_spoils_nothing_else(tmp_path, suffix, cut):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ok.png").write_bytes(b"ok")
    path = tmp_path / f"set.{suffix}"
    make_archive(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(cut * len(raw)) if cut < 1 else int(cut)])
    rows = rows_of(images(tmp_path))
    assert [row.value.name for row in rows if isinstance(row.value, Path)] == ["ok.png", "ok.png"]
    named = [row for row in rows if row.origin == path.name]
    assert [row.value.reason for row in named] == ["damaged archive"]
    assert open_source(images(tmp_path)).ignored == {}


@pytest.mark.parametrize("suffix", ["zip", "tar", "tgz", "txz"])
def test_flipped_bytes_never_stop_the_reading(tmp_path, suffix):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ok.png").write_bytes(b"ok")
    path = tmp_path / f"set.{suffix}"
    make_archive(path)
    raw = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        flipped = bytearray(raw)
        flipped[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        rows = rows_of(images(tmp_path))
        assert sum(row.value == tmp_path / row.origin for row in rows if isinstance(row.value, Path)) == 2
        assert all(isinstance(row.value, bytes | Path | Rejected) for row in rows)


@pytest.mark.parametrize("suffix", ["tar", "tgz"])
def test_a_tar_with_a_broken_header_is_not_taken_for_its_end(tmp_path, suffix):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        add_members(archive, {**GOOD, "a/lost.png": bytes(4)})
    raw = bytearray(buffer.getvalue())
    raw[2 * 1024 + 150] ^= 1  # in the checksum of the third header
    (tmp_path / f"set.{suffix}").write_bytes(gzip.compress(raw) if suffix == "tgz" else raw)
    rows = {row.origin.partition("!")[2]: row.value for row in rows_of(images(tmp_path))}
    assert set(rows) == {*GOOD, ""}
    assert rows[""].reason == "damaged archive"


def test_only_a_damaged_archive_is_a_clear_stop(tmp_path):
    (tmp_path / "set.zip").write_bytes(b"PK, but no zip")
    with pytest.raises(DataError, match=r"first problem: set\.zip: damaged archive"):
        open_source(images(tmp_path))


# --- pickles --------------------------------------------------------------------------------------------


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def npy_with_pickle(payload: bytes) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    return buffer.getvalue() + payload


@pytest.mark.parametrize("kind", ["image", "text", "audio"])
def test_hostile_pickles_in_a_folder_are_never_loaded(tmp_path, kind):
    canary = tmp_path / "canary"
    payload = pickle.dumps(Canary(canary))
    root = tmp_path / "root"
    suffix = {"image": "png", "text": "txt", "audio": "wav"}[kind]
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        (root / name / f"1.{suffix}").write_bytes(payload)
        (root / name / "x.npy").write_bytes(npy_with_pickle(payload))
        for other in ("x.pt", "x.pkl", "unknown"):
            (root / name / other).write_bytes(payload)
    config = DataConfig(source=f"{kind}_folder", path=str(root))
    looked_into = {"unknown"} if kind == "text" else set()  # a pickle begins like no image and no sound
    assert {row.origin[2:] for row in rows_of(config)} == {f"1.{suffix}", *looked_into}
    others = {} if looked_into else {"no suffix": 2}
    assert open_source(config).ignored == {".npy": 2, ".pkl": 2, ".pt": 2, **others}
    assert detect(root)["source"] == f"{kind}_folder"
    assert not canary.exists()
    np.load(io.BytesIO(npy_with_pickle(payload)), allow_pickle=True)
    assert canary.exists(), "the canary itself must work"

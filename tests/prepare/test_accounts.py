"""Nothing that is set aside is lost: its raw bytes can be read back, and the report names both sides."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bessemer.data.config import DataConfig
from bessemer.data.names import kept_names
from bessemer.errors import DataError
from bessemer.prepare import ingest, staging
from bessemer.prepare.accounts import KEPT, QUARANTINED, read_quarantine, row_names, set_aside_rare
from bessemer.prepare.prepare import prepare
from bessemer.prepare.source import folder as folder_source

QUICK = {"label_check": {"folds": 0}, "max_quarantined": 1.0}
TEXT = {"text": {"tokenizer": {"vocabulary": 300}, "boilerplate": 0.0, "min_characters": 20, "quality": "drop"}}


def config(path: Path, source: str, **other) -> DataConfig:
    return DataConfig(source=source, path=str(path), **{**QUICK, **other})


def quarantined(out: Path) -> dict[str, dict]:
    rows = read_quarantine(out).to_pylist()
    found = {", ".join(filter(None, (row["origin"], row["place"]))): row for row in rows}
    assert len(found) == len(rows)
    return found


# --- raw bytes ------------------------------------------------------------------------------------------


def test_quarantined_files_can_be_read_back(tmp_path, out, make_texts):
    for name in "ab":
        make_texts(tmp_path / "set" / name, 10, ord(name))
    planted = {
        "a/short.txt": (b"tiny\n", "too short", "filtered"),
        "a/binary.txt": (bytes(range(256)) * 9, "binary, not text", "broken"),
        "b/empty.txt": (b"", "empty file", "broken"),
        "b/symbols.txt": (b"#$% &*( " * 40, "mostly symbols", "filtered"),
    }
    for name, (raw, _, _) in planted.items():
        (tmp_path / "set" / name).write_bytes(raw)
    prepare(config(tmp_path / "set", "text_folder", **TEXT), 0, out, workers=1)
    found = quarantined(out)
    assert {name: (row["value"], row["reason"], row["kind"]) for name, row in found.items()} == planted
    assert all(row["label"] == name[0] for name, row in found.items())
    assert all(row["detail"] for row in found.values())


def test_quarantined_members_of_an_archive_can_be_read_back(tmp_path, out, make_images):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in "ab":
            for path in make_images(tmp_path / name, 10, ord(name)):
                archive.write(path, f"{name}/{path.name}")
        archive.writestr("b/broken.png", b"this is no image")
    prepare(config(tmp_path / "set.zip", "image_folder"), 0, out, workers=1)
    (row,) = quarantined(out).values()
    assert (row["origin"], row["value"]) == ("set.zip!b/broken.png", b"this is no image")


def test_quarantined_rows_of_a_table_can_be_read_back(tmp_path, out, make_text):
    rows = [{"text": make_text(i), "label": "ab"[i % 2]} for i in range(20)]
    rows += [{"text": "tïny", "label": "a"}, {"text": make_text(99), "label": ""}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    columns = {"text": "text", "label": "label"}
    prepare(config(tmp_path / "t.jsonl", "table", columns=columns, **TEXT), 0, out, workers=1)
    found = {name: (row["reason"], row["value"].decode()) for name, row in quarantined(out).items()}
    assert found == {
        "t.jsonl, line 21": ("too short", "tïny"),
        "t.jsonl, line 22": ("no label", rows[-1]["text"]),
    }


@pytest.mark.parametrize("unit", ["file", "line"])
def test_rows_of_classes_that_are_too_small_can_be_read_back(tmp_path, out, unit, monkeypatch, make_text):
    """They were clean when they were met, in any task, whole or in parts."""
    monkeypatch.setattr(folder_source, "TASK_ROWS", 4)
    for name, count in (("a", 9), ("rare", 2), ("z", 9)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for file in range(count):
            lines = [make_text(1000 * ord(name[0]) + 10 * file + line, 12) for line in range(2)]
            (tmp_path / "set" / name / f"{file}.txt").write_text("\n".join(lines), encoding="utf-8")
    data = config(tmp_path / "set", "text_folder", unit=unit, min_class=5, **TEXT)
    about = prepare(data, 0, out, workers=1)
    found = quarantined(out)
    lines = {"file": [""], "line": [", line 1", ", line 2"]}[unit]
    assert set(found) == {f"rare/{file}.txt{line}" for file in range(2) for line in lines}
    assert about["quarantined"] == {"class with fewer than 5 usable samples": len(found)}
    for row in found.values():
        assert row["value"] == (tmp_path / "set" / row["origin"]).read_bytes()
        assert (row["kind"], row["label"]) == ("filtered", "rare")
        assert row["reason"] == "class with fewer than 5 usable samples"


def test_a_silent_window_is_set_aside_alone(tmp_path, out, make_sounds, rows_of):
    for seed, name in enumerate("ab"):
        make_sounds(tmp_path / "set" / name, 6, seed, seconds=0.5)
    wave = np.random.default_rng(9).normal(0, 0.1, 8000)
    wave[3500:] = 0
    soundfile.write(tmp_path / "set" / "a" / "half.wav", wave, 8000, subtype="PCM_16")
    audio = {"rate": 8000, "seconds": 0.5, "windows": True, "mels": 16}
    about = prepare(config(tmp_path / "set", "audio_folder", audio=audio), 0, out, workers=1)
    assert about["quarantined"] == {"silent": 1}
    states = {row["place"]: row["state"] for row in rows_of(out) if row["origin"] == "a/half.wav"}
    assert states == {"clip 1": "kept", "clip 2": "kept", "": "quarantined"}
    (row,) = quarantined(out).values()
    assert (row["origin"], row["detail"]) == ("a/half.wav", "clip 3")
    assert row["value"] == (tmp_path / "set" / "a" / "half.wav").read_bytes()


def test_only_the_beginning_of_a_large_value_is_kept_and_not_too_many_in_all(
    tmp_path, out, monkeypatch, make_texts
):
    monkeypatch.setattr(ingest, "SHOWN_BYTES", 100)
    monkeypatch.setattr(staging, "SHOWN_TOTAL", 300)
    monkeypatch.setattr(folder_source, "TASK_ROWS", 1)
    for name in "ab":
        make_texts(tmp_path / "set" / name, 10, ord(name))
    for index in range(5):
        (tmp_path / "set" / "a" / f"binary-{index}.txt").write_bytes(bytes(256))
    prepare(config(tmp_path / "set", "text_folder", **TEXT), 0, out, workers=1)
    values = [row["value"] for row in quarantined(out).values()]
    assert values == [bytes(100)] * 3 + [None] * 2


# --- names ----------------------------------------------------------------------------------------------


def test_names_of_rows_and_of_kept_rows(tmp_path, out, monkeypatch, make_images, rows_of):
    monkeypatch.setattr(folder_source, "TASK_ROWS", 3)
    for name in "ab":
        make_images(tmp_path / "set" / name, 10, ord(name))
    (tmp_path / "set" / "a" / "00.png").write_bytes(b"")
    (tmp_path / "set" / "b" / "98-004-copy.png").write_bytes((tmp_path / "set" / "b" / "98-004.png").read_bytes())
    prepare(config(tmp_path / "set", "image_folder"), 0, out, workers=1)
    names = [row["origin"] for row in rows_of(out)]
    kept = [row["origin"] for row in rows_of(out) if row["state"] == "kept"]
    assert (len(names), len(kept)) == (22, 20)
    assert row_names(out / "rows.arrow", [21, 0, 7, 0]) == {row: names[row] for row in (0, 7, 21)}
    assert row_names(out / "rows.arrow", []) == {}
    for positions in ([19, 0, 7, 7], list(range(20)), []):
        found = kept_names(out / "rows.arrow", np.array(positions, np.int64))
        assert found == [kept[position] for position in positions]


# --- rare classes ---------------------------------------------------------------------------------------


def test_classes_are_rare_by_their_kept_rows():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, -1], np.int32)
    states = np.array([KEPT, KEPT, KEPT, KEPT, QUARANTINED, KEPT, 2, 3, QUARANTINED], np.uint8)
    before, groups = states.copy(), np.arange(9, dtype=np.uint64)
    assert set_aside_rare(DataConfig(source="digits"), states, labels, groups) == []
    assert np.array_equal(states, before)
    assert set_aside_rare(DataConfig(source="digits", min_class=2), states, labels, groups) == [1, 2]
    assert states.tolist() == [KEPT] * 3 + [QUARANTINED] * 3 + [2, 3, QUARANTINED]


def test_parts_of_one_file_count_as_one_sample_of_a_class():
    labels, groups = np.repeat(np.arange(2, dtype=np.int32), 6), np.array([1, 2, 3, 4, 5, 6] + [7] * 3 + [8] * 3)
    states = np.full(12, KEPT, np.uint8)
    assert set_aside_rare(DataConfig(source="digits", min_class=3), states, labels, groups.astype(np.uint64)) == [
        1
    ]
    assert states.tolist() == [KEPT] * 6 + [QUARANTINED] * 6


def test_a_class_of_one_long_recording_is_set_aside_or_refused(tmp_path, out, make_sounds):
    """All its clips must stand in one split, so it cannot be both trained and tested."""
    for seed, name in enumerate(("a", "b", "long")):
        make_sounds(tmp_path / "set" / name, 1 if name == "long" else 6, seed, 4.0 if name == "long" else 0.3)
    audio = {"rate": 8000, "seconds": 0.3, "windows": True, "mels": 16}
    with pytest.raises(DataError, match="none of them in the training split") as error:
        prepare(config(tmp_path / "set", "audio_folder", audio=audio), 0, out, workers=1)
    assert "parts of one file count as one" in error.value.remedy
    (tmp_path / "again").mkdir()
    about = prepare(
        config(tmp_path / "set", "audio_folder", audio=audio, min_class=3), 0, tmp_path / "again", workers=1
    )
    assert about["classes"] == ["a", "b"]
    assert about["quarantined"] == {"class with fewer than 3 usable samples": 26}

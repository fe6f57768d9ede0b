"""Data sets in the format of Hugging Face `datasets`, read without it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bessemer.data.config import DataConfig
from bessemer.data.record import FILTERED, Raw, Rejected, Source
from bessemer.errors import DataError
from bessemer.prepare.source import open_source
from bessemer.prepare.source.dataset import is_dataset

LABELS = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}, "text": {"dtype": "string", "_type": "Value"}}


def save(folder: Path, data: pa.Table, features: dict[str, Any], rows: int = 1000, files: int = 1) -> None:
    """What save_to_disk writes: dataset_info.json, state.json and data in Arrow's stream format."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{files:05d}.arrow" for i in range(files)]
    each = -(-len(data) // files)
    for i, name in enumerate(names):
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, data.schema) as writer:
            writer.write_table(data.slice(i * each, each), max_chunksize=rows)
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))


def texts(count: int, start: int = 0) -> pa.Table:
    numbers = range(start, start + count)
    return pa.table({"text": [f"text {i}" for i in numbers], "label": [i % 2 for i in numbers]})


def config(path: Path, **columns) -> DataConfig:
    return DataConfig(source="dataset", path=str(path), columns=columns or {"text": "text"})


def rows_of(source: Source) -> list[Raw]:
    return [row for task in source.tasks() for row in source.read(task)]


def refused(path: Path, **columns) -> str:
    with pytest.raises(DataError) as error:
        rows_of(open_source(config(path, **columns)))
    assert error.value.remedy
    return error.value.problem


def test_rows_of_several_files_and_batches(tmp_path):
    save(tmp_path / "set", texts(2500), LABELS, rows=600, files=2)
    source = open_source(config(tmp_path / "set"))
    rows = rows_of(source)
    assert source.classes == ["neg", "pos"]
    assert [(row.value, row.label) for row in rows] == [(f"text {i}", ["neg", "pos"][i % 2]) for i in range(2500)]
    assert rows[1249].name == "data-00000-of-00002.arrow, row 1250"
    assert rows[1250].name == "data-00001-of-00002.arrow, row 1"
    assert {row.split for row in rows} == {""}


def test_any_task_is_read_alone_in_another_process(tmp_path, travel):
    save(tmp_path / "set", texts(2500), LABELS, rows=600)
    source = open_source(config(tmp_path / "set"))
    tasks = list(source.tasks())
    assert len(tasks) == 4 * 3 + 1  # batches of 600 in three pieces, the last one of 100
    assert len(pickle.dumps(source)) < 2000
    again, last = travel((source, tasks[-1]))
    assert [row.value for row in again.read(last)] == [f"text {i}" for i in range(2400, 2500)]


def save_dict(root: Path, *splits: str) -> None:
    for i, split in enumerate(splits):
        save(root / split, texts(3, 10 * i), LABELS)
    (root / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))


def test_a_dict_of_splits(tmp_path):
    save_dict(tmp_path, "train", "dev", "test", "unsupervised")
    rows = rows_of(open_source(config(tmp_path)))
    assert [row.split for row in rows] == ["train"] * 3 + ["validation"] * 3 + ["test"] * 3 + [""] * 3
    assert rows[3].name == "dev/data-00000-of-00001.arrow, row 1"
    assert {row.value.reason for row in rows[9:]} == {"unknown split"}
    assert rows[9].value.kind == FILTERED


def test_a_dict_of_other_names_has_no_split(tmp_path):
    save_dict(tmp_path, "english", "german")
    rows = rows_of(open_source(config(tmp_path)))
    assert [row.value for row in rows] == ["text 0", "text 1", "text 2", "text 10", "text 11", "text 12"]
    assert {row.split for row in rows} == {""}


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_images_and_recordings_as_bytes_or_paths(tmp_path, kind):
    cells = [
        {"bytes": b"raw", "path": None},
        {"bytes": None, "path": "in.bin"},
        {"bytes": None, "path": "../out.bin"},
    ]
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    data = pa.table({kind: pa.array(cells, struct), "label": [0, 1, -1]})
    save(tmp_path / "set", data, {**LABELS, kind: {"_type": kind.title()}})
    (tmp_path / "set" / "in.bin").write_bytes(b"in")
    (tmp_path / "out.bin").write_bytes(b"out")
    rows = rows_of(open_source(config(tmp_path / "set", **{kind: kind})))
    assert rows[0].value == b"raw"
    assert rows[1].value.read_bytes() == b"in"
    assert rows[2].value.reason == "path outside the data folder"
    assert rows[2].label is None


def test_labels_that_are_text_need_no_names(tmp_path):
    save(tmp_path / "set", pa.table({"text": ["a", "b"], "label": ["x", None]}), {})
    source = open_source(config(tmp_path / "set"))
    assert source.classes is None
    assert [row.label for row in rows_of(source)] == ["x", None]


def test_a_missing_column_is_refused(tmp_path):
    save(tmp_path / "set", texts(3), LABELS)
    assert "no column 'body'; its columns are text, label" in refused(tmp_path / "set", text="body")


@pytest.mark.parametrize("name", ["../other.arrow", "/etc/passwd", "gone.arrow", ""])
def test_files_outside_of_the_folder_are_refused(tmp_path, name):
    save(tmp_path / "set", texts(3), LABELS)
    (tmp_path / "other.arrow").write_bytes(b"x")
    (tmp_path / "set" / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    assert "is no file of this folder" in refused(tmp_path / "set")


@pytest.mark.parametrize("split", ["../set", "..", "a/b", 5])
def test_splits_outside_of_the_folder_are_refused(tmp_path, split):
    save(tmp_path / "set", texts(3), LABELS)
    (tmp_path / "set" / "dataset_dict.json").write_text(json.dumps({"splits": [split]}))
    assert "is no name of a split" in refused(tmp_path / "set")


def test_damaged_descriptions_and_files_are_refused_by_name(tmp_path):
    save(tmp_path / "set", texts(3), LABELS)
    (tmp_path / "set" / "data-00000-of-00001.arrow").write_bytes(b"no arrow")
    assert "not an Arrow file, or damaged" in refused(tmp_path / "set")
    (tmp_path / "set" / "state.json").write_text("{")
    assert "state.json: cannot be read" in refused(tmp_path / "set")


def test_a_truncated_file_is_refused_by_name(tmp_path):
    save(tmp_path / "set", texts(3000), LABELS)
    path = tmp_path / "set" / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:-20_000])
    assert "data-00000-of-00001.arrow: damaged" in refused(tmp_path / "set")


def test_damage_inside_a_batch_is_a_reason_for_each_row(tmp_path):
    save(tmp_path / "set", texts(100), LABELS)
    path = tmp_path / "set" / "data-00000-of-00001.arrow"
    raw = path.read_bytes()
    offsets = b"".join(i.to_bytes(4, "little") for i in (0, 6, 12, 18))
    assert raw.count(offsets) == 1
    path.write_bytes(raw.replace(offsets, b"\xff\xff\xff\x7f" * 4))
    rows = rows_of(open_source(config(tmp_path / "set")))
    assert len(rows) == 100
    assert {row.value.reason for row in rows if isinstance(row.value, Rejected)} == {"damaged table"}


def test_a_folder_is_known_by_its_descriptions(tmp_path):
    save(tmp_path / "set", texts(3), LABELS)
    save_dict(tmp_path / "both", "train", "test")
    assert is_dataset(tmp_path / "set")
    assert is_dataset(tmp_path / "both")
    assert not is_dataset(tmp_path)

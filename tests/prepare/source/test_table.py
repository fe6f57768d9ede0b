"""Tables: dirty rows are rows with a reason, any piece can be read alone, columns say what they hold."""

from __future__ import annotations

import csv
import io
import json
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bessemer.data.config import DataConfig
from bessemer.data.files import lines as lines_module
from bessemer.data.files.delimited import open_delimited
from bessemer.data.files.lines import text_form
from bessemer.data.record import FILTERED, Raw, Rejected, Source
from bessemer.errors import DataError
from bessemer.prepare.source import open_source, table


def config(path: Path, **columns) -> DataConfig:
    return DataConfig(source="table", path=str(path), columns=columns or {"text": "text"})


def rows_of(source: Source) -> list[Raw]:
    return [row for task in source.tasks() for row in source.read(task)]


def read(path: Path, **columns) -> list[Raw]:
    return rows_of(open_source(config(path, **columns)))


def short(row: Raw) -> tuple[str, str | None, object]:
    return row.place, row.label, row.value.reason if isinstance(row.value, Rejected) else row.value


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def refused(path: Path, **columns) -> str:
    with pytest.raises(DataError) as error:
        open_source(config(path, **columns))
    assert error.value.remedy
    return error.value.problem


# --- CSV ------------------------------------------------------------------------------------------------


def test_rows_of_a_csv_file(tmp_path):
    path = write(tmp_path / "t.csv", 'id,text,label\n1,"a, b\nc ""d""",x\n\n2,e,y\n')
    assert [short(row) for row in read(path)] == [("row 1", "x", 'a, b\nc "d"'), ("row 2", "y", "e")]
    assert read(path)[1].name == "t.csv, row 2"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(tmp_path, separator):
    lines = ["text,label".replace(",", separator), '"one, two; three | four"SEPx'.replace("SEP", separator)]
    path = write(tmp_path / "t.csv", "\n".join(lines))
    assert [short(row) for row in read(path)] == [("row 1", "x", "one, two; three | four")]


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_unicode_encodings_and_ends_of_line(tmp_path, encoding, newline):
    rows = [("text", "label"), ("größer €5 \u0a05\u0100\u0a05", "ü"), ('two\nlines, "q"', "x"), ("last", "ü")]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=newline).writerows(rows)
    text = ("\ufeff" if encoding == "utf-16-be" else "") + buffer.getvalue()
    path = write(tmp_path / "t.csv", text.replace("\n", newline) if newline == "\r" else text, encoding)
    wanted = [(text.replace("\n", newline) if newline == "\r" else text, label) for text, label in rows[1:]]
    assert [(row.value, row.label) for row in read(path)] == wanted


RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. "


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1251", RUSSIAN), ("latin-1", "Größe und Gänse für die Bäckerei, über Flüsse, schöne Straße. ")],
)
def test_other_encodings_are_found(tmp_path, encoding, text):
    path = write(tmp_path / "t.csv", "text;label\n" + f"{text};a\n" * 40, encoding)
    assert {row.value for row in read(path)} == {text}


def test_a_line_in_another_encoding_does_not_change_the_others(tmp_path):
    good = "text,label\n" + "für €5,a\n" * 50
    path = tmp_path / "t.csv"
    path.write_bytes(good.encode() + "schön,b\n".encode("latin-1") + "für,a\n".encode())
    assert [row.value for row in read(path)][-3:] == ["für €5", "schön", "für"]


def test_dirty_rows_cost_only_themselves(tmp_path):
    lines = [
        "text,label",
        "good 1,a",
        "too,many,b",
        "few",
        'an "inch" 5",b',
        "good 2,a,,",
        "  ",
        "good 3,",
        "good 4,nan",
    ]
    path = write(tmp_path / "t.csv", "\n".join(lines) + "\n")
    wrong = "wrong number of columns"
    assert [short(row) for row in read(path)] == [
        ("row 1", "a", "good 1"),
        ("row 2", None, wrong),
        ("row 3", None, wrong),
        ("row 4", "b", 'an "inch" 5"'),
        ("row 5", "a", "good 2"),
        ("row 6", None, "good 3"),
        ("row 7", None, "good 4"),
    ]
    assert read(path)[1].value.detail == "3 where the header has 2"


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path):
    body = [f"text {i},a" for i in range(50)]
    body[10] = '"open,a'
    path = write(tmp_path / "t.csv", "\n".join(["text,label", *body]))
    rows = [short(row) for row in read(path)]
    assert [row[2] for row in rows] == [f"text {i}" if i != 10 else "quote never closed" for i in range(50)]
    body[40] = '"closed, later",b'
    rows = [short(row) for row in read(write(path, "\n".join(["text,label", *body])))]
    assert len(rows) == 50
    assert [i for i, row in enumerate(rows) if row[2] != f"text {i}"] == [10, 40]


def test_lines_beyond_the_limit_are_rows_with_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(lines_module, "LIMIT", 100)
    body = ["text,label", "a" * 250 + ",x", "short,y"]
    path = write(tmp_path / "t.csv", "\n".join(body))
    assert [row[2] for row in map(short, read(path))] == ["row too long", "short"]
    wide = write(tmp_path / "w.csv", "\ufeff" + "\n".join(body), "utf-16-le")
    monkeypatch.setattr(lines_module, "BLOCK", 16)
    assert [row[2] for row in map(short, read(wide))] == ["row too long", "short"]
    lines = write(tmp_path / "t.jsonl", '{"text": "%s"}\n{"text": "b", "label": 1}\n' % ("a" * 300))
    assert [short(row) for row in read(lines)] == [("line 1", None, "row too long"), ("line 2", "1", "b")]


CELL = st.text(st.sampled_from("ab \"',;|\n\rä€"), max_size=8)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=12), st.integers(1, 5), st.sampled_from(["\n", "\r\n"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_csv_writes_is_read_back_from_any_piece(tmp_path, rows, step, newline):
    path = tmp_path / "h.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator=newline, quoting=csv.QUOTE_ALL).writerows([("x", "y", "z"), *rows])
    opened = open_delimited(path)
    tasks = list(opened.tasks(step, 2**20))
    found = [cells for task in reversed(tasks) for cells in reversed(list(opened.read(task, opened.columns)))]
    wanted = [(f"row {i}", dict(zip("xyz", row, strict=True))) for i, row in enumerate(rows, 1)]
    assert found[::-1] == wanted
    assert all(count <= step for _, _, count in tasks)


@given(st.binary(max_size=300), st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_give_the_same_rows_in_pieces_and_as_a_whole(tmp_path, data, step):
    path = tmp_path / "any.csv"
    path.write_bytes(b"x,y\n" + data)
    opened = open_delimited(path)

    def shown(size: int) -> list[str]:
        return [
            f"{place} {cells.reason if isinstance(cells, Rejected) else cells}"
            for task in opened.tasks(size, 2**20)
            for place, cells in opened.read(task, opened.columns[:1])
        ]

    assert shown(step) == shown(10_000)


def test_tasks_jump_and_pickle_small(tmp_path, monkeypatch, travel):
    monkeypatch.setattr(table, "TEXT_ROWS", 100)
    path = write(tmp_path / "t.csv", "text,label\n" + "".join(f'"text\n{i}",{i % 3}\n' for i in range(1050)))
    source = open_source(config(path))
    tasks = list(source.tasks())
    assert len(tasks) == 11
    assert len(pickle.dumps(source)) < 2000
    again, last = travel((source, tasks[-1]))
    assert [row.value for row in again.read(last)] == [f"text\n{i}" for i in range(1000, 1050)]
    assert next(again.read(last)).place == "row 1001"


def test_an_empty_table_is_refused(tmp_path):
    assert "an empty table" in refused(write(tmp_path / "t.csv", "\n\n"))


def test_a_missing_column_is_refused_with_those_there_are(tmp_path):
    path = write(tmp_path / "t.csv", "body,label\na,b\n")
    assert refused(path) == f"{path}: no column 'text'; its columns are body, label"
    assert "no column 'topic'" in refused(path, text="body", label="topic")


# --- JSON lines -----------------------------------------------------------------------------------------


def test_rows_of_json_lines(tmp_path):
    lines = [
        json.dumps({"text": "a", "label": 1}),
        "",
        '{"text": "b", "label": 1.0}',
        "{broken",
        "[1, 2]",
        '{"label": "x"}',
        '{"text": ["no"], "label": "x"}',
        '{"text": "half \\ud83d", "label": null}',
        "[" * 100_000,
        '{"text": 5, "label": true}',
    ]
    path = write(tmp_path / "t.jsonl", "\n".join(lines))
    assert [short(row) for row in read(path)] == [
        ("line 1", "1", "a"),
        ("line 3", "1", "b"),
        ("line 4", None, "not JSON"),
        ("line 5", None, "not a JSON object"),
        ("line 6", "x", ""),
        ("line 7", "x", "not text"),
        ("line 8", None, "half \ufffd"),
        ("line 9", None, "not JSON"),
        ("line 10", "True", "5"),
    ]


def test_pieces_of_json_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "TEXT_ROWS", 7)
    path = write(
        tmp_path / "t.ndjson", "".join(json.dumps({"text": "ü" * i, "label": i}) + "\n" for i in range(30))
    )
    source = open_source(config(path))
    assert len(list(source.tasks())) == 5
    assert [(row.value, row.label) for row in rows_of(source)] == [("ü" * i, str(i)) for i in range(30)]


def test_a_file_without_objects_is_refused(tmp_path):
    assert "no JSON object" in refused(write(tmp_path / "t.jsonl", "[1]\n2\n"))


# --- Parquet --------------------------------------------------------------------------------------------


def test_rows_of_parquet_in_row_groups(tmp_path):
    path = tmp_path / "t.parquet"
    columns = {"text": [f"t{i}" for i in range(700)], "label": [None, 2.0, 0.5, float("nan")] * 175}
    pq.write_table(pa.table(columns), path, row_group_size=300)
    source = open_source(config(path))
    assert len(list(source.tasks())) == 3
    rows = rows_of(source)
    assert [row.value for row in rows] == columns["text"]
    assert [row.place for row in rows] == [f"row {i + 1}" for i in range(700)]
    assert [row.label for row in rows[:4]] == [None, "2", "0.5", None]


def test_parquet_with_bytes_paths_and_class_names(tmp_path):
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "1.png").write_bytes(b"one")
    images = [
        {"bytes": b"raw", "path": "x.png"},
        {"bytes": None, "path": "i/1.png"},
        {"bytes": None, "path": None},
    ]
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    data = pa.table({"image": pa.array(images, kind), "label": [0, 1, -1]})
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pq.write_table(data.replace_schema_metadata(about), tmp_path / "t.parquet")
    source = open_source(config(tmp_path / "t.parquet", image="image"))
    assert source.classes == ["cat", "dog"]
    rows = rows_of(source)
    assert [row.label for row in rows] == ["cat", "dog", None]
    assert rows[0].value == b"raw"
    assert rows[1].value.read_bytes() == b"one"
    assert rows[2].value.reason == "no file named"


def test_damaged_parquet_accounts_for_every_row(tmp_path):
    path = tmp_path / "t.parquet"
    texts = [f"text {i} " * 20 for i in range(600)]
    data = pa.table({"text": texts, "label": ["a"] * 600})
    pq.write_table(data, path, row_group_size=300, compression="zstd", use_dictionary=False)
    raw = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    raw[start + 30 : start + 400] = bytes(370)
    path.write_bytes(raw)
    rows = read(path)
    assert [row.place for row in rows] == [f"row {i + 1}" for i in range(600)]
    assert [row.value for row in rows[:300]] == texts[:300]
    assert rows[599].value.reason == "damaged table"


def test_text_that_is_not_utf8_in_parquet_comes_as_bytes(tmp_path):
    column = pa.array([b"good", "schön".encode("latin-1")]).view(pa.string())
    pq.write_table(pa.table({"text": column, "label": [1, 2]}), tmp_path / "t.parquet")
    assert [row.value for row in read(tmp_path / "t.parquet")] == [b"good", "schön".encode("latin-1")]


def test_what_is_not_parquet_is_refused(tmp_path):
    assert "not a Parquet file" in refused(write(tmp_path / "t.parquet", "PAR1 but no"))


# --- columns --------------------------------------------------------------------------------------------


def test_several_text_columns_are_joined(tmp_path):
    path = write(tmp_path / "t.csv", "title,body,label\nA,b,1.0\n,c,2\nD,,03\n")
    assert [short(row)[1:] for row in read(path, text=["title", "body"])] == [
        ("1", "A\nb"),
        ("2", "c"),
        ("03", "D"),
    ]


def test_a_column_may_say_the_split(tmp_path):
    path = write(tmp_path / "t.csv", "text,label,part\na,1,Train\nb,1,VAL\nc,1,\nd,1,fold7\n")
    rows = read(path, text="text", split="part")
    assert [row.split for row in rows] == ["train", "validation", "", ""]
    assert (rows[3].value.reason, rows[3].value.kind) == ("unknown split", FILTERED)


def test_paths_start_at_the_table(tmp_path):
    for name in ("a.png", "sub/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    path = write(
        tmp_path / "t.csv", "image,label\na.png,x\nsub\\b.png,x\nnone.png,y\n,z\n" + "x" * 5000 + ".png,z\n"
    )
    rows = read(path, image="image")
    assert [row.value.read_text() for row in rows[:2]] == ["a.png", "sub/b.png"]
    assert [row.value.reason for row in rows[2:]] == ["missing file", "no file named", "missing file"]


def test_files_are_found_by_forms_and_in_other_letters(tmp_path):
    for name in ("images/a.png", "more/b.jpg", "Images2/C.PNG", "images/12.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    lines = ["a", "b", "images2/c.png", "d", "../images/a"]
    path = write(tmp_path / "t.csv", "image,label\n" + "".join(f"{line},x\n" for line in lines))
    rows = read(path, image="image", files=["images/{}.png", "more/{}.jpg", "{}"])
    assert [row.value.read_text() for row in rows[:3]] == ["images/a.png", "more/b.jpg", "Images2/C.PNG"]
    assert rows[3].value.reason == "missing file"
    numbers = write(tmp_path / "n.jsonl", '{"image": 12, "label": "x"}\n')
    assert read(numbers, image="image", files="images/{}.png")[0].value.read_text() == "images/12.png"
    with pytest.raises(ValidationError, match=r"has no \{\}"):
        config(path, image="image", files="images/.png")
    with pytest.raises(ValidationError, match=r"columns\.files goes with columns\.image"):
        config(path, text="image", files="images/{}.txt")


def test_a_folder_of_tables_keeps_the_splits_of_their_names(tmp_path):
    write(tmp_path / "train-00000.csv", "text,label\na,1\n")
    assert read(tmp_path)[0].split == ""  # alone, its name says nothing
    write(tmp_path / "test.jsonl", '{"text": "b", "label": 2}\n')
    write(tmp_path / "notes.md", "x")
    source = open_source(config(tmp_path))
    assert [(row.name, row.value, row.split) for row in rows_of(source)] == [
        ("test.jsonl, line 1", "b", "test"),
        ("train-00000.csv, row 1", "a", "train"),
    ]
    assert source.ignored == {".md": 1}
    write(tmp_path / "more.csv", "text,label\nc,1\n")
    assert {row.split for row in read(tmp_path)} == {""}


def test_a_folder_without_tables_and_an_unknown_file_are_refused(tmp_path):
    write(tmp_path / "t.xlsx", "x")
    assert "no table in it (found: .xlsx)" in refused(tmp_path)
    assert "not a table that is known" in refused(tmp_path / "t.xlsx")
    assert "none.csv: no such file" in refused(tmp_path / "none.csv")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_form_of_a_text_file(tmp_path, newline):
    path = write(tmp_path / "t", newline.join(["ä", "b"]), "utf-16")
    form = text_form(path)
    wanted = "\r" if newline == "\r" else "\n"
    assert (form.encoding, form.newline, form.width, form.start) == ("utf-16-le", wanted.encode("utf-16-le"), 2, 2)

"""Files of rows as people have them: each is read as its writer meant it, and what was decided is told."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bessemer.data.files import jsonlist
from bessemer.data.files.lines import Row
from bessemer.data.files.table import is_table, open_file
from bessemer.data.record import Rejected
from bessemer.errors import DataError


def write(path: Path, text: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def rows(path: Path, wanted: tuple[str, ...] = (), step: int = 1000) -> list:
    """Cells of each row as a list, or the reason why there are none."""
    table = open_file(path, wanted)
    read = [row for task in table.tasks(step, 2**20) for _, row in table.read(task, table.columns)]
    return [row.reason if isinstance(row, Rejected) else list(row.values()) for row in read]


def notes(path: Path) -> str:
    return "; ".join(open_file(path).notes)


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as error:
        open_file(path)
    assert error.value.remedy
    assert str(path) in error.value.problem
    return error.value


SMS = [
    ["ham", "Go until jurong point, crazy.. Available only in bugis"],
    *([("spam", "ham")[i % 2], f"text {i}, and more of it"] for i in range(9)),
]


# --- headers --------------------------------------------------------------------------------------------


def test_a_table_without_header_keeps_its_first_row(tmp_path):
    path = write(tmp_path / "sms.tsv", "\n".join("\t".join(row) for row in SMS))
    assert rows(path) == SMS
    assert open_file(path).columns == ["column 1", "column 2"]
    assert "first row seems to be data" in notes(path)


@pytest.mark.parametrize(
    "text",
    [
        "5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n7.0,3.2,Iris-versicolor\n6.3,3.3,Iris-versicolor\n",
        "39, State-gov, 77516, Bachelors\n50, Private, 83311, HS-grad\n38, Private, 215646, HS-grad\n",
        "2020-01-05,12.5\n2020-01-06,13\n2020-01-07,12\n",
        "1,0,0,12\n7,0,3,255\n2,9,0,0\n",
        "?,3\n2,4\n1,5\n",
        '"Where were you last night, when I called you twice?","I was at home all night, and heard nothing."\n'
        '"The weather will be fine tomorrow in the north.","Then let us go there by the early train."\n',
    ],
)
def test_first_rows_that_are_data(tmp_path, text):
    path = write(tmp_path / "t.csv", text)
    assert len(rows(path)) == text.count("\n")
    assert open_file(path).columns[0] == "column 1"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("text,label", ["some words,a", "more words,b"]),
        ("0,1", ["some words,1", "more words,0", "yet more,1"]),
        (",0,1,2", ["0,5,6,7", "1,8,9,9"]),
        ("country,2019,2020,2021", ["France,1,2,3", "Spain,4,5,6"]),
        ("y,x", ["1,2", "3,4"]),
        ("yes,how", ["yes,1", "no,2", "yes,3", "no,4"]),
        (
            "How satisfied are you with our service today?,Please tell us what we could do better:",
            ["I was quite happy with all of it this time.,The waiting room could be warmer in winter."] * 3,
        ),
    ],
)
def test_first_rows_that_are_names(tmp_path, header, body):
    path = write(tmp_path / "t.csv", "\n".join([header, *body]))
    assert len(rows(path)) == len(body)
    assert open_file(path).columns == [name or "column 1" for name in header.split(",")]


def test_names_that_a_recipe_asks_for_decide_about_the_header(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\nc,d\n")  # nothing tells
    assert rows(path) == [["c", "d"]]
    assert rows(path, ("column 1",)) == [["a", "b"], ["c", "d"]]
    path = write(tmp_path / "n.csv", "5,6\n7,8\n")
    assert rows(path, ("5",)) == [["7", "8"]]


def test_half_headers(tmp_path):
    path = write(tmp_path / "r.csv", '"x" "y"\n'.replace(" ", ",") + '"1",5,6\n"2",7,8\n')  # as R writes row names
    assert open_file(path).columns == ["column 1", "x", "y"]
    assert "does not name every column" in notes(path)
    path = write(tmp_path / "s.csv", "text,label\na,1,x\na,2,y\n")
    assert open_file(path).columns == ["text", "label", "column 3"]
    path = write(tmp_path / "p.csv", ",text,label\n0,a,x\n1,b,y\n")  # as pandas writes its index
    assert open_file(path).columns == ["column 1", "text", "label"]
    path = write(tmp_path / "e.csv", "text,label,\na,1,\nb,2,\n")
    assert (open_file(path).columns, rows(path)) == (["text", "label"], [["a", "1"], ["b", "2"]])


BODY = "text,label\none text,a\nanother text,b\n"


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        ("sep=,\n", 0),
        ('"sep=,"\n', 0),
        ("# made by a tool, in 2020, for us\n#\n", 2),
        ("# a comment, of two cells\n", 1),
        ("Report of the year\n\n", 1),
        ("Report of the year,\n,\n", 1),
        ("\n\n", 0),
    ],
)
def test_what_stands_above_the_header(tmp_path, above, lines):
    path = write(tmp_path / "t.csv", above + BODY)
    assert rows(path) == [["one text", "a"], ["another text", "b"]]
    assert ("above the table" in notes(path)) == (lines > 0)


def test_a_header_that_is_a_comment(tmp_path):
    path = write(tmp_path / "t.csv", "# x,y\n1,2\n3,4\n")  # as numpy.savetxt writes it
    assert (open_file(path).columns, rows(path)) == (["x", "y"], [["1", "2"], ["3", "4"]])


@pytest.mark.parametrize("separator", [";", "\t", "|", "^"])
def test_the_separator_that_a_sep_line_names(tmp_path, separator):
    path = write(tmp_path / "t.csv", f"sep={separator}\r\n" + BODY.replace(",", separator).replace("\n", "\r\n"))
    assert rows(path) == [["one text", "a"], ["another text", "b"]]


def test_a_header_that_comes_again_is_no_row(tmp_path):
    path = write(tmp_path / "t.csv", BODY + BODY)
    assert rows(path)[2:] == ["the row of names again", ["one text", "a"], ["another text", "b"]]


def test_a_header_alone_and_an_empty_file(tmp_path):
    assert rows(write(tmp_path / "t.csv", "text,label\n")) == []
    assert "no bytes" in refused(write(tmp_path / "e.csv", "")).problem
    assert "empty table" in refused(write(tmp_path / "b.csv", "\n\n")).problem


# --- quotes ---------------------------------------------------------------------------------------------


def test_lone_quotes_of_a_tsv_are_characters(tmp_path):
    body = [[f"text {i}", "ab"[i % 2]] for i in range(30)]
    body[3][0] = '"I will go there,'
    body[6][0] = 'he said."'  # closes what the other opened, and swallows what stands between
    body[9][0] = '"Hello," she said'
    path = write(tmp_path / "t.tsv", "\n".join("\t".join(row) for row in [["text", "label"], *body]))
    assert rows(path) == body
    assert "quotes are characters" in notes(path)


def test_one_lone_quote_far_below_the_head_of_a_tsv(tmp_path):
    body = [[f"text {i}", "ab"[i % 2]] for i in range(3000)]
    body[2500][0] = '"' + body[2500][0]
    path = write(tmp_path / "t.tsv", "\n".join("\t".join(row) for row in [["text", "label"], *body]))
    assert rows(path) == body


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_quoted_cells_stay_quoted(tmp_path, suffix):
    body = [["one\nline\tand more, more", "a"], ['say ""', "b"], ['"', "c"], ["\\", "d"], ["plain", "e"]] * 5
    path = tmp_path / f"t{suffix}"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",")
        writer.writerows([["text", "label"], *body])
    assert rows(path) == body
    assert notes(path) == ""


def test_quotes_escaped_by_backslashes(tmp_path):
    lines = ["text,label", *(f'"plain {i}, C:\\new\\1",x' for i in range(30))]
    lines += [r'"He said \"no, never\", then left",a', r'"\"Yes\"",b', r'"ends in \\",c', r'"a ""b"" \"c\"",d']
    path = write(tmp_path / "t.csv", "\n".join(lines))
    assert rows(path)[0] == [r"plain 0, C:\new\1", "x"]
    assert [row[0] for row in rows(path)[30:]] == [
        'He said "no, never", then left',
        '"Yes"',
        "ends in \\",
        'a "b" "c"',
    ]
    assert "a backslash" in notes(path)
    assert rows(path, step=3) == rows(path)


def test_separators_escaped_by_backslashes(tmp_path):
    path = write(tmp_path / "t.csv", "text,label\n" + "".join(f"first\\, second {i},a\n" for i in range(9)))
    assert rows(path) == [[f"first, second {i}", "a"] for i in range(9)]


def test_mixed_ends_of_line(tmp_path):
    path = write(tmp_path / "t.csv", 'text,label\r\none,a\rtwo,b\nthree,c\r\r\n"fo\nur",d\r')
    wanted = [["one", "a"], ["two", "b"], ["three", "c"], ["fo\nur", "d"]]
    assert rows(path) == rows(path, step=1) == wanted


# --- encodings ------------------------------------------------------------------------------------------


def repairs(path: Path) -> list[tuple[str, ...]]:
    table = open_file(path)
    read = [row for task in table.tasks(100, 2**20) for _, row in table.read(task, table.columns)]
    return [row.repairs for row in read if isinstance(row, Row)]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_utf16_with_a_mark_and_without(tmp_path, encoding, mark):
    path = write(tmp_path / "t.csv", mark + BODY.replace("one", "größer, ".replace(",", "")), encoding)
    assert rows(path)[0] == ["größer  text", "a"]
    assert repairs(path) == [(f"decoded from {encoding}",)] * 2


def test_what_was_decoded_is_told_row_by_row(tmp_path):
    path = write(tmp_path / "t.csv", BODY + "It was £20,a\n", "cp1252")
    assert rows(path)[-1] == ["It was £20", "a"]
    assert repairs(path) == [(), (), ("decoded from cp1252",)]
    path = write(tmp_path / "u.csv", BODY.encode() + "schön,a\n".encode() * 9 + "schön,b\n".encode("cp1252"))
    assert rows(path)[-1] == ["schön", "b"]
    assert repairs(path)[-2:] == [(), ("decoded from cp1252",)]
    path = write(tmp_path / "t.jsonl", '{"text": "für £5", "label": 1}\n'.encode("cp1252"))
    assert (rows(path), repairs(path)) == ([["für £5", 1]], [("decoded from cp1252",)])


def test_an_alphabet_that_is_not_known_is_refused(tmp_path):
    noise = random.Random(0)
    line = bytes(noise.randrange(128, 256) for _ in range(600))
    path = write(tmp_path / "t.csv", b"text,label\n" + line + b",a\n")
    assert "encoding" in refused(path).problem
    assert "iconv" in refused(path).remedy


@pytest.mark.parametrize(
    ("head", "what"), [(b"PK\x03\x04\0", "Excel"), (b"\x1f\x8b\x08\0", "gzip"), (b"a,b\n\0\0\0", "binary data")]
)
def test_other_files_under_the_name_of_a_table(tmp_path, head, what):
    assert what in refused(write(tmp_path / "t.csv", head + b"x" * 50)).problem


# --- JSON -----------------------------------------------------------------------------------------------

RECORDS = [{"text": f'a "{i}" [x], {{y}} \\ ü', "label": "ab"[i % 2]} for i in range(20)]
WANTED = [[one["text"], one["label"]] for one in RECORDS]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("step", [1, 3, 100])
@pytest.mark.parametrize("block", [7, 2**20])
def test_json_lists_in_pieces(tmp_path, monkeypatch, indent, step, block):
    monkeypatch.setattr(jsonlist, "BLOCK", block)
    path = write(tmp_path / "t.json", json.dumps(RECORDS, indent=indent))
    table = open_file(path)
    tasks = list(table.tasks(step, 2**20))
    read = [row for task in reversed(tasks) for row in reversed(list(table.read(task, table.columns)))]
    assert [(place, list(row.values())) for place, row in reversed(read)] == [
        (f"record {i}", row) for i, row in enumerate(WANTED, 1)
    ]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (json.dumps({"version": 2, "tags": [{"n": 1}], "data": RECORDS, "more": [1, 2]}), "'data'"),
        (json.dumps({"data": {"children": RECORDS}, "a": "]"}, indent=2), "'data.children'"),
        (json.dumps({f"id{i}": one for i, one in enumerate(RECORDS)}), ""),
        ("\n".join(json.dumps(one) for one in RECORDS), ""),
        ("\ufeff" + json.dumps(RECORDS, ensure_ascii=False), ""),
    ],
)
def test_other_forms_of_json(tmp_path, text, note):
    path = write(tmp_path / "t.json", text)
    assert rows(path) == WANTED
    assert note in notes(path)


def test_damage_in_a_json_list_costs_its_record(tmp_path):
    path = write(tmp_path / "t.json", '[{"text": "a", "label": 1}, {"text": b}, 7, {"label": 2}, {"text": "cut')
    assert rows(path) == [["a", 1], "not JSON", "not a JSON object", [None, 2], "not JSON"]


def test_a_record_without_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonlist, "LARGEST", 100)
    monkeypatch.setattr(jsonlist, "BLOCK", 16)
    path = write(tmp_path / "t.json", '[{"a": 1, "b": 2}, {"a": "' + "x" * 1000)
    assert rows(path) == [[1, 2], "row too long"]


@pytest.mark.parametrize(
    ("value", "problem", "remedy"),
    [
        (
            {"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 2}},
            "column by column",
            "pandas.read_json('t.json')",
        ),
        ({"text": ["a"], "label": [1]}, "column by column", "JSON Lines"),
        ([["a", 1], ["b", 2]], "list of lists", "csv.writer"),
        (["a", "b"], "without objects", "{"),
        ([], "without objects", "{"),
        ("a", "no JSON list or object", "[{...}"),
    ],
)
def test_json_that_is_no_table_is_refused(tmp_path, value, problem, remedy):
    error = refused(write(tmp_path / "t.json", json.dumps(value)))
    assert problem in error.problem
    assert remedy in error.remedy


def test_nested_cells_are_columns(tmp_path):
    lines = [{"kind": "x", "data": {"body": "a", "by": {"name": "n"}}}, {"data": None}, {"data.body": "dotted"}]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, lines)))
    assert open_file(path).columns == ["kind", "data.body", "data.by.name"]
    assert rows(path) == [["x", "a", "n"], [None, None, None], [None, "dotted", None]]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"kind": ["x"], "data": [{"body": "a", "by": {"name": "n"}}]}), path)
    assert (open_file(path).columns, rows(path)) == (["kind", "data.body", "data.by.name"], [["x", "a", "n"]])


def test_files_inside_of_objects_stay_whole(tmp_path):
    path = write(tmp_path / "t.jsonl", '{"image": {"bytes": null, "path": "a.png"}, "label": 1}\n')
    assert open_file(path).columns == ["image", "label"]


# --- lines of fastText ------------------------------------------------------------------------------------


def test_lines_of_fasttext(tmp_path):
    lines = ["__label__good what a day", "__label__bad , no", "without", "__label__a __label__b both", ""]
    path = write(tmp_path / "train.txt", "\n".join(lines * 2))
    several, none = "several labels in one line", "no label: the line does not begin with __label__"
    assert open_file(path).columns == ["label", "sentence"]
    assert rows(path) == [["good", "what a day"], ["bad", "no"], none, several] * 2
    assert "several labels" in refused(write(tmp_path / "m.txt", "__label__a __label__b x\n" * 5)).problem


# --- packed files -----------------------------------------------------------------------------------------


def packed(path: Path, names: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in names.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, data in names.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
    ],
)
def test_one_packed_table(tmp_path, suffix, pack):
    path = write(tmp_path / f"t.csv{suffix}", pack(BODY.encode()))
    assert is_table(path)
    assert (open_file(path).path, rows(path)) == (path, [["one text", "a"], ["another text", "b"]])
    path = write(tmp_path / f"t.json{suffix}", pack(json.dumps(RECORDS).encode()))
    assert rows(path) == WANTED
    assert "damaged" in refused(write(tmp_path / f"d.csv{suffix}", pack(BODY.encode() * 50)[:-9])).problem


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_table_alone_in_an_archive(tmp_path, suffix):
    about = {"set/README": b"x", "set/license.txt": b"x", "__MACOSX/set/._t.csv": b"x", ".DS_Store": b"x"}
    path = packed(tmp_path / f"s{suffix}", {"set/t.csv": BODY.encode(), **about})
    assert is_table(path)
    assert rows(path) == [["one text", "a"], ["another text", "b"]]
    assert notes(path) == "its rows are in t.csv"
    sms = "\n".join("\t".join(row) for row in SMS).encode()
    assert rows(packed(tmp_path / f"sms{suffix}", {"SMSCollection": sms, "readme": b"x"})) == SMS
    assert not is_table(packed(tmp_path / f"i{suffix}", {"a/1.png": b"x", "t.csv": b"x"}))
    with pytest.raises(DataError, match="2 tables are packed in it"):
        is_table(packed(tmp_path / f"two{suffix}", {"train.csv": b"x", "test.csv": b"x"}))


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path):
    path = write(tmp_path / "t.csv.gz", gzip.compress(bytes(12 * 2**20)))
    assert "unpacks to more than 200 times" in refused(path).problem


# --- names that say little --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iris.data", "table.txt", "SMSCollection", "t.dat"])
def test_tables_under_other_names(tmp_path, name):
    path = write(tmp_path / name, "\n".join("\t".join(row) for row in SMS))
    assert is_table(path)
    assert rows(path) == SMS


def test_prose_is_no_table(tmp_path):
    text = "It was late, and dark.\nNobody came.\nWe waited, as ever, for the bus, and then\nwent home.\n" * 5
    path = write(tmp_path / "story.txt", text)
    assert not is_table(path)
    assert "not a table" in refused(path).problem
    assert "as CSV" in refused(write(tmp_path / "t.xlsx", b"PK\x03\x04")).remedy


def test_pointers_of_git_lfs_are_told(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    for name in ("t.csv", "t.parquet", "t.zip", "t.csv.gz"):
        error = refused(write(tmp_path / name, pointer))
        assert "Git LFS" in error.problem
        assert "git lfs pull" in error.remedy

"""What `predict` is asked: rows of tables, lines of standard input, values from Python; answers as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

import bessemer as bs
from bessemer.cli import app
from bessemer.data.dataset import Samples
from bessemer.data.text.config import TokenizerConfig
from bessemer.data.text.tokenize import train_tokenizer
from bessemer.errors import ArtifactError, UsageError
from bessemer.export import predictor as room
from bessemer.export.predictor import Predictor, find_export

TEXTS = ["ham and eggs", "spam for you", "eggs and ham", "you, spam"]
CLASSES = ["ham", "spam"]
WANTED = ["ham", "spam", "ham", "spam"]
Write = Callable[[Path], None]


class SeesSpam:
    """In place of ONNX Runtime: the second class where the tokens of `spam` are there, sure to 1 / (1 + 1/e)."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        tokenizer = bs.data.text.tokenize.load_tokenizer(path.parent / "tokenizer.json")
        self.spam = tokenizer.encode(" spam")[-1]
        self.also = tokenizer.encode("spam")[-1]

    def logits(self, inputs: Any) -> Any:
        seen = np.isin(inputs, [self.spam, self.also]).any(1)
        return np.stack([~seen, seen], 1).astype(np.float32)


@pytest.fixture
def mails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of texts from a table with the columns `body` and `topic`."""
    folder = tmp_path / "runs" / "mails" / "export" / "onnx"
    folder.mkdir(parents=True)
    words = train_tokenizer(TEXTS * 3, TokenizerConfig(vocabulary=300))
    (folder / "tokenizer.json").write_text(words.to_json())
    about = {"task": "classify", "modality": "text", "html": "auto", "max_tokens": 32, "classes": CLASSES}
    about |= {"piece_characters": None, "columns": {"text": "body", "label": "topic"}}
    (folder / "preprocess.json").write_text(json.dumps(about))
    (folder / "model.onnx").touch()
    monkeypatch.setattr(room, "OnnxModel", SeesSpam)
    return tmp_path / "runs" / "mails"


def as_csv(path: Path) -> None:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "body", "predicted"])
        out.writerows([number, text, "?"] for number, text in enumerate(TEXTS))


def as_tsv(path: Path) -> None:
    path.write_text("body\tid\n" + "".join(f"{text}\t{number}\n" for number, text in enumerate(TEXTS)))


def as_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps({"id": 1, "body": text}) + "\n" for text in TEXTS))


def as_parquet(path: Path) -> None:
    pq.write_table(pa.table({"body": TEXTS, "id": [1, 2, 3, 4]}), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.csv", as_csv), ("a.tsv", as_tsv), ("a.jsonl", as_jsonl), ("a.parquet", as_parquet)],
)
def test_a_table_is_read_row_by_row_by_the_recipes_column(
    name: str, write: Write, mails: Path, tmp_path: Path
) -> None:
    write(tmp_path / name)
    found = list(Predictor(mails).predict([tmp_path / name]))
    assert [one["class"] for one in found] == WANTED
    assert [one["row"] for one in found] == [1, 2, 3, 4]
    assert {one["path"] for one in found} == {str(tmp_path / name)}


def test_a_row_that_says_nothing_gets_a_reason_and_the_others_their_class(mails: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('body,id\n"",1\nspam,2\nspam\n')
    empty, spam, short = Predictor(mails).predict([tmp_path / "a.csv"])
    assert empty["error"] == "empty text"
    assert spam["class"] == "spam"
    assert short == {"path": str(tmp_path / "a.csv"), "row": 3, "error": "wrong number of columns"}


def test_a_table_without_the_column_says_which_it_has(mails: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,id\nspam,1\n")
    (found,) = Predictor(mails).predict([tmp_path / "a.csv"])
    assert found["error"] == "no column 'body'; its columns are text, id"
    (found,) = Predictor(mails, column="text").predict([tmp_path / "a.csv"])
    assert (found["row"], found["class"]) == (1, "spam")


def test_lines_of_standard_input_are_texts(mails: Path) -> None:
    done = CliRunner().invoke(app, ["predict", str(mails), "-"], input="ham now\n\nspäm spam\r\n")
    assert done.exit_code == 0, done.output
    first, second, third = done.stdout.splitlines()
    assert first == "-, row 1: ham 73.1%  spam 26.9%"
    assert second == "-, row 2: cannot be read: empty text"
    assert third.startswith("-, row 3: spam 73.1%")


def test_answers_are_written_beside_the_rows_own_columns(mails: Path, tmp_path: Path) -> None:
    as_csv(tmp_path / "a.csv")
    done = CliRunner().invoke(app, ["predict", str(mails), str(tmp_path / "a.csv"), "-o", str(tmp_path / "o.csv")])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"4 answers: {tmp_path / 'o.csv'}\n"
    with (tmp_path / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["body"] for row in rows] == TEXTS
    assert [row["predicted"] for row in rows] == ["?"] * 4  # the row's own column of that name stays
    assert [row["predicted (model)"] for row in rows] == WANTED
    sure = 1 / (1 + np.exp(-1))
    assert float(rows[1]["probability of spam"]) == pytest.approx(sure)
    assert float(rows[1]["probability of ham"]) == pytest.approx(1 - sure)


def test_answers_of_files_and_lines_of_json(mails: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("spam")
    (tmp_path / "none.txt").write_text("")
    command = ["predict", str(mails), str(tmp_path / "letter.txt"), str(tmp_path / "none.txt")]
    done = CliRunner().invoke(app, [*command, "--top", "1", "-o", str(tmp_path / "o.jsonl")])
    assert done.exit_code == 0, done.output
    first, second = map(json.loads, (tmp_path / "o.jsonl").read_text().splitlines())
    assert first == {
        "path": str(tmp_path / "letter.txt"),
        "predicted": "spam",
        "probability": pytest.approx(0.731, abs=1e-3),
    }
    assert second == {"path": str(tmp_path / "none.txt"), "error": "empty file"}


@pytest.mark.parametrize(
    ("out", "said"),
    [("o.xls", "answers are written as"), ("a.csv", "one of the inputs"), ("x/o.csv", "no folder")],
)
def test_a_place_that_answers_cannot_go_to_is_refused_first(
    out: str, said: str, mails: Path, tmp_path: Path
) -> None:
    as_csv(tmp_path / "a.csv")
    before = (tmp_path / "a.csv").read_bytes()
    done = CliRunner().invoke(app, ["predict", str(mails), str(tmp_path / "a.csv"), "-o", str(tmp_path / out)])
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert (tmp_path / "a.csv").read_bytes() == before


def test_from_python_texts_rows_files_and_frames_get_names_of_classes(mails: Path, tmp_path: Path) -> None:
    assert [one["class"] for one in bs.predict(mails, TEXTS)] == WANTED
    assert [one["class"] for one in bs.predict(mails, [{"body": text, "id": 3} for text in TEXTS])] == WANTED
    (one,) = bs.predict(mails, {"body": "spam"}, top=1)
    assert one == {
        "row": 1,
        "class": "spam",
        "top": [{"class": "spam", "probability": pytest.approx(0.731, abs=1e-3)}],
    }
    as_csv(tmp_path / "a.csv")
    assert [one["class"] for one in bs.predict(mails, tmp_path / "a.csv")] == WANTED
    assert [one["class"] for one in bs.predict(mails, str(tmp_path / "a.csv"))] == WANTED

    class Frame:
        """As a data frame of pandas gives its rows."""

        def to_dict(self, form: str) -> list[dict[str, Any]]:
            assert form == "records"
            return [{"body": text} for text in TEXTS]

    assert [one["class"] for one in bs.predict(mails, Frame())] == WANTED


def test_from_python_what_is_no_sample_is_refused_by_name(mails: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="row 2 has no 'body'; it has text"):
        bs.predict(mails, [{"body": "a"}, {"text": "b"}])
    with pytest.raises(UsageError, match="row 1 is a int"):
        bs.predict(mails, [3])
    (tmp_path / "letter.txt").write_text("spam")
    with pytest.raises(UsageError, match="is the name of a file"):
        bs.predict(mails, [str(tmp_path / "letter.txt")])
    with pytest.raises(UsageError, match="seed: of a language model, and this one is of task classify"):
        bs.predict(mails, TEXTS, seed=3)


def test_a_model_of_files_reads_the_column_that_is_named_so(mails: Path, tmp_path: Path) -> None:
    path = mails / "export" / "onnx" / "preprocess.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"columns": None}))
    (tmp_path / "a.csv").write_text("id,Text\n1,spam\n2,ham\n")
    assert [one["class"] for one in Predictor(mails).predict([tmp_path / "a.csv"])] == ["spam", "ham"]
    (tmp_path / "b.csv").write_text("id,said\n1,spam\n2,ham\n")
    (found,) = Predictor(mails).predict([tmp_path / "b.csv"])
    assert found["error"] == "a table; say with --column which of its columns holds the texts: id, said"


@pytest.mark.parametrize("place", ["", "model", "report.html", "recipe.yaml", "export", "export/onnx/model.onnx"])
def test_what_stands_in_a_run_means_the_run(place: str, mails: Path) -> None:
    (mails / "model").mkdir()
    (mails / "report.html").touch()
    (mails / "recipe.yaml").write_text("name: mails\n")
    assert find_export(mails / place).resolve() == (mails / "export" / "onnx").resolve()


def test_a_recipe_means_its_run(mails: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "post.yaml").write_text("name: mails\n")
    assert find_export(Path("post.yaml")) == Path("runs/mails/export/onnx")
    (tmp_path / "post.yaml").write_text("name: other\n")
    with pytest.raises(ArtifactError, match="no exported model in it, nor in runs/other"):
        find_export(Path("post.yaml"))
    with pytest.raises(ArtifactError, match="a folder of runs") as caught:
        find_export(Path("runs"))
    assert "runs/mails" in caught.value.remedy


def test_pictures_by_path_or_bytes_in_a_table_and_from_standard_input(
    fp32_file: Path, samples: Samples, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(fp32_file.read_bytes())
    about = {"size": [8, 8], "color": "gray", "classes": ["top", "middle", "bottom"]}
    about["columns"] = {"image": "file", "label": "label"}
    (folder / "preprocess.json").write_text(json.dumps(about))
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    for index in range(3):
        Image.fromarray(samples.inputs[index][..., 0]).save(data / "sub" / f"{index}.png")
    (data / "a.csv").write_text("file\nsub/0.png\nsub/1.png\nsub/9.png\n")
    bytes_of = [(data / "sub" / f"{index}.png").read_bytes() for index in range(3)]
    pq.write_table(pa.table({"file": bytes_of}), data / "b.parquet")
    wanted = [about["classes"][label] for label in samples.labels[:3]]
    predictor = Predictor(folder)
    *found, missing = predictor.predict([data / "a.csv"])
    assert [one["class"] for one in found] == wanted[:2]
    assert missing["error"] == "missing file ('sub/9.png')"
    assert [one["class"] for one in predictor.predict([data / "b.parquet"])] == wanted
    ((_, one),) = predictor.answers([Path("-")], stream=io.BytesIO(bytes_of[2]))
    assert one["class"] == wanted[2]
    assert [one["class"] for one in bs.predict(folder, bytes_of)] == wanted

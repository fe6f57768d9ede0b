"""A whole run of language modelling: from raw text to a report, and what it refuses."""

from __future__ import annotations

import json
import math
import shutil
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import bessemer as bs
from bessemer.cli import app
from bessemer.data.dataset import Dataset
from bessemer.data.stream import IGNORED
from bessemer.data.text.tokenize import load_tokenizer
from bessemer.errors import DataError, RecipeError, UsageError
from bessemer.export.predictor import Predictor
from bessemer.export.session import OnnxModel
from bessemer.pipeline import Run, preview
from bessemer.recipe import load_recipe
from bessemer.report.table import summary_table
from bessemer.task.language.objective import token_losses
from bessemer.task.language.starter import write_language_recipe

RECIPE = Path(__file__).parent / "recipes" / "language.yaml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return bs.run(RECIPE, tmp_path_factory.mktemp("finished") / "run")


def prepared(run: Run) -> Dataset:
    (folder,) = (run.path / "stages").glob("prepare-*")
    return Dataset(folder)


def test_the_report_holds_bits_per_byte_beside_a_baseline(finished: Run) -> None:
    report = finished.report
    assert [row["stage"] for row in report["stages"]] == ["prepare", "train", "evaluate", "export"]
    found = report["metrics"]["shipped"]["bits_per_byte"]
    assert found["low"] < found["value"] < found["high"]
    assert found["value"] < 6  # a byte knows nothing at 8
    assert {one["name"].split()[0] for one in (report["baseline"], *report["baseline"]["also"])} == {
        "Kneser-Ney",
        "xz",
    }
    assert report["baseline"]["metrics"]["bits_per_byte"]["value"] < 4
    assert report["parity"]["parent fp32"]["agreement"] == 1.0
    curve = [point["validation"] for point in report["curves"]["parent"] if point["validation"] is not None]
    assert curve[-1] < curve[0]
    assert report["contract"] is None


def test_every_token_of_the_test_split_is_scored_once(finished: Run) -> None:
    data, scored = prepared(finished), finished.report["scored"]
    assert scored["bytes"] == data.about["text_bytes"]["test"]
    assert scored["bytes"] == sum(len(text.encode()) for text in data.texts("test"))
    assert scored["tokens"] == data.about["stream_tokens"]["test"] - 1
    assert scored["documents"] == data.about["splits"]["test"]


def test_bits_per_byte_are_those_of_the_torch_model_on_the_whole_stream(finished: Run) -> None:
    data, model = prepared(finished), bs.load(finished.path)
    windows, nats = data.windows("test", 32), 0.0
    for start in range(0, len(windows), 256):
        block = slice(start, start + 256)
        targets = torch.from_numpy(windows.labels[block])
        with torch.no_grad():
            nats += float(token_losses(model(torch.from_numpy(windows.inputs[block])), targets).sum())
    expected = nats / math.log(2) / data.about["text_bytes"]["test"]
    assert finished.report["metrics"]["parent"]["bits_per_byte"]["value"] == pytest.approx(expected, rel=1e-4)


def test_white_space_of_source_code_is_kept(finished: Run) -> None:
    import sysconfig

    data, root = prepared(finished), Path(sysconfig.get_paths()["stdlib"])
    texts = {name: data.text(place) for place, name in enumerate(data.names(np.arange(data.about["kept"])))}
    same = [(root / name).read_bytes().decode("utf-8", "replace") == text for name, text in texts.items()]
    assert np.mean(same) > 0.95  # a few files are repaired (Unicode, odd encodings)
    assert any("\n\n\n" in text for text in texts.values())


def test_batches_say_the_next_token(finished: Run) -> None:
    windows = prepared(finished).windows("train", 32)
    some = windows.at(np.array([0, 5, len(windows) - 1]))
    assert (some.inputs.dtype, some.labels.dtype) == (np.int32, np.int64)
    assert np.array_equal(some.inputs[:2, 1:], some.labels[:2, :-1])
    last = some.labels[2]
    real = last != IGNORED
    assert last[real][-1] == prepared(finished).about["end"]  # the last document ends


def test_a_second_run_does_nothing_and_training_can_be_resumed_alone(finished: Run) -> None:
    assert bs.run(RECIPE, finished.path).did_nothing


def test_the_page_the_terminal_and_the_card_tell_of_bits_and_not_of_classes(finished: Run) -> None:
    page = (finished.path / "report.html").read_text()
    card = (finished.path / "model" / "card.md").read_text()
    table = summary_table(finished.report)
    for text in (page, card, table):
        assert "bits per byte" in text
        assert "accuracy" not in text.lower().replace("accuracy that may be lost", "")
    assert 'id="continuations"' in page
    for name in ("confusion", "classes", "mistakes", "ledger", "candidates"):
        assert f'id="{name}"' not in page
    assert "pipeline_tag: text-generation" in card
    assert "Kneser-Ney" in table
    assert "contract" not in table


def test_continuations_are_of_test_documents(finished: Run) -> None:
    (block,) = finished.report["sections"]["continuations"]["blocks"]
    shown = block["passages"]
    assert len(shown) == 4
    texts = dict(zip(*[[*map(str, row)] for row in _named(prepared(finished))], strict=True))
    for one in shown:
        assert texts[one["path"]].startswith(one["start"] + one["rest"][:20])
        assert one["added"] or one["ended"]


def _named(data: Dataset) -> tuple[list[str], list[str]]:
    return data.names(data.positions("test")), list(data.texts("test"))


def test_predict_judges_a_file_and_goes_on(finished: Run, tmp_path: Path) -> None:
    text = "import os\n\n\ndef name(path):\n\treturn os.path.basename(path)\r\n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    done = CliRunner().invoke(app, ["predict", str(finished.path), str(tmp_path / "a.txt"), "--json"])
    (found,) = json.loads(done.output)
    tokenizer = load_tokenizer(finished.path / "export" / "onnx" / "tokenizer.json")
    tokens = [tokenizer.end, *tokenizer.encode(text), tokenizer.end]
    model = bs.load(finished.path)
    nats = 0.0
    for start in range(0, len(tokens) - 1, 32):
        part = torch.tensor([tokens[start : start + 33]])
        with torch.no_grad():
            nats += float(token_losses(model(part[:, :-1]), part[:, 1:]).sum())
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / len(text.encode()), rel=1e-4)
    assert found["bytes"] == len(text.encode())
    again = next(Predictor(finished.path).predict([tmp_path / "a.txt"]))
    assert again == found
    shown = CliRunner().invoke(app, ["predict", str(finished.path), str(tmp_path / "a.txt")]).output
    assert "bits per byte" in shown


def test_a_continuation_has_a_length_a_seed_and_a_temperature(finished: Run) -> None:
    def said(**says: float) -> str:
        (answer,) = bs.predict(finished.path, ["import os\n"], **says)
        return str(answer["continuation"])

    assert said(tokens=0) == ""
    assert said(tokens=20) == said(tokens=20, seed=0)
    assert said(tokens=20) != said(tokens=20, seed=1)
    assert said(tokens=20, temperature=0, seed=1) == said(tokens=20, temperature=0, seed=2)
    with pytest.raises(UsageError, match="none of them can be below 0"):
        said(temperature=-1)
    done = CliRunner().invoke(
        app, ["predict", str(finished.path), "-", "--tokens", "5"], input="import os\nx = 1\n"
    )
    assert done.output.count("bits per byte") == 2


def test_the_exported_file_takes_any_batch_and_length(finished: Run) -> None:
    file, model = OnnxModel(finished.path / "export" / "onnx" / "model.onnx"), bs.load(finished.path)
    for batch, length in ((1, 1), (3, 32), (2, 7)):
        tokens = torch.randint(0, 512, (batch, length), dtype=torch.int32)
        with torch.no_grad():
            assert np.allclose(file(tokens.numpy()), model(tokens).numpy(), atol=1e-4)


# --- compression ----------------------------------------------------------------------------------------

PRUNED = {
    "ladder": [0.5],
    "formats": ["fp32"],  # int8 may be slower than floats on so small a model, and is then refused
    "contract": {"max_drop": "20%", "min_speedup": None},
    "train": {"epochs": 1},
}


@pytest.fixture(scope="module")
def compressed(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same model with half of the neurons, learned under the parent."""
    folder = Path(shutil.copytree(finished.path, tmp_path_factory.mktemp("compressed") / "run"))
    return bs.run(RECIPE, folder, set={"compress": PRUNED})


def test_a_language_model_is_pruned_under_a_contract_in_bits_per_byte(compressed: Run, finished: Run) -> None:
    report = compressed.report
    assert [row["cached"] for row in report["stages"]] == [True, True, True, False, False]
    (one,) = report["contract"]["candidates"]
    assert one["name"] == "keep 0.5 fp32"
    assert one["parameters"] < report["sizes"]["parent"]["parameters"]
    assert one["drop"] == pytest.approx(one["quality"] - one["parent_quality"])
    drop = report["contract"]["verdict"][0]
    before, after = (report["metrics"][role]["bits_per_byte"]["value"] for role in ("parent", "shipped"))
    assert drop["limit"] == pytest.approx(0.2 * before)
    assert drop["value"] == pytest.approx(after - before)
    (row,) = report["ledger"]
    assert row["technique"] == "channel pruning + distillation"
    assert row["low"] <= row["quality"] <= row["high"]
    assert row["quality"] == pytest.approx(before - after)
    assert "bits per byte change at most" in summary_table(report)


def test_a_decoder_in_integers_says_nearly_the_same(finished: Run, tmp_path: Path) -> None:
    network = bs.load(finished.path)
    windows = prepared(finished).windows("train", network.context)
    integer, _ = bs.quantize(network, torch.from_numpy(windows.inputs[:64]))
    some = torch.from_numpy(prepared(finished).windows("test", network.context).inputs[:8])
    bs.export_onnx(integer, some, tmp_path / "int8.onnx")
    file = OnnxModel(tmp_path / "int8.onnx")(some.numpy())
    with torch.no_grad():
        expected, simulated = network(some).numpy(), integer(some).numpy()
    assert np.abs(file - simulated).max() < 0.2 * np.abs(simulated).max()
    assert float(np.mean(file.argmax(2) == simulated.argmax(2))) > 0.95
    assert float(np.mean(file.argmax(2) == expected.argmax(2))) > 0.85
    assert (tmp_path / "int8.onnx").stat().st_size < 0.6 * (
        finished.path / "export/onnx/model.onnx"
    ).stat().st_size


# --- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"data.unit": "line"}, "reads whole documents"),
        ({"train.label_smoothing": 0.1}, "label_smoothing changes labels"),
        ({"data.text.tokenizer.kind": "wordpiece"}, "must know every byte"),
        ({"data.source": "digits"}, "needs text, and this is image"),
        ({"task": "classify"}, "stdlib has no classes"),
        ({"model.name": "encoder"}, "set model.name to gpt"),
        ({"augment.token_delete": 0.1}, "takes text as it is"),
        ({"model.heads": 3}, "even multiple of model.heads"),
    ],
)
def test_what_does_not_go_with_the_task_is_refused(setting: dict[str, Any], message: str, tmp_path: Path) -> None:
    text = RECIPE.read_text()
    if {"task", "model.name"} & setting.keys():  # so that no other key is in the way
        text = "\n".join(line for line in text.splitlines() if not line.startswith("model"))
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "r.yaml", setting)


def test_there_is_nothing_to_preview() -> None:
    with pytest.raises(UsageError, match="nothing to preview"):
        preview(RECIPE)


# --- what init writes -----------------------------------------------------------------------------------


def words(seed: int, count: int = 120) -> str:
    known = ["".join(one) for one in np.random.default_rng(5).choice(list("aeioubdgklmn"), (60, 5))]
    return " ".join(np.random.default_rng(seed).choice(known, count)) + "\n"


@pytest.mark.parametrize("kind", ["folder", "file", "table"])
def test_init_writes_a_recipe_that_prepares(kind: str, tmp_path: Path) -> None:
    data = tmp_path / "x"
    if kind == "folder":
        for number in range(30):
            (data / f"d{number % 3}").mkdir(parents=True, exist_ok=True)
            (data / f"d{number % 3}" / f"{number}.txt").write_text(words(number))
    elif kind == "file":
        data = tmp_path / "x.txt"
        data.write_text("".join(words(number) for number in range(60)))
    else:
        data = tmp_path / "x.jsonl"
        rows = [{"body": words(number), "label": "ab"[number % 2]} for number in range(30)]
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = write_language_recipe(data, tmp_path / "r.yaml")
    assert "MB of text" in said
    recipe = load_recipe(tmp_path / "r.yaml")
    assert (recipe.name, recipe.task, recipe.compress, recipe.model.name) == ("x", "language", None, "gpt")
    run = bs.run(tmp_path / "r.yaml", tmp_path / "run", until="prepare")
    assert all(run.report["data"]["splits"].values())
    assert run.report["data"]["kept"] == int(said.split()[0].replace(",", ""))


def test_init_refuses_what_is_not_there_and_what_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        write_language_recipe(tmp_path / "none", tmp_path / "r.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no text file in it"):
        write_language_recipe(tmp_path / "empty", tmp_path / "r.yaml")


def test_a_run_leaves_one_prepared_folder(finished: Run) -> None:
    assert len(glob(str(finished.path / "stages" / "prepare-*"))) == 1

"""A whole run, what it leaves, what it does again, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import bessemer as bs
from bessemer.artifact import lock
from bessemer.data.dataset import Dataset
from bessemer.errors import ArtifactError, ContractError, RunInUseError, StorageError, UsageError
from bessemer.export.session import OnnxModel
from bessemer.pipeline import STAGES, Run
from bessemer.recipe import load_recipe
from bessemer.report.events import read_events
from bessemer.report.tracking import curves
from bessemer.runtime import Progress

TINY = Path(__file__).parent / "recipes" / "tiny.yaml"
KEYS = {"version", "recipe", "seed", "machine", "data", "stages", "metrics", "contract", "parity", "ledger"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return bs.run(TINY, tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def copy(finished: Run, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished.path, tmp_path / "run"))


def cached(run: Run) -> dict[str, bool]:
    return {row["stage"]: row["cached"] for row in run.stages}


def prepared(run: Path) -> Dataset:
    (folder,) = (run / "stages").glob("prepare-*")
    return Dataset(folder)


def test_a_run_leaves_what_the_design_promises(finished: Run) -> None:
    folder = finished.path
    for name in (
        "recipe.yaml",
        "report.json",
        "report.html",
        "log.jsonl",
        "model/card.md",
        "export/onnx/model.onnx",
    ):
        assert (folder / name).stat().st_size > 0, name
    report = json.loads((folder / "report.json").read_text())
    assert report.keys() >= KEYS
    assert report["metrics"].keys() == {"parent", "shipped"}
    assert report["parity"]["parent fp32"]["agreement"] == 1.0
    assert [row["stage"] for row in report["stages"]] == ["prepare", "train", "evaluate", "compress", "export"]
    assert [json.loads(line)["event"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert list((folder / "events" / "parent").glob("events.out.tfevents.*"))


def test_events_are_the_curves_of_the_report(finished: Run) -> None:
    every = curves(finished.report)
    assert every.keys() == {"parent", "keep 0.25"}
    for name, points in every.items():
        shown = read_events(finished.path / "events" / name)
        for key, of in (("loss", "loss"), ("learning_rate", "rate"), ("validation", "validation")):
            told = [(point["step"], point[of]) for point in points if point[of] is not None]
            assert [step for step, _ in shown[key]] == [step for step, _ in told]
            assert np.allclose([value for _, value in shown[key]], [value for _, value in told], rtol=1e-6)


def test_the_report_says_what_trainings_took_and_their_artifacts_do_not(finished: Run) -> None:
    told = finished.report["training"]
    assert told.keys() == {"parent", "keep 0.25"}
    assert told["parent"]["seconds"] > 0
    assert told["parent"]["memory"] > 1e7
    (stage,) = (finished.path / "stages").glob("train-*")
    assert json.loads((stage / "manifest.json").read_text())["training"] == {"parent": told["parent"]}
    files = [path.read_bytes() for path in stage.rglob("*") if path.name != "manifest.json" and path.is_file()]
    assert not any(b'"attempts"' in content for content in files)


def test_tracking_is_no_part_of_what_a_stage_depends_on() -> None:
    plain, tracked = load_recipe(TINY), load_recipe(TINY, {"track": "mlflow"})
    for stage in STAGES:
        assert stage.settings(plain) == stage.settings(tracked)


def test_the_report_says_what_the_files_say(finished: Run) -> None:
    report = finished.report
    size = (finished.path / "export" / "onnx" / "model.onnx").stat().st_size
    assert report["contract"]["measured"]["bytes"] == report["sizes"]["shipped"]["bytes"] == size
    test = prepared(finished.path).split("test")
    logits = OnnxModel(finished.path / "export" / "onnx" / "model.onnx").logits(test.inputs)
    accuracy = float(np.mean(logits.argmax(1) == test.labels))
    assert report["metrics"]["shipped"]["accuracy"]["value"] == accuracy
    parent = report["metrics"]["parent"]["accuracy"]["value"]
    assert report["contract"]["measured"]["drop"] == pytest.approx(parent - accuracy)


def test_a_second_run_does_nothing(finished: Run) -> None:
    before = (finished.path / "report.json").stat().st_mtime_ns
    again = bs.run(TINY, finished.path)
    assert again.did_nothing
    assert (finished.path / "report.json").stat().st_mtime_ns == before
    assert again.report["metrics"] == finished.report["metrics"]


def test_a_shorter_run_keeps_the_report_of_the_whole_one(finished: Run) -> None:
    again = bs.run(TINY, finished.path, until="train")
    assert again.report["metrics"] == finished.report["metrics"]
    assert json.loads((finished.path / "report.json").read_text())["metrics"]["shipped"]


def test_another_recipe_in_a_finished_folder_is_refused(copy: Path) -> None:
    with pytest.raises(UsageError, match="holds a run of the recipe 'tiny', not of 'other'"):
        bs.run(TINY, copy, set={"name": "other"})


def test_a_lost_export_is_put_back(copy: Path) -> None:
    shutil.rmtree(copy / "export")
    (copy / "report.html").unlink()
    assert bs.run(TINY, copy).did_nothing
    assert (copy / "export" / "onnx" / "model.onnx").exists()
    assert (copy / "report.html").exists()


def test_a_second_run_imports_no_torch(finished: Run) -> None:
    code = (
        "import sys, bessemer as bs\n"
        f"assert bs.run({str(TINY)!r}, {str(finished.path)!r}).did_nothing\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_changing_a_contract_runs_compress_and_export_and_trains_nothing(copy: Path) -> None:
    notes: list[str] = []

    class Listener(Progress):
        def note(self, text: str) -> None:
            notes.append(text)

    again = bs.run(TINY, copy, set={"compress.contract.max_drop": 0.99}, progress=Listener())
    assert cached(again) == {"prepare": True, "train": True, "evaluate": True, "compress": False, "export": False}
    assert any("kept from before" in note and "keep 0.25" in note for note in notes)


def test_changing_training_of_candidates_runs_compress_and_what_follows(copy: Path) -> None:
    again = bs.run(TINY, copy, set={"compress.train.epochs": 1})
    assert cached(again) == {"prepare": True, "train": True, "evaluate": True, "compress": False, "export": False}


def test_changing_the_checkpoint_interval_runs_nothing_of_training(copy: Path) -> None:
    again = bs.run(TINY, copy, set={"train.checkpoint_seconds": 9.0}, until="evaluate")
    assert all(cached(again).values())


def test_two_folders_get_the_same_bytes(finished: Run, tmp_path: Path) -> None:
    other = bs.run(TINY, tmp_path / "other", until="train")
    (a,) = (finished.path / "stages").glob("train-*/model/weights.safetensors")
    (b,) = (other.path / "stages").glob("train-*/model/weights.safetensors")
    assert a.read_bytes() == b.read_bytes()


def test_an_artifact_reloads_in_a_new_process_to_the_same_outputs(finished: Run, tmp_path: Path) -> None:
    images = torch.from_numpy(prepared(finished.path).split("test").inputs[:])
    with torch.no_grad():
        here = bs.load(finished.path)(images)
    np.save(tmp_path / "images.npy", images.numpy())
    code = (
        "import numpy, torch, bessemer as bs\n"
        f"torch.set_num_threads({torch.get_num_threads()})\n"
        f"images = torch.from_numpy(numpy.load({str(tmp_path / 'images.npy')!r}))\n"
        f"with torch.no_grad(): logits = bs.load({str(finished.path)!r})(images)\n"
        f"numpy.save({str(tmp_path / 'there.npy')!r}, logits)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert np.array_equal(np.load(tmp_path / "there.npy"), here.numpy())
    file = OnnxModel(finished.path / "export" / "onnx" / "model.onnx").logits(images.numpy())
    assert np.array_equal(file.argmax(1), here.numpy().argmax(1))


def test_an_impossible_contract_is_refused_with_all_candidates_shown(copy: Path) -> None:
    shutil.rmtree(copy / "model")
    shutil.rmtree(copy / "export")
    with pytest.raises(ContractError, match="no candidate meets the contract") as error:
        bs.run(TINY, copy, set={"compress.contract.max_bytes": 10})
    assert error.value.exit_code == 3
    assert "keep 0.25 int8" in str(error.value)
    assert "max_bytes" in str(error.value)
    assert not (copy / "model").exists()
    assert not (copy / "export").exists()
    report = json.loads((copy / "report.json").read_text())
    assert report["contract"]["met"] is False
    assert report["contract"]["chosen"] is None
    assert "refused" in (copy / "report.html").read_text()
    with pytest.raises(ContractError, match="no candidate meets"):  # and again, from the cache
        bs.run(TINY, copy, set={"compress.contract.max_bytes": 10})


def test_what_shipped_before_is_withdrawn_when_the_contract_is_refused(copy: Path) -> None:
    with pytest.raises(ContractError):
        bs.run(TINY, copy, set={"compress.contract.max_bytes": 10})
    assert not (copy / "model").exists()
    assert not (copy / "export" / "onnx").exists()


def test_without_compression_the_parent_ships(finished: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.path, tmp_path / "run"))
    run = bs.run(TINY, folder, set={"compress": None})
    assert run.report["contract"] is None
    assert run.report["metrics"]["shipped"] == run.report["metrics"]["parent"]
    images = torch.from_numpy(prepared(folder).split("test").inputs[:])
    with torch.no_grad():
        logits = bs.load(folder)(images).numpy()
    assert np.allclose(
        OnnxModel(folder / "export" / "onnx" / "model.onnx").logits(images.numpy()), logits, atol=1e-4
    )


@pytest.mark.parametrize(
    "part", ["train-*/model/weights.safetensors", "prepare-*/inputs/00000.bin", "export-*/facts.json"]
)
def test_a_tampered_artifact_is_refused(copy: Path, part: str) -> None:
    (path,) = (copy / "stages").glob(part)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ArtifactError, match=path.name) as error:
        bs.run(TINY, copy)
    assert error.value.exit_code == 5
    assert "delete" in error.value.remedy


def test_a_tampered_shipped_model_is_refused(copy: Path) -> None:
    path = copy / "model" / "weights.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ArtifactError, match="weights"):
        bs.load(copy)


@pytest.mark.faults
def test_a_run_folder_in_use_names_its_holder(tmp_path: Path) -> None:
    with lock(tmp_path / "run"), pytest.raises(RunInUseError, match=f"process {os.getpid()}") as error:
        bs.run(TINY, tmp_path / "run")
    assert error.value.exit_code == 2


def test_a_full_disk_is_said_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """The kernel itself refuses: no file of the run may grow over 60 kB."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))\n"
        f"sys.argv = ['bessemer', 'train', {str(TINY)!r}, '-o', {str(tmp_path / 'run')!r}]\n"
        "from bessemer.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == StorageError.exit_code, done.stderr
    assert "cannot be written" in done.stderr
    assert "free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in tmp_path.rglob("*.tmp-*")]
    again = bs.run(TINY, tmp_path / "run", until="train")
    assert again.stages[-1]["stage"] == "train"


def test_predict_reads_image_files(finished: Run, tmp_path: Path) -> None:
    test = prepared(finished.path).split("test")
    for i in range(5):
        Image.fromarray(test.inputs[i][..., 0]).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"no")
    command = [sys.executable, "-m", "bessemer", "predict", str(finished.path), str(tmp_path), "--json"]
    results: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    logits = OnnxModel(finished.path / "export" / "onnx" / "model.onnx").logits(test.inputs[:5])
    classes = prepared(finished.path).about["classes"]
    assert [row.get("class") for row in results] == [classes[i] for i in logits.argmax(1)] + [None]
    assert results[-1]["error"] == "not an image"
    assert all(0 <= one["probability"] <= 1 for row in results[:-1] for one in row["top"])


def test_two_processes_train_the_same_model(finished: Run, tmp_path: Path) -> None:
    two = bs.run(TINY, tmp_path / "two", until="train", nproc=2)
    (one_file,) = (finished.path / "stages").glob("train-*/history.json")
    (two_file,) = (two.path / "stages").glob("train-*/history.json")
    one_history, two_history = json.loads(one_file.read_text()), json.loads(two_file.read_text())
    assert [point["step"] for point in one_history] == [point["step"] for point in two_history]
    losses = [[point["loss"] for point in history] for history in (one_history, two_history)]
    assert np.allclose(losses[0][:20], losses[1][:20], rtol=1e-4)


def test_nproc_that_does_not_divide_the_batch_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bessemer", "train", str(TINY), "-o", str(tmp_path / "run"), "--nproc", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "a multiple of 64" in done.stderr

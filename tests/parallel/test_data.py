"""Two processes learn what one learns. One launch of two ranks serves all tests here."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from bessemer.parallel.data import mean_over_ranks, process_group, replicate, without_sync
from bessemer.runtime import Runtime
from bessemer.train.checkpoint import load_checkpoint

WORKER = Path(__file__).with_name("worker.py")
pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Launch:
    """What both ranks wrote, and the same training in this process."""

    folder: Path
    ranks: list[dict[str, Any]]
    worker: dict[str, Any]
    alone: Any

    def weights(self, rank: int) -> dict[str, torch.Tensor]:
        return load_file(self.folder / f"{rank}.st")


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(WORKER), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    worker = runpy.run_path(str(WORKER))
    return Launch(folder, ranks, worker, worker["train"](Runtime()))


def test_the_ranks_meet_over_gloo_and_part_again(launch: Launch) -> None:
    for rank in launch.ranks:
        assert (rank["backend"], rank["world"], rank["left"]) == ("gloo", 2, False)


def test_two_processes_have_the_losses_of_one(launch: Launch) -> None:
    alone = [point["loss"] for point in launch.alone.history]
    assert len(alone) == launch.worker["STEPS"]
    np.testing.assert_allclose(launch.ranks[0]["losses"], alone, rtol=1e-5)
    assert launch.ranks[0]["losses"] == launch.ranks[1]["losses"]


def test_windows_with_few_targets_weigh_as_little_as_in_one_process(launch: Launch) -> None:
    alone = launch.worker["ragged"](Runtime())
    for rank in launch.ranks:
        np.testing.assert_allclose(rank["ragged"], alone, rtol=1e-5, atol=1e-6)


def test_weights_and_running_statistics_are_those_of_one_process(launch: Launch) -> None:
    expected, found = launch.alone.model.state_dict(), launch.weights(0)
    assert expected.keys() == found.keys()
    assert any("running_var" in name for name in found)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


def test_both_ranks_end_with_the_same_bits(launch: Launch) -> None:
    first, second = launch.weights(0), launch.weights(1)
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_shares_put_together_are_the_global_batch_in_order(launch: Launch) -> None:
    batches = launch.worker["batches"]()
    for step, shares in enumerate(zip(launch.ranks[0]["shares"], launch.ranks[1]["shares"], strict=True)):
        assert shares[0] + shares[1] == batches.batch(step).ids.tolist()


def test_means_over_ranks_keep_their_shapes(launch: Launch) -> None:
    for rank in launch.ranks:
        assert rank["means"] == [[0.5, 10.0], 1.0]


def test_a_run_of_two_processes_goes_on_in_one(launch: Launch) -> None:
    assert [rank["cut"] for rank in launch.ranks] == ["PowerCut", "PowerCut"]
    steps: list[int] = []
    resumed = launch.worker["train"](Runtime(), launch.folder / "cut", steps.append)
    assert steps == [5, 6, 7, 8]
    expected = launch.alone.model.state_dict()
    for name, tensor in resumed.model.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5, msg=name)


def test_a_signal_to_one_rank_stops_both_with_their_state_saved(launch: Launch, notes: Any) -> None:
    assert [rank["stopped"] for rank in launch.ranks] == ["StoppedError", "StoppedError"]
    assert load_checkpoint(launch.folder / "stopped", notes()).step in (3, 4)


def test_one_process_does_not_touch_torch_distributed(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("torch.distributed was used")

    for name in ("init_process_group", "all_reduce", "destroy_process_group"):
        monkeypatch.setattr(torch.distributed, name, refuse)
    runpy.run_path(str(WORKER))["train"](runtime)
    with process_group(runtime):
        assert not torch.distributed.is_initialized()
    assert replicate(model, runtime) is model
    assert isinstance(without_sync(model, runtime, last=False), nullcontext)
    tensors = [torch.ones(2)]
    assert mean_over_ranks(tensors, runtime)[0] is tensors[0]

"""Rows 1, 9, 10 and 12: ranks that die, change in number, compute nonsense, or remember wrongly.

One launch of two ranks and one of four serve all tests here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bessemer.parallel.agree import any_ranks, checksum, difference, from_main
from bessemer.parallel.launch import FRESH_STORE
from bessemer.runtime import Runtime
from bessemer.train.checkpoint import load_checkpoint

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]
SECONDS_TO_GO_ON = 120  # far less on an idle machine; more means that a time-out of gloo was waited for


def launch(out: Path, world: int, *more: str) -> list[dict[str, Any]]:
    """Run ranks.py in `world` processes; what each rank found."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world}"]
    command += ["--max-restarts=1", str(Path(__file__).with_name("ranks.py")), str(out), *more]
    environment = {**os.environ, **FRESH_STORE, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((out / f"{world}-{rank}.json").read_text()) for rank in range(world)]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def ranks(out: Path) -> list[dict[str, Any]]:
    return launch(out, 2)


# --- row 1 ------------------------------------------------------------------------------------------------


def test_a_rank_killed_in_a_step_costs_nothing_but_time(ranks: Any, out: Path, tiny: Any) -> None:
    for rank in ranks:
        assert rank["killed"]["losses"] == rank["clean"]["losses"]
        assert rank["killed"]["weights"] == rank["clean"]["weights"]
        assert len(rank["clean"]["losses"]) == tiny.STEPS
    assert ranks[0]["killed"]["said"] == [f"going on from step 5 of {tiny.STEPS}"]
    step, began = ranks[0]["killed"]["steps"][0]
    seconds = began - float((out / "killed_at").read_text())
    assert step == 6
    assert 0 < seconds < SECONDS_TO_GO_ON
    print(f"{seconds:.1f} s from the kill to the next step")


# --- row 9 ------------------------------------------------------------------------------------------------


def test_two_ranks_then_one_then_four_see_the_same_samples_in_the_same_order(
    ranks: Any, out: Path, tiny: Any
) -> None:
    assert ranks[0]["two"]["error"].startswith("PowerCut")
    seen, whole = tiny.Seen(), tiny.Seen()
    with pytest.raises(tiny.PowerCut):
        tiny.train(out / "world", tiny.cut_at(6), [seen])
    four = launch(out, 4, "finish")
    result = tiny.train(methods=[whole])
    ids = {step: [*ranks[0]["two"]["ids"][str(step)], *ranks[1]["two"]["ids"][str(step)]] for step in range(3)}
    ids |= {step: seen.ids[step] for step in (3, 4)}
    for step in range(5, tiny.STEPS):
        ids[step] = [sample for rank in four for sample in rank["four"]["ids"][str(step)]]
    assert ids == whole.ids
    np.testing.assert_allclose(four[0]["four"]["losses"], tiny.losses(result), rtol=1e-4)


# --- row 10 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_fault_on_one_rank_is_skipped_by_all_and_moves_nothing(value: str, ranks: Any) -> None:
    for rank in ranks:
        assert rank[value]["safety"]["skipped"] == [4]
        assert rank[value]["losses"] == rank["alone"]["losses"]
        assert rank[value]["weights"] == rank["alone"]["weights"]  # of a run where all ranks had it
        assert rank[value]["weights"] != rank["clean"]["weights"]
    assert ranks[0][value]["said"][0] == f"step 4 skipped: the loss is {value}"


def test_three_faults_in_a_row_put_all_ranks_back(ranks: Any) -> None:
    for rank in ranks:
        assert rank["row"]["safety"]["skipped"] == [3, 4, 5]
        assert rank["row"]["safety"]["rewinds"] == [{"at": 5, "to": 3}]
    assert ranks[0]["row"]["weights"] == ranks[1]["row"]["weights"]


# --- row 12 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "step"), [("flip", 4), ("flip, seldom saved", 8)])
def test_one_flipped_bit_is_found_before_it_is_saved(
    name: str, step: int, ranks: Any, out: Path, tiny: Any
) -> None:
    for rank in ranks:
        assert rank[name]["error"].startswith(f"TrainingError: ranks 0, 1 differ in stem.0.weight at step {step}")
    state = load_checkpoint(out / ("flip" if name == "flip" else "seldom"), tiny.Watch())
    assert (state.step if state else 0) == (3 if name == "flip" else 0)


def test_the_rank_that_differs_from_most_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = torch.arange(6.0), torch.arange(6.0)
    wrong.view(torch.int32)[3] ^= 1 << 22

    def gather(every: list[torch.Tensor], mine: torch.Tensor) -> None:
        for rank, into in enumerate(every):
            into.copy_(torch.stack([mine[0], checksum(wrong if rank == 2 else right)]))

    monkeypatch.setattr(torch.distributed, "all_gather", gather)
    tensors = {"same": torch.ones(3), "weight": right}
    assert difference(tensors, Runtime(world=4)) == ("weight", [2])


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.bool])
def test_every_bit_of_every_kind_of_number_counts(kind: torch.dtype) -> None:
    tensor = torch.ones(4, 3).to(kind)
    before = int(checksum(tensor))
    raw = tensor.view(-1).view(torch.uint8)
    for bit in range(8 if kind != torch.bool else 1):
        for place in range(len(raw)):
            raw[place] ^= 1 << bit
            assert int(checksum(tensor)) != before
            raw[place] ^= 1 << bit
    assert int(checksum(tensor)) == before
    assert int(checksum(torch.tensor(7))) == 7
    assert int(checksum(torch.ones(0))) == 0


def test_one_process_agrees_with_itself() -> None:
    runtime = Runtime()
    assert difference({"a": torch.ones(1)}, runtime) is None
    assert from_main(7, runtime) == 7
    assert any_ranks([True, False], runtime) == [True, False]

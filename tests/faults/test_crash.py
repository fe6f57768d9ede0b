"""Rows 3 and 4: a save cut short after any of its file operations, by a kill or by a power cut.

The operations of real saves are recorded, and each state that the disk may be in is built and loaded.
"""

from __future__ import annotations

import json
import random
import runpy
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bessemer.artifact import write_atomic
from bessemer.train.checkpoint import TrainState, load_checkpoint, save_checkpoint

pytestmark = pytest.mark.faults
disk = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("disk.py"))))
STEPS = (10, 20, 30, 40)  # the first stands before the trace begins; from 30 on an older one is deleted
CUTS = 10  # lengths at which each write is torn
POWER_CUTS = 24  # after each operation
WANTED = 1000


def state_at(step: int) -> TrainState:
    generator = torch.Generator().manual_seed(step)
    weights = {name: torch.randn(40, 10, generator=generator) for name in ("first", "second")}
    moments = {0: {"exp_avg": torch.randn(40, 10, generator=generator), "step": torch.tensor(float(step))}}
    optimizer = {"state": moments, "param_groups": [{"lr": 0.1, "params": [0]}]}
    average = {"ema": {"first": torch.randn(40, 10, generator=generator)}}
    history = [{"step": one, "loss": 1 / one} for one in range(1, step)]
    return TrainState(step, weights, optimizer, average, history)


@dataclass
class Recording:
    """The operations of some saves, the disk before them, and the state of each step as bits."""

    before: Path
    trace: list[Any]
    expected: dict[int, Any]

    def replay(self, trace: list[Any] | None = None) -> Any:
        """After each operation: the disk, the operation, the step that is surely safe, the newest that may be."""
        found, done, begun = disk.Disk(self.before), STEPS[0], STEPS[0]
        for operation in self.trace if trace is None else trace:
            yield found, operation, done, begun
            found.do(operation)
            if operation.kind == "rename" and operation.other.name.startswith("checkpoint-"):
                begun = int(operation.other.name.split("-")[1])
            if operation.kind == "sync" and operation.path == Path():
                done = begun
        yield found, None, done, begun


@pytest.fixture(scope="module")
def recording(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("recording")
    work, before = folder / "work", folder / "before"
    save_checkpoint(work, state_at(STEPS[0]))
    shutil.copytree(work, before)
    with disk.recorded(work) as trace:
        for step in STEPS[1:]:
            save_checkpoint(work, state_at(step))
    assert sorted(path.name for path in work.iterdir()) == ["checkpoint-000000030", "checkpoint-000000040"]
    return Recording(before, trace, {step: tiny.bits(vars(state_at(step))) for step in STEPS})


def problem(tree: Any, folder: Path, tiny: Any, recording: Recording, least: int, most: int) -> str | None:
    """What is wrong with what would be loaded from a disk that looks like this."""
    disk.put(tree, folder)
    progress = tiny.Watch()
    state = load_checkpoint(folder, progress)
    set_aside = list(folder.glob("damaged-*"))
    shutil.rmtree(folder)
    if state is None:
        return "nothing can be loaded"
    if not least <= state.step <= most:
        return f"step {state.step} is loaded, not {least} to {most}"
    if tiny.bits(vars(state)) != recording.expected[state.step]:
        return f"step {state.step} is torn"
    if len(set_aside) != len(progress.said):
        return "a damaged checkpoint was passed over in silence"
    return None


def kill_states(recording: Recording) -> Any:
    """After each operation, and within each write, what a killed process leaves."""
    chance = random.Random(0)
    for found, operation, done, begun in recording.replay():
        yield found.now(), done, begun
        if operation is not None and operation.kind == "write":
            for _ in range(CUTS):
                cut = operation.data[: chance.randrange(len(operation.data))]
                torn = disk.Disk(recording.before)
                for earlier in recording.trace[: recording.trace.index(operation)]:
                    torn.do(earlier)
                torn.do(disk.Operation("write", operation.path, data=cut))
                yield torn.now(), done, begun


def power_states(recording: Recording, trace: list[Any] | None = None, cuts: int = POWER_CUTS) -> Any:
    """After each operation, what may be left when power goes: nothing that is not safe, some of it, most of it."""
    chance = random.Random(1)
    for found, _, done, begun in recording.replay(trace):
        for turn in range(cuts):
            yield found.after_power_cut(chance, turn / (cuts - 1)), done, begun


def test_the_recording_has_all_that_a_save_does(recording: Recording) -> None:
    kinds = [operation.kind for operation in recording.trace]
    saves = len(STEPS) - 1
    assert kinds.count("mkdir") == kinds.count("rename") == saves
    assert kinds.count("write") == 5 * saves
    assert kinds.count("sync") == 7 * saves  # five files, their folder, its parent
    assert kinds.count("remove") == 6 * 2  # two old checkpoints of five files


def test_at_least_a_thousand_states_load_as_the_old_or_the_new_checkpoint(
    recording: Recording, tiny: Any, tmp_path: Path
) -> None:
    count, wrong = 0, []
    for states in (kill_states(recording), power_states(recording)):
        for tree, least, most in states:
            count += 1
            wrong.append(problem(tree, tmp_path / "disk", tiny, recording, least, most))
    assert [one for one in wrong if one] == []
    assert count >= WANTED
    print(f"{count} states")


def test_without_syncs_the_same_power_cuts_lose_checkpoints(
    recording: Recording, tiny: Any, tmp_path: Path
) -> None:
    """The simulated disk is a hard one: it finds what is wrong with a commit that does not wait for the disk."""
    trace = [operation for operation in recording.trace if operation.kind != "sync" or operation.path == Path()]
    found = {
        problem(tree, tmp_path / "disk", tiny, recording, least, most)
        for tree, least, most in power_states(recording, trace, cuts=6)
    }
    assert any(one and "is loaded, not" in one for one in found)
    assert not any(one and ("torn" in one or "silence" in one) for one in found)  # hashes still find it


def test_a_decision_cut_short_at_any_operation_is_the_old_or_the_new(tmp_path: Path) -> None:
    work, before = tmp_path / "work", tmp_path / "before"
    work.mkdir()
    write_atomic(work / "guard.json", json.dumps({"skipped": [1]}))
    shutil.copytree(work, before)
    with disk.recorded(work) as trace:
        write_atomic(work / "guard.json", json.dumps({"skipped": [1, 2]}))
    recording, found = Recording(before, trace, {}), set()
    for tree, _, _ in power_states(recording):
        found.add(tree["guard.json"])
    assert sorted(found) == [b'{"skipped": [1, 2]}', b'{"skipped": [1]}']

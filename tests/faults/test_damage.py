"""Row 6: a checkpoint that was changed after it was saved is set aside, said aloud, and the one before is used."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from bessemer.artifact import commit, copy_into
from bessemer.errors import ArtifactError
from bessemer.train.checkpoint import load_checkpoint, read_checkpoint

pytestmark = pytest.mark.faults
FILES = ["manifest.json", "methods.safetensors", "model.safetensors", "optimizer.safetensors", "state.json"]
DAMAGES = 200
STEPS = ["checkpoint-000000003", "checkpoint-000000004"]


@pytest.fixture
def work(tiny: Any, tmp_path: Path) -> Path:
    """A folder with checkpoints of steps 3 and 4 of a real run."""
    folder = tmp_path / "work"
    with pytest.raises(tiny.PowerCut):
        tiny.train(folder, tiny.cut_at(5))
    assert sorted(path.name for path in folder.glob("checkpoint-*")) == STEPS
    return folder


def spoil(data: bytes, chance: random.Random) -> bytes:
    """The data with one bit flipped, cut short, a byte longer, or with a stretch of zeros."""
    where, fate = chance.randrange(len(data)), chance.randrange(4)
    if fate == 1:
        return data[:where]
    if fate == 2:
        return data + bytes(1)
    if fate == 3 and any(data[where : where + 64]):
        return data[:where] + bytes(len(data[where : where + 64])) + data[where + 64 :]
    flipped = bytearray(data)
    flipped[where] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def test_two_hundred_damages_are_all_found_and_said(work: Path, tiny: Any) -> None:
    newest, chance = work / "checkpoint-000000004", random.Random(6)
    aside = work / "damaged-checkpoint-000000004"
    before = tiny.bits(vars(read_checkpoint(work / "checkpoint-000000003")))
    for turn in range(DAMAGES):
        file = newest / FILES[turn % len(FILES)]
        whole = file.read_bytes()
        file.write_bytes(spoil(whole, chance))
        progress = tiny.Watch()
        state = load_checkpoint(work, progress)
        assert state is not None
        assert tiny.bits(vars(state)) == before, f"damage {turn} to {file.name} was not found"
        assert len(progress.said) == 1
        assert "set aside" in progress.said[0]
        assert "the one before it is used" in progress.said[0]
        aside.rename(newest)
        file.write_bytes(whole)
    assert load_checkpoint(work, tiny.Watch()).step == 4


@pytest.mark.parametrize("name", FILES)
def test_files_of_two_steps_do_not_mix(name: str, work: Path, tiny: Any) -> None:
    shutil.copy(work / "checkpoint-000000003" / name, work / "checkpoint-000000004" / name)
    progress = tiny.Watch()
    assert load_checkpoint(work, progress).step == 3
    assert len(progress.said) == 1


def test_a_checkpoint_in_the_place_of_another_step_is_refused(work: Path, tiny: Any) -> None:
    shutil.rmtree(work / "checkpoint-000000004")
    shutil.copytree(work / "checkpoint-000000003", work / "checkpoint-000000004")
    progress = tiny.Watch()
    assert load_checkpoint(work, progress).step == 3
    assert "put in the place of another" in progress.said[0]


def test_a_committed_folder_that_is_no_checkpoint_is_refused(work: Path, tiny: Any) -> None:
    """The hashes are right, since it was committed; what it says is not."""

    def nonsense(folder: Path) -> None:
        copy_into(work / "checkpoint-000000004", folder)
        (folder / "model.safetensors").write_bytes(b"no tensors")

    commit(work / "checkpoint-000000005", nonsense)
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_checkpoint(work / "checkpoint-000000005")
    progress = tiny.Watch()
    assert load_checkpoint(work, progress).step == 4
    assert len(progress.said) == 1


def test_training_resumes_from_the_one_before_to_the_same_bits(work: Path, tiny: Any) -> None:
    model = work / "checkpoint-000000004" / "model.safetensors"
    model.write_bytes(spoil(model.read_bytes(), random.Random(0)))
    progress = tiny.Watch()
    result = tiny.train(work, progress=progress)
    assert progress.said[1] == f"going on from step 3 of {tiny.STEPS}"
    assert tiny.bits(result.model.state_dict()) == tiny.bits(tiny.train().model.state_dict())

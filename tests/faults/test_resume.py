"""Row 8: stop and resume anywhere: losses, weights, optimizer, averages and ordered samples are the same bits."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bessemer.errors import StoppedError
from bessemer.train.checkpoint import load_checkpoint

pytestmark = pytest.mark.faults
SPOILED = [3]  # this step is skipped, and stays so


@dataclass
class Whole:
    """All that a run leaves, as bits."""

    history: list[dict[str, Any]]
    weights: Any
    checkpoint: Any
    ids: dict[int, list[int]]
    skipped: list[int]


def go(tiny: Any, folder: Path, at_step: Callable[[int], None] | None, ids: dict[int, list[int]]) -> Any:
    """Train, or go on; the samples of each step are added to `ids`, and must be those of an earlier try."""
    seen, poison = tiny.Seen(), tiny.Poison(SPOILED)
    try:
        return tiny.train(folder, at_step, [seen, poison])
    finally:
        assert all(ids.get(step, found) == found for step, found in seen.ids.items())
        ids.update(seen.ids)


def whole(tiny: Any, folder: Path, result: Any, ids: dict[int, list[int]]) -> Whole:
    state = load_checkpoint(folder, tiny.Watch())
    assert state is not None
    weights = tiny.bits(result.model.state_dict())
    return Whole(result.history, weights, tiny.bits(vars(state)), ids, result.safety["skipped"])


@pytest.fixture(scope="module")
def undisturbed(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder, ids = tmp_path_factory.mktemp("undisturbed"), dict[int, list[int]]()
    return whole(tiny, folder, go(tiny, folder, None, ids), ids)


def stop_at(wanted: int) -> Callable[[int], None]:
    def at_step(step: int) -> None:
        if step == wanted:
            signal.raise_signal(signal.SIGTERM)

    return at_step


def test_the_undisturbed_run_is_what_it_should_be(tiny: Any, undisturbed: Whole) -> None:
    assert list(undisturbed.ids) == list(range(tiny.STEPS))
    for epoch in range(tiny.EPOCHS):
        steps = range(epoch * tiny.EPOCH, (epoch + 1) * tiny.EPOCH)
        every = [sample for step in steps for sample in undisturbed.ids[step]]
        assert sorted(every) == list(range(tiny.SAMPLES))
    assert undisturbed.skipped == SPOILED
    assert [point["loss"] is None for point in undisturbed.history] == [s in SPOILED for s in range(tiny.STEPS)]
    assert set(undisturbed.checkpoint["methods"]) == {"ema"}


# The epoch has two steps: both edges, the middle, beside the skipped step, the first and the last step.
@pytest.mark.parametrize("step", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("way", ["dies", "is stopped"])
def test_resumed_at_any_step_the_run_is_the_same(
    step: int, way: str, tiny: Any, undisturbed: Whole, tmp_path: Path
) -> None:
    ids: dict[int, list[int]] = {}
    at_step = tiny.cut_at(step) if way == "dies" else stop_at(step)
    with pytest.raises((tiny.PowerCut, StoppedError)):
        go(tiny, tmp_path, at_step, ids)
    assert whole(tiny, tmp_path, go(tiny, tmp_path, None, ids), ids) == undisturbed


def test_three_interruptions_within_an_epoch_change_nothing(tiny: Any, undisturbed: Whole, tmp_path: Path) -> None:
    ids: dict[int, list[int]] = {}
    for at_step in (tiny.cut_at(3), stop_at(3), tiny.cut_at(4)):
        with pytest.raises((tiny.PowerCut, StoppedError)):
            go(tiny, tmp_path, at_step, ids)
    assert whole(tiny, tmp_path, go(tiny, tmp_path, None, ids), ids) == undisturbed

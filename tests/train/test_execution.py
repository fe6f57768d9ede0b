"""How a step is carried out is measured once, told, and recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bessemer.model.layers import GhostBatchNorm2d
from bessemer.train import execution
from bessemer.train.execution import Execution, cannot_compile, choose_execution, recorded_execution


class Notes:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        pass


class Twin(nn.Module):
    """Stands for the compiled form of a model."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """Seconds of a trial, plain and compiled, and of the first compiled one; time passes in trials only."""
    seconds = {"plain": 1.0, "half": 1.0, "compiled": 1.0, "compiling": 20.0, "now": 0.0}
    monkeypatch.setattr(execution.time, "perf_counter", lambda: seconds["now"])
    monkeypatch.setattr(execution, "compiled_form", lambda model: Twin())
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield seconds
    torch.set_num_threads(threads)


def choose(clock: dict[str, float], steps: int, compile: bool | str = "auto", autotune: bool = False) -> Any:
    """The choice for a model whose trials take what the clock says, and what was said."""
    notes, compiled_before = Notes(), []

    def trial(model: nn.Module) -> None:
        name = "half" if torch.get_num_threads() == 1 and not isinstance(model, Twin) else "plain"
        if isinstance(model, Twin):
            name = "compiled" if compiled_before else "compiling"
            compiled_before.append(1)
        if clock[name] < 0:
            raise RuntimeError("no C++ compiler found\nand more")
        clock["now"] += clock[name]

    model = nn.Linear(2, 2)
    chosen = choose_execution(model, trial, steps, compile=compile, autotune=autotune, progress=notes)  # type: ignore[arg-type]
    return chosen, "\n".join(notes.said)


def test_a_short_run_is_not_compiled(clock: dict[str, float]) -> None:
    clock["compiled"] = 0.5
    assert choose(clock, steps=100) == (Execution(False, 2), "")


def test_a_long_run_is_compiled_where_that_repays(clock: dict[str, float]) -> None:
    clock["compiled"] = 0.5
    chosen, said = choose(clock, steps=1000)
    assert chosen == Execution(True, 2)
    assert "500 ms compiled and 1000 ms as it is; compiling took 20 s, 1,000 steps to go" in said


@pytest.mark.parametrize("compiled", [0.99, 1.5])
def test_compiled_code_that_is_not_clearly_faster_is_not_used(clock: dict[str, float], compiled: float) -> None:
    clock["compiled"] = compiled
    assert choose(clock, steps=10_000)[0] == Execution(False, 2)


def test_compiling_that_takes_longer_than_it_saves_is_not_used(clock: dict[str, float]) -> None:
    clock.update(compiled=0.9, compiling=500)
    assert choose(clock, steps=1000)[0] == Execution(False, 2)


def test_a_compiler_that_fails_is_told_and_training_goes_on(clock: dict[str, float]) -> None:
    clock["compiling"] = -1
    chosen, said = choose(clock, steps=10_000)
    assert chosen == Execution(False, 2)
    assert "not compiled: no C++ compiler found; installing" in said


def test_what_the_user_says_is_done(clock: dict[str, float]) -> None:
    clock["compiled"] = 2.0
    assert choose(clock, steps=1, compile=True)[0] == Execution(True, 2)
    clock["compiled"] = 0.1
    assert choose(clock, steps=10_000, compile=False) == (Execution(False, 2), "")


def test_autotune_tries_fewer_threads_and_compiling_whatever_the_length(clock: dict[str, float]) -> None:
    clock.update(half=0.8, compiled=0.5, compiling=5)
    chosen, said = choose(clock, steps=100, autotune=True)
    assert chosen == Execution(True, 1)
    assert "using 1 of 2 threads: 800 ms a step in place of 1000" in said


def test_autotune_keeps_the_threads_where_fewer_are_slower(clock: dict[str, float]) -> None:
    clock["half"] = 1.5
    assert choose(clock, steps=1, autotune=True)[0].threads == torch.get_num_threads() == 2


def test_models_that_gain_nothing_or_are_watched_are_not_compiled() -> None:
    assert "convolutions" in cannot_compile(nn.Sequential(GhostBatchNorm2d(2)))
    watched = nn.Linear(2, 2)
    assert not cannot_compile(watched)
    watched.register_forward_hook(lambda *_: None)
    assert "looks into" in cannot_compile(watched)


def test_the_choice_is_recorded_and_not_taken_again(tmp_path: Path) -> None:
    first = recorded_execution(tmp_path / "work", lambda: Execution(True, 2))
    assert recorded_execution(tmp_path / "work", lambda: Execution(False, 1)) == first
    assert json.loads((tmp_path / "work" / execution.FILE).read_text()) == {
        "execution": {"compiled": True, "threads": 2}
    }


COMPILED = """
import torch
from bessemer.model.gpt.network import GPT
from bessemer.task.language.objective import Language
from bessemer.train.execution import compiled_form, compiled_loss

torch.manual_seed(0)
model = GPT(32, 16, 1, 2, 32, 0.0, 8)
tokens = torch.randint(32, (2, 8))
form = compiled_form(model)
torch.testing.assert_close(form(tokens), model(tokens))
with torch.no_grad():
    model.norm.weight.mul_(2)
torch.testing.assert_close(form(tokens), model(tokens))
for head in (None, model.head):
    outputs = torch.randn(2, 8, 32 if head is None else 16, requires_grad=True)
    losses = [loss(outputs, tokens) for loss in (Language(head).loss, compiled_loss(Language(head).loss))]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, outputs)[0] for loss in losses))
print("the same")
"""


def test_compiled_code_computes_the_same_from_the_same_weights() -> None:
    # In a process of its own: torch's compiler leaves threads and an environment variable behind.
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert done.stdout == "the same\n", done.stderr

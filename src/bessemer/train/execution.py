"""How a step is carried out on this machine: compiled or not, on how many threads.

Decided before the first step, by timing forward and backward passes of the real model on the real first batch; the
weights stay as they are. Like precision, such a decision is recorded and not taken again on resume, since it moves
the last bits of results.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch._functorch import config as functorch_config

from bessemer.artifact import Decisions
from bessemer.model.layers import ghost_layers
from bessemer.runtime import Progress
from bessemer.train.memory.wrap import is_wrapped
from bessemer.train.step import Loss

TRIALS = 3
COMPILE_SECONDS, COMPILE_GAIN = 60.0, 0.1  # a guess of both, to decide whether trying can pay
CACHE_SWITCH = "autograd_cache_allow_custom_autograd_functions"  # not in every version of torch
CLEARLY = 0.97  # a candidate must take less than this share of the best one's time, so that noise does not decide


@dataclass(frozen=True)
class Execution:
    """The choices: torch.compile, and the number of threads."""

    compiled: bool = False
    threads: int = 1


FILE = "execution.json"

Trial = Callable[[nn.Module], object]  # one forward and backward pass of a model on the first batch


def recorded_execution(work: Path | None, choose: Callable[[], Execution]) -> Execution:
    """The choice that stands in the work folder, or the one that is made now and kept there."""
    if work is None:
        return choose()
    work.mkdir(parents=True, exist_ok=True)
    return Execution(**Decisions(work / FILE).take("execution", lambda: asdict(choose())))


def choose_execution(
    model: nn.Module,
    trial: Trial,
    steps: int,
    *,
    compile: bool | str,
    autotune: bool,
    progress: Progress,
) -> Execution:
    """The fastest way to take `steps` steps.

    `compile` is True, False or "auto": then it is tried where the run is long enough to repay it, and kept where
    the compiled step is clearly faster. `autotune` also tries half the threads, and compiles whatever the length.
    """
    threads = torch.get_num_threads()
    obstacle = cannot_compile(model)
    if compile is True and obstacle:
        progress.note(f"not compiled: {obstacle}")
    may_compile = compile is not False and not obstacle
    if not (may_compile or autotune):
        return Execution(False, threads)
    if may_compile and compile is True and not autotune:
        return Execution(_compile(model, trial, progress) is not None, threads)
    seconds = time_trials(model, trial)
    if autotune and threads > 1:
        threads, seconds = _fewer_threads(model, trial, threads, seconds, progress)
    pays = seconds * steps * COMPILE_GAIN > COMPILE_SECONDS
    if not may_compile or not (compile is True or autotune or pays):
        return Execution(False, threads)
    made = _compile(model, trial, progress)
    if made is None:
        return Execution(False, threads)
    form, taken = made
    compiled = time_trials(form, trial)
    told = f"a step takes {1000 * compiled:.0f} ms compiled and {1000 * seconds:.0f} ms as it is"
    progress.note(f"{told}; compiling took {taken:.0f} s, {steps:,} steps to go")
    faster = compiled < CLEARLY * seconds and (seconds - compiled) * steps > taken
    return Execution(faster or compile is True, threads)


def cannot_compile(model: nn.Module) -> str:
    """Why a model is not compiled, or an empty text."""
    if any(True for _ in ghost_layers(model)):
        return "convolutions with ghost batch normalization gain nothing by it (docs/log.md)"
    if is_wrapped(model):
        return "train.memory keeps activations in its own way"
    if any(module._forward_hooks or module._forward_pre_hooks for module in model.modules()):
        return "a training method looks into the model's layers"
    return ""


def compiled_form(model: nn.Module) -> nn.Module:
    """The model as torch.compile runs it: the same weights, code for each shape of input.

    What was compiled once is found again by a later run, with functions that have a backward pass of their own too
    (attention in blocks): torch files such code under the operations of both passes.
    """
    if hasattr(functorch_config, CACHE_SWITCH):
        setattr(functorch_config, CACHE_SWITCH, True)
    # One code per shape: dynamic shapes cost more than the few lengths of a warm-up do.
    return cast("nn.Module", torch.compile(model, dynamic=False))


def compiled_loss(loss: Loss) -> Loss:
    """The loss as torch.compile runs it: no probabilities of all classes in memory, neither forward nor back."""
    return torch.compile(loss, dynamic=False)


def time_trials(model: nn.Module, trial: Trial) -> float:
    """Least seconds of a trial; the least, since on a busy machine the median measures the others."""
    trial(model)  # the first one allocates
    times = []
    for _ in range(TRIALS):
        start = time.perf_counter()
        trial(model)
        times.append(time.perf_counter() - start)
    return min(times)


def _fewer_threads(
    model: nn.Module, trial: Trial, threads: int, seconds: float, progress: Progress
) -> tuple[int, float]:
    """Half the threads where that is clearly faster: two threads of one core can stand in each other's way."""
    torch.set_num_threads(threads // 2)
    half = time_trials(model, trial)
    if half < CLEARLY * seconds:
        told = f"{1000 * half:.0f} ms a step in place of {1000 * seconds:.0f}"
        progress.note(f"using {threads // 2} of {threads} threads: {told}")
        return threads // 2, half
    torch.set_num_threads(threads)
    return threads, seconds


def _compile(model: nn.Module, trial: Trial, progress: Progress) -> tuple[nn.Module, float] | None:
    """The compiled form and the seconds it took; None where it fails, as without a C++ compiler."""
    progress.note("compiling the model, which can take a minute or two")
    start, form = time.perf_counter(), compiled_form(model)
    try:
        trial(form)
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        progress.note(f"not compiled: {reason}; installing a C++ compiler may help, or set train.compile to false")
        return None
    return form, time.perf_counter() - start

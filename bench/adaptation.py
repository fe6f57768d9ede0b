"""What methods bring to the pretraining of a small GPT on code, and what it costs to adapt it to documentation.

    python bench/adaptation.py [tune]

The text is the Python standard library: its sources without documentation strings, and those strings. Two tenths
of the files are held out: one judges, by the other `tune` tries learning rates. Each seed's network starts from
weights of its own and is adapted in every way. Times are those of the processor (process_time).
"""

from __future__ import annotations

import ast
import copy
import hashlib
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from corpora import DEFINITIONS, docstrings, library, stdlib_files
from quality_gpt import Text, bits_per_byte
from tables import print_head, print_row
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from bessemer.data.dataset import Batches, Samples
from bessemer.data.kind import as_they_are
from bessemer.model.gpt import gpt
from bessemer.runtime import Runtime, available_threads, use
from bessemer.task.language.objective import Language
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit
from bessemer.train.optimizer_config import OptimizerConfig, ScheduleConfig
from bessemer.train.precision import choose_precision

SEEDS = (0, 1, 2)
RUNTIME = Runtime(threads=available_threads())
PARTS, JUDGE, TUNE = 10, 0, 1  # of ten files one judges, and one is for learning rates
WINDOWS, CONTEXT, VOCABULARY = 256, 128, 1024
MODEL = {"width": 128, "layers": 4, "heads": 4, "feedforward": 512, "context": CONTEXT}
BATCH, STEPS, FEW_STEPS = 16, 200, 60
SCHEDULE = ScheduleConfig(warmup=0.05)
PRETRAINING_RATE = 4e-3
PRETRAINING: dict[str, tuple[float, dict[str, Any]]] = {  # dropout of the model, settings of training
    "as it is": (0.0, {}),
    "windows of 32 and 64 tokens first": (0.0, {"sequence_warmup": {}}),
    "dropout 0.1": (0.1, {}),
    "stochastic depth 0.1": (0.0, {"stochastic_depth": 0.1}),
}
ADAPTATION: dict[str, tuple[float, dict[str, Any]]] = {  # learning rate, settings of training
    "all weights": (4e-3, {}),
    "LoRA of rank 8": (1.6e-2, {"lora": {}}),
    "LoRA of rank 8, and the embedding": (8e-3, {"lora": {"full": ["tokens"]}}),
    "first 2 of 4 blocks frozen": (8e-3, {"freeze": ["blocks.0", "blocks.1"]}),
    "all 4 blocks frozen: embedding and norm alone": (1.6e-2, {"freeze": ["blocks"]}),
}
RATES = (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2)


@dataclass
class Held:
    """What an optimizer holds: numbers of weights, and bytes of its state."""

    weights: int = 0
    state: int = 0


@dataclass(frozen=True)
class Run:
    """What training a network took: milliseconds of the processor a step, and what the optimizer held."""

    milliseconds: float
    held: Held


# --- text -------------------------------------------------------------------------------------------------


def read(judged: int) -> tuple[Text, Text]:
    """Code and documentation, split by file: the part `judged` judges; JUDGE and TUNE are never trained on."""
    from tokenizers import ByteLevelBPETokenizer

    code: dict[int, list[str]] = {part: [] for part in range(PARTS)}
    prose: dict[int, list[str]] = {part: [] for part in range(PARTS)}
    for path in stdlib_files(library()):
        source = path.read_bytes()
        part = int(hashlib.sha256(source).hexdigest(), 16) % PARTS
        code[part].append(without_docstrings(source.decode("utf-8", "ignore")))
        prose[part].append("\n\n".join(text for _, text in docstrings(source)))
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(trained_on(code), VOCABULARY, show_progress=False)
    return split(tokenizer, code, judged), split(tokenizer, prose, judged)


def trained_on(texts: dict[int, list[str]]) -> list[str]:
    """The texts of the parts that are not held out."""
    return [text for part, some in texts.items() if part not in {JUDGE, TUNE} for text in some]


def without_docstrings(source: str) -> str:
    """The source without the lines of its documentation strings."""
    try:
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Module, *DEFINITIONS))]
    except SyntaxError:
        return source
    lines = source.splitlines(keepends=True)
    for node in nodes:
        if ast.get_docstring(node) is not None:
            first, last = node.body[0].lineno, node.body[0].end_lineno or node.body[0].lineno
            lines[first - 1 : last] = [""] * (last - first + 1)
    return "".join(lines)


def split(tokenizer: Any, texts: dict[int, list[str]], judged: int) -> Text:
    """Windows of CONTEXT tokens to train on and to judge by."""

    def windows(some: list[str]) -> Any:
        ids = np.concatenate([np.array(one.ids, np.int64) for one in tokenizer.encode_batch(some)])
        count = len(ids) // (CONTEXT + 1)
        return ids[: count * (CONTEXT + 1)].reshape(count, -1)

    held_out = windows(texts[judged])
    held_out = held_out[np.linspace(0, len(held_out) - 1, min(WINDOWS, len(held_out))).astype(int)]
    spoken = [len(tokenizer.decode(row[1:].tolist(), skip_special_tokens=False).encode()) for row in held_out]
    return Text(windows(trained_on(texts)), held_out, sum(spoken))


# --- training ---------------------------------------------------------------------------------------------


def train(model: nn.Module, text: Text, rate: float, steps: int, seed: int, **settings: Any) -> Run:
    """Train a network in place."""
    ids = np.random.default_rng(seed).integers(0, 2**63, len(text.train)).astype(np.uint64)
    samples = Samples(text.train[:, :-1].astype(np.int32), text.train[:, 1:].copy(), ids)
    config = TrainConfig(
        epochs=steps * BATCH / len(samples),
        batch_size=BATCH,
        optimizer=OptimizerConfig(name="adamw", learning_rate=rate),
        schedule=SCHEDULE,
        compile=False,
        **settings,
    )
    batches, start = Batches(samples, BATCH, seed, as_they_are), time.process_time()
    with optimizers_watched() as held:
        result = fit(model, Language(), batches, config, seed=seed, runtime=RUNTIME, precision=precision())
    return Run(1e3 * (time.process_time() - start) / result.cost["steps"], held)


@contextmanager
def optimizers_watched() -> Iterator[Held]:
    """Notes what the optimizer that takes steps in this block holds."""
    held = Held()

    def look(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if held.weights == 0:
            held.weights = sum(weight.numel() for group in optimizer.param_groups for weight in group["params"])
            values = [value for state in optimizer.state.values() for value in state.values()]
            held.state = sum(value.nbytes for value in values if isinstance(value, Tensor))

    handle = register_optimizer_step_post_hook(look)
    try:
        yield held
    finally:
        handle.remove()


@cache
def precision() -> str:
    """That of all runs, measured once."""
    return choose_precision("auto", RUNTIME.kind)


def pretrained(text: Text, seed: int, dropout: float = 0.0, **settings: Any) -> tuple[nn.Module, Run]:
    """A network that has read code."""
    torch.manual_seed(seed)
    model = gpt(VOCABULARY, dropout=dropout, **MODEL)
    return model, train(model, text, PRETRAINING_RATE, STEPS, seed, **settings)


# --- tables -----------------------------------------------------------------------------------------------


def bench_adaptation() -> None:
    """Pretraining with one method each, then adaptation of the network that was pretrained without any."""
    use(RUNTIME)
    code, prose = read(JUDGE)
    adapt(bench_pretraining(code), code, prose)


def bench_pretraining(code: Text) -> list[nn.Module]:
    """A row for each method; returns each seed's network of the first row."""
    print_head(
        f"pretraining: GPT of 4 layers of 128, {STEPS} steps of {BATCH} x {CONTEXT} tokens of code, AdamW",
        *("variant", f"bits per byte, mean of {len(SEEDS)} seeds", "difference", "each seed"),
        "processor, ms a step",
    )
    plain: list[nn.Module] = []
    base = None
    for label, (dropout, settings) in PRETRAINING.items():
        made = [pretrained(code, seed, dropout, **settings) for seed in SEEDS]
        found = [bits_per_byte(model, code) for model, _ in made]
        base = statistics.mean(found) if base is None else base
        plain = plain or [model for model, _ in made]
        print_row(label, *shown(found, base), shown_time([run for _, run in made]))
    return plain


def adapt(networks: list[nn.Module], code: Text, prose: Text) -> None:
    """A row for each way to adapt the networks, one a seed."""
    print_head(
        f"adaptation: the same to documentation strings, {FEW_STEPS} steps of {BATCH} x {CONTEXT} tokens, AdamW",
        *("trained", f"bits per byte, mean of {len(SEEDS)} seeds", "difference", "each seed", "of code"),
        *("weights trained", "state of the optimizer, kB", "processor, ms a step"),
    )
    found = [bits_per_byte(model, prose) for model in networks]
    base = statistics.mean(found)
    print_row("nothing", *shown(found, base), mean_bits(networks, code), "0", "0", "-")
    for label, (rate, settings) in ADAPTATION.items():
        models = copy.deepcopy(networks)
        runs = [
            train(one, prose, rate, FEW_STEPS, seed, **settings) for seed, one in zip(SEEDS, models, strict=True)
        ]
        found = [bits_per_byte(model, prose) for model in models]
        held = runs[0].held
        facts = f"{held.weights:,}", f"{held.state / 1e3:,.0f}", shown_time(runs)
        print_row(label, *shown(found, base), mean_bits(models, code), *facts)


def tune() -> None:
    """Learning rates of adaptation with seed 0, judged by files that judge nothing else."""
    use(RUNTIME)
    code, prose = read(TUNE)
    print_head("learning rates, seed 0, bits per byte", "trained", *(f"{rate:g}" for rate in RATES))
    start, _ = pretrained(code, 0)
    for label, (_, settings) in ADAPTATION.items():
        cells = []
        for rate in RATES:
            model = copy.deepcopy(start)
            train(model, prose, rate, FEW_STEPS, 0, **settings)
            cells.append(f"{bits_per_byte(model, prose):.3f}")
        print_row(label, *cells)


def mean_bits(models: list[nn.Module], text: Text) -> str:
    """Bits per byte, a mean over networks."""
    return f"{statistics.mean(bits_per_byte(model, text) for model in models):.3f}"


def shown(found: list[float], base: float) -> tuple[str, str, str]:
    """Mean, difference, and every seed."""
    mean = statistics.mean(found)
    return f"{mean:.3f}", f"{mean - base:+.3f}", ", ".join(f"{one:.3f}" for one in found)


def shown_time(runs: list[Run]) -> str:
    """Milliseconds of a step, the least of all seeds."""
    return f"{min(run.milliseconds for run in runs):.0f}"


if __name__ == "__main__":
    tune() if sys.argv[1:] == ["tune"] else bench_adaptation()

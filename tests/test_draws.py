"""Named streams: a key is a pure function, no two uses share one, and nothing draws without a name."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bessemer
from bessemer.draws import GOLDEN, Stream, chained, generator, key, mix, seed_for, uniform

LAW = settings(max_examples=40, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)
ROOT = Path(bessemer.__file__).parent
# What a caller may seed as it likes, and noise of which nothing depends.
KEY = 18159682518515982810  # of the first epoch of seed 0
FREE = {"model/generate.py", "data/kind.py", "data/text/__init__.py", "data/table/__init__.py"}
STATEFUL = {"default_rng", "manual_seed", "Philox", "RandomState", "seed", "shuffle", "getrandbits"}


@LAW
@given(seed=SEEDS, place=st.integers(0, 2**32 - 1))
def test_streams_that_count_alike_share_no_key(seed: int, place: int) -> None:
    keys = [int(key(stream, *where)) for stream in Stream for where in ((seed,), (seed, place), (seed, place, 0))]
    assert len(set(keys)) == len(keys)


def test_one_seeds_weights_are_not_its_first_epoch_or_a_split() -> None:
    seed = 5
    keys = {key(Stream.WEIGHTS, seed), *(key(Stream.ORDER, seed, epoch) for epoch in range(1000))}
    keys |= {key(Stream.SPLIT, seed, code) for code in range(3)} | {key(Stream.CANDIDATE, seed)}
    assert len(keys) == 1 + 1000 + 3 + 1


def test_the_numbers_of_streams_stay() -> None:
    """A number that moved would move every run."""
    assert [stream.name for stream in Stream] == [
        "ORDER",
        "MIXTURE",
        "WINDOWS",
        "AUGMENT",
        "TOKENS",
        "CHOICE",
        "SPLIT",
        "FOLDS",
        "BASELINE",
        "WEIGHTS",
        "DROPOUT",
        "MIXUP",
        "CUTMIX",
        "STOCHASTIC_DEPTH",
        "LORA",
        "CANDIDATE",
        "LEDGER",
        "BOOTSTRAP",
        "CONTINUE",
        "LOOK",
    ]
    assert [int(stream) for stream in Stream] == list(range(1, len(Stream) + 1))
    assert int(key(Stream.ORDER, 0, 0)) == KEY


def calls(source: str) -> list[tuple[str, ast.Call]]:
    """Names of called functions, and the calls."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [(getattr(one.func, "attr", getattr(one.func, "id", "")), one) for one in found]


def nameless(source: str) -> list[str]:
    """Calls that draw by no named stream."""
    wrong = []
    for name, call in calls(source):
        text = ast.unparse(call)
        named = bool(call.args) and "Stream." in ast.unparse(call.args[0])
        drawn = "draws.key(" in text or "draws.generator(" in text or name == "seed_for"
        if (name in STATEFUL and "Stream." not in text) or (drawn and not named):
            wrong.append(text)
    return wrong


def test_nothing_draws_without_a_name() -> None:
    for file in ROOT.rglob("*.py"):
        if str(file.relative_to(ROOT)) not in FREE | {"draws.py"}:
            assert nameless(file.read_text(encoding="utf-8")) == [], file


@pytest.mark.parametrize(
    "line",
    ["torch.manual_seed(recipe.seed)", "np.random.default_rng(0)", "seed_for(seed, 1)", "draws.key(1, 2)"],
)
def test_a_draw_without_a_name_is_found(line: str) -> None:
    assert nameless(line) == [line]


def test_a_seed_is_what_torch_and_numpy_take() -> None:
    seeds = [seed_for(Stream.DROPOUT, -3, step) for step in range(100)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert len(set(seeds)) == 100
    first, again, other = (generator(Stream.MIXUP, 1, place).random(4).tolist() for place in (0, 0, 1))
    assert first == again != other


@LAW
@given(ids=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), seed=SEEDS, data=st.data())
def test_uniform_is_in_zero_to_one_and_a_pure_function_of_each_id(ids, seed, data):
    many = np.array(ids, np.uint64)
    numbers = uniform(many, key(Stream.ORDER, seed))
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert np.array_equal(numbers, uniform(many, key(Stream.ORDER, seed)))
    index = data.draw(st.integers(0, len(ids) - 1))
    assert uniform(many[index : index + 1], key(Stream.ORDER, seed))[0] == numbers[index]


def test_uniform_differs_by_every_part_of_its_key_and_their_order():
    ids = np.arange(100, dtype=np.uint64)
    keys = [(1, 2), (2, 1), (1, 3), (2, 2), (1,), (1, 2, 0)]
    draws = [uniform(ids, key(stream, *parts)) for stream in (Stream.ORDER, Stream.SPLIT) for parts in keys]
    assert len({tuple(numbers) for numbers in draws}) == len(draws)


@pytest.mark.parametrize("seed", range(3))
def test_uniform_is_roughly_uniform_over_neighboring_ids(seed):
    """Chi-square with 49 degrees of freedom; a fair draw exceeds 120 less than once in a million times."""
    numbers = uniform(np.arange(20_000, dtype=np.uint64), key(Stream.ORDER, seed))
    counts = np.bincount((numbers * 50).astype(int), minlength=50)
    assert ((counts - 400) ** 2 / 400).sum() < 120


def test_streams_are_not_correlated():
    ids = np.arange(20_000, dtype=np.uint64)
    order, split = (uniform(ids, key(stream, 0)) for stream in (Stream.ORDER, Stream.SPLIT))
    assert abs(np.corrcoef(order, split)[0, 1]) < 0.03


def test_mix_is_the_finalizer_of_splitmix64():
    """The first outputs of SplitMix64 from seed 1234567, as published with the algorithm."""
    gamma = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + gamma * turn) % 2**64 for turn in range(1, 4)], np.uint64)
    assert mix(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@LAW
@given(parts=st.lists(st.integers(-(2**63), 2**64 - 1), max_size=5))
def test_chained_is_one_turn_of_splitmix64_for_each_part(parts):
    state = np.zeros(1, np.uint64)
    for part in parts:
        with np.errstate(over="ignore"):
            state = mix((state + GOLDEN) ^ np.uint64(part % 2**64))
    assert chained(*parts) == state[0]
    assert isinstance(chained(*parts), np.uint64)

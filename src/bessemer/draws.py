"""Randomness without state: what is drawn is a function of the seed, of what it is for, and of a place.

Every use has a name in `Stream` and, through it, keys that no other use has, so that two uses never share their
numbers by accident, whatever seeds, epochs and steps they count. There is no hidden state, so a run that goes on
after a stop, or on another number of processes, draws what it would have drawn.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: the step of SplitMix64


class Stream(IntEnum):
    """What numbers are drawn for, and the places that their keys go by, after the seed.

    A number is never changed and never used again: runs would draw other numbers.
    """

    ORDER = 1  # of samples: epoch
    MIXTURE = 2  # of sources: epoch, source, turn
    WINDOWS = 3  # ids of windows of running text; instead of the seed: split
    AUGMENT = 4  # random changes: epoch, purpose; then sample
    TOKENS = 5  # those of single tokens: purpose; then sample and place
    CHOICE = 6  # of samples, where every class keeps its share
    SPLIT = 7  # into train, validation and test: split
    FOLDS = 8  # of the check of labels
    BASELINE = 9  # samples that choose a simple model's strength
    WEIGHTS = 10  # the first ones
    DROPOUT = 11  # and all else that torch draws in a step: step, rank
    MIXUP = 12  # step, group
    CUTMIX = 13  # step, group
    STOCHASTIC_DEPTH = 14  # step, block; then place in the batch
    LORA = 15  # its first factors: layer
    CANDIDATE = 16  # the seed of a candidate's trainings
    LEDGER = 17  # the seed of a round: round
    BOOTSTRAP = 18  # resamples behind an interval
    CONTINUE = 19  # how a language model goes on after a prompt: prompt
    LOOK = 20  # the order in which rows of a table are looked at


def mix(x: U64) -> U64:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): 64 well-mixed bits from 64 bits."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def chained(*parts: int) -> np.uint64:
    """One 64-bit number from several integers, order mattering."""
    state, step, bits = 0, int(GOLDEN), 2**64 - 1
    for part in parts:  # `mix` in Python's integers: for a single number NumPy takes twenty times as long
        state = ((state + step) & bits) ^ (int(part) & bits)
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & bits
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & bits
        state ^= state >> 31
    return np.uint64(state)


def key(stream: Stream, seed: int, *places: int) -> np.uint64:
    """The key of a use: from it follow the numbers of all ids (`uniform`)."""
    return chained(stream, seed, *places)


def seed_for(stream: Stream, seed: int, *places: int) -> int:
    """A key as a seed for someone else's generator, such as torch's: 63 bits, not negative."""
    return int(key(stream, seed, *places)) >> 1


def generator(stream: Stream, seed: int, *places: int) -> np.random.Generator:
    """NumPy's counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011)."""
    return np.random.Generator(np.random.Philox(int(key(stream, seed, *places))))


def uniform(ids: U64, key: np.uint64) -> NDArray[np.float64]:
    """A number in [0, 1) for each id, a pure function of the id and the key."""
    bits = mix(mix(ids.astype(np.uint64) ^ key))
    return (bits >> np.uint64(11)).astype(np.float64) / float(2**53)

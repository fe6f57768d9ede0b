"""Random changes of token sequences: spans replaced by a mask, tokens deleted, swapped with a neighbor, masked.

All are decided from (seed, epoch, sample id, place of the token), so a sample's result depends neither on its
batch nor on its padding. Deletion and swaps are those of EDA (Wei and Zou, 2019), masks those of BERT (Devlin et
al., 2019), spans those of T5 (Raffel et al., 2020): mean length 3, one mask each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bessemer.data.augment.chance import keys
from bessemer.data.config import AugmentConfig
from bessemer.draws import U64, Stream, key, uniform

I32 = NDArray[np.int32]
SPAN = 3.0  # mean length in tokens; T5's
_SPAN_STARTS, _SPAN_LENGTHS, _DELETE, _SWAP, _MASK, _KEEP = range(101, 107)


def augment_tokens(
    tokens: I32, config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int, mask: int
) -> I32:
    """Augment tokens int32 (B, T), padded with 0 at the end, to int32 (B, T'), padded likewise, T' at most T.

    In this order: span corruption, deletion, swaps, masking. At least one token of each sample stays as it is.
    """
    if not any((config.span_corrupt, config.token_delete, config.token_swap, config.token_mask)):
        return tokens
    if tokens.size == 0:
        return tokens
    draw = _Draws(ids, epochs, seed, tokens.shape[1])
    out = tokens
    if config.span_corrupt:
        out = _corrupt_spans(out, config.span_corrupt, draw, mask)
    if config.token_delete:
        out = _delete(out, config.token_delete, draw, mask)
    if config.token_swap:
        out = _swap(out, config.token_swap, draw)
    if config.token_mask:
        chosen = (draw(_MASK, out.shape[1]) < config.token_mask) & (out != 0)
        out = np.where(chosen & ~_spared(out, draw, mask), np.int32(mask), out)
    return _trim(out)


class _Draws:
    """Numbers in [0, 1) of shape (B, T) for each purpose: of a sample, the same whatever T."""

    def __init__(self, ids: U64, epochs: NDArray[np.int64], seed: int, longest: int) -> None:
        own = keys(ids, epochs, seed, [100])[0]
        with np.errstate(over="ignore"):
            self._keys = own[:, None] + np.arange(longest, dtype=np.uint64)
        self._seed = seed

    def __call__(self, purpose: int, length: int) -> NDArray[np.float64]:
        return uniform(self._keys[:, :length], key(Stream.TOKENS, self._seed, purpose))


def _corrupt_spans(tokens: I32, share: float, draw: _Draws, mask: int) -> I32:
    """Spans of geometric length with mean 3 cover about `share` of the tokens; each leaves one mask."""
    length = tokens.shape[1]
    real = tokens != 0
    # With starts this frequent, a place is left uncovered with a chance of about exp(-SPAN * start) = 1 - share.
    starts = draw(_SPAN_STARTS, length) < -np.log1p(-share) / SPAN
    lengths = 1 + np.floor(np.log1p(-draw(_SPAN_LENGTHS, length)) / np.log1p(-1 / SPAN))
    place = np.arange(length)
    ends = np.maximum.accumulate(np.where(starts, place + lengths, 0), axis=1)
    covered = (place < ends) & real & ~_spared(tokens, draw, mask)
    first = covered & ~np.pad(covered, ((0, 0), (1, 0)))[:, :-1]
    return _compact(np.where(first, np.int32(mask), tokens), real & (~covered | first))


def _delete(tokens: I32, share: float, draw: _Draws, mask: int) -> I32:
    real = tokens != 0
    gone = (draw(_DELETE, tokens.shape[1]) < share) & ~_spared(tokens, draw, mask)
    return _compact(tokens, real & ~gone)


def _swap(tokens: I32, share: float, draw: _Draws) -> I32:
    """Exchange disjoint pairs of neighbors, so that about `share` of the tokens move."""
    length = tokens.shape[1]
    if length < 2:
        return tokens
    wanted = draw(_SWAP, length)[:, :-1] < share / (2 - share)
    wanted &= (tokens[:, :-1] != 0) & (tokens[:, 1:] != 0)
    # Of wanted pairs that overlap (a run of them), every other one: a token moves once.
    place = np.arange(length - 1)
    before = np.maximum.accumulate(np.where(wanted, -1, place), axis=1)
    left = wanted & ((place - before) % 2 == 1)
    out = tokens.copy()
    rows, places = np.nonzero(left)
    out[rows, places], out[rows, places + 1] = tokens[rows, places + 1], tokens[rows, places]
    return out


def _spared(tokens: I32, draw: _Draws, mask: int) -> NDArray[np.bool_]:
    """One token of each sample that stays, never a mask where there is another."""
    order = draw(_KEEP, tokens.shape[1]) + np.where(tokens == mask, 1.0, 0.0) + np.where(tokens == 0, 4.0, 0.0)
    spared = np.zeros(tokens.shape, bool)
    spared[np.arange(len(tokens)), order.argmin(axis=1)] = True
    return spared


def _compact(tokens: I32, kept: NDArray[np.bool_]) -> I32:
    """The kept tokens of each row moved to its front, 0 behind them."""
    out = np.zeros_like(tokens)
    rows, places = np.nonzero(kept)
    out[rows, (np.cumsum(kept, axis=1) - 1)[rows, places]] = tokens[rows, places]
    return out


def _trim(tokens: I32) -> I32:
    """Without the columns at the end in which every row is padded; at least one stays."""
    used = np.flatnonzero((tokens != 0).any(axis=0))
    return tokens[:, : max(1, int(used[-1]) + 1 if len(used) else 1)]

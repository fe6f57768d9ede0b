"""Tokens and pairs of them as evidence: a part of the text network, and a linear model on TF-IDF that ships."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.blocks import blocks
from bessemer.data.rows import Rows
from bessemer.data.simple import F64, one_thread

FIRST, SECOND = 40_503, 30_011  # odd multipliers of the hash; products of token ids stay within 64 bits
PAIRS = 32_768  # entries for hashed pairs of the simple model


class Grams(nn.Module):
    """Tokens and hashed pairs of neighbors, (B, G) ids and the weight (B, G) of each.

    Weights are 1 + log(count), times what `rarity` says of an id (V + pairs,) where it is given, spread over the
    places of the same token, and of unit length a document, for tokens and pairs apart. Ids of pairs stand behind
    those of tokens; a pair with padding weighs nothing.
    """

    is_leaf = True  # one piece for quantization: integers in, weights out

    def __init__(self, vocabulary: int, pad: int, pairs: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.pad = pad
        self.pairs = pairs

    def forward(self, tokens: Tensor, rarity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ids = tokens.to(torch.int64)
        real = ids != self.pad
        weights = _weights(ids, real, self.vocabulary, None if rarity is None else rarity[: self.vocabulary])
        if not self.pairs:
            return ids, weights
        left, right = ids[:, :-1], ids[:, 1:]
        hashed = (left * FIRST + right * SECOND) % self.pairs
        both = real[:, :-1] & real[:, 1:]
        of_pairs = _weights(hashed, both, self.pairs, None if rarity is None else rarity[self.vocabulary :])
        return torch.cat([ids, hashed + self.vocabulary], 1), torch.cat([weights, of_pairs], 1)


def _weights(ids: Tensor, real: Tensor, size: int, rarity: Tensor | None) -> Tensor:
    ones = real.to(torch.float32)
    counts = torch.zeros(ids.shape[0], size, device=ids.device).scatter_add(1, ids, ones)
    count = counts.gather(1, ids).clamp_min(1)
    value = 1 + count.log()
    if rarity is not None:
        value = value * rarity[ids]
    length = (ones * value.square() / count).sum(1, keepdim=True).clamp_min(1e-12).sqrt()
    return ones * value / (count * length)


class Bag(nn.Module):
    """A linear model on TF-IDF of tokens and hashed pairs: token ids (B, T) to logits or numbers (B, K).

    Where a line tells each of several `classes` from all others, a logit is the logarithm of what it gives that
    class: the softmax then shares out these probabilities.
    """

    free_length = True
    rarity: Tensor

    def __init__(self, vocabulary: int, pad: int, outputs: int, classes: bool, pairs: int = PAIRS) -> None:
        super().__init__()
        self.apart = classes and outputs > 2
        self.grams = Grams(vocabulary, pad, pairs)
        self.register_buffer("rarity", torch.ones(vocabulary + pairs))
        self.evidence = nn.Embedding(vocabulary + pairs, outputs)
        self.offsets = nn.Parameter(torch.zeros(outputs))

    def forward(self, tokens: Tensor) -> Tensor:
        ids, weights = self.grams(tokens, self.rarity)
        found: Tensor = torch.matmul(weights.unsqueeze(1), self.evidence(ids)).squeeze(1) + self.offsets
        return F.logsigmoid(found) if self.apart else found

    def learn(self, inputs: Rows) -> Any:
        """TF-IDF float32 CSR (N, V + pairs) of training tokens; how rare each is is kept."""
        self.rarity.fill_(1)
        documents = np.bincount(self.measure(inputs).indices, minlength=len(self.rarity))
        self.rarity.copy_(torch.from_numpy(np.log((1 + len(inputs)) / (1 + documents)) + 1))
        return self.measure(inputs)

    @torch.inference_mode()
    def measure(self, inputs: Rows) -> Any:
        """The same of other tokens."""
        from scipy.sparse import csr_matrix, vstack

        parts = []
        with one_thread():
            for block in blocks(inputs, of_tokens=True):
                ids, weights = (part.numpy() for part in self.grams(torch.from_numpy(block), self.rarity))
                row, place = np.nonzero(weights)
                where = (row, ids[row, place])
                parts.append(csr_matrix((weights[row, place], where), (len(block), len(self.rarity))))
        return vstack(parts, "csr", np.float32)

    @torch.no_grad()
    def take(self, weights: F64, offsets: F64) -> None:
        """Take over what was fitted on these features: weights (K, V + pairs), offsets (K,)."""
        self.evidence.weight.copy_(torch.from_numpy(weights.T))
        self.offsets.copy_(torch.from_numpy(offsets))

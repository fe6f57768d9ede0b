"""A decoder that writes on from what it has read: GPT with rotary positions.

Pre-norm blocks (Radford et al., "Language models are unsupervised multitask learners", 2019), rotary positions (Su
et al., "RoFormer", 2021), norms without biases, squared ReLU (So et al., "Primer", 2021). Queries and keys are
normalized (Henry et al., "Query-key normalization for transformers", 2020), which lets large learning rates pass.
The head shares its matrix with the embedding (Press and Wolf, 2017). On request a short convolution runs over
queries, keys and values ("Primer" again): it shows each position its neighbors, which attention is slow to find.

Shapes: B sequences, T tokens, V vocabulary, D width, H heads, E = D / H. Tokens are int (B, T); features are
(B, T, D); logits are (B, T, V).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.model.attention import causal_attention
from bessemer.model.contract import ChannelGroup

ROTARY_BASE = 10_000.0
INIT_STD = 0.02


def rotary_table(length: int, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines (length, width / 2) of the angle by which each pair of a position is turned."""
    frequencies = ROTARY_BASE ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn the pairs (x[..., i], x[..., i + E/2]) of (B, T, H, E) by the angles (T, E/2) of their positions."""
    first, second = x.chunk(2, dim=-1)
    cosines, sines = cosines[:, None].to(x.dtype), sines[:, None].to(x.dtype)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], -1)


class Cache:
    """Of what a layer has read: all keys and values (B, H, T, E), and the last inputs of its convolution."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self.last: Tensor | None = None

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append along T; returns all."""
        if self.keys is not None and self.values is not None:
            keys, values = torch.cat([self.keys, keys], 2), torch.cat([self.values, values], 2)
        self.keys, self.values = keys, values
        return keys, values

    def precede(self, x: Tensor, count: int) -> Tensor:
        """x (B, T, C) behind the `count` positions before it, (B, count + T, C); zeros before the first."""
        before = x.new_zeros(x.shape[0], count, x.shape[2]) if self.last is None else self.last
        joined = torch.cat([before, x], 1)
        self.last = joined[:, -count:]
        return joined


class ShortConvolution(nn.Module):
    """Each channel of (B, T, C) plus a weighted sum of the same channel at the `size` - 1 positions before.

    So et al., "Primer: searching for efficient transformers for language modeling", 2021, who put it behind the
    projections of attention; the shortcut is of Allen-Zhu, "Physics of language models: part 4.1", 2025.
    """

    is_leaf = True  # in floats

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        bound = size**-0.5
        self.taps = nn.Parameter(torch.empty(size - 1, channels).uniform_(-bound, bound))  # the nearest first

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """Features that go on from what the cache holds; without one from zeros."""
        reach, time = len(self.taps), x.shape[1]
        joined = F.pad(x, (0, 0, reach, 0)) if cache is None else cache.precede(x, reach)
        for distance, tap in enumerate(self.taps.to(x.dtype).unbind(), start=1):
            start = reach - distance
            x = x + tap * joined[:, start : start + time]
        return x


class Angles(nn.Module):
    """By how much the pairs of each position are turned."""

    is_leaf = True  # one piece for quantization: what it does depends on lengths
    cosines: Tensor
    sines: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        cosines, sines = rotary_table(length, width)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    def forward(self, tokens: Tensor, start: int = 0) -> tuple[Tensor, Tensor]:
        """Cosines and sines (T, E/2) for tokens (B, T) whose first position is `start`."""
        stop = start + tokens.shape[1]
        return self.cosines[start:stop], self.sines[start:stop]


class Mixing(nn.Module):
    """Queries, keys and values side by side (B, T, 3D) to mixed values (B, T, D), causally."""

    is_leaf = True  # in floats: its products are of activations alone

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, joint: Tensor, angles: tuple[Tensor, Tensor], cache: Cache | None = None) -> Tensor:
        batch, time, width = joint.shape[0], joint.shape[1], joint.shape[2] // 3
        query, key, value = joint.reshape(batch, time, 3, self.heads, -1).unbind(2)  # each (B, T, H, E)
        shape = (query.shape[-1],)
        query, key = (F.rms_norm(x, shape).to(value.dtype) for x in (query, key))
        query, key = rotate(query, *angles).transpose(1, 2), rotate(key, *angles).transpose(1, 2)
        value = value.transpose(1, 2)
        if cache is not None:
            key, value = cache.extend(key, value)
        if key.shape[2] == time:
            mixed = causal_attention(query, key, value)
        else:  # each new position sees all old ones and the new ones up to itself
            past = key.shape[2] - time
            seen = torch.ones(time, key.shape[2], dtype=torch.bool, device=joint.device).tril(past)
            mixed = F.scaled_dot_product_attention(query, key, value, seen)
        return mixed.transpose(1, 2).reshape(batch, time, width)


class CausalAttention(nn.Module):
    """Multi-head attention to the positions up to one's own."""

    def __init__(self, width: int, heads: int, convolution: int = 0) -> None:
        super().__init__()
        self.mixing = Mixing(heads)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.convolution = ShortConvolution(3 * width, convolution) if convolution else None
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], cache: Cache | None = None) -> Tensor:
        """Features (B, T, D); with a cache they go on from what it holds."""
        joint: Tensor = self.query_key_value(x)
        if self.convolution is not None:
            joint = self.convolution(joint, cache)
        result: Tensor = self.out(self.mixing(joint, angles, cache))
        return result


class DecoderBlock(nn.Module):
    """Attention and a feed-forward network, each behind a norm and beside a shortcut."""

    is_block = True

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float, convolution: int = 0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.attention = CausalAttention(width, heads, convolution)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, feedforward, bias=False)
        self.down = nn.Linear(feedforward, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], cache: Cache | None = None) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x), angles, cache))
        neurons = F.relu(self.up(self.norm2(x))).square()
        result: Tensor = x + self.dropout(self.down(neurons))
        return result


class GPT(nn.Module):
    """Embedding, blocks, norm and head."""

    free_length = reads_on = True

    def __init__(
        self,
        vocabulary: int,
        width: int,
        layers: int,
        heads: int,
        feedforward: int,
        dropout: float,
        context: int,
        convolution: int = 0,
    ) -> None:
        super().__init__()
        self.context = context
        self.headless = False  # whether training gets features, for losses that bring the head themselves
        self.tokens = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        settings = width, heads, feedforward, dropout, convolution
        self.blocks = nn.ModuleList(DecoderBlock(*settings) for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=False)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        self.angles = Angles(context, width // heads)
        self._start()

    def _start(self) -> None:
        nn.init.normal_(self.tokens.weight, std=INIT_STD)
        for block in self.blocks:
            assert isinstance(block, DecoderBlock)
            for layer in (block.attention.query_key_value, block.up):
                nn.init.normal_(layer.weight, std=INIT_STD)
            for layer in (block.attention.out, block.down):  # so that depth does not add variance (GPT-2)
                nn.init.normal_(layer.weight, std=INIT_STD / math.sqrt(2 * len(self.blocks)))

    def residual_branches(self) -> list[list[str]]:
        """Names of the modules whose outputs are added to a shortcut, block by block."""
        return [[f"blocks.{index}.attention", f"blocks.{index}.down"] for index in range(len(self.blocks))]

    def channel_groups(self) -> list[ChannelGroup]:
        """What can be pruned: neurons of each feed-forward network."""
        groups: list[ChannelGroup] = []
        for index, block in enumerate(self.blocks):
            assert isinstance(block, DecoderBlock)
            name, neurons = f"blocks.{index}", list(range(block.up.out_features))
            groups.append([(f"{name}.up", "out", neurons, neurons), (f"{name}.down", "in", neurons, neurons)])
        return groups

    def features(self, tokens: Tensor, caches: list[Cache] | None = None) -> Tensor:
        """What the head sees, (B, T, D)."""
        start = 0
        if caches and caches[0].keys is not None:
            start = caches[0].keys.shape[2]
        angles = self.angles(tokens, start)
        x = self.dropout(self.tokens(tokens.to(torch.int64)))
        for index, block in enumerate(self.blocks):
            x = block(x, angles, caches[index] if caches else None)
        result: Tensor = self.norm(x)
        return result

    def forward(self, tokens: Tensor) -> Tensor:
        features = self.features(tokens)
        if self.headless and self.training:
            return features
        logits: Tensor = self.head(features)
        return logits

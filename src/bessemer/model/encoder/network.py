"""A text classifier: a Transformer encoder that reads, beside a bag of tokens and pairs that counts.

The encoder has pre-norm blocks (Vaswani et al., "Attention is all you need", 2017; Xiong et al., "On layer
normalization in the Transformer architecture", 2020) and reads the first `context` tokens of a document. The bag
gives every token and every hashed pair of neighbors, of the whole document, its own evidence for each class, as a
linear model on n-grams does. On small corpora that is hard to beat, and with it in one network the encoder has
only to add what order and context tell (the wide part of Cheng et al., "Wide & deep learning", 2016).

Shapes: tokens int32 or int64 (B, T), padded with `pad`; logits (B, K). Padding changes no logit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.text.grams import Grams
from bessemer.model.contract import ChannelGroup

MASKED = -1e9  # finite, so that a row of padding alone gives no NaN
EVIDENCE_SCALE = 10.0  # a unit vector of counts has small entries; this lets evidence grow at the common rate
WORTH_PACKING = 0.9  # of the places of the batch as it came


class Attention(nn.Module):
    """Multi-head attention; the number of heads is that of the weights, so whole heads can be cut out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.head_width = width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Features (B, T, D) mixed over T; linear layers see (B·T, D), the fastest form in a runtime."""
        batch, time = x.shape[0], x.shape[1]
        flat = x.flatten(0, 1)
        query, key, value = (
            layer(flat).reshape(batch, time, -1, self.head_width).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, bias)
        result: Tensor = self.out(mixed.transpose(1, 2).flatten(2).flatten(0, 1))
        return result.reshape(batch, time, -1)


class Block(nn.Module):
    """Attention and a feed-forward network, each behind a normalization and beside a shortcut."""

    is_block = True

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, feedforward)
        self.down = nn.Linear(feedforward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor, real: Tensor) -> Tensor:
        """Features (B, T, D); `bias` (B, 1, 1 or T, T) is added to scores, `real` (B, T, 1) is 0 at padding."""
        x = x + self.dropout(self.attention(self.norm1(x), bias))
        neurons = F.gelu(self.up(self.norm2(x).flatten(0, 1)))
        x = x + self.dropout(self.down(neurons).reshape(x.shape))
        return x * real  # padding has no features, so none that distillation compares


class Encoder(nn.Module):
    """Embedding, blocks and masked mean over the first tokens; evidence of all tokens and pairs; logits (B, K)."""

    free_length = True

    def __init__(
        self,
        classes: int,
        vocabulary: int,
        pad: int,
        max_tokens: int,
        width: int,
        layers: int,
        heads: int,
        feedforward: int,
        dropout: float,
        context: int,
        pairs: int,
    ) -> None:
        super().__init__()
        self.pad = pad
        self.context = min(context, max_tokens)
        self.packing = False
        self.documents: Tensor | None = None  # of each place of a packed row, -1 where none is
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.empty(self.context, width))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, feedforward, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        self.grams = Grams(vocabulary, pad, pairs)
        self.evidence = nn.Embedding(vocabulary + pairs, classes)
        self.thinning = nn.Dropout(dropout)
        self.taps = [f"blocks.{index}" for index in range(layers)]  # layers whose features are comparable
        self._initialize()

    def _initialize(self) -> None:
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)
        nn.init.zeros_(self.evidence.weight)  # no evidence before training
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for block in self.blocks:  # the sum over blocks starts as large as one of them (Radford et al., 2019)
            assert isinstance(block, Block)
            for layer in (block.attention.out, block.down):
                layer.weight.data.mul_((2 * len(self.blocks)) ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        near = tokens[:, : self.context]
        packing = self.packing and not torch.compiler.is_exporting()  # a file has no room for what Python decides
        pooled = self._read_packed(near) if packing else self._read(near)
        ids, weights = self.grams(tokens)
        found = torch.matmul(self.thinning(weights).unsqueeze(1), self.evidence(ids)).squeeze(1)
        logits: Tensor = self.head(pooled) + found * EVIDENCE_SCALE
        return logits

    def _read(self, tokens: Tensor) -> Tensor:
        real = (tokens != self.pad).to(torch.float32)
        bias = ((1 - real) * MASKED).unsqueeze(1).unsqueeze(1)
        x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        x = self._features(x, bias, real.unsqueeze(2))
        return x.sum(1) / real.sum(1, keepdim=True).clamp_min(1)

    def _features(self, x: Tensor, bias: Tensor, real: Tensor) -> Tensor:
        x = self.dropout(x) * real
        for block in self.blocks:
            x = block(x, bias, real)
        normalized: Tensor = self.norm(x)
        return normalized * real

    def _read_packed(self, tokens: Tensor) -> Tensor:
        """The same as `_read`, with several documents in a row that do not see one another."""
        rows, segments, positions = _pack(tokens, self.pad)
        worthwhile = rows.numel() <= tokens.numel() * WORTH_PACKING
        self.documents = segments if worthwhile else None
        if not worthwhile:
            return self._read(tokens)
        real = ((segments >= 0) & (rows != self.pad)).to(torch.float32)
        apart = (segments.unsqueeze(2) != segments.unsqueeze(1)) | (real == 0).unsqueeze(1)
        x = self.tokens(rows) + self.positions[positions]
        x = self._features(x, apart.to(torch.float32).mul(MASKED).unsqueeze(1), real.unsqueeze(2))
        place = segments.clamp_min(0).flatten()  # unused places hold zeros, so they may go anywhere
        sums = torch.zeros(len(tokens), x.shape[2], dtype=x.dtype, device=x.device)
        sums = sums.index_add(0, place, x.flatten(0, 1))
        return sums / (tokens != self.pad).sum(1, keepdim=True).clamp_min(1)

    def residual_branches(self) -> list[list[str]]:
        """Names of the modules whose outputs are added to a shortcut, block by block."""
        return [[f"blocks.{index}.attention", f"blocks.{index}.down"] for index in range(len(self.blocks))]

    def channel_groups(self) -> list[ChannelGroup]:
        """What can be pruned: whole heads of each attention, and neurons of each feed-forward network."""
        groups: list[ChannelGroup] = []
        for index, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            name, attention = f"blocks.{index}", block.attention
            channels = list(range(attention.query.out_features))
            heads = [channel // attention.head_width for channel in channels]
            readers = [(f"{name}.attention.{layer}", "out") for layer in ("query", "key", "value")]
            groups.append([(*side, channels, heads) for side in [*readers, (f"{name}.attention.out", "in")]])
            neurons = list(range(block.up.out_features))
            groups.append([(f"{name}.up", "out", neurons, neurons), (f"{name}.down", "in", neurons, neurons)])
        return groups


def _pack(tokens: Tensor, pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of packed documents, the document of each place or -1, and its position in it; each (R, T) int64."""
    from bessemer.data.pack import pack_batch

    real = (tokens != pad).cpu()
    places = torch.arange(1, tokens.shape[1] + 1)
    lengths = (real * places).amax(1)
    packed = pack_batch(tokens.cpu().numpy(), lengths.numpy(), tokens.shape[1])
    rows, segments, positions = (torch.from_numpy(part).to(tokens.device, torch.int64) for part in packed)
    return rows, segments, positions

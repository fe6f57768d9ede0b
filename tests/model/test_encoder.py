"""The encoder: padding and packing change nothing, parts equal torch's own and slow references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor, nn

from bessemer.data.dataset import Batches, Samples
from bessemer.data.text.grams import FIRST, SECOND, Grams
from bessemer.model.contract import set_packing
from bessemer.model.encoder import EncoderConfig, encoder
from bessemer.model.encoder.network import EVIDENCE_SCALE, Block, Encoder
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import fit

Array = NDArray[Any]
Make = Callable[..., Encoder]


def logits(model: nn.Module, tokens: Array) -> Array:
    with torch.no_grad():
        return model(torch.from_numpy(tokens)).numpy()


def padded(tokens: Array, columns: int) -> Array:
    return np.pad(tokens, ((0, 0), (0, columns)))


# --- tokens in, logits out --------------------------------------------------------------------------------


def test_each_document_gets_a_logit_for_each_class(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    found = logits(model, tokens)
    assert found.shape == (40, 3)
    assert np.array_equal(found, logits(model, tokens.astype(np.int64)))


@pytest.mark.parametrize("columns", [1, 7, 40])
def test_padding_changes_no_logit(columns: int, make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    np.testing.assert_allclose(logits(model, padded(tokens, columns)), logits(model, tokens), rtol=0, atol=1e-5)


def test_a_document_alone_gets_the_logits_that_it_gets_among_others(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    together = logits(model, tokens)
    for row in range(8):
        alone = tokens[row : row + 1, : max(1, np.count_nonzero(tokens[row]))]
        np.testing.assert_allclose(logits(model, alone)[0], together[row], rtol=0, atol=1e-5)


def test_documents_without_a_token_all_get_the_same_finite_logits(make_encoder: Make) -> None:
    model = make_encoder()
    model.train()
    found = model(torch.zeros(3, 5, dtype=torch.int32))
    found.sum().backward()
    assert found.isfinite().all()
    assert torch.equal(found[0], found[1])
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_every_parameter_gets_a_gradient(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    model(torch.from_numpy(tokens)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_encoder_reads_the_first_tokens_and_the_bag_all(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    changed = tokens[:1].copy()
    changed[0, 20] = 1 + changed[0, 20] % 50
    assert not np.allclose(logits(model, changed), logits(model, tokens[:1]), atol=1e-4)
    nn.init.zeros_(model.evidence.weight)
    assert np.array_equal(logits(model, changed), logits(model, tokens[:1]))
    changed[0, 15] = 1 + changed[0, 15] % 50
    assert not np.allclose(logits(model, changed), logits(model, tokens[:1]), atol=1e-4)


def test_the_order_of_tokens_matters(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    nn.init.zeros_(model.evidence.weight)
    turned = np.ascontiguousarray(tokens[:1, ::-1])
    assert not np.allclose(logits(model, turned[:, -16:]), logits(model, tokens[:1, :16]), atol=1e-4)


# --- parts against references -----------------------------------------------------------------------------


def reference_block(block: Block, width: int, heads: int, feedforward: int) -> nn.TransformerEncoderLayer:
    """Torch's own pre-norm block with the same weights."""
    torch_block = nn.TransformerEncoderLayer(
        width, heads, feedforward, 0.0, "gelu", batch_first=True, norm_first=True
    )
    attention = block.attention
    parts = (attention.query, attention.key, attention.value)
    with torch.no_grad():
        torch_block.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        torch_block.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    pairs = {"self_attn.out_proj": attention.out, "linear1": block.up, "linear2": block.down}
    for name, layer in {**pairs, "norm1": block.norm1, "norm2": block.norm2}.items():
        torch_block.get_submodule(name).load_state_dict(layer.state_dict())
    return torch_block


def test_a_block_equals_torchs_own(make_encoder: Make) -> None:
    block = make_encoder().blocks[0]
    x = torch.randn(3, 9, 16, generator=torch.Generator().manual_seed(0))
    real = torch.tensor([[1.0] * 9, [1.0] * 4 + [0.0] * 5, [1.0] + [0.0] * 8])
    expected = reference_block(block, 16, 4, 24)(x, src_key_padding_mask=real == 0)
    found = block(x, ((1 - real) * -1e9)[:, None, None], real.unsqueeze(2))
    torch.testing.assert_close(found, expected * real.unsqueeze(2), rtol=1e-5, atol=1e-5)


def slow_grams(row: list[int], pairs: int) -> dict[int, float]:
    """Weight of each gram of one document, all its places together, by counting."""
    tokens = Counter(token for token in row if token)
    both = Counter((left * FIRST + right * SECOND) % pairs for left, right in pairwise(row) if left and right)
    result = {}
    for counts, offset in ((tokens, 0), (both, 60)):
        values = {gram: 1 + np.log(count) for gram, count in counts.items()}
        length = np.sqrt(sum(value**2 for value in values.values()))
        result |= {gram + offset: value / length for gram, value in values.items()}
    return result


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 4))
def test_grams_equal_a_slow_count(row: list[int], padding: int) -> None:
    ids, weights = Grams(60, 0, 16)(torch.tensor([row + [0] * padding], dtype=torch.int32))
    found: Counter[int] = Counter()
    for gram, weight in zip(ids[0].tolist(), weights[0].tolist(), strict=True):
        found[gram] += weight
    expected = slow_grams(row, 16)
    assert set(expected) <= set(found)
    for gram, weight in found.items():
        assert weight == pytest.approx(expected.get(gram, 0), abs=1e-5)


def test_the_evidence_of_a_document_is_a_linear_model_on_its_grams(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    for part in (model.head.weight, model.head.bias):
        nn.init.zeros_(part)
    table = model.evidence.weight.detach().numpy() * EVIDENCE_SCALE
    for row, found in zip(tokens[:5].tolist(), logits(model, tokens[:5]), strict=True):
        expected = sum(weight * table[gram] for gram, weight in slow_grams(row, 64).items())
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_without_pairs_there_are_only_tokens() -> None:
    ids, weights = Grams(60, 0, 0)(torch.tensor([[3, 3, 5, 0]]))
    assert ids.tolist() == [[3, 3, 5, 0]]
    assert weights[0, 3] == 0
    assert encoder(3, 60, 0, 8, **EncoderConfig(pairs=0).model_dump()).evidence.num_embeddings == 60


# --- packing ----------------------------------------------------------------------------------------------


def seen_rows(model: Encoder, tokens: Array) -> int:
    """Number of rows that the first block gets."""
    rows: list[int] = []
    hook = model.blocks[0].register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    logits(model, tokens)
    hook.remove()
    return rows[0]


def test_packing_changes_rows_and_no_logit(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    expected = logits(model, tokens)
    set_packing(model, True)
    assert seen_rows(model, tokens) < 0.9 * len(tokens)
    np.testing.assert_allclose(logits(model, tokens), expected, rtol=0, atol=1e-5)
    set_packing(model, False)
    assert seen_rows(model, tokens) == len(tokens)


def test_packing_changes_no_gradient(make_encoder: Make, tokens: Array) -> None:
    grads: list[list[Tensor]] = []
    for on in (False, True):
        model = make_encoder()
        set_packing(model, on)
        model(torch.from_numpy(tokens)).square().sum().backward()
        grads.append([p.grad for p in model.parameters() if p.grad is not None])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_documents_that_fill_their_rows_are_not_packed(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    set_packing(model, True)
    full = np.tile(tokens[:1], (6, 1))
    assert seen_rows(model, full) == 6
    assert logits(model, np.zeros((2, 5), np.int32)).shape == (2, 3)


# --- settings and learning --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{"width": 10}, {"heads": 0}, {"dropout": 1.0}, {"depth": 3}, {"name": "resnet"}]
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EncoderConfig(**settings)


def documents(n: int, seed: int) -> Samples:
    """Documents of ten random tokens; the class is which of two tokens, never neighbors, comes first."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(3, 12, (n, 10), dtype=np.int32)
    labels = np.arange(n, dtype=np.int64) % 2
    early, late = generator.integers(0, 4, n), generator.integers(6, 10, n)
    tokens[np.arange(n), early], tokens[np.arange(n), late] = 1 + labels, 2 - labels
    return Samples(tokens, labels, generator.permutation(n).astype(np.uint64))


def test_it_learns_an_order_that_no_bag_of_tokens_and_pairs_shows() -> None:
    torch.manual_seed(0)
    sizes = {"width": 16, "layers": 1, "heads": 2, "feedforward": 32, "dropout": 0.0, "context": 10, "pairs": 64}
    model = encoder(2, 12, 0, 10, **sizes)
    optimizer = OptimizerConfig(name="adamw", learning_rate=5e-3)
    config = TrainConfig(epochs=30, batch_size=32, ghost_batch=32, precision="fp32", optimizer=optimizer)
    batches = Batches(documents(256, 0), 32, 0, lambda tokens, ids, epochs, seed: tokens)
    fit(model, Classify(2), batches, config)
    test = documents(200, 1)
    assert (logits(model.eval(), test.inputs).argmax(1) == test.labels).mean() > 0.95

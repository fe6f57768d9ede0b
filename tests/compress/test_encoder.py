"""The encoder through compression: whole heads cut out, int8 embeddings, features compared without padding."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bessemer.api.distill import distill
from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import attention_loss, attention_map
from bessemer.compress.prune import find_groups, prune
from bessemer.compress.quantize import quantize
from bessemer.data.dataset import Batches, Samples
from bessemer.errors import UsageError
from bessemer.model.contract import set_packing
from bessemer.model.quantized import IntegerEmbedding, IntegerLayer, QuantizePoint
from bessemer.model.state import Architecture, load_model, save_model
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig

Array = NDArray[Any]
Make = Callable[..., nn.Module]


def logits(model: nn.Module, tokens: Array) -> Tensor:
    with torch.no_grad():
        return model(torch.from_numpy(tokens))


# --- pruning ----------------------------------------------------------------------------------------------


def test_the_groups_are_heads_and_neurons(make_encoder: Make, tokens: Array) -> None:
    groups = find_groups(make_encoder(), torch.from_numpy(tokens[:2]))
    assert [group.size for group in groups] == [4, 24, 4, 24]
    assert [group.unit_channels for group in groups] == [4, 1, 4, 1]
    assert sum(len(group.slots) for group in groups) == 2 * (4 + 2)


@pytest.mark.parametrize(("keep", "heads", "neurons"), [(0.75, 3, 16), (0.5, 2, 16), (0.1, 1, 8)])
def test_whole_heads_and_neurons_are_cut_out(
    keep: float, heads: int, neurons: int, make_encoder: Make, tokens: Array
) -> None:
    pruned, _ = prune(make_encoder(), torch.from_numpy(tokens[:2]), keep)
    for block in pruned.blocks:
        attention = block.attention
        for layer in (attention.query, attention.key, attention.value):
            assert (layer.out_features, layer.in_features) == (4 * heads, 16)
        assert (attention.out.out_features, attention.out.in_features) == (16, 4 * heads)
        assert (block.up.out_features, block.down.in_features) == (neurons, neurons)
    assert logits(pruned, tokens).isfinite().all()


def test_what_is_cut_out_counts_as_zero(make_encoder: Make, tokens: Array) -> None:
    """The pruned network equals the whole one with the readers of the cut channels set to zero."""
    whole = make_encoder()
    pruned, edit = prune(whole, torch.from_numpy(tokens[:2]), 0.5)
    zeroed = copy.deepcopy(whole)
    for name, kept in edit["layers"].items():
        if "in" in kept:
            weight = zeroed.get_submodule(name).weight.data
            weight[:, [c for c in range(weight.shape[1]) if c not in kept["in"]]] = 0
    torch.testing.assert_close(logits(pruned, tokens), logits(zeroed, tokens), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(logits(pruned, tokens), logits(whole, tokens), atol=1e-2)


def test_the_strongest_heads_stay(make_encoder: Make, tokens: Array) -> None:
    network = make_encoder()
    attention = network.blocks[0].attention
    with torch.no_grad():
        for layer in (attention.query, attention.key, attention.value):
            layer.weight[:12] *= 0.01
        attention.out.weight[:, :12] *= 0.01
    _, edit = prune(network, torch.from_numpy(tokens[:2]), 0.25)
    assert edit["layers"]["blocks.0.attention.query"]["out"] == [12, 13, 14, 15]
    assert edit["layers"]["blocks.0.attention.out"]["in"] == [12, 13, 14, 15]


# --- int8 -------------------------------------------------------------------------------------------------


def test_points_stand_in_front_of_linear_layers_and_embeddings_are_int8(make_encoder: Make, tokens: Array) -> None:
    integer, edit = quantize(make_encoder(), torch.from_numpy(tokens))
    counts = {kind: sum(isinstance(m, kind) for m in integer.modules()) for kind in (IntegerLayer, QuantizePoint)}
    assert counts == {IntegerLayer: 2 * 6 + 1, QuantizePoint: 2 * 4 + 1}
    assert len(edit["activations"]) == 9
    assert not [m for m in integer.modules() if isinstance(m, (nn.Linear, nn.Embedding))]
    assert sum(isinstance(m, IntegerEmbedding) for m in integer.modules()) == 2


def test_an_int8_embedding_equals_a_slow_rounding() -> None:
    generator = torch.Generator().manual_seed(0)
    table = nn.Embedding(7, 5, _weight=torch.randn(7, 5, generator=generator))
    ids = torch.tensor([[3, 0], [6, 6]])
    found = IntegerEmbedding(table)(ids).numpy()
    for row, token in zip(found.reshape(4, 5), ids.flatten().tolist(), strict=True):
        weights = table.weight[token].detach().numpy()
        scale = np.float32(np.abs(weights).max() / np.float32(127))
        np.testing.assert_allclose(row, np.round(weights / scale) * scale, rtol=1e-6)


def test_the_int8_encoder_is_close_to_the_floats(make_encoder: Make, tokens: Array) -> None:
    network = make_encoder()
    expected = logits(network, tokens)
    found = logits(quantize(network, torch.from_numpy(tokens))[0], tokens)
    assert float((found - expected).abs().max()) < 0.1 * float(expected.std())
    assert not torch.equal(found, expected)


def test_a_packing_encoder_is_quantized_unpacked_and_stays_as_it_was(make_encoder: Make, tokens: Array) -> None:
    network = make_encoder()
    expected = logits(quantize(network, torch.from_numpy(tokens))[0], tokens)
    set_packing(network, True)
    assert torch.equal(logits(quantize(network, torch.from_numpy(tokens))[0], tokens), expected)
    assert network.packing


def test_pruned_and_quantized_it_survives_saving(
    make_encoder: Make, text_architecture: Architecture, tokens: Array, tmp_path: Path
) -> None:
    pruned, cut = prune(make_encoder(), torch.from_numpy(tokens[:2]), 0.5)
    integer, rounded = quantize(pruned, torch.from_numpy(tokens))
    save_model(tmp_path, text_architecture.edited(cut, rounded), integer)
    loaded = load_model(tmp_path)
    assert torch.equal(logits(loaded, tokens), logits(integer, tokens))
    assert loaded.free_length
    with pytest.raises(UsageError, match="quantized already"):
        quantize(loaded, torch.from_numpy(tokens))


def test_an_int8_encoder_is_not_pruned(make_encoder: Make, tokens: Array) -> None:
    integer, _ = quantize(make_encoder(), torch.from_numpy(tokens))
    with pytest.warns(UserWarning, match="changed nothing"):
        prune(integer, torch.from_numpy(tokens[:2]), 0.5)


# --- distillation -----------------------------------------------------------------------------------------


def test_the_attention_map_of_tokens_is_the_mean_square_over_features() -> None:
    features = torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(0))
    energy = (features.numpy() ** 2).mean(2)
    expected = energy / np.linalg.norm(energy, axis=1, keepdims=True)
    np.testing.assert_allclose(attention_map(features).numpy(), expected, rtol=1e-5)
    assert attention_loss(features, features[..., :3]) > 0


def test_padding_changes_no_attention_map(make_encoder: Make, tokens: Array) -> None:
    model = make_encoder()
    maps: list[Tensor] = []
    model.blocks[0].register_forward_hook(lambda module, inputs, output: maps.append(attention_map(output)))
    logits(model, tokens[3:8, :10])
    logits(model, np.pad(tokens[3:8, :10], ((0, 0), (0, 6))))
    torch.testing.assert_close(maps[1][:, :10], maps[0], rtol=0, atol=1e-6)
    assert not maps[1][:, 10:].any()


@pytest.mark.parametrize("packing", [False, True])
def test_a_pruned_student_moves_towards_its_teacher(packing: bool, make_encoder: Make, tokens: Array) -> None:
    teacher = make_encoder()
    student, _ = prune(make_encoder(), torch.from_numpy(tokens[:2]), 0.5)
    set_packing(student, packing)
    samples = Samples(tokens, np.arange(40) % 3, np.arange(40, dtype=np.uint64))
    wanted = logits(teacher, tokens)
    before = float((logits(student.eval(), tokens) - wanted).abs().mean())
    optimizer = OptimizerConfig(name="adamw", learning_rate=3e-3)
    config = TrainConfig(epochs=15, batch_size=20, ghost_batch=20, precision="fp32", optimizer=optimizer)
    batches = Batches(samples, 20, 0, lambda inputs, ids, epochs, seed: inputs)
    settings = DistillConfig(weight=1.0, features=1.0)
    distill(student, teacher, Classify(3), batches, config, settings, taps=teacher.taps)
    assert float((logits(student.eval(), tokens) - wanted).abs().mean()) < 0.6 * before

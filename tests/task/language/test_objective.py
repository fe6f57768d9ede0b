"""The loss of language modelling, whole and in chunks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.stream import IGNORED
from bessemer.task.language.objective import Language, linear_cross_entropy, token_losses


def example(seed: int = 0, rows: int = 13, width: int = 6, vocabulary: int = 11) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator, requires_grad=True)
    weight = torch.randn(vocabulary, width, generator=generator, requires_grad=True)
    targets = torch.randint(0, vocabulary, (rows,), generator=generator)
    targets[3] = targets[rows - 1] = IGNORED
    return hidden, weight, targets


@pytest.mark.parametrize("chunk", [1, 4, 13, 100])
def test_chunks_give_the_loss_and_gradients_of_the_whole(chunk: int) -> None:
    hidden, weight, targets = example()
    expected = F.cross_entropy(hidden @ weight.T, targets, ignore_index=IGNORED)
    wanted = torch.autograd.grad(3 * expected, [hidden, weight])
    found = linear_cross_entropy(hidden, weight, targets, chunk)
    assert torch.allclose(found, expected, atol=1e-6)
    for one, other in zip(torch.autograd.grad(3 * found, [hidden, weight]), wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_chunks_take_16_bit_features_beside_32_bit_weights() -> None:
    hidden, weight, targets = example()
    half = hidden.detach().bfloat16().requires_grad_()
    loss = linear_cross_entropy(half, weight, targets, 4)
    loss.backward()
    assert loss.dtype == torch.float32
    assert (half.grad.dtype, weight.grad.dtype) == (torch.bfloat16, torch.float32)
    assert torch.allclose(loss, F.cross_entropy(hidden @ weight.T, targets, ignore_index=IGNORED), atol=0.05)


def test_nothing_to_say_costs_nothing() -> None:
    hidden, weight, targets = example()
    loss = linear_cross_entropy(hidden, weight, torch.full_like(targets, IGNORED), 4)
    loss.backward()
    assert loss == 0
    assert not weight.grad.any()


def test_the_loss_is_the_mean_over_tokens_and_losses_those_of_windows() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, 5, generator=generator)
    targets = torch.tensor([[1, 2, 3], [4, IGNORED, IGNORED]])
    each = -logits.log_softmax(2)
    nats = [each[0, 0, 1], each[0, 1, 2], each[0, 2, 3], each[1, 0, 4]]
    task = Language()
    assert torch.allclose(task.loss(logits, targets), sum(nats) / 4)
    assert torch.allclose(task.losses(logits, targets), torch.stack([sum(nats[:3]) / 3, nats[3]]))
    assert token_losses(logits, targets)[1, 1:].tolist() == [0, 0]


def test_with_a_head_features_give_the_same_losses() -> None:
    hidden, _, _ = example()
    head = nn.Linear(6, 11, bias=False)
    features, targets = hidden[:12].reshape(3, 4, 6), torch.arange(12).reshape(3, 4) % 11
    plain, fused = Language(), Language(head)
    assert torch.allclose(fused.loss(features, targets), plain.loss(head(features), targets), atol=1e-6)
    assert torch.allclose(fused.losses(features, targets), plain.losses(head(features), targets), atol=1e-6)
    head.eval()  # a model that is asked in evaluation mode gives logits
    assert torch.allclose(fused.loss(head(features), targets), plain.loss(head(features), targets))

"""Frozen layers stay to the bit; low-rank changes equal their formula and leave plain weights."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bessemer.data.dataset import Batches, Samples
from bessemer.errors import UsageError
from bessemer.model.gpt.network import GPT
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import fit
from bessemer.train.methods.freeze.hooks import Freeze, begins, freeze
from bessemer.train.methods.lora import LoraConfig
from bessemer.train.methods.lora.hooks import DOWN, UP, Lora, add_lora, layers_for_lora, merge_lora
from bessemer.train.optimizer import build_optimizer

CONFIG = TrainConfig(
    epochs=2, batch_size=16, ghost_batch=8, optimizer=OptimizerConfig(learning_rate=0.1), precision="fp32"
)


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


def trained(model: nn.Module, samples: Samples, **settings: object) -> set[str]:
    """Names of what six steps changed in a model."""
    before = copy.deepcopy(model.state_dict())
    config = CONFIG.model_copy(update=settings)
    fit(model, Classify(3), Batches(samples, 16, 0), config, validate=lambda network: 0.0)
    return changed(before, model.state_dict())


def test_frozen_layers_keep_weights_and_statistics_through_validations(model: nn.Module, samples: Samples) -> None:
    moved = trained(model, samples, freeze=["stem", "stages.0"])
    assert moved
    assert not any(name.startswith(("stem.", "stages.0.")) for name in moved)
    assert {"stages.1.0.norm1.running_mean", "stages.1.0.conv1.weight", "head.weight"} <= moved
    assert all(parameter.requires_grad for parameter in model.parameters())  # as it was before


def test_the_optimizer_does_not_hold_what_is_frozen(model: nn.Module) -> None:
    method = Freeze(["stages"])
    method.prepare(model)
    held = {id(one) for group in build_optimizer(model, CONFIG.optimizer).param_groups for one in group["params"]}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in held) != name.startswith("stages.")


def test_prefixes_end_at_dots() -> None:
    assert begins("stem.0.weight", "stem")
    assert begins("stem", "stem")
    assert not begins("stems.0.weight", "stem")


def test_what_was_frozen_before_stays_so(model: nn.Module) -> None:
    model.stem.requires_grad_(False)
    method = Freeze(["stem", "head"])
    method.prepare(model)
    method.release()
    assert not any(parameter.requires_grad for parameter in model.stem.parameters())
    assert model.head.weight.requires_grad


def test_prefixes_of_nothing_and_of_everything_are_refused(model: nn.Module) -> None:
    with pytest.raises(UsageError, match="begins with 'stm'") as caught:
        freeze(model, ["stm"])
    assert "stem, stages, head" in caught.value.remedy
    with pytest.raises(UsageError, match="nothing is left to train"):
        freeze(model, ["stem", "stages", "head"])
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_refusal_of_one_method_undoes_the_others(model: nn.Module, samples: Samples) -> None:
    before = copy.deepcopy(model.state_dict())
    config = CONFIG.model_copy(update={"freeze": ["stem"], "lora": LoraConfig(layers=["query"])})
    with pytest.raises(UsageError, match="ends with 'query'"):
        fit(model, Classify(3), Batches(samples, 16, 0), config)
    assert not changed(before, model.state_dict())
    assert all(parameter.requires_grad for parameter in model.parameters())


# --- LoRA -----------------------------------------------------------------------------------------------


def test_an_adapted_layer_equals_the_formula_in_outputs_and_gradients() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(6, 4), torch.randn(5, 6)
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    plain = layer(x)
    hook = add_lora(layer, 2, alpha=8)
    assert torch.equal(layer(x), plain)
    nn.init.normal_(layer.lora_up)
    down, up = (getattr(layer, name).detach().clone().requires_grad_() for name in (DOWN, UP))
    expected = x @ (weight + 8 / 2 * up @ down).T + bias
    torch.testing.assert_close(layer(x), expected)
    layer(x).square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(layer.lora_down.grad, down.grad)
    torch.testing.assert_close(layer.lora_up.grad, up.grad)
    assert layer.weight.grad is None
    merge_lora(layer, 2, 8, hook)
    assert {name for name, _ in layer.named_parameters()} == {"weight", "bias"}
    torch.testing.assert_close(layer(x), expected)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.norm, self.down, self.head = (
            nn.Linear(64, 32),
            nn.LayerNorm(32),
            nn.Linear(32, 32),
            nn.Linear(32, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.up(x.flatten(1).float() / 255)))
        found: Tensor = self.head(torch.relu(self.down(x)))
        return found


def test_a_run_changes_adapted_weights_by_few_ranks_and_nothing_else(samples: Samples) -> None:
    torch.manual_seed(0)
    net = Net()
    before = copy.deepcopy(net.state_dict())
    assert trained(net, samples, lora=LoraConfig(rank=2, layers=["up", "down"])) == {"up.weight", "down.weight"}
    for name in ("up.weight", "down.weight"):
        assert torch.linalg.matrix_rank(net.state_dict()[name] - before[name], atol=1e-5) == 2
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())


def test_what_is_named_in_full_is_trained_whole(samples: Samples) -> None:
    torch.manual_seed(0)
    moved = trained(Net(), samples, lora=LoraConfig(rank=2, full=["head"]))
    assert moved == {"up.weight", "down.weight", "head.weight", "head.bias"}


def test_a_run_that_goes_on_is_the_run_that_never_stopped_and_averages_merge(
    samples: Samples, tmp_path: object, notes: Callable[..., object]
) -> None:
    def run(work: object, stop: int = 0) -> dict[str, Tensor]:
        torch.manual_seed(0)
        net = Net()

        def at_step(step: int) -> None:
            if step == stop:
                raise InterruptedError

        config = CONFIG.model_copy(update={"lora": LoraConfig(rank=2), "ema": 0.5, "checkpoint_seconds": 1e-9})
        fit(net, Classify(3), Batches(samples, 16, 0), config, work=work, progress=notes(at_step))
        return net.state_dict()

    whole = run(None)
    with pytest.raises(InterruptedError):
        run(tmp_path, stop=4)
    assert not changed(run(tmp_path), whole)


def test_tied_weights_and_torch_s_attention_are_left_out() -> None:
    assert set(layers_for_lora(GPT(60, 16, 1, 4, 24, 0.0, 24), [])) == {
        "blocks.0.attention.query_key_value",
        "blocks.0.attention.out",
        "blocks.0.up",
        "blocks.0.down",
    }
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    assert set(layers_for_lora(layer, [])) == {"linear1", "linear2"}
    with pytest.raises(UsageError, match="ends with 'out_proj'"):
        layers_for_lora(layer, ["out_proj"])


def test_what_cannot_be_adapted_is_refused(model: nn.Module) -> None:
    with pytest.raises(UsageError, match="begins with 'tail'"):
        Lora(LoraConfig(full=["tail"]), 0).prepare(model)
    with pytest.raises(UsageError, match="every layer it could adapt is in full"):
        Lora(LoraConfig(full=["head"]), 0).prepare(model)
    with pytest.raises(UsageError, match=r"no untied nn\.Linear"):
        Lora(LoraConfig(), 0).prepare(nn.Conv2d(1, 1, 1))


def test_a_layer_whose_weight_is_read_directly_is_named(samples: Samples) -> None:
    class Direct(Net):
        def forward(self, x: Tensor) -> Tensor:
            x = self.up(x.flatten(1).float() / 255) @ self.down.weight
            found: Tensor = self.head(x)
            return found

    with pytest.raises(UsageError, match="weight of 'down' without calling the layer"):
        trained(Direct(), samples, lora=LoraConfig(rank=2))

"""What networks tell of themselves: defaults of a plain module, and what our own say holds of what they are."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import bessemer
from bessemer.errors import UsageError
from bessemer.model import contract
from bessemer.model.models import MODELS, find_model
from bessemer.model.surgery import keep_channels
from bessemer.train.memory.checkpointing import checkpoint_blocks

ROOT = Path(bessemer.__file__).parent
SMALL = {"width": 16, "layers": 2, "heads": 2, "feedforward": 12, "dropout": 0.0}
RESIDUAL = {"stem": "small", "stem_width": 4, "widths": [4, 6], "blocks": [1, 2], "strides": [1, 2]}
ARGUMENTS = {
    "resnet": {"classes": 3, "mean": [0.5], "std": [0.2], **RESIDUAL},
    "encoder": {"classes": 3, "vocabulary": 30, "pad": 0, "max_tokens": 8, "context": 8, "pairs": 16, **SMALL},
    "sound": {"classes": 3, "rate": 8000, "mels": 8, "mean": [0.0] * 8, "std": [1.0] * 8, **RESIDUAL},
    "gpt": {"vocabulary": 30, "context": 8, **SMALL},
    "mlp": {
        **{"classes": 3, "numbers": 2, "dates": 1, "categories": [4], "gaps": [True, False, False]},
        **{"centers": [0.0] * 3, "factors": [1.0] * 3},
        **{"widths": [6, 6], "residual": True, "dropout": 0.0, "waves": 2, "embedding": 4},
    },
}


@pytest.fixture(params=MODELS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return find_model(request.param).build(**ARGUMENTS[request.param]).eval()


def test_a_plain_module_tells_nothing_and_every_question_has_an_answer() -> None:
    plain = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    assert contract.taps(plain) == []
    assert contract.residual_branches(plain) == []
    assert contract.channel_groups(plain) is None
    assert contract.blocks(plain) == []
    assert contract.documents(plain) is None
    assert contract.headless(plain) is None
    flags = (contract.free_length, contract.reads_on, contract.is_packing, contract.is_leaf)
    assert [ask(plain) for ask in flags] == [False] * 4
    contract.set_packing(plain, True)
    assert not contract.is_packing(plain)
    assert not hasattr(plain, "packing")


def test_a_network_that_does_not_say_its_context_is_refused() -> None:
    with pytest.raises(UsageError, match="a Linear does not say how many tokens") as error:
        contract.context(nn.Linear(2, 2))
    assert "`context`" in error.value.remedy


def test_names_that_a_network_tells_are_those_of_its_modules(network: nn.Module) -> None:
    names = dict(network.named_modules()).keys()
    assert set(contract.taps(network)) <= names
    branches = contract.residual_branches(network)
    assert {name for block in branches for name in block} <= names
    assert len(contract.blocks(network)) == len(branches) > 0
    for group in contract.channel_groups(network) or []:
        assert {layer for layer, _, _, _ in group} <= names


def test_a_group_of_channels_can_be_cut_to_one_unit(network: nn.Module) -> None:
    for group in contract.channel_groups(network) or []:
        layers: dict[str, dict[str, list[int]]] = {}
        for layer, side, channels, units in group:
            kept = [channel for channel, unit in zip(channels, units, strict=True) if unit == 0]
            layers.setdefault(layer, {})[side] = kept
        keep_channels(network, {"edit": "keep_channels", "layers": layers})
    if contract.channel_groups(network) is not None:
        outputs = network(torch.ones(2, 5, dtype=torch.int32))
        assert torch.isfinite(outputs).all()


@pytest.mark.parametrize("name", ["encoder", "gpt"])
def test_free_length_is_true_of_what_takes_any_length(name: str) -> None:
    network = find_model(name).build(**ARGUMENTS[name]).eval()
    assert contract.free_length(network)
    for length in (1, 3, 8):
        assert len(network(torch.ones(2, length, dtype=torch.int32))) == 2


def test_packing_is_switched_in_every_part_that_can() -> None:
    inner = find_model("encoder").build(**ARGUMENTS["encoder"])
    outer = nn.Sequential(inner)
    contract.set_packing(outer, True)
    assert contract.is_packing(outer)
    contract.set_packing(outer, False)
    assert not contract.is_packing(outer)
    assert contract.documents(inner) is None


def test_a_headless_network_gives_features_in_training_and_outputs_otherwise() -> None:
    network = find_model("gpt").build(**ARGUMENTS["gpt"])
    tokens = torch.ones(2, 5, dtype=torch.int32)
    whole = network(tokens)
    head = contract.headless(network)
    assert head is not None
    features = network.train()(tokens)
    assert features.shape == (2, 5, 16)
    torch.testing.assert_close(head(features), whole)
    assert network.eval()(tokens).shape == whole.shape


def test_blocks_of_a_stranger_are_checkpointed_where_it_says_which_they_are() -> None:
    class Layer(nn.Linear):
        is_block = True

    network = nn.Sequential(Layer(2, 2), nn.ReLU(), Layer(2, 2))
    assert checkpoint_blocks(network, every=2) == [network[0]]
    with pytest.raises(UsageError, match="has no block that is known"):
        checkpoint_blocks(nn.Sequential(nn.Linear(2, 2)))
    assert len(checkpoint_blocks(nn.Sequential(nn.Linear(2, 2)), kinds=(nn.Linear,))) == 1


# --- nobody asks past the contract ------------------------------------------------------------------------

TOLD = {"taps", "residual_branches", "channel_groups", "free_length", "context", "headless", "reads_on"}
TOLD |= {"documents", "is_block", "is_leaf", "packing"}


def probes(source: str) -> set[str]:
    """Questions that a source asks of a network past the contract: of its attributes or of its class."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
            asked = node.args[1]
            if node.func.id in ("getattr", "hasattr", "setattr") and isinstance(asked, ast.Constant):
                found |= {asked.value} & TOLD
            if node.func.id == "isinstance" and isinstance(asked, ast.Name):
                found |= {asked.id} & {"GPT", "Encoder", "ResNet", "Block", "DecoderBlock", "BasicBlock", "Grams"}
    return found


def test_no_other_file_asks_a_network_for_what_the_contract_answers() -> None:
    files = [file for file in ROOT.rglob("*.py") if file.name not in ("contract.py", "network.py")]
    assert {str(file): found for file in files if (found := probes(file.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    "line", ['getattr(model, "taps", [])', 'hasattr(network, "headless")', "isinstance(network, GPT)"]
)
def test_a_question_past_the_contract_is_found(line: str) -> None:
    assert len(probes(line)) == 1


@pytest.mark.parametrize("ask", [contract.taps, contract.residual_branches])
def test_what_is_told_is_a_copy_or_made_anew(ask: Callable[[nn.Module], list[object]]) -> None:
    network = find_model("resnet").build(**ARGUMENTS["resnet"])
    ask(network).clear()
    assert ask(network)

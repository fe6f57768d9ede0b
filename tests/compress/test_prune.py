"""Channel pruning: what is removed was not needed, and nothing else changes."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bessemer.compress.prune import kept_count, plan, prune
from bessemer.errors import UsageError
from bessemer.model.state import Architecture
from bessemer.model.surgery import apply_edits

Build = Callable[[], tuple[nn.Module, Tensor]]


def plain() -> tuple[nn.Module, Tensor]:
    layers = [nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 12, 3)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.Linear(12 * 16, 3)), torch.rand(2, 3, 8, 8)


def separable() -> tuple[nn.Module, Tensor]:
    depthwise = nn.Conv2d(16, 16, 3, groups=16, bias=False)
    first = [nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), depthwise, nn.BatchNorm2d(16)]
    last = [nn.ReLU(), nn.Conv2d(16, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)]
    return nn.Sequential(*first, *last), torch.rand(2, 3, 8, 8)


def mlp() -> tuple[nn.Module, Tensor]:
    hidden = [nn.Linear(10, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(16, 4)), torch.rand(2, 10)


class Joined(nn.Module):
    """Two branches that are concatenated, one of which also reads the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 6, 3, padding=1)
        self.c = nn.Conv2d(14, 8, 1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x).relu()
        return self.head(self.c(torch.cat([a, self.b(a).relu()], 1)).relu().mean((2, 3)))


def joined() -> tuple[nn.Module, Tensor]:
    return Joined(), torch.rand(2, 3, 8, 8)


@pytest.fixture
def resnet(model: nn.Module) -> Build:
    return lambda: (model, torch.randint(0, 256, (2, 8, 8, 1), dtype=torch.uint8))


@pytest.fixture(params=["resnet", "plain", "separable", "mlp", "joined"])
def case(request: pytest.FixtureRequest, resnet: Build, shaken: Any) -> tuple[nn.Module, Tensor]:
    """A network with batch normalization that matters, and an example of its inputs."""
    builders = {"resnet": resnet, "plain": plain, "separable": separable, "mlp": mlp, "joined": joined}
    torch.manual_seed(1)
    network, example = builders[request.param]()
    return shaken(network, 1).eval(), example


def masked(network: nn.Module, edit: dict[str, Any]) -> nn.Module:
    """The original with the dropped channels silenced where they arise, and every layer as wide as before."""
    network = copy.deepcopy(network)
    for name, kept in edit["layers"].items():
        layer = network.get_submodule(name)
        if "out" in kept:
            dropped = [c for c in range(len(layer.weight)) if c not in kept["out"]]
            with torch.no_grad():
                layer.weight[dropped] = 0
                if layer.bias is not None:
                    layer.bias[dropped] = 0
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.running_mean[dropped] = 0
    return network


def outputs(network: nn.Module, example: Tensor) -> Tensor:
    """Outputs in float64, so that only real differences show."""
    network = copy.deepcopy(network).eval().double()
    if example.is_floating_point():
        return network(example.double())
    network.normalize.register_forward_hook(lambda module, inputs, output: output.double())
    return network(example)


@pytest.mark.parametrize("keep", [0.75, 0.5, 0.25])
def test_a_pruned_model_equals_the_original_with_those_channels_silenced(
    keep: float, case: tuple[nn.Module, Tensor]
) -> None:
    network, example = case
    pruned, edit = prune(network, example, keep, round_to=1)
    assert sum(p.numel() for p in pruned.parameters()) < sum(p.numel() for p in network.parameters())
    expected = outputs(masked(network, edit), example)
    torch.testing.assert_close(outputs(pruned, example), expected, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(expected, outputs(network, example), rtol=1e-3)


def test_every_group_keeps_its_share_and_inputs_and_outputs_stay(case: tuple[nn.Module, Tensor]) -> None:
    network, example = case
    pruned, _ = prune(network, example, 0.5, round_to=1)
    before, after = dict(network.named_modules()), dict(pruned.named_modules())
    layers = [name for name, layer in before.items() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    widths = [(len(before[name].weight), len(after[name].weight)) for name in layers]
    assert widths[-1][0] == widths[-1][1]
    assert all(new == old // 2 for old, new in widths[:-1])
    assert before[layers[0]].weight.shape[1] == after[layers[0]].weight.shape[1]


def test_pruning_leaves_the_model_it_was_given_alone(case: tuple[nn.Module, Tensor]) -> None:
    network, example = case
    network.train()
    before = copy.deepcopy(network.state_dict())
    prune(network, example, 0.5, round_to=1)
    assert network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_an_edit_survives_json(case: tuple[nn.Module, Tensor]) -> None:
    network, example = case
    pruned, edit = prune(network, example, 0.5, round_to=1)
    again = apply_edits(copy.deepcopy(network), [json.loads(json.dumps(edit))])
    assert torch.equal(again(example), pruned(example))


def test_an_edit_rebuilds_the_architecture_for_its_weights(architecture: Architecture, resnet: Build) -> None:
    network, example = resnet()
    pruned, edit = prune(network, example, 0.5, round_to=1)
    rebuilt = architecture.edited(edit).build()
    rebuilt.load_state_dict(pruned.state_dict())
    assert torch.equal(rebuilt.eval()(example), pruned(example))


def test_a_model_can_be_pruned_again(resnet: Build) -> None:
    network, example = resnet()
    half, first = prune(network, example, 0.5, round_to=1)
    quarter, second = prune(half, example, 0.5, round_to=1)
    assert len(quarter.stem[0].weight) == 2
    assert torch.equal(apply_edits(copy.deepcopy(network), [first, second])(example), quarter(example))


def slow_scores(parts: list[tuple[Tensor, int]], size: int) -> list[float]:
    """Sum over layers of each channel's squared weights, against that layer's mean."""
    scores = [0.0] * size
    for weight, dim in parts:
        owned = [sum(value**2 for value in weight.select(dim, c).flatten().tolist()) for c in range(size)]
        for channel in range(size):
            scores[channel] += owned[channel] / (sum(owned) / size)
    return scores


def test_the_strongest_channels_of_a_residual_group_stay(resnet: Build) -> None:
    network, example = resnet()
    one, two = network.stages[0][0], network.stages[1][0]
    groups = {  # the layers that write and read each width, found by hand
        "stem.0": [(network.stem[0], 0), (one.conv1, 1), (one.conv2, 0), (two.conv1, 1), (two.shortcut[0], 1)],
        "stages.0.0.conv1": [(one.conv1, 0), (one.conv2, 1)],
        "stages.1.0.conv1": [(two.conv1, 0), (two.conv2, 1)],
        "stages.1.0.conv2": [(two.conv2, 0), (two.shortcut[0], 0), (network.head, 1)],
    }
    layers = plan(network, example, 0.5, round_to=1)["layers"]
    for name, members in groups.items():
        size = len(network.get_submodule(name).weight)
        scores = slow_scores([(layer.weight.detach(), dim) for layer, dim in members], size)
        strongest = sorted(range(size), key=lambda channel: -scores[channel])[: size // 2]
        assert layers[name]["out"] == sorted(strongest), name
    assert layers["stem.0"]["out"] == layers["stem.1"]["out"] == layers["stages.0.0.conv2"]["out"]


def test_channels_with_large_weights_stay() -> None:
    network, example = mlp()
    with torch.no_grad():
        network[0].weight[[3, 7, 20]] *= 100
    edit = plan(network, example, 3 / 24, round_to=1)
    assert edit["layers"]["0"]["out"] == [3, 7, 20]
    assert edit["layers"]["3"]["in"] == [3, 7, 20]


@pytest.mark.parametrize(
    ("size", "keep", "round_to", "expected"),
    [
        (64, 0.75, 8, 48),
        (64, 0.7, 8, 48),  # 44.8: the nearest multiple is 48
        (64, 0.65, 8, 40),
        (64, 1.0, 8, 64),
        (20, 0.9, 8, 16),
        (10, 1.0, 8, 10),  # a width that is no multiple is never exceeded
        (7, 0.5, 1, 4),
        (3, 0.1, 1, 1),  # never none
        (1, 0.5, 1, 1),
    ],
)
def test_kept_counts_are_the_nearest_multiple(size: int, keep: float, round_to: int, expected: int) -> None:
    assert kept_count(size, keep, round_to) == expected


@pytest.mark.parametrize("size", [8, 16])
@pytest.mark.parametrize("keep", [0.1, 0.25])
def test_kept_counts_never_fall_below_one_multiple_where_there_was_one(size: int, keep: float) -> None:
    assert kept_count(size, keep, 8) >= 8


def test_keeping_everything_warns_and_changes_nothing(case: tuple[nn.Module, Tensor]) -> None:
    network, example = case
    with pytest.warns(UserWarning, match="changed nothing"):
        same, edit = prune(network, example, 1.0)
    assert edit == {"edit": "keep_channels", "layers": {}}
    assert torch.equal(same(example), network(example))


@pytest.mark.parametrize("keep", [0.0, -0.5, 1.5])
def test_a_share_outside_zero_to_one_is_refused(keep: float) -> None:
    with pytest.raises(UsageError, match="keep must be in"):
        prune(*mlp(), keep)


TAILS = {
    "log softmax": nn.LogSoftmax(1),
    "identity": nn.Identity(),
    "relu": nn.ReLU(),
    "batch norm": nn.BatchNorm1d(4),
}


@pytest.mark.parametrize("tail", TAILS)
def test_outputs_are_kept_whatever_stands_after_the_last_layer(tail: str) -> None:
    network, example = mlp()
    network.append(TAILS[tail]).eval()
    pruned, _ = prune(network, example, 0.5, round_to=1)
    assert pruned(example).shape == (2, 4)


def test_outputs_of_a_convolutional_head_are_kept() -> None:
    head = [nn.Conv2d(16, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network, example = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), *head), torch.rand(2, 3, 8, 8)
    pruned, _ = prune(network, example, 0.5, round_to=1)
    assert pruned(example).shape == (2, 4)
    assert pruned[0].out_channels == 8


class Summed(nn.Module):
    """The outputs are a sum of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(10, 4), nn.Linear(10, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x) + self.c(self.b(x).relu())


def test_outputs_that_are_a_sum_of_layers_are_kept() -> None:
    pruned, edit = prune(Summed(), torch.rand(2, 10), 0.5, round_to=1)
    assert pruned(torch.rand(2, 10)).shape == (2, 4)
    assert edit["layers"].keys() == {"b", "c"}


UNKNOWN = {
    "group norm": [nn.Conv2d(3, 16, 3), nn.GroupNorm(4, 16)],
    "layer norm": [nn.Conv2d(3, 16, 3), nn.LayerNorm([16, 6, 6])],
    "prelu": [nn.Conv2d(3, 16, 3), nn.PReLU(16)],
    "transposed": [nn.ConvTranspose2d(3, 16, 3, padding=2)],
    "grouped": [nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=2, padding=1)],
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_layer_that_cannot_be_pruned_is_left_alone_or_refused(name: str) -> None:
    network = nn.Sequential(*copy.deepcopy(UNKNOWN[name]), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 3)).eval()
    example = torch.rand(2, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that nothing changed is a fair answer
        try:
            pruned, edit = prune(network, example, 0.5, round_to=1)
        except UsageError:
            return
    torch.testing.assert_close(pruned(example), masked(network, edit)(example), rtol=1e-4, atol=1e-5)


def test_a_model_in_float64_is_pruned_like_one_in_float32() -> None:
    network, example = mlp()
    expected = plan(network, example, 0.5, round_to=1)
    assert plan(network.double(), example.double(), 0.5, round_to=1) == expected


def test_what_is_returned_says_which_layers_changed_and_by_how_much() -> None:
    network, example = mlp()  # 10-24-16-4 with batch normalization behind the first layer
    made = prune(network, example, 0.5, round_to=1)
    assert repr(made) == (
        "pruned to 296 of 780 parameters (37.9%)\n"
        "layer   outputs    inputs\n"
        "0      12 of 24        10\n"
        "3       8 of 16  12 of 24\n"
        "5             4   8 of 16"
    )
    pruned, edit = made
    assert (made.model, made.edit) == (pruned, edit)
    assert repr(copy.deepcopy(made)) == repr(made)


def test_of_many_layers_a_few_are_shown() -> None:
    network = nn.Sequential(*(nn.Linear(8, 8) for _ in range(20)))
    lines = repr(prune(network, torch.rand(2, 8), 0.5, round_to=1)).splitlines()
    assert lines[-1] == "... and 8 layers more"
    assert [line.split()[0] for line in lines[2:-1]] == [str(number) for number in range(12)]


@pytest.mark.parametrize("form", ["pair", "array", "loader"])
def test_the_example_may_be_data(form: str) -> None:
    network, example = mlp()
    pair = TensorDataset(torch.rand(30, 10), torch.zeros(30, dtype=torch.int64))
    forms = {"pair": pair.tensors, "array": example.numpy(), "loader": DataLoader(pair, 8)}
    assert prune(network, forms[form], 0.5).edit == prune(network, example, 0.5).edit

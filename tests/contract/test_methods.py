"""The laws that every training method and compression technique keeps, from one table of settings."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation
from bessemer.compress.prune import prune
from bessemer.compress.quantize import quantize
from bessemer.data.dataset import Batches, Samples
from bessemer.errors import UsageError
from bessemer.model.state import Architecture, load_model, save_model
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit
from bessemer.train.methods import Method
from bessemer.train.optimizer_config import OptimizerConfig, ScheduleConfig

TAPS = ["stages.0", "stages.1"]


class Stop(Exception):
    """Stands for a process that dies."""


@dataclass(frozen=True)
class Tools:
    """What techniques are tried on."""

    architecture: Architecture
    samples: Samples
    make_model: Callable[..., nn.Module]
    notes: Any

    def methods(self, settings: dict[str, Any]) -> list[Method]:
        """Methods that are given, not switched on by TrainConfig."""
        if "distill" not in settings:
            return []
        return [Distillation(self.make_model(1), DistillConfig(**settings["distill"]), TAPS)]

    def trained(self, settings: dict[str, Any], work: Path | None = None, stop: int = 0) -> nn.Module:
        """The tiny network after six steps with these settings; the process dies at step `stop`."""

        def at_step(step: int) -> None:
            if step == stop:
                raise Stop

        switches = {"optimizer": OptimizerConfig(learning_rate=0.05), **settings}
        switches.pop("distill", None)
        config = TrainConfig(epochs=2, batch_size=16, ghost_batch=8, precision="fp32", **switches).model_copy(
            update={"checkpoint_seconds": 1e-9}
        )
        batches = Batches(self.samples, 16, 0)
        methods, progress = self.methods(settings), self.notes(at_step)
        validate = (lambda network: 0.0) if config.early_stopping else None
        model, options = self.make_model(), {"work": work, "progress": progress, "validate": validate}
        return fit(model, Classify(3), batches, config, methods=methods, **options).model

    def images(self) -> torch.Tensor:
        return torch.from_numpy(self.samples.inputs)


@dataclass(frozen=True)
class TrainingMethod:
    """A method of training: settings that switch it on, and settings that must be the same as without it."""

    on: dict[str, Any]
    off: dict[str, Any]

    def apply(self, tools: Tools) -> tuple[Architecture, nn.Module]:
        return tools.architecture, tools.trained(self.on)

    def without(self, tools: Tools) -> nn.Module:
        return tools.trained({})

    def at_rest(self, tools: Tools) -> nn.Module:
        return tools.trained(self.off)


@dataclass(frozen=True)
class Compression:
    """A technique that gives a model and its edit; `rest` changes nothing."""

    on: Callable[[nn.Module, torch.Tensor], tuple[nn.Module, dict[str, Any]]]
    rest: Callable[[nn.Module, torch.Tensor], tuple[nn.Module, dict[str, Any]]] | None = None

    def apply(self, tools: Tools) -> tuple[Architecture, nn.Module]:
        model, edit = self.on(tools.make_model(), tools.images())
        return tools.architecture.edited(edit), model

    def without(self, tools: Tools) -> nn.Module:
        return tools.make_model()

    def at_rest(self, tools: Tools) -> nn.Module:
        assert self.rest is not None
        return self.rest(tools.make_model(), tools.images())[0]


SETTINGS: dict[str, TrainingMethod | Compression] = {
    "label_smoothing": TrainingMethod({"label_smoothing": 0.2}, {"label_smoothing": 0.0}),
    "mixup": TrainingMethod({"mixup": 0.4}, {"mixup": 0.0}),
    "cutmix": TrainingMethod({"cutmix": 1.0}, {"cutmix": 0.0}),
    "cutmix and mixup": TrainingMethod({"cutmix": 1.0, "mixup": 0.4}, {"cutmix": 0.0, "mixup": 0.0}),
    "ema": TrainingMethod({"ema": 0.9}, {"ema": 0.0}),
    "clip": TrainingMethod({"clip": 0.1}, {"clip": 0.0}),
    "l1": TrainingMethod(
        {"optimizer": OptimizerConfig(learning_rate=0.05, l1=0.01)},
        {"optimizer": OptimizerConfig(learning_rate=0.05, l1=0.0)},
    ),
    "decoupled decay": TrainingMethod(
        {"optimizer": OptimizerConfig(learning_rate=0.05, decoupled=True)},
        {"optimizer": OptimizerConfig(learning_rate=0.05, decoupled=False)},
    ),
    **{
        name: TrainingMethod(
            {"optimizer": OptimizerConfig(name=name)}, {"optimizer": OptimizerConfig(learning_rate=0.05)}
        )
        for name in ("adamw", "muon", "schedule_free_sgd", "schedule_free_adamw")
    },
    **{
        name: TrainingMethod({"schedule": ScheduleConfig(name=name)}, {"schedule": ScheduleConfig()})
        for name in ("linear", "constant", "step", "exponential", "one_cycle", "wsd")
    },
    "stochastic_depth": TrainingMethod({"stochastic_depth": 0.5}, {"stochastic_depth": 0.0}),
    "resizing": TrainingMethod({"resizing": {"until": 0.7}}, {"resizing": None}),
    "batch_warmup": TrainingMethod({"batch_warmup": {"doublings": 1, "until": 0.5}}, {"batch_warmup": None}),
    "selective": TrainingMethod({"selective": {"start": 0.3, "end": 1.0}}, {"selective": None}),
    "freeze": TrainingMethod({"freeze": ["stem", "stages.0"]}, {"freeze": []}),
    "lora": TrainingMethod({"lora": {"rank": 2, "full": ["stem"]}}, {"lora": None}),
    "8-bit activations": TrainingMethod({"memory": {"saved": "int8"}}, {"memory": {"saved": "exact"}}),
    "channel-pooled activations": TrainingMethod(
        {"memory": {"pool_channels": 2}}, {"memory": {"pool_channels": 0}}
    ),
    "early_stopping": TrainingMethod({"early_stopping": {"patience": 4}}, {"early_stopping": None}),
    "distillation": TrainingMethod(
        {"distill": {"weight": 0.9, "features": 10}}, {"distill": {"weight": 0, "features": 0}}
    ),
    "prune": Compression(
        lambda model, images: prune(model, images[:2], 0.5, round_to=1),
        lambda model, images: prune(model, images[:2], 1.0, round_to=1),
    ),
    "quantize": Compression(quantize),
}
EVERYTHING: list[dict[str, Any]] = [  # all that goes together; the second for what does not go with the first
    {
        **{"label_smoothing": 0.1, "cutmix": 1.0, "mixup": 0.4, "ema": 0.9, "clip": 1.0, "stochastic_depth": 0.3},
        **{"resizing": {"until": 0.7}, "batch_warmup": {"doublings": 1, "until": 0.5}},
        **{"freeze": ["stem"], "early_stopping": {"patience": 4}},
        "optimizer": OptimizerConfig(learning_rate=0.05, l1=0.01, decoupled=True),
        "schedule": ScheduleConfig(name="one_cycle"),
        "guard": {"spike": 10.0},
        "distill": {"weight": 0.9, "features": 10},
    },
    {
        **{"selective": {"start": 0.3, "end": 1.0}, "ema": 0.9, "lora": {"rank": 2, "full": ["stem"]}},
        "optimizer": OptimizerConfig(name="muon"),
        "schedule": ScheduleConfig(name="wsd"),
    },
]
TRAINING = [name for name, setting in SETTINGS.items() if isinstance(setting, TrainingMethod)]
RESTING = [name for name in SETTINGS if name != "quantize"]  # 8 bits are never nothing


@pytest.fixture
def tools(architecture: Architecture, samples: Samples, make_model: Callable[..., nn.Module], notes: Any) -> Tools:
    return Tools(architecture, samples, make_model, notes)


def same(one: nn.Module, other: nn.Module, images: torch.Tensor) -> bool:
    """Equal outputs, to the bit."""
    with torch.no_grad():
        return torch.equal(one.eval()(images), other.eval()(images))


@pytest.mark.parametrize("name", SETTINGS)
def test_it_changes_something(name: str, tools: Tools) -> None:
    _, changed = SETTINGS[name].apply(tools)
    assert not same(changed, SETTINGS[name].without(tools), tools.images())


@pytest.mark.parametrize("name", RESTING)
def test_at_rest_it_changes_nothing(name: str, tools: Tools) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the next test asks for it
        resting = SETTINGS[name].at_rest(tools)
    assert same(resting, SETTINGS[name].without(tools), tools.images())


@pytest.mark.parametrize("memory", [{"checkpoint_every": 1}, {"saved": "offload"}], ids=str)
def test_what_only_saves_memory_changes_no_bit(memory: dict[str, Any], tools: Tools, tmp_path: Path) -> None:
    plain = tools.trained({})
    assert same(tools.trained({"memory": memory}), plain, tools.images())
    with pytest.raises(Stop):
        tools.trained({"memory": memory}, tmp_path, stop=4)
    assert same(tools.trained({"memory": memory}, tmp_path), plain, tools.images())


@pytest.mark.parametrize("name", ["prune", "distillation"])  # the others are off at rest, and not called at all
def test_a_call_that_changes_nothing_says_so(name: str, tools: Tools) -> None:
    with pytest.warns(UserWarning, match="nothing"):
        SETTINGS[name].at_rest(tools)


@pytest.mark.parametrize("name", SETTINGS)
def test_applied_twice_from_the_same_start_it_gives_the_same_bits(name: str, tools: Tools) -> None:
    (first_architecture, first), (second_architecture, second) = (SETTINGS[name].apply(tools) for _ in range(2))
    assert first_architecture == second_architecture
    assert same(first, second, tools.images())


@pytest.mark.parametrize("name", SETTINGS)
def test_its_result_survives_saving_and_loading(name: str, tools: Tools, tmp_path: Path) -> None:
    architecture, model = SETTINGS[name].apply(tools)
    save_model(tmp_path, architecture, model)
    assert same(load_model(tmp_path), model, tools.images())


@pytest.mark.parametrize("name", TRAINING)
def test_its_state_survives_a_checkpoint(name: str, tools: Tools, tmp_path: Path) -> None:
    setting = SETTINGS[name]
    whole = tools.trained(setting.on)
    with pytest.raises(Stop):
        tools.trained(setting.on, tmp_path, stop=4)
    assert same(tools.trained(setting.on, tmp_path), whole, tools.images())


@pytest.mark.faults
@pytest.mark.parametrize("settings", EVERYTHING, ids=["everything", "the rest"])
def test_with_everything_on_at_once_a_run_resumes_to_the_same_bits(
    settings: dict[str, Any], tools: Tools, tmp_path: Path
) -> None:
    whole = tools.trained(settings)
    for stop in (2, 3, 5):
        with pytest.raises(Stop):
            tools.trained(settings, tmp_path, stop=stop)
    assert same(tools.trained(settings, tmp_path), whole, tools.images())


@pytest.mark.parametrize("name", SETTINGS)
def test_it_composes_with_pruning_and_quantization(name: str, tools: Tools, tmp_path: Path) -> None:
    architecture, model = SETTINGS[name].apply(tools)
    if name == "quantize":
        architecture, model = SETTINGS["prune"].apply(tools)
    elif name != "prune":
        model, edit = prune(model, tools.images()[:2], 0.5, round_to=1)
        architecture = architecture.edited(edit)
    integer, edit = quantize(model, tools.images())
    save_model(tmp_path, architecture.edited(edit), integer)
    assert same(load_model(tmp_path), integer, tools.images())


def test_pruning_to_the_share_already_kept_changes_nothing(tools: Tools) -> None:
    _, half = SETTINGS["prune"].apply(tools)
    with pytest.warns(UserWarning, match="changed nothing"):
        again, edit = prune(half, tools.images()[:2], 1.0, round_to=1)
    assert edit["layers"] == {}
    assert same(again, half, tools.images())


def test_a_quantized_model_is_not_quantized_again(tools: Tools) -> None:
    _, integer = SETTINGS["quantize"].apply(tools)
    with pytest.raises(UsageError, match="quantized"):
        quantize(integer, tools.images())


def test_a_quantized_model_is_not_pruned(tools: Tools) -> None:
    _, integer = SETTINGS["quantize"].apply(tools)
    before = copy.deepcopy(integer.state_dict())
    with pytest.warns(UserWarning, match="changed nothing"):
        same_model, _ = prune(integer, tools.images()[:2], 0.5, round_to=1)
    for key, tensor in same_model.state_dict().items():
        assert torch.equal(tensor, before[key])

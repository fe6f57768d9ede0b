"""The training loop: stopping anywhere and going on gives the run that was never stopped."""

from __future__ import annotations

import copy
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bessemer as bs
from bessemer.data.config import AugmentConfig
from bessemer.data.dataset import Batches, Samples
from bessemer.data.image import IMAGE
from bessemer.errors import StoppedError, TrainingError, UsageError
from bessemer.runtime import Runtime
from bessemer.task.classify.objective import Classify
from bessemer.train.checkpoint import TrainState, load_checkpoint
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import FitResult, fit
from bessemer.train.methods import Method
from bessemer.train.methods.ema.hooks import Ema
from bessemer.train.methods.standard import standard_methods

EPOCH = 3  # steps
STEPS = 4 * EPOCH
CONFIG = TrainConfig(
    epochs=4,
    batch_size=8,
    ghost_batch=4,
    optimizer=OptimizerConfig(learning_rate=0.05),
    label_smoothing=0.1,
    mixup=0.4,
    ema=0.9,
    precision="fp32",
    checkpoint_seconds=1e-9,  # after every step
)


class PowerCut(Exception):
    """Stands for a process that dies."""


@pytest.fixture(scope="module")
def run(make_model: Callable[..., nn.Module], make_samples: Callable[..., Samples], notes: Any) -> Any:
    """Train the tiny network in a folder; `at_step` is called at each step."""
    samples = make_samples(24)
    held_out = make_samples(12, seed=1)

    def accuracy(network: nn.Module) -> float:
        with torch.no_grad():
            decided = network(torch.from_numpy(held_out.inputs)).argmax(1).numpy()
        return float(np.mean(decided == held_out.labels))

    def train(
        work: Path | None,
        at_step: Callable[[int], None] | None = None,
        config: TrainConfig = CONFIG,
        **options: Any,
    ) -> FitResult:
        augment = IMAGE.augmenter(AugmentConfig(crop=1, flip="horizontal"), {})
        batches = Batches(samples, config.batch_size, 3, augment)
        options = {"validate": accuracy, "progress": notes(at_step), "seed": 3, **options}
        return fit(make_model(), Classify(3), batches, config, work=work, **options)

    return train


@pytest.fixture(scope="module")
def undisturbed(run: Any, notes: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[FitResult, TrainState]:
    """The result of a run that nothing stopped, and its last checkpoint."""
    work = tmp_path_factory.mktemp("undisturbed")
    result = run(work)
    return result, load_checkpoint(work, notes())


def assert_same_tensors(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), f"{name} differs"


def assert_same_run(result: FitResult, state: TrainState, undisturbed: tuple[FitResult, TrainState]) -> None:
    """Weights, averages, optimizer and history, to the bit."""
    expected, expected_state = undisturbed
    assert_same_tensors(result.model.state_dict(), expected.model.state_dict())
    assert result.history == expected.history
    assert state.step == expected_state.step == STEPS
    assert_same_tensors(state.model, expected_state.model)
    assert_same_tensors(state.methods["ema"], expected_state.methods["ema"])
    for index, values in expected_state.optimizer["state"].items():
        assert_same_tensors(values, state.optimizer["state"][index])


def cut_at(wanted: int) -> Callable[[int], None]:
    def at_step(step: int) -> None:
        if step == wanted:
            raise PowerCut

    return at_step


def terminate_at(wanted: int, number: int = signal.SIGTERM) -> Callable[[int], None]:
    def at_step(step: int) -> None:
        if step == wanted:
            signal.raise_signal(number)

    return at_step


POINTS = [1, 2, EPOCH, EPOCH + 1, 2 * EPOCH, STEPS]


@pytest.mark.parametrize("step", POINTS)
def test_a_run_that_died_goes_on_to_the_same_weights(
    step: int, run: Any, undisturbed: Any, tmp_path: Path, notes: Any
) -> None:
    with pytest.raises(PowerCut):
        run(tmp_path, cut_at(step))
    saved = load_checkpoint(tmp_path, notes())
    assert (saved.step if saved else 0) == step - 1
    result = run(tmp_path)
    assert_same_run(result, load_checkpoint(tmp_path, notes()), undisturbed)


@pytest.mark.parametrize("step", POINTS)
def test_a_run_stopped_by_a_signal_saves_and_goes_on_to_the_same_weights(
    step: int, run: Any, undisturbed: Any, tmp_path: Path, notes: Any
) -> None:
    seldom = CONFIG.model_copy(update={"checkpoint_seconds": 1e6})
    with pytest.raises(StoppedError, match=f"stopped at step {step} of {STEPS}; state saved") as caught:
        run(tmp_path, terminate_at(step), seldom)
    assert caught.value.exit_code == 130
    assert load_checkpoint(tmp_path, notes()).step == step
    result = run(tmp_path)
    assert_same_tensors(result.model.state_dict(), undisturbed[0].model.state_dict())
    assert result.history == undisturbed[0].history


def test_ctrl_c_saves_like_sigterm(run: Any, tmp_path: Path, notes: Any) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, terminate_at(2, signal.SIGINT))
    assert load_checkpoint(tmp_path, notes()).step == 2


def test_three_interruptions_in_one_epoch_change_nothing(
    run: Any, undisturbed: Any, tmp_path: Path, notes: Any
) -> None:
    for at_step in (terminate_at(EPOCH + 1), cut_at(EPOCH + 3), terminate_at(EPOCH + 3)):
        with pytest.raises((StoppedError, PowerCut)):
            run(tmp_path, at_step)
    result = run(tmp_path)
    assert_same_run(result, load_checkpoint(tmp_path, notes()), undisturbed)


def test_a_run_that_dies_while_it_validates_goes_on(
    run: Any, undisturbed: Any, tmp_path: Path, notes: Any
) -> None:
    def die(network: nn.Module) -> float:
        raise PowerCut

    with pytest.raises(StoppedError):
        run(tmp_path, terminate_at(5))
    with pytest.raises(PowerCut):
        run(tmp_path, validate=die)
    result = run(tmp_path)
    assert_same_run(result, load_checkpoint(tmp_path, notes()), undisturbed)


def test_a_damaged_checkpoint_costs_a_step_and_changes_nothing(
    run: Any, undisturbed: Any, tmp_path: Path, notes: Any
) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, terminate_at(7))
    newest = max(tmp_path.glob("checkpoint-*"))
    (newest / "model.safetensors").write_bytes(b"torn")
    progress = notes()
    result = run(tmp_path, progress=progress)
    assert "set aside" in progress.said[0]
    assert progress.said[1] == f"going on from step 6 of {STEPS}"
    assert_same_run(result, load_checkpoint(tmp_path, notes()), undisturbed)


@pytest.mark.parametrize("seconds", [0.02, 1e6])
def test_when_checkpoints_are_saved_does_not_change_the_weights(
    seconds: float, run: Any, undisturbed: Any, tmp_path: Path
) -> None:
    result = run(tmp_path, config=CONFIG.model_copy(update={"checkpoint_seconds": seconds}))
    assert_same_tensors(result.model.state_dict(), undisturbed[0].model.state_dict())


def test_a_run_without_a_folder_gives_the_same_weights_and_writes_nothing(
    run: Any, undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_same_tensors(run(None).model.state_dict(), undisturbed[0].model.state_dict())
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_is_not_trained_again(run: Any, undisturbed: Any, tmp_path: Path) -> None:
    run(tmp_path)
    steps: list[int] = []
    result = run(tmp_path, steps.append)
    assert steps == []
    assert_same_tensors(result.model.state_dict(), undisturbed[0].model.state_dict())
    assert result.history == undisturbed[0].history


def test_validation_does_not_disturb_training(run: Any, undisturbed: Any) -> None:
    silent = run(None, validate=None)
    assert_same_tensors(silent.model.state_dict(), undisturbed[0].model.state_dict())
    assert [point["validation"] for point in silent.history] == [None] * STEPS
    assert [point["loss"] for point in silent.history] == [point["loss"] for point in undisturbed[0].history]


def test_validation_sees_the_model_that_would_be_the_result(run: Any) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def look(network: nn.Module) -> float:
        assert not network.training
        seen.append(copy.deepcopy(network.state_dict()))
        return 0.0

    result = run(None, validate=look)
    assert len(seen) == STEPS  # ten times, and more often where there are few steps
    assert_same_tensors(seen[-1], result.model.state_dict())


def test_the_result_is_the_average_in_evaluation_mode(undisturbed: tuple[FitResult, TrainState]) -> None:
    result, state = undisturbed
    assert not result.model.training
    assert_same_tensors(result.model.state_dict(), state.methods["ema"])
    assert not torch.equal(state.model["head.weight"], state.methods["ema"]["head.weight"])


def test_the_history_has_every_step_of_a_short_run(undisturbed: tuple[FitResult, TrainState]) -> None:
    history = undisturbed[0].history
    assert [point["step"] for point in history] == list(range(1, STEPS + 1))
    assert history[-1]["loss"] < history[0]["loss"]
    assert all(0 <= point["validation"] <= 1 for point in history)


def test_a_long_run_keeps_a_short_history(make_samples: Callable[..., Samples]) -> None:
    config = TrainConfig(epochs=450, batch_size=3, ghost_batch=3, precision="fp32")
    asked: list[int] = []
    result = fit(
        nn.Sequential(nn.Flatten(), ToFloat(), nn.Linear(64, 3)),
        Classify(3),
        Batches(make_samples(3), 3, 0),
        config,
        validate=lambda network: float(asked.append(1) or 0),
    )
    assert len(asked) == 10
    assert 200 <= len(result.history) <= 250
    assert result.history[-1]["step"] == 450
    assert result.history[-1]["validation"] is not None


def test_signal_handlers_are_given_back(run: Any, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(PowerCut):
        run(tmp_path, cut_at(1))
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_fit_works_outside_the_main_thread(run: Any, undisturbed: Any) -> None:
    found: list[FitResult] = []
    thread = threading.Thread(target=lambda: found.append(run(None)))
    thread.start()
    thread.join()
    assert_same_tensors(found[0].model.state_dict(), undisturbed[0].model.state_dict())


def test_another_seed_gives_other_weights(run: Any, undisturbed: Any) -> None:
    other = run(None, seed=4)
    assert not torch.equal(other.model.head.weight, undisturbed[0].model.head.weight)


class ToFloat(nn.Module):
    """Pixels to numbers from 0 to 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.float() / 255


def test_fit_trains_a_plain_torch_module(samples: Samples) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Flatten(), ToFloat(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)
    )
    config = TrainConfig(epochs=10, batch_size=16, optimizer=OptimizerConfig(learning_rate=0.1), precision="fp32")
    result = bs.fit(net, Classify(3), Batches(samples, 16, 0), config)
    assert result.model is net
    assert result.precision == "fp32"
    decided = net(torch.from_numpy(samples.inputs)).argmax(1).numpy()
    assert np.mean(decided == samples.labels) == 1


def test_a_plain_module_with_tied_weights_can_be_saved_and_resumed(
    samples: Samples, tmp_path: Path, notes: Any
) -> None:
    def tied() -> nn.Module:
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Flatten(), ToFloat(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.Linear(64, 3)
        )
        net[4].weight = net[2].weight
        return net

    config = TrainConfig(epochs=1, batch_size=16, precision="fp32", checkpoint_seconds=1e-9)
    batches = Batches(samples, 16, 0)
    whole = bs.fit(tied(), Classify(3), batches, config)
    with pytest.raises(PowerCut):
        bs.fit(tied(), Classify(3), batches, config, work=tmp_path, progress=notes(cut_at(3)))
    resumed = bs.fit(tied(), Classify(3), batches, config, work=tmp_path)
    assert_same_tensors(resumed.model.state_dict(), whole.model.state_dict())


def test_a_rate_that_is_far_too_high_is_named(model: nn.Module, task: Classify, samples: Samples) -> None:
    config = TrainConfig(
        epochs=20, batch_size=16, ghost_batch=16, precision="fp32", optimizer=OptimizerConfig(learning_rate=1e30)
    )
    with pytest.raises(TrainingError, match=r"at step \d+") as caught:
        fit(model, task, Batches(samples, 16, 0), config)
    assert "1e+30" in caught.value.remedy


def test_shares_without_whole_groups_are_refused(model: nn.Module, task: Classify, samples: Samples) -> None:
    config = TrainConfig(batch_size=16, ghost_batch=16, precision="fp32")
    with pytest.raises(UsageError, match="whole groups of 16"):
        fit(model, task, Batches(samples, 16, 0), config, runtime=Runtime(world=2))


def test_settings_switch_methods_on_in_a_fixed_order(task: Classify) -> None:
    assert standard_methods(TrainConfig(), task, 0, 12) == []
    names = [method.name for method in standard_methods(CONFIG, task, 0, 12)]
    assert names == ["label_smoothing", "mixup", "ema"]


def test_averages_come_behind_methods_that_a_caller_adds(
    model: nn.Module, task: Classify, samples: Samples
) -> None:
    seen: list[str] = []

    class Last(Method):
        name = "last"

        def prepare(self, model: nn.Module) -> None:
            seen.append("last")

    class Watched(Ema):
        def prepare(self, model: nn.Module) -> None:
            seen.append("ema")
            super().prepare(model)

    config = CONFIG.model_copy(update={"epochs": 0.1, "ema": 0.0, "mixup": 0.0})
    fit(model, task, Batches(samples, 8, 0), config, methods=[Watched(0.9), Last()])
    assert seen == ["last", "ema"]


def test_layers_that_the_caller_froze_stay_as_they_are_through_looks_and_a_second_fit() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), ToFloat(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    net[3].eval().requires_grad_(False)
    before = copy.deepcopy(net[3].state_dict())
    samples = Samples(
        np.random.default_rng(0).integers(0, 256, (32, 8, 8, 1), np.uint8),
        np.arange(32) % 3,
        np.arange(32, dtype=np.uint64),
    )
    config = TrainConfig(epochs=1, batch_size=16, precision="fp32", optimizer=OptimizerConfig(learning_rate=0.01))
    seen = []

    def look(network: nn.Module) -> float:
        seen.append([module.training for module in network])
        return 0.0

    for _ in range(2):
        fit(net, Classify(3), Batches(samples, 16, 0), config, validate=look)
        assert_same_tensors(net[3].state_dict(), before)
        assert not any(module.training for module in net)
    assert seen == [[False] * 5] * 4
    net.train()
    fit(net, Classify(3), Batches(samples, 16, 0), config, validate=look)
    assert net[3].num_batches_tracked == 2  # woken by the caller


def test_the_caller_s_random_numbers_go_on_as_if_nothing_had_been_drawn(samples: Samples) -> None:
    def drawn(trains: bool) -> torch.Tensor:
        torch.manual_seed(5)
        net = nn.Sequential(nn.Flatten(), ToFloat(), nn.Dropout(), nn.Linear(64, 3))
        if trains:
            fit(net, Classify(3), Batches(samples, 16, 0), TrainConfig(epochs=1, batch_size=16))
        return torch.rand(3)

    assert torch.equal(drawn(trains=True), drawn(trains=False))

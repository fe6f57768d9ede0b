"""Names, tasks, objectives and plain losses on data that a caller hands over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.dataset import Samples
from bessemer.data.given import samples_of
from bessemer.errors import BessemerError, DataError, UsageError
from bessemer.model.answers import TorchModel
from bessemer.task import TASKS, find_task
from bessemer.task.classify import Classify
from bessemer.task.given import (
    SETTINGS,
    PlainLoss,
    first_outputs,
    fitting,
    given,
    known_task,
    objective_of,
    refuse_not_finite,
)
from bessemer.task.language import Language
from bessemer.task.task import Task

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
CLASSES = samples_of((X, [0, 1, 2, 0, 1, 2]))
TOKENS = samples_of((np.arange(12).reshape(4, 3) % 5, np.arange(1, 13).reshape(4, 3) % 5))
NUMBERS = samples_of((X, X[:, :1]))


class Amount(Task):
    """A task of numbers that says no more than it must to train."""

    name = "amount"
    has_numbers = True

    def lesson(self, dataset: Any, network: Any, settings: Any) -> Any:
        return dataset.about["streams"]


class Pair(nn.Module):
    """A network with two outputs."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


def linear(outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(4, outputs)


def decoder(size: int = 5) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(5, 8), nn.Linear(8, size))


def test_a_name_a_task_and_an_objective_stand_for_the_same() -> None:
    for task in ("classify", TASKS["classify"], Classify(3)):
        objective = objective_of(task, CLASSES, linear(3))
        assert isinstance(objective, Classify)
        assert objective.classes == 3  # as many as the model has outputs
    assert objective_of(objective, CLASSES, linear(3)) is objective


def test_language_takes_windows_of_tokens() -> None:
    objective = objective_of("language", TOKENS, decoder())
    assert isinstance(objective, Language)
    task, model = find_task("language").of_given(), decoder()
    data = given(TOKENS, first_outputs(model, TOKENS))
    padded = replace(TOKENS, labels=TOKENS.labels.copy())
    padded.labels[1, 2] = -100  # counts for nothing
    records = task.records(TorchModel(model), padded, data)
    assert records["tokens"].tolist() == [3, 2, 3, 3]
    with torch.no_grad():
        logits = model(torch.from_numpy(padded.inputs)).flatten(0, 1)
        nats = F.cross_entropy(logits, torch.from_numpy(padded.labels).flatten()).item()
    measured = task.measured(records, 0)
    assert measured["bits_per_token"]["value"] == pytest.approx(nats / np.log(2), rel=1e-6)
    assert measured["perplexity"]["value"] == pytest.approx(np.exp(nats), rel=1e-6)
    assert measured["perplexity"]["low"] < measured["perplexity"]["value"] < measured["perplexity"]["high"]
    lesson = task.lesson(data, model, SETTINGS)
    assert lesson.validate(model) == pytest.approx(task.value(task.records(TorchModel(model), TOKENS, data)))


@pytest.mark.parametrize(
    "loss", [F.mse_loss, nn.MSELoss(), lambda outputs, targets: (outputs - targets).square().mean()]
)
def test_a_plain_loss_is_what_it_says_of_a_batch(loss: Any) -> None:
    objective = objective_of(loss, NUMBERS, linear(1))
    outputs, targets = torch.ones(3, 1), torch.zeros(3, 1)
    assert objective.loss(outputs, targets).item() == 1
    assert objective.loss(outputs.bfloat16(), targets).dtype == torch.float32


def test_a_look_at_the_model_leaves_no_trace() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 3))
    model[1].eval()
    before, state = torch.get_rng_state(), {name: one.clone() for name, one in model.state_dict().items()}
    objective_of("classify", CLASSES, model)
    assert [module.training for module in model] == [True, False, True, True]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one, state[name]) for name, one in model.state_dict().items())


def test_numbers_are_learned_in_their_own_spread() -> None:
    samples = samples_of((X, 100 + 20 * X[:, 0]))
    objective = objective_of("regress", samples, linear(1))
    outputs = torch.from_numpy(samples.labels)[:, None] + 20 * float(X[:, 0].std())
    assert float(objective.loss(outputs, torch.from_numpy(samples.labels))) == pytest.approx(1, rel=1e-5)


def test_a_task_of_numbers_has_floats() -> None:
    assert fitting(Amount(), samples_of((X, [1, 2, 3, 4, 5, 6]))).labels.dtype == np.float32
    assert fitting(Amount(), NUMBERS).labels.shape == (6,)
    assert fitting("classify", CLASSES) is CLASSES
    with pytest.raises(DataError, match=r"y\[2\] is not a finite number"):
        fitting(Amount(), samples_of((X, [1.0, 2.0, np.nan, 4.0, 5.0, 6.0])))


def labelled(labels: Any) -> Samples:
    return samples_of((X, labels))


@pytest.mark.parametrize(
    ("task", "samples", "model", "error", "told"),
    [
        ("classify", labelled([0, 1, 3, 0, 1, 2]), linear(3), DataError, r"y\[2\] is 3, and classes are 0 to 2"),
        (Classify(3), labelled([0, 1, 3, 0, 1, 2]), linear(3), DataError, r"y\[2\] is 3"),
        ("classify", labelled([0, -1, 2, 0, 1, 2]), linear(3), DataError, r"y\[1\] is -1"),
        ("classify", labelled(X[:, 0]), linear(3), DataError, r"y holds floats \(6,\)"),
        ("classify", labelled(np.eye(6, 3, dtype=int)), linear(3), DataError, r"y\.argmax\(1\)"),
        ("classify", CLASSES, linear(1), UsageError, r"shape \(2, 1\)"),
        ("classify", CLASSES, nn.Linear(5, 3), UsageError, r"Linear does not take x, float32 \(2, 4\)"),
        ("classify", CLASSES, Pair(), UsageError, "gives a tuple"),
        ("classfy", CLASSES, linear(3), UsageError, "classify"),
        (None, CLASSES, linear(3), UsageError, "say what is to be learned"),
        (7, CLASSES, linear(3), UsageError, "int is no task"),
        ("language", CLASSES, linear(3), UsageError, r"needs \(batch, tokens, vocabulary\)"),
        ("language", TOKENS, decoder(4), DataError, r"y\[1, 0\] is 4, and classes are 0 to 3"),
        ("language", replace(TOKENS, labels=TOKENS.labels[:, :2]), decoder(), DataError, r"\(N, 3\)"),
        (F.mse_loss, labelled(X[:, 0]), linear(1), UsageError, "each output with every target"),
        (lambda a, b: (a - b).mean(), labelled(X[:, :3]), linear(2), UsageError, r"\(2, 2\) .* fails"),
        (F.l1_loss, NUMBERS, Pair(), UsageError, "l1_loss of outputs .* fails"),
        (lambda outputs, targets: outputs - targets, NUMBERS, linear(1), UsageError, "no scalar tensor"),
        (lambda outputs, targets: 0.5, NUMBERS, linear(1), UsageError, "but of float"),
        (Amount(), NUMBERS, linear(2), UsageError, r"outputs \(2,\) for each sample"),
        (Amount(), NUMBERS, linear(1), UsageError, "asks for 'streams' of a prepared data set"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_named(
    task: Any, samples: Samples, model: nn.Module, error: type[BessemerError], told: str
) -> None:
    with pytest.raises(error, match=told):
        objective_of(task, samples, model)


def test_labels_that_count_for_nothing_and_shares_of_classes_are_taken() -> None:
    for labels in ([0, -100, 2, 0, 1, 2], np.eye(6, 3)):
        assert isinstance(objective_of("classify", labelled(labels), linear(3)), Classify)


def test_what_only_a_prepared_data_set_knows_is_refused() -> None:
    data = given(CLASSES, torch.zeros(2, 3))
    assert data.about["classes"] == ["0", "1", "2"]
    assert data.split("test") is CLASSES
    with pytest.raises(UsageError, match="asks for 'texts'"):
        data.texts("train")
    assert not hasattr(data, "__fspath__")


def test_only_names_and_tasks_are_known_tasks() -> None:
    assert known_task("classify") is TASKS["classify"]
    assert known_task(Classify(2)) is None
    assert PlainLoss(F.mse_loss).name == "mse_loss"


def test_a_value_that_is_not_finite_is_named_where_the_model_cannot_take_it() -> None:
    gap = X.copy()
    gap[4, 1] = np.nan
    with pytest.raises(DataError, match=r"x\[4\] has a value that is not finite, as 1 of 6 samples have"):
        refuse_not_finite(linear(3), samples_of((gap, [0, 1, 2, 0, 1, 2])))

    class Filled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.nan_to_num())

    refuse_not_finite(Filled(4, 3), samples_of((gap, [0, 1, 2, 0, 1, 2])))  # it takes gaps

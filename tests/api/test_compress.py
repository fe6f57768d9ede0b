"""Compression from Python: what is chosen is what was measured; where nothing meets, the error has the table."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bessemer as bs
from bessemer.api.compress import Compressed, _gentle_and_small, _judge
from bessemer.compress.config import ContractConfig
from bessemer.compress.contract import few_samples
from bessemer.data.dataset import Batches, Samples
from bessemer.data.given import samples_of
from bessemer.errors import ContractError, RecipeError, UsageError
from bessemer.export.session import OnnxModel
from bessemer.model.surgery import apply_edits
from bessemer.task import TASKS
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import fit

Data = tuple[torch.Tensor, torch.Tensor]
ASKED = {"max_drop": 0.1, "min_speedup": None, "min_shrink": 2}
QUICK = {"ladder": [0.25], "formats": ["fp32"], "epochs": 2}


def clouds(count: int, seed: int) -> Data:
    """Points of four clouds, which a small network tells apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    centers = 3 * torch.randn(4, 16, generator=torch.Generator().manual_seed(7))
    return centers[labels] + torch.randn(count, 16, generator=generator), labels


@pytest.fixture(scope="module")
def parent() -> nn.Module:
    """A trained network, in training mode."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(16, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
    )
    optimizer = OptimizerConfig(name="adamw", learning_rate=5e-3)
    config = TrainConfig(epochs=5, batch_size=32, precision="fp32", compile=False, optimizer=optimizer)
    fit(network, Classify(4), Batches(samples_of(clouds(256, 0)), 32, 0), config)
    return network.train()


@pytest.fixture(scope="module")
def found(parent: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> tuple[Compressed, Path]:
    """What was found under a contract, with its folder."""
    work = tmp_path_factory.mktemp("work") / "new"
    result = bs.compress(
        parent, clouds(256, 0), task="classify", contract=ASKED, test=clouds(64, 2), work=str(work), **QUICK
    )
    return result, work


def test_the_chosen_network_is_that_of_the_file_that_was_measured(
    found: tuple[Compressed, Path], parent: nn.Module
) -> None:
    result, work = found
    figures, file = result.chosen.figures, work / "1-keep-0.25-fp32" / "model.onnx"
    assert figures.name == "keep 0.25 fp32"
    assert figures.bytes == file.stat().st_size
    assert figures.shrink == (work / "parent.onnx").stat().st_size / file.stat().st_size > 2
    inputs, labels = clouds(64, 2)
    with torch.no_grad():
        given, before = result.model(inputs).argmax(1), copy.deepcopy(parent).eval()(inputs).argmax(1)
    assert torch.equal(given, torch.from_numpy(OnnxModel(file)(inputs.numpy()).argmax(1)))
    right, first = float((given == labels).float().mean()), float((before == labels).float().mean())
    assert result.test is not None
    assert result.test.quality == pytest.approx(right)
    assert result.test.drop == pytest.approx(first - right, abs=1e-6)
    assert right > 0.9


def test_the_edits_make_the_chosen_network_of_the_parent(
    found: tuple[Compressed, Path], parent: nn.Module
) -> None:
    again = apply_edits(copy.deepcopy(parent), found[0].edits).eval()
    again.load_state_dict(found[0].model.state_dict())
    inputs = clouds(8, 3)[0]
    assert torch.equal(again(inputs), found[0].model(inputs))
    assert not found[0].model.training
    assert sum(weight.numel() for weight in again.parameters()) == found[0].chosen.figures.parameters


def test_the_parent_stays_as_it_was(found: tuple[Compressed, Path], parent: nn.Module) -> None:
    assert all(layer.training for layer in parent.modules())
    assert all(weight.requires_grad for weight in parent.parameters())
    assert parent[0].weight.shape == (64, 16)


def test_what_was_found_is_a_table_of_candidates_and_what_they_miss(found: tuple[Compressed, Path]) -> None:
    lines = repr(found[0]).splitlines()
    assert re.fullmatch(r"parent: [\d.]+% accuracy, [\d.]+ kB; contract: max_drop 0.1, min_shrink 2.0", lines[0])
    assert lines[1].split() == [
        "candidate",
        *["accuracy", "change", "size", "batch", "1", "batch", "64", "speed-up", "misses"],
    ]
    assert re.match(r"\*  keep 0.25 fp32 +[\d.]+% .* -$", lines[2])
    assert re.match(r"keep 0.25 fp32 on the test set: [\d.]+% accuracy", lines[3])
    assert len(lines) == 4  # the validation split is large enough for this contract


def test_where_nothing_meets_the_contract_the_table_is_in_the_error(parent: nn.Module) -> None:
    contract = {"max_drop": 0.05, "min_speedup": None, "min_shrink": 1000}
    with pytest.raises(ContractError, match=r"(?s)no candidate.*keep 0.25 fp32 .* min_shrink") as caught:
        bs.compress(parent, clouds(64, 0), task="classify", contract=contract, **QUICK)
    assert "contract=None" in caught.value.remedy


def test_the_test_set_can_refuse_what_validation_chose(found: tuple[Compressed, Path]) -> None:
    result, _ = found
    contract = ContractConfig(**ASKED)
    assert result.test is not None
    _judge(contract, result.test, result.facts, result.measure)
    worse = replace(result.test, quality=0.7, drop=0.2)
    with pytest.raises(ContractError, match=r"max_drop on the test set: 70.00% accuracy \(-20.00 points\)\n"):
        _judge(contract, worse, result.facts, result.measure)


def test_without_a_contract_all_are_made_and_what_begins_alike_is_trained_once(
    parent: nn.Module, notes: Any
) -> None:
    said, labels = notes(), set()
    said.step = lambda label, *_: labels.add(label)
    inputs, classes = clouds(64, 0)
    samples = Samples(inputs.numpy(), classes.numpy(), np.arange(64, dtype=np.uint64))
    result = bs.compress(
        parent, samples, task="classify", ladder=[0.5], epochs=1, progress=said, validation=clouds(32, 1)
    )
    assert {one.figures.name for one in result.options} == {"keep 0.5 fp32", "keep 0.5 int8"}
    assert result.chosen is result.options[0]
    assert "contract: nothing asked" in repr(result)
    assert labels == {"distill keep 0.5"}
    assert sum("keep 0.5" in line for line in said.said) == 2
    integers = next(one for one in result.options if one.figures.format == "int8")
    assert [edit["edit"] for edit in integers.edits] == ["keep_channels", "quantize"]


def test_the_order_is_by_size_within_a_point_and_by_what_is_lost_behind_it(found: tuple[Compressed, Path]) -> None:
    one = found[0].chosen.figures
    rows = [(100, 0.01), (300, -0.02), (10, 0.011), (5, 0.3)]  # (bytes, drop), best first
    figures = [replace(one, bytes=size, drop=drop) for size, drop in rows]
    assert sorted(reversed(figures), key=_gentle_and_small) == figures


def test_two_candidates_of_one_name_have_folders_of_their_own(parent: nn.Module, tmp_path: Path) -> None:
    candidates = [[{"step": "prune", "keep": 0.5, "round_to": round_to}] for round_to in (8, 24)]
    result = bs.compress(parent, clouds(64, 0), task="classify", candidates=candidates, work=tmp_path)
    files = {path.parent.name: path.stat().st_size for path in tmp_path.glob("*/model.onnx")}
    assert files.keys() == {"1-keep-0.5-fp32", "2-keep-0.5-fp32"}
    assert {one.figures.bytes for one in result.options} == set(files.values())


@pytest.mark.parametrize(
    ("changed", "error", "told"),
    [
        ({"contract": {"max_drpp": 0.1}}, RecipeError, "contract.max_drpp: unknown key, did you mean max_drop"),
        ({"laddr": [0.5]}, RecipeError, "laddr: unknown key, did you mean ladder"),
        ({"task": F.cross_entropy}, UsageError, "cross_entropy says how to learn"),
        ({"task": "clasify"}, UsageError, "clasify"),
        ({"validation": 1.5}, UsageError, r"validation must be in \(0, 1\)"),
        ({"data": (torch.rand(1, 16), [0])}, UsageError, "of one sample nothing can be held out"),
    ],
)
def test_what_cannot_be_asked_is_named(
    changed: dict[str, Any], error: type[UsageError], told: str, parent: nn.Module
) -> None:
    values = {"data": clouds(16, 0), "task": "classify", **changed}
    with pytest.raises(error, match=told) as caught:
        bs.compress(parent, values.pop("data"), **values)
    assert caught.value.remedy


def test_a_sample_that_weighs_more_than_what_may_be_lost_is_minded() -> None:
    contract, task = ContractConfig(max_drop=0.01), TASKS["classify"]
    unit = task.headline.unit
    (told,) = few_samples(task, {"validation": 50}, 0.9, contract, unit)
    assert told.startswith(
        "the validation split has 50 samples; one of them is 2.00 points, and max_drop allows 1.00"
    )
    assert list(few_samples(task, {"validation": 100}, 0.9, contract, unit)) == []
    assert list(few_samples(task, {"validation": 5}, 0.9, ContractConfig(max_drop=None), unit)) == []

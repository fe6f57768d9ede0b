"""What the report says of a regression, from records of samples."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bessemer.report.blocks import Curves, Gallery, Histogram, Table, plain_sections
from bessemer.task import TASKS
from bessemer.task.regress.predict import NumberPredictor
from bessemer.task.regress.telling import PARTS, card, said_of_true, sections
from bessemer.task.task import Shown

PRICE = {"name": "price", "mean": 500.0, "std": 77.0, "low": 25.0, "high": 346.0, "edges": [], "counts": []}
WEIGHT = {"name": "weight", "mean": 0.0, "std": 0.0021, "low": -0.004, "high": 0.005, "edges": [], "counts": []}
ABOUT: dict[str, Any] = {
    "modality": "image",
    "image": [8, 8, 1],
    "arguments": {},
    "inputs": {"dtype": "uint8", "shape": [8, 8, 1]},
}


class Data:
    """A data set of which only the test split is asked."""

    def __init__(self, numbers: list[dict[str, Any]]) -> None:
        self.about = {**ABOUT, "numbers": numbers}

    def positions(self, name: str) -> np.ndarray:
        return 1000 + np.arange(200)

    def names(self, places: np.ndarray) -> list[str]:
        return [f"row {place}" for place in places]

    def show(self, place: int) -> dict[str, Any]:
        return {"image": None, "text": f"sample {place}"}


def shown(numbers: list[dict[str, Any]], role: str = "shipped", parent: bool = False) -> Shown:
    generator = np.random.default_rng(0)
    std = np.array([one["std"] for one in numbers])
    truth = (generator.normal(size=(200, len(numbers))) * std).astype(np.float32)
    said = truth + (0.1 * std * generator.normal(size=truth.shape)).astype(np.float32)
    said[7] += 3 * std.astype(np.float32)  # the worst
    records = {"truth": truth, "said": said, "scale": np.ones(1) if len(numbers) == 1 else std}
    data: Any = Data(numbers)
    network: Any = SimpleNamespace()
    return Shown(role, data, network, records, 0, records if parent else None)


def test_errors_stand_in_the_targets_own_unit() -> None:
    found = sections(shown([PRICE, WEIGHT], parent=True))
    table, *histograms = found["errors"].blocks
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["price", "weight"]
    price, weight = table.rows
    assert price[1].count(".") == 1
    assert len(price[1].split(".")[1]) == 1  # errors of 77 / 3 have three digits
    assert len(weight[1].split(".")[1]) == 6
    assert price[1] == price[4]  # the parent's, which is the same here
    assert price[-1] == "25.0 to 346.0"
    assert all(isinstance(one, Histogram) and sum(one.counts) == 200 for one in histograms)
    assert len(histograms) == 2
    assert plain_sections(found)


def test_the_worst_samples_come_first_and_only_of_what_ships() -> None:
    found = sections(shown([PRICE]))
    (gallery,) = found["worst"].blocks
    assert isinstance(gallery, Gallery)
    assert gallery.samples[0].text == "sample 1007"
    assert set(gallery.samples[0].told) == {"said", "truth"}
    assert "worst" not in sections(shown([PRICE], "parent"))


def test_what_is_said_is_drawn_over_what_is_true() -> None:
    (block,) = sections(shown([PRICE]))["fit"].blocks
    assert isinstance(block, Curves)
    truth = np.arange(100.0)
    lines = said_of_true(truth, truth + 1)
    assert all(len(points) == PARTS for points in lines.values())
    assert lines["truth"][0] == (2.0, 2.0)  # of 0, 1, 2, 3, 4
    assert lines["median"][0] == (2.0, 3.0)
    assert lines["10%"][0] == pytest.approx((2.0, 1.4))
    assert len(said_of_true(truth[:3], truth[:3])["truth"]) == 1


def test_the_card_says_what_it_does_and_where_it_ends() -> None:
    one, two = (card({**ABOUT, "numbers": numbers}) for numbers in ([PRICE], [PRICE, WEIGHT]))
    assert one["does"] == ["It says a number of images: price."]
    assert one["limits"][0].startswith("Range of the training targets: price 25.0 to 346.0. Outside of it")
    assert two["does"][0] == "It says 2 numbers of images: price, weight."
    assert "deviations" in two["does"][1]
    assert "weight -0.004000 to 0.005000" in two["limits"][0]
    assert one["pipeline_tag"] == "other"  # hubs know no regression of images
    assert "images of 8 × 8 × 1" in one["use"]["tensors"]


def test_measures_are_written_in_the_digits_of_the_target() -> None:
    one, two = (TASKS["regress"].measures_of({"numbers": numbers}) for numbers in ([PRICE], [PRICE, WEIGHT]))
    assert [measure.unit.value(52.0812) for measure in one] == ["52.1", "52.1", "52.081"]
    assert [measure.name for measure in one] == [measure.name for measure in two] == ["rmse", "mae", "r2"]
    assert two[0].label == "RMSE in deviations"
    assert two[0].unit.value(0.31421) == "0.314"
    assert [measure.higher_is_better for measure in one] == [False, False, True]


class Fixed:
    """A model that says the same of every input."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = np.array(rows, np.float32)

    def logits(self, inputs: Any) -> np.ndarray:
        return self.rows


def told(targets: list[dict[str, Any]], rows: list[list[float]]) -> tuple[dict[str, Any], str]:
    predictor = NumberPredictor({"modality": "text", "targets": targets, "max_characters": 10}, None)  # type: ignore
    answer = predictor.answer(Fixed(rows), None, 3)  # type: ignore[arg-type]
    return answer, predictor.told(answer)


def test_a_prediction_is_a_number_or_numbers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bessemer.task.regress.predict.reader", lambda about, folder: lambda path: None)
    assert told([PRICE], [[1234.5]]) == ({"number": 1234.5}, "1,234.5")
    assert told([PRICE], [[1.0], [2.0]])[0] == {"number": 1.5}  # two parts of one file
    answer, words = told([PRICE, WEIGHT], [[100.0, 0.5]])
    assert answer == {"numbers": {"price": 100.0, "weight": 0.5}}
    assert words == "price 100.0  weight 0.500000"

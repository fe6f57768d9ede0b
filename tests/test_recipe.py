"""What a recipe says as a whole."""

from __future__ import annotations

from bessemer.recipe import Recipe


def test_the_minutes_of_all_trainings_are_known_where_each_has_its_own() -> None:
    values = {"name": "x", "data": {"source": "digits"}, "train": {"minutes": 5}}
    limited = {"ladder": [0.5, 0.25], "train": {"minutes": 1.5}}
    assert Recipe.model_validate({**values, "compress": limited}).most_minutes == 8
    assert Recipe.model_validate({**values, "compress": None}).most_minutes == 5
    assert Recipe.model_validate(values).most_minutes is None

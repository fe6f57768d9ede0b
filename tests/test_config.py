"""Recipes are strict: what is wrong is refused with its place, its key and a remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from bessemer.config import Config, all_keys, build, dump_yaml, parse_yaml
from bessemer.errors import RecipeError
from bessemer.model.models import AnyModel
from bessemer.model.resnet import ResNetConfig
from bessemer.recipe import Recipe, load_recipe

DIGITS = "data: {source: digits}\n"


@pytest.fixture
def load(tmp_path):
    """Write a text as `recipe.yaml` and load it."""

    def write_and_load(text: str, set: Any = ()) -> Recipe:
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return load_recipe(path, set)

    return write_and_load


@pytest.fixture
def refuse(load):
    """The message with which a recipe is refused."""

    def message(text: str, set: Any = ()) -> str:
        with pytest.raises(RecipeError) as refused:
            load(text, set)
        return str(refused.value)

    return message


# --- a group whose keys depend on its name ----------------------------------------------------------------


class Fleet(Config):
    """Stands for a recipe: a group of one of several classes, and a list of groups."""

    model: AnyModel = ResNetConfig()
    others: list[ResNetConfig] = Field([])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("model:\n  name: resnet\n  witdhs: [3]\n", "r.yaml:3: model.witdhs: unknown key, did you mean widths?"),
        ("model:\n  name: encoder\n  widht: 3\n", "r.yaml:3: model.widht: unknown key, did you mean width?"),
        ("model: {name: encoder, layers: 0}\n", "r.yaml:1: model.layers: input should be greater than or equal"),
        ("model:\n  name: encoder\n  width: 9\n", "r.yaml:1: model: model.width (9) must be a multiple"),
        ("model: {name: rsnet}\n", "model.name: unknown choice 'rsnet', did you mean resnet? known: resnet,"),
        ("model: {name: x}\n", "model.name: unknown choice 'x', known: resnet, encoder, sound"),
        ("model: {layers: 3}\n", "r.yaml:1: model.name: required, but not given"),
        ("others:\n - stem_width: 4\n - widht: 3\n", "r.yaml:3: others.1.widht: unknown key, did you mean w"),
    ],
)
def test_a_problem_in_a_group_of_several_kinds_names_the_right_key(text, wanted):
    with pytest.raises(RecipeError) as refused:
        build(Fleet, parse_yaml(text, "r.yaml"))
    assert wanted in str(refused.value)


def test_a_key_of_another_kind_is_refused_with_the_keys_of_this_one():
    with pytest.raises(RecipeError, match="unknown key; known here: name, stem, stem_width, widths, blocks"):
        build(Fleet, parse_yaml("model: {name: resnet, feedforward: 3}\n", "r.yaml"))


def test_the_keys_of_every_kind_are_known_once():
    keys = all_keys(Fleet)
    assert {"model.name", "model.widths", "model.feedforward", "others.widths"} <= set(keys)
    assert len(keys) == len(set(keys))


# --- unknown keys and wrong types -----------------------------------------------------------------------


def test_a_misspelled_key_is_refused_with_file_line_and_the_right_key(refuse):
    message = refuse(DIGITS + "train:\n  epohcs: 3\n")
    assert "recipe.yaml:3: train.epohcs: unknown key, did you mean epochs?" in message


@pytest.mark.parametrize("text", ["epochs: 3\n", "model:\n  epochs: 3\n"])
def test_a_key_of_another_group_is_refused_with_its_dotted_name(refuse, text):
    assert "epochs: unknown key, did you mean train.epochs?" in refuse(DIGITS + text)


def test_an_unknown_key_like_no_other_is_refused_with_the_keys_of_its_group(refuse):
    message = refuse(DIGITS + "export: {zzz: 1}\n")
    assert "recipe.yaml:2: export.zzz: unknown key; known here: min_agreement, benchmark_seconds" in message


def test_an_unknown_key_deep_inside_an_optional_group_gets_a_near_name(refuse):
    message = refuse(DIGITS + "compress:\n  train:\n    epohcs: 1\n")
    assert "recipe.yaml:4: compress.train.epohcs: unknown key, did you mean epochs?" in message


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("train:\n  batch_size: '32'\n", "recipe.yaml:3: train.batch_size: input should be a valid integer"),
        ("train:\n  epochs: ten\n", "recipe.yaml:3: train.epochs: input should be a valid number, got 'ten'"),
        ("train:\n  epochs: true\n", "recipe.yaml:3: train.epochs: input should be a valid number, got True"),
        ("train:\n  epochs: .inf\n", "recipe.yaml:3: train.epochs: input should be a finite number"),
        ("train:\n  epochs:\n", "recipe.yaml:3: train.epochs: input should be a valid number, got None"),
        ("seed: 1.0\n", "recipe.yaml:2: seed: input should be a valid integer, got 1.0"),
        ("seed: -1\n", "recipe.yaml:2: seed: input should be greater than or equal to 0, got -1"),
        ("train: 3\n", "recipe.yaml:2: train: input should be"),
        ("compress:\n  ladder:\n  - 0.5\n  - x\n", "recipe.yaml:3: compress.ladder.1: input should be"),
        (
            "model: {stem: huge}\n",
            "recipe.yaml:2: model.stem: input should be 'small' or 'large', got 'huge'",
        ),
        ("name: 2001-01-01\n", "recipe.yaml:2: name: input should be a valid string"),
        ("name: ../up\n", "recipe.yaml:2: name: string should match pattern"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_and_key(refuse, text, wanted):
    assert wanted in refuse(DIGITS + text)


def test_several_errors_are_reported_at_once_each_with_its_line(refuse):
    message = refuse("data: {source: digits}\nseed: -1\ntrain:\n  batch_size: '32'\n  epochs: ten\nfoo: 3\n")
    for place in ("recipe.yaml:2: seed:", ":4: train.batch_size:", ":5: train.epochs:", ":6: foo:"):
        assert place in message


def test_a_missing_group_is_reported(refuse):
    assert "recipe.yaml: data: required, but not given" in refuse("seed: 1\n")
    assert "recipe.yaml:1: data.source: required, but not given" in refuse("data: {}\n")


# --- settings that do not fit together ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            DIGITS + "train: {batch_size: 10, accumulate: 3}\n",
            "recipe.yaml:2: train: batch_size (10) must be a multiple of accumulate (3)",
        ),
        ("data: {source: digits, path: x}\n", "recipe.yaml:1: data: source digits comes with scikit-learn"),
        ("data: {source: idx}\n", "recipe.yaml:1: data: source idx needs data.path"),
        ("data: {source: image_folder}\n", "source image_folder needs data.path"),
        ("data: {source: digits, size: [2, 8]}\n", "data.size must be between 4 and 4096"),
        ("data: {source: digits, split: {test: 0.6, validation: 0.4}}\n", "leave under 10% to train on"),
        ("data: {source: digits, size: [8, 8]}\nmodel: {stem: large}\n", "model.stem large needs images"),
        (DIGITS + "augment: {scale: [1.2, 0.8]}\n", "augment.scale must be [smallest, largest]"),
        (DIGITS + "model: {widths: [8], blocks: [1, 1], strides: [1]}\n", "must have one entry per stage"),
        (DIGITS + "compress: {ladder: [0.5, 0.75]}\n", "compress.ladder goes from gentle to harsh"),
        (DIGITS + "compress: {formats: [int8, int8]}\n", "compress.formats lists each format once"),
    ],
)
def test_settings_that_do_not_fit_are_refused_and_name_what_to_change(refuse, text, wanted):
    assert wanted in refuse(text)


# --- YAML that is not what it should be -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (DIGITS + "seed: 1\nseed: 2\n", 'recipe.yaml:3: found duplicate key "seed"'),
        ("data:\n\tsource: digits\n", "recipe.yaml:2: found character '\\t'"),
        (DIGITS + "train: [1\n", "recipe.yaml:3: expected ',' or ']'"),
        (DIGITS + "---\nseed: 1\n", "recipe.yaml:2: but found another document"),
        ("- a\n", "recipe.yaml:1: a recipe is a mapping of keys to values"),
        ("just text", "recipe.yaml:1: a recipe is a mapping of keys to values"),
        ("\x00", "recipe.yaml: not YAML"),
        ("", "recipe.yaml: data: required"),
    ],
)
def test_broken_yaml_is_refused_with_its_line(refuse, text, place):
    assert place in refuse(text)


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:pathlib.Path.touch [CANARY]",
        "!!python/object/apply:os.system ['touch CANARY']",
        "!!python/object/new:os.system ['touch CANARY']",
        "!!python/object:bessemer.recipe.Recipe {source: digits}",
        "!!python/name:os.system",
        "!include other.yaml",
        "!local {source: digits}",
    ],
)
def test_a_yaml_tag_is_refused_and_never_executed(refuse, tmp_path, value):
    canary = tmp_path / "canary"
    value = value.replace("CANARY", str(canary))
    assert "YAML tag" in refuse(f"data: {value}\n")
    assert "YAML tag" in refuse(DIGITS, [f"augment={value}"])
    assert not canary.exists()


def test_a_merged_mapping_is_read_as_yaml_says(load):
    text = "data: {source: digits}\ntrain: &base {epochs: 3}\ncompress: {train: {<<: *base, batch_size: 64}}\n"
    compress = load(text).compress
    assert compress is not None
    assert (compress.train.epochs, compress.train.batch_size) == (3, 64)


def test_an_unknown_key_that_was_merged_is_refused_with_a_line(refuse):
    text = "data: &base {source: digits}\naugment: {<<: *base}\n"
    assert "recipe.yaml:2: augment.source: unknown key" in refuse(text)


def test_an_alias_to_itself_is_refused(refuse):
    assert "recipe.yaml:2" in refuse(DIGITS + "compress: {ladder: &a [*a]}\n")


def test_an_anchor_is_read_as_its_value(load):
    recipe = load("data: {source: digits, limit: &many 20}\nseed: *many\n")
    assert (recipe.seed, recipe.data.limit) == (20, 20)


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(RecipeError, match="not UTF-8 text"):
        load_recipe(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"none\.yaml: no such file"):
        load_recipe(tmp_path / "none.yaml")


def test_a_folder_instead_of_a_file_is_refused_and_names_init(tmp_path):
    with pytest.raises(RecipeError, match=r"(?s)is a folder.*bessemer init"):
        load_recipe(tmp_path)


# --- values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "0.001", ".001"])
def test_a_small_number_is_read_however_it_is_written(load, text):
    recipe = load(DIGITS + f"train: {{optimizer: {{learning_rate: {text}}}}}\n")
    assert recipe.train.optimizer.learning_rate == 0.001


def test_null_turns_a_group_off(load):
    assert load(DIGITS + "compress: null\n").compress is None


def test_a_recipe_without_a_name_takes_that_of_its_file(load):
    assert load(DIGITS).name == "recipe"
    assert load(DIGITS + "name: other\n").name == "other"


def test_a_relative_data_path_starts_at_the_recipe(tmp_path, monkeypatch):
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "r.yaml").write_text("data: {source: idx, path: ../sets/mnist}\n")
    monkeypatch.chdir(tmp_path)
    assert load_recipe(Path("recipes/r.yaml")).data.path == str((tmp_path / "sets" / "mnist").resolve())


def test_an_absolute_data_path_stays(load, tmp_path):
    recipe = load(f"data: {{source: idx, path: {tmp_path / 'sets'}}}\n")
    assert recipe.data.path == str((tmp_path / "sets").resolve())


def test_settings_cannot_be_changed_after_they_are_read(load):
    recipe = load(DIGITS)
    with pytest.raises(ValueError, match="frozen"):
        recipe.train.epochs = 3.0


# --- set ------------------------------------------------------------------------------------------------


def test_set_changes_nested_new_and_typed_values(load):
    recipe = load(
        DIGITS + "train: {epochs: 9}\n",
        [
            "train.epochs=3",
            "train.optimizer.learning_rate=1e-3",
            "compress.ladder=[0.5, 0.25]",
            "augment.flip=horizontal",
            "compress.contract={max_drop: 0.02}",
        ],
    )
    assert recipe.train.epochs == 3
    assert recipe.train.optimizer.learning_rate == 0.001
    assert recipe.augment.flip == "horizontal"
    assert recipe.compress is not None
    assert recipe.compress.ladder == [0.5, 0.25]
    assert recipe.compress.contract.max_drop == 0.02


def test_set_splits_at_the_first_equals_sign(refuse):
    assert "got 'a=b'" in refuse(DIGITS, ["name=a=b"])


def test_set_takes_null(load):
    assert load(DIGITS, ["compress=null"]).compress is None


def test_set_takes_a_mapping_of_python_values(load):
    assert load(DIGITS, {"train.epochs": 5, "compress": None}).train.epochs == 5


def test_a_later_setting_wins(load):
    assert load(DIGITS, ["seed=1", "seed=2"]).seed == 2


def test_set_can_name_the_source_that_the_recipe_left_out(load):
    assert load("", ["data.source=digits"]).data.source == "digits"


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ("train.epohcs=3", "--set train.epohcs: unknown key, did you mean epochs?"),
        ("train={epohcs: 3}", "--set train: train.epohcs: unknown key, did you mean epochs?"),
        ("train.epochs=ten", "--set train.epochs: input should be a valid number, got 'ten'"),
        ("train.epochs=", "--set train.epochs: input should be a valid number, got None"),
        ("train.epochs", "--set train.epochs: expected key=value"),
        ("=3", "--set =3: expected key=value"),
        ("train.epochs=[1", "--set train.epochs: '[1' is not a YAML value"),
        ("data.source.kind=3", "--set data.source.kind: data.source is a single value"),
        ("seed.x=3", "--set seed.x"),
        ("train..x=3", "--set train..x"),
    ],
)
def test_a_wrong_setting_is_refused_and_named_as_set(refuse, item, wanted):
    assert wanted in refuse(DIGITS, [item])


# --- writing and describing -----------------------------------------------------------------------------


def again(recipe: Recipe) -> Recipe:
    return build(Recipe, parse_yaml(dump_yaml(recipe.model_dump()), "again"))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True),
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    rate=st.floats(1e-300, 1e300),
    ladder=st.lists(st.floats(0.001, 1), min_size=1, max_size=3, unique=True),
    compress=st.booleans(),
)
def test_a_written_recipe_reads_back_equal(name, path, rate, ladder, compress):
    recipe = Recipe.model_validate(
        {
            "name": name,
            "data": {"source": "idx", "path": path, "size": [28, 28]},
            "train": {"optimizer": {"learning_rate": rate}},
            "compress": {"ladder": sorted(ladder, reverse=True)} if compress else None,
        }
    )
    assert again(recipe) == recipe


def test_a_written_recipe_loads_as_a_file_and_gives_the_same_recipe(load, tmp_path):
    recipe = load(DIGITS + "train: {epochs: 2.5}\naugment: {scale: [0.9, 1.1]}\n")
    path = tmp_path / "again.yaml"
    path.write_text(dump_yaml(recipe.model_dump()), encoding="utf-8")
    assert load_recipe(path) == recipe


def schema_keys(schema: dict[str, Any], group: dict[str, Any], prefix: str = "") -> set[str]:
    keys = set()
    for name, about in group["properties"].items():
        keys.add(prefix + name)
        for option in [about, *about.get("anyOf", []), *about.get("oneOf", []), about.get("items", {})]:
            if "$ref" in option:
                inner = schema["$defs"][option["$ref"].rpartition("/")[2]]
                keys |= schema_keys(schema, inner, f"{prefix}{name}.")
            elif "properties" in option:
                keys |= schema_keys(schema, option, f"{prefix}{name}.")
    return keys


def test_the_json_schema_is_plain_json_with_every_key():
    schema = Recipe.model_json_schema()
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema
    keys = schema_keys(schema, schema)
    assert keys == set(all_keys(Recipe))
    assert {"name", "data.split.test", "train.optimizer.learning_rate", "compress.train.epochs"} <= keys
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (
            "{text: t, label: [a, b]}",
            "names 2 columns, and task classify takes one label a sample; name one of them, or",
        ),
        (
            "{text: t, label: a, decimal: ','}",
            "task classify has no numbers as labels; remove data.columns.decimal",
        ),
    ],
)
def test_numbers_as_labels_are_refused_where_a_task_has_classes(columns: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        build(Recipe, parse_yaml(f"name: r\ndata: {{source: table, path: x.csv, columns: {columns}}}\n", "r.yaml"))

"""Strict typed configuration from YAML.

A recipe is refused before any work is done when a key is unknown, a type is wrong, or settings do not fit
together. The message names file, line and key, and the nearest key that exists: training the defaults
because of a typing mistake costs hours and is never noticed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, SchemaValidator, core_schema
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bessemer.errors import RecipeError, UsageError

KeyPath = tuple[str | int, ...]
C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of every settings class: unknown keys and silent conversions are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


# json_schema_extra of a field that no result depends on, and of one that changes nothing at its default: a result
# from before there was such a field is still the right one.
NO_EFFECT: dict[str, Any] = {"changes_result": False}
IF_SET: dict[str, Any] = {"changes_result": "if set"}


def keyed(settings: BaseModel) -> dict[str, Any]:
    """All values of settings that results depend on: the rest may change without making anything again."""
    result: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        extra, value = field.json_schema_extra, getattr(settings, name)
        changes = extra.get("changes_result", True) if isinstance(extra, dict) else True
        if changes is True or (changes == "if set" and value != field.default):
            result[name] = keyed(value) if isinstance(value, BaseModel) else _keyed_part(value)
    return result


def _keyed_part(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [keyed(one) if isinstance(one, BaseModel) else _keyed_part(one) for one in value]
    return value


@contextmanager
def refused_as_value() -> Iterator[None]:
    """Inside a validator: what is refused with UsageError is told with file, line and key, as other values are."""
    try:
        yield
    except UsageError as error:
        raise ValueError(f"{error.problem}; {error.remedy}") from error


@dataclass(frozen=True)
class OneOf:
    """Stands beside the type of a field that takes one of several settings classes, told apart by `key`.

    A class is found when it is named: `find` gives that of one of `names`, or of a stranger's dotted path, and
    raises UsageError where there is none. So a recipe loads what it names and no more.
    """

    names: tuple[str, ...]
    find: Callable[[str], type[BaseModel]]
    key: str = "name"

    def choice(self, name: Any) -> type[BaseModel] | None:
        """The class of a name; None of what cannot be one."""
        return self.find(name) if isinstance(name, str) and (name in self.names or "." in name) else None

    def classes(self) -> list[type[BaseModel]]:
        """The classes of all names."""
        return [self.find(name) for name in self.names]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: Any) -> BaseModel:
            return value if isinstance(value, source) else self._validated(value)

        return core_schema.no_info_plain_validator_function(validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if not self.names:  # an editor cannot know what strangers take
            return {"type": "object", "properties": {self.key: {"type": "string"}}, "required": [self.key]}
        schemas = {name: self.find(name).__pydantic_core_schema__ for name in self.names}
        return handler(core_schema.tagged_union_schema(dict(schemas), self.key))

    def _validated(self, value: Any) -> BaseModel:
        name = value.get(self.key) if isinstance(value, dict) else None
        choices: dict[Any, CoreSchema] = dict.fromkeys(self.names, core_schema.any_schema())
        try:
            chosen = self.choice(name) if self.names or not isinstance(name, str) else self.find(name)
        except UsageError as error:
            told = PydanticCustomError("value_error", "{told}", {"told": f"{error.problem}; {error.remedy}"})
            raise ValidationError.from_exception_data(
                "", [InitErrorDetails(type=told, loc=(self.key,), input=name)]
            ) from error
        if chosen is not None:
            choices[name] = chosen.__pydantic_core_schema__
        made: BaseModel = SchemaValidator(core_schema.tagged_union_schema(choices, self.key)).validate_python(
            value
        )
        return made


class Document:
    """A YAML mapping as plain Python values, with the place that each key came from."""

    def __init__(self, name: str, values: dict[str, Any], places: dict[KeyPath, str]) -> None:
        self.name = name
        self.values = values
        self.places = places

    def place(self, path: KeyPath) -> str:
        """`file:line` of a key, or of the nearest enclosing key that was written."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return self.name


def read_yaml(path: Path) -> Document:
    """Read a YAML file; errors name the file and line."""
    if not path.exists():
        raise RecipeError(f"{path}: no such file", "give the path of a recipe, or write one with `bessemer init`")
    if path.is_dir():
        raise RecipeError(
            f"{path}: is a folder, not a recipe", "`bessemer init` writes a recipe for a data folder"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 text ({error})", "save the recipe as UTF-8") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Document:
    """Parse YAML text; `name` stands for the file in messages."""
    try:
        node = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"{name}:{line}: {(error.problem or 'not YAML').strip()}", "correct the YAML") from error
    except YAMLError as error:
        raise RecipeError(f"{name}: not YAML: {error}", "correct the YAML") from error
    if node is None:
        node = CommentedMap()
    if not isinstance(node, CommentedMap):
        raise RecipeError(f"{name}:1: a recipe is a mapping of keys to values", "start with `name: ...`")
    places: dict[KeyPath, str] = {}
    return Document(name, _plain(node, (), places, name), places)


def _plain(node: Any, path: KeyPath, places: dict[KeyPath, str], name: str) -> Any:
    """Convert a ruamel node to plain values and note the line of each key."""
    tag = getattr(getattr(node, "tag", None), "value", None)
    if tag:
        raise RecipeError(f"{places.get(path, name)}: YAML tag {tag} is not allowed", "write a plain value")
    if isinstance(node, CommentedMap):
        result = {}
        for key, value in node.items():
            inner = (*path, str(key))
            places[inner] = f"{name}:{_line(node, key)}"
            result[str(key)] = _plain(value, inner, places, name)
        return result
    if isinstance(node, CommentedSeq):
        return [_plain(value, (*path, i), places, name) for i, value in enumerate(node)]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _line(node: CommentedMap, key: Any) -> int:
    """The line of a key; that of its mapping where `<<` merged the key in."""
    try:
        line: int = node.lc.key(key)[0]
    except (KeyError, TypeError):
        line = node.lc.line
    return line + 1


def override(document: Document, settings: Sequence[str] | Mapping[str, Any]) -> None:
    """Apply `key.path=value` settings (or a mapping of them) on top of a document, in place."""
    pairs = list(settings.items()) if isinstance(settings, Mapping) else [_split(item) for item in settings]
    for key, value in pairs:
        path = tuple(key.split("."))
        target = document.values
        for depth, part in enumerate(path[:-1], start=1):
            inner = target.get(part)
            if inner is None:
                inner = target[part] = {}
                document.places[path[:depth]] = f"--set {key}"
            if not isinstance(inner, dict):
                raise RecipeError(
                    f"--set {key}: {'.'.join(path[:depth])} is a single value, not a group of keys",
                    f"set {'.'.join(path[:depth])} itself",
                )
            target = inner
        target[path[-1]] = value
        document.places[path] = f"--set {key}"


def _split(item: str) -> tuple[str, Any]:
    key, equals, text = item.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {item}: expected key=value", "for example --set train.epochs=3")
    try:
        return key, _plain(YAML(typ="rt", pure=True).load(text), (), {}, f"--set {key}")
    except YAMLError as error:
        raise RecipeError(f"--set {key}: {text!r} is not a YAML value", "quote the value") from error


def filled(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with defaults where nothing is written; what is no mapping stays for validation to refuse."""
    result = dict(values)
    for key, default in defaults.items():
        if isinstance(default, Mapping):
            before = result.get(key, {})
            result[key] = filled(before, default) if isinstance(before, Mapping) else before
        else:
            result.setdefault(key, default)
    return result


def build(kind: type[C], document: Document) -> C:
    """Validate a document; every problem is reported, each with its place and remedy."""
    try:
        return kind.model_validate(document.values)
    except ValidationError as error:
        lines = [_explain(kind, document, problem) for problem in error.errors()]
        raise RecipeError("\n".join(lines), "`bessemer schema` lists every key and its type") from error


def _explain(kind: type[BaseModel], document: Document, problem: Any) -> str:
    path, owner = _walk(kind, problem["loc"])
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, problem["ctx"]["discriminator"].strip("'"))
    key = ".".join(str(part) for part in path)
    place = document.place(path)
    lead = f"{place}: " if place.startswith("--set ") and place.endswith(key) else f"{place}: {key}: "
    if not path:
        lead = f"{place}: "
    if problem["type"] == "extra_forbidden":
        return f"{lead}unknown key{_nearest(kind, owner, path)}"
    if problem["type"] in ("missing", "union_tag_not_found"):
        return f"{lead}required, but not given"
    if problem["type"] == "union_tag_invalid":
        return f"{lead}{_unknown_choice(problem['ctx'])}"
    message: str = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return lead + message
    return f"{lead}{message[0].lower()}{message[1:]}, got {problem['input']!r}"


def _unknown_choice(facts: dict[str, Any]) -> str:
    known = [name.strip("' ") for name in facts["expected_tags"].split(",")]
    near = difflib.get_close_matches(facts["tag"], known, n=1, cutoff=0.6)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"unknown choice {facts['tag']!r}, {guess}known: {', '.join(known)}"


def _walk(kind: type[BaseModel], loc: Sequence[str | int]) -> tuple[KeyPath, type[BaseModel] | None]:
    """The key that pydantic's `loc` stands for, and the settings class that its last part belongs to.

    After a key that takes one of several classes, `loc` has the name of the class chosen, which is no key.
    """
    path: list[str | int] = []
    current: type[BaseModel] | None = kind
    owner = current
    choosing: FieldInfo | None = None
    for part in loc:
        chosen = _chosen(choosing, part) if choosing else None
        if chosen is not None:
            current, choosing = chosen, None
            continue
        path.append(part)
        owner = current
        if isinstance(part, int):  # a place in a list of the same class
            continue
        field = current.model_fields.get(part) if current else None
        choosing = field
        classes = _settings_classes(field.annotation) if field else []
        current = classes[0] if classes else None
    return tuple(path), owner


def _chosen(field: FieldInfo, tag: str | int) -> type[BaseModel] | None:
    """The class that a key takes by the value of one of their keys; None where `tag` is no such value."""
    for mark in _marks(field):
        return mark.choice(tag)
    name = field.discriminator
    if not isinstance(name, str):
        return None
    classes = _settings_classes(field.annotation)
    return {value: one for one in classes for value in get_args(one.model_fields[name].annotation)}.get(tag)


def _marks(field: FieldInfo) -> list[OneOf]:
    """Of the field itself, or of what its list holds."""
    inner = [mark for part in get_args(field.annotation) for mark in getattr(part, "__metadata__", ())]
    return [mark for mark in (*field.metadata, *inner) if isinstance(mark, OneOf)]


def _nearest(kind: type[BaseModel], owner: type[BaseModel] | None, path: KeyPath) -> str:
    """`, did you mean ...?` from the keys of the same group, then from all other keys of the recipe."""
    siblings = list(owner.model_fields) if owner else []
    wrong, own = str(path[-1]), ".".join(str(part) for part in path)
    near = difflib.get_close_matches(wrong, siblings, n=1, cutoff=0.6)
    if near:
        return f", did you mean {near[0]}?"
    everywhere = [name for name in all_keys(kind) if name.rpartition(".")[2] == wrong and name != own]
    if everywhere:
        return f", did you mean {everywhere[0]}?"
    return f"; known here: {', '.join(siblings)}" if siblings else ""


def _settings_classes(annotation: Any) -> list[type[BaseModel]]:
    """The settings classes that stand anywhere in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _settings_classes(part)]


def all_keys(kind: type[BaseModel], prefix: str = "") -> list[str]:
    """Every dotted key that a settings class knows."""
    keys = []
    for name, field in kind.model_fields.items():
        keys.append(prefix + name)
        marked = [one for mark in _marks(field) for one in mark.classes()]
        for inner in marked or _settings_classes(field.annotation):
            keys += all_keys(inner, f"{prefix}{name}.")
    return list(dict.fromkeys(keys))


def dump_yaml(values: Mapping[str, Any]) -> str:
    """YAML text of plain values, in the order given."""
    out = StringIO()
    yaml = YAML(typ="rt", pure=True)
    yaml.default_flow_style = None
    yaml.width = 10_000  # no line is broken
    yaml.representer.add_representer(type(None), _show_null)
    yaml.dump(_ordered(values), out)
    return out.getvalue()


def _show_null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _ordered(values: Any) -> Any:
    if isinstance(values, Mapping):
        return CommentedMap((key, _ordered(value)) for key, value in values.items())
    return values

"""What a recipe names by a dotted path: found beside the recipe or in an installed package.

An artifact depends on the code that made it. bessemer's own is known by its version; a stranger's file has none,
so its bytes are part of the key, with those of the files beside it that it imports.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from bessemer.errors import UsageError

T = TypeVar("T")
_named: dict[str, Path] = {}  # the source file of each dotted path that was loaded
_beside: dict[str, str] = {}  # modules that were found by `modules_beside`, and the SHA-256 of their source


@contextmanager
def modules_beside(folder: Path) -> Iterator[None]:
    """Let dotted paths name modules that stand in `folder`, as those beside a recipe do.

    A module of the same name from another folder is forgotten, and so is one whose file has changed.
    """
    entry = str(folder.resolve())
    known = entry in sys.path
    if not known:
        sys.path.insert(0, entry)
    _forget_others(Path(entry))
    before = set(sys.modules)  # which others have imported for themselves
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            source = _source(sys.modules[name])
            if source is not None and _is_in(Path(entry), name, source):
                _beside[name] = _sha256(source)
        if not known:
            sys.path.remove(entry)


def _forget_others(folder: Path) -> None:
    for name, digest in list(_beside.items()):
        source = _source(sys.modules.get(name))
        if source is None or not _is_in(folder, name, source) or not source.exists() or _sha256(source) != digest:
            sys.modules.pop(name, None)
            del _beside[name]
    invalidate_caches()  # files that were written a moment ago


def _source(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file) if isinstance(file, str) and file.endswith(".py") else None


def _is_in(folder: Path, name: str, source: Path) -> bool:
    """Whether a module was found in `folder`, not merely somewhere below it."""
    place = folder.joinpath(*name.split("."))
    return source in (place.with_suffix(".py"), place / "__init__.py")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def load_dotted(path: str, what: str) -> Any:
    """What `module.Name` names, of an installed package or of a file that Python finds.

    `what` says in errors what was asked for, such as `task`. Raises UsageError where there is none. What is wrong
    inside the module is raised as it is, so that its author sees the line.
    """
    module, _, attribute = path.rpartition(".")
    remedy = "give module.Name, of a file beside the recipe or of an installed package; --modules says where it is"
    if not all(part.isidentifier() for part in path.split(".")) or not module:
        raise UsageError(f"{path!r} names no {what}", remedy)
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and imports another that is not
        raise UsageError(f"{path!r}: there is no module {error.name!r}", remedy) from error
    if not hasattr(found, attribute):
        raise UsageError(f"{path!r}: {module} has no {attribute!r}", remedy)
    source = _source(found)
    if source is not None and module.split(".")[0] != "bessemer":
        _named[path] = source
    return getattr(found, attribute)


def find_named(name: str, known: Mapping[str, T], what: str, base: type[T]) -> T:
    """One of `known` by its name, or a stranger's by the dotted path of a value of `base`, or of a class of it.

    Raises UsageError where there is none.
    """
    if name in known:
        return known[name]
    if "." not in name:
        remedy = f"known: {', '.join(known)}, or the dotted path of a class of your own"
        raise UsageError(f"no {what} {name!r}", remedy)
    found = load_dotted(name, what)
    try:
        made = found() if isinstance(found, type) and issubclass(found, base) else found
    except TypeError as error:
        raise UsageError(f"{name!r} cannot be made without arguments: {error}", "name a value of it") from error
    if not isinstance(made, base):
        raise UsageError(f"{name!r} is no {what}", f"derive it from {base.__module__}.{base.__name__}")
    return made


# --- the source, as a part of keys -----------------------------------------------------------------------


def sources_named(settings: Any) -> dict[str, str]:
    """The SHA-256 of the code behind each dotted path that stands anywhere in the values of settings."""
    found = {}
    for path in sorted(_strings(settings) & set(_named)):
        load_dotted(path, "name")  # the file of today's folder, where another had one of the same name
        found[path] = source_digest(_named[path])
    return found


def _strings(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)):
        return set().union(*map(_strings, value)) if value else set()
    return set()


def source_digest(file: Path) -> str:
    """The SHA-256 of a source file and of the files beside it that it imports, directly or by another of them."""
    found: dict[str, str] = {}
    todo = [file]
    while todo:
        one = todo.pop()
        if one.name in found or not one.exists():
            continue
        text = one.read_bytes()
        found[one.name] = hashlib.sha256(text).hexdigest()
        todo += [file.parent / f"{name}.py" for name in _imported(text)]
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def _imported(text: bytes) -> set[str]:
    """Names of modules that could stand beside a source that imports them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(node.module or "").split(".")[0], *(alias.name for alias in node.names)}
    return names

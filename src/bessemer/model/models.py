"""Which networks there are, and what a recipe is held against: settings, kinds of data, heads.

A network is one folder, listed in MODELS, or a stranger's, named by its dotted path. Its first file says what it
is and imports no torch, so that reading a recipe is quick; what it is made of stands beside it in `network.py`.
A stranger may write both into one file. What a network tells of itself once it is built: bessemer.model.contract.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from bessemer.config import OneOf
from bessemer.dotted import load_dotted
from bessemer.errors import UsageError
from bessemer.model.config import ModelConfig

if TYPE_CHECKING:
    from torch import nn

# Of those that suit a kind of data and a task, the first is taken where a recipe names none.
MODELS: dict[str, str] = {
    "resnet": "bessemer.model.resnet",
    "encoder": "bessemer.model.encoder",
    "sound": "bessemer.model.sound",
    "gpt": "bessemer.model.gpt",
    "mlp": "bessemer.model.mlp",
}
CLASSES, NUMBERS = "classes", "numbers"  # heads
REMEDY = f"known: {', '.join(MODELS)}, or the dotted path of a torch module's class or of a Model"


@dataclass(frozen=True)
class Model:
    """A network that a recipe can name.

    `build` is called with what the task says of the head (`classes`), what the data says (`arguments` of
    `dataset.json`, such as `mean` and `std` of images) and the settings but for their `name`, all by name.
    """

    settings: type[ModelConfig]
    build: Callable[..., nn.Module]
    kinds: tuple[str, ...] | None = None  # of data that it takes; None takes all
    heads: tuple[str, ...] = (CLASSES,)  # that it can carry, of those that tasks ask for

    def carries(self, head: str) -> bool:
        """Whether it can carry this head: one of classes can carry numbers (bessemer.model.targets)."""
        return head in self.heads or (head == NUMBERS and CLASSES in self.heads)

    def suits(self, kind: str | None, head: str) -> bool:
        """Whether it takes this kind of data, None for any, and can carry this head."""
        return (kind is None or self.kinds is None or kind in self.kinds) and self.carries(head)


def find_model(name: str) -> Model:
    """A model by its name in MODELS, or by the dotted path of a Model or of a torch module's class.

    A class may say as attributes what a Model says: `Settings`, `kinds` and `heads`. Nothing else is ever called,
    so a file that names a builder cannot run what it likes. Raises UsageError where there is none.
    """
    if name not in MODELS and "." not in name:
        raise UsageError(f"no model {name!r}", REMEDY)
    found = load_dotted(f"{MODELS[name]}.MODEL" if name in MODELS else name, "model")
    return found if isinstance(found, Model) else _of_class(name, found)


def _of_class(name: str, found: Any) -> Model:
    from torch import nn

    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UsageError(f"{name!r} is no model", REMEDY)
    settings = getattr(found, "Settings", ModelConfig)
    if not (isinstance(settings, type) and issubclass(settings, ModelConfig)):
        problem = f"{name}.Settings is no settings class of a model"
        raise UsageError(problem, "derive it from bessemer.model.config.ModelConfig")
    return Model(settings, found, getattr(found, "kinds", None), getattr(found, "heads", (CLASSES,)))


def default_model(kind: str | None, head: str) -> str | None:
    """The first of MODELS that takes this kind of data, or any, and can carry this head; None where none can."""
    return next((name for name in MODELS if find_model(name).suits(kind, head)), None)


AnyModel = Annotated[ModelConfig, OneOf(tuple(MODELS), lambda name: find_model(name).settings)]

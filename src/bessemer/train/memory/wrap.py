"""Something done around a module's forward pass, and undone.

The module gets a subclass of its own class, so names in `state_dict`, `isinstance` and `copy.deepcopy` work as
before (a replaced `forward` attribute would make a copy run on the weights of the original).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from torch import nn

Forward = Callable[..., Any]


class Wrapped(nn.Module):
    """Mixed into the class of a wrapped module; `around(forward, *inputs)` runs in place of `forward(*inputs)`."""

    around: Callable[..., Any]

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.around(super().forward, *inputs, **named)


@cache
def _wrapped_class(plain: type[nn.Module]) -> type[nn.Module]:
    return type(plain.__name__, (Wrapped, plain), {})


def wrap(module: nn.Module, around: Callable[..., Any]) -> None:
    """Run `around(forward, *inputs)` in place of the module's forward pass; a module is wrapped once at most."""
    assert not isinstance(module, Wrapped), f"a {type(module).__name__} is wrapped already"
    module.__class__ = _wrapped_class(type(module))  # type: ignore[arg-type]
    module.around = around  # type: ignore[assignment]


def unwrap(module: nn.Module) -> None:
    """Undo `wrap`."""
    module.__class__ = type(module).__bases__[1]
    del module.around


def is_wrapped(model: nn.Module) -> bool:
    """Whether any module of a model is wrapped."""
    return any(isinstance(module, Wrapped) for module in model.modules())


def unwrap_all(model: nn.Module) -> None:
    """Undo `wrap` in every module of a model."""
    for module in model.modules():
        if isinstance(module, Wrapped):
            unwrap(module)

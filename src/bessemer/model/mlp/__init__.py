"""A multilayer perceptron for tables, plain or with shortcuts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from bessemer.model.config import ModelConfig
from bessemer.model.models import Model

if TYPE_CHECKING:
    from bessemer.model.mlp.network import MLP


class MLPConfig(ModelConfig):
    """A multilayer perceptron for tables: one linear layer a width, or one residual block.

    `widths: [64, 64], residual: false, waves: 0` on 784 columns is the perceptron 784-64-64-10.
    """

    name: Literal["mlp"] = "mlp"
    widths: list[int] = Field([192, 192, 192], min_length=1, max_length=32, description="of the hidden layers")
    residual: bool = Field(
        True, description="each hidden layer is a block of two with a shortcut; widths are equal"
    )
    dropout: float = Field(0.1, ge=0, lt=1)
    waves: int = Field(
        16, ge=0, le=256, description="frequencies at which each number is also seen; 0 sees it as it is"
    )
    embedding: int = Field(16, ge=1, le=1024, description="most features of a category")

    @model_validator(mode="after")
    def _widths_fit(self) -> MLPConfig:
        if min(self.widths) < 1:
            raise ValueError("model.widths must be at least 1")
        if self.residual and len(set(self.widths)) > 1:
            raise ValueError(
                "model.widths must be equal with shortcuts; make them so, or set model.residual to false"
            )
        return self


def mlp(
    classes: int,
    widths: list[int],
    residual: bool,
    dropout: float,
    waves: int,
    embedding: int,
    **columns: Any,
) -> MLP:
    """Build a perceptron with `classes` outputs; `columns` is what TableFront must know of the stored rows."""
    from bessemer.model.mlp.network import MLP, TableFront

    front = TableFront(**columns, waves=waves, embedding=embedding)
    return MLP(classes, front, widths, residual, dropout)


MODEL = Model(settings=MLPConfig, build=mlp, kinds=("table",), heads=("classes",))

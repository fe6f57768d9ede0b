"""A model on disk: `architecture.json` (builder, configuration, edits) and `weights.safetensors`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from bessemer.artifact import MANIFEST, open_artifact
from bessemer.data.readers import PREPROCESS
from bessemer.errors import ArtifactError, UsageError
from bessemer.model.models import find_model
from bessemer.model.surgery import Edit, apply_edits
from bessemer.model.targets import MEAN, STD, in_units

FORMAT = 1


@dataclass(frozen=True)
class Architecture:
    """How to build a network: the name or dotted path of a model, its arguments, and edits in order.

    `target_mean` and `target_std` among the arguments are not the builder's: its outputs are put in that unit.
    """

    builder: str
    arguments: dict[str, Any]
    edits: list[Edit] = field(default_factory=list)

    def edited(self, *edits: Edit) -> Architecture:
        """The same architecture with more edits."""
        return Architecture(self.builder, self.arguments, [*self.edits, *edits])

    def build(self) -> nn.Module:
        """A fresh network with all edits applied, its weights not yet loaded."""
        arguments = {name: value for name, value in self.arguments.items() if name not in (MEAN, STD)}
        network = _builder(self.builder)(**arguments)
        if MEAN in self.arguments:
            network = in_units(network, self.arguments[MEAN], self.arguments[STD])
        return apply_edits(network, self.edits)


def _builder(name: str) -> Callable[..., nn.Module]:
    try:
        return find_model(name).build
    except UsageError as error:
        raise ArtifactError(f"no builder {name!r}: {error.problem}", error.remedy) from error
    except ImportError as error:  # of a module that the builder's own needs
        raise ArtifactError(f"no builder {name!r}: {error}", "install what it imports") from error


def save_model(folder: Path, architecture: Architecture, model: nn.Module) -> None:
    """Write `architecture.json` and `weights.safetensors` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, **asdict(architecture)}, indent=1)
    (folder / "architecture.json").write_text(text, encoding="utf-8")
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "weights.safetensors")


def read_architecture(folder: Path) -> Architecture:
    """Read `architecture.json`; raises ArtifactError where it is missing or damaged."""
    path = folder / "architecture.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            raise ArtifactError(f"{path}: written in another format", f"this version reads format {FORMAT}")
        return Architecture(**values)
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{folder}: no architecture.json in it", "give a model folder or a run folder"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: damaged ({error})", "restore it from the run that made it") from error


def load_model(folder: Path) -> nn.Module:
    """Rebuild a saved model with its weights, in evaluation mode."""
    architecture = read_architecture(folder)
    try:
        model = architecture.build()
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        problem = f"{folder / 'architecture.json'}: cannot be built: {error}"
        raise ArtifactError(problem, "restore it from the run that made it") from error
    path = folder / "weights.safetensors"
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ArtifactError(
            f"{path}: cannot be loaded: {error}", "restore it from the run that made it"
        ) from error
    return model.eval()


def load(path: str | Path) -> nn.Module:
    """The model of a run folder or a model folder, in evaluation mode: pruned and quantized as it shipped.

    It takes raw inputs, such as images (B, H, W, C) in 0 to 255 or tokens (B, T), and gives logits or numbers
    (B, K). Where the folder says what classes are called, `classes` of the model lists their names in the order of
    the logits. A folder with a manifest is checked against it first. Raises ArtifactError where the folder is
    damaged or holds no model.
    """
    folder = Path(path)
    if not (folder / "architecture.json").exists() and (folder / "model").is_dir():
        folder = folder / "model"
    if (folder / MANIFEST).exists():
        open_artifact(folder)
    model = load_model(folder)
    if (classes := _classes(folder / PREPROCESS)) and not hasattr(model, "classes"):
        model.classes = classes  # type: ignore[assignment]  # a module takes any attribute
    return model


def _classes(path: Path) -> list[str] | None:
    """The names of classes that `preprocess.json` tells, None where there is no such file or it tells none."""
    if not path.exists():
        return None
    try:
        classes: list[str] | None = json.loads(path.read_text(encoding="utf-8")).get("classes")
    except (ValueError, AttributeError) as error:
        raise ArtifactError(f"{path}: damaged ({error})", "restore it from the run that made it") from error
    return classes

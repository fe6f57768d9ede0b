"""bessemer makes trained models cheap: raw data in, a small, fast, measured model out.

Names are imported when they are first used, so that `import bessemer` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "compress": "bessemer.compress",
    "distill": "bessemer.api.distill",
    "evaluate": "bessemer.api.evaluate",
    "export_onnx": "bessemer.export.onnx",
    "fit": "bessemer.api.fit",
    "load": "bessemer.model.state",
    "predict": "bessemer.export.predictor",
    "prune": "bessemer.compress.prune",
    "quantize": "bessemer.compress.quantize",
    "run": "bessemer.pipeline",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bessemer' has no attribute {name!r}")
    module = import_module(_PUBLIC[name])
    value = module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)  # a room can be a door
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

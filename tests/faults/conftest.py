"""The tiny training that faults are tried on."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="session")
def tiny() -> Any:
    """The names of tiny.py, which processes that tests start import as a module."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny.py"))))

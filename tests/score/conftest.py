"""What the tests of scoring share: the recorded references beside the clone."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="session")
def golden(shared: Path) -> dict[str, Any]:
    """What each network's own script says of the generated outputs, by the network's name."""
    path = shared / "reference" / "scoring" / "postprocess_golden.json"
    return json.loads(path.read_text())["base"]


@pytest.fixture(scope="session")
def generator(shared: Path) -> ModuleType:
    """The generator of deterministic network outputs."""
    spec = importlib.util.spec_from_file_location("gen_outputs", shared / "reference" / "scoring" / "gen_outputs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

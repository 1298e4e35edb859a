"""Names in a card -> functions: of a module of the engine, or of the model's own `net.py`."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from roadworthy.problem import Problem


def functions(module: ModuleType, kind: Callable[[object], bool] = inspect.isfunction) -> list[str]:
    """The names that a card may use of a module: its own public functions, or whatever else is of this kind."""
    members = inspect.getmembers(module, kind)
    return [n for n, member in members if not n.startswith("_") and member.__module__ == module.__name__]


def own_module(path: Path) -> ModuleType:
    """The module in a model's `net.py`, loaded once by its path; raises Problem where it cannot be imported."""
    name = f"roadworthy_models.{path.parent.name}.{abs(hash(path))}"
    if name not in sys.modules:
        if not path.exists():
            raise Problem(f"{path}: there is no such file; the card beside it names functions of it")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (ImportError, SyntaxError) as error:
            del sys.modules[name]  # a half-made module must not be found again
            raise Problem(f"{path}: cannot be imported ({error})") from error
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]

"""Build once, run many: one file a runtime, found by name.

A runtime is a module with `missing(soc)`, `build(case, onnx, weights)`, `plan(case)` and
`open_session(artifact, case)`.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from roadworthy.problem import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roadworthy.case import Case
    from roadworthy.soc import Soc


class Session(Protocol):
    """A network ready to run at one batch size."""

    provider: str  # what runs it in fact, asked of the runtime after loading
    threads: int  # of the host; 0 where the chip does the work

    def run(self, batch: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """Outputs (N, ...) of one batch (N, 3, H, W); raises OutOfMemory where it does not fit."""
        ...


class Runtime(Protocol):
    """A way to run a graph on a chip."""

    def missing(self, soc: Soc) -> str | None:
        """Why this machine cannot run `soc`, in one sentence, or None."""
        ...

    def build(self, case: Case, onnx: Path, weights: Path) -> Path:
        """The file that `open_session` opens, made from the graph after surgery (or from the weights)."""
        ...

    def plan(self, case: Case) -> str:
        """The build as a person would type it, and what runs."""
        ...

    def open_session(self, artifact: Path, case: Case) -> Session:
        """A session for the case's batch size."""
        ...


def find(name: str) -> Runtime:
    """The runtime of this name; raises Problem where this version has none or its package is not installed."""
    if importlib.util.find_spec(f"{__name__}.{name}") is None:
        raise Problem(f"this version of roadworthy has no runtime {name!r} yet")
    return cast("Runtime", importlib.import_module(f"{__name__}.{name}"))


def missing(case: Case) -> str | None:
    """Why this machine cannot run the case, or None."""
    try:
        return find(case.runtime).missing(case.soc)
    except Problem as problem:
        return str(problem)
    except ImportError as error:
        return f"the package {error.name!r} is not installed"

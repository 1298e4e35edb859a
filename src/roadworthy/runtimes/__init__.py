"""Build once, run many: one file a runtime, found by name.

A runtime is a module here with `missing(soc, road)`, `build(case, job)`, `plan(case, device)` and
`open_session(artifact, case, job)`. Its name is a road; where it has others too, such as `onnxruntime-cuda` of the
module before the hyphen, its `ROADS` lists them all.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from roadworthy.problem import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roadworthy.case import Case
    from roadworthy.record import Clock
    from roadworthy.soc import Soc


OPENS = re.compile(r"^def open_session\(", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """What a case is built from, the device that runs it, and the folder where tools' logs are kept."""

    onnx: Path
    weights: Path
    logs: Path
    device: int = 0


class Session(Protocol):
    """A network ready to run at one batch size."""

    provider: str  # what runs it in fact, asked of the runtime after loading
    threads: int  # of the host; 0 where the chip does the work
    clock: Clock  # of `sample`
    facts: Mapping[str, str]  # what else figures depend on

    def stream(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[list[NDArray[np.generic]]]:
        """Outputs (N, ...) of every batch (N, 3, H, W), in order; raises CaseFailed, OutOfMemory where it does not fit."""
        ...

    def sample(self, calls: int) -> list[float]:
        """Seconds of each of so many executions, one after the other."""
        ...


class Runtime(Protocol):
    """A way to run a graph on a chip."""

    def missing(self, soc: Soc, road: str) -> str | None:
        """Why this machine cannot run `soc` on this road, in one sentence, or None."""
        ...

    def build(self, case: Case, job: Job) -> Path:
        """The file that `open_session` opens, made from the graph after surgery (or from the weights)."""
        ...

    def plan(self, case: Case, device: int) -> list[str]:
        """The build and the run on a device as a person would type them."""
        ...

    def open_session(self, artifact: Path, case: Case, job: Job) -> Session:
        """A session for the case's batch size."""
        ...


def find(road: str) -> Runtime:
    """The runtime of this name; raises Problem where there is none, ImportError where its package is not installed."""
    check(road)
    return cast("Runtime", importlib.import_module(f"{__name__}.{road.partition('-')[0]}"))


def check(road: str) -> None:
    """Raise Problem for a name that no runtime has; a package that is not installed is `lacks`'s to tell."""
    name = road.partition("-")[0]
    with contextlib.suppress(ImportError):
        if name not in names() or (road != name and road not in _roads(name)):
            raise Problem(f"there is no runtime {road!r}; known: {', '.join(known())}")


def names() -> list[str]:
    """The modules here that open sessions, by their text: to import one may take seconds."""
    files = [path for folder in __path__ for path in Path(folder).glob("*.py")]
    return sorted(path.stem for path in files if OPENS.search(path.read_text(encoding="utf-8")))


def known() -> list[str]:
    """All roads; of a runtime whose package is not installed, its name."""
    return [road for name in names() for road in _listed(name)]


def _listed(name: str) -> list[str]:
    try:
        return _roads(name)
    except ImportError:
        return [name]


def _roads(name: str) -> list[str]:
    return list(getattr(importlib.import_module(f"{__name__}.{name}"), "ROADS", [name]))


def missing(case: Case) -> str | None:
    """Why this machine cannot run the case, or None."""
    return lacks(case.soc, case.runtime)


def lacks(soc: Soc, road: str) -> str | None:
    """Why this machine cannot run a chip on a road, or None."""
    try:
        return find(road).missing(soc, road)
    except Problem as problem:
        return str(problem)
    except ImportError as error:
        return f"the package {error.name!r} is not installed"

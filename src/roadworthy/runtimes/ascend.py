"""An OM in this process through ais_bench's InferSession, whose versions are told apart by what they have.

Source: ais_bench's interface; the version is 0.0.2 in all of them.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from roadworthy.problem import CaseFailed
from roadworthy.runtimes import Job, ais_bench, atc, om

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.record import Clock
    from roadworthy.soc import Soc

FLOAT32 = 0  # in the enumeration of ACL
PROVIDER = "ais_bench InferSession"


class Session:
    """One OM on one device, fed from memory; times are those that the device's runtime counts, copies excluded."""

    provider = PROVIDER
    threads = 0
    clock: Clock = "device"

    def __init__(self, artifact: Path, case: Case, device: int) -> None:
        from ais_bench.infer.interface import InferSession  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        self.facts: Mapping[str, str] = {"om": om.commands(artifact)}
        self._shape = (case.batch, *case.card.input.shape)
        folder = Path(tempfile.mkdtemp(prefix="roadworthy-")).resolve()  # the cache's may be a path that is refused
        atc.place(artifact, folder / atc.OM)
        self._session = InferSession(device, str(folder / atc.OM))
        check_input(case, self._session.get_inputs())
        check_outputs(case, [str(entry.name) for entry in self._session.get_outputs()])
        kind = "summary" if hasattr(self._session, "summary") else "sumary"  # the version is 0.0.2 whatever it is
        self.facts = {**self.facts, "ais_bench": f"InferSession with {kind}()"}

    def stream(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[list[NDArray[np.generic]]]:
        """Outputs of every batch, in order."""
        for batch in batches:
            yield self._infer(batch)

    def sample(self, calls: int) -> list[float]:
        """Seconds on the device of each execution on zeros, as `--pure_data_type zero`."""
        zeros = np.zeros(self._shape, np.float32)
        self._call("reset_summaryinfo", "reset_sumaryinfo")  # the list grows with every call, warm-up too
        for _ in range(calls):
            self._infer(zeros)
        found = list(self._call("summary", "sumary").exec_time_list)
        if len(found) != calls:
            raise CaseFailed(f"ais_bench lists {len(found)} times for {calls} executions")
        return [float(entry[1] - entry[0] if np.ndim(entry) else entry) / 1000 for entry in found]

    def _infer(self, batch: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        if batch.shape != self._shape:
            raise ValueError(f"the session was opened for {self._shape}, the input is {batch.shape}")
        outputs: list[NDArray[np.generic]] = self._session.infer([np.ascontiguousarray(batch)])  # views go by memory
        return outputs

    def _call(self, *names: str) -> Any:
        for name in names:
            if hasattr(self._session, name):
                return getattr(self._session, name)()
        raise CaseFailed(f"this ais_bench's InferSession has none of {', '.join(names)}; another version is needed")


def check_input(case: Case, inputs: list[Any]) -> None:
    """The OM takes what the card says: the batch is the model's, never a flag's. Raises CaseFailed."""
    right = (case.batch, *case.card.input.shape)
    found = [(tuple(entry.shape), entry.datatype) for entry in inputs]
    if [(shape, _number(kind)) for shape, kind in found] != [(right, FLOAT32)]:
        told = ", ".join(f"{list(shape)} of type {kind}" for shape, kind in found)
        raise CaseFailed(f"{case.id}: the OM takes {told}; by the card it must be {list(right)} in float32")


def check_outputs(case: Case, names: list[str]) -> None:
    """The OM gives the card's outputs in the card's order, as far as their names tell. Raises CaseFailed."""
    found = [[kept for kept in case.card.kept_outputs if re.search(rf"\b{kept}\b", name)] for name in names]
    if all(len(kept) == 1 for kept in found) and [kept for (kept,) in found] != list(case.card.kept_outputs):
        told = f"{', '.join(names)}; by the card they must be {', '.join(case.card.kept_outputs)}"
        raise CaseFailed(f"{case.id}: the OM's outputs are {told}")


def missing(soc: Soc, road: str) -> str | None:  # noqa: ARG001  one signature for all runtimes
    """CANN's compiler, a chip of this name, and ais_bench."""
    if reason := om.missing(soc):
        return reason
    if lost := [name for name in ("ais_bench", "aclruntime") if importlib.util.find_spec(name) is None]:
        return (
            f"the package {lost[0]!r} is not installed here: install the wheels of ais_bench and aclruntime, "
            "or judge by files with --runtime ais_bench"
        )
    return None


def build(case: Case, job: Job) -> Path:
    """The OM of the case."""
    return om.build(case, job)


def plan(case: Case, device: int) -> list[str]:
    """The compilation as a person types it, the runs by files, and what runs in their place."""
    return [*ais_bench.plan(case, device), f"ascend: {PROVIDER}, batch {case.batch}, fed from memory in place of files"]


def open_session(artifact: Path, case: Case, job: Job) -> Session:
    """A session on the job's device."""
    return Session(artifact, case, job.device)


def _number(kind: Any) -> int | None:
    """The number of a data type, which some versions give as an enumeration."""
    try:
        return int(kind)
    except (TypeError, ValueError):
        return None

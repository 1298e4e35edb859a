"""How the work on a case is done: on a device that is held, in a process of its own, and told when it goes wrong."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roadworthy import cache, lease, pipeline, runtimes, worker
from roadworthy.case import Case
from roadworthy.material import Material
from roadworthy.pipeline import Progress
from roadworthy.problem import CaseFailed, OutOfMemory, TimedOut, Unavailable
from roadworthy.record import STANDIN
from roadworthy.runtimes import Job, devices, failure, om

TELL_S = 60.0  # between two words on a long step, where no line shows it
WORDS = {"build": "building", "evaluated": "frames", "parity": "graph against torch, frames", "timed": "timing"}
BUILD_S = 2 * 3600.0  # that an engine for a GPU may take
SILENCE_S = 900.0  # that a case may take without a sign of life


def say(text: str) -> None:
    """Tell whoever looks on: standard output is for figures."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Share:
    """The part of the frames that falls to this process, and how to have what all of them found."""

    rank: int = 0
    world: int = 1
    gathered: Callable[[Any], list[Any]] = lambda found: [found]  # in the order of the ranks

    @property
    def first(self) -> bool:
        """Whether this process is the one that speaks and keeps records."""
        return self.rank == 0


@dataclass(frozen=True)
class Manner:
    """How a run goes about it: on which device, how long a case may be silent, who is told of long steps.

    `line` shows one step while it lasts, under its words, and is told (done, total) at least once a second.
    `keep_frames` is how many of the worst frames a case keeps as pictures.
    `call` is how work is done: `worker.call`, or `worker.here` in the run's own process.
    """

    device: int | None = None
    limit_s: float = SILENCE_S
    tell: Callable[[str], object] = say
    progress: Progress | None = None
    call: Callable[..., Any] = worker.call
    share: Share = Share()
    keep_frames: int = 0
    line: Callable[[str], contextlib.AbstractContextManager[Progress]] | None = None


class Workshop:
    """Where a run's cases are built and worked on: in this manner, from this material, with the logs in a folder."""

    def __init__(self, logs: Path, manner: Manner, material: Material) -> None:
        self._logs, self._manner, self._material = logs, manner, material
        self._devices: dict[str, int] = {}  # by chip, as they were held
        self._memo = cache.Memo()

    def warm(self) -> None:
        """Start what workers are forked from, while the run does something else."""
        if self._manner.call is worker.call:
            worker.warm()

    @contextlib.contextmanager
    def ready(self, case: Case, *, alone: bool = False) -> Iterator[tuple[Path, Job]]:
        """What the case's session opens, and the job, with the device held; `alone` holds the host's cpu too.

        Raises Unavailable where this machine cannot run the case, CaseFailed where it cannot be built.
        """
        if reason := case.impossible or runtimes.missing(case):
            raise Unavailable(f"{case.id} cannot run here: {reason}")
        own = devices.of_soc(case.soc, self._manner.device)
        job = Job(self._material.graph(case.card).files[-1], self._material.weights(case.card), self._logs)
        if case.soc.vendor != "nvidia" and not case.soc.tuned:  # atc needs no device; who times kernels does
            self._built(case, job)
        held = case.soc.vendor != "host" or alone
        with lease.device(case.soc.vendor, own, self._manner.tell) if held else contextlib.nullcontext(0) as device:
            self._devices[case.soc.name] = device
            job = replace(job, device=devices.position(case.soc, device))
            yield self._built(case, job), job

    def work(self, case: Case, step: Callable[..., Any], *arguments: Any) -> Any:
        """`step(*arguments)` in a process of its own; what goes wrong there is CaseFailed, by what it wrote."""
        return self._call(case, step, arguments, self._manner.limit_s)

    def watched(self, case: Case) -> contextlib.AbstractContextManager[devices.Readings]:
        """Temperature and power of the device that is held for the case, read meanwhile."""
        return devices.watched(case.soc, self._devices[case.soc.name])

    def facts(self, case: Case) -> dict[str, str]:
        """Of the case's device, as it was when first asked; nothing where it had none yet."""
        device = self._devices.get(case.soc.name)
        if device is None:
            return {}
        found = self._memo.once(("facts", case.soc.name, device), lambda: devices.facts(case.soc, device))
        if case.soc.dies > 1:
            return {**found, "dies": f"1 measured of {case.soc.dies} on a card; throughput is times {case.soc.dies}"}
        return found

    def road(self, case: Case) -> str:
        """The runtime's name, or what it is where stand-ins for tests take part."""
        if case.soc.vendor == "huawei" and self._memo.once("standins", om.standins):
            return STANDIN
        return case.runtime

    def _built(self, case: Case, job: Job) -> Path:
        limit = None if case.soc.vendor == "huawei" else BUILD_S  # atc and aoe have limits of their own
        key = ("artifact", case.id, case.runtime, case.card.input.shape)
        found: Path = self._memo.once(key, lambda: self._call(case, pipeline.build, (case, job), limit))
        return found

    def _call(self, case: Case, step: Callable[..., Any], arguments: tuple[Any, ...], limit_s: float | None) -> Any:
        log, due = self._logs / f"{case.id}-{step.__name__}.log", TELL_S
        last = (0, 0)

        def alive(seconds: float) -> None:
            nonlocal due
            if self._manner.line:
                show(*last)
            elif seconds > due:
                due += TELL_S
                self._manner.tell(f"{case.id}: {step.__name__}, {seconds / 60:.0f} min so far; {log.parent}")

        def progress(done: int, total: int) -> None:
            nonlocal last
            last = (done, total)
            show(done, total)

        with (self._manner.line or unseen)(f"{case.id}: {WORDS.get(step.__name__, step.__name__)}") as own:
            show = self._manner.progress or own
            return self._answer(case, step, arguments, log=log, limit_s=limit_s, progress=progress, alive=alive)

    def _answer(
        self, case: Case, step: Callable[..., Any], arguments: tuple[Any, ...], *, log: Path, **how: Any
    ) -> Any:
        try:
            return self._manner.call(step, *arguments, log=log, **how)
        except worker.Died as died:
            failed = failure.classify(case.id, died.text, died.status)
            raise type(failed)(f"{failed}; the log is {log}", failed.evidence or _last_words(log)) from None
        except TimedOut as late:
            raise TimedOut(f"{case.id}: {late}", late.evidence or _last_words(log)) from None
        except MemoryError as error:
            why = f" ({error})" if str(error) else ""
            if case.soc.vendor == "host":
                raise OutOfMemory(f"{case.id}: does not fit in the host's memory{why}") from None
            told = f"{case.id}: the host's memory ran out, not the device's{why}; the log is {log}"
            raise CaseFailed(told, [repr(error), *_last_words(log)]) from None


@contextlib.contextmanager
def unseen(text: str) -> Iterator[Progress]:  # noqa: ARG001  one signature for all lines
    """A line of progress that nobody looks at."""
    yield lambda done, total: None  # noqa: ARG005  what a progress is told


def _last_words(log: Path) -> list[str]:
    """The last lines of a case's newest log that has any: of the worker, or of a tool that it had started."""
    case = log.name.rpartition("-")[0]
    for path in sorted(log.parent.glob(f"{case}-*"), key=lambda path: path.stat().st_mtime, reverse=True):
        lines = [line.strip() for line in re.split(r"[\r\n]+", path.read_text(encoding="utf-8", errors="replace"))]
        if said := [line[-300:] for line in lines if line][-3:]:
            return said
    return []

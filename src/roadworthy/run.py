"""One run on this machine: what it judges, and the records that it leaves."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roadworthy import cache, fingerprint, lease, measure, pipeline, record, runtimes, worker
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.convert import ledger
from roadworthy.data import cityscapes
from roadworthy.data.cityscapes import Dataset
from roadworthy.evidence import Published, environment
from roadworthy.pipeline import Evaluation, Graph, Progress, Timing
from roadworthy.problem import BadOutput, CaseFailed, OutOfMemory, Problem, TimedOut, Unavailable
from roadworthy.record import STANDIN, UNTRAINED, Record
from roadworthy.runtimes import Job, devices, failure, om
from roadworthy.score import miou

TELL_S = 60.0  # between two words on a long step
BUILD_S = 2 * 3600.0  # that an engine for a GPU may take
SILENCE_S = 900.0  # that a case may take without a sign of life
PARITY = "onnxruntime"  # what graphs are compared with torch on, whatever the chip
SAMPLES = 10  # below, a tool told a mean and no distribution


@dataclass(frozen=True)
class Manner:
    """How a run goes about it: on which device, how long a case may be silent, who is told of long steps.

    `call` is how work is done: `worker.call`, or `worker.here` in the run's own process.
    """

    device: int | None = None
    limit_s: float = SILENCE_S
    tell: Callable[[str], object] = print
    progress: Progress | None = None
    call: Callable[..., Any] = worker.call


class Run:
    """One run on this machine: what it judges, what it has evaluated so far, and the folder of its records.

    Every case runs in a process of its own. Every record is on disk as soon as it is known, so that an interrupted run
    loses nothing.
    """

    def __init__(self, out: Path, data: str, weights: Path | None, manner: Manner | None = None) -> None:
        self.out: Path | None = out
        self.records: list[Record] = []
        self._folder, self._manner = out.absolute(), manner or Manner()  # workers have folders of their own
        self._data = data if data == cityscapes.SAMPLE else str(Path(data).absolute())
        self._weights = weights.absolute() if weights else None
        self._cells: tuple[Case, ...] = ()
        self._devices: dict[str, int] = {}  # by chip, as they were held
        self._memo: dict[tuple[Any, ...], Any] = {}
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(f"{out}: no folder for records can be made here ({error.strerror})") from error

    def check(self, cases: Iterable[Case]) -> None:
        """Read every frame and make every graph; a model whose weights are bad fails on its own if others are good."""
        if self._manner.call is worker.call:
            worker.warm()
        self._cells = tuple({case.id: case for case in cases}.values())
        problems, models = [], list({case.card.key: case.card for case in self._cells}.values())
        for card in map(self.fitted, models):
            self.dataset(card)
            try:
                card.lookup(card.scoring.average, miou, "scoring.average")
                self.graph(card)
            except Problem as problem:
                problems.append(problem)
        if problems and len(problems) == len(models):
            raise problems[0]

    def dataset(self, card: ModelCard) -> tuple[Dataset, str]:
        """The data set with the card's kind of label, every frame checked, and its name with digest."""
        card = self.fitted(card)
        small = card.sample if self._opened(card).origin else None

        def checked() -> tuple[Dataset, str]:
            dataset = self._opened(card)
            if small is not None:
                dataset = replace(dataset, frames=dataset.frames[: small.frames])
            name = cityscapes.check(dataset, card.input.shape, exact=not card.input.resizes)
            return dataset, name + (f"@{card.input.shape[1]}x{card.input.shape[2]}" if small and small.size else "")

        frames = (card.scoring.labels, card.input.shape, card.input.resizes, small)  # alike for many a model
        found: tuple[Dataset, str] = self._once(("data", *frames), checked)
        return found

    def fitted(self, card: ModelCard) -> ModelCard:
        """The card at the size at which it is judged on this run's data: large networks run small on drawn frames."""
        return card.at_sample_size() if self._opened(card).origin else card

    def _opened(self, card: ModelCard) -> Dataset:
        found: Dataset = self._once(
            ("opened", card.scoring.labels),
            lambda: pipeline.open_data(self._data, card, progress=self._manner.progress),
        )
        return found

    def weights(self, card: ModelCard) -> Path:
        """The checkpoint that the run judges."""
        path: Path = self._once(("weights", card.key), lambda: pipeline.weights_file(card, self._weights))
        return path

    def graph(self, card: ModelCard) -> Graph:
        """The card's network with this run's weights as ONNX."""
        graph: Graph = self._once(
            ("graph", card.key, card.input.shape), lambda: pipeline.prepare(card, self.weights(card))
        )
        return graph

    def evaluation(self, case: Case) -> Evaluation:
        """All frames of the data set through the case's session, once a run."""
        small = self.fitted(case.card)

        def evaluated() -> Evaluation:
            if case.soc.tuned and small.input.shape != case.card.input.shape:
                height, width = case.card.input.shape[1:]
                raise Unavailable(
                    f"{case.id}: drawn frames run small, and hours of tuning are for {height}x{width}; --data names frames"
                )
            return self._evaluated(replace(case, card=small))

        evaluation: Evaluation = self._once(("evaluation", case.id), evaluated)
        return evaluation

    def _evaluated(self, case: Case) -> Evaluation:
        dataset, _ = self.dataset(case.card)
        with self._ready(case) as (artifact, job):
            found: Evaluation = self._work(case, pipeline.evaluated, case, artifact, job, dataset)
        return found

    def accuracy(self, case: Case) -> list[Record]:
        """MIoU by the card's convention and by the pooled standard; the matrices of all frames beside the records."""

        def scored() -> list[Record]:
            evaluation, (dataset, _) = self.evaluation(case), self.dataset(case.card)
            if evaluation.stems != tuple(frame.stem for frame in dataset.frames):
                found = len(evaluation.stems)
                raise BadOutput(
                    f"{case.id}: the {found} frames scored are not the {len(dataset)} of the data set in order"
                )
            path = self._samples(case, "matrices", stems=np.asarray(evaluation.stems), matrices=evaluation.matrices)
            pooled = miou.pooled(evaluation.matrices)
            figures = {"miou": pipeline.score(case.card, evaluation).miou, "pooled_miou": pooled.miou}
            return [self._record(case, m, v, evaluation, samples=path) for m, v in figures.items()]

        return self._kept(case, "miou", scored)

    def memory(self, case: Case) -> list[Record]:
        """Whether the frames went through; on a chip, whether the graph at its full size does."""
        return self.accuracy(case) if case.soc.vendor == "host" else self.throughput(case)

    def batch_agreement(self, case: Case) -> list[Record]:
        """Share of pixels that have the class they have at batch 1, in the worst frame."""

        def compared() -> list[Record]:
            many = self.evaluation(case)
            share = pipeline.same_pixels(self.evaluation(replace(case, batch=1)), many)
            return [self._record(case, "agreement.batch", share, many)]

        return self._kept(case, "agreement.batch", compared)

    def parity(self, case: Case) -> list[Record]:
        """Share of pixels on which the graph, exported and operated, agrees with the torch module; writes the ledger."""

        def compared() -> list[Record]:
            if case.impossible:
                raise Unavailable(f"{case.id} cannot run: {case.impossible}")
            weights, (dataset, _) = self.weights(case.card), self.dataset(case.card)
            card = self.fitted(case.card)
            few = pipeline.first_of(dataset, pipeline.PARITY_FRAMES)
            found: pipeline.Parity = self._work(case, pipeline.parity, card, self.graph(card), weights, few)
            self._write_ledger(case, found.ledger)
            first, last, torch = found.graphs[0], found.graphs[-1], found.modules
            road = STANDIN if self._road(case) == STANDIN else PARITY  # nothing of such a run is kept
            compared = {
                "exported": (torch["exported"], first),
                "operated": (torch["operated"], last),
                "kept": (torch["evaluated"], last),
            }
            return [
                self._record(case, f"agreement.{what}", pipeline.same_pixels(module, graph), graph, runtime=road)
                for what, (module, graph) in compared.items()
            ]

        return self._kept(replace(case, batch=1), "agreement.operated", compared)

    def throughput(self, case: Case) -> list[Record]:
        """Images/s and latency of a warm session at full size, with the device's temperature and power meanwhile.

        The unit is the card: one die is measured, and what it does is multiplied by the dies of a card.
        A session that does not become steady gives one record without a value.
        """

        def measured() -> list[Record]:
            with (
                self._ready(case, alone=True) as (artifact, job),
                devices.watched(case.soc, self._devices[case.soc.name]) as readings,
            ):
                timing: Timing = self._work(case, pipeline.timed, case, artifact, job)
            if not timing.samples:
                return [self._record(case, "throughput", None, timing, detail=timing.warmup.because)]
            speed = measure.speed(timing.samples, case.batch)
            figures = {"throughput": speed.images_per_second * case.soc.dies}  # a card's, as the guides publish it
            if len(timing.samples) >= SAMPLES:
                figures |= {"latency.median": speed.median_ms, "latency.p95": speed.p95_ms}
            celsius, watts = readings.between(timing.began, timing.ended)
            if celsius:
                figures["temperature.max"] = max(celsius)
            if watts:
                figures["power.mean"] = statistics.fmean(watts)
            path = self._samples(case, "seconds", seconds=np.asarray(timing.samples))
            return [self._record(case, m, v, timing, samples=path) for m, v in figures.items()]

        return self._kept(case, "throughput", measured)

    def throughput_of_chips(self, case: Case) -> list[Record]:
        """What this run measures on the case's chip at every batch size, and what the guide publishes of other chips."""
        cell = (case.card.key, case.soc.name)
        for other in self._cells or (case,):
            if (other.card.key, other.soc.name) == cell:
                with contextlib.suppress(Problem):  # told by the test of that cell
                    self.throughput(other)
        own = [r for r in self.records if r.metric == "throughput" and (r.model, r.soc) == cell]
        others = [r for r in Published().throughput_of_chips(case) if r.soc != case.soc.name]
        return [*own, *others]

    @contextlib.contextmanager
    def _ready(self, case: Case, *, alone: bool = False) -> Iterator[tuple[Path, Job]]:
        """What the case's session opens, and the job, with the device held; `alone` holds the host's cpu too.

        Raises Unavailable where this machine cannot run the case, CaseFailed where it cannot be built.
        """
        if reason := case.impossible or runtimes.missing(case):
            raise Unavailable(f"{case.id} cannot run here: {reason}")
        own = devices.of_soc(case.soc, self._manner.device)
        job = Job(self.graph(case.card).files[-1], self.weights(case.card), self._folder / "logs")
        if case.soc.vendor != "nvidia" and not case.soc.tuned:  # atc needs no device; who times kernels does
            self._built(case, job)
        held = case.soc.vendor != "host" or alone
        with lease.device(case.soc.vendor, own, self._manner.tell) if held else contextlib.nullcontext(0) as device:
            self._devices[case.soc.name] = device
            job = replace(job, device=devices.position(case.soc, device))
            yield self._built(case, job), job

    def _built(self, case: Case, job: Job) -> Path:
        key = ("artifact", case.id, case.runtime, case.card.input.shape)
        artifact: Path = self._once(key, lambda: self._work(case, pipeline.build, case, job, silent=True))
        return artifact

    def _work(self, case: Case, work: Callable[..., Any], *arguments: Any, silent: bool = False) -> Any:
        """`work(*arguments)` in a process of its own; what goes wrong there is CaseFailed, by what it wrote.

        A `silent` one says nothing for hours; atc and aoe have limits of their own.
        """
        log, due = self._folder / "logs" / f"{case.id}-{work.__name__}.log", TELL_S

        def alive(seconds: float) -> None:
            nonlocal due
            if seconds > due:
                due += TELL_S
                self._manner.tell(f"{case.id}: {work.__name__}, {seconds / 60:.0f} min so far; {log.parent}")

        limit = None if silent and case.soc.vendor == "huawei" else BUILD_S if silent else self._manner.limit_s
        try:
            return self._manner.call(
                work, *arguments, log=log, limit_s=limit, progress=self._manner.progress, alive=alive
            )
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

    def _kept(self, case: Case, metric: str, step: Callable[[], list[Record]]) -> list[Record]:
        def done() -> list[Record]:
            try:
                records = step()
            except CaseFailed as lost:
                why: dict[str, Any] = {"outcome": lost.outcome, "detail": str(lost), "evidence": lost.evidence}
                records = [self._record(case, metric, None, **why)]
            with cache.locked(self._folder):
                record.append(self._folder / "records.jsonl", records)
            self.records += records
            return records

        records: list[Record] = self._once((metric, case.id), done)
        return records

    def _once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self._memo:
            try:
                self._memo[key] = make()
            except Problem as problem:
                self._memo[key] = problem
        if isinstance(self._memo[key], Problem):
            raise self._memo[key]
        return self._memo[key]

    def _record(
        self, case: Case, metric: str, value: float | None, ran: Timing | Evaluation | None = None, **more: Any
    ) -> Record:
        weights = self.weights(case.card)
        digest = self._once(("digest", weights), lambda: fingerprint.of_file(weights))
        dataset, data, frames = None, None, None
        if metric in ("miou", "pooled_miou") or metric.startswith("agreement."):
            dataset, data = self.dataset(case.card)
            frames = len(ran.stems) if isinstance(ran, Evaluation) else len(dataset)
        if value is None:
            more.setdefault("outcome", "unstable")
        if isinstance(ran, Timing):
            more["clock"] = ran.clock
        more.setdefault("runtime", self._road(case))
        return Record(
            model=case.card.key,
            soc=case.soc.name,
            batch=case.batch,
            metric=metric,
            value=value,
            source="sample" if weights.name.startswith(UNTRAINED) or (dataset and dataset.origin) else "measured",
            provider=ran.provider if ran else None,
            data=data,
            frames=frames,
            weights=f"{weights.name}@{digest}",
            when=dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
            environment={
                **environment(ran.threads if ran else None),
                **self._facts(case),
                **(ran.facts if ran else {}),
            },
            **more,
        )

    def _road(self, case: Case) -> str:
        """The runtime's name, or what it is where stand-ins for tests take part."""
        if case.soc.vendor != "huawei":
            return case.runtime
        standins: list[str] = self._once(("standins",), om.standins)
        return STANDIN if standins else case.runtime

    def _facts(self, case: Case) -> dict[str, str]:
        """Of the case's device, as it was when the run first asked; nothing where it had none yet."""
        device = self._devices.get(case.soc.name)
        if device is None:
            return {}
        found: dict[str, str] = self._once(("facts", case.soc.name, device), lambda: devices.facts(case.soc, device))
        if case.soc.dies > 1:
            return {**found, "dies": f"1 measured of {case.soc.dies} on a card; throughput is times {case.soc.dies}"}
        return found

    def _write_ledger(self, case: Case, entries: Iterable[ledger.Entry]) -> None:
        path = self._folder / f"{case.card.key}-{case.soc.name}.ledger.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            ledger.write(entries, path)
        except OSError as error:
            raise Problem(f"{path}: the ledger could not be written ({error.strerror})") from error

    def _samples(self, case: Case, kind: str, **arrays: NDArray[Any]) -> str:
        now = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%dT%H%M%S")
        name = f"samples/{case.id}-{kind}-{now}.npz"
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # numpy's stub takes it for allow_pickle
        except OSError as error:
            path.unlink(missing_ok=True)
            raise Problem(f"{path}: the samples could not be written ({error.strerror})") from error
        return name


def _last_words(log: Path) -> list[str]:
    """The last lines of a case's newest log that has any: of the worker, or of a tool that it had started."""
    case = log.name.rpartition("-")[0]
    for path in sorted(log.parent.glob(f"{case}-*"), key=lambda path: path.stat().st_mtime, reverse=True):
        lines = [line.strip() for line in re.split(r"[\r\n]+", path.read_text(encoding="utf-8", errors="replace"))]
        if said := [line[-300:] for line in lines if line][-3:]:
            return said
    return []

"""One run on this machine: what it judges, and the records that it leaves."""

from __future__ import annotations

import contextlib
import datetime as dt
import statistics
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roadworthy import cache, evaluations, frames, measure, pipeline, record, whole
from roadworthy.case import Case
from roadworthy.convert import ledger
from roadworthy.data.cityscapes import Dataset
from roadworthy.evaluations import Evaluation
from roadworthy.evidence import Published, environment
from roadworthy.material import Material
from roadworthy.pipeline import Timing
from roadworthy.problem import BadOutput, CaseFailed, Problem, Unavailable
from roadworthy.record import STANDIN, UNTRAINED, Record
from roadworthy.score import miou
from roadworthy.workshop import Manner, Workshop, unseen

PARITY = "onnxruntime"  # what graphs are compared with torch on, whatever the chip
SAMPLES = 10  # below, a tool told a mean and no distribution


class Run:
    """One run on this machine: what it judges, what it has evaluated so far, and the folder of its records.

    Every case runs in a process of its own. Every record is on disk as soon as it is known, so that an interrupted run
    loses nothing.
    """

    def __init__(self, out: Path, data: str, weights: Path | None, manner: Manner | None = None) -> None:
        self.out: Path | None = out
        self.records: list[Record] = []
        self._folder, manner = out.absolute(), manner or Manner()  # workers have folders of their own
        self.material = Material(data, weights, manner.progress)
        self._line = manner.line or unseen
        self._share, self._keep = manner.share, manner.keep_frames
        self._worst: dict[str, tuple[float, str]] = {}  # by case: mIoU of its worst frame, file of the worst ones
        self._workshop = Workshop(self._folder / "logs", manner, self.material)
        self._cells: tuple[Case, ...] = ()
        self._memo = cache.Memo()
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(
                f"{out}: no folder for records can be made here ({error.strerror}); --out names another"
            ) from error

    def check(self, cases: Iterable[Case]) -> None:
        """Read every frame and make every graph; a model whose weights are bad fails on its own if others are good."""
        self._workshop.warm()
        self._cells = tuple({case.id: case for case in cases}.values())
        problems, models = [], list({case.card.key: case.card for case in self._cells}.values())
        for full in models:
            with self._line("drawing frames") as show:
                self.material.opened(full, show)
            card = self.material.fitted(full)
            with self._line(f"{card.key}: reading frames") as show:
                self.material.dataset(card, show)
            try:
                card.lookup(card.scoring.average, miou, "scoring.average")
                with self._line(f"{card.key}: making the graph") as show:
                    show(0, 0)
                    self.material.graph(card)
            except Problem as problem:
                problems.append(problem)
        if problems and len(problems) == len(models):
            raise problems[0]

    def evaluation(self, case: Case) -> Evaluation:
        """All frames of the data set through the case's session, once a run."""
        small = self.material.fitted(case.card)

        def evaluated() -> Evaluation:
            if case.soc.tuned and small.input.shape != case.card.input.shape:
                height, width = case.card.input.shape[1:]
                raise Unavailable(
                    f"{case.id}: drawn frames run small, and hours of tuning are for {height}x{width}; --data names frames"
                )
            fitted, (dataset, _) = replace(case, card=small), self.material.dataset(small)
            return self._shared(fitted, dataset)

        return self._memo.once(("evaluation", case.id), evaluated)

    def _shared(self, case: Case, dataset: Dataset) -> Evaluation:
        """All frames, of which this process takes its share; what one process cannot do, all of them raise."""
        share = self._share
        own, found = evaluations.share(dataset, share.rank, share.world), None
        try:
            if len(own):
                with self._workshop.ready(case) as (artifact, job):
                    found = self._workshop.work(case, pipeline.evaluated, case, artifact, job, own, self._keep)
        except Problem as problem:
            if share.world == 1:
                raise
            found = problem
        mine = found.worst if isinstance(found, Evaluation) else ()
        parts = share.gathered(replace(found, worst=()) if isinstance(found, Evaluation) else found)
        if lost := next((part for part in parts if isinstance(part, Problem)), None):
            raise lost
        everything: Evaluation = evaluations.joined(parts) if share.world > 1 else parts[0]
        if self._keep and (seen := frames.of_all(everything, mine, share, self._keep)) and share.first:
            pictures = self._samples(case, "frames", **frames.arrays(seen, dataset))
            self._worst[case.id] = (seen[0].miou, pictures)
        return everything

    def accuracy(self, case: Case) -> list[Record]:
        """MIoU by the card's convention and by the pooled standard; the matrices of all frames beside the records.

        Where worst frames are kept, the mIoU of the worst one too, with the frames beside the records.
        """

        def scored() -> list[Record]:
            evaluation, (dataset, _) = self.evaluation(case), self.material.dataset(case.card)
            if evaluation.stems != tuple(frame.stem for frame in dataset.frames):
                found = len(evaluation.stems)
                raise BadOutput(
                    f"{case.id}: the {found} frames scored are not the {len(dataset)} of the data set in order"
                )
            path = self._samples(case, "matrices", stems=np.asarray(evaluation.stems), matrices=evaluation.matrices)
            pooled = miou.pooled(evaluation.matrices)
            figures = {"miou": evaluations.score(case.card, evaluation).miou, "pooled_miou": pooled.miou}
            records = [self._record(case, m, v, evaluation, samples=path) for m, v in figures.items()]
            if case.id in self._worst:
                lowest, pictures = self._worst[case.id]
                records.append(replace(records[0], metric="frame.miou", value=lowest, samples=pictures))
            return records

        return self._kept(case, "miou", scored)

    def memory(self, case: Case) -> list[Record]:
        """Whether the frames went through; on a chip, whether the graph at its full size does.

        Frames that were evaluated before this and did not fit say so too: no other gate judges their loss.
        """
        if case.soc.vendor == "host":
            return self.accuracy(case)
        cell = (case.card.key, case.soc.name, case.batch)
        lost = [r for r in self.records if r.outcome == "oom" and (r.model, r.soc, r.batch) == cell]
        return [*self.throughput(case), *(r for r in lost if r.metric == "miou")]

    def batch_agreement(self, case: Case) -> list[Record]:
        """Share of pixels that have the class they have at batch 1, in the worst frame."""

        def compared() -> list[Record]:
            many = self.evaluation(case)
            share = evaluations.same_pixels(self.evaluation(replace(case, batch=1)), many)
            return [self._record(case, "agreement.batch", share, many)]

        return self._kept(case, "agreement.batch", compared)

    def parity(self, case: Case) -> list[Record]:
        """Share of pixels on which the graph, exported and operated, agrees with the torch module; writes the ledger."""

        def compared() -> list[Record]:
            if case.impossible:
                raise Unavailable(f"{case.id} cannot run: {case.impossible}")
            weights, (dataset, _) = self.material.weights(case.card), self.material.dataset(case.card)
            card = self.material.fitted(case.card)
            few = pipeline.first_of(dataset, pipeline.PARITY_FRAMES)
            found: pipeline.Parity = self._workshop.work(
                case, pipeline.parity, card, self.material.graph(card), weights, few
            )
            self._write_ledger(case, found.ledger)
            first, last, torch = found.graphs[0], found.graphs[-1], found.modules
            road = STANDIN if self._workshop.road(case) == STANDIN else PARITY  # nothing of such a run is kept
            compared = {
                "exported": (torch["exported"], first),
                "operated": (torch["operated"], last),
                "kept": (torch["evaluated"], last),
            }
            return [
                self._record(case, f"agreement.{what}", evaluations.same_pixels(module, graph), graph, runtime=road)
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
                self._workshop.ready(case, alone=True) as (artifact, job),
                self._workshop.watched(case) as readings,
            ):
                timing: Timing = self._workshop.work(case, pipeline.timed, case, artifact, job)
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

        return self._memo.once((metric, case.id), done)

    def _record(
        self, case: Case, metric: str, value: float | None, ran: Timing | Evaluation | None = None, **more: Any
    ) -> Record:
        weights = self.material.weights(case.card)
        dataset, data, frames = None, None, None
        if metric in ("miou", "pooled_miou") or metric.startswith("agreement."):
            dataset, data = self.material.dataset(case.card)
            frames = len(ran.stems) if isinstance(ran, Evaluation) else len(dataset)
        if value is None:
            more.setdefault("outcome", "unstable")
        if isinstance(ran, Timing):
            more["clock"] = ran.clock
        more.setdefault("runtime", self._workshop.road(case))
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
            weights=f"{weights.name}@{self.material.digest(case.card)}",
            when=dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
            environment={
                **environment(ran.threads if ran else None),
                **self._workshop.facts(case),
                **(ran.facts if ran else {}),
            },
            **more,
        )

    def _write_ledger(self, case: Case, entries: Iterable[ledger.Entry]) -> None:
        path = self._folder / f"{case.card.key}-{case.soc.name}.ledger.json"
        with whole.written(path, "ledger") as part:
            ledger.write(entries, part)

    def _samples(self, case: Case, kind: str, **arrays: NDArray[Any]) -> str:
        now = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%dT%H%M%S")
        name = f"samples/{case.id}-{kind}-{now}.npz"
        with whole.written(self._folder / name, "samples") as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes it for allow_pickle
        return name

"""One run on this machine: what it judges, and the records that it leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roadworthy import cache, fingerprint, measure, pipeline, record, runtimes
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.convert import ledger
from roadworthy.data import cityscapes
from roadworthy.data.cityscapes import Dataset
from roadworthy.evidence import Published, environment
from roadworthy.pipeline import Evaluation, Graph, Progress
from roadworthy.problem import BadOutput, OutOfMemory, Problem, Unavailable
from roadworthy.record import UNTRAINED, Record
from roadworthy.runtimes import Session
from roadworthy.score import miou

Collect = Callable[[Callable[[], object], float], Sequence[float]]


class Run:
    """One run on this machine: what it judges, what it has evaluated so far, and the folder of its records.

    Every record is on disk as soon as it is known, so that an interrupted run loses nothing.
    """

    def __init__(self, out: Path, data: str, weights: Path | None, progress: Progress | None = None) -> None:
        self.out: Path | None = out
        self.records: list[Record] = []
        self._folder, self._data, self._weights, self._progress = out, data, weights, progress
        self._memo: dict[tuple[Any, ...], Any] = {}
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(f"{out}: no folder for records can be made here ({error.strerror})") from error

    def check(self, models: Iterable[ModelCard]) -> None:
        """Read every frame and make every graph; a model whose weights are bad fails on its own if others are good."""
        problems, models = [], list(models)
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
            ("opened", card.scoring.labels), lambda: pipeline.open_data(self._data, card, progress=self._progress)
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

    def open_session(self, case: Case) -> Session:
        """A session of the case's runtime on the graph after surgery; raises Unavailable where this machine cannot."""
        if reason := case.impossible or runtimes.missing(case):
            raise Unavailable(f"{case.id} cannot run here: {reason}")
        runtime = runtimes.find(case.runtime)
        artifact = runtime.build(case, self.graph(case.card).files[-1], self.weights(case.card))
        return runtime.open_session(artifact, case)

    def evaluation(self, case: Case) -> Evaluation:
        """All frames of the data set through the case's session, once a run."""
        case = replace(case, card=self.fitted(case.card))

        def evaluated() -> Evaluation:
            return pipeline.evaluate(case, self.open_session(case), self.dataset(case.card)[0], progress=self._progress)

        evaluation: Evaluation = self._once(("evaluation", case.id), evaluated)
        return evaluation

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
        """Whether the frames went through."""
        return self.accuracy(case)

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
            found = pipeline.parity(replace(case, card=card), self.graph(card), weights, dataset)
            self._write_ledger(case, found.ledger)
            first, last, torch = found.graphs[0], found.graphs[-1], found.modules
            compared = {
                "exported": (torch["exported"], first),
                "operated": (torch["operated"], last),
                "kept": (torch["evaluated"], last),
            }
            return [
                self._record(case, f"agreement.{what}", pipeline.same_pixels(module, graph), graph)
                for what, (module, graph) in compared.items()
            ]

        return self._kept(replace(case, batch=1), "agreement.operated", compared)

    def throughput(self, case: Case, collect: Collect) -> list[Record]:
        """Images/s and latency of a warm session on random input.

        `collect(call, seconds)` calls and returns the seconds of each call; `seconds` is what one call takes about.
        A session that does not become steady gives one record without a value.
        """

        def measured() -> list[Record]:
            session = self.open_session(case)
            frames = np.random.default_rng(0).random((case.batch, *case.card.input.shape), np.float32)

            def call() -> object:
                return session.run(frames)

            warm = measure.warm_up(call)
            if not warm.steady:
                lost = self._record(case, "throughput", None, session, clock="wall", detail=warm.because)
                return [lost]
            samples = list(collect(call, warm.windows[-1]))
            speed = measure.speed(samples, case.batch)
            path = self._samples(case, "seconds", seconds=np.asarray(samples))
            figures = {
                "throughput": speed.images_per_second,
                "latency.median": speed.median_ms,
                "latency.p95": speed.p95_ms,
            }
            return [self._record(case, m, v, session, clock="wall", samples=path) for m, v in figures.items()]

        return self._kept(case, "throughput", measured)

    def throughput_of_chips(self, case: Case) -> list[Record]:
        """What this run measured on the case's chip, and what the guide publishes of other chips."""
        cell = ("throughput", case.card.key, case.soc.name)
        own = [r for r in self.records if (r.metric, r.model, r.soc) == cell]
        others = [r for r in Published().throughput_of_chips(case) if r.soc != case.soc.name]
        return [*own, *others]

    def _kept(self, case: Case, metric: str, step: Callable[[], list[Record]]) -> list[Record]:
        def done() -> list[Record]:
            try:
                records = step()
            except (OutOfMemory, MemoryError) as error:
                records = [self._record(case, metric, None, outcome="oom", detail=str(error))]
            except BadOutput as error:
                records = [self._record(case, metric, None, outcome="crash", detail=str(error))]
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
        self, case: Case, metric: str, value: float | None, ran: Session | Evaluation | None = None, **more: Any
    ) -> Record:
        weights = self.weights(case.card)
        digest = self._once(("digest", weights), lambda: fingerprint.of_file(weights))
        dataset, data, frames = None, None, None
        if metric in ("miou", "pooled_miou") or metric.startswith("agreement."):
            dataset, data = self.dataset(case.card)
            frames = len(ran.stems) if isinstance(ran, Evaluation) else len(dataset)
        if value is None:
            more.setdefault("outcome", "unstable")
        return Record(
            model=case.card.key,
            soc=case.soc.name,
            batch=case.batch,
            metric=metric,
            value=value,
            source="sample" if weights.name.startswith(UNTRAINED) or (dataset and dataset.origin) else "measured",
            runtime=case.runtime,
            provider=ran.provider if ran else None,
            data=data,
            frames=frames,
            weights=f"{weights.name}@{digest}",
            when=dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
            environment=environment(ran.threads if ran else None),
            **more,
        )

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

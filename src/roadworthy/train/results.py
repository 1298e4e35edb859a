"""A training run as records: final and best mIoU, images/s, and the curves beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy import record, whole
from roadworthy.card import ModelCard
from roadworthy.evidence import environment
from roadworthy.problem import Problem
from roadworthy.published import RESULT
from roadworthy.record import Outcome, Record
from roadworthy.train.checkpoint import FRESH, History
from roadworthy.train.plan import Plan

RECORDS = "records.jsonl"


@dataclass(frozen=True)
class Ran:
    """What a run was: its plan beside the recipe's own, chip and devices, data, the weights that it began with.

    `steps` are those of all its epochs.
    """

    card: ModelCard
    plan: Plan
    recipe: Plan
    soc: str
    device: str  # what it calls itself
    data: str
    frames: int | None
    drawn: bool
    weights: str
    steps: int
    threads: int | None = None  # of a cpu

    @property
    def name(self) -> str:
        """`NPU-8p`, and what differs from the recipe in the words of the guide's tables."""
        name = f"{self.soc}-{self.plan.devices}p"
        if self.as_told:
            return name
        told = [f"batch {self.plan.batch}", f"lr {self.plan.rate:g}"]
        settings = self.plan.settings()
        if "loss_scale" in settings:
            told.append(f"scale {settings['loss_scale']}")
        begun = [] if self.weights == FRESH else [f"from {self.weights}"]
        return " ".join([name, *told, settings["opt_level"], *begun])

    @property
    def as_told(self) -> bool:
        """Whether the numbers are those of the card's recipe for so many devices."""
        if self.card.train is None or self.card.train.recipe[self.plan.recipe].devices != self.plan.devices:
            return False  # such as that of eight on one, by accumulation
        if self.weights != FRESH:
            return False
        free = {"max_steps": None, "validate": 0, "window": 1, "seed": 0}
        return replace(self.plan, **free) == replace(self.recipe, **free)  # type: ignore[arg-type]


def records(ran: Ran, history: History, out: Path, steps: int, begun: int = 0) -> list[Record]:
    """The run's figures; the samples beside them hold losses, rates, windows and scores.

    Images/s are of the windows from number `begun` on: a run may have come from other devices. mIoU is that of the last
    epoch validated, once all epochs are done. Raises Problem where the samples cannot be
    written.
    """
    why = {"train.throughput": f"{steps} steps: the first {ran.plan.window} warm up, and images/s are of the others"}
    figures: dict[str, float | None] = {"train.throughput": history.images_per_second(begun)}
    if history.scores and history.best:
        figures |= {"train.miou": history.scores[-1][2], "train.best_miou": history.best[2]}
        if steps < ran.steps:
            figures["train.miou"], why["train.miou"] = None, f"ended after step {steps} of {ran.steps}"
    more: dict[str, Any] = {"samples": _samples(ran, history, out), "steps": steps, "when": _now()}
    return [
        _record(ran, metric, value, **more)
        if value is not None
        else _record(ran, metric, None, outcome="unstable", detail=why[metric], **more)
        for metric, value in figures.items()
    ]


def lost(ran: Ran, problem: Problem, steps: int) -> list[Record]:
    """The record of a run that gave no figure, with the reason."""
    outcome: Outcome = getattr(problem, "outcome", "crash")
    return [_record(ran, "train.throughput", None, outcome=outcome, detail=str(problem), steps=steps, when=_now())]


def append(out: Path, found: Sequence[Record]) -> None:
    """Add a run's records to those of its folder."""
    record.append(out / RECORDS, found)


def _record(ran: Ran, metric: str, value: float | None, *, outcome: Outcome = "ok", steps: int, **more: Any) -> Record:
    group = RESULT if ran.as_told else f"{ran.soc}-{ran.plan.devices}p"
    scored = metric != "train.throughput"
    return Record(
        model=ran.card.key,
        soc=ran.soc,
        batch=ran.plan.batch,
        metric=metric,
        value=value,
        outcome=outcome,
        source="sample" if ran.drawn else "measured",
        clock=None if scored else "wall",
        runtime="eager",
        provider=ran.device or ran.soc,
        data=ran.data,
        frames=ran.frames if scored else None,
        weights=ran.weights,
        environment={**environment(ran.threads), **({"device": ran.device} if ran.device else {})},
        run=ran.name,
        devices=ran.plan.devices,
        settings={"group": group, **ran.plan.settings(), "steps": steps},
        **more,
    )


def _now() -> str:
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")


def _samples(ran: Ran, history: History, out: Path) -> str:
    now = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%dT%H%M%S")
    name = f"samples/{ran.card.key}-{ran.plan.devices}p-{ran.soc}-training-{now}.npz"
    with whole.written(out / name, "samples") as part, part.open("wb") as file:
        np.savez_compressed(file, **{key: np.asarray(rows) for key, rows in vars(history).items()})  # type: ignore[arg-type]
    return name

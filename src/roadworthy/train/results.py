"""A training run as records: final and best mIoU, images/s, and the curves beside them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy import record
from roadworthy.card import ModelCard
from roadworthy.evidence import environment
from roadworthy.problem import Problem
from roadworthy.record import Outcome, Record
from roadworthy.train.checkpoint import History
from roadworthy.train.plan import Plan

RESULT = "result"  # the group of runs by a recipe of the card as it is
RECORDS = "records.jsonl"


@dataclass(frozen=True)
class Ran:
    """What a run was: its plan beside the recipe's own, chip and devices, data, the weights that it began with."""

    card: ModelCard
    plan: Plan
    recipe: Plan
    soc: str
    device: str  # what it calls itself
    data: str
    frames: int | None
    drawn: bool
    weights: str

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
        return " ".join([name, *told, settings["opt_level"]])

    @property
    def as_told(self) -> bool:
        """Whether the numbers are those of the card's recipe for so many devices."""
        if self.card.train is None or self.plan.recipe != self.card.train.recipe_for(self.plan.devices):
            return False  # such as that of eight on one, by accumulation
        free = {"max_steps": None, "validate": 0, "window": 1, "seed": 0}
        return replace(self.plan, **free) == replace(self.recipe, **free)  # type: ignore[arg-type]


def records(ran: Ran, history: History, out: Path, steps: int) -> list[Record]:
    """The run's figures; the samples beside them hold losses, rates, windows and scores.

    mIoU is that of the last epoch validated. Raises Problem where the samples cannot be written.
    """
    figures: dict[str, float | None] = {"train.throughput": history.images_per_second}
    if history.scores and history.best:
        figures |= {"train.miou": history.scores[-1][2], "train.best_miou": history.best[2]}
    name = _samples(ran, history, out)
    unstable = f"{steps} steps: the first {ran.plan.window} warm up, and images/s are of those that follow"
    return [
        _record(ran, metric, value, samples=name, steps=steps)
        if value is not None
        else _record(ran, metric, None, outcome="unstable", detail=unstable, steps=steps)
        for metric, value in figures.items()
    ]


def lost(ran: Ran, problem: Problem, steps: int) -> list[Record]:
    """The record of a run that gave no figure, with the reason."""
    outcome: Outcome = getattr(problem, "outcome", "crash")
    return [_record(ran, "train.throughput", None, outcome=outcome, detail=str(problem), steps=steps)]


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
        when=dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        environment={**environment(), **({"device": ran.device} if ran.device else {})},
        run=ran.name,
        devices=ran.plan.devices,
        settings={"group": group, **ran.plan.settings(), "steps": steps},
        **more,
    )


def _samples(ran: Ran, history: History, out: Path) -> str:
    now = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%dT%H%M%S")
    name = f"samples/{ran.card.key}-{ran.plan.devices}p-{ran.soc}-training-{now}.npz"
    path = out / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{key: np.asarray(rows) for key, rows in vars(history).items()})  # type: ignore[arg-type]
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise Problem(f"{path}: the samples could not be written ({error.strerror})") from error
    return name

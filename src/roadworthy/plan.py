"""What a run of a case would do, as a person reads it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable
from pathlib import Path

from roadworthy import runtimes, trained
from roadworthy.card import ModelCard
from roadworthy.case import Case, TrainCase
from roadworthy.data.cityscapes import is_drawn
from roadworthy.record import Record


def lines(case: Case, data: str, weights: Path | None, device: int | None = None) -> list[str]:
    """What a run of the case does, in order, as a person reads it; runs nothing."""
    card = case.card
    told = [export(card, weights)]
    if not weights and not card.own_weights:
        told.append(f"  weights untrained, made from the parameters' names; --weights takes {card.weights}")
    if is_drawn(data) and card.sample and card.sample.size:
        told.append(f"  drawn frames at {card.sample.size[0]}x{card.sample.size[1]}, the first {card.sample.frames}")
    told += [f"  surgery {' '.join(f'{k}={v}' for k, v in step.items())}" for step in card.surgery]
    reason = case.impossible or runtimes.missing(case)
    by_files = case.soc.vendor == "huawei" and not is_drawn(data)
    if not case.impossible:
        if by_files:
            told.append(preprocess(card, data))
        with contextlib.suppress(ImportError):  # the reason says which package is missing
            told += runtimes.find(case.runtime).plan(case, device or 0)
        if by_files:
            told.append(score(card, data))
    if reason:
        told.append(f"  not here: {reason}")
    told.append(evaluate(case, data, weights, device))
    return told


def export(card: ModelCard, weights: Path | None) -> str:
    """The graph after surgery."""
    return shlex.join(["roadworthy", "export", card.key, f"{card.key}.onnx", *_given(weights)])


def preprocess(card: ModelCard, data: str) -> str:
    """The inputs as files."""
    return shlex.join(["roadworthy", "preprocess", card.key, data, f"{card.key}-inputs"])


def score(card: ModelCard, data: str) -> str:
    """The mIoU of the result files that ais_bench left."""
    return shlex.join(["roadworthy", "score", card.key, "results/run", "--data", data])


def evaluate(case: Case, data: str, weights: Path | None, device: int | None = None) -> str:
    """The same figure in one go, without files."""
    judged = ["--data", data, *_given(weights), "--soc", case.soc.name, "--batch", str(case.batch)]
    judged += ["--runtime", case.chosen] if case.chosen else []
    judged += [] if device is None else ["--device", str(device)]
    return shlex.join(["roadworthy", "evaluate", case.card.key, *judged])


def _given(weights: Path | None) -> list[str]:
    return ["--weights", str(weights)] if weights else []


def of_training(case: TrainCase, records: Iterable[Record]) -> list[str]:
    """The records that judge a case of training; nothing runs for them."""
    return [
        f"{r.metric} {r.outcome if r.value is None else f'{r.value:.6g}'} of {r.run}, {r.source} {r.when or ''}".rstrip()
        for r in trained.figures(case, records).values()
    ]

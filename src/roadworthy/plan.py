"""What a run of a case would do, as a person reads it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable
from pathlib import Path

from roadworthy import runtimes, trained
from roadworthy.case import Case, TrainCase
from roadworthy.data.cityscapes import is_drawn
from roadworthy.record import Record


def lines(case: Case, data: str, weights: Path | None, device: int | None = None) -> list[str]:
    """What a run of the case does, in order, as a person reads it; runs nothing."""
    card, given = case.card, ["--weights", str(weights)] if weights else []
    told = [shlex.join(["roadworthy", "export", card.key, f"{card.key}.onnx", *given])]
    if not given and not card.own_weights:
        told.append(f"  weights untrained, made from the parameters' names; --weights takes {card.weights}")
    if is_drawn(data) and card.sample and card.sample.size:
        told.append(f"  drawn frames at {card.sample.size[0]}x{card.sample.size[1]}, the first {card.sample.frames}")
    told += [f"  surgery {' '.join(f'{k}={v}' for k, v in step.items())}" for step in card.surgery]
    reason = case.impossible or runtimes.missing(case)
    by_files = case.soc.vendor == "huawei" and not is_drawn(data)
    if not case.impossible:
        if by_files:
            told.append(shlex.join(["roadworthy", "preprocess", card.key, data, f"{card.key}-inputs"]))
        with contextlib.suppress(ImportError):  # the reason says which package is missing
            told += runtimes.find(case.runtime).plan(case, device or 0)
        if by_files:
            told.append(shlex.join(["roadworthy", "score", card.key, "results/run", "--data", data]))
    if reason:
        told.append(f"  not here: {reason}")
    judged = ["--data", data, *given, "--soc", case.soc.name, "--batch", str(case.batch)]
    judged += ["--runtime", case.chosen] if case.chosen else []
    judged += [] if device is None else ["--device", str(device)]
    told.append(shlex.join(["roadworthy", "evaluate", card.key, *judged]))
    return told


def of_training(case: TrainCase, records: Iterable[Record]) -> list[str]:
    """The records that judge a case of training; nothing runs for them."""
    return [
        f"{r.metric} {r.outcome if r.value is None else f'{r.value:.6g}'} of {r.run}, {r.source} {r.when or ''}".rstrip()
        for r in trained.figures(case, records).values()
    ]

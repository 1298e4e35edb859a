"""What a verb would read and write, as `--dry-run` shows it: inputs are looked for, nothing is computed or written."""

from __future__ import annotations

import math
from pathlib import Path

from roadworthy import header, plan, results
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.data import cityscapes


def export(card: ModelCard, weights: Path | None, data: str, out: Path) -> list[str]:
    """Of `export`; raises Problem where weights or frames are not there."""
    passes = ", ".join(str(step["pass"]) for step in card.surgery) or "no pass"
    return [
        header.weights_line(card, weights),
        f"surgery: {passes}; its effect is shown on a frame of {header.data_line(data)}",
        f"writes {out} (opset {card.export.opset}) and {out.with_suffix('.ledger.json')}",
    ]


def preprocess(card: ModelCard, source: Path, out: Path) -> list[str]:
    """Of `preprocess`; raises Problem where there is no photograph, or `out` is of the other kind."""
    size = f"{4 * math.prod(card.input.shape)} bytes, float32 {'x'.join(map(str, card.input.shape))}"
    jobs = results.inputs(card, source, out)
    if source.is_dir():
        return [
            f"reads {len(jobs)} photographs of {source}",
            f"writes {len(jobs)} files, {jobs[0][1]} first, of {size}",
        ]
    return [f"reads {source}", f"writes {out} of {size}"]


def score(card: ModelCard, folder: Path, dataset: cityscapes.Dataset) -> list[str]:
    """Of `score`; raises Problem where a result of a frame is missing."""
    files = results.pair(card, folder, dataset)
    first = next(iter(files.values()))
    compared = f"compared at {'the input' if card.scoring.compare == 'input' else 'full'} size"
    return [f"reads {len(files)} results, {first} first", f"{compared} with {len(dataset)} labels of {dataset.root}"]


def evaluate(case: Case, data: str, weights: Path | None, device: int | None) -> list[str]:
    """Of `evaluate`; raises Problem where weights or frames are not there."""
    told = [header.weights_line(case.card, weights), f"frames: {header.data_line(data)}"]
    return [*told, *plan.lines(case, data, weights, device)]

"""What surgery did to a graph, pass by pass."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from roadworthy.card import ModelCard
from roadworthy.convert import surgery
from roadworthy.fingerprint import of_file
from roadworthy.problem import Problem


@dataclass(frozen=True)
class Entry:
    """One pass: what it touched, the graph files' hashes, and its effect on the class maps of a few frames.

    `agreement` is the share of pixels with the same class before and after; `miou_delta` is after minus before
    (fraction); both None until they are measured.
    """

    name: str
    options: Mapping[str, Any]
    touched: tuple[str, ...]
    before: str
    after: str
    agreement: float | None = None
    miou_delta: float | None = None
    frames: int = 0


def operate(card: ModelCard, exported: Path) -> list[tuple[Entry, Path]]:
    """Apply the card's passes in order to an ONNX file; one entry and one new file beside it per pass.

    Raises Problem naming card and pass where a pass finds nothing to touch, or its options are wrong.
    """
    model = onnx.load(exported)
    path, steps = exported, []
    for number, step in enumerate(card.surgery, 1):
        options = {key: value for key, value in step.items() if key != "pass"}
        operation = card.lookup(step["pass"], surgery)
        try:
            touched = operation(model, **options)
        except TypeError as error:
            raise Problem(f"{card.path}: surgery pass {step['pass']!r}: {error}") from error
        if not touched:
            raise Problem(f"{card.path}: surgery pass {step['pass']!r} with {options} finds no node in {exported.name}")
        onnx.checker.check_model(model)
        before, path = path, exported.with_name(f"{exported.stem}.{number}-{step['pass']}.onnx")
        onnx.save(model, path)
        steps.append((Entry(step["pass"], options, tuple(touched), of_file(before), of_file(path)), path))
    return steps


def replaced(card: ModelCard, exported: Path) -> list[Entry]:
    """What the export itself changed: the entry of a network that is exported in place of the one evaluated, if any."""
    if not card.export.build:
        return []
    own = of_file(exported)
    return [Entry("export", {"build": card.export.build}, (card.export.build,), own, own)]


def write(entries: Iterable[Entry], path: Path) -> None:
    """The ledger as a JSON list."""
    path.write_text(json.dumps([asdict(e) for e in entries], indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> list[Entry]:
    """The ledger that `write` wrote."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Entry(**{**row, "touched": tuple(row["touched"])}) for row in rows]

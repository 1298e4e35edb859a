"""The worst frames of a run as pictures: photograph, label, prediction, and where the two differ."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from roadworthy.card import ModelCard
from roadworthy.classes import CLASSES, COLOURS
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.report.archive import Archive
from roadworthy.report.grid import day, marks

WIDTH = 512  # pixels of a picture, at most
MOST = 12  # frames of a cell
TALLEST = 32768  # pixels of a side
VOID, SKIPPED = 19, 255  # as predicted, and as labelled
NAMES = (*CLASSES, "void, or not counted")
PAINTS = np.array([*COLOURS, (0, 0, 0)], np.uint8)
RIGHT, WRONG, NEITHER = (240, 240, 240), (213, 94, 0), (0, 0, 0)  # told apart by their lightness alone
ERRORS = np.array([RIGHT, WRONG, NEITHER], np.uint8)
ARRAYS = ("stems", "mious", "photographs", "labels", "predictions")


@dataclass(frozen=True)
class Swatch:
    """A colour of the legend and what it stands for."""

    colour: str
    text: str


@dataclass(frozen=True)
class Picture:
    """An image inside the page."""

    source: str
    alternative: str
    title: str
    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """One frame: its stem, mIoU and pictures."""

    stem: str
    miou: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Gallery:
    """The worst frames of a cell, worst first, the legend of the classes in them, and notes."""

    title: str
    frames: tuple[Frame, ...]
    legend: tuple[Swatch, ...]
    notes: tuple[str, ...] = ()


def galleries(card: ModelCard, archive: Archive) -> list[Gallery]:
    """The newest kept frames of every chip."""
    rows = [r for r in archive.records if (r.model, r.metric) == (card.key, "frame.miou") and r.value is not None]
    return [_gallery(card, record, archive) for record in {r.soc: r for r in rows}.values()]


def errors() -> tuple[Swatch, ...]:
    """The legend of the error maps."""
    words = ("right", "wrong", "not counted")
    return tuple(Swatch(_hex(colour), word) for colour, word in zip((RIGHT, WRONG, NEITHER), words, strict=True))


def _gallery(card: ModelCard, record: Record, archive: Archive) -> Gallery:
    told = ", ".join([f"{card.name} on {record.soc}", f"batch {record.batch}", day(record.when), *marks(record)])
    try:
        stems, mious, photographs, labels, predictions = archive.arrays(record, *ARRAYS)
        _check(stems, mious, photographs, labels, predictions)
    except Problem as problem:
        return Gallery(told, (), (), (f"The frames cannot be shown: {problem}.",))
    shown = min(MOST, len(stems))
    seen, guessed = _classes(labels[:shown]), _classes(predictions[:shown])
    frames = [
        Frame(
            str(stems[i]), f"{100 * float(mious[i]):.2f}", _pictures(str(stems[i]), photographs[i], seen[i], guessed[i])
        )
        for i in range(shown)
    ]
    occur = np.union1d(seen, guessed)
    legend = [Swatch(_hex(PAINTS[c]), NAMES[c]) for c in occur.tolist()]
    left = [f"{len(stems) - shown} more frames were kept; the worst {shown} are shown."] if len(stems) > shown else []
    return Gallery(told, tuple(frames), tuple(legend), tuple(left))


def _check(
    stems: NDArray[np.generic],
    mious: NDArray[np.generic],
    photographs: NDArray[np.generic],
    labels: NDArray[np.generic],
    predictions: NDArray[np.generic],
) -> None:
    count = len(stems) if stems.ndim == 1 else -1
    pictures = photographs.ndim == 4 and photographs.shape[3] == 3 and len(photographs) == count
    sized = all(0 < side <= TALLEST for array in (photographs, labels) for side in array.shape[1:3])
    maps = labels.ndim == 3 and labels.shape == predictions.shape and len(labels) == count
    bytes_ = all(array.dtype == np.uint8 for array in (photographs, labels, predictions))
    if not (pictures and maps and bytes_ and sized and mious.shape == (count,) and mious.dtype.kind == "f"):
        shapes = ", ".join(
            f"{n} {a.shape}" for n, a in zip(ARRAYS, (stems, mious, photographs, labels, predictions), strict=True)
        )
        right = (
            f"(K,), (K,), (K,h,w,3), (K,H,W) and (K,H,W), pictures and maps in bytes, of sides of 1 to {TALLEST} pixels"
        )
        raise Problem(f"{shapes}: they must be {right}")


def _classes(maps: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Classes 0..18, and 19 for whatever else there is."""
    found: NDArray[np.uint8] = np.minimum(maps, VOID).astype(np.uint8)
    return found


def _pictures(
    stem: str, photograph: NDArray[np.generic], label: NDArray[np.uint8], guess: NDArray[np.uint8]
) -> tuple[Picture, ...]:
    wrong = np.where(label == VOID, 2, np.where(label == guess, 0, 1)).astype(np.uint8)
    parts = np.bincount(wrong.ravel(), minlength=3) / wrong.size
    told = ", ".join(f"{part:.1%} {word}" for part, word in zip(parts, ("right", "wrong", "not counted"), strict=True))
    return (
        _photograph(photograph, f"Photograph of {stem}"),
        _map(label, PAINTS, f"Label of {stem}: {_most(label)}", "Label"),
        _map(guess, PAINTS, f"Prediction of {stem}: {_most(guess)}", "Prediction"),
        _map(wrong, ERRORS, f"Error map of {stem}: {told}", f"Errors: {told}"),
    )


def _most(classes: NDArray[np.uint8]) -> str:
    """The three largest classes of a map and their parts of it."""
    counts = np.bincount(classes.ravel(), minlength=len(NAMES))
    largest = [int(c) for c in np.argsort(-counts, kind="stable")[:3] if counts[c]]
    return ", ".join(f"{NAMES[c]} {counts[c] / classes.size:.0%}" for c in largest)


def _photograph(pixels: NDArray[np.generic], alternative: str) -> Picture:
    image = Image.fromarray(pixels)
    if image.width > WIDTH:
        image = image.resize((WIDTH, max(1, image.height * WIDTH // image.width)), Image.Resampling.BICUBIC)
    return _picture(image, "JPEG", alternative, "Photograph", quality=82)


def _map(classes: NDArray[np.uint8], paints: NDArray[np.uint8], alternative: str, title: str) -> Picture:
    image = Image.fromarray(classes)
    if image.width > WIDTH:
        image = image.resize((WIDTH, max(1, image.height * WIDTH // image.width)), Image.Resampling.NEAREST)
    painted = image.convert("P")
    painted.putpalette(paints.tobytes())
    return _picture(painted, "PNG", alternative, title, optimize=True)


def _picture(image: Image.Image, kind: str, alternative: str, title: str, **options: int) -> Picture:
    file = io.BytesIO()
    image.save(file, kind, **options)
    source = f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
    return Picture(source, alternative, title, image.width, image.height)


def _hex(colour: Sequence[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)

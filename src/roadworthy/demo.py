"""One photograph through a network: its class map drawn over it, side by side, with a legend."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from roadworthy import cache, pipeline, whole
from roadworthy.case import Case
from roadworthy.classes import CLASSES, COLOURS
from roadworthy.data import cityscapes, photograph, sample
from roadworthy.problem import Problem
from roadworthy.record import STANDIN, UNTRAINED
from roadworthy.run import Run
from roadworthy.runtimes import om
from roadworthy.score.postprocess import VOID
from roadworthy.workshop import Manner

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
NAMES = (*CLASSES, "unlabelled (void)")
PAINTS = (*COLOURS, (0, 0, 0))  # void is black
OPACITY = 0.6  # of the class map over the photograph
SIDE = 2048  # pixels of the longer side of either picture, at most
MARGIN = 16  # pixels around the pictures
NARROWEST = 480  # pixels of a page, for the legend of a small photograph
LETTERS = 75  # a page is about so many font sizes wide
SMALLEST = 14  # pixels of a font
PAPER, INK, EDGE = (255, 255, 255), (0, 0, 0), (128, 128, 128)

Share = tuple[int, float]  # a class, 0..18 or void, and its part of the pixels


@dataclass(frozen=True)
class Entry:
    """One line of the legend."""

    paint: tuple[int, int, int]
    text: str


def show(case: Case, image: Path, out: Path, weights: Path | None, manner: Manner) -> list[Share]:
    """Write the photograph and its class map to the picture `out`; returns the classes that occur, largest first.

    Raises Problem naming the file where the photograph cannot be read or the picture not be written, which is known
    before the network runs; what is at `out` stays as it is until the picture is whole.
    """
    seen = photograph.read(image)
    _check(out, image)
    checkpoint = pipeline.weights_file(case.card, weights)
    trained = not checkpoint.name.startswith(UNTRAINED)
    if not trained:
        manner.tell(f"weights of {case.card.key}: untrained; --weights takes {case.card.weights}")
    classes = class_map(case, seen, checkpoint, manner)
    told = f"weights {checkpoint.name}" if trained else "untrained weights"
    drawn = page(seen, classes, f"{case.card.name} on {case.soc.name} ({_road(case)}), {told}")
    with whole.written(out, "picture") as part:
        drawn.save(part, SUFFIXES[out.suffix.lower()])
    return shares(classes)


def class_map(case: Case, seen: Image.Image, weights: Path, manner: Manner) -> NDArray[np.uint8]:
    """Each pixel's class, void as 19, in the photograph's proportion at the size that it has in the network's input.

    The photograph goes the road of a frame that is evaluated, on the case's runtime; it has no label that counts.
    """
    size = case.card.input.shape[1], case.card.input.shape[2]
    fitted, box = photograph.fit(seen, size)
    with tempfile.TemporaryDirectory(prefix="roadworthy-") as folder:
        root, name = Path(folder), "photograph"
        image = root / "leftImg8bit" / "val" / name / f"{name}{cityscapes.IMAGE_SUFFIX}"
        label = root / "gtFine" / "val" / name / f"{name}_gtFine_labelTrainIds.png"
        for path, pixels in ((image, fitted), (label, np.full(size, 255, np.uint8))):
            path.parent.mkdir(parents=True)
            sample.save(pixels, path)
        evaluation = Run(cache.run_folder(), folder, weights, manner).evaluation(case)
    return photograph.cut(evaluation.maps[0], box)


def shares(classes: NDArray[np.uint8]) -> list[Share]:
    """The classes of a map and their parts of its pixels, largest first; void comes last."""
    counts = np.bincount(classes.ravel(), minlength=len(NAMES))
    found = [(int(c), float(counts[c]) / classes.size) for c in np.argsort(-counts, kind="stable") if counts[c]]
    return sorted(found, key=lambda share: share[0] == VOID)


def words(found: Iterable[Share]) -> list[str]:
    """Each class by its name and percentage."""
    return [f"{NAMES[c]} {'<0.1%' if part < 0.0005 else f'{part:.1%}'}" for c, part in found]


def page(seen: Image.Image, classes: NDArray[np.uint8], caption: str) -> Image.Image:
    """The photograph, its class map over it, and below these a legend of the classes that occur.

    Both pictures have the photograph's size, up to SIDE. The photograph lies MARGIN from the left and the top, the
    other one MARGIN to its right.
    """
    plain = seen.copy()
    plain.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    painted = Image.fromarray(np.array(PAINTS, np.uint8)[classes]).resize(plain.size, Image.Resampling.NEAREST)
    overlay = Image.blend(plain, painted, OPACITY)

    found = shares(classes)
    entries = [Entry(PAINTS[c], text) for (c, _), text in zip(found, words(found), strict=True)]
    width = max(2 * plain.width + 3 * MARGIN, NARROWEST)
    legend = _legend(entries, caption, width)
    drawn = Image.new("RGB", (width, plain.height + 2 * MARGIN + legend.height), PAPER)
    drawn.paste(plain, (MARGIN, MARGIN))
    drawn.paste(overlay, (2 * MARGIN + plain.width, MARGIN))
    drawn.paste(legend, (0, plain.height + 2 * MARGIN))
    return drawn


def _legend(entries: list[Entry], caption: str, width: int) -> Image.Image:
    """A swatch and a text for every entry, in as many columns as go into the width, and the caption below."""
    size = max(SMALLEST, width // LETTERS)
    font, line = ImageFont.load_default(size), size * 3 // 2
    column = size * 3 + max(int(font.getlength(entry.text)) + 1 for entry in entries)
    columns = max(1, (width - MARGIN) // column)
    rows = -(-len(entries) // columns)
    caption_lines = _wrapped(caption, font, width - 2 * MARGIN)
    drawn = Image.new("RGB", (width, (rows + len(caption_lines)) * line + MARGIN), PAPER)
    pen = ImageDraw.Draw(drawn)
    for place, entry in enumerate(entries):
        x, y = MARGIN + place % columns * column, place // columns * line
        pen.rectangle((x, y + size // 4, x + size * 3 // 2, y + size * 5 // 4), entry.paint, EDGE)
        pen.text((x + size * 2, y + line // 2), entry.text, INK, font, anchor="lm")
    for row, text in enumerate(caption_lines, rows):
        pen.text((MARGIN, row * line + line // 2), text, EDGE, font, anchor="lm")
    return drawn


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """The text in lines that go into the width, cut anywhere, since names of files have no spaces."""
    lines = [""]
    for letter in text:
        if font.getlength(lines[-1] + letter) > width:
            lines.append("")
        lines[-1] += letter
    return lines


def _road(case: Case) -> str:
    """The runtime's name, or what it is where stand-ins for tests take a chip's part, as in records."""
    return STANDIN if case.soc.vendor == "huawei" and om.standins() else case.runtime


def _check(out: Path, image: Path) -> None:
    """Raise Problem where the picture could not be written."""
    if out.suffix.lower() not in SUFFIXES:
        raise Problem(f"{out}: the picture's name must end in .png, .jpg or .jpeg")
    if out.is_dir():
        raise Problem(f"{out}: is a folder; the picture goes into a file such as {out / 'demo.png'}")
    if out.exists() and out.samefile(image):
        raise Problem(f"{out}: is the photograph itself; the picture goes into another file")
    whole.check(out, "picture")

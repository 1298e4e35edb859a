"""A data set that needs no download: street scenes drawn from a seed, in the folder layout of Cityscapes.

Nothing here depends on a library's random numbers, rounding or rasteriser: a frame has the same pixels everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from roadworthy.data import street, traffic
from roadworthy.data.canvas import Canvas, Dice, Paint
from roadworthy.data.decode import TRAIN_IDS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VERSION = 1  # raise when the pixels change
SIZE = (1024, 2048)  # height, width
SEEDS = {"train": 1, "val": 2, "test": 3}
CITY = "sample"
EGO, OUT_OF_ROI = 1, 3  # void labelIds
RIM = 4  # pixels out of the region of interest

Painter = Callable[[Canvas, Dice, int, int], None]
Placed = tuple[int, int, Painter]  # distance, x, what


def draw(split: str, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One frame: RGB (1024, 2048, 3) and Cityscapes labelIds (1024, 2048); KeyError for a split not in SEEDS."""
    dice = Dice((SEEDS[split] << 32) + index)
    vanishing = SIZE[1] // 2 + dice.roll(-140, 140), SIZE[0] * 45 // 100 + dice.roll(-36, 36)
    canvas = Canvas(SIZE, dice.roll(0, 1 << 20), vanishing, offset=dice.roll(110, 190))
    half, walk = dice.roll(470, 540), dice.roll(240, 380)
    verges = -dice.roll(120, 480), dice.roll(120, 480)

    street.sky(canvas, dice)
    street.ground(canvas, dice, half, walk)
    for verge in verges:
        edge = verge - half - walk if verge < 0 else verge + half + walk
        terrace(canvas, dice, edge)
    for z, x, paint in sorted(lanes(dice, half) + kerbs(dice, half, walk), key=lambda placed: -placed[0]):
        paint(canvas, dice, x, z)
    bonnet(canvas, dice)
    light, warmth = dice.roll(190, 290), dice.roll(-10, 10)
    canvas.develop((light + warmth, light, light - warmth), noise=dice.roll(13, 18))
    rim(canvas)
    return canvas.rgb, canvas.labels


def terrace(canvas: Canvas, dice: Dice, x: int) -> None:
    """One side of the street, far to near: houses, walls, fences and hedges."""
    far = dice.shuffled([street.building, street.foliage, street.building])
    kinds = [*dice.shuffled([street.building, street.wall, street.fence]), *far]
    cuts = [1000, dice.roll(1900, 2200), dice.roll(2900, 3300), dice.roll(4300, 4700), 6200, 9000, 12000]
    for kind, start, end in reversed(list(zip(kinds, cuts[:-1], cuts[1:], strict=True))):
        kind(canvas, dice, x, (start, end))


def lanes(dice: Dice, half: int) -> list[Placed]:
    """Vehicles, lane by lane: parked at both kerbs, coming and ahead; two-wheelers in front of them."""
    placed: list[Placed] = []
    starts = [(-half + 145, 1200), (half - 110, 1150), (-130, 1700)]  # x and z of left kerb, right kerb, coming
    firsts = dice.shuffled([traffic.car, *dice.shuffled([traffic.truck, traffic.bus, traffic.tram])[:2]])
    for (x, start), kind in zip([*starts, (150, 1050)], [*firsts, traffic.car], strict=True):
        z = start + dice.roll(0, 500)
        placed.append((z, x, kind))
        z += {traffic.car: 500, traffic.tram: 3300}.get(kind, 1300)
        while z < 7000:
            z += dice.roll(200, 1000)
            placed.append((z, x, traffic.car))
            z += 500
    either = dice.shuffled([traffic.bicycle, traffic.motorcycle])
    placed.append((dice.roll(700, 1100), dice.roll(-340, -60), either[0]))
    placed.append((dice.roll(700, 1050), dice.roll(170, 440), either[1]))
    placed.append((dice.roll(1100, 1450), dice.roll(-300, -60), dice.pick(either)))
    return placed


def kerbs(dice: Dice, half: int, walk: int) -> list[Placed]:
    """Poles, trees, people and bins on both sidewalks."""
    placed: list[Placed] = []
    for sign in (-1, 1):
        posts = range(dice.roll(900, 1500), 6000, dice.roll(1000, 1500))
        placed += [(z, sign * (half + 45), street.post) for z in posts]
        placed += [(z, sign * (half + walk + 40), street.tree) for z in range(dice.roll(1500, 3000), 9000, 1400)]
        for _ in range(dice.roll(3, 5)):
            placed.append((dice.roll(750, 2200), sign * dice.roll(half + 90, half + walk), traffic.person))
        placed.append((dice.roll(1000, 2000), sign * (half + walk - 40), street.bin_))
    return placed


def bonnet(canvas: Canvas, dice: Dice) -> None:
    """The front of the car that carries the camera."""
    metal = Paint(EGO, dice.near((52, 54, 60), 20), 40, 6, 6)
    canvas.ellipse((SIZE[1] // 2, SIZE[0] + 20), (dice.roll(820, 960), dice.roll(90, 130)), metal)


def rim(canvas: Canvas) -> None:
    """Put the outermost pixels of the labels out of the region of interest, as rectification does in Cityscapes."""
    canvas.labels[:RIM] = canvas.labels[-RIM:] = OUT_OF_ROI
    canvas.labels[:, :RIM] = canvas.labels[:, -RIM:] = OUT_OF_ROI


def write(folder: Path, split: str, frames: int, progress: Callable[[int], None] | None = None) -> None:
    """Write frames 0 to frames - 1 under leftImg8bit/ and gtFine/ and report how many are done after each."""
    images, truths = (folder / part / split / CITY for part in ("leftImg8bit", "gtFine"))
    images.mkdir(parents=True, exist_ok=True)
    truths.mkdir(parents=True, exist_ok=True)

    def one(index: int) -> None:
        rgb, label_ids = draw(split, index)
        name = f"{CITY}_{index:06d}_000019"
        save(rgb, images / f"{name}_leftImg8bit.png")
        save(label_ids, truths / f"{name}_gtFine_labelIds.png")
        save(TRAIN_IDS[label_ids], truths / f"{name}_gtFine_labelTrainIds.png")

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # a frame in flight takes about 20 MB
        for done, _ in enumerate(pool.map(one, range(frames)), start=1):
            if progress:
                progress(done)


def save(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write a PNG; noise does not compress, so that a higher level would cost time for nothing."""
    Image.fromarray(pixels).save(path, compress_level=1)

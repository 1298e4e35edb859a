"""A street seen through a pinhole camera, painted back to front on a picture and its labels.

World coordinates are whole centimetres: x to the right, y up from the ground, z ahead of the camera. All arithmetic is
on integers, so that a picture is the same, byte for byte, on every machine and under every library version.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit  # type: ignore[import-untyped,unused-ignore]
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Pixels = NDArray[np.uint8]
Target = tuple[Pixels, Pixels]  # picture, labels
Look = tuple[Colour, int, int, int, int, int]  # colour, label, shade, blotch, cell, seed
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

FOCAL = 1300  # pixels
EYE = 140  # height of the camera, cm
compiled = cast("Callable[[F], F]", njit(cache=True, nogil=True))


@dataclass(frozen=True)
class Paint:
    """What a surface looks like and is called: labelId, RGB, levels added from top to bottom, mottling and its size."""

    label: int
    colour: Colour
    shade: int = 0
    blotch: int = 8  # amplitude of the mottling, levels
    cell: int = 4  # binary logarithm of its size in pixels

    def lit(self, levels: int) -> Paint:
        """The same surface, brighter or (negative) darker."""
        red, green, blue = self.colour
        return replace(self, colour=(red + levels, green + levels, blue + levels))

    def but(self, red: int, green: int, blue: int) -> Paint:
        """A detail of another colour on the same thing."""
        return replace(self, colour=(red, green, blue), shade=0)


class Dice:
    """Whole random numbers from splitmix64: a stream that no library may change."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def roll(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        mask = 0xFFFFFFFFFFFFFFFF
        self._state = (self._state + 0x9E3779B97F4A7C15) & mask
        bits = ((self._state ^ (self._state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
        return low + (bits ^ (bits >> 31)) % (high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred throws."""
        return self.roll(1, 100) <= percent

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely as the next."""
        return choices[self.roll(0, len(choices) - 1)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order."""
        rest = list(items)
        return [rest.pop(self.roll(0, len(rest) - 1)) for _ in items]

    def near(self, colour: Colour, spread: int = 12) -> Colour:
        """A colour near the one given: lighter or darker by up to spread, and a quarter of that in each channel."""
        level, hue = self.roll(-spread, spread), spread // 4
        red, green, blue = (channel + level + self.roll(-hue, hue) for channel in colour)
        return red, green, blue


class Canvas:
    """A picture `rgb` (height, width, 3) and its `labels` (height, width); horizon and vanishing point in pixels."""

    def __init__(self, size: tuple[int, int], seed: int, vanishing: tuple[int, int], offset: int) -> None:
        self.rgb: Pixels = np.zeros((*size, 3), np.uint8)
        self.labels: Pixels = np.zeros(size, np.uint8)
        self._seed = seed & 0xFFFFF
        self._vanishing = vanishing  # x, y
        self.offset = offset  # x of the camera, cm

    def project(self, x: int, y: int, z: int) -> tuple[int, int]:
        """The pixel (x, y) that shows a point of the world."""
        return self._vanishing[0] + (x - self.offset) * FOCAL // z, self._vanishing[1] + (EYE - y) * FOCAL // z

    def polygon(self, corners: Sequence[tuple[int, int]], paint: Paint) -> None:
        """Fill a convex polygon given in pixels."""
        _polygon((self.rgb, self.labels), np.array(corners, np.int64), self._look(paint))

    def ellipse(self, centre: tuple[int, int], radii: tuple[int, int], paint: Paint, ragged: int = 0) -> None:
        """Fill an ellipse given in pixels, its left and right edge frayed by up to `ragged` pixels."""
        _ellipse((self.rgb, self.labels), centre, radii, ragged, self._look(paint))

    def surface(self, corners: Sequence[tuple[int, int, int]], paint: Paint) -> None:
        """Fill a flat convex shape anywhere in the world."""
        self.polygon([self.project(*corner) for corner in corners], paint)

    def shape(self, z: int, corners: Sequence[tuple[int, int]], paint: Paint) -> None:
        """Fill a convex shape (x, y) that faces the camera at distance z."""
        self.polygon([self.project(x, y, z) for x, y in corners], paint)

    def face(self, x: tuple[int, int], y: tuple[int, int], z: int, paint: Paint) -> None:
        """An upright rectangle that faces the camera."""
        self.shape(z, [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], paint)

    def side(self, x: int, y: tuple[int, int], z: tuple[int, int], paint: Paint) -> None:
        """An upright rectangle along the road."""
        self.surface([(x, y[0], z[0]), (x, y[1], z[0]), (x, y[1], z[1]), (x, y[0], z[1])], paint)

    def floor(self, x: tuple[int, int], z: tuple[int, int], paint: Paint, y: int = 0) -> None:
        """A level rectangle."""
        self.surface([(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])], paint)

    def box(self, x: tuple[int, int], y: tuple[int, int], z: tuple[int, int], paint: Paint) -> int:
        """A block: top, the side in view (darker) and the near face. Returns the x of the side in view."""
        visible = x[0] if x[0] + x[1] > 2 * self.offset else x[1]
        if y[1] < EYE:
            self.floor(x, z, paint.lit(18), y[1])
        self.side(visible, y, z, paint.lit(-28))
        self.face(x, y, z[0], paint)
        return visible

    def disc(self, z: int, centre: tuple[int, int], radii: tuple[int, int], paint: Paint, ragged: int = 0) -> None:
        """An ellipse that faces the camera, radii and frayed edge in centimetres."""
        across, up = max(1, radii[0] * FOCAL // z), max(1, radii[1] * FOCAL // z)
        self.ellipse(self.project(*centre, z), (across, up), paint, ragged * FOCAL // z)

    def bar(self, z: int, start: tuple[int, int], end: tuple[int, int], width: int, paint: Paint) -> None:
        """A straight limb, tube or post from one (x, y) to another, facing the camera."""
        upright = abs(end[1] - start[1]) > abs(end[0] - start[0])
        dx, dy = (width // 2, 0) if upright else (0, width // 2)
        near, far = (start[0] - dx, start[1] - dy), (start[0] + dx, start[1] + dy)
        self.shape(z, [near, far, (end[0] + dx, end[1] + dy), (end[0] - dx, end[1] - dy)], paint)

    def _look(self, paint: Paint) -> Look:
        self._seed = (self._seed + 1) & 0xFFFFF  # no two surfaces are mottled alike
        return paint.colour, paint.label, paint.shade, paint.blotch, paint.cell, self._seed

    def develop(self, gain: Colour, noise: int) -> None:
        """Expose the picture: gain of each channel in 1/256, then sensor noise of so many levels (one sigma)."""
        _develop(self.rgb, gain, noise * 256 // 148, self._seed)  # 148: sigma of four summed bytes


@compiled
def _hash(x: int, y: int, seed: int) -> int:
    bits = (x * 374761393 + y * 668265263 + seed * 2246822519) & 0xFFFFFFFF
    bits = ((bits ^ (bits >> 13)) * 1274126177) & 0xFFFFFFFF
    bits = ((bits ^ (bits >> 15)) * 739982445) & 0xFFFFFFFF
    return bits ^ (bits >> 16)


@compiled
def _span(target: Target, y: int, edges: tuple[int, int], lift: int, look: Look) -> None:
    """Paint one row from edges[0] up to, not including, edges[1]: at least a pixel, mottled by smoothed value noise."""
    rgb, labels = target
    colour, label, _, blotch, cell, seed = look
    first, last = max(edges[0], 0), min(max(edges[1], edges[0] + 1), labels.shape[1])
    size = 1 << cell
    row, down = y >> cell, y & (size - 1)
    column, left, right = -1, 0, 0
    for x in range(first, last):
        if x >> cell != column:
            column = x >> cell
            left = (_hash(column, row, seed) & 255) * (size - down) + (_hash(column, row + 1, seed) & 255) * down
            right = (_hash(column + 1, row, seed) & 255) * (size - down)
            right += (_hash(column + 1, row + 1, seed) & 255) * down
        along = x & (size - 1)
        value = (left * (size - along) + right * along) >> (2 * cell)
        level = lift + (((value - 128) * blotch) >> 7)
        for channel in range(3):
            rgb[y, x, channel] = min(max(colour[channel] + level, 0), 255)
        labels[y, x] = label


@compiled
def _polygon(target: Target, corners: NDArray[np.int64], look: Look) -> None:
    top, bottom = corners[:, 1].min(), corners[:, 1].max()
    for y in range(max(top, 0), min(max(bottom, top + 1), target[1].shape[0])):
        left, right = 1 << 30, -(1 << 30)
        for i in range(len(corners)):
            x0, y0 = corners[i - 1]
            x1, y1 = corners[i]
            if min(y0, y1) <= y < max(y0, y1):
                x = x0 + (y - y0) * (x1 - x0) // (y1 - y0)
                left, right = min(left, x), max(right, x)
            elif top == bottom:
                left, right = min(left, x0), max(right, x0)
        lift = look[2] * (y - top) // max(bottom - top, 1)
        _span(target, y, (left, right), lift, look)


@compiled
def _ellipse(target: Target, centre: tuple[int, int], radii: tuple[int, int], ragged: int, look: Look) -> None:
    for y in range(max(centre[1] - radii[1], 0), min(centre[1] + radii[1] + 1, target[1].shape[0])):
        rise = y - centre[1]
        half = radii[0] * int(math.sqrt(radii[1] * radii[1] - rise * rise)) // radii[1]
        left = centre[0] - half - _hash(y >> 2, 0, look[5]) % (ragged + 1)
        right = centre[0] + half + _hash(y >> 2, 1, look[5]) % (ragged + 1)
        lift = look[2] * (rise + radii[1]) // (2 * radii[1])
        _span(target, y, (left, right), lift, look)


@compiled
def _develop(rgb: Pixels, gain: Colour, amplitude: int, seed: int) -> None:
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            for channel in range(3):
                bits = _hash(x, y * 3 + channel, seed)
                grain = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24) - 510
                level = ((rgb[y, x, channel] * gain[channel]) >> 8) + ((grain * amplitude) >> 8)
                rgb[y, x, channel] = min(max(level, 0), 255)

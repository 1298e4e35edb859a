"""A decoded photograph to the network's input, bit for bit as the guide's script makes it.

Every guide's recipe comes down to one table of 256 values a channel, looked up after decoding (and after the resize,
where there is one). A step is a function `(recipe, spec) -> recipe`: the words of a card's `[input].steps`.
"""

from __future__ import annotations

import functools
import inspect
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, uint8, uintp

from roadworthy.problem import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadworthy.card import Input, ModelCard


_BITS = 22  # Pillow's fixed point: 32 bits less 8 for the pixel and 2 for the sum


@dataclass(frozen=True, eq=False)
class Recipe:
    """`size`: (height, width) to which a photograph is brought, None where it stays; `table`: (3, 256) float32."""

    size: tuple[int, int] | None
    table: NDArray[np.float32]


def resize(recipe: Recipe, spec: Input) -> Recipe:
    """Bring the shorter side to the shorter side of the input's shape: PIL BILINEAR, antialiased, in 8 bits.

    Compiled here, bit for bit, at a third of Pillow's time: it is most of what an accuracy run adds to the session and
    the PNG decoder. The width is done first, as in every Pillow that the guides were made with (13 may begin with a
    tall photograph's height).
    """
    return replace(recipe, size=(spec.shape[1], spec.shape[2]))


def scale(recipe: Recipe, spec: Input) -> Recipe:  # noqa: ARG001 - every step takes the same two
    """Divide by 255, in float32."""
    return replace(recipe, table=recipe.table / np.float32(255))


def normalize(recipe: Recipe, spec: Input) -> Recipe:
    """Subtract the mean and divide by the standard deviation, each step rounded to float32 (ICNet, after `scale`)."""
    mean, std = (moment.astype(np.float32) for moment in _moments(spec))
    return replace(recipe, table=(recipe.table - mean) / std)


def normalize_wide(recipe: Recipe, spec: Input) -> Recipe:
    """Subtract the mean and divide by the standard deviation in float64, rounded after each (HRNet, after `scale`)."""
    mean, std = _moments(spec)
    centred = (recipe.table - mean).astype(np.float32)
    return replace(recipe, table=(centred / std).astype(np.float32))


def normalize_cv2(recipe: Recipe, spec: Input) -> Recipe:
    """As mmcv with OpenCV: subtract the mean in float32, multiply by 1/std in float64 (DeepLabV3, without `scale`)."""
    mean, std = (moment.astype(np.float32) for moment in _moments(spec))
    centred = recipe.table - mean
    return replace(recipe, table=(centred * (1 / std.astype(np.float64))).astype(np.float32))


def recipe(card: ModelCard) -> Recipe:
    """What the card's `[input].steps` make of a photograph.

    Problem names the card: it lists the right words when one is unknown, or the key that a step needs.
    """
    module = sys.modules[__name__]
    known = [name for name, found in inspect.getmembers(module, inspect.isfunction) if _is_step(found)]
    made = Recipe(size=None, table=np.tile(np.arange(256, dtype=np.float32), (3, 1)))
    for word in card.input.steps:
        if word not in known and not word.startswith("net."):
            raise Problem(f"{card.path}: key 'input.steps' names {word!r}; known: {', '.join(known)}")
        step = card.lookup(word, module)
        try:
            made = step(made, card.input)
        except Problem as problem:
            raise Problem(f"{card.path}: {problem}") from None
    return made


def _moments(spec: Input) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation as columns (3, 1) beside the table; Problem naming the key where one is not of 3."""
    for key, values in {"mean": spec.mean, "std": spec.std}.items():
        if len(values) != 3:
            raise Problem(
                f"key 'input.{key}' holds {len(values)} values; to normalize takes one for each of 3 channels"
            )
    return np.array(spec.mean, np.float64)[:, None], np.array(spec.std, np.float64)[:, None]


def _is_step(found: object) -> bool:
    return inspect.isfunction(found) and tuple(inspect.signature(found).parameters) == ("recipe", "spec")


def apply(recipe: Recipe, image: NDArray[np.uint8], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """The network's input of one frame: `image` (height, width, 3) uint8 to (3, height, width) float32.

    Written into `out`, a slot of a batch, where one is given. Raises Problem when the photograph's shape does not lead
    to the input's, ValueError when `image` or `out` is an array of another kind.
    """
    if image.dtype != np.uint8 or image.shape[2:] != (3,):
        raise ValueError(f"the image is {image.dtype} of {image.shape}; it must be uint8 of (height, width, 3)")
    height, width = _fit(image.shape, recipe.size)
    if out is None:
        out = np.empty((3, height, width), np.float32)
    if out.shape != (3, height, width):
        raise Problem(
            f"the photograph gives an input of {height}x{width}; the network takes {out.shape[1]}x{out.shape[2]}"
        )
    if out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out is {out.dtype}, contiguous: {out.flags.c_contiguous}; it must be float32 in C order")
    image = np.ascontiguousarray(image)
    if image.shape[:2] == (height, width):
        _look_up(image, recipe.table, out)
    else:
        across, down = _weights(image.shape[1], width), _weights(image.shape[0], height)
        planes = np.empty((3, image.shape[0], width), np.uint8)
        _shrink_rows(image.reshape(len(image), -1), *across, planes)
        _shrink_columns(planes, *down, recipe.table, out)
    return out


def _fit(shape: tuple[int, ...], size: tuple[int, int] | None) -> tuple[int, int]:
    """The size that the frame will have: as it is, or the shorter side brought to the shorter side of `size`."""
    height, width = shape[:2]
    if size is None:
        return height, width
    short = min(size)
    fit = (short, short * width // height) if height <= width else (short * height // width, short)
    if fit != size:
        raise Problem(
            f"the photograph is {height}x{width}, with its shorter side at {short} {fit[0]}x{fit[1]}; "
            f"the network takes {size[0]}x{size[1]}"
        )
    return fit


@functools.lru_cache(maxsize=16)
def _weights(before: int, after: int) -> tuple[NDArray[np.uintp], NDArray[np.int32]]:
    """Pillow's antialiased triangle: first source pixel (after,), and the weights from there on (after, taps).

    Its order of operations in float64 and its rounding to fixed point are part of the recipe.
    """
    ratio = before / after
    support = max(ratio, 1.0)
    middle = (np.arange(after)[:, None] + 0.5) * ratio
    first = np.maximum((middle - support + 0.5).astype(np.int64), 0)
    last = np.minimum((middle + support + 0.5).astype(np.int64), before)
    taps = int((last - first).max())
    start = np.minimum(first, before - taps)  # so that the kernels need not know where the edge is
    pixel = start + np.arange(taps)
    weight = np.maximum(1.0 - np.abs((pixel - middle + 0.5) * (1.0 / support)), 0.0)
    weight[(pixel < first) | (pixel >= last)] = 0.0
    weight /= np.cumsum(weight, axis=1)[:, -1:]  # cumsum, unlike sum, adds from left to right
    return start[:, 0].astype(np.uintp), (0.5 + weight * (1 << _BITS)).astype(np.int32)


@njit(cache=True, nogil=True)
def _look_up(image: NDArray[np.uint8], table: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for y in range(image.shape[0]):
        for c in range(3):
            for x in range(image.shape[1]):
                out[c, y, x] = table[c, image[y, x, c]]


@njit(cache=True, nogil=True)
def _shrink_rows(
    rows: NDArray[np.uint8], first: NDArray[np.uintp], weight: NDArray[np.int32], planes: NDArray[np.uint8]
) -> None:
    """Every row of (height, width * 3) to its new width, as (3, height, new width)."""
    for y in range(rows.shape[0]):
        row = rows[y]
        for x in range(first.size):
            red = green = blue = np.int32(1 << (_BITS - 1))
            at = first[x] * uintp(3)  # unsigned: a signed index would be asked for its sign each time
            for tap in range(weight.shape[1]):
                w = weight[x, tap]
                red += w * np.int32(row[at])
                green += w * np.int32(row[at + uintp(1)])
                blue += w * np.int32(row[at + uintp(2)])
                at += uintp(3)
            planes[0, y, x], planes[1, y, x], planes[2, y, x] = red >> _BITS, green >> _BITS, blue >> _BITS


@njit(cache=True, nogil=True)
def _shrink_columns(
    planes: NDArray[np.uint8],
    first: NDArray[np.uintp],
    weight: NDArray[np.int32],
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Every column of (3, height, width) to its new height, and each 8-bit result through the table."""
    total = np.empty(planes.shape[2], np.int32)
    for c in range(3):
        for y in range(first.size):
            total[:] = 1 << (_BITS - 1)
            for tap in range(weight.shape[1]):
                w, row = weight[y, tap], planes[c, first[y] + uintp(tap)]
                for x in range(total.size):
                    total[x] += w * np.int32(row[x])
            for x in range(total.size):
                out[c, y, x] = table[c, uint8(total[x] >> _BITS)]

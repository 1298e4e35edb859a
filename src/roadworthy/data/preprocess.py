"""A decoded photograph to the network's input, bit for bit as the guide's script makes it.

Every guide's recipe comes down to one table of 256 values a channel, looked up after decoding (and after the resize,
where there is one). A step is a function `(recipe, spec) -> recipe`: the words of a card's `[input].steps`.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from PIL import Image

from roadworthy.problem import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadworthy.card import Input, ModelCard


@dataclass(frozen=True, eq=False)
class Recipe:
    """`size`: (height, width) to which a photograph is brought, None where it stays; `table`: (3, 256) float32."""

    size: tuple[int, int] | None
    table: NDArray[np.float32]


def resize(recipe: Recipe, spec: Input) -> Recipe:
    """Bring the shorter side to the shorter side of the input's shape: PIL BILINEAR, antialiased, in 8 bits."""
    return replace(recipe, size=(spec.shape[1], spec.shape[2]))


def scale(recipe: Recipe, spec: Input) -> Recipe:  # noqa: ARG001 - every step takes the same two
    """Divide by 255, in float32."""
    return replace(recipe, table=recipe.table / np.float32(255))


def recipe(card: ModelCard) -> Recipe:
    """What the card's `[input].steps` make of a photograph; Problem lists the right words when one is unknown."""
    module = sys.modules[__name__]
    known = [name for name, found in inspect.getmembers(module, inspect.isfunction) if _is_step(found)]
    made = Recipe(size=None, table=np.tile(np.arange(256, dtype=np.float32), (3, 1)))
    for word in card.input.steps:
        if word not in known and not word.startswith("net."):
            raise Problem(f"{card.path}: key 'input.steps' names {word!r}; known: {', '.join(known)}")
        made = card.lookup(word, module)(made, card.input)
    return made


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
    if image.shape[:2] != (height, width):
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    _look_up(image, recipe.table, out)
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


@njit(cache=True, nogil=True)
def _look_up(image: NDArray[np.uint8], table: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for y in range(image.shape[0]):
        for c in range(3):
            for x in range(image.shape[1]):
                out[c, y, x] = table[c, image[y, x, c]]

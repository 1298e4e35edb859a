"""PNG files to pixels: photographs as RGB, ground truth as trainIds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import numpy.ma  # numba asks numpy for it at a function's first call, and numpy loads it late: not in two threads
from numba import njit
from PIL import Image

from roadworthy.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

# labels.py of cityscapesScripts: trainId of every id; whatever is not scored is 255
TRAIN_IDS: NDArray[np.uint8] = np.full(256, 255, np.uint8)
TRAIN_IDS[[7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]] = np.arange(19)
TRAIN_IDS.setflags(write=False)

_STRANGE = 254  # in a table: what no file of its kind stores
_TABLES: dict[str, NDArray[np.uint8]] = {
    "labelIds": TRAIN_IDS,
    "labelTrainIds": np.array([*range(19), *[_STRANGE] * 236, 255], np.uint8),
}


def read_image(path: Path) -> NDArray[np.uint8]:
    """A photograph as (height, width, 3) RGB, the bytes that Pillow's `convert("RGB")` gives.

    Raises Problem naming the file when it cannot be read, is damaged, or is no 8-bit RGB PNG.
    """
    return _read(path, imagecodecs.spng_decode, channels=3)  # libspng: the fastest on photographs


def read_label(path: Path, kind: str) -> NDArray[np.uint8]:
    """Ground truth as (height, width) trainIds: 0..18, and 255 where nothing is scored.

    `kind` says what the file stores: "labelTrainIds", or "labelIds", which are mapped by `TRAIN_IDS`. Raises Problem
    naming the file when it cannot be read, is damaged, is no 8-bit gray PNG, or stores what no trainId can be.
    """
    if kind not in _TABLES:
        raise Problem(f'{path}: labels of kind {kind!r} are unknown; known: "labelIds", "labelTrainIds"')
    label = _read(path, imagecodecs.png_decode, channels=1)  # libpng: the fastest on flat labels
    if not _look_up(label.reshape(-1), _TABLES[kind]):
        stored = _read(path, imagecodecs.png_decode, channels=1)
        value = stored[_TABLES[kind][stored] == _STRANGE].min()
        raise Problem(f"{path}: holds the value {value}; trainIds are 0..18 and 255 (is it a labelIds file?)")
    return label


def resize_label(label: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The (height, width) label brought to `size` by PIL NEAREST: at 2:1 the odd pixels are kept.

    Gives back `label` itself where the size fits.
    """
    if label.shape == size:
        return label
    return np.asarray(Image.fromarray(label).resize(size[::-1], Image.Resampling.NEAREST))


def _read(path: Path, decode: Callable[[bytes], NDArray[np.uint8]], channels: int) -> NDArray[np.uint8]:
    right = "a photograph is an 8-bit RGB PNG" if channels == 3 else "a label is an 8-bit gray PNG"
    try:
        pixels = decode(path.read_bytes())
    except OSError as error:
        raise Problem(f"{path}: cannot be read ({error.strerror}); {right}") from None
    except (RuntimeError, ValueError) as error:  # imagecodecs raises these for a file that is damaged or no PNG
        raise Problem(f"{path}: is damaged, truncated, or no PNG ({error}); {right}") from None
    found = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != np.uint8 or found != channels:
        raise Problem(f"{path}: holds {found} channels of {pixels.dtype}; {right}")
    return pixels


@njit(cache=True, nogil=True)
def _look_up(label: NDArray[np.uint8], table: NDArray[np.uint8]) -> bool:
    """Every value through the table, in place; False where one is strange."""
    known = True
    for i in range(label.size):
        value = table[label[i]]
        known &= value != _STRANGE
        label[i] = value
    return known

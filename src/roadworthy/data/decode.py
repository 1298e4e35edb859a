"""PNG files to pixels: photographs as RGB, ground truth as trainIds.

A PNG is a zlib stream of filtered rows (ISO/IEC 15948). libdeflate inflates it and a compiled kernel undoes the
filters, which takes half the time of libspng on a Cityscapes photograph and a third of libpng's on its labels.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from numba import njit, uint8
from numpy.typing import NDArray
from PIL import Image

from roadworthy.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR = {0: "gray", 2: "RGB", 3: "palette", 4: "gray and alpha", 6: "RGBA"}
_GRAY, _RGB = 0, 2

# labels.py of cityscapesScripts: trainId of every id; whatever is not scored is 255
TRAIN_IDS: NDArray[np.uint8] = np.full(256, 255, np.uint8)
TRAIN_IDS[[7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]] = np.arange(19)


def read_image(path: Path) -> NDArray[np.uint8]:
    """A photograph as (height, width, 3) RGB, the bytes that Pillow's `convert("RGB")` gives.

    Raises Problem naming the file when it cannot be read, is damaged, or is no 8-bit RGB PNG.
    """
    return _read(path, _RGB, "an image")


def read_label(path: Path, kind: str) -> NDArray[np.uint8]:
    """Ground truth as (height, width) trainIds: 0..18, and 255 where nothing is scored.

    `kind` says what the file stores: "labelTrainIds", or "labelIds", which are mapped by `TRAIN_IDS`. Raises Problem
    naming the file when it cannot be read, is damaged, is no 8-bit gray PNG, or stores what no trainId can be.
    """
    label = _read(path, _GRAY, "a label")
    if kind == "labelIds":
        _map(label, TRAIN_IDS)
    elif kind != "labelTrainIds":
        raise Problem(f'{path}: labels of kind {kind!r} are unknown; known: "labelIds", "labelTrainIds"')
    elif _strange(label):
        value = next(v for v in np.unique(label) if 18 < v < 255)
        raise Problem(f"{path}: holds the value {value}; trainIds are 0..18 and 255 (is it a labelIds file?)")
    return label


def resize_label(label: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The (height, width) label brought to `size` as PIL NEAREST does it: at 2:1 the odd pixels are kept.

    Gives back `label` itself where the size fits.
    """
    if label.shape == size:
        return label
    resized = np.empty(size, np.uint8)
    _pick(label, _nearest(label.shape[0], size[0]), _nearest(label.shape[1], size[1]), resized)
    return resized


def _nearest(before: int, after: int) -> NDArray[np.int64]:
    """The source coordinate of each new one; PIL adds the step up in float64, and its rounding is part of the rule."""
    step = np.full(after, before / after)
    step[0] /= 2
    return np.cumsum(step).astype(np.int64)


def _read(path: Path, colour: int, what: str) -> NDArray[np.uint8]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Problem(f"{path}: cannot be read ({error.strerror}); {what} is an 8-bit {_COLOUR[colour]} PNG") from None
    if content[:8] != _SIGNATURE or content[12:16] != b"IHDR" or len(content) < 33:
        raise Problem(f"{path}: is not a PNG file; {what} is an 8-bit {_COLOUR[colour]} PNG")
    width, height, depth, found, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    if (depth, found) != (8, colour):
        name = _COLOUR.get(found, f"colour type {found}")
        raise Problem(f"{path}: is a {depth}-bit {name} PNG; {what} is an 8-bit {_COLOUR[colour]} PNG")
    channels = 3 if colour == _RGB else 1
    try:
        pixels = _pillow(content) if interlaced else _inflate(content, height, width * channels, channels)
    except (OSError, ValueError, imagecodecs.DeflateError) as error:
        raise Problem(f"{path}: is damaged or truncated ({error}); {what} is a whole PNG file") from None
    return pixels.reshape((height, width, 3) if colour == _RGB else (height, width))


def _pillow(content: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(content)))


def _inflate(content: bytes, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """The (height, width in bytes) pixels of a PNG that is not interlaced; ValueError or DeflateError if damaged."""
    stream = _idat(content)
    if height * width > 1100 * len(stream):  # deflate packs at most 1032:1; a damaged header must not ask for memory
        raise ValueError(f"{len(stream)} bytes cannot hold {height} rows of {width} bytes")
    rows = np.empty((height, width + 1), np.uint8)
    if len(imagecodecs.deflate_decode(stream, out=rows.reshape(-1))) != rows.size:
        raise ValueError("pixels are missing")
    pixels = np.empty((height, width), np.uint8)
    if not _unfilter(rows, pixels, channels):
        raise ValueError("a row has an unknown filter")
    return pixels


def _idat(content: bytes) -> bytes:
    view = memoryview(content)
    parts, at = [], 8
    while at + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind == b"IDAT":
            parts.append(view[at + 8 : at + 8 + length])
        at += length + 12
    return b"".join(parts)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _unfilter(rows: NDArray[np.uint8], pixels: NDArray[np.uint8], bpp: int) -> bool:
    """Undo the filter that each row's first byte names: none, sub, up, average, Paeth; False for any other."""
    above = np.zeros(pixels.shape[1], np.uint8)
    for y in range(rows.shape[0]):
        kind, row, out = rows[y, 0], rows[y, 1:], pixels[y]
        if kind == 0:
            out[:] = row
        elif kind == 1:
            _sub(row, out, bpp)
        elif kind == 2:
            _up(row, above, out)
        elif kind == 3:
            _average(row, above, out, bpp)
        elif kind == 4 and bpp == 1:
            _paeth_gray(row, above, out)
        elif kind == 4:
            _paeth(row, above, out, bpp)
        else:
            return False
        above = out
    return True


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sub(row: NDArray[np.uint8], out: NDArray[np.uint8], bpp: int) -> None:
    out[:bpp] = row[:bpp]
    for x in range(bpp, out.size):
        out[x] = uint8(row[x] + out[x - bpp])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _up(row: NDArray[np.uint8], above: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    for x in range(out.size):
        out[x] = uint8(row[x] + above[x])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _average(row: NDArray[np.uint8], above: NDArray[np.uint8], out: NDArray[np.uint8], bpp: int) -> None:
    for x in range(bpp):
        out[x] = uint8(row[x] + (above[x] >> 1))
    for x in range(bpp, out.size):
        out[x] = uint8(row[x] + ((out[x - bpp] + above[x]) >> 1))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _paeth(row: NDArray[np.uint8], above: NDArray[np.uint8], out: NDArray[np.uint8], bpp: int) -> None:
    """Left, above, or above left, whichever is nearest to left + above - above left; found without a branch."""
    for x in range(bpp):
        out[x] = uint8(row[x] + above[x])
    for x in range(bpp, out.size):
        left, up, corner = np.int32(out[x - bpp]), np.int32(above[x]), np.int32(above[x - bpp])
        low, high = min(left, up), max(left, up)
        turn = 3 * corner - left - up
        guess = low if high <= turn else corner
        guess = high if turn <= low else guess
        out[x] = uint8(row[x] + guess)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _paeth_gray(row: NDArray[np.uint8], above: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """`_paeth` for one channel, as labels are: mostly flat, so that branches foretell well and save two thirds."""
    left, corner = np.int32(0), np.int32(0)
    for x in range(out.size):
        up = np.int32(above[x])
        if up == corner:
            guess = left
        elif left == corner:
            guess = up
        else:
            turn = 3 * corner - left - up
            guess = min(left, up) if max(left, up) <= turn else corner
            guess = max(left, up) if turn <= min(left, up) else guess
        out[x] = uint8(row[x] + guess)
        left, corner = np.int32(out[x]), up


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _map(label: NDArray[np.uint8], table: NDArray[np.uint8]) -> None:
    for y in range(label.shape[0]):
        for x in range(label.shape[1]):
            label[y, x] = table[label[y, x]]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _strange(label: NDArray[np.uint8]) -> bool:
    """Whether any value is neither 0..18 nor 255."""
    strange = 0
    for y in range(label.shape[0]):
        for x in range(label.shape[1]):
            strange |= (label[y, x] > 18) & (label[y, x] != 255)
    return strange != 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pick(label: NDArray[np.uint8], rows: NDArray[np.int64], columns: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    for y in range(rows.size):
        row = label[rows[y]]
        for x in range(columns.size):
            out[y, x] = row[columns[x]]

"""What a network gave for one frame to its tally: how often each true class was called what.

Every logit is read once to find each pixel's class, and every class once to count it. Floats are compared by their
bits, sign and magnitude turned into whole numbers of the same order: that vectorises for float16, makes -0.0 equal to
+0.0 as in any comparison of floats, and shows NaN as a magnitude above infinity. Channels go by in fours, since one
row at a time does not keep the memory busy. Logits of fewer pixels than the label are blended row by row on the way,
never stored at the label's size.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numba import int32, njit

from roadworthy.problem import BadOutput, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BEYOND = 256  # no class is so far from 0
VOID = 19  # what a prediction outside the 19 classes counts as: a miss of the true class, never a false alarm

_MAGNITUDE: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.int32(0x7FFFFFFF),
    np.dtype(np.float16): np.int16(0x7FFF),
}
_INFINITY: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.int32(0x7F800000),
    np.dtype(np.float16): np.int16(0x7C00),
}
_Taps: TypeAlias = tuple["NDArray[np.uintp]", "NDArray[np.uintp]", "NDArray[np.float32]", "NDArray[np.float32]"]
_STORED: dict[str, list[np.dtype[Any]]] = {
    "logits": [np.dtype(np.float32), np.dtype(np.float16)],
    "classes": [np.dtype(np.int64), np.dtype(np.int32), np.dtype(np.uint8)],
}


def tally(
    output: NDArray[Any], label: NDArray[np.uint8], classmap: NDArray[np.uint8] | None = None
) -> NDArray[np.int64]:
    """One frame's (19, 20) matrix: rows are true classes, columns predicted ones, the last one any void prediction.

    `output` holds logits (19 or 20, height, width) in float32 or float16, of which the first maximum wins, or classes
    (height, width) or (1, height, width) in whole numbers. `label` is (height, width) uint8; its pixels above 18 do not
    count. 19 logits may be smaller than the label by a whole factor, the same both ways: HRNet's guide brings them to
    its size by bilinear upsampling, corners aligned, in float32. The predicted classes, void as 19, are written into
    `classmap` where one is given. Raises BadOutput for NaN, for an infinity that would have to be blended, and for
    classes that are none; Problem for any other output or a label of another size.
    """
    if label.dtype != np.uint8:
        raise ValueError(f"the label is {label.dtype}; it must be uint8")
    classes = _classes(np.ascontiguousarray(output), label.shape)
    if classmap is not None:
        classmap[...] = classes
    counts = np.zeros((4, (VOID + 1) ** 2), np.int64)
    _count(classes.reshape(-1), np.ascontiguousarray(label).reshape(-1), counts)
    total: NDArray[np.int64] = counts.sum(axis=0).reshape(VOID + 1, VOID + 1)
    return total[:VOID]


def read_output(path: Path, shape: tuple[int, ...], kind: Literal["logits", "classes"]) -> NDArray[Any]:
    """A result file as an array of `shape`: headerless as ais_bench writes it, or `.npy`.

    A headerless file's size tells its type: float32 or float16 logits; int64, int32 or uint8 classes. The array is
    mapped, not read, and the file must stay as it is while the array is in use. Raises Problem naming the file.
    """
    known = _STORED[kind]
    need = " or ".join(f"{math.prod(shape) * stored.itemsize} bytes as {stored}" for stored in known)
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="c", allow_pickle=False)
            if array.dtype not in known or tuple(n for n in array.shape if n > 1) != tuple(n for n in shape if n > 1):
                raise Problem(
                    f"{path}: holds {array.dtype} of {_by(array.shape)}; {kind} are {_by(shape)} "
                    f"in {' or '.join(map(str, known))}"
                )
            return np.asarray(array).reshape(shape)
        size = path.stat().st_size
        for stored in known:
            if size == math.prod(shape) * stored.itemsize:
                return np.asarray(np.memmap(path, stored, mode="c", shape=shape))
    except (OSError, ValueError, EOFError) as error:
        raise Problem(f"{path}: cannot be read ({error}); {kind} of {_by(shape)} are {need}") from None
    raise Problem(f"{path}: holds {size} bytes; {kind} of {_by(shape)} are {need}")


def _classes(output: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Each pixel's class, void as 19, at the label's shape."""
    classes = np.empty(shape, np.uint8)
    logits = output.dtype in _MAGNITUDE and output.ndim == 3 and output.shape[0] in (VOID, VOID + 1)
    if output.shape[-2:] != shape:
        if not (logits and output.shape[0] == VOID and _divides(output.shape[1:], shape)):
            raise Problem(
                f"the output is {_by(output.shape)} and the label {_by(shape)}; they must be of one size, or the "
                f"output 19 channels of logits that are smaller by a whole factor, the same both ways"
            )
        _upsample(output, classes)
    elif logits:
        magnitude, infinity = _MAGNITUDE[output.dtype], _INFINITY[output.dtype]
        if not _highest(output.view(magnitude.dtype), magnitude, infinity, classes):
            raise BadOutput(f"the output holds NaN, {_first(np.isnan(output))}")
    elif output.dtype.kind in "iu" and output.size == classes.size:
        if not _named(output.reshape(-1), classes.reshape(-1)):
            strange = output[(output < -BEYOND) | (output >= BEYOND)].flat[0]
            raise BadOutput(f"the output holds {strange} where classes are expected; is it a file of floats?")
    else:
        raise Problem(
            f"the output is {output.dtype} of {_by(output.shape)}; it must be 19 or 20 channels of float32 or float16, "
            f"or one of whole numbers"
        )
    return classes


def _upsample(logits: NDArray[Any], classes: NDArray[np.uint8]) -> None:
    """Fill `classes` (height, width) from smaller logits (19, h, w); an infinity times a weight of 0 would be NaN."""
    if not np.isfinite(logits).all():
        nan, infinite = np.isnan(logits), np.isinf(logits)
        what = "NaN" if nan.any() else "an infinity, which cannot be blended with its neighbours"
        raise BadOutput(f"the output holds {what}, {_first(nan if nan.any() else infinite)}")
    down, across = (_taps(n, large) for n, large in zip(logits.shape[1:], classes.shape, strict=True))
    _highest_blend(logits.astype(np.float32, copy=False), down, across, classes)


def _divides(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    factor = large[0] // max(small[0], 1)
    return factor > 1 and (small[0] * factor, small[1] * factor) == large


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _first(bad: NDArray[np.bool_]) -> str:
    channel, y, x = np.argwhere(bad)[0]
    return f"first in channel {channel} at row {y}, column {x}"


@functools.lru_cache(maxsize=16)
def _taps(small: int, large: int) -> _Taps:
    """Where each of the `large` pixels lies among the `small` ones, and how much of its two neighbours it takes.

    First and last pixel lie on first and last; float32 in every step, as torch computes them.
    """
    step = np.float32(small - 1) / np.float32(large - 1)
    place = np.arange(large, dtype=np.float32) * step
    before = np.minimum(place.astype(np.uintp), np.uintp(small - 1))
    after = np.minimum(before + np.uintp(1), np.uintp(small - 1))
    share = place - before.astype(np.float32)
    return before, after, np.float32(1) - share, share


@njit(cache=True, nogil=True)
def _signed(bits: Any, size: Any) -> Any:
    """A float's place among floats as a whole number: its magnitude, negative where its bits are."""
    return -size if bits < 0 else size


@njit(cache=True, nogil=True)
def _higher(value: Any, channel: Any, other: Any, other_channel: Any) -> tuple[Any, Any]:
    """The higher of two values with its channel, the first where they are equal."""
    above = other > value
    return other if above else value, other_channel if above else channel


@njit(cache=True, nogil=True)
def _highest(bits: NDArray[Any], magnitude: Any, infinity: Any, classes: NDArray[np.uint8]) -> bool:
    """Each pixel's first highest channel of (channels, height, width) floats seen as bits; False once one is NaN."""
    kind, last = bits.dtype.type, bits.shape[0] - 1
    best, first = np.empty(bits.shape[2], bits.dtype), np.empty(bits.shape[2], bits.dtype)
    for y in range(bits.shape[1]):
        best[:] = -infinity
        first[:] = 0
        largest = kind(0)
        for c in range(0, bits.shape[0], 4):
            d, e, f = min(c + 1, last), min(c + 2, last), min(c + 3, last)  # beyond the last comes the last again
            row_c, row_d, row_e, row_f = bits[c, y], bits[d, y], bits[e, y], bits[f, y]
            for x in range(first.size):
                size_c, size_d = kind(row_c[x] & magnitude), kind(row_d[x] & magnitude)
                size_e, size_f = kind(row_e[x] & magnitude), kind(row_f[x] & magnitude)
                largest = max(largest, size_c, size_d, size_e, size_f)
                value, channel = _higher(
                    *_higher(_signed(row_c[x], size_c), kind(c), _signed(row_d[x], size_d), kind(d)),
                    *_higher(_signed(row_e[x], size_e), kind(e), _signed(row_f[x], size_f), kind(f)),
                )
                best[x], first[x] = _higher(best[x], first[x], value, channel)
        if largest > infinity:
            return False
        for x in range(first.size):
            classes[y, x] = first[x]
    return True


@njit(cache=True, nogil=True)
def _highest_blend(logits: NDArray[np.float32], down: _Taps, across: _Taps, classes: NDArray[np.uint8]) -> None:
    """Each pixel's first highest channel of smaller, finite logits (channels, h, w), blended where the pixel lies.

    A row is brought to its width once and kept until the pixels are past it: row i in place i % 2.
    """
    rows = np.empty((2, logits.shape[0], classes.shape[1]), np.float32)
    held = np.full(2, logits.shape[1])  # none yet
    for y in range(classes.shape[0]):
        above, below = down[0][y], down[1][y]
        for row in (above, below):
            if held[row % 2] != row:
                _widen(logits, row, across, rows[row % 2])
                held[row % 2] = row
        _highest_between(rows[above % 2], rows[below % 2], down[2][y], down[3][y], classes[y])


@njit(cache=True, nogil=True)
def _widen(logits: NDArray[np.float32], y: int, across: _Taps, wide: NDArray[np.float32]) -> None:
    """Row y of (channels, h, w) as (channels, width)."""
    before, after, near, far = across
    for c in range(0, wide.shape[0], 2):
        d = min(c + 1, wide.shape[0] - 1)
        row, partner = logits[c, y], logits[d, y]
        for x in range(before.size):
            i, j = before[x], after[x]
            wide[c, x] = row[i] * near[x] + row[j] * far[x]
            wide[d, x] = partner[i] * near[x] + partner[j] * far[x]


@njit(cache=True, nogil=True)
def _highest_between(
    above: NDArray[np.float32], below: NDArray[np.float32], near: Any, far: Any, classes: NDArray[np.uint8]
) -> None:
    """First highest channel of each pixel of a row."""
    best, first = np.full(classes.size, -np.inf, np.float32), np.zeros(classes.size, np.int32)
    for c in range(0, above.shape[0], 2):
        d = min(c + 1, above.shape[0] - 1)
        for x in range(best.size):
            value, channel = _higher(
                above[c, x] * near + below[c, x] * far, int32(c), above[d, x] * near + below[d, x] * far, int32(d)
            )
            best[x], first[x] = _higher(best[x], first[x], value, channel)
    for x in range(first.size):
        classes[x] = first[x]


@njit(cache=True, nogil=True)
def _named(output: NDArray[Any], classes: NDArray[np.uint8]) -> bool:
    """Classes below 0 or above 18 become void; False where one is as far off as the bits of a float are."""
    near = True
    for i in range(output.size):
        near &= -BEYOND <= output[i] < BEYOND
        classes[i] = output[i] if 0 <= output[i] < VOID else VOID
    return near


@njit(cache=True, nogil=True)
def _count(classes: NDArray[np.uint8], label: NDArray[np.uint8], counts: NDArray[np.int64]) -> None:
    """Add to (4, 20 * 20) counts, four in turn: neighbouring pixels fall into one bin and would wait for each other."""
    whole = label.size // 4 * 4
    for i in range(0, whole, 4):
        for turn in range(4):
            counts[turn, min(label[i + turn], VOID) * (VOID + 1) + classes[i + turn]] += 1
    for i in range(whole, label.size):
        counts[0, min(label[i], VOID) * (VOID + 1) + classes[i]] += 1

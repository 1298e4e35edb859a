"""What a network gave for one frame to its tally: how often each true class was called what.

Every logit is read once to find each pixel's class, and every class once to count it. Floats are compared by their
bits, sign and magnitude turned into whole numbers of the same order: that vectorises for float16, makes -0.0 equal to
+0.0 as in any comparison of floats, and shows NaN as a magnitude above infinity.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numba import njit

from roadworthy.problem import BadOutput, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VOID = 19  # what a prediction outside the 19 classes counts as: a miss of the true class, never a false alarm

_MAGNITUDE: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.int32(0x7FFFFFFF),
    np.dtype(np.float16): np.int16(0x7FFF),
}
_INFINITY: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.int32(0x7F800000),
    np.dtype(np.float16): np.int16(0x7C00),
}
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
    count. The predicted classes, void as 19, are written into `classmap` where one is given. Raises BadOutput for NaN,
    Problem for any other output or a label of another size.
    """
    if label.dtype != np.uint8:
        raise ValueError(f"the label is {label.dtype}; it must be uint8")
    if output.shape[-2:] != label.shape:
        raise Problem(f"the output is {_by(output.shape)} and the label {_by(label.shape)}; they must be of one size")
    classes = np.empty(label.shape, np.uint8)
    output = np.ascontiguousarray(output)
    if output.dtype in _MAGNITUDE and output.ndim == 3 and output.shape[0] in (VOID, VOID + 1):
        magnitude, infinity = _MAGNITUDE[output.dtype], _INFINITY[output.dtype]
        if not _highest(output.view(magnitude.dtype), magnitude, infinity, classes):
            channel, y, x = np.argwhere(np.isnan(output))[0]
            raise BadOutput(f"the output holds NaN, first in channel {channel} at row {y}, column {x}")
    elif output.dtype.kind in "iu" and output.size == label.size:
        _named(output.reshape(-1), classes.reshape(-1))
    else:
        raise Problem(
            f"the output is {output.dtype} of {_by(output.shape)}; it must be 19 or 20 channels of float32 or float16, "
            f"or one of whole numbers"
        )
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
            if array.dtype not in known or array.size != math.prod(shape):
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


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


@njit(cache=True, nogil=True)
def _highest(bits: NDArray[Any], magnitude: Any, infinity: Any, classes: NDArray[np.uint8]) -> bool:
    """Each pixel's first highest channel of (channels, height, width) floats seen as bits; False once one is NaN."""
    kind = bits.dtype.type
    best, first = np.empty(bits.shape[2], bits.dtype), np.empty(bits.shape[2], bits.dtype)
    for y in range(bits.shape[1]):
        best[:] = -infinity
        first[:] = 0
        largest = kind(0)
        for c in range(bits.shape[0]):
            row, channel = bits[c, y], kind(c)
            for x in range(row.size):
                size = kind(row[x] & magnitude)
                value = kind(-size) if row[x] < 0 else size
                above = value > best[x]
                best[x] = value if above else best[x]
                first[x] = channel if above else first[x]
                largest = max(largest, size)
        if largest > infinity:
            return False
        for x in range(first.size):
            classes[y, x] = first[x]
    return True


@njit(cache=True, nogil=True)
def _named(output: NDArray[Any], classes: NDArray[np.uint8]) -> None:
    for i in range(output.size):
        classes[i] = output[i] if 0 <= output[i] < VOID else VOID


@njit(cache=True, nogil=True)
def _count(classes: NDArray[np.uint8], label: NDArray[np.uint8], counts: NDArray[np.int64]) -> None:
    """Add to (4, 20 * 20) counts, four in turn: neighbouring pixels fall into one bin and would wait for each other."""
    whole = label.size // 4 * 4
    for i in range(0, whole, 4):
        for turn in range(4):
            counts[turn, min(label[i + turn], VOID) * (VOID + 1) + classes[i + turn]] += 1
    for i in range(whole, label.size):
        counts[0, min(label[i], VOID) * (VOID + 1) + classes[i]] += 1

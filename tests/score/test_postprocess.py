"""One frame's tally: what numpy's argmax and a loop over the pixels would count, and no silence about bad outputs."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.registry import CPUDispatcher

from roadworthy.problem import BadOutput, Problem
from roadworthy.score import postprocess

SEED = st.integers(0, 2**32)
SIDE = st.integers(1, 40)
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float16])
INTEGERS = pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, 6e-8, -6e-8, 65504.0, -65504.0]  # 6e-8: subnormal in float16


def labels(seed, height, width):
    """Random trainIds (height, width), a tenth of them 255, some of the values that nothing has."""
    rng = np.random.default_rng([seed, 1])
    label = rng.integers(0, 21, (height, width), np.uint8)
    return np.where(label == 20, 255, label).astype(np.uint8)


def logits(seed, channels, height, width):
    """Random logits (channels, height, width), most of them ties: signed zeros, infinities, subnormals."""
    rng = np.random.default_rng([seed, 2])
    values = np.append(SPECIAL, rng.standard_normal(4))
    return rng.choice(values[: rng.integers(2, values.size + 1)], (channels, height, width))


def count(predicted, label):
    """The matrix, one pixel after the other."""
    matrix = np.zeros((19, 20), np.int64)
    for true, called in zip(label.ravel().tolist(), predicted.ravel().tolist(), strict=True):
        if true < 19:
            matrix[true, called if 0 <= called < 19 else 19] += 1
    return matrix


@FLOATS
@settings(deadline=None)
@given(seed=SEED, channels=st.sampled_from([19, 20]), height=SIDE, width=SIDE)
def test_logits_count_as_numpys_first_maximum(dtype, seed, channels, height, width):
    """Ties go to the lower channel, -0.0 and +0.0 are a tie, infinities are numbers; the class map says the same."""
    output, label = logits(seed, channels, height, width).astype(dtype), labels(seed, height, width)
    predicted = output.argmax(axis=0)
    classmap = np.empty((height, width), np.uint8)

    assert count(predicted, label).tolist() == postprocess.tally(output, label, classmap).tolist()
    assert predicted.tolist() == classmap.tolist()


@INTEGERS
@settings(deadline=None)
@given(seed=SEED, height=SIDE, width=SIDE, leading=st.booleans())
def test_classes_count_as_they_are(dtype, seed, height, width, leading):
    """A class map of any whole-number type is counted; whatever is no class is void, below zero as well."""
    label = labels(seed, height, width)
    output = np.random.default_rng(seed).integers(-3, 24, (height, width)).astype(dtype)
    classmap = np.empty((height, width), np.uint8)
    matrix = postprocess.tally(output[None] if leading else output, label, classmap)

    assert count(output, label).tolist() == matrix.tolist()
    assert np.where((output >= 0) & (output < 19), output, 19).tolist() == classmap.tolist()


def test_floats_that_pass_for_whole_numbers_are_no_classes():
    """A class map stored as float64 has the size of int64, and bits that are no class."""
    label = labels(0, 4, 6)
    stored = label.astype(np.float64).view(np.int64)

    with pytest.raises(BadOutput, match="where classes are expected; is it a file of floats"):
        postprocess.tally(stored, label)


@FLOATS
def test_a_whole_frame_is_counted(dtype):
    """At 512x1024, logits as a network gives them count as numpy counts them."""
    label = labels(0, 64, 128).repeat(8, axis=0).repeat(8, axis=1)
    output = np.random.default_rng(0).standard_normal((20, 512, 1024), np.float32).astype(dtype)
    scored = label < 19
    expected = np.bincount(label[scored].astype(int) * 20 + output.argmax(axis=0)[scored], minlength=380).reshape(
        19, 20
    )

    assert np.array_equal(expected, postprocess.tally(output, label))


def test_void_wins_a_pixel_from_its_class():
    """Channel 19 is a prediction: an argmax over the first 19 would turn the miss into a hit."""
    output = np.zeros((20, 1, 2), np.float32)
    output[5] = 1
    output[19, 0, 0] = 2
    label = np.full((1, 2), 5, np.uint8)
    matrix, without = postprocess.tally(output, label), postprocess.tally(output[:19], label)

    assert {(5, 5): 1, (5, 19): 1} == {(int(r), int(c)): int(matrix[r, c]) for r, c in np.argwhere(matrix)}
    assert {(5, 5): 2} == {(int(r), int(c)): int(without[r, c]) for r, c in np.argwhere(without)}


def test_rows_are_true_and_columns_are_predicted():
    """A road called car is in row 0, column 13, not the other way round."""
    matrix = postprocess.tally(np.array([[13]]), np.array([[0]], np.uint8))

    assert [[0, 13]] == np.argwhere(matrix).tolist()
    assert (19, 20) == matrix.shape
    assert np.int64 == matrix.dtype


@pytest.mark.parametrize("ignored", [19, 33, 254, 255])
def test_pixels_without_a_class_do_not_count(ignored):
    """Whatever is predicted where nothing is labelled is neither a hit nor an error."""
    matrix = postprocess.tally(np.full((2, 2), 7), np.full((2, 2), ignored, np.uint8))

    assert 0 == matrix.sum()


def test_a_shifted_label_is_noticed():
    """Each pixel is compared with its own label: one column off is another matrix."""
    label = labels(1, 16, 32)
    matrix = postprocess.tally(label, label)

    assert matrix.sum() == np.trace(matrix) + matrix[:, 19].sum()
    assert not np.array_equal(matrix, postprocess.tally(label, np.roll(label, 1, axis=1)))


@FLOATS
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("place", [(0, 0, 0), (1, 4, 0), (2, 0, 34), (3, 1, 2), (18, 2, 3), (19, 4, 34)])
def test_nan_is_a_bad_output(dtype, sign, place):
    """A NaN of either sign anywhere is named with its place, also where no class would have won."""
    output = np.zeros((20, 5, 35), dtype)
    output[place] = np.copysign(np.nan, sign)
    channel, y, x = place

    with pytest.raises(BadOutput, match=f"NaN, first in channel {channel} at row {y}, column {x}"):
        postprocess.tally(output, np.full((5, 35), 255, np.uint8))


def test_views_will_do():
    """Mirrored logits, a mirrored label and read-only arrays count as their copies do."""
    output, label = logits(2, 20, 8, 12).astype(np.float32)[:, ::-1], labels(2, 8, 12)[::-1]
    expected = postprocess.tally(output.copy(), label.copy())
    output.setflags(write=False)
    label.setflags(write=False)

    assert np.array_equal(expected, postprocess.tally(output, label))


def enlarged(small, factor):
    """Logits brought to their larger size with the corners aligned, in float32: every row first, every column then."""
    for axis in (2, 1):
        n, size = small.shape[axis], small.shape[axis] * factor
        place = np.arange(size, dtype=np.float32) * (np.float32(n - 1) / np.float32(size - 1))
        low = place.astype(int)
        share = (place - low.astype(np.float32)).reshape((-1,) + (1,) * (2 - axis))
        high = np.minimum(low + 1, n - 1)
        small = small.take(low, axis) * (np.float32(1) - share) + small.take(high, axis) * share
    assert np.float32 == small.dtype
    return small


def nearly_tied(seed, height, width):
    """Logits (19, height, width) of a few values one last bit apart, and signed zeros: rounding decides each pixel."""
    rng = np.random.default_rng([seed, 3])
    value = np.float32(rng.standard_normal())
    values = [value, np.nextafter(value, np.float32(9)), np.nextafter(value, np.float32(-9)), 0.0, -0.0]
    return rng.choice(np.float32(values[: rng.integers(2, 6)]), (19, height, width))


@settings(deadline=None)
@given(seed=SEED, height=st.integers(1, 6), width=st.integers(1, 9), factor=st.integers(2, 8), tied=st.booleans())
def test_small_logits_are_enlarged_before_the_first_maximum(seed, height, width, factor, tied):
    """HRNet's output is blended in float32, every product and sum rounded, and only then asked for its maximum."""
    made = nearly_tied(seed, height, width)
    output = made if tied else np.random.default_rng(seed).standard_normal(made.shape, np.float32)
    label = labels(seed, height * factor, width * factor)
    predicted = enlarged(output, factor).argmax(axis=0)
    classmap = np.empty(label.shape, np.uint8)

    assert count(predicted, label).tolist() == postprocess.tally(output, label, classmap).tolist()
    assert predicted.tolist() == classmap.tolist()


def test_small_logits_are_enlarged_as_torch_does_it():
    """Wherever the two highest logits are not within rounding of each other, the classes are those of torch."""
    output = np.random.default_rng(4).standard_normal((19, 32, 64), np.float32)
    label, classmap = labels(4, 128, 256), np.empty((128, 256), np.uint8)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(output)[None], label.shape, mode="bilinear", align_corners=True
    )[0]
    highest = theirs.sort(dim=0).values
    clear = (highest[-1] - highest[-2] > 1e-5).numpy()
    postprocess.tally(output, label, classmap)

    assert clear.mean() > 0.999
    assert np.array_equal(theirs.argmax(dim=0).numpy()[clear], classmap[clear])


def test_small_float16_logits_are_widened_before_they_are_enlarged():
    """The blends keep the bits that float16 has no place for."""
    output, label = logits(6, 19, 8, 16).clip(-9, 9).astype(np.float16) / np.float16(3), labels(6, 32, 64)
    predicted = enlarged(output.astype(np.float32), 4).argmax(axis=0)
    classmap = np.empty(label.shape, np.uint8)
    postprocess.tally(output, label, classmap)

    assert np.array_equal(predicted, classmap)
    assert not np.array_equal(enlarged(output.astype(np.float32), 4).astype(np.float16).argmax(axis=0), classmap)


@FLOATS
@pytest.mark.parametrize(("value", "what"), [(np.nan, "NaN"), (-np.nan, "NaN"), (np.inf, "an infinity, which")])
def test_small_logits_that_are_no_numbers_are_a_bad_output(dtype, value, what):
    """NaN as at full size; an infinity as well, since a neighbour of it with a share of 0 would become NaN."""
    output = np.zeros((19, 4, 8), dtype)
    output[3, 1, 2] = value

    with pytest.raises(BadOutput, match=f"{what}.* first in channel 3 at row 1, column 2"):
        postprocess.tally(output, np.full((8, 16), 255, np.uint8))


def test_nan_is_named_before_an_infinity():
    """It is the worse of the two, wherever it stands."""
    output = np.zeros((19, 4, 8), np.float32)
    output[0, 0, 0], output[3, 1, 2] = np.inf, np.nan

    with pytest.raises(BadOutput, match="NaN, first in channel 3 at row 1, column 2"):
        postprocess.tally(output, np.full((8, 16), 255, np.uint8))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((20, 4, 8), np.float32),
        ((19, 8, 8), np.float32),
        ((19, 4, 16), np.float32),
        ((19, 2, 8), np.float32),
        ((19, 3, 6), np.float32),
        ((19, 16, 32), np.float32),
        ((19, 0, 0), np.float32),
        ((19, 4, 8), np.int64),
        ((4, 8), np.int64),
    ],
)
def test_sizes_that_differ_are_a_problem(shape, dtype):
    """Only 19 logits are enlarged, by a whole factor, the same both ways; else both sizes are named."""
    with pytest.raises(Problem, match=f"the output is {'x'.join(map(str, shape))} and the label 8x16; they must be"):
        postprocess.tally(np.zeros(shape, dtype), np.zeros((8, 16), np.uint8))


@pytest.mark.parametrize(
    "output",
    [
        np.zeros((18, 4, 8), np.float32),
        np.zeros((21, 4, 8), np.float32),
        np.zeros((4, 8), np.float32),
        np.zeros((20, 4, 8)),
        np.zeros((20, 4, 8), np.int32),
        np.zeros((1, 20, 4, 8), np.float32),
        np.zeros((4, 8), np.bool_),
    ],
)
def test_an_output_of_another_kind_is_a_problem(output):
    """The sentence names the type and the shape that were found."""
    shape = "x".join(map(str, output.shape))

    with pytest.raises(Problem, match=f"the output is {output.dtype} of {shape}; it must be 19 or 20 channels"):
        postprocess.tally(output, np.zeros((4, 8), np.uint8))


def test_a_label_of_another_type_is_refused():
    """Only uint8 trainIds are counted: an int64 label is a mistake of the caller."""
    with pytest.raises(ValueError, match="the label is int64"):
        postprocess.tally(np.zeros((4, 8), np.uint8), np.zeros((4, 8), np.int64))


def test_a_class_map_of_another_size_is_refused():
    """The place for the classes must fit them."""
    with pytest.raises(ValueError, match="could not broadcast"):
        postprocess.tally(np.zeros((4, 8), np.uint8), np.zeros((4, 8), np.uint8), np.zeros((2, 4), np.uint8))


@pytest.mark.parametrize("suffix", [".bin", ".npy"])
@pytest.mark.parametrize(
    ("kind", "shape", "dtype"),
    [
        ("logits", (20, 4, 8), np.float32),
        ("logits", (20, 4, 8), np.float16),
        ("classes", (4, 8), np.int64),
        ("classes", (4, 8), np.int32),
        ("classes", (4, 8), np.uint8),
    ],
)
def test_a_result_file_is_read_as_its_size_says(tmp_path, suffix, kind, shape, dtype):
    """A .bin of ais_bench and a .npy come back with their values, their type and the shape asked for."""
    path = tmp_path / f"frame_0{suffix}"
    written = np.random.default_rng(0).integers(0, 99, shape).astype(dtype)
    written.tofile(path) if suffix == ".bin" else np.save(path, written[None])
    found = postprocess.read_output(path, shape, kind)

    assert (dtype, shape) == (found.dtype, found.shape)
    assert np.array_equal(written, found)


def test_a_result_file_that_is_read_stays_as_it_is(tmp_path):
    """Writing into the array does not write into the file."""
    path = tmp_path / "frame_0.bin"
    np.zeros((4, 8), np.uint8).tofile(path)
    postprocess.read_output(path, (4, 8), "classes")[:] = 1

    assert bytes(32) == path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "size", "right"),
    [
        ("logits", 1279, "logits of 20x4x8 are 2560 bytes as float32 or 1280 bytes as float16"),
        ("logits", 0, "logits of 20x4x8 are 2560 bytes as float32 or 1280 bytes as float16"),
        ("classes", 1280, "classes of 20x4x8 are 5120 bytes as int64 or 2560 bytes as int32 or 640 bytes as uint8"),
    ],
)
def test_a_result_file_of_another_size_is_a_problem(tmp_path, kind, size, right):
    """A file that ended early, or belongs to another network, is named with both sizes."""
    path = tmp_path / "frame_0.bin"
    path.write_bytes(bytes(size))

    with pytest.raises(Problem, match=rf"frame_0\.bin: holds {size} bytes; {re.escape(right)}"):
        postprocess.read_output(path, (20, 4, 8), kind)


@pytest.mark.parametrize("array", [np.zeros((20, 4, 8)), np.zeros((20, 4, 9), np.float32)])
def test_a_npy_of_another_kind_is_a_problem(tmp_path, array):
    """The type and shape that the file itself tells are compared."""
    path = tmp_path / "frame_0.npy"
    np.save(path, array)

    with pytest.raises(Problem, match=rf"frame_0\.npy: holds {array.dtype} of 20x4x.; logits are 20x4x8 in float32"):
        postprocess.read_output(path, (20, 4, 8), "logits")


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", b"nothing of the kind"])
def test_a_npy_that_is_none_is_a_problem(tmp_path, content):
    """An absent, an empty, a cut and a foreign file are named."""
    path = tmp_path / "frame_0.npy"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(Problem, match=r"frame_0\.npy: cannot be read"):
        postprocess.read_output(path, (20, 4, 8), "logits")


def test_an_absent_result_file_is_a_problem(tmp_path):
    """The file that is missing is named."""
    with pytest.raises(Problem, match=r"frame_0\.bin: cannot be read .*No such file"):
        postprocess.read_output(tmp_path / "frame_0.bin", (20, 4, 8), "logits")


def test_frames_can_be_scored_in_parallel():
    """Every compiled kernel lets other threads run."""
    kernels = [found for found in vars(postprocess).values() if isinstance(found, CPUDispatcher)]

    assert kernels
    assert all(kernel.targetoptions["nogil"] for kernel in kernels)

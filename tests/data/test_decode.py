"""Pixels as Pillow reads them, and one sentence for every file that is no photograph or no ground truth."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roadworthy.data import decode
from roadworthy.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = st.integers(1, 24)
COMPILED = settings(deadline=None)
SCORED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)  # of labels.py, by trainId
TRAIN_IDS = {label_id: train_id for train_id, label_id in enumerate(SCORED)}


def pillow(path: Path) -> NDArray[np.uint8]:
    """The pixels as Pillow reads them."""
    with Image.open(path) as image:
        return np.array(image)


def noise(*shape: int) -> NDArray[np.uint8]:
    """Random bytes."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_an_image_is_what_was_saved(tmp_path):
    """RGB in the order of the file."""
    pixels = noise(16, 24, 3)
    Image.fromarray(pixels).save(tmp_path / "image.png")

    assert pixels.tolist() == decode.read_image(tmp_path / "image.png").tolist()


def test_a_label_of_ids_is_mapped_to_train_ids(tmp_path):
    """Each id as its trainId, and 255 for ids that are not scored."""
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(ids).save(tmp_path / "label.png")
    expected = [[TRAIN_IDS.get(value, 255) for value in row] for row in ids.tolist()]

    assert expected == decode.read_label(tmp_path / "label.png", "labelIds").tolist()


def test_a_label_of_train_ids_is_read_as_it_is(tmp_path):
    """0..18 and 255."""
    label = np.array([[0, 18], [255, 7]], np.uint8)
    Image.fromarray(label).save(tmp_path / "label.png")

    assert label.tolist() == decode.read_label(tmp_path / "label.png", "labelTrainIds").tolist()


@pytest.mark.parametrize("read", [decode.read_image, lambda path: decode.read_label(path, "labelIds")])
def test_a_truncated_file_is_a_problem_wherever_it_ends(tmp_path, read):
    """A file that stops before its last pixel, as an aborted download does, is never read."""
    path = tmp_path / "cut.png"
    Image.fromarray(noise(8, 8, 3) if read is decode.read_image else noise(8, 8)).save(path)
    whole = path.read_bytes()

    for length in range(len(whole) - 24):  # behind the last pixel follow checksums and the end mark
        path.write_bytes(whole[:length])
        with pytest.raises(Problem, match=r"cut\.png: is damaged, truncated, or no PNG"):
            read(path)


def test_a_flipped_bit_is_a_problem(tmp_path):
    """The checksum is compared, so that damage on a disk is not scored."""
    path = tmp_path / "image.png"
    Image.fromarray(noise(8, 8, 3)).save(path)
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)

    with pytest.raises(Problem, match=r"image\.png: is damaged"):
        decode.read_image(path)


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16", "1"])
def test_an_image_of_another_kind_is_a_problem(tmp_path, mode):
    """The sentence names the file and what would be right."""
    path = tmp_path / "image.png"
    Image.new(mode, (4, 2)).save(path)

    with pytest.raises(Problem, match=r"image\.png: .*; a photograph is an 8-bit RGB PNG"):
        decode.read_image(path)


def test_a_label_in_colour_is_a_problem(tmp_path):
    """A gtFine_color file is not taken for ground truth."""
    path = tmp_path / "label.png"
    Image.new("RGB", (4, 2)).save(path)

    with pytest.raises(Problem, match=r"label\.png: holds 3 channels of uint8; a label is an 8-bit gray PNG"):
        decode.read_label(path, "labelTrainIds")


def test_a_file_that_is_no_png_is_a_problem(tmp_path):
    """A photograph in another format is named."""
    path = tmp_path / "image.png"
    Image.new("RGB", (64, 64)).save(path, format="JPEG")

    with pytest.raises(Problem, match=r"image\.png: is damaged, truncated, or no PNG"):
        decode.read_image(path)


def test_a_missing_file_is_a_problem(tmp_path):
    """The sentence names the path and the reason of the system."""
    with pytest.raises(Problem, match=r"absent\.png: cannot be read \(No such file or directory\)"):
        decode.read_image(tmp_path / "absent.png")


def test_ids_in_a_file_of_train_ids_are_a_problem(tmp_path):
    """A labelIds file under the other name would score silently wrong; its first strange value is named."""
    path = tmp_path / "label.png"
    Image.fromarray(np.array([[7, 33, 26], [18, 255, 0]], np.uint8)).save(path)

    with pytest.raises(Problem, match=r"label\.png: holds the value 26; trainIds are 0\.\.18 and 255"):
        decode.read_label(path, "labelTrainIds")


def test_an_unknown_kind_of_label_is_a_problem(tmp_path):
    """A misspelt kind is not taken for one of the two."""
    path = tmp_path / "label.png"
    Image.new("L", (4, 2)).save(path)

    with pytest.raises(Problem, match=r"'labelTrainId' are unknown"):
        decode.read_label(path, "labelTrainId")


@COMPILED
@given(seed=st.integers(0, 2**32), before=st.tuples(SIDE, SIDE), after=st.tuples(SIDE, SIDE))
def test_a_label_is_resized_as_pil_nearest_does_it(seed, before, after):
    """Between any two sizes the kept pixels are those that Pillow keeps."""
    label = np.random.default_rng(seed).integers(0, 256, before, np.uint8)
    expected = np.asarray(Image.fromarray(label).resize(after[::-1], Image.Resampling.NEAREST))

    assert expected.tolist() == decode.resize_label(label, after).tolist()


@pytest.mark.parametrize("size", [(1024, 2048), (1025, 2047), (720, 1280), (300, 777)])
def test_a_full_label_is_resized_as_pil_nearest_does_it(size):
    """At real sizes, where the added-up step has had room to drift, the kept pixels are Pillow's as well."""
    label = np.random.default_rng(3).integers(0, 256, size, np.uint8)
    expected = np.asarray(Image.fromarray(label).resize((1024, 512), Image.Resampling.NEAREST))

    assert np.array_equal(expected, decode.resize_label(label, (512, 1024)))


def test_halving_a_label_keeps_the_odd_pixels():
    """ERFNet's ground truth: neither the even pixels nor any mixture of neighbours."""
    label = np.arange(32, dtype=np.uint8).reshape(4, 8)

    assert [[9, 11, 13, 15], [25, 27, 29, 31]] == decode.resize_label(label, (2, 4)).tolist()


def test_a_label_that_fits_is_not_copied():
    """The label itself comes back."""
    label = np.zeros((4, 8), np.uint8)

    assert label is decode.resize_label(label, (4, 8))


@pytest.mark.realdata
def test_real_frames_are_what_pillow_reads(cityscapes9):
    """Nine photographs and their eighteen labels, bit for bit."""
    images = sorted(cityscapes9.glob("leftImg8bit/val/*/*.png"))
    labels = sorted(cityscapes9.glob("gtFine/val/*/*_labelTrainIds.png"))

    assert (9, 9) == (len(images), len(labels))
    for path in images:
        assert np.array_equal(pillow(path), decode.read_image(path))
    for path in labels:
        ids = path.with_name(path.name.replace("labelTrainIds", "labelIds"))
        assert np.array_equal(pillow(path), decode.read_label(path, "labelTrainIds"))
        assert np.array_equal(pillow(path), decode.read_label(ids, "labelIds"))


def test_what_numba_asks_numpy_for_is_there_before_threads_are():
    """Two threads that load `numpy.ma` on first use at once end in a RecursionError within numpy."""
    code = "import sys, roadworthy.data.decode; print('numpy.ma' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "True\n" == done.stdout

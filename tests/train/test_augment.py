"""Crops: image and label cut alike, padding ignored, sizes and blur as often as told, the same by the same generator."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from roadworthy.train.augment import IGNORED, Cut

SIZE = (64, 96)


def encoded(label: np.ndarray) -> np.ndarray:
    """A photograph whose pixels tell their label."""
    return np.stack([13 * label.astype(int), 250 - label, 100 + label], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def label() -> np.ndarray:
    """Blocks of classes; no pixel of it is ignored, and no mirror image of it is itself."""
    return np.kron(np.random.default_rng(3).integers(0, 19, (8, 12)), np.ones((8, 8), int)).astype(np.uint8)


def cuts(cut: Cut, label: np.ndarray, number: int):
    """Crops by generators of their own."""
    return [cut(encoded(label), label, np.random.default_rng(seed)) for seed in range(number)]


def test_a_crop_as_large_as_the_frame_is_the_frame_or_its_mirror(label):
    """Byte for byte, the label too, and both occur about as often."""
    found = cuts(Cut(SIZE, (64, 64), 0.0), label, 60)
    mirrored = [not np.array_equal(pixels, encoded(label)) for pixels, _ in found]

    for (pixels, ids), flipped in zip(found, mirrored, strict=True):
        way = -1 if flipped else 1
        assert np.array_equal(encoded(label)[:, ::way], pixels)
        assert np.array_equal(label[:, ::way], ids)
    assert 15 < sum(mirrored) < 45


@pytest.mark.parametrize("crop", [(32, 48), (16, 96), (64, 8), (40, 40)])
def test_image_and_label_are_cut_alike(label, crop):
    """Without a change of size every pixel of a crop tells its label, wherever it was cut; and it is a window of the frame."""
    places = set()
    for pixels, ids in cuts(Cut(crop, (64, 64), 0.0), label, 40):
        assert (*crop, 3) == pixels.shape
        assert np.array_equal(encoded(ids), pixels)
        windows = np.lib.stride_tricks.sliding_window_view(label, crop)
        here = np.argwhere((windows == ids).all((2, 3)) | (windows == ids[:, ::-1]).all((2, 3)))
        assert len(here) > 0
        places.add(tuple(here[0]))

    assert len(places) > 8  # anywhere in the frame


@pytest.mark.parametrize("short", [32, 48, 96, 128])
def test_a_frame_is_resized_as_by_pillow(label, short):
    """The whole frame at another size: bilinear for the photograph, nearest for the label."""
    size = (short, short * 3 // 2)
    photograph = Image.fromarray(encoded(label)).resize(size[::-1], Image.Resampling.BILINEAR)
    truth = Image.fromarray(label).resize(size[::-1], Image.Resampling.NEAREST)

    for pixels, ids in cuts(Cut(size, (short, short), 0.0), label, 4):
        way = 1 if np.array_equal(ids, truth) else -1
        assert np.array_equal(np.asarray(photograph)[:, ::way], pixels)
        assert np.array_equal(np.asarray(truth)[:, ::way], ids)


def test_a_window_of_a_resized_frame_is_that_window(label):
    """Only what the crop shows is resized, to the pixels that the whole frame would have there, within rounding."""
    whole = np.asarray(Image.fromarray(encoded(label)).resize((192, 128), Image.Resampling.BILINEAR)).astype(int)
    truth = np.asarray(Image.fromarray(label).resize((192, 128), Image.Resampling.NEAREST))
    windows = np.lib.stride_tricks.sliding_window_view(truth, (96, 96))
    for pixels, ids in cuts(Cut((96, 96), (128, 128), 0.0), label, 6):
        found = [
            np.abs(whole[y : y + 96, x : x + 96][:, ::way] - pixels).max()
            for way in (1, -1)
            for y, x in np.argwhere((windows[..., ::way] == ids).all((2, 3)))
        ]

        assert min(found) <= 1


def test_padding_is_black_and_ignored(label):
    """A frame smaller than the crop lies above and to the left, whole; around it nothing is taught."""
    for pixels, ids in cuts(Cut((80, 120), (64, 64), 0.0), label, 10):
        outside = np.ones((80, 120), bool)
        outside[:64, :96] = False

        assert {IGNORED} == set(ids[outside])
        assert 0 == pixels[outside].max()
        assert np.array_equal(encoded(ids[:64, :96]), pixels[:64, :96])
        assert np.array_equal(np.sort(label, None), np.sort(ids[:64, :96], None))


def test_a_frame_is_padded_on_the_one_side_where_it_is_too_small(label):
    """Cut in width, padded in height."""
    for _, ids in cuts(Cut((80, 40), (64, 64), 0.0), label, 10):
        assert {IGNORED} == set(ids[64:].ravel())
        assert IGNORED not in ids[:64]


def test_what_is_ignored_stays_ignored(label):
    """Ignored pixels of the label are cut and mirrored as the others."""
    some = label.copy()
    some[:16] = IGNORED

    assert {16 * 96} == {int((ids == IGNORED).sum()) for _, ids in cuts(Cut(SIZE, (64, 64), 0.0), some, 5)}


def test_every_size_between_the_bounds_occurs(label):
    """The short side is drawn from the lowest to the highest, both included."""
    sizes = {int((ids[:, 0] != IGNORED).sum()) for _, ids in cuts(Cut((72, 200), (60, 66), 0.0), label, 120)}

    assert set(range(60, 67)) == sizes


def test_the_proportion_of_a_frame_stays(label):
    """Height and width grow alike, a tall frame's too."""
    _, wide = Cut((200, 200), (96, 96), 0.0)(encoded(label), label, np.random.default_rng(0))
    tall = np.ascontiguousarray(label.T)
    _, high = Cut((200, 200), (96, 96), 0.0)(encoded(tall), tall, np.random.default_rng(0))

    assert (96, 144) == tuple(int((side != IGNORED).sum()) for side in (wide[:, 0], wide[0]))
    assert (144, 96) == tuple(int((side != IGNORED).sum()) for side in (high[:, 0], high[0]))


@pytest.mark.parametrize(("blur", "lowest", "highest"), [(0.0, 0, 0), (0.5, 65, 110), (1.0, 155, 190)])
def test_so_many_photographs_are_blurred_and_no_label(label, blur, lowest, highest):
    """Of 200 crops; radii are drawn from 0 to 1, and those below 0.15 change no byte. Labels keep their edges."""
    found = cuts(Cut(SIZE, (64, 64), blur), label, 200)
    blurred = [not np.array_equal(encoded(ids), pixels) for pixels, ids in found]

    assert lowest <= sum(blurred) <= highest
    assert all(np.array_equal(ids, label) or np.array_equal(ids, label[:, ::-1]) for _, ids in found)


def test_the_same_generator_gives_the_same_crop(label):
    """Byte for byte; another gives another, and the frame itself is left as it was."""
    cut, before = Cut((32, 32), (40, 90), 0.5), label.copy()
    first, again = cuts(cut, label, 8), cuts(cut, label, 8)

    assert all(np.array_equal(a, b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))
    assert not any(np.array_equal(x[0], y[0]) for x, y in pairwise(first))
    assert np.array_equal(before, label)


@pytest.mark.parametrize("size", [(61, 97), (7, 1000), (333, 512)])
def test_any_frame_at_any_size_can_be_cut(size):
    """No rounding puts a window's edge outside of the frame."""
    label = np.zeros(size, np.uint8)
    cut = Cut((min(size), 8), (min(size) // 2 + 1, 2 * min(size)), 0.0)

    assert {(*cut.crop, 3)} == {pixels.shape for pixels, _ in cuts(cut, label, 40)}

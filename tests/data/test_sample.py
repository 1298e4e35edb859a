"""The drawn data set: the same pixels everywhere, every class often enough, and the folder layout of Cityscapes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from roadworthy.data import sample
from roadworthy.data.decode import TRAIN_IDS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VAL_FRAMES = 24
LABEL_IDS = {  # of the 19 classes, in order of trainId, from cityscapesScripts' labels.py
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
PINS = [  # of VERSION 1: split, index, sha256 of the RGB bytes, sha256 of the labelIds
    (
        "val",
        0,
        "e4c67feef76e0104263fadcd70c3c0283da8569594823623801460ec6bc8c728",
        "70814ef0feb28c7518ad306528b70e1164b22f69e6400688a08c201131cf3eb6",
    ),
    (
        "val",
        7,
        "9a1b27d2ac5f84586aff5a58af21c94131be7df2ed4e78f5f8cec503644ce88e",
        "becd2e6b40113bd43a9bf72bb1b1151af403a173173e6d3873f61e3bfc788643",
    ),
    (
        "train",
        3,
        "ee2e1e3ee8dc833f3be2d2dd0e834e1cf4068a7a6d37d1150b3bd999353dc3e8",
        "2221f52149ec4f5ac05970cd3097b5e4c9f838304a7810cf1c41e09934ad45a4",
    ),
]


@pytest.fixture(scope="module")
def counts() -> NDArray[np.int64]:
    """Pixels of each labelId in each val frame, (frames, 256)."""
    return np.array([np.bincount(sample.draw("val", i)[1].ravel(), minlength=256) for i in range(VAL_FRAMES)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames of val as `write` leaves them."""
    root = tmp_path_factory.mktemp("sample")
    sample.write(root, "val", 2)
    return root


def _read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.array(image)


@pytest.mark.parametrize(("split", "index", "rgb_sha256", "labels_sha256"), PINS)
def test_pixels_are_the_pinned_ones(split: str, index: int, rgb_sha256: str, labels_sha256: str) -> None:
    """A frame of VERSION 1 has these bytes on every machine; other bytes call for another VERSION and new pins."""
    rgb, labels = sample.draw(split, index)

    assert sample.VERSION == 1
    assert (rgb_sha256, labels_sha256) == tuple(hashlib.sha256(part.tobytes()).hexdigest() for part in (rgb, labels))


def test_a_frame_is_a_picture_with_one_label_id_a_pixel() -> None:
    """The picture is RGB of 1024 x 2048 bytes, the labels are as high and wide."""
    rgb, labels = sample.draw("val", 1)

    assert ((1024, 2048, 3), (1024, 2048)) == (rgb.shape, labels.shape)
    assert ("uint8", "uint8") == (rgb.dtype.name, labels.dtype.name)


@pytest.mark.parametrize("name", LABEL_IDS)
def test_every_class_is_large_in_a_third_of_the_val_frames(name: str, counts: NDArray[np.int64]) -> None:
    """Each of the 19 classes covers 2000 pixels or more in at least 8 of the 24 frames: its IoU means something."""
    large = counts[:, LABEL_IDS[name]] >= 2000

    assert VAL_FRAMES // 3 <= large.sum()


def test_labels_are_classes_or_void(counts: NDArray[np.int64]) -> None:
    """Beside the 19 classes there are only ego vehicle, out of roi and static, and they are there, ignored."""
    assert {*LABEL_IDS.values(), 1, 3, 4} == set(np.flatnonzero(counts.sum(axis=0)).tolist())


def test_the_rim_is_out_of_the_region_of_interest() -> None:
    """The outermost four pixels of every edge are labelled 3, those within are not."""
    labels = sample.draw("train", 0)[1]
    inner = labels[4:-4, 4:-4]

    assert labels.size - inner.size == (labels == 3).sum()
    assert not (inner == 3).any()


def test_no_frame_is_drawn_twice() -> None:
    """Frames of one split differ from each other, and train from val, in picture and labels."""
    frames = [sample.draw(split, index) for split in ("train", "val") for index in (0, 1)]

    assert len(frames) == len({rgb.tobytes() for rgb, _ in frames})
    assert len(frames) == len({labels.tobytes() for _, labels in frames})


def test_an_unknown_split_is_refused() -> None:
    """A split without a seed of its own raises KeyError rather than share another's frames."""
    with pytest.raises(KeyError, match="valid"):
        sample.draw("valid", 0)


def test_folders_and_names_are_those_of_cityscapes(folder: Path) -> None:
    """Photographs lie under leftImg8bit and both kinds of labels under gtFine, by split and city."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    assert [
        "gtFine/val/sample/sample_000000_000019_gtFine_labelIds.png",
        "gtFine/val/sample/sample_000000_000019_gtFine_labelTrainIds.png",
        "gtFine/val/sample/sample_000001_000019_gtFine_labelIds.png",
        "gtFine/val/sample/sample_000001_000019_gtFine_labelTrainIds.png",
        "leftImg8bit/val/sample/sample_000000_000019_leftImg8bit.png",
        "leftImg8bit/val/sample/sample_000001_000019_leftImg8bit.png",
    ] == found


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("leftImg8bit/val/sample/sample_000001_000019_leftImg8bit.png", "RGB"),
        ("gtFine/val/sample/sample_000001_000019_gtFine_labelIds.png", "L"),
        ("gtFine/val/sample/sample_000001_000019_gtFine_labelTrainIds.png", "L"),
    ],
)
def test_files_have_the_mode_and_size_of_cityscapes(folder: Path, name: str, mode: str) -> None:
    """Photographs are 8-bit RGB, labels 8-bit grey, all 2048 wide and 1024 high."""
    with Image.open(folder / name) as image:
        assert (mode, (2048, 1024), "PNG") == (image.mode, image.size, image.format)


def test_files_hold_what_was_drawn(folder: Path) -> None:
    """The PNGs give back the drawn picture and labels without loss."""
    rgb, labels = sample.draw("val", 1)
    photograph = _read(folder / "leftImg8bit/val/sample/sample_000001_000019_leftImg8bit.png")
    truth = _read(folder / "gtFine/val/sample/sample_000001_000019_gtFine_labelIds.png")

    assert np.array_equal(rgb, photograph)
    assert np.array_equal(labels, truth)


def test_train_ids_are_the_mapped_label_ids(folder: Path) -> None:
    """The 19 classes become 0 to 18 in the benchmark's order, every other labelId becomes 255."""
    label_ids = _read(folder / "gtFine/val/sample/sample_000000_000019_gtFine_labelIds.png")
    train_ids = _read(folder / "gtFine/val/sample/sample_000000_000019_gtFine_labelTrainIds.png")
    expected = np.full_like(label_ids, 255)
    for train_id, label_id in enumerate(LABEL_IDS.values()):
        expected[label_ids == label_id] = train_id

    assert np.array_equal(expected, train_ids)


def test_every_label_id_has_a_train_id() -> None:
    """Label ids that no frame holds, 255 among them, are ignored too."""
    mapped = TRAIN_IDS

    assert {label_id: train_id for train_id, label_id in enumerate(LABEL_IDS.values())} == {
        int(label_id): int(mapped[label_id]) for label_id in np.flatnonzero(mapped != 255)
    }


def test_writing_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """A second run writes files identical to the first's, whichever thread was faster."""
    sample.write(tmp_path, "val", 2)
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*.png")} for root in (folder, tmp_path)
    )

    assert first == second


def test_progress_is_told_after_each_frame(tmp_path: Path) -> None:
    """The callback gets the number of frames done, one call a frame."""
    told: list[int] = []
    sample.write(tmp_path, "test", 3, told.append)

    assert [1, 2, 3] == told

"""Cityscapes folders: frames paired by name in a fixed order, every problem listed before a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roadworthy.data import cityscapes
from roadworthy.problem import Problem

SHAPE = (3, 64, 128)


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    """A copy of the small data set that a test may break; not drawn by roadworthy, so named after its bytes."""
    root = tmp_path / "mine"
    shutil.copytree(tiny_data, root)
    (root / cityscapes.ORIGIN_FILE).unlink()
    return root


def test_frames_are_sorted_by_stem_and_paired_by_name(data):
    """Whatever the file system's order, and whatever lies beside."""
    (data / "leftImg8bit" / "val" / "bonn" / "notes.txt").write_text("")
    dataset = cityscapes.open_dataset(data)
    stems = [frame.stem for frame in dataset.frames]

    assert 5 == len(dataset)
    assert sorted(stems) == stems
    assert all(frame.stem in frame.label.name for frame in dataset.frames)


def test_the_preferred_kind_of_label_is_taken_and_the_other_where_it_is_absent(data):
    """TrainIds are derived from labelIds later, by the kind that is noted here."""
    first = cityscapes.open_dataset(data).frames[0]
    ids = first.label.with_name(first.label.name.replace("labelTrainIds", "labelIds"))
    shutil.copy(first.label, ids)

    assert "labelTrainIds" == cityscapes.open_dataset(data, prefer="labelTrainIds").frames[0].label_kind
    assert "labelIds" == cityscapes.open_dataset(data, prefer="labelIds").frames[0].label_kind
    assert "labelTrainIds" == cityscapes.open_dataset(data, prefer="labelIds").frames[1].label_kind


def test_the_name_of_checked_data_holds_digest_and_size(data):
    """The same bytes give the same name, other bytes another."""
    before = cityscapes.check(cityscapes.open_dataset(data), SHAPE)
    label = cityscapes.open_dataset(data).frames[0].label
    Image.fromarray(np.zeros((128, 256), np.uint8)).save(label)
    after = cityscapes.check(cityscapes.open_dataset(data), SHAPE)

    assert ("mine-", "/5") == (before[:5], before[-2:])
    assert before != after


def test_drawn_data_is_named_after_its_version(tiny_data):
    """The PNG encoder's version does not change the name."""
    assert "tiny-v1/5" == cityscapes.check(cityscapes.open_dataset(tiny_data), SHAPE)


def test_reading_tells_of_every_frame(tiny_data):
    """In order, with how many there are."""
    told = []
    dataset = cityscapes.open_dataset(tiny_data)
    cityscapes.check(dataset, (3, 64, 128), progress=lambda done, total: told.append((done, total)))

    assert [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)] == told


def test_an_empty_folder_says_what_would_be_right(tmp_path):
    """The layout is told."""
    with pytest.raises(Problem, match=r"no photographs; a Cityscapes folder holds leftImg8bit/val/<city>/"):
        cityscapes.open_dataset(tmp_path)


def test_all_missing_labels_are_listed(data):
    """Not only the first."""
    for frame in cityscapes.open_dataset(data).frames[:2]:
        frame.label.unlink()

    with pytest.raises(Problem, match="2 problems in this data set:(.*missing label of.*){2}".replace(".*", "(?s:.*)")):
        cityscapes.open_dataset(data)


def test_all_broken_frames_are_listed_at_once(data):
    """A truncated photograph, a label of another size, one in colour, a photograph of another shape."""
    frames = cityscapes.open_dataset(data).frames
    frames[0].image.write_bytes(frames[0].image.read_bytes()[:-500])
    Image.fromarray(np.zeros((64, 128), np.uint8)).save(frames[1].label)
    Image.fromarray(np.zeros((128, 256, 3), np.uint8)).save(frames[2].label)
    Image.fromarray(np.zeros((128, 200, 3), np.uint8)).save(frames[3].image)

    with pytest.raises(Problem) as caught:
        cityscapes.check(cityscapes.open_dataset(data), SHAPE)

    told = str(caught.value)
    assert f"{frames[0].image}: unreadable PNG" in told
    assert f"{frames[1].label}: 128x64, but its photograph is 256x128" in told
    assert f"{frames[2].label}: holds 3 channels of uint8; a label is an 8-bit gray PNG" in told
    assert f"{frames[3].image}: 200x128; it must be 128x64 or larger in the same proportion" in told


def test_a_long_list_of_problems_is_cut(data):
    """Twenty are shown, the rest is counted."""
    folder = data / "leftImg8bit" / "val" / "bonn"
    source = next(folder.glob("*.png"))
    for index in range(30):
        shutil.copy(source, folder / f"x_{index:06d}_000019_leftImg8bit.png")

    with pytest.raises(Problem, match="and 10 more"):
        cityscapes.open_dataset(data)


def test_two_cities_cannot_share_a_stem(data):
    """Results are paired by name, so a name must be one frame's."""
    image = cityscapes.open_dataset(data).frames[0].image
    shutil.copy(image, data / "leftImg8bit" / "val" / "bonn" / image.name)

    with pytest.raises(Problem, match="the name is taken by"):
        cityscapes.open_dataset(data)


def test_an_order_names_every_frame_once(data, tmp_path):
    """A file of stems gives the visiting order; a stranger, a double and a gap are named."""
    dataset = cityscapes.open_dataset(data)
    stems = [frame.stem for frame in dataset.frames]
    order = tmp_path / "order.txt"

    order.write_text("\n".join(reversed(stems)) + "\n")
    assert stems[::-1] == [frame.stem for frame in cityscapes.read_order(order, dataset).frames]

    for lines, told in (
        ([*stems, "x"], r"order\.txt:6: 'x' is not a frame"),
        ([*stems, stems[0]], r"order\.txt:6: .* is there twice"),
        (stems[:-1], "1 frames are missing, first"),
    ):
        order.write_text("\n".join(lines))
        with pytest.raises(Problem, match=told):
            cityscapes.read_order(order, dataset)


def test_drawn_frames_are_known_by_name_or_by_their_folder(tiny_data, tmp_path):
    """`sample`, and a folder that says who drew it; any other folder is somebody's photographs."""
    assert cityscapes.is_drawn("sample")
    assert cityscapes.is_drawn(str(tiny_data))
    assert not cityscapes.is_drawn(str(tmp_path))

"""Anybody's photograph: what can be read, what is told of the rest, and the way to a network's input and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from roadworthy.data import photograph, preprocess
from roadworthy.problem import Problem

LENGTH = st.integers(1, 300)


@pytest.fixture
def scene() -> Image.Image:
    """A photograph of 48x30: red at the left, blue at the right, noise all over."""
    pixels = np.random.RandomState(2).randint(0, 60, (30, 48, 3)).astype(np.uint8)
    pixels[:, :24, 0] += 190
    pixels[:, 24:, 2] += 190
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_8_bit_png_is_a_photograph(scene, tmp_path, mode):
    """Grey, colour, palette; what is transparent keeps its colour."""
    given_ = scene.convert("L").convert(mode) if mode == "LA" else scene.convert(mode)
    if mode in ("LA", "RGBA"):
        given_.putalpha(Image.new("L", scene.size, 7))
    given_.save(tmp_path / "a.png", **({"transparency": bytes(9)} if mode == "P" else {}))
    found = photograph.read(tmp_path / "a.png")

    assert ("RGB", scene.size) == (found.mode, found.size)
    expected = scene.convert("L").convert("RGB") if mode == "LA" else scene.convert(mode).convert("RGB")
    assert expected.tobytes() == found.tobytes()


def test_a_jpeg_stands_as_its_camera_was_held(scene, tmp_path):
    """Stored lying with a note to turn it, as telephones do; also in the colours of print."""
    note = Image.Exif()
    note[0x0112] = 6  # to be turned by 90 degrees clockwise
    scene.rotate(90, expand=True).save(tmp_path / "phone.jpg", exif=note)
    scene.convert("CMYK").save(tmp_path / "print.jpg")

    for name in ("phone.jpg", "print.jpg"):
        found = photograph.read(tmp_path / name)
        left, right = found.getpixel((6, 15)), found.getpixel((42, 15))
        assert ("RGB", (48, 30)) == (found.mode, found.size)
        assert left[0] > 150 > left[2]
        assert right[2] > 150 > right[0]


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_truncated_photograph_is_told_wherever_it_ends(scene, tmp_path, name):
    """One sentence that names the file, at every length; the last bytes of a JPEG or PNG hold no pixel."""
    scene.save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    path = tmp_path / f"cut-{name}"

    for length in range(0, len(whole) - 20, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(Problem, match=rf"cut-{name}: is .*damaged.*; a photograph is .*"):
            photograph.read(path)


def test_damage_is_a_problem_or_is_not_seen(scene, tmp_path):
    """A byte turned over anywhere, also in a camera's notes, gives a picture or one sentence."""
    note = Image.Exif()
    note[0x0112] = 6
    path = tmp_path / "a.jpg"
    for name, more in (("a.jpg", {"exif": note}), ("a.png", {"exif": note})):
        path = tmp_path / name
        scene.save(path, **more)
        whole = path.read_bytes()
        for place in range(0, min(len(whole), 700), 3):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
            try:
                assert "RGB" == photograph.read(path).mode
            except Problem as problem:
                assert str(problem).startswith(f"{path}: ")  # noqa: PT017  either may happen


def test_what_is_no_photograph_is_told(scene, tmp_path):
    """Nothing there, a folder, text, another format, 16 bits of grey."""
    (tmp_path / "text.png").write_text("a photograph")
    scene.save(tmp_path / "a.gif")
    Image.new("I;16", (4, 4)).save(tmp_path / "deep.png")
    told = {
        "none.png": r"cannot be read \(No such file or directory\)",
        ".": r"cannot be read \(Is a directory\)",
        "text.png": "is no JPEG or PNG",
        "a.gif": "is no JPEG or PNG",
        "deep.png": r"holds grey of more than 8 bits \(I;16\)",
    }

    for name, why in told.items():
        with pytest.raises(Problem, match=f"^{tmp_path / name}: {why}"):
            photograph.read(tmp_path / name)


def test_a_photograph_of_too_many_pixels_is_told_before_it_is_decoded(scene, tmp_path, monkeypatch):
    """Beyond Pillow's limit; below it, there is no warning either."""
    scene.save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 48 * 30 - 1)

    assert scene.size == photograph.read(tmp_path / "a.png").size
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 48 * 30 // 2 - 1)
    with pytest.raises(Problem, match=r"a\.png: is too large \("):
        photograph.read(tmp_path / "a.png")


@given(LENGTH, LENGTH, st.integers(8, 90), st.integers(8, 90))
def test_a_photograph_goes_into_any_input_by_proportion(across, down, height, width):
    """It fills the input one way, is in the middle, and its proportion is kept to the pixel; no more is cut out again."""
    fitted, box = photograph.fit(Image.new("RGB", (across, down), (9, 8, 7)), (height, width))
    left, top, right, bottom = box
    part = photograph.cut(fitted[..., 0], box)

    assert (height, width, 3) == fitted.shape
    assert {9} == set(fitted[..., 0].ravel())  # what is left over has the mean colour
    assert (bottom - top, right - left) == part.shape
    assert width == right - left or height == bottom - top
    assert abs(left - (width - right)) <= 1
    assert abs(top - (height - bottom)) <= 1
    scale = min(width / across, height / down)
    assert abs((right - left) - max(across * scale, 1)) <= 0.5
    assert abs((bottom - top) - max(down * scale, 1)) <= 0.5


def test_a_frame_of_the_inputs_proportion_is_resized_as_erfnets_guide_does():
    """Bit for bit, so that a demo shows what an evaluation counts."""
    pixels = np.random.RandomState(1).randint(0, 256, (128, 256, 3)).astype(np.uint8)
    recipe = preprocess.Recipe((64, 128), np.tile(np.arange(256, dtype=np.float32), (3, 1)))
    fitted, box = photograph.fit(Image.fromarray(pixels), (64, 128))

    assert (0, 0, 128, 64) == box
    assert preprocess.apply(recipe, pixels).astype(np.uint8).tobytes() == fitted.transpose(2, 0, 1).tobytes()

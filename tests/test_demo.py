"""A photograph through the small model: every colour is where its class is, and the legend says which it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from roadworthy import demo, pipeline, worker
from roadworthy.case import Case
from roadworthy.data import photograph
from roadworthy.problem import Problem
from roadworthy.run import Run
from roadworthy.soc import find
from roadworthy.workshop import Manner

ROAD, VEGETATION, SKY, CAR, VOID = 0, 8, 10, 13, 19
PAINTS = {ROAD: (128, 64, 128), VEGETATION: (107, 142, 35), SKY: (70, 130, 180), CAR: (0, 0, 142), VOID: (0, 0, 0)}


@pytest.fixture
def show(tiny_card, tmp_path):
    """Draws a photograph, which is saved under a name; gives the picture and its shares."""

    def draw(pixels: np.ndarray, name: str = "a.png") -> tuple[Image.Image, list[demo.Share]]:
        Image.fromarray(pixels).save(tmp_path / name)
        case, out = Case(tiny_card, find("cpu"), 1), tmp_path / "seen.png"
        found = demo.show(case, tmp_path / name, out, None, Manner(call=worker.here))
        return photograph.read(out), found

    return draw


def blended(colour: np.ndarray, classes: int) -> tuple[int, ...]:
    """The colour of an overlay, give or take 1."""
    mixed = (1 - demo.OPACITY) * colour + demo.OPACITY * np.array(PAINTS[classes])
    return pytest.approx(tuple(mixed), abs=1)


def test_photograph_and_class_map_lie_side_by_side(show, tiny_colours):
    """Pixel for pixel at the photograph's size, each class in its colour of Cityscapes, void in black."""
    fields = np.kron(np.array([[SKY, CAR], [ROAD, VOID]]), np.ones((100, 200), int))
    drawn, shares = show(tiny_colours[fields])
    right = demo.MARGIN + 400

    assert (2 * 400 + 3 * demo.MARGIN) == drawn.width
    for y in (3, 60, 90, 110, 140, 196):
        for x in (3, 100, 190, 210, 300, 396):
            classes = fields[y, x]
            place = demo.MARGIN + x, demo.MARGIN + y
            assert tuple(tiny_colours[classes]) == drawn.getpixel(place)
            assert blended(tiny_colours[classes], classes) == drawn.getpixel((place[0] + right, place[1]))
    assert PAINTS[ROAD] == drawn.getpixel((demo.MARGIN + 8, 200 + 2 * demo.MARGIN + 12))  # the legend's first swatch
    assert [(ROAD, 0.25), (SKY, 0.25), (CAR, 0.25), (VOID, 0.25)] == shares


@pytest.mark.parametrize(("height", "width"), [(300, 70), (37, 400), (51, 50)])
def test_what_was_added_to_fill_the_input_is_not_shown(show, tiny_colours, height, width):
    """A photograph of any proportion is covered to its edges, by classes that it has."""
    fields = np.full((height, width), ROAD)
    fields[: height // 2] = VEGETATION
    drawn, shares = show(tiny_colours[fields])
    left = 2 * demo.MARGIN + width

    for x in (0, width // 2, width - 1):
        for y, classes in ((0, VEGETATION), (height - 1, ROAD)):
            assert blended(tiny_colours[classes], classes) == drawn.getpixel((left + x, demo.MARGIN + y))
    assert (255, 255, 255) == drawn.getpixel((left + width, demo.MARGIN + height - 1))
    assert [pytest.approx(0.5, abs=0.09)] * 2 == [dict(shares)[ROAD], dict(shares)[VEGETATION]]


def test_it_is_the_class_map_that_an_evaluation_counts(tiny_card, tiny_data, tmp_path):
    """Same graph, same pixels: a frame of a data set as a photograph."""
    case, dataset = Case(tiny_card, find("cpu"), 1), pipeline.open_data(str(tiny_data), tiny_card)
    counted = Run(tmp_path, str(tiny_data), None, Manner(call=worker.here)).evaluation(case).maps[0]
    seen = photograph.read(dataset.frames[0].image)
    weights = pipeline.weights_file(tiny_card, None)

    assert counted.tobytes() == demo.class_map(case, seen, weights, Manner(call=worker.here)).tobytes()


def test_the_network_runs_at_its_full_size(tiny_card, tiny_colours):
    """Also one that runs small on drawn frames: a photograph is not drawn."""
    small = replace(tiny_card, sample=replace(tiny_card.sample, size=(8, 16)))
    seen = Image.fromarray(np.full((50, 100, 3), tiny_colours[CAR]))
    weights = pipeline.weights_file(tiny_card, None)

    assert (64, 128) == demo.class_map(Case(small, find("cpu"), 1), seen, weights, Manner(call=worker.here)).shape


def test_shares_are_sorted_and_void_comes_last():
    """It is called what it is; a share too small to print is not nothing."""
    classes = np.full((100, 100), VOID, np.uint8)
    classes[:30], classes[30, 0] = SKY, CAR
    found = demo.shares(classes)

    assert [(SKY, 0.3), (CAR, 0.0001), (VOID, 0.6999)] == found
    assert ["sky 30.0%", "car <0.1%", "unlabelled (void) 70.0%"] == demo.words(found)


@pytest.mark.parametrize("width", [1, 60, 800, 5000])
def test_a_legend_of_all_classes_goes_into_its_page(width):
    """Every swatch is there; nothing is drawn on the edges, where it would be cut off; letters grow with the page."""
    every = np.tile(np.arange(20, dtype=np.uint8), (40, 1))
    caption = "Net on cpu, weights " + "a_long_name_of_a_file" * 12
    drawn = demo.page(Image.new("RGB", (width, 40)), every, caption)
    pixels = np.asarray(drawn)
    legend = pixels[min(40, 40 * demo.SIDE // width) + 2 * demo.MARGIN :]

    for paint in demo.PAINTS[:19]:
        assert (legend == paint).all(axis=2).sum() > drawn.width**2 / 75**2 / 2
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert {255} == set(edge.ravel())


def test_a_page_of_a_huge_photograph_is_of_a_sane_size():
    """Two pictures of at most 2048 pixels, whichever side is the longer one."""
    classes = np.zeros((8, 16), np.uint8)

    assert (2 * 2048 + 3 * demo.MARGIN) == demo.page(Image.new("RGB", (5000, 2500)), classes, "").width
    assert (2 * 1024 + 3 * demo.MARGIN) == demo.page(Image.new("RGB", (2500, 5000)), classes.T, "").width


def test_a_picture_is_whole_or_as_it_was(show, tiny_card, tiny_colours, tmp_path, monkeypatch):
    """A run that fails leaves what was there, and nothing beside it."""
    pixels = tiny_colours[np.full((64, 128), ROAD)]
    show(pixels)
    case = Case(tiny_card, find("cpu"), 1)
    before = (tmp_path / "seen.png").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", full)
        patch.setattr(demo, "class_map", lambda *_: np.zeros((64, 128), np.uint8))
        with pytest.raises(Problem, match=r"seen\.png: the picture could not be written \(No space left on device\)"):
            demo.show(case, tmp_path / "a.png", tmp_path / "seen.png", tmp_path / "w", Manner())
    assert before == (tmp_path / "seen.png").read_bytes()
    assert ["a.png", "seen.png"] == sorted(path.name for path in tmp_path.iterdir())


def test_weights_that_nobody_trained_are_told(tiny_card, tiny_data, tmp_path, monkeypatch):
    """Before the network runs, with the name of the checkpoint that --weights takes; the picture says it too."""
    monkeypatch.setattr(pipeline, "sample_data", lambda *_: tiny_data)
    told, captions, page = [], [], demo.page
    monkeypatch.setattr(demo, "page", lambda *given: captions.append(given[2]) or page(*given))
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    case = Case(replace(tiny_card, sample=None), find("cpu"), 1)
    demo.show(case, tmp_path / "a.png", tmp_path / "b.jpg", None, Manner(tell=told.append, call=worker.here))

    assert ["weights of tiny: untrained; --weights takes tiny.pth"] == told
    assert ["Tiny on cpu (onnxruntime), untrained weights"] == captions
    assert (tmp_path / "b.jpg").read_bytes().startswith(b"\xff\xd8")


def test_a_picture_made_with_a_stand_in_says_so(tiny_card, tmp_path, monkeypatch):
    """No chip has seen the photograph; the same tools without a stand-in among them are the chip's."""
    captions, page = [], demo.page
    monkeypatch.setattr(demo, "class_map", lambda *_: np.zeros((10, 20), np.uint8))
    monkeypatch.setattr(demo, "page", lambda *given: captions.append(given[2]) or page(*given))
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    case = Case(tiny_card, find("Ascend310P3"), 1)
    for found in (["atc"], []):
        monkeypatch.setattr(demo.om, "standins", lambda found=found: found)
        demo.show(case, tmp_path / "a.png", tmp_path / "b.png", None, Manner())

    weights = "weights tiny.safetensors"
    assert [f"Tiny on Ascend310P3 ({road}), {weights}" for road in ("standin", "ascend")] == captions

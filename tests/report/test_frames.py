"""Worst frames: pictures inside the page, with words for who cannot see them."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from roadworthy.report import archive, frames

NAME = "samples/erfnet-bs1-Ascend310P3-frames-1.npz"


@pytest.fixture
def shown(models, chip, folder):
    """The gallery of these arrays."""

    def make(arrays):
        row = replace(chip, metric="frame.miou", value=0.31, clock=None, samples=NAME)
        run = folder(row)
        (run / "samples").mkdir(exist_ok=True)
        if arrays is not None:
            np.savez_compressed(run / NAME, **arrays)
        (found,) = frames.galleries(models["erfnet"], archive.read([run], models, print))
        return found

    return make


def pixels(picture) -> np.ndarray:
    """What a picture in the page shows."""
    kind, _, content = picture.source.partition(";base64,")
    assert kind in ("data:image/png", "data:image/jpeg")
    return np.array(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def test_four_pictures_of_every_frame_worst_first(shown, kept):
    """Photograph, label and prediction in the colours of Cityscapes, and where the two differ."""
    arrays = kept()
    found = shown(arrays)
    photograph, label, guess, errors = (pixels(p) for p in found.frames[0].pictures)
    truth, prediction = arrays["labels"][0], arrays["predictions"][0]

    assert [("frankfurt_000000_000294", "31.00"), ("munster_000036_000019", "52.00")] == [
        (f.stem, f.miou) for f in found.frames
    ]
    assert (128, 64, 128) == tuple(label[truth == 0][0])
    assert (0, 0, 0) == tuple(label[truth == 255][0])
    assert (0, 0, 70) == tuple(guess[prediction == 14][0])
    assert {frames.WRONG} == set(map(tuple, errors[(truth != prediction) & (truth != 255)].tolist()))
    assert {frames.RIGHT} == set(map(tuple, errors[truth == prediction].tolist()))
    assert {frames.NEITHER} == set(map(tuple, errors[truth == 255].tolist()))
    assert abs(photograph.astype(int) - arrays["photographs"][0]).mean() < 12


def test_the_words_say_what_the_pictures_show(shown, kept):
    """Stem, largest classes, and the shares of right and wrong."""
    arrays = kept()
    wrong = ((arrays["labels"][0] != arrays["predictions"][0]) & (arrays["labels"][0] != 255)).mean()
    texts = [picture.alternative for picture in shown(arrays).frames[0].pictures]

    assert "Photograph of frankfurt_000000_000294" == texts[0]
    assert texts[1].startswith("Label of frankfurt_000000_000294: road ")
    assert f"{wrong:.1%} wrong" in texts[3]


def test_the_legend_has_the_classes_that_occur(shown, kept):
    """In label or prediction, void last."""
    assert ["road", "building", "vegetation", "sky", "car", "truck", "void, or not counted"] == [
        swatch.text for swatch in shown(kept()).legend
    ]


def test_pictures_are_512_pixels_wide_at_most(shown, kept):
    """A map keeps its colours when it is reduced."""
    arrays = kept(["a"])
    big = {name: arrays[name].repeat(4, axis=1).repeat(4, axis=2) for name in ("labels", "predictions")}
    (frame,) = shown({**arrays, **big}).frames
    label = pixels(frame.pictures[1])

    assert {(512, 256)} == {(p.width, p.height) for p in frame.pictures}
    assert (256, 512, 3) == label.shape
    assert {tuple(c) for c in frames.PAINTS.tolist()} >= set(map(tuple, label.reshape(-1, 3).tolist()))


def test_of_many_frames_the_worst_are_shown(shown, kept):
    """And how many there are is said."""
    found = shown(kept([f"f{i}" for i in range(frames.MOST + 3)]))

    assert frames.MOST == len(found.frames)
    assert f"3 more frames were kept; the worst {frames.MOST} are shown." == found.notes[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda _: None, "there is no such file beside the records"),
        (lambda a: {k: v for k, v in a.items() if k != "labels"}, "is not a file of samples with stems"),
        (lambda a: {**a, "labels": a["labels"][:, :9]}, "labels (2, 9, 512)"),
        (lambda a: {**a, "labels": a["labels"].astype(int)}, "they must be (K,)"),
        (lambda a: {**a, "mious": a["mious"][:1]}, "mious (1,)"),
        (lambda a: {**a, "photographs": a["photographs"][:, :0]}, "of sides of 1 to 32768 pixels"),
        (lambda a: {**a, "labels": a["labels"][:, :, :0], "predictions": a["predictions"][:, :, :0]}, "of sides of 1"),
        (lambda a: {**a, "photographs": np.zeros((2, 70_000, 4, 3), np.uint8)}, "of sides of 1 to 32768 pixels"),
    ],
)
def test_frames_that_cannot_be_shown_are_told_in_place(shown, kept, change, sentence):
    """The gallery stays, with the reason."""
    found = shown(change(kept()))

    assert () == found.frames
    assert sentence in found.notes[0]

"""Two conventions of mIoU on the same tallies, and the figure that ERFNet's own script gives."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roadworthy.data import decode
from roadworthy.problem import Problem
from roadworthy.score import miou, postprocess

CONVENTIONS = pytest.mark.parametrize("convention", [miou.dataset, miou.pooled])


def one_frame(counts):
    """A single frame's matrices (1, 19, 20) from {(true, predicted): pixels}."""
    matrices = np.zeros((1, 19, 20), np.int64)
    for place, pixels in counts.items():
        matrices[0][place] = pixels
    return matrices


def exact(matrices):
    """Each class's IoU as a fraction, None where the class is neither labelled nor predicted."""
    total = matrices.sum(axis=0).tolist()
    ious = []
    for c in range(19):
        union = sum(total[c]) + sum(row[c] for row in total) - total[c][c]
        ious.append(Fraction(total[c][c], union) if union else None)
    return ious


def test_the_classes_are_cityscapes_in_order_of_train_id():
    """Nineteen names, the ones that tests and reports lean on in their places."""
    assert 19 == len(set(miou.CLASSES))
    assert ("road", "sky", "car", "train", "bicycle") == tuple(miou.CLASSES[i] for i in (0, 10, 13, 16, 18))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), frames=st.integers(1, 4), top=st.sampled_from([2, 100, 10**9]))
def test_both_conventions_are_exact(seed, frames, top):
    """Against fractions: each IoU and both means, whichever classes are absent, up to the last bits of float64."""
    rng = np.random.default_rng(seed)
    matrices = rng.integers(0, top, (frames, 19, 20)) * rng.integers(0, 2, (19, 1)) * rng.integers(0, 2, (20,))
    matrices[0, 0, 0] += 1
    ious = exact(matrices)
    present = [iou for iou in ious if iou is not None]
    dataset, pooled = miou.dataset(matrices), miou.pooled(matrices)

    assert abs(dataset.miou - sum(present) / 19) < 1e-12
    assert abs(pooled.miou - sum(present) / len(present)) < 1e-12
    assert [iou is None for iou in ious] == [iou is None for iou in pooled.iou]
    assert all(abs((iou or 0) - found) < 1e-12 for iou, found in zip(ious, dataset.iou, strict=True))
    assert all(abs(iou - found) < 1e-12 for iou, found in zip(ious, pooled.iou, strict=True) if iou is not None)


def test_an_absent_class_is_nought_or_left_out():
    """One perfect class of nineteen: ERFNet's guide says 1/19, cityscapesScripts says 1."""
    matrices = one_frame({(0, 0): 10})
    dataset, pooled = miou.dataset(matrices), miou.pooled(matrices)

    assert abs(dataset.miou - 1 / 19) < 1e-12
    assert [0.0] * 18 == list(dataset.iou[1:])
    assert miou.Score(1.0, (1.0, *[None] * 18)) == pooled


def test_a_class_that_is_only_predicted_counts_as_nought():
    """A false alarm is a class of its own with IoU 0, not an absent one."""
    pooled = miou.pooled(one_frame({(0, 0): 3, (0, 4): 1}))

    assert (0.75, 0.0) == (pooled.iou[0], pooled.iou[4])
    assert 0.375 == pooled.miou


@CONVENTIONS
def test_void_is_a_miss_and_no_false_alarm(convention):
    """A void prediction lowers the class it missed and no other."""
    score = convention(one_frame({(0, 0): 3, (0, 19): 1, (1, 1): 5}))

    assert abs(0.75 - score.iou[0]) < 1e-12
    assert abs(1 - score.iou[1]) < 1e-12


@CONVENTIONS
def test_pixels_are_pooled_over_frames(convention):
    """A large frame weighs more than a small one: the figure is no mean over frames."""
    small, large = one_frame({(0, 0): 1}), one_frame({(0, 0): 1, (0, 1): 8})
    both = np.concatenate([small, large])

    assert abs(0.2 - convention(both).iou[0]) < 1e-12
    assert convention(both) == convention(both[::-1])


@CONVENTIONS
@pytest.mark.parametrize("frames", [0, 2])
def test_no_labelled_pixel_is_a_problem(convention, frames):
    """Without any frame, or with nothing but ignored pixels, there is no figure to report."""
    with pytest.raises(Problem, match=f"no pixel of the {frames} frames has a label"):
        convention(np.zeros((frames, 19, 20), np.int64))


@CONVENTIONS
@pytest.mark.parametrize("shape", [(19, 20), (1, 19, 19), (1, 20, 20)])
def test_matrices_of_another_shape_are_refused(convention, shape):
    """A single frame's matrix or a 19x19 one is a mistake of the caller."""
    with pytest.raises(ValueError, match=r"it must be \(frames, 19, 20\)"):
        convention(np.ones(shape, np.int64))


@pytest.fixture(scope="module")
def frames(cityscapes9, generator, tmp_path_factory):
    """The generated ERFNet results of the nine frames: (path of a float16 file, path of its label)."""
    folder = tmp_path_factory.mktemp("results")
    made = []
    for index, (stem, label) in enumerate(generator.stems(str(cityscapes9))):
        with Image.open(label) as image:
            [(suffix, output)] = generator.fake("erfnet", index, np.asarray(image))
        path = folder / f"{stem}_{suffix}.bin"
        output.tofile(path)
        made.append((path, cityscapes9.joinpath(label)))
    return made


def score(frames, shrink):
    """The frames' matrices with labels brought to the network's size by `shrink`."""
    return np.stack(
        [
            postprocess.tally(
                postprocess.read_output(path, (20, 512, 1024), "logits"),
                shrink(decode.read_label(label, "labelTrainIds")),
            )
            for path, label in frames
        ]
    )


@pytest.mark.realdata
def test_nine_frames_score_as_erfnets_script_scores_them(frames, golden):
    """From result files and labels to the recorded hits, errors, IoUs and means, to 1e-12."""
    matrices = score(frames, lambda label: decode.resize_label(label, (512, 1024)))
    dataset, pooled = miou.dataset(matrices), miou.pooled(matrices)
    total = matrices.sum(axis=0)
    hit = np.diagonal(total)

    assert 0.3259608446019815 == golden["miou"]
    assert abs(golden["miou"] - dataset.miou) <= 1e-12
    assert abs(golden["pooled_miou"] - pooled.miou) <= 1e-12
    assert np.allclose(golden["iou"], dataset.iou, rtol=0, atol=1e-12)
    assert [iou is None for iou in golden["pooled_iou"]] == [iou is None for iou in pooled.iou]
    assert golden["tp"] == hit.tolist()
    assert golden["fp"] == (total[:, :19].sum(axis=0) - hit).tolist()
    assert golden["fn"] == (total.sum(axis=1) - hit).tolist()


@pytest.mark.realdata
@pytest.mark.parametrize(
    "shrink",
    [
        pytest.param(lambda label: label[::2, ::2], id="even pixels"),
        pytest.param(lambda label: np.roll(decode.resize_label(label, (512, 1024)), 1, axis=1), id="shifted"),
        pytest.param(
            lambda label: np.array(Image.fromarray(label).resize((1024, 512), Image.Resampling.BILINEAR)), id="bilinear"
        ),
    ],
)
def test_labels_brought_down_in_another_way_are_noticed(frames, golden, shrink):
    """The recorded figure is only reached with the odd pixels."""
    found = miou.dataset(score(frames, shrink))

    assert abs(golden["miou"] - found.miou) > 1e-6

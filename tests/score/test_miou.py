"""Four conventions of mIoU on the same tallies, and the figures that the guides' own scripts give."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roadworthy.data import decode
from roadworthy.problem import Problem
from roadworthy.score import miou, postprocess

CONVENTIONS = pytest.mark.parametrize("convention", [miou.dataset, miou.pooled, miou.running, miou.clipped])
POOLING = pytest.mark.parametrize("convention", [miou.dataset, miou.pooled, miou.clipped])
SEED = st.integers(0, 2**32)


def one_frame(counts):
    """A single frame's matrices (1, 19, 20) from {(true, predicted): pixels}."""
    matrices = np.zeros((1, 19, 20), np.int64)
    for place, pixels in counts.items():
        matrices[0][place] = pixels
    return matrices


def random_frames(seed, frames, top):
    """Random matrices (frames, 19, 20) in which some classes are absent, from the labels or altogether."""
    rng = np.random.default_rng(seed)
    matrices = rng.integers(0, top, (frames, 19, 20)) * rng.integers(0, 2, (19, 1)) * rng.integers(0, 2, (20,))
    matrices[0, 0, 0] += 1
    return matrices


def exact(matrices):
    """Each class's IoU as a fraction, None where the class is neither labelled nor predicted."""
    total = matrices.sum(axis=0).tolist()
    ious = []
    for c in range(19):
        union = sum(total[c]) + sum(row[c] for row in total) - total[c][c]
        ious.append(Fraction(total[c][c], union) if union else None)
    return ious


@settings(deadline=None)
@given(seed=SEED, frames=st.integers(1, 4), top=st.sampled_from([2, 100, 10**9]))
def test_the_pooling_conventions_are_exact(seed, frames, top):
    """Against fractions: each IoU and each mean, whichever classes are absent, up to the last bits of float64."""
    matrices = random_frames(seed, frames, top)
    ious = exact(matrices)
    present = [iou for iou in ious if iou is not None]
    dataset, pooled, clipped = miou.dataset(matrices), miou.pooled(matrices), miou.clipped(matrices)

    assert abs(dataset.miou - sum(present) / 19) < 1e-12
    assert abs(clipped.miou - sum(present) / 19) < 1e-12
    assert abs(pooled.miou - sum(present) / len(present)) < 1e-12
    assert [iou is None for iou in ious] == [iou is None for iou in pooled.iou]
    assert [float(iou or 0) for iou in ious] == list(clipped.iou)
    assert all(abs((iou or 0) - found) < 1e-12 for iou, found in zip(ious, dataset.iou, strict=True))
    assert all(abs(iou - found) < 1e-12 for iou, found in zip(ious, pooled.iou, strict=True) if iou is not None)


def icnets_guide(matrices):
    """Mean of the figures after each frame, and the last IoUs, in the float32 steps of the guide's script."""
    inter, union, figures = [np.float32(0)] * 19, [np.float32(0)] * 19, []
    for matrix in matrices.tolist():
        for c in range(19):
            predicted = sum(row[c] for row in matrix)
            inter[c] += np.float32(matrix[c][c])
            union[c] += np.float32(sum(matrix[c]) + predicted - matrix[c][c])
        ious = np.array([i / (np.float32(2.220446049250313e-16) + u) for i, u in zip(inter, union, strict=True)])
        figures.append(float(ious.mean()))
    return sum(figures) / len(figures), ious.tolist()


@settings(deadline=None)
@given(seed=SEED, frames=st.integers(1, 12), top=st.sampled_from([2, 100, 10**5]))
def test_the_running_convention_has_the_bits_of_icnets_guide(seed, frames, top):
    """Totals are rounded to float32 after every frame: from 2^24 pixels on they are no longer exact."""
    matrices = random_frames(seed, frames, top)
    expected = icnets_guide(matrices)
    found = miou.running(matrices)

    assert expected == (found.miou, list(found.iou))


def test_the_running_convention_is_a_mean_over_frames_so_far():
    """A good frame before a bad one counts twice: after it the mIoU is 1/19, after both half of that."""
    good, bad = one_frame({(0, 0): 4}), one_frame({(0, 19): 4})
    first, last = (miou.running(np.concatenate(order)) for order in ([good, bad], [bad, good]))

    assert abs((1 + 1 / 2) / 2 / 19 - first.miou) < 1e-7
    assert abs((0 + 1 / 2) / 2 / 19 - last.miou) < 1e-7
    assert (0.5, *[0.0] * 18) == first.iou == last.iou


def test_a_figure_that_is_not_the_pooled_one_says_why():
    """A running mean, and classes that are in no frame; nothing where the figures are the same."""
    whole = one_frame({(c, c): 1 for c in range(19)})
    part = one_frame({(c, c): 1 for c in range(17)})

    assert "mean over the frames" in miou.running(whole).note
    assert "order" in miou.running(whole).note
    for convention in (miou.dataset, miou.clipped):
        assert not convention(whole).note
        assert convention(part).note.startswith("motorcycle, bicycle: in no frame, counted as 0 here")
    assert not miou.pooled(part).note


def test_an_absent_class_is_nought_or_left_out():
    """One perfect class of nineteen: the guides of ERFNet, ICNet and HRNet say 1/19, cityscapesScripts says 1."""
    matrices = one_frame({(0, 0): 10})
    pooled = miou.pooled(matrices)

    for convention, close in ((miou.dataset, 1e-12), (miou.clipped, 1e-12), (miou.running, 1e-8)):
        assert abs(convention(matrices).miou - 1 / 19) < close
        assert [0.0] * 18 == list(convention(matrices).iou[1:])
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


@POOLING
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


GUIDES = {  # network: convention, how its results look, labels, largest difference from its script's figures
    "erfnet": (miou.dataset, (20, 512, 1024), "labelTrainIds", 1e-12),
    "icnet": (miou.running, (19, 1024, 2048), "labelIds", 2e-7),
    "deeplabv3": (miou.pooled, (1024, 2048), "labelTrainIds", 1e-12),
    "hrnet": (miou.clipped, (19, 256, 512), "labelIds", 1e-12),
}


def tallies(network, cityscapes9, generator, folder, shrink=decode.resize_label):
    """The matrices of the nine frames by name, from result files of generated outputs; ERFNet's labels shrink."""
    _, shape, labels, _ = GUIDES[network]
    kind, path = "classes" if len(shape) == 2 else "logits", folder / "result.bin"
    made = {}
    for index, (stem, train_ids) in enumerate(generator.stems(str(cityscapes9))):
        with Image.open(train_ids) as image:
            generator.fake(network, index, np.asarray(image))[-1][1].tofile(path)
        label = decode.read_label(Path(train_ids.replace("labelTrainIds", labels)), labels)
        label = shrink(label, (512, 1024)) if network == "erfnet" else label
        made[stem] = postprocess.tally(postprocess.read_output(path, shape, kind), label)
        path.unlink()  # 160 MB that pytest would keep for three runs
    return made


def recorded_counts(recorded):
    """Intersections and unions in pixels, in whichever way the network's script tells them."""
    if "cm_main" in recorded:
        matrix = np.array(recorded["cm_main"])
        hit = np.diagonal(matrix)
        return hit.tolist(), (matrix.sum(axis=0) + matrix.sum(axis=1) - hit).tolist()
    if "tp" in recorded:
        return recorded["tp"], np.sum([recorded["tp"], recorded["fp"], recorded["fn"]], axis=0).tolist()
    return recorded["inter"], recorded["union"]


@pytest.mark.realdata
@pytest.mark.parametrize("network", GUIDES)
def test_nine_frames_score_as_the_guides_script_scores_them(network, cityscapes9, generator, golden, tmp_path):
    """From result files and labels, in the script's order, to the recorded counts, IoUs and means."""
    convention, _, _, close = GUIDES[network]
    made, recorded = tallies(network, cityscapes9, generator, tmp_path), golden[network]
    matrices = np.stack([made[stem] for stem in recorded.get("order", sorted(made))])
    found, pooled, total = convention(matrices), miou.pooled(matrices), matrices.sum(axis=0)
    hit = np.diagonal(total)
    union = total.sum(axis=1) + total[:, :19].sum(axis=0) - hit

    assert abs(recorded["miou"] - found.miou) <= close
    assert abs(recorded["pooled_miou"] - pooled.miou) <= 1e-12
    assert [iou is None for iou in recorded["iou"]] == [iou is None for iou in found.iou]
    assert np.allclose(np.float64(recorded["iou"]), np.float64(found.iou), rtol=0, atol=close, equal_nan=True)
    assert [iou is None for iou in recorded["pooled_iou"]] == [iou is None for iou in pooled.iou]
    assert recorded_counts(recorded) == (hit.tolist(), union.tolist())
    if network == "icnet":
        assert abs(recorded["sorted"]["miou"] - miou.running(np.stack([made[s] for s in sorted(made)])).miou) <= close
        assert abs(recorded["sorted"]["miou"] - found.miou) > 1e-4


@pytest.mark.realdata
@pytest.mark.parametrize(
    "shrink",
    [
        pytest.param(lambda label, _: label[::2, ::2], id="even pixels"),
        pytest.param(lambda label, size: np.roll(decode.resize_label(label, size), 1, axis=1), id="shifted"),
        pytest.param(
            lambda label, size: np.array(Image.fromarray(label).resize(size[::-1], Image.Resampling.BILINEAR)),
            id="bilinear",
        ),
    ],
)
def test_labels_brought_down_in_another_way_are_noticed(cityscapes9, generator, golden, tmp_path, shrink):
    """ERFNet's recorded figure is only reached with the odd pixels."""
    made = tallies("erfnet", cityscapes9, generator, tmp_path, shrink)

    assert abs(golden["erfnet"]["miou"] - miou.dataset(np.stack(list(made.values()))).miou) > 1e-6

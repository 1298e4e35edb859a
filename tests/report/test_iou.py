"""IoU of classes: the pooled standard's, beside a reference that is named, falls flagged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.problem import Problem
from roadworthy.report import archive, iou
from roadworthy.score import miou


def test_it_is_the_pooled_iou_of_the_score():
    """Also for a class that is nowhere, and for predictions of void."""
    matrices = np.random.default_rng(0).integers(0, 9, (3, 19, 20))
    matrices[:, 7], matrices[:, :, 7] = 0, 0

    assert list(miou.pooled(matrices).iou) == iou.per_class(matrices)
    assert iou.per_class(matrices)[7] is None


def test_matrices_of_another_shape_are_told():
    """In one sentence."""
    with pytest.raises(Problem, match=r"\(3, 19, 19\); they must be whole numbers \(frames, 19, 20\)"):
        iou.per_class(np.zeros((3, 19, 19), int))


@pytest.fixture
def table(models, scored, folder, tmp_path):
    """The tables of ERFNet by records made by this function of a folder."""

    def make(rows):
        run = folder(*rows)
        return iou.tables(models["erfnet"], archive.read([run], models, print))

    return lambda *parts: make([row for part in parts for row in scored(tmp_path / "run", *part)])


def test_the_reference_of_a_chip_is_the_newest_in_torch(table, chip):
    """Of the same frames; which it is stands below the table, and so do classes that fell by more than a twentieth."""
    host = replace(chip, soc="cpu", runtime="eager")
    older = replace(host, when="2020-01-01T00:00:00+00:00")
    found = {t.caption.split(",")[0]: t for t in table((chip, 0, 0.2), (host, 1, 0.1), (older, 2, 0.5))}
    own = found["IoU of each class on Ascend310P3"]
    row = [cell.text for cell in own.rows[0]]
    values = [cell.value for cell in own.rows[0]]

    assert any(
        "The reference is cpu, eager, 2026-10-01 08:00, cityscapes-1a2b3c4d/500, batch 1." in n for n in own.notes
    )
    assert own.notes[0].startswith("▼ Fell by more than 5% of the reference: road, sidewalk,")
    assert ("road", "▼") == (row[0], row[4][0])
    assert pytest.approx(values[1] - values[2]) == values[3]
    assert pytest.approx(100 * (values[1] / values[2] - 1)) == values[4]


def test_a_fall_of_less_than_a_twentieth_is_shown_and_not_flagged(table, chip):
    """With a sentence that says so."""
    host = replace(chip, soc="cpu", runtime="eager")
    found = table((chip, 0, 0.102), (host, 0, 0.1))
    own = next(t for t in found if "Ascend310P3" in t.name)

    assert "No class fell by more than 5% of the reference." == own.notes[0]
    assert {""} == {row[4].look for row in own.rows}
    assert all(row[3].value < 0 for row in own.rows)


def test_one_class_of_nineteen_is_flagged(models, chip, scored, folder, tmp_path):
    """Its fall hides in the mean."""
    host = replace(chip, soc="cpu", runtime="eager")
    rows = scored(tmp_path / "run", chip, 0, 0.1) + scored(tmp_path / "run", host, 0, 0.1)
    path = tmp_path / "run" / rows[0].samples
    matrices = np.load(path)["matrices"]
    matrices[:, 16, 19] += matrices[:, 16].sum(axis=1) // 5
    np.savez(path, matrices=matrices)
    own = next(
        t for t in iou.tables(models["erfnet"], archive.read([folder(*rows)], models, print)) if "310P3" in t.name
    )

    assert "▼ Fell by more than 5% of the reference: train." == own.notes[0]
    assert ["train"] == [row[0].text for row in own.rows if row[4].look == "fell"]


@pytest.mark.parametrize("more", [{"data": "other-00000000/500"}, {"weights": "untrained-erfnet@0"}])
def test_other_frames_are_no_reference(models, chip, scored, folder, tmp_path, more):
    """Nor are weights that nobody trained; without a reference the table is of the chip alone."""
    host = replace(chip, soc="cpu", runtime="eager")
    rows = scored(tmp_path / "run", chip, 0, 0.2) + scored(tmp_path / "run", host, 1, 0.1, **more)
    own = next(
        t for t in iou.tables(models["erfnet"], archive.read([folder(*rows)], models, print)) if "310P3" in t.name
    )

    assert ("class", "IoU %") == tuple(head.text for head in own.heads)
    assert "There is no reference" in own.notes[-1]
    assert {2} == {len(row) for row in own.rows}


def test_without_a_reference_in_torch_it_is_the_cell_before(table, chip):
    """The same chip, batch and runtime, of an older date."""
    older = replace(chip, when="2026-01-01T00:00:00+00:00")
    (own,) = table((older, 0, 0.1), (chip, 0, 0.2))

    assert any("The reference is Ascend310P3, ascend, 2026-01-01 00:00" in note for note in own.notes)


def test_a_graph_on_the_cpu_is_compared_with_torch(table, chip):
    """Although the network in torch was run later."""
    graph, torch = (replace(chip, soc="cpu", runtime=runtime) for runtime in ("onnxruntime", "eager"))
    (own,) = table((graph, 0, 0.2), (replace(torch, when="2026-12-01T00:00:00+00:00"), 1, 0.1))

    assert own.caption.startswith("IoU of each class on cpu, onnxruntime, 2026-10-01")
    assert any("The reference is cpu, eager, 2026-12-01" in note for note in own.notes)


def test_other_weights_of_the_reference_are_told(models, chip, scored, folder, tmp_path):
    """A difference may be theirs."""
    host = replace(chip, soc="cpu", runtime="eager")
    rows = scored(tmp_path / "run", chip, 0, 0.2) + scored(tmp_path / "run", host, 1, 0.1, weights="other.pth@1")
    own = next(
        t for t in iou.tables(models["erfnet"], archive.read([folder(*rows)], models, print)) if "310P3" in t.name
    )

    assert "The weights differ: erfnet_pretrained.pth@0123456789abcdef against other.pth@1." in own.notes


def test_the_reference_has_the_same_weights_if_one_has(models, chip, scored, folder, tmp_path):
    """However new another is."""
    host = replace(chip, soc="cpu", runtime="eager", when="2026-01-01T00:00:00+00:00")
    later = replace(host, when="2026-12-01T00:00:00+00:00", weights="other.pth@1")
    rows = [
        row for part in ((chip, 0, 0.2), (host, 1, 0.1), (later, 2, 0.1)) for row in scored(tmp_path / "run", *part)
    ]
    found = iou.tables(models["erfnet"], archive.read([folder(*rows)], models, print))
    own = next(t for t in found if "310P3" in t.name)

    assert any("The reference is cpu, eager, 2026-01-01" in note for note in own.notes)
    assert not any("The weights differ" in note for note in own.notes)


@pytest.mark.parametrize(
    "trial",
    [
        {"source": "sample", "data": "sample-v1/24", "frames": 24},
        {"data": "nine-0/9", "frames": 9},
        {"source": "sample", "weights": "untrained-erfnet@0"},
    ],
)
def test_a_trial_does_not_hide_cityscapes_val(models, chip, scored, folder, tmp_path, trial):
    """On drawn frames, on a few, or with weights that nobody trained."""
    late = replace(chip, when="2026-12-01T00:00:00+00:00")
    rows = scored(tmp_path / "run", chip, 0, 0.1) + scored(tmp_path / "run", late, 1, 0.1, **trial)
    (own,) = iou.tables(models["erfnet"], archive.read([folder(*rows)], models, print))

    assert own.caption == "IoU of each class on Ascend310P3, ascend, 2026-10-01 08:00, cityscapes-1a2b3c4d/500"


def test_a_class_that_only_the_prediction_has_is_absent_in_the_reference(models, chip, scored, folder, tmp_path):
    """An empty cell would say that nothing is known of it."""
    host = replace(chip, soc="cpu", runtime="eager")
    rows = scored(tmp_path / "run", chip, 0, 0.1) + scored(tmp_path / "run", host, 0, 0.1)
    path = tmp_path / "run" / rows[2].samples
    matrices = np.load(path)["matrices"]
    matrices[:, 16], matrices[:, :, 16] = 0, 0
    np.savez(path, matrices=matrices)
    found = iou.tables(models["erfnet"], archive.read([folder(*rows)], models, print))
    own = next(t for t in found if "310P3" in t.name)

    assert ["absent", "", ""] == [cell.text for cell in own.rows[16][2:]]


def test_missing_matrices_are_told_in_place(models, chip, scored, folder, tmp_path):
    """Those of the chip, and those of the reference."""
    host = replace(chip, soc="cpu", runtime="eager")
    rows = scored(tmp_path / "run", chip, 0, 0.2) + scored(tmp_path / "run", host, 1, 0.1)
    found = archive.read([folder(*rows)], models, print)
    (tmp_path / "run" / rows[2].samples).unlink()
    by_name = {t.name: t for t in iou.tables(models["erfnet"], found)}

    assert () == by_name["erfnet-iou-cpu"].rows
    assert (
        f"No IoU of classes: {rows[2].samples}: there is no such file beside the records."
        == (by_name["erfnet-iou-cpu"].notes[0])
    )
    assert any(note.startswith("The reference cannot be shown: ") for note in by_name["erfnet-iou-Ascend310P3"].notes)

"""Where the records of a run are kept, and those of the guides come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from roadworthy import evidence, record
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.run import Run
from roadworthy.soc import find


def test_committed_records_keep_what_was_there(tiny_card, tiny_data, tmp_path):
    """Appended by model, samples copied."""
    run = Run(tmp_path / "run", str(tiny_data), None)
    run.accuracy(Case(tiny_card, find("cpu"), 4))
    evidence.commit(run, tmp_path / "records")
    evidence.commit(run, tmp_path / "records")
    rows = record.read(tmp_path / "records" / "tiny.jsonl")

    assert [*run.records, *run.records] == rows
    assert all((tmp_path / "records" / row.samples).is_file() for row in rows)


def test_published_evidence_is_of_one_cell(tiny_card):
    """Its mIoU, and whether it fitted; what a chip could not hold has no accuracy."""
    guides = evidence.Published()
    fits, lost = Case(tiny_card, find("Ascend310P3"), 4), Case(tiny_card, find("Ascend310"), 4)

    assert [("miou", 4, 0.895)] == [(r.metric, r.batch, r.value) for r in guides.accuracy(fits)]
    assert [("ok", 130.0)] == [(r.outcome, r.value) for r in guides.memory(fits)]
    assert [("oom", None)] == [(r.outcome, r.value) for r in guides.memory(lost)]
    assert [] == guides.accuracy(lost)


def test_samples_that_cannot_be_copied_leave_nothing_behind(tmp_path, monkeypatch):
    """A full disk: one sentence, and no record without its samples."""
    row = Record(model="tiny", soc="cpu", batch=1, metric="miou", value=0.5, source="measured", samples="samples/a.npz")

    def full(_: Path, out: Path) -> None:
        out.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(Problem, match=r"a\.npz: the samples could not be written \(No space left on device\)"):
        evidence.commit(evidence.Kept([row], tmp_path / "run"), tmp_path / "records")

    assert [tmp_path / "records" / "samples"] == list((tmp_path / "records").rglob("*"))

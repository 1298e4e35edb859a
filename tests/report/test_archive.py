"""Records with their samples: those beside them, and no other's."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from roadworthy.problem import Problem
from roadworthy.report import archive


def read(models, *folders: Path):
    """The archive, and what was told."""
    told: list[str] = []
    return archive.read(folders, models, told.append), told


def test_a_record_in_two_folders_is_one(models, chip, folder):
    """As after --update-records; oldest first."""
    older = replace(chip, when="2025-01-01T00:00:00+00:00")
    found, told = read(models, folder(chip, older), folder(chip, name="committed"))

    assert (older, chip) == found.records
    assert [] == told == list(found.notes)


def test_samples_are_found_in_whichever_folder_has_them(models, chip, folder, scored, tmp_path):
    """The other folder has the same record and not its samples."""
    rows = scored(tmp_path / "run", chip, 0, 0.1)
    run, copy = folder(*rows), folder(*rows, name="copy")
    whole, _ = read(models, copy, run)
    (matrices,) = whole.arrays(whole.records[0], "matrices")
    shutil.rmtree(run / "samples")

    assert (4, 19, 20) == matrices.shape
    with pytest.raises(Problem, match="there is no such file beside the records"):
        whole.arrays(whole.records[0], "matrices")


def test_samples_of_another_machine_by_the_same_name_are_not_its(models, chip, folder, scored, tmp_path):
    """Whichever folder is named first; a record without its own file has none."""
    named = [
        (run, scored(tmp_path / run, replace(chip, soc=soc), i, 0.1 * i, samples="samples/m.npz"))
        for i, (run, soc) in enumerate([("a", "Ascend310P3"), ("b", "Ascend310")], 1)
    ]
    for i, (run, _) in enumerate(named, 1):
        (file,) = (tmp_path / run / "samples").iterdir()
        shutil.move(file, tmp_path / run / "samples" / "m.npz")
        np.savez(tmp_path / run / "samples" / "m.npz", matrices=np.full((1, 19, 20), i))
    folders = [folder(*rows, name=run) for run, rows in named]
    for order in (folders, folders[::-1]):
        found, _ = read(models, *order)
        own = {r.soc: found.arrays(r, "matrices")[0].max() for r in found.records}

        assert {"Ascend310P3": 1, "Ascend310": 2} == own
    (folders[0] / "samples" / "m.npz").unlink()
    found, _ = read(models, *folders)

    with pytest.raises(Problem, match="there is no such file beside the records"):
        found.arrays(next(r for r in found.records if r.soc == "Ascend310P3"), "matrices")


def test_two_files_of_one_record_that_differ_are_told(models, chip, folder, scored, tmp_path):
    """As after a copy that went wrong: nobody knows which are its own."""
    rows = scored(tmp_path / "run", chip, 0, 0.1)
    run, copy = folder(*rows), folder(*rows, name="copy")
    shutil.copytree(run / "samples", copy / "samples")
    found, _ = read(models, run, copy)
    (matrices,) = found.arrays(found.records[0], "matrices")
    (copy / rows[0].samples).write_bytes(b"other")

    assert (4, 19, 20) == matrices.shape
    with pytest.raises(Problem, match="are samples of one name, and differ"):
        found.arrays(found.records[0], "matrices")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"not a zip"])
def test_a_broken_file_of_samples_is_told(models, chip, folder, scored, tmp_path, content):
    """Cut short, or something else by that name."""
    rows = scored(tmp_path / "run", chip, 0, 0.1)
    found, _ = read(models, folder(*rows))
    (tmp_path / "run" / rows[0].samples).write_bytes(content)

    with pytest.raises(Problem, match="is not a file of samples"):
        found.arrays(found.records[0], "matrices")


def test_samples_of_another_kind_are_told(models, chip, folder, scored, tmp_path):
    """An archive without the array, and one that would run code when it is loaded."""
    rows = scored(tmp_path / "run", chip, 0, 0.1)
    found, _ = read(models, folder(*rows))
    np.savez(tmp_path / "run" / rows[0].samples, matrices=np.array([{"a": 1}], dtype=object))

    with pytest.raises(Problem, match="with photographs"):
        found.arrays(found.records[0], "photographs")
    with pytest.raises(Problem, match="Object arrays"):
        found.arrays(found.records[0], "matrices")


def packed(content: bytes, name: str = "matrices.npy") -> bytes:
    """A zip file of one member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive_:
        archive_.writestr(name, content)
    return file.getvalue()


def header(*shape: int) -> bytes:
    """The beginning of an array of this shape, and nothing of its content."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": shape})
    return file.getvalue()


def encrypted() -> bytes:
    """A zip file that says to be encrypted."""
    content = bytearray(packed(b"hello"))
    content[6] = content[content.index(b"PK\x01\x02") + 8] = 1
    return bytes(content)


STRANGE = {
    "text": packed(b"hello"),
    "without an ending": packed(b"hello", "matrices"),
    "encrypted": encrypted(),
    "an array before a zip file": header(0) + packed(b"hello"),
    "larger than any memory": packed(header(10**10, 19, 20)),
}


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE.keys())
def test_strange_files_of_samples_are_told(models, chip, folder, scored, tmp_path, content):
    """A report is made of what is left."""
    rows = scored(tmp_path / "run", chip, 0, 0.1)
    found, _ = read(models, folder(*rows))
    (tmp_path / "run" / rows[0].samples).write_bytes(content)

    with pytest.raises(Problem, match="is not a file of samples with matrices"):
        found.arrays(found.records[0], "matrices")


def test_an_array_that_is_too_large_is_not_read(models, chip, folder, scored, tmp_path, monkeypatch):
    """By the size that its file tells, before memory is asked for."""
    found, _ = read(models, folder(*scored(tmp_path / "run", chip, 0, 0.1)))
    monkeypatch.setattr(archive, "LARGEST", 4 * 19 * 20 * 8)

    with pytest.raises(Problem, match=r"matrices.npy holds 0.0 GiB; more than 0 are not read"):
        found.arrays(found.records[0], "matrices")


def test_samples_of_a_name_that_no_file_has_are_told(models, chip, folder):
    """Longer than a file system knows."""
    found, _ = read(models, folder(replace(chip, samples=f"{'a' * 5000}.npz")))

    with pytest.raises(Problem, match=r"^a{40}: cannot be read \(File name too long\)$"):
        found.arrays(found.records[0], "matrices")


def test_older_schemas_are_read(models, chip, tmp_path):
    """Version 1 has no run, devices, settings and evidence; version 2 no evidence."""
    row = asdict(chip)
    two = {**{key: value for key, value in row.items() if key != "evidence"}, "schema_version": 2, "batch": 4}
    later = ("run", "devices", "settings", "evidence")
    one = {**{key: value for key, value in row.items() if key not in later}, "schema_version": 1}
    (tmp_path / "old.jsonl").write_text(f"{json.dumps(one)}\n{json.dumps(two)}\n", encoding="utf-8")
    found, _ = read(models, tmp_path)

    assert (chip, replace(chip, batch=4)) == found.records


def test_a_line_cut_short_is_left_out_and_told(models, chip, folder):
    """The records before it are there."""
    run = folder(chip)
    with (run / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"model": "erfnet", "soc": "Asc')
    found, told = read(models, run)

    assert (chip,) == found.records
    assert [f"{run / 'records.jsonl'}: the last line was cut short and is left out"] == told

"""Folders read together: each record once, samples beside them, and what is left out is told."""

from __future__ import annotations

import json
import shutil
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


def test_what_says_nothing_is_left_out_and_told(models, chip, folder):
    """Models without a card, unknown chips, stand-ins, values that are no number."""
    strange = replace(chip, model="<script>alert(1)</script>")
    unknown = replace(chip, soc="Ascend999")
    standin = replace(chip, runtime="standin")
    endless = replace(chip, value=float("nan"), batch=4)
    found, _ = read(models, folder(chip, strange, unknown, standin, endless))

    assert (chip,) == found.records
    assert [
        "Records left out: 1 of models without a card (<script>alert(1)</script>; --models takes a folder of cards)",
        *("1 of unknown chips (Ascend999)", "1 of stand-ins for tests", "which say nothing of a chip"),
        "1 whose value is no number",
    ] == found.notes[0].split(", ")


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


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("", "holds no record; --records takes a folder"),
        (None, "there is no"),
        ('{"schema_version": 9}\n', "schema_version is 9"),
    ],
)
def test_a_folder_without_records_is_told(models, tmp_path, lines, sentence):
    """One sentence that names it."""
    if lines is not None:
        (tmp_path / "records.jsonl").write_text(lines, encoding="utf-8")

    with pytest.raises(Problem, match=sentence) as caught:
        read(models, tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"environment": []}, "environment is [[]]; it must be a table"),
        ({"detail": 5}, "detail is 5; it must be a text, or null"),
        ({"frames": "many"}, "frames is 'many'; it must be a whole number, or null"),
    ],
)
def test_a_field_of_another_kind_is_told(models, chip, folder, more, sentence):
    """By file, line and field."""
    run = folder(replace(chip, **more))

    with pytest.raises(Problem, match=sentence.replace("[[]]", r"\[\]")) as caught:
        read(models, run)
    assert str(caught.value).startswith(f"{run / 'records.jsonl'}:1: ")

"""What --records names: joined once, and what says nothing of a known model and chip is left out and told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy import record, sources
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.sources import Sources

MODELS = cards.find([cards.builtin_models()])
CHIP = Record(
    model="erfnet", soc="Ascend310P3", batch=1, metric="throughput", value=300.0, source="measured", runtime="ascend",
    when="2026-10-01T08:00:00+00:00",
)  # fmt: skip


def read(*named: Path) -> tuple[Sources, Sequence[str]]:
    """The records, and what was told."""
    told: list[str] = []
    return sources.read(named, MODELS, told.append), told


def kept(path: Path, *rows: Record) -> Path:
    """A file of these records."""
    record.append(path, rows)
    return path


def test_files_and_folders_are_read_alike(tmp_path):
    """Each record once, oldest first."""
    older = replace(CHIP, when="2025-01-01")
    one, other = kept(tmp_path / "run" / "records.jsonl", CHIP, older), kept(tmp_path / "committed.jsonl", CHIP)
    found, told = read(one.parent, other)

    assert (older, CHIP) == found.records
    assert [one, one, other] == [line.path for line in found.lines]
    assert [] == told


def test_what_says_nothing_is_left_out_and_told(tmp_path):
    """Models without a card, unknown chips, stand-ins, values that are no number."""
    strange = replace(CHIP, model="ERFNet")
    unknown = replace(CHIP, soc="Ascend310P")
    standin = replace(CHIP, runtime="standin")
    endless = [replace(CHIP, value=value, batch=4 + i) for i, value in enumerate((math.nan, math.inf, -math.inf))]
    found, told = read(kept(tmp_path / "a.jsonl", CHIP, strange, unknown, standin, *endless))

    assert (CHIP,) == found.records
    assert told == list(found.notes)
    assert [
        "Records left out: 1 of models without a card (ERFNet; --models takes a folder of cards)",
        *("1 of unknown chips (Ascend310P)", "1 of stand-ins for tests", "which say nothing of a chip"),
        "3 whose value is no number",
    ] == told[0].split(", ")


def test_each_record_is_told_of_once(tmp_path):
    """By the first reason that it is left out for."""
    _, told = read(kept(tmp_path / "a.jsonl", replace(CHIP, soc="X9", runtime="standin", value=math.inf)))

    assert ["Records left out: 1 of unknown chips (X9)"] == told


def test_only_some_of_many_names_are_told(tmp_path):
    """Five, and how many more."""
    _, told = read(kept(tmp_path / "a.jsonl", *(replace(CHIP, model=name) for name in "abcdefgh")))

    assert "8 of models without a card (a, b, c, d, e and 3 more;" in told[0]


def test_names_stay_in_their_line(tmp_path):
    """Nothing that a record holds starts a line, such as a command of a CI, or colours a terminal."""
    strange = [replace(CHIP, model=name, value=value) for name, value in (("a\n::error::b", 1.0), ("\x1b[31m", 2.0))]
    path = kept(tmp_path / "a.jsonl", *strange)
    _, (told,) = read(path)
    record.append(path, [replace(strange[0], value=3.0)])
    with pytest.raises(Problem) as caught:
        read(path)

    assert "2 of models without a card ([31m, a ::error::b; --models" in told
    assert "throughput of a ::error::b-bs1-Ascend310P3, 2026-10-01T08:00:00+00:00: 1.0 against 3.0" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds no record; --records takes a file, or a folder of *.jsonl, such as a run's"),
        (None, "there is no *.jsonl in this folder; a run writes records.jsonl"),
    ],
)
def test_a_source_without_records_is_refused(tmp_path, content, told):
    """Also beside one that has some: nothing that is named is passed over."""
    (tmp_path / "empty").mkdir()
    if content is not None:
        (tmp_path / "empty" / "records.jsonl").write_text(content)
    with pytest.raises(Problem) as caught:
        read(kept(tmp_path / "a.jsonl", CHIP), tmp_path / "empty")

    assert f"{tmp_path / 'empty'}: {told}" == str(caught.value)

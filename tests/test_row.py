"""Lines of a file of records: every field of its kind, every time in UTC, and what is neither told by its line."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from roadworthy import record, row
from roadworthy.problem import Problem
from roadworthy.record import Record

ROW = Record(model="erfnet", soc="cpu", batch=4, metric="throughput", value=70.0, source="measured")
DAY = "2026-12-01"


def written(path: Path, **change: object) -> Path:
    """A file whose second line has these fields."""
    record.append(path, [ROW])
    path.write_bytes(path.read_bytes() + json.dumps({**json.loads(record.line(ROW)), **change}).encode() + b"\n")
    return path


def refusal(path: Path) -> str:
    """What is told of a file whose second line is refused, without its place."""
    with pytest.raises(Problem) as caught:
        record.read(path)
    place, _, told = str(caught.value).partition(":2: ")
    assert f"{path}" == place
    return told


def test_every_field_of_a_record_has_a_kind():
    """And no other has."""
    assert {f.name for f in fields(Record)} == set(row.FIELDS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": "380"}, "value is '380'; it must be a number, or null"),
        ({"value": True}, "value is True; it must be a number, or null"),
        ({"batch": "8"}, "batch is '8'; it must be a whole number, or null"),
        ({"batch": True}, "batch is True; it must be a whole number, or null"),
        ({"batch": 1.5}, "batch is 1.5; it must be a whole number, or null"),
        ({"when": 5}, "when is 5; it must be a text, or null"),
        ({"run": ["x"]}, "run is ['x']; it must be a text, or null"),
        ({"model": None}, "model is None; it must be a text"),
        ({"metric": ["miou"]}, "metric is ['miou']; it must be a text"),
        ({"detail": 5}, "detail is 5; it must be a text, or null"),
        ({"frames": "many"}, "frames is 'many'; it must be a whole number, or null"),
        ({"environment": None}, "environment is None; it must be a table"),
        ({"environment": {"driver": 22}}, "environment.driver is 22; it must be a text"),
        ({"settings": []}, "settings is []; it must be a table"),
        ({"settings": {"group": 5}}, "settings.group is 5; it must be a text, or null"),
        ({"settings": {"lr": [1]}}, "settings.lr is [1]; it must be a text, a number, true, false or null"),
        ({"evidence": "E10001"}, "evidence is 'E10001'; it must be a list of texts"),
        ({"evidence": [5]}, "evidence.0 is 5; it must be a text"),
        ({"schema_version": True}, "schema_version is True; it must be a whole number"),
        ({"clock": "sundial"}, "not a record: clock is 'sundial'; it must be device, wall or null"),
    ],
)
def test_a_field_of_another_kind_is_told(tmp_path, change, told):
    """By file, line and field, with what would be right; true is no number."""
    assert told == refusal(written(tmp_path / "a.jsonl", **change))


def test_what_was_found_is_told_in_short(tmp_path):
    """A sentence stays one that is read."""
    told = refusal(written(tmp_path / "a.jsonl", batch="9" * 4000))

    assert len(told) < 100


@pytest.mark.parametrize(
    ("found", "utc"),
    [
        (f"{DAY}T10:00:00+00:00", f"{DAY}T10:00:00+00:00"),
        (f"{DAY}T10:00:00Z", f"{DAY}T10:00:00+00:00"),
        (f"{DAY}T23:00:00+08:00", f"{DAY}T15:00:00+00:00"),
        (f"{DAY}T23:00:00-08:00", "2026-12-02T07:00:00+00:00"),
        (f"{DAY} 10:00", f"{DAY}T10:00:00+00:00"),
        (DAY, DAY),
        (None, None),
    ],
)
def test_a_time_is_read_in_utc(tmp_path, found, utc):
    """Without a zone it is taken to be in it; a day stays a day."""
    assert utc == record.read(written(tmp_path / "a.jsonl", when=found))[1].when


def test_the_order_of_texts_is_that_of_times(tmp_path):
    """Readers take the newest by it; a day comes before all times of it."""
    times = [
        *("2026-11-30T23:59:59Z", DAY, f"{DAY}T08:00:00+08:00", f"{DAY}T00:00:00.5Z", f"{DAY}T00:00:01Z"),
        *(f"{DAY}T23:00:00+08:00", f"{DAY}T16:00:00+00:00", f"{DAY}T23:00:00-08:00", "2026-12-02T08:00:00Z"),
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({**json.loads(record.line(ROW)), "when": at}) + "\n" for at in times))
    read = [r.when or "" for r in record.read(path)]

    assert sorted(read) == read
    assert len(times) == len(set(read))


@pytest.mark.parametrize("when", ["yesterday", "", "2026-13-01", "2026-12-01T25:00", "0001-01-01T00:00:00+05:00", "5"])
def test_what_is_no_time_is_told(tmp_path, when):
    """Nothing could be newer or older than it."""
    right = "it must be a day or a time of ISO 8601, such as 2026-11-21 or 2026-11-21T08:00:00+00:00"

    assert f"when is {when!r}; {right}" == refusal(written(tmp_path / "a.jsonl", when=when))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"[" * 100_000, "lists or tables lie too deep in each other"),
        (record.line(ROW).replace(b"70.0", b"9" * 5000).rstrip(), "a number has thousands of digits"),
    ],
    ids=["deep", "digits"],
)
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_what_json_cannot_be_read_of_is_told(tmp_path, line, told, end):
    """One sentence; no crash cut such a line short, which would be left out."""
    record.append(tmp_path / "a.jsonl", [ROW])
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(line + end)

    assert f"not a record: {told}; a line is one JSON object" == refusal(tmp_path / "a.jsonl")

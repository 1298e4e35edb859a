"""Records: tidy, append-only, and never lost by a failed write."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from roadworthy import record
from roadworthy.problem import Problem
from roadworthy.record import Record

ROW = Record(model="erfnet", soc="cpu", batch=4, metric="miou", value=0.7, source="measured", environment={"os": "ä"})
LINE = record.line(ROW).decode().rstrip()


def test_what_is_written_is_read(tmp_path):
    """Records keep every field, in order, over several appends."""
    path = tmp_path / "new" / "records.jsonl"
    lost = replace(ROW, value=None, outcome="oom", detail="no memory")
    record.append(path, [ROW])
    record.append(path, [lost, ROW])

    assert [ROW, lost, ROW] == record.read(path)
    assert [ROW, lost, ROW] == record.read_folder(path.parent)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": None}, "a value goes with ok"),
        ({"outcome": "oom"}, "a value goes with ok"),
        ({"metric": "speed"}, "metric is 'speed'"),
        ({"outcome": "lost"}, "outcome is 'lost'"),
        ({"source": "hearsay"}, "source is 'hearsay'"),
        ({"value": 72.2}, "miou is 72.2; it must be a fraction from 0 to 1"),
        ({"value": -0.1}, "miou is -0.1; it must be a fraction from 0 to 1"),
        ({"metric": "agreement.batch", "value": 99.99}, "agreement.batch is 99.99; it must be a fraction from 0 to 1"),
        ({"metric": "throughput", "value": -3.0}, "throughput is -3.0; it must be 0 or more"),
        ({"batch": 0}, "batch is 0; it must be 1 or more"),
        ({"batch": 10**25}, "batch is 10{25}; it must be at most 1000000000"),
        ({"devices": 0}, "devices is 0; it must be 1 or more"),
        ({"frames": -1}, "frames is -1; it must be 0 or more"),
        ({"metric": "throughput", "value": 1e308}, r"throughput is 1e\+308; it must be at most 1000000000"),
        ({"metric": "throughput", "value": 10**400}, r"throughput is 10+\.\.\.0+; it must be at most 1000000000"),
        ({"metric": "temperature.max", "value": -300.0}, "temperature.max is -300.0; it must be -273.15 or more"),
        ({"clock": "sundial"}, "clock is 'sundial'; it must be device, wall or null"),
    ],
)
def test_a_record_checks_itself_once(change, told):
    """Out of memory is no zero, and a value has a meaning."""
    with pytest.raises(ValueError, match=told):
        replace(ROW, **change)


def test_a_cold_chip_and_a_value_that_is_no_number_are_records():
    """What is no number is kept, and left out by those who show numbers."""
    cold = replace(ROW, metric="temperature.max", value=-20.0)

    assert [False, True, True] == [replace(cold, value=v).endless for v in (-20.0, math.nan, math.inf)]


def test_a_last_line_cut_short_is_left_out_and_replaced(tmp_path):
    """A crash in the middle of a write costs that record only."""
    path = tmp_path / "records.jsonl"
    record.append(path, [ROW, ROW])
    path.write_bytes(path.read_bytes()[:-40])

    assert [ROW] == record.read(path)

    record.append(path, [ROW])

    assert [ROW, ROW] == record.read(path)


def test_a_whole_last_line_without_its_end_is_a_record(tmp_path):
    """An editor may leave it so; it is read, and the next one starts a line of its own."""
    path = tmp_path / "records.jsonl"
    record.append(path, [ROW])
    path.write_bytes(path.read_bytes().rstrip())

    assert [ROW] == record.read(path)

    record.append(path, [ROW])

    assert [ROW, ROW] == record.read(path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not a record: no JSON (Expecting property name enclosed in double quotes); a line is one JSON object"),
        ("", "not a record: the line is blank; a line is one JSON object"),
        ("[]", "not a record: a list; a line is one JSON object"),
        ("3", "not a record: a number; a line is one JSON object"),
        ("{}", "not a record: schema_version is missing"),
        ('{"schema_version": 99}', "schema_version is 99; this program reads 1"),
        ('{"schema_version": 1, "colour": "red"}', "unknown key 'colour'"),
        ('{"schema_version": 1, "model": "erfnet"}', "not a record: soc, batch, metric, value, source are missing"),
        (LINE.replace("0.7", "77.2"), "not a record: miou is 77.2; it must be a fraction from 0 to 1"),
        (LINE.replace("erfnet", "erfn\udce9t"), "not a record: byte 15 is not UTF-8; a line is one JSON object"),
    ],
)
def test_a_line_that_is_no_record_is_refused_by_its_number(tmp_path, line, told):
    """The sentence names file and line."""
    path = tmp_path / "records.jsonl"
    record.append(path, [ROW])
    path.write_bytes(path.read_bytes() + line.encode(errors="surrogateescape") + b"\n")

    with pytest.raises(Problem, match=re.escape(f"{path}:2: ") + ".*" + re.escape(told)):
        record.read(path)


def test_a_full_disk_leaves_the_old_records_as_they_were(tmp_path):
    """A write that fails half-way is taken back; the error names the file."""
    path = tmp_path / "records.jsonl"
    record.append(path, [ROW])
    before = path.read_bytes()
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from roadworthy import problem, record\n"
        "path = Path(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (len(path.read_bytes()) + 100,) * 2)\n"  # as a full disk would
        "try:\n"
        "    record.append(path, record.read(path))\n"
        "except problem.Problem as found:\n"
        "    print(found)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)

    assert f"{path}: the record could not be written" in done.stdout
    assert before == path.read_bytes()


def test_the_published_format_is_pinned(tmp_path):
    """A field that comes or goes needs a new schema version."""
    path = tmp_path / "records.jsonl"
    record.append(path, [ROW])
    names = (
        "model soc batch metric value outcome source clock runtime provider data frames weights when environment "
        "samples detail evidence run devices settings schema_version"
    )

    assert names.split() == list(json.loads(Path(path).read_text()))

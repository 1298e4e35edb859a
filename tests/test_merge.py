"""Records of several machines: joined once, never mixed up, never half written."""

from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from roadworthy import record
from roadworthy.__main__ import main
from roadworthy.record import Record

ROW = Record(
    model="erfnet", soc="Ascend310", batch=4, metric="throughput", value=176.5, source="measured", clock="device",
    runtime="ascend", weights="erfnet.pth@0", when="2026-11-02T10:00:00+00:00", environment={"driver": "22.0"},
)  # fmt: skip
NEWER = replace(
    ROW, soc="Ascend310P3", value=381.9549, when="2026-11-03T10:00:00+00:00", environment={"driver": "23.0"}
)
OLDER = replace(ROW, batch=1, when="2026-11-01T10:00:00+00:00")
PROMISED = replace(ROW, value=170.0, source="published", when=None, environment={})


@pytest.fixture
def merge(capsys: pytest.CaptureFixture[str]):
    """Runs the verb; gives exit status, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main(["merge", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


def kept(path: Path, *rows: Record) -> Path:
    """A file of these records."""
    record.append(path, rows)
    return path


def leftovers(folder: Path) -> list[str]:
    """What a broken write would leave."""
    return [path.name for path in folder.rglob("*.part")]


def test_records_are_joined_oldest_first_with_their_origins(merge, tmp_path):
    """What guides publish comes first; those made at once stand as they came; nothing of a record changes."""
    at_once = replace(NEWER, metric="latency.median", value=2.5)
    one = kept(tmp_path / "a" / "records.jsonl", NEWER, at_once, PROMISED)
    other = kept(tmp_path / "b.jsonl", ROW, OLDER)
    status, _, _ = merge(one, other, "--out", tmp_path / "all.jsonl")

    assert 0 == status
    assert [PROMISED, OLDER, ROW, NEWER, at_once] == record.read(tmp_path / "all.jsonl")


def test_without_a_place_json_lines_are_printed(merge, tmp_path):
    """The same bytes that a file would get; what was done is told beside them."""
    one = kept(tmp_path / "a" / "records.jsonl", ROW)
    merge(one, "--out", tmp_path / "all.jsonl")
    status, out, err = merge(one.parent, one)

    assert (0, "1 record, 1 duplicate left out\n") == (status, err)
    assert (tmp_path / "all.jsonl").read_text(encoding="utf-8") == out


def test_two_machines_that_measured_alike_stay_two(merge, tmp_path):
    """Only what is equal in everything is a duplicate: another driver is another origin."""
    other = replace(ROW, environment={"driver": "23.0"})
    _, out, _ = merge(kept(tmp_path / "a.jsonl", ROW), kept(tmp_path / "b.jsonl", other, ROW))

    assert [{"driver": "22.0"}, {"driver": "23.0"}] == [json.loads(row)["environment"] for row in out.splitlines()]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": 176.6}, "176.5 against 176.6"),
        ({"value": None, "outcome": "oom"}, "176.5 against oom"),
        ({"value": 176.6, "environment": {}}, "176.5 against 176.6"),
    ],
)
def test_a_contradiction_is_refused_with_its_lines(merge, tmp_path, change, told):
    """One measurement has one value; nothing is written."""
    one = kept(tmp_path / "a.jsonl", OLDER, ROW)
    other = kept(tmp_path / "b.jsonl", replace(ROW, **change))
    status, out, err = merge(one, other, "--out", tmp_path / "all.jsonl")
    name = "throughput of erfnet-bs4-Ascend310, 2026-11-02T10:00:00+00:00"

    assert (2, "") == (status, out)
    assert f"roadworthy: {one}:2 and {other}:1 contradict each other: {name}: {told}\n" == err
    assert not (tmp_path / "all.jsonl").exists()


@pytest.mark.parametrize(
    "change", [{"when": "2026-11-02T10:00:01+00:00"}, {"weights": "x"}, {"data": "x"}, {"run": "x"}, {"runtime": "x"}]
)
def test_another_measurement_may_have_another_value(merge, tmp_path, change):
    """At another time, with other weights, on other data, in another run, on another runtime."""
    other = replace(ROW, value=1.0, **change)
    status, _, _ = merge(kept(tmp_path / "a.jsonl", ROW, other), "--out", tmp_path / "all.jsonl")

    assert 0 == status
    assert 2 == len(record.read(tmp_path / "all.jsonl"))


def test_times_are_compared_as_times(merge, tmp_path):
    """In whatever zone they are written: the later comes last, and one moment is one measurement."""
    here = replace(ROW, batch=8, when="2026-11-02T17:00:00+08:00")
    there = replace(here, when="2026-11-02T09:00:00Z")
    status, out, err = merge(kept(tmp_path / "a.jsonl", ROW, here), kept(tmp_path / "b.jsonl", there))
    times = [json.loads(row)["when"] for row in out.splitlines()]

    assert (0, "2 records, 1 duplicate left out\n") == (status, err)
    assert ["2026-11-02T09:00:00+00:00", "2026-11-02T10:00:00+00:00"] == times

    status, _, err = merge(tmp_path / "a.jsonl", kept(tmp_path / "c.jsonl", replace(there, value=1.0)))

    assert 2 == status
    assert "contradict each other: throughput of erfnet-bs8-Ascend310, 2026-11-02T09:00:00+00:00" in err


def test_many_contradictions_are_told_at_once(merge, tmp_path):
    """Eight of them, and how many more there are."""
    one = kept(tmp_path / "a.jsonl", *(replace(ROW, batch=batch) for batch in range(1, 11)))
    other = kept(tmp_path / "b.jsonl", *(replace(ROW, batch=batch, value=1.0) for batch in range(1, 11)))
    _, _, err = merge(one, other)

    assert 8 == err.count("contradict each other")
    assert err.endswith("and 2 more contradictions\n")


def test_older_records_are_read_and_the_present_schema_is_written(merge, tmp_path):
    """A record of version 1 is the same record in version 3."""
    row = json.loads(record.line(ROW))
    for name in ("evidence", "run", "devices", "settings"):
        del row[name]
    (tmp_path / "old.jsonl").write_text(json.dumps({**row, "schema_version": 1}) + "\n")
    status, out, _ = merge(tmp_path / "old.jsonl", kept(tmp_path / "new.jsonl", ROW))

    assert (0, record.line(ROW).decode()) == (status, out)


def test_a_last_line_cut_short_is_left_out_and_told(merge, tmp_path):
    """A crash costs one record, and says so."""
    one = kept(tmp_path / "a.jsonl", OLDER, ROW)
    one.write_bytes(one.read_bytes()[:-40])
    status, out, err = merge(one)

    assert (0, record.line(OLDER).decode()) == (status, out)
    assert f"{one}: the last line was cut short and is left out\n" in err


def test_records_may_come_by_a_pipe(merge, tmp_path):
    """As of `merge <(ssh chip cat records.jsonl)`: it gives its bytes once."""
    content = kept(tmp_path / "a.jsonl", OLDER, ROW).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[content])
    writer.start()
    status, out, _ = merge(tmp_path / "pipe")
    writer.join()

    assert (0, content.decode()) == (status, out)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "网络", "a|b\n::error::c", "half \ud83d"])
def test_names_are_kept_as_they_are(merge, tmp_path, name):
    """Whoever renders them escapes them."""
    one = kept(tmp_path / "a.jsonl", replace(ROW, model=name))
    _, out, _ = merge(one)
    merge(one, "--out", tmp_path / "all")

    assert name == json.loads(out)["model"]
    assert [name] == [r.model for r in record.read(tmp_path / "all" / "records.jsonl")]


def test_ten_thousand_records_are_joined(merge, tmp_path):
    """Half of them twice; `bench` has the seconds."""
    rows = [replace(ROW, batch=number) for number in range(1, 5001)]
    one, other = kept(tmp_path / "a.jsonl", *rows), kept(tmp_path / "b.jsonl", *rows)
    _, _, err = merge(one, other, "--out", tmp_path / "all.jsonl")

    assert "5000 records, 5000 duplicates left out\n" == err


def test_a_folder_gets_the_samples_too(merge, tmp_path):
    """As a run leaves them, so that records go on naming them; twice the same is no harm."""
    for machine, row in (("a", ROW), ("b", NEWER)):
        kept(tmp_path / machine / "records.jsonl", replace(row, samples=f"samples/{machine}.npz"))
        (tmp_path / machine / "samples").mkdir()
        (tmp_path / machine / "samples" / f"{machine}.npz").write_bytes(machine.encode())
    for _ in range(2):
        status, _, _ = merge(tmp_path / "a", tmp_path / "b", "--out", tmp_path / "all")

        assert 0 == status
    assert ["samples/a.npz", "samples/b.npz"] == [r.samples for r in record.read(tmp_path / "all" / "records.jsonl")]
    assert [b"a", b"b"] == [(tmp_path / "all" / "samples" / f"{machine}.npz").read_bytes() for machine in "ab"]
    assert [] == leftovers(tmp_path)


def test_samples_that_are_nowhere_are_told(merge, tmp_path):
    """The record is worth keeping without them."""
    one = kept(tmp_path / "a.jsonl", replace(ROW, samples="samples/x.npz"))
    status, _, err = merge(one, "--out", f"{tmp_path}/new.d/")

    assert 0 == status
    assert "1 files of samples are not beside the records that name them, such as samples/x.npz" in err
    assert 1 == len(record.read(tmp_path / "new.d" / "records.jsonl"))


def test_samples_of_one_name_that_differ_are_refused(merge, tmp_path):
    """Neither takes the other's place."""
    for machine, row in (("a", ROW), ("b", NEWER)):
        kept(tmp_path / machine / "records.jsonl", replace(row, samples="samples/x.npz"))
        (tmp_path / machine / "samples").mkdir()
        (tmp_path / machine / "samples" / "x.npz").write_bytes(machine.encode())
    status, _, err = merge(tmp_path / "a", tmp_path / "b", "--out", tmp_path / "all")

    assert 2 == status
    assert f"{tmp_path}/a/samples/x.npz and {tmp_path}/b/samples/x.npz are samples of one name, and differ\n" in err
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize("samples", ["../../etc/passwd", "/etc/passwd", "records.jsonl", "", 5])
def test_samples_lie_beside_their_records(merge, tmp_path, samples):
    """A record from elsewhere neither reads nor writes a file outside its folder, nor the records themselves."""
    one = kept(tmp_path / "a.jsonl", replace(ROW, samples=samples))
    status, _, err = merge(one, "--out", tmp_path / "all")

    assert 2 == status
    assert f"{one}:1: samples is {samples!r}" in err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"when": 5}, "when is 5; it must be a text, or null"),
        ({"model": None}, "model is None; it must be a text"),
    ],
)
def test_a_line_that_cannot_be_compared_is_named(merge, tmp_path, change, told):
    """One sentence, no traceback."""
    one = kept(tmp_path / "a.jsonl", ROW, replace(ROW, **change))

    assert (2, "", f"roadworthy: {one}:2: {told}\n") == merge(one)


@pytest.mark.parametrize("source", ["none.jsonl", "empty", "text.jsonl"])
def test_what_holds_no_records_is_refused(merge, tmp_path, source):
    """A name mistyped is no empty list."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jsonl").write_text("no record\n\n")
    status, out, err = merge(kept(tmp_path / "a.jsonl", ROW), tmp_path / source)

    assert (2, "", 1) == (status, out, err.count("\n"))
    assert err.startswith(f"roadworthy: {tmp_path / source}:")


def test_records_that_would_be_lost_are_not_written_over(merge, tmp_path):
    """A file that is there is written anew if all that it holds is among the joined."""
    one, out = kept(tmp_path / "a.jsonl", ROW), kept(tmp_path / "all.jsonl", NEWER)
    status, _, err = merge(one, "--out", out)

    assert 2 == status
    assert f"{out}: holds 1 records that are not among the joined; name it among those to join" in err
    assert [NEWER] == record.read(out)

    assert 0 == merge(one, out, "--out", out)[0]
    assert 0 == merge(one, out, "--out", out)[0]
    assert [ROW, NEWER] == record.read(out)


def test_no_folder_is_given_records_twice(merge, tmp_path):
    """Readers of a folder read all its files."""
    one = kept(tmp_path / "committed" / "erfnet.jsonl", ROW)
    status, _, err = merge(one, "--out", one.parent)

    assert 2 == status
    assert f"{one.parent}: holds erfnet.jsonl, which would be read beside records.jsonl; name another folder\n" in err


def test_a_write_that_fails_leaves_nothing_behind(merge, tmp_path, monkeypatch):
    """The old file stays as it was, and no part of a new one."""
    one, out = kept(tmp_path / "a.jsonl", ROW, NEWER), kept(tmp_path / "all.jsonl", ROW)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    status, _, err = merge(one, "--out", out)

    assert (2, f"roadworthy: {out}: the records could not be written (No space left on device)\n") == (status, err)
    assert [ROW] == record.read(out)
    assert [] == leftovers(tmp_path)

    status, _, err = merge(one, "--out", one / "below.jsonl")

    assert 2 == status
    assert 1 == err.count("\n")


def test_records_are_written_through_a_link(merge, tmp_path):
    """Which stays, as does the mode of the file behind it."""
    one, out, link = kept(tmp_path / "a.jsonl", ROW, NEWER), kept(tmp_path / "all.jsonl", ROW), tmp_path / "link.jsonl"
    link.symlink_to(out.name)
    out.chmod(0o664)

    assert 0 == merge(one, "--out", link)[0]
    assert (True, 0o664) == (link.is_symlink(), stat.S_IMODE(out.stat().st_mode))
    assert [ROW, NEWER] == record.read(out)

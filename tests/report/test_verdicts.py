"""Verdicts as a table: rows that are shared say so in every column."""

from __future__ import annotations

import pytest

from roadworthy.gates import Verdict
from roadworthy.judged import Judged
from roadworthy.report import verdicts


@pytest.mark.parametrize(
    ("whens", "told"),
    [
        (("2026-11-21T11:35:01+00:00", "2026-11-21T11:35:40+00:00"), "sample frames, 2026-11-21 11:35"),
        (("2026-11-21T11:35:00+00:00", "2026-11-21T23:13:00+00:00"), "sample frames, 2026-11-21 11:35 to 23:13"),
        (
            ("2026-11-20T11:35:00+00:00", "2026-11-21T23:13:00+00:00"),
            "sample frames, 2026-11-20 11:35 to 2026-11-21 23:13",
        ),
        ((None, None), "sample frames"),
    ],
)
def test_a_shared_row_says_from_when_to_when(whens, told):
    """Batch sizes with the same verdict may be of several runs."""
    alike = Verdict("accuracy", "passed", "mIoU 0.77", ">= 0.76", "the target is 0.77")
    found = [
        Judged("erfnet", "cpu", f"erfnet-bs{batch}-cpu", batch, alike, sources=("sample frames",), when=when)
        for batch, when in zip((1, 4), whens, strict=True)
    ]
    (row,) = verdicts.table(found).rows

    assert "1, 4" == row[3].text
    assert told == row[-1].text

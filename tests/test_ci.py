"""What a CI service shows: properties, a summary, annotations. Nothing from a record gets out of its place."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from roadworthy import ci
from roadworthy.gates import Verdict
from roadworthy.record import Record

PASSED = Verdict("accuracy", "passed", "mIoU 0.771462", ">= 0.769500", "the target is 0.7715", {"miou": 0.771462})
FAILED = Verdict("memory", "failed", "out of memory", "to fit", "batch 64 is not in target.oom of card.toml")
UNJUDGED = Verdict("regression", "unjudged", "nothing", "", "there is no record of miou")
VERDICTS = [("erfnet-bs1-cpu", PASSED), ("erfnet-bs1-cpu", UNJUDGED), ("erfnet-bs64-cpu", FAILED)]

SUMMARY = """\
### roadworthy: 1 failed, 1 unjudged, 1 passed

| cell | gate | outcome | observed | required | because |
| --- | --- | --- | --- | --- | --- |
| erfnet-bs64-cpu | memory | failed | out of memory | to fit | batch 64 is not in target.oom of card.toml |
| erfnet-bs1-cpu | regression | unjudged | nothing |  | there is no record of miou |
| erfnet-bs1-cpu | accuracy | passed | mIoU 0.771462 | >= 0.769500 | the target is 0.7715 |

"""


def test_a_summary_shows_what_failed_first():
    """Then what nobody judged; each outcome in the order of the run."""
    assert ci.summary(VERDICTS) == SUMMARY


def test_a_run_without_verdicts_says_so():
    """An empty table would look like success."""
    assert ci.summary([]) == "### roadworthy: nothing was judged\n\n"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("a | b", "a \\| b"),
        ("a\r\nb\u2028c\td", "a b c d"),
        ("a\\|b", "a\\\\\\|b"),
        ("[here](javascript:x) `code` *bold* $x$", "\\[here\\](javascript:x) \\`code\\` \\*bold\\* \\$x\\$"),
        ("&lt;", "&amp;lt;"),
        ("\x1b[31mred\ud83d", "\\[31mred"),
        ("网络", "网络"),
    ],
)
def test_text_of_records_stays_in_its_cell(told, shown):
    """A name neither ends its cell or line, nor becomes HTML, a link or a formula."""
    row = ci.summary([(told, replace(FAILED, because=told))]).splitlines()[4]

    assert f"| {shown} | memory | failed | out of memory | to fit | {shown} |" == row


def test_a_long_summary_leaves_out_what_passed():
    """GitHub shows nothing of a page above a mebibyte."""
    text = ci.summary([("erfnet-bs1-cpu", PASSED)] * 20000 + [("erfnet-bs64-cpu", FAILED)])

    assert len(text.encode()) <= 1 << 20
    assert "1 failed, 20000 passed" in text.splitlines()[0]
    assert "| erfnet-bs64-cpu | memory | failed |" in text
    assert text.endswith(f"\n\n{20001 - text.count('erfnet-bs')} more verdicts have no room here: see the log.\n\n")


def test_a_page_that_is_full_gets_no_more(tmp_path):
    """Other steps share the page."""
    page = tmp_path / "page.md"
    page.write_bytes(b"x" * (1 << 20))
    ci.tell({"GITHUB_STEP_SUMMARY": str(page)}, VERDICTS)

    assert 1 << 20 == page.stat().st_size


def test_the_summary_is_added_to_what_is_there(tmp_path):
    """A step may have run something before."""
    page = tmp_path / "page.md"
    page.write_text("# before\n\n", encoding="utf-8")

    assert [] == ci.tell({"GITHUB_STEP_SUMMARY": str(page)}, VERDICTS)
    assert "# before\n\n" + SUMMARY == page.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_told(tmp_path):
    """The run is judged all the same."""
    environment = {"GITHUB_STEP_SUMMARY": str(tmp_path / "none" / "page.md")}

    assert [f"{tmp_path}/none/page.md: the summary could not be written (No such file or directory)"] == ci.tell(
        environment, VERDICTS
    )


def test_nothing_is_told_where_no_service_asks():
    """A run at home is as it was."""
    assert [] == ci.tell({}, VERDICTS)
    assert [] == ci.tell({"GITHUB_ACTIONS": "false", "GITHUB_STEP_SUMMARY": ""}, VERDICTS)


def test_what_failed_is_annotated():
    """Passed and unjudged verdicts are not."""
    told = "observed out of memory, required to fit; batch 64 is not in target.oom of card.toml"

    assert [f"::error title=erfnet-bs64-cpu memory::{told}"] == ci.tell({"GITHUB_ACTIONS": "true"}, VERDICTS)


def test_an_annotation_is_one_command():
    """Neither a title nor a message ends early, and none begins another command."""
    verdict = replace(FAILED, because="100 %0A\r\n::stop-commands::x, y: z")
    (line,) = ci.errors([("a:b,c%d\ne", verdict)])

    assert line == (
        "::error title=a%3Ab%2Cc%25d%0Ae memory::"
        "observed out of memory, required to fit; 100 %250A%0D%0A::stop-commands::x, y: z"
    )


def test_figures_are_properties_as_numbers():
    """Beside the texts; those of records as well."""
    row = Record(
        model="icnet", soc="NPU", batch=7, metric="train.throughput", value=83.0, source="published", devices=8
    )
    lost = replace(row, metric="train.miou", value=None, outcome="crash")
    texts = {"observed": "mIoU 0.771462", "required": ">= 0.769500"}

    assert {**texts, "miou": 0.771462, "train.throughput": 83.0} == ci.properties(PASSED, [row, lost])


def test_tests_tell_no_service():
    """Runs within tests add nothing to the page of the run that tests them."""
    assert not {"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"} & os.environ.keys()

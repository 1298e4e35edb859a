"""npu-smi's tables, from the guides and from logs of other boards, and how the tool itself fails."""

from __future__ import annotations

import os
import textwrap

import pytest

from roadworthy.problem import Problem
from roadworthy.runtimes import npu_smi
from roadworthy.runtimes.npu_smi import Chip

DEEPLAB = """
         +--------------------------------------------------------------------------------------------+
         | npu-smi 22.0.0                       Version: 22.0.2                                       |
         +-------------------+-----------------+------------------------------------------------------+
         | NPU     Name      | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
         | Chip    Device    | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
         +===================+=================+======================================================+
         | 0       310P3     | OK              | 17.6         65                0    / 0              |
         | 0       0         | 0000:5E:00.0    | 0            938  / 21534                            |
         +===================+=================+======================================================+
"""
HRNET = """
         +-------------------|-----------------|------------------------------------------------------+
         | NPU     Name      | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
         | Chip    Device    | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
         +===================+=================+======================================================+
         | 0       310P3     | OK              | 15.8         42                0    / 0              |
         | 0       0         | 0000:82:00.0    | 0            1074 / 21534                            |
         +===================+=================+======================================================+
         | 1       310P3     | OK              | 15.4         43                0    / 0              |
         | 0       1         | 0000:89:00.0    | 0            1070 / 21534                            |
         +===================+=================+======================================================+
"""
TYPO = """
| 4       310P3                 | OK              | NA           37                0     / 0             |
| 0       0                     | 0000:81:00.0    | 0            1848 / 21525                            |
| 224     310P3                 | Warning         | 21.0         40                0     / 0             |
| 0       1                     | 0000:85:00.0    | 0            35552/ 44278                            |
+===============================+----------------=+======================================================+
"""
DUO = """
+--------------------------------------------------------------------------------------------------------+
| npu-smi 24.1.0.1                                 Version: 24.1.0.2                                     |
+===============================+=================+======================================================+
| 32      310P3                 | OK              | NA           59                0     / 0             |
| 0       0                     | 0000:81:00.0    | 0            1492 / 44280                            |
+-------------------------------+-----------------+------------------------------------------------------+
| 32      310P3                 | OK              | NA           58                0     / 0             |
| 1       1                     | 0000:81:00.0    | 0            1426 / 43693                            |
+===============================+=================+======================================================+
| NPU     Chip                  | Process id      | Process name             | Process memory(MB)        |
+===============================+=================+======================================================+
| 32      0                     | 1712733         | python3                  | 48954                     |
| 32      310                   | 1712734         | 17 18 1/2                                            |
| 0       9                     | 1712735         | 17 1/2                                               |
"""
ASCEND310 = """
| 0       310                   | OK              | 12.8         61                0     / 969           |
| 0       310                   | 0000:01:00.0    | 0            577  / 7759                             |
"""
ASCEND310B = """
| 0       310B4                 | Alarm           | 0.0          65                15    / 15            |
| 0       0                     | NA              | 0            3628 / 15609                            |
"""
ASCEND910B = """
| 2     910B4               | OK            | 88.9        39                0    / 0             |
| 0                         | 0000:C2:00.0  | 0           0    / 0          2858 / 32768         |
| 5     910B4               | OK            | 86.8        35                0    / 0             |
| 0                         | 0000:66:00.0  | 0           0    / 0          29356/ 32768         |
"""
ATLAS_A3 = """
| Chip  Phy-ID              | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
| 1     Ascend910           | OK            | 186.3       36                0    / 0             |
| 0     2                   | 0000:99:00.0  | 0           0    / 0          3415 / 65536         |
| 1     Ascend910           | OK            | -           36                0    / 0             |
| 1     3                   | 0000:9B:00.0  | 0           0    / 0          3195 / 65536         |
"""
SECOND_ROW_ONLY = """
| 8       310P3                 | OK              | 60.1         59                0     / 0             |
| 0       0                     | 0000:81:00.0    | 0            1492 / 44280                            |
+-------------------------------+-----------------+------------------------------------------------------+
| 1       1                     | 0000:81:00.0    | 0            1426 / 43693                            |
"""
TABLES = {
    "deeplab": (DEEPLAB, [Chip(0, 0, 0, "Ascend310P3", "OK", 17.6, 65, 938, 21534, "0000:5E:00.0")]),
    "hrnet": (
        HRNET,
        [
            Chip(0, 0, 0, "Ascend310P3", "OK", 15.8, 42, 1074, 21534, "0000:82:00.0"),
            Chip(1, 0, 1, "Ascend310P3", "OK", 15.4, 43, 1070, 21534, "0000:89:00.0"),
        ],
    ),
    "typo": (
        TYPO,
        [
            Chip(4, 0, 0, "Ascend310P3", "OK", None, 37, 1848, 21525, "0000:81:00.0"),
            Chip(224, 0, 1, "Ascend310P3", "Warning", 21.0, 40, 35552, 44278, "0000:85:00.0"),
        ],
    ),
    "duo": (
        DUO,
        [
            Chip(32, 0, 0, "Ascend310P3", "OK", None, 59, 1492, 44280, "0000:81:00.0"),
            Chip(32, 1, 1, "Ascend310P3", "OK", None, 58, 1426, 43693, "0000:81:00.0"),
        ],
    ),
    "310": (ASCEND310, [Chip(0, 0, 310, "Ascend310", "OK", 12.8, 61, 577, 7759, "0000:01:00.0")]),
    "310B": (ASCEND310B, [Chip(0, 0, 0, "Ascend310B4", "Alarm", 0.0, 65, 3628, 15609, None)]),
    "910B": (
        ASCEND910B,
        [
            Chip(2, 0, 0, "Ascend910B4", "OK", 88.9, 39, 2858, 32768, "0000:C2:00.0"),
            Chip(5, 0, 1, "Ascend910B4", "OK", 86.8, 35, 29356, 32768, "0000:66:00.0"),
        ],
    ),
    "A3": (
        ATLAS_A3,
        [
            Chip(1, 0, 2, "Ascend910", "OK", 186.3, 36, 3415, 65536, "0000:99:00.0"),
            Chip(1, 1, 3, "Ascend910", "OK", None, 36, 3195, 65536, "0000:9B:00.0"),
        ],
    ),
    "second row only": (
        SECOND_ROW_ONLY,
        [
            Chip(8, 0, 0, "Ascend310P3", "OK", 60.1, 59, 1492, 44280, "0000:81:00.0"),
            Chip(8, 1, 1, "Ascend310P3", "OK", None, None, 1426, 43693, "0000:81:00.0"),
        ],
    ),
    "no table": ("dcmi module initialize failed. ret is -8005", []),
    "an orphan": ("| 0       0         | 0000:5E:00.0    | 0            938  / 21534            |", []),
}
BOARD = """
        NPU ID                         : 0
        Product Name                   : NA
        Software Version               : 22.0.4
        Firmware Version               : 6.3.0.1.241
        PCIe Bus Info                  : 0000:3B:00.0
        Class ID                       : NA
        Chip Count                     : 1
"""


@pytest.mark.parametrize(("text", "chips"), TABLES.values(), ids=list(TABLES))
def test_every_form_of_the_table_is_read(text, chips):
    """Widths, separators, missing figures, numbers and processes of boards differ; the chips are found in all."""
    assert chips == npu_smi.parse(text)


def test_the_banner_tells_both_versions_and_a_stand_in():
    """npu-smi's own version, the driver's, and whether a program only plays npu-smi."""
    played = DEEPLAB.replace("Version: 22.0.2", "Version: 22.0.2.standin")

    assert ("22.0.0", "22.0.2") == (npu_smi.version(DEEPLAB), npu_smi.driver(DEEPLAB))
    assert (None, None) == (npu_smi.version(HRNET), npu_smi.driver(HRNET))
    assert [False, False, True] == [npu_smi.standin(text) for text in (DEEPLAB, HRNET + "standin", played)]


def test_a_board_is_read_by_its_first_colon():
    """A bus id has colons of its own; what is not available is left out."""
    board = npu_smi.parse_board(BOARD)

    assert "0000:3B:00.0" == board["PCIe Bus Info"]
    assert ["NPU ID", "Software Version", "Firmware Version", "PCIe Bus Info", "Chip Count"] == list(board)


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        ("\tPower Dissipation(W)           : 14.7\n", 14.7),
        ("\tNPU Real-time Power(W)         : 17.2\n\tChip ID : 0\n", 17.2),
        ("\tRated Power Dissipation(W)     : 12.8\n", None),
        ("\tPower Dissipation(W)           : NA\n", None),
        ("This device does not support querying power.", None),
    ],
)
def test_power_is_what_was_measured(text, watts):
    """A rated figure is none."""
    assert watts == npu_smi.parse_power(text)


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Puts a program of these lines on PATH as npu-smi."""

    def put(lines: str) -> None:
        (tmp_path / "npu-smi").write_text(f"#!/bin/sh\n{textwrap.dedent(lines)}\n")
        (tmp_path / "npu-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return put


def test_the_tool_is_asked_in_english(tool):
    """The table is what `npu-smi info` prints in the C locale."""
    tool(f"""[ "$*" = info ] && [ "$LC_ALL" = C ] || exit 3\ncat <<'END'\n{DUO}\nEND""")

    assert TABLES["duo"][1] == npu_smi.chips()
    assert npu_smi.is_standin() is False


def test_facts_come_from_table_and_board(tool):
    """Of the device's own NPU; a missing piece is left out."""
    tool(f"""[ "$*" = "info -t board -i 32" ] && cat <<'END' && exit\n{BOARD}\nEND\ncat <<'END'\n{DUO}\nEND""")
    both = {"chip": "Ascend310P3", "health": "OK", "driver": "22.0.4", "firmware": "6.3.0.1.241", "npu-smi": "24.1.0.1"}
    found = npu_smi.facts(1)

    assert both.items() <= found.items()
    assert {"device", "memory"} <= found.keys()
    assert {"driver": "24.1.0.2", "npu-smi": "24.1.0.1"} == npu_smi.facts(7)
    tool(f"""[ "$2" = "-t" ] && exit 1\ncat <<'END'\n{HRNET}\nEND""")
    assert {"chip": "Ascend310P3", "health": "OK", "device": "1", "memory": "1070 of 21534"}.items() <= (
        npu_smi.facts(1).items()
    )
    assert {"temperature": "43.0", "power": "15.4"}.items() <= npu_smi.facts(1).items()


def test_power_that_the_table_does_not_tell_is_asked_for(tool):
    """A Duo shows NA in the table, and the dissipation of the card when it is asked."""
    power = "NPU ID : 32\nPower Dissipation(W) : 71.5"
    table = HRNET.replace("15.4 ", "NA   ")
    tool(
        f"""[ "$3" = "power" ] && cat <<'END' && exit\n{power}\nEND\n[ "$2" = "-t" ] && exit 1\ncat <<'END'\n{table}\nEND"""
    )

    assert "71.5" == npu_smi.facts(1)["power"]


def test_no_tool_is_no_chip(tmp_path, monkeypatch):
    """A machine without npu-smi is not one that is broken."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert npu_smi.chips() is None
    assert {} == npu_smi.facts(0)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            "echo; echo 'libc_sec.so: cannot open' >&2; exit 127",
            r"exit status 127 \(libc_sec.so: cannot open\); see that",
        ),
        ("echo 'dcmi module initialize failed. ret is -8005'", r"shows no chip \(dcmi module .* is -8005\); see that"),
        ("exec sleep 9", r"^npu-smi info gave no answer within 0.3 s; "),
        ("exit 1", r"failed with exit status 1 \(it printed nothing\)"),
    ],
)
def test_a_tool_that_fails_is_told_in_one_sentence(tool, lines, told):
    """What it said first, and what helps."""
    tool(lines)

    with pytest.raises(Problem, match=told):
        npu_smi.chips(limit_s=0.3)


def test_a_tool_that_cannot_start_is_told(tool, tmp_path):
    """No program of this machine's kind."""
    tool("")
    (tmp_path / "npu-smi").write_bytes(b"\x7fELF for another machine")

    with pytest.raises(Problem, match=r"npu-smi info cannot be started \(Exec format error\)"):
        npu_smi.facts(0)

"""nvidia-smi's answers, and names of GPUs that look alike."""

from __future__ import annotations

import os

import pytest

from roadworthy.problem import Problem
from roadworthy.runtimes import nvidia_smi
from roadworthy.runtimes.nvidia_smi import Gpu

T4 = Gpu(0, "Tesla T4", 585.0, 1590.0, 41.0, 26.43, 15360.0, "525.89.02")


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("0, Tesla T4, 585, 1590, 41, 26.43, 15360, 525.89.02\n", [T4]),
        (
            """0, NVIDIA A100-SXM4-80GB, 210, 1410, 30, 62.10, 81920, 535.104.12
            1, NVIDIA GeForce GTX 1050 Ti, 139, 1911, 38, [N/A], 4040, 535.104.12""",
            [
                Gpu(0, "NVIDIA A100-SXM4-80GB", 210.0, 1410.0, 30.0, 62.1, 81920.0, "535.104.12"),
                Gpu(1, "NVIDIA GeForce GTX 1050 Ti", 139.0, 1911.0, 38.0, None, 4040.0, "535.104.12"),
            ],
        ),
        (
            "3, GRID T4-16Q, [Not Supported], [Unknown Error], [GPU requires reset], , [N/A], [N/A]",
            [Gpu(3, "GRID T4-16Q", None, None, None, None, None, None)],
        ),
        ("index, name, clocks.sm, clocks.max.sm, temperature.gpu, power.draw, memory.total, driver_version", []),
        (
            "WARNING: infoROM is corrupted at gpu 0000:01:00.0\n0, Tesla T4, 585, 1590, 41, 26.43, 15360, 525.89.02",
            [T4],
        ),
        ("No devices were found\n", []),
    ],
)
def test_every_answer_is_read(text, gpus):
    """What a GPU does not measure is None, and other lines are passed over."""
    assert gpus == nvidia_smi.parse(text)


def test_facts_say_what_is_known():
    """Figures without needless zeros; what is None is left out."""
    both = {"memory_mb": "15360", "sm_clock_mhz": "585", "max_sm_clock_mhz": "1590", "temperature_c": "41"}

    assert {"chip": "Tesla T4", "driver": "525.89.02", **both, "power_w": "26.43"} == nvidia_smi.facts(T4)
    assert {"chip": "X"} == nvidia_smi.facts(Gpu(0, "X", None, None, None, None, None, None))


@pytest.mark.parametrize(
    ("name", "soc", "same"),
    [
        ("Tesla T4", "T4", True),
        ("NVIDIA T4", "t4", True),
        ("NVIDIA A100-SXM4-80GB", "A100", True),
        ("NVIDIA A100 80GB PCIe", "A100", True),
        ("NVIDIA GeForce RTX 4090", "RTX-4090", True),
        ("NVIDIA GeForce RTX 4090", "RTX 409", False),
        ("NVIDIA T400", "T4", False),
        ("NVIDIA T400 4GB", "T4", False),
        ("NVIDIA T4G", "T4", False),
        ("NVIDIA L40S", "L4", False),
        ("NVIDIA L40S", "L40", False),
        ("NVIDIA L40", "L40", True),
        ("Tesla T4", "", False),
    ],
)
def test_a_name_matches_by_whole_words(name, soc, same):
    """Blanks and hyphens part words; a longer word is another chip."""
    assert same == nvidia_smi.matches(name, soc)


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Puts a program of these lines on PATH as nvidia-smi."""

    def put(lines: str) -> None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return put


def test_the_tool_is_asked_for_the_fields_of_a_gpu(tool):
    """In their order, without header and units."""
    tool("""case "$1 $2" in "--query-gpu=index,name,clocks.sm,"*"driver_version --format=csv,noheader,nounits") ;; *) exit 2
    esac; echo '0, Tesla T4, 585, 1590, 41, 26.43, 15360, 525.89.02'""")

    assert [T4] == nvidia_smi.gpus()


def test_no_tool_is_no_gpu(tmp_path, monkeypatch):
    """A machine without nvidia-smi is not one that is broken."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert nvidia_smi.gpus() is None


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            'echo "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver."; exit 9',
            r"exit status 9 \(NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver\); see that",
        ),
        ("echo 'No devices were found'; exit 6", r"exit status 6 \(No devices were found\)"),
        ("echo 'No devices were found'", r"shows no GPU \(No devices were found\); see that one is there"),
        ("exec sleep 9", r"^nvidia-smi gave no answer within 0.3 s"),
    ],
)
def test_a_tool_that_fails_is_told_in_one_sentence(tool, lines, told):
    """What it said first, and what helps."""
    tool(lines)

    with pytest.raises(Problem, match=told):
        nvidia_smi.gpus(limit_s=0.3)


def test_a_tool_that_cannot_start_is_told(tool, tmp_path):
    """No program of this machine's kind."""
    tool("")
    (tmp_path / "nvidia-smi").write_bytes(b"\x7fELF for another machine")

    with pytest.raises(Problem, match=r"nvidia-smi cannot be started \(Exec format error\)"):
        nvidia_smi.gpus()

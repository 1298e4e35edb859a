"""nvidia-smi: which NVIDIA GPUs this machine has, and how fast they run just now."""

from __future__ import annotations

import re
from dataclasses import dataclass

from roadworthy.problem import Problem
from roadworthy.runtimes.ask import ask, first_line

TOOL = "nvidia-smi"
FIELDS = (  # in the order of Gpu
    "index",
    "name",
    "clocks.sm",
    "clocks.max.sm",
    "temperature.gpu",
    "power.draw",
    "memory.total",
    "driver_version",
)
QUERY = [f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi shows it; what it does not measure, or not in a virtual machine, is None."""

    index: int
    name: str
    sm_clock_mhz: float | None
    max_sm_clock_mhz: float | None
    temperature_c: float | None
    power_w: float | None
    memory_total_mb: float | None
    driver: str | None


def parse(text: str) -> list[Gpu]:
    """The GPUs in the answer to QUERY, in its order; other lines (warnings, a header) are passed over."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == len(FIELDS) and cells[0].isdecimal():
            clock, max_clock, temperature, power, memory = (_number(cell) for cell in cells[2:7])
            driver = cells[7] if cells[7][:1].isdecimal() else None
            found.append(Gpu(int(cells[0]), cells[1], clock, max_clock, temperature, power, memory, driver))
    return found


def _number(text: str) -> float | None:
    """A figure, or None for `[N/A]`, `[Not Supported]`, `[Unknown Error]` and their like."""
    try:
        return float(text)
    except ValueError:
        return None


def gpus(limit_s: float = 20.0) -> list[Gpu] | None:
    """The GPUs of this machine, or None where there is no nvidia-smi; raises Problem where it fails or shows none."""
    text = ask(TOOL, QUERY, limit_s, "that the driver is loaded and of the version of its libraries")
    if text is None:
        return None
    if found := parse(text):
        return found
    raise Problem(f"nvidia-smi shows no GPU ({first_line(text)}); see that one is there and given to this container")


def facts(gpu: Gpu) -> dict[str, str]:
    """What a record says of a GPU: `chip`, `driver`, memory, clocks, temperature, power; what is not known is left out."""
    said = {
        "chip": gpu.name,
        "driver": gpu.driver,
        "memory_mb": gpu.memory_total_mb,
        "sm_clock_mhz": gpu.sm_clock_mhz,
        "max_sm_clock_mhz": gpu.max_sm_clock_mhz,
        "temperature_c": gpu.temperature_c,
        "power_w": gpu.power_w,
    }
    return {
        key: f"{value:g}" if isinstance(value, float) else value for key, value in said.items() if value is not None
    }


def matches(name: str, soc: str) -> bool:
    """Whether a GPU of this name is the chip `soc`, by whole words.

    "Tesla T4" is a T4 and "NVIDIA A100-SXM4-80GB" an A100; "NVIDIA T400" is no T4 and "NVIDIA L40S" neither L4 nor L40.
    """
    words, wanted = _words(name), _words(soc)
    return bool(wanted) and any(words[i : i + len(wanted)] == wanted for i in range(len(words)))


def _words(name: str) -> list[str]:
    """The words of a name, which blanks and hyphens part."""
    return [word for word in re.split(r"[\s-]+", name.casefold()) if word]

"""npu-smi: which Ascend chips this machine has, read from tables whose form changes with driver and board."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from roadworthy.problem import Problem
from roadworthy.runtimes.ask import ask, first_line

TOOL = "npu-smi"
HINT = "that the driver is loaded, of the firmware's version, and that this user may use it"
NAMED = re.compile(r"(\d+)\s+(?:Ascend)?(\d{3}\w*)")  # NPU, Name: 310P3, and Ascend910 on Atlas A3
PLACED = re.compile(r"(\d+)(?:\s+(\d+))?")  # Chip, Device (or Phy-ID); 910B has no second column
USAGE = re.compile(r"(\d+)\s*/\s*(\d+)")  # "938  / 21534", and "35552/ 44278" where the figure is wide
BANNER = re.compile(r"\|\s*npu-smi\s+(\S+)\s+Version:\s*(\S+)\s*\|")
PAIR = re.compile(r"^\s*([^:]+?)\s*:\s*(\S.*?)\s*$", re.MULTILINE)  # the first colon: a bus id has its own
POWER = ("Power Dissipation(W)", "NPU Real-time Power(W)")  # 310B and the card; 310P. "Rated ..." is no measurement
NOTHING = {"", "NA", "N/A", "-", "--"}


@dataclass(frozen=True)
class Chip:
    """One chip as `npu-smi info` shows it.

    `npu` and `chip` are what npu-smi's `-i` and `-c` take, `device` is what programs take (`--device`). Memory is in MB,
    of the HBM where there is one. What the board does not measure is None.
    """

    npu: int
    chip: int
    device: int
    name: str  # as ATC spells it: Ascend310P3
    health: str
    power_w: float | None
    temperature_c: float | None
    memory_used_mb: int | None
    memory_total_mb: int | None
    bus: str | None


def parse(text: str) -> list[Chip]:
    """The chips of an `npu-smi info` table, in its order; empty where there is none.

    A chip is two rows. A second chip of a card (Duo) repeats the first row in all tables seen; a second row alone is taken
    as one more chip of the NPU above it, of the same name and health, without power and temperature. Where the table has
    no Device column (910B), the device is the place in the table.
    """
    chips: list[Chip] = []
    head: Chip | None = None  # of a first row that waits for its second
    for line in text.splitlines():
        if "Process id" in line:  # the table of processes, whose rows begin with digits too
            break
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.strip().startswith("|") or len(cells) != 3:
            continue
        if first := _first_row(cells):
            head = first
        elif (place := PLACED.fullmatch(cells[0])) and (usage := USAGE.findall(cells[2])):
            if head is None and not chips:
                continue
            used, total = usage[-1]
            chips.append(
                replace(
                    head or replace(chips[-1], power_w=None, temperature_c=None),
                    chip=int(place[1]),
                    device=int(place[2]) if place[2] else len(chips),
                    memory_used_mb=int(used),
                    memory_total_mb=int(total),
                    bus=None if cells[1] in NOTHING else cells[1],
                )
            )
            head = None
    return chips


def _first_row(cells: list[str]) -> Chip | None:
    """NPU, name, health, power and temperature, or None for another row: usage is its third figure, not its second."""
    named, figures = NAMED.fullmatch(cells[0]), USAGE.split(cells[2])[0].split()
    if not named or len(figures) != 2:
        return None
    power, temperature = (None if figure in NOTHING else _number(figure) for figure in figures)
    return Chip(int(named[1]), 0, 0, f"Ascend{named[2]}", cells[1], power, temperature, None, None, None)


def _number(text: str) -> float | None:
    """A figure, or None for words."""
    try:
        return float(text)
    except ValueError:
        return None


def version(text: str) -> str | None:
    """The version of npu-smi in the banner of `npu-smi info`, or None: pasted tables often lack it."""
    banner = BANNER.search(text)
    return banner[1] if banner else None


def driver(text: str) -> str | None:
    """The version of the driver in the banner of `npu-smi info`, or None."""
    banner = BANNER.search(text)
    return banner[2] if banner else None


def standin(text: str) -> bool:
    """Whether a program that only plays npu-smi printed this: its banner says so."""
    return "standin" in f"{version(text)} {driver(text)}"


def is_standin(limit_s: float = 20.0) -> bool:
    """Whether the npu-smi of this machine is one; raises Problem where it fails."""
    return standin(_ask(["info"], limit_s) or "")


def parse_board(text: str) -> dict[str, str]:
    """`Key : Value` lines, as `-t board` prints them; the first of a key counts, NA is left out."""
    found: dict[str, str] = {}
    for key, value in PAIR.findall(text):
        if value not in NOTHING:
            found.setdefault(key, value)
    return found


def parse_power(text: str) -> float | None:
    """Watts of the first chip in the output of `-t power`, or None."""
    said = parse_board(text)
    return next((_number(said[key]) for key in POWER if key in said), None)


def chips(limit_s: float = 20.0) -> list[Chip] | None:
    """The chips of this machine, or None where there is no npu-smi; raises Problem where it fails or shows none."""
    text = _ask(["info"], limit_s)
    return None if text is None else _shown(text)


def facts(device: int, limit_s: float = 20.0) -> dict[str, str]:
    """What a record says of a chip, what is not known left out.

    `device`, `chip`, `health`, `memory` (MB used of all), `temperature` (degrees Celsius), `power` (W), `driver`,
    `firmware`, `npu-smi`.
    Empty where there is no npu-smi; raises Problem as `chips` does.
    """
    text = _ask(["info"], limit_s)
    if text is None:
        return {}
    chip = next((chip for chip in _shown(text) if chip.device == device), None)
    said: dict[str, object] = {"driver": driver(text), "npu-smi": version(text)}
    if chip:
        board = parse_board(_more("board", chip, limit_s))
        power = parse_power(_more("power", chip, limit_s)) if chip.power_w is None else chip.power_w
        used = f"{chip.memory_used_mb} of {chip.memory_total_mb}" if chip.memory_total_mb else None
        said |= {"device": str(device), "chip": chip.name, "health": chip.health, "memory": used}
        said |= {"temperature": chip.temperature_c, "power": power, "firmware": board.get("Firmware Version")}
        said["driver"] = board.get("Software Version") or said["driver"]
    return {key: str(value) for key, value in said.items() if value is not None}


def _more(what: str, chip: Chip, limit_s: float) -> str:
    """What `npu-smi info -t` prints of a chip; some boards ask for more rights than for the table."""
    try:
        return _ask(["info", "-t", what, "-i", str(chip.npu)], limit_s) or ""
    except Problem:
        return ""


def _shown(text: str) -> list[Chip]:
    """The chips of a table that must show one."""
    if found := parse(text):
        return found
    raise Problem(f"npu-smi info shows no chip ({first_line(text)}); see that the driver is loaded and a chip is there")


def _ask(words: list[str], limit_s: float) -> str | None:
    """What npu-smi prints, or None where there is none."""
    return ask(TOOL, words, limit_s, HINT, " ".join([TOOL, *words]))

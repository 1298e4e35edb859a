"""The board as npu-smi shows it; NPU ids are no device indices, as on real boards."""

from __future__ import annotations

import sys

from standin import VERSION, knobs

BANNER = f"23.0.0-standin-{VERSION}"
MEMORY = {"310": 8192, "310P": 21534, "310B": 15609, "910": 32768, "910B": 65536}  # MB
RULE = "+" + "-" * 31 + "+" + "-" * 17 + "+" + "-" * 54 + "+"
DOUBLE = RULE.replace("-", "=")
HELP = "usage: npu-smi info [-m | -t power|board -i NPU [-c CHIP]]\n"


def main(arguments: list[str]) -> int:
    """Show; returns the exit status."""
    if arguments[:1] != ["info"]:
        sys.stdout.write(HELP)
        return 0 if arguments in ([], ["-h"]) else 1
    if not knobs.board():
        sys.stdout.write("DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)\ndcmi model initialized failed\n")
        return 1
    options = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    if "-m" in arguments:
        sys.stdout.write(mapping())
        return 0
    if "-t" not in options:
        sys.stdout.write(table())
        return 0
    return one_npu(options)


def npu_id(device: int) -> int:
    """The number that the slot has."""
    return 4 * (device + 1)


def chips() -> list[tuple[int, str]]:
    """Device and name without `Ascend`."""
    return [(device, name.removeprefix("Ascend")) for device, name in enumerate(knobs.board())]


def total_mb(name: str) -> int:
    """Memory of the chip."""
    family = max((key for key in MEMORY if name.startswith(key)), key=len, default="310")
    return int(knobs.memory_mb() or MEMORY[family])


def power(device: int) -> float:
    """Watt at rest."""
    return 12.8 + device


def row(*cells: str) -> str:
    """Three cells in the table's widths."""
    return f"| {cells[0]:<30}| {cells[1]:<16}| {cells[2]:<53}|"


def table() -> str:
    """All chips in two rows each, and the processes."""
    second = "AICore(%)    Memory-Usage(MB)"
    if any(name.startswith("910B") for _, name in chips()):
        second += "        HBM-Usage(MB)"
    lines = [
        RULE.replace("+", "-"),
        f"| npu-smi {BANNER:<45} Version: {BANNER:<40}|",
        RULE,
        row("NPU     Name", "Health", "Power(W)     Temp(C)           Hugepages-Usage(page)"),
        row("Chip    Device", "Bus-Id", second),
        DOUBLE,
    ]
    for device, name in chips():
        lines += [*chip_rows(device, name), DOUBLE]
    lines += [RULE, row("NPU     Chip", "Process id", "Process name             Process memory(MB)"), DOUBLE]
    for device, _ in chips():
        lines += [f"| No running processes found in NPU {npu_id(device):<69}|", DOUBLE]
    return "\n".join(lines) + "\n"


def chip_rows(device: int, name: str) -> list[str]:
    """The two rows of a chip."""
    used = f"{1851:<5}/ {total_mb(name):<6}"
    memory = f"0    / 0          {used}" if name.startswith("910B") else used
    which = f"{0:<8}" if name.startswith("910B") else f"{0:<8}{device}"
    return [
        row(f"{npu_id(device):<8}{name}", "OK", f"{power(device):<13.1f}{41 + device:<18}0    / 0"),
        row(which, f"0000:{device + 1:02X}:00.0", f"{0:<13}{memory}"),
    ]


def mapping() -> str:
    """Which NPU and chip is which device; a board controller is listed too."""
    lines = ["\t" + "".join(f"{head:<31}" for head in ("NPU ID", "Chip ID", "Chip Logic ID", "Chip Name"))]
    for device, name in chips():
        rows = ((npu_id(device), 0, device, f"Ascend {name}"), (npu_id(device), 1, "-", "Mcu"))
        lines += ["\t" + "".join(f"{cell:<31}" for cell in cells) for cells in rows]
    return "\n".join(lines) + "\n"


def one_npu(options: dict[str, str]) -> int:
    """`Key : Value` lines about one NPU."""
    found = [(device, name) for device, name in chips() if str(npu_id(device)) == options.get("-i")]
    if not found or options["-t"] not in ("power", "board"):
        sys.stdout.write(f"Error parameter of -{'t' if found else 'i'}\n")
        return 1
    device, name = found[0]
    facts: dict[str, object] = {"NPU ID": npu_id(device), "Chip Count": 1}
    if options["-t"] == "power":
        facts["Power Dissipation(W)"] = power(device)
    elif "-c" in options:
        facts |= {"Chip Type": "Ascend", "Chip Name": name, "Chip Version": "V1"}
    else:
        facts |= {"Product Name": "stand-in", "Software Version": BANNER, "Firmware Version": "6.4.0-standin"}
    sys.stdout.write("".join(f"\t{key:<31}: {value}\n" for key, value in facts.items()))
    return 0

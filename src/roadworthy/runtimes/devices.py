"""The accelerators of this machine, as npu-smi and nvidia-smi tell: which are there, how they are, how warm they run."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from roadworthy.problem import Problem, Unavailable
from roadworthy.record import COLDEST
from roadworthy.runtimes import cann, lacks, npu_smi, nvidia_smi
from roadworthy.runtimes.remembered import remembered
from roadworthy.soc import Soc, socs

PERIOD_S = 1.0  # between two readings
ALARM = "Alarm"
VISIBLE = {"nvidia": "CUDA_VISIBLE_DEVICES", "huawei": "ASCEND_RT_VISIBLE_DEVICES"}


@dataclass(frozen=True)
class Device:
    """One chip: the number that tools take, its name, health in the tool's word ("" where it tells none)."""

    index: int
    name: str
    health: str = ""


@dataclass
class Readings:
    """Seconds since the epoch, temperature (degrees Celsius) and power (watts), while something ran."""

    rows: list[tuple[float, float | None, float | None]] = field(default_factory=list)

    def between(self, began: float, ended: float) -> tuple[list[float], list[float]]:
        """Temperatures and power of a stretch of time, of the last reading before its end where it was shorter than one."""
        rows = [row for row in self.rows if began <= row[0] <= ended]
        rows = rows or [row for row in self.rows if row[0] <= ended][-1:]
        temperatures = [c for _, c, _ in rows if c is not None and c >= COLDEST]
        return temperatures, [w for _, _, w in rows if w is not None and w >= 0]  # tools write -1 for unknown


@remembered
def of_vendor(vendor: str) -> tuple[Device, ...] | None:
    """The chips of a vendor, None where nothing here tells; raises Problem where its tool fails."""
    if vendor == "huawei":
        chips = npu_smi.chips()
        return None if chips is None else tuple(Device(chip.device, chip.name, chip.health) for chip in chips)
    if vendor == "nvidia":
        gpus = nvidia_smi.gpus()
        return None if gpus is None else tuple(Device(gpu.index, gpu.name) for gpu in gpus)
    return None


def of_soc(soc: Soc, wanted: int | None = None) -> list[int]:
    """The devices that are this chip and can be used, or the one wanted; the first one where nothing tells which there are.

    The host is always device 0: a run on several chips has one `--device`, and the cpu has no numbers to choose from.
    Raises Unavailable where there is none, and for a wanted one that is not among them.
    """
    if soc.vendor == "host":
        return [0]
    found = of_vendor(soc.vendor)
    if found is None:
        return [0 if wanted is None else wanted]
    own = _usable(soc, found)
    if not own:
        raise Unavailable(_why_none(soc, found))
    if wanted is None:
        return own
    if wanted not in own:
        here = next((_why_not(soc, found, device) for device in found if device.index == wanted), "is not there")
        raise Unavailable(f"--device {wanted} {here}; those that are {soc.atc_name} and can be used: {own}")
    return [wanted]


def _usable(soc: Soc, found: Sequence[Device]) -> list[int]:
    """The devices that are this chip, seen by this process and not in Alarm, in the environment's order."""
    return [device.index for device in _visible(soc.vendor, found) if is_soc(device, soc) and device.health != ALARM]


def _why_none(soc: Soc, found: Sequence[Device]) -> str:
    """Why no device is usable as this chip: what there is instead, or what keeps each."""
    own = [device for device in found if is_soc(device, soc)]
    if not own:
        tool = "nvidia-smi" if soc.vendor == "nvidia" else "npu-smi"
        names = " and ".join(dict.fromkeys(device.name for device in found)) or "no chip"
        return f"{tool} says that this machine has {names}, not {soc.atc_name}"
    each = ", ".join(f"device {device.index} {_why_not(soc, found, device)}" for device in own)
    return f"none of the {soc.atc_name} here can be used: {each}"


def _why_not(soc: Soc, found: Sequence[Device], device: Device) -> str:
    """Why a device that is not usable as this chip is not."""
    if not is_soc(device, soc):
        return f"is {device.name} {device.health}".rstrip()
    hidden = [] if device in _visible(soc.vendor, found) else [f"hidden by {VISIBLE[soc.vendor]}"]
    return f"is {' and '.join(hidden + [f'in {ALARM}'] * (device.health == ALARM))}"


def _visible(vendor: str, found: Sequence[Device]) -> list[Device]:
    """The devices that the environment leaves to this process."""
    listed = os.environ.get(VISIBLE.get(vendor, ""))
    if listed is None or re.search(r"[A-Z]", listed):  # GPU-1a2b..: names of which nvidia-smi's table says nothing
        return list(found)
    by = {str(device.index): device for device in found}
    return [by[number.strip()] for number in listed.split(",") if number.strip() in by]


def position(soc: Soc, device: int) -> int:
    """The number that a process uses for a device: its place among those that the environment leaves to it."""
    own = [found.index for found in _visible(soc.vendor, of_vendor(soc.vendor) or ())]
    return own.index(device) if VISIBLE.get(soc.vendor, "") in os.environ and device in own else device


def is_soc(device: Device, soc: Soc) -> bool:
    """Whether a device is the chip of this name."""
    return nvidia_smi.matches(device.name, soc.name) if soc.vendor == "nvidia" else device.name == soc.atc_name


def refused(soc: Soc) -> str | None:
    """Why no device in this machine can be used as `soc`; None where one can, or where nothing tells."""
    try:
        found = of_vendor(soc.vendor)
    except Problem as problem:
        return str(problem)
    return None if found is None or _usable(soc, found) else _why_none(soc, found)


def detected() -> list[Soc]:
    """The chips of this machine that have a name here, stand-ins left out; none where their tools fail."""
    found = []
    for vendor in ("huawei", "nvidia"):
        try:
            devices = of_vendor(vendor) or ()
        except Problem:  # told when the chip is asked for
            continue
        if vendor == "huawei" and npu_smi.is_standin():
            continue
        known = [soc for soc in socs().values() if soc.vendor == vendor and soc.base is None]
        found += [soc for soc in known if any(is_soc(device, soc) for device in devices)]
    return found


def default(runtime: str = "") -> tuple[str, str]:
    """The chip that is judged where none is asked for: one of this machine that can run, else its cpu, and why.

    `runtime` is one asked for by name.
    """
    why = []
    for soc in detected():
        reason = lacks(soc, runtime or soc.runtime)
        if reason is None:
            return soc.name, "which this machine has; --soc names another"
        why.append(f"{soc.name} is here, but {reason}")
    return "cpu", "; ".join(why)


def facts(soc: Soc, device: int) -> dict[str, str]:
    """What figures of a device depend on: driver, firmware, clocks, health; what cannot be asked is left out."""
    try:
        if soc.vendor == "huawei":
            return {**cann.find_cann(), **npu_smi.facts(device)}
        if soc.vendor == "nvidia":
            return next((nvidia_smi.facts(gpu) for gpu in nvidia_smi.gpus() or () if gpu.index == device), {})
    except Problem:
        pass
    return {}


def inventory() -> list[dict[str, str]]:
    """What is known of every chip here; a tool that fails is told in place of its chips."""
    found = []
    for vendor in ("huawei", "nvidia"):
        try:
            own = of_vendor(vendor) or ()
        except Problem as problem:
            found.append({"vendor": vendor, "fails": str(problem)})
            continue
        some = next(soc for soc in socs().values() if soc.vendor == vendor)
        found += [{"number": str(device.index), "chip": device.name, **facts(some, device.index)} for device in own]
    return found


@contextlib.contextmanager
def watched(soc: Soc, device: int) -> Iterator[Readings]:
    """Read temperature and power of a device once a second meanwhile; nothing where nothing tells."""
    readings, stop = Readings(), threading.Event()

    def watch() -> None:
        while True:
            try:
                celsius, watts = _now(soc, device)
            except Problem:  # a busy board answers late; the figure is what counts
                celsius = watts = None
            readings.rows.append((time.time(), celsius, watts))
            if stop.wait(PERIOD_S):
                return

    thread = threading.Thread(target=watch, daemon=True)
    if soc.vendor in ("huawei", "nvidia") and of_vendor(soc.vendor):
        thread.start()
    try:
        yield readings
    finally:
        stop.set()
        if thread.ident is not None:
            thread.join()


def _now(soc: Soc, device: int) -> tuple[float | None, float | None]:
    if soc.vendor == "huawei":
        chips = [chip for chip in npu_smi.chips() or () if chip.device == device]
        return (chips[0].temperature_c, chips[0].power_w) if chips else (None, None)
    gpus = [gpu for gpu in nvidia_smi.gpus() or () if gpu.index == device]
    return (gpus[0].temperature_c, gpus[0].power_w) if gpus else (None, None)

"""What can end a run of processes and devices, told in a sentence."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import distributed

from roadworthy.problem import OutOfMemory, Problem
from roadworthy.train.group import Group
from roadworthy.train.plan import Plan

NO_MEMORY = ("out of memory", "can't allocate memory", "Cannot allocate memory", "bad_alloc")


class Lost(Problem):
    """Another process of the run is gone."""


@contextlib.contextmanager
def told(plan: Plan, group: Group, last: Path) -> Iterator[None]:
    """Raises OutOfMemory for a batch too large, Lost where another process is gone, Problem for crops too small.

    Other errors are defects.

    `last` is the state from which the run can go on.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        crops = f"{plan.batch} crops of {'x'.join(map(str, plan.crop))}"
        raise Problem(f"{crops} leave a BatchNorm one value to learn from; a larger --crop or --batch helps") from error
    except (RuntimeError, MemoryError) as error:
        said = str(error)
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(mark in said for mark in NO_MEMORY):
            crops = f"{plan.batch} crops of {'x'.join(map(str, plan.crop))}"
            raise OutOfMemory(
                f"{crops} do not fit in the memory of {group.device} ({_first_line(said)}); a smaller --batch with a "
                "larger --accumulate has steps of the same crops"
            ) from error
        if group.place.world > 1 and (isinstance(error, distributed.DistError) or "gloo" in said):
            kept = "holds the last state, --resume goes on from it" if last.exists() else "is not written yet"
            reason = re.sub(r"^\[\S+\] |\. This is typically.*", "", _first_line(said))  # file of gloo, its advice
            gone = f"process {group.place.rank}: another process of the run is gone ({reason})"
            raise Lost(f"{gone}; {last} {kept}") from error
        raise


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason told")[:300]

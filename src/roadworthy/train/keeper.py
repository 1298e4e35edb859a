"""What a run keeps in its folder while it goes on: the last state, the best weights, the curves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from roadworthy.train import checkpoint, curves
from roadworthy.train.checkpoint import LAST, History

KEEP_S = 600.0  # between two states within an epoch


class Keeper:
    """The files of one run; of many processes only the first writes them.

    `best` is the name of the best weights so far, none before the first; `names` makes it of {epoch} and {miou}, and
    `prefix` stands before every key.
    """

    def __init__(self, out: Path, names: str, prefix: str, *, first: bool) -> None:
        self.out, self.best = out, ""
        self._names, self._prefix, self._first = names, prefix, first
        self._saved = time.monotonic()

    @property
    def last(self) -> Path:
        """The state from which the run can go on."""
        return self.out / LAST

    @property
    def due(self) -> bool:
        """Whether the last state is older than it may be in a long epoch."""
        return time.monotonic() - self._saved > KEEP_S

    def keep(self, state: Mapping[str, Any]) -> None:
        """Write the state; raises Problem where it cannot be written, the older one stays."""
        self._saved = time.monotonic()
        if self._first:
            checkpoint.save({**state, "best": self.best}, self.last)

    def draw(self, history: History, title: str) -> None:
        """Write the curves, as far as there are any."""
        if self._first and history.losses:
            curves.draw(history, title, self.out / "curves.png")

    def keep_best(self, module: nn.Module, epoch: int, score: float | None) -> None:
        """Write the weights under the published name; the ones that they beat go."""
        older, self.best = self.best, self._names.format(epoch=epoch, miou=score or 0.0)
        if self._first:
            checkpoint.save(checkpoint.published(module, self._prefix), self.out / self.best)
            if older and older != self.best:
                with contextlib.suppress(OSError):
                    (self.out / older).unlink(missing_ok=True)

    def take_along(self, folder: Path, best: str) -> None:
        """The best weights of a run that goes on, from the folder that it was in, so far as they are still there."""
        here, there = self.out / best, folder / best
        if best and self._first and not here.is_file() and there.is_file():
            checkpoint.write(here, lambda file: file.write(there.read_bytes()))
        self.best = best if best and here.is_file() else ""

"""What a run tells while it goes on: lines in its log and on the terminal, scalars for TensorBoard."""

from __future__ import annotations

import datetime as dt
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadworthy.problem import Problem

LOG = "train.log"


@dataclass(frozen=True)
class Step:
    """A step as it is shown; loss, images/s, the share of time spent waiting for crops and seconds left are a window's."""

    number: int
    last: int
    epoch: int
    loss: float | None = None
    rate: float = 0.0
    speed: float | None = None
    waited: float = 0.0
    left: float = 0.0

    def __str__(self) -> str:
        loss = "" if self.loss is None else f"  loss {self.loss:.4f}"
        left = dt.timedelta(seconds=round(self.left))
        speed = "" if self.speed is None else f"  {self.speed:.2f} images/s  {self.waited:.0%} waiting  {left} left"
        return f"epoch {self.epoch}  step {self.number}/{self.last}{loss}  rate {self.rate:.2e}{speed}"


class Journal:
    """The log file and TensorBoard's events of one run, beside its checkpoints; only the first process has one."""

    def __init__(self, folder: Path, tell: Callable[[str], object], show: Callable[[Step], object]) -> None:
        self._path, self._tell, self._show = folder / LOG, tell, show
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._path.touch()
        except OSError as error:
            raise Problem(f"{folder}: a run cannot leave anything here ({error.strerror})") from error
        self._board = _board(folder)

    def say(self, text: str) -> None:
        """A line for the reader, kept in the log with its time."""
        self.note(text)
        self._tell(text)

    def note(self, text: str) -> None:
        """A line in the log alone; a full disk does not end a run that can go on."""
        now = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{now}  {text}\n")
        except OSError as error:
            self._tell(f"{self._path}: cannot be written ({error.strerror})")

    def step(self, step: Step) -> None:
        """Show a step; note the end of a window."""
        self._show(step)
        if step.loss is not None:
            self.note(str(step))
            figures = {"loss": step.loss, "rate": step.rate, "images/s": step.speed}
            self.scalars({name: value for name, value in figures.items() if value is not None}, step.number)

    def scalars(self, figures: dict[str, float], step: int) -> None:
        """For TensorBoard, where it is installed."""
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)
            self._board.flush()


def _board(folder: Path) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  optional

    return SummaryWriter(folder / "tensorboard")

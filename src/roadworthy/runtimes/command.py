"""Tools of vendors as processes: a list of words, never a shell; a log, a time limit, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from roadworthy.problem import CaseFailed, TimedOut

QUIET = {
    "ASCEND_SLOG_PRINT_TO_STDOUT": "0",  # CANN's own log would drown what is read
    "PYTHONUNBUFFERED": "1",  # what a killed tool had said would be lost
}


@dataclass(frozen=True)
class Done:
    """What a tool said, and its exit status (negative: the signal that ended it)."""

    words: tuple[str, ...]
    stdout: str
    stderr: str
    status: int
    log: Path
    environment: Mapping[str, str]  # what was added for this command

    @property
    def text(self) -> str:
        """Both streams: the traceback is on one and its cause on the other."""
        return f"{self.stdout}\n{self.stderr}"

    @property
    def shown(self) -> str:
        """The command as a person types it."""
        return shlex.join([*(f"{key}={value}" for key, value in self.environment.items()), *self.words])


def run(
    words: Sequence[str], *, folder: Path, log: Path, limit_s: float, environment: Mapping[str, str] | None = None
) -> Done:
    """Run a command in a folder; standard output goes to `log`, standard error beside it (`.err`), both live.

    Raises TimedOut after `limit_s` seconds, with everything that the tool had started gone, and CaseFailed where the
    tool cannot be started.
    """
    added = {**QUIET, **(environment or {})}
    shown = shlex.join([*(f"{key}={value}" for key, value in added.items()), *words])
    errors = log.with_suffix(".err")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as out, errors.open("a", encoding="utf-8") as err:
        print(f"$ cd {shlex.quote(str(folder))} && {shown}", file=out, flush=True)
        starts = out.tell(), err.tell()
        try:
            process = subprocess.Popen(  # noqa: S603  a list of words
                words, cwd=folder, env={**os.environ, **added}, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        except OSError as error:
            raise CaseFailed(f"{words[0]} cannot be started ({error.strerror})", [f"$ {shown}"]) from error
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            told = f"{Path(words[0]).name} was ended after {limit_s:.0f} s without a result; its log is {log}"
            raise TimedOut(told, [f"$ {shown}", *_since(log, starts[0]).splitlines()[-3:]]) from None
        finally:
            if process.returncode is None:  # cut short
                end(process.pid)
                process.wait()
    return Done(tuple(words), _since(log, starts[0]), _since(errors, starts[1]), status, log, environment or {})


def end(pid: int) -> None:
    """Kill a process with all that it has started."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        family = [*root.children(recursive=True), root]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def _since(path: Path, start: int) -> str:
    for _ in range(2):  # a child of the tool may still be writing its last words
        content = path.read_bytes()[start:]
        if content:
            break
        time.sleep(0.05)
    return content.decode("utf-8", "replace")

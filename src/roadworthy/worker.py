"""One piece of work in a process of its own: a crash, a hang or a kill costs that piece alone.

Workers are forked from a server that has loaded the engine and done nothing yet, so that one starts in milliseconds. A
worker leads its own session: whatever it starts is gone when it is, and it is gone when the run that asked for it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import psutil

from roadworthy import cache
from roadworthy.problem import Problem, TimedOut

ENGINE = "roadworthy.pipeline"  # a name and no import: the order of steps is above this layer
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
SAME = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # devices by the numbers that nvidia-smi gives them
LONGEST = 103 - 31  # bytes of a temporary folder's path: a socket's has 103 (macOS), of which multiprocessing adds 31
SHORT = ("/tmp", "/var/tmp")  # noqa: S108  of every Unix; a folder of one's own is made in it
TAIL = 1 << 20  # bytes of a log that are read back
GRACE_S = 10.0  # to end after the last word

Progress = Callable[[int, int], None]


class Died(Exception):  # noqa: N818  it did
    """A worker that ended without an answer: `status` as subprocess counts it (negative: a signal), and what it wrote."""

    def __init__(self, status: int, text: str, log: Path) -> None:
        super().__init__(f"the worker ended with status {status}; see {log}")
        self.status, self.text, self.log = status, text, log


def warm() -> None:
    """Start the server, which loads the engine while the caller does something else; a running one stays as it is."""
    if METHOD != "forkserver":
        return
    multiprocessing.get_context(METHOD).set_forkserver_preload([ENGINE])
    before, here = os.environ.get("PYTHONPATH"), str(Path(__file__).parents[1])  # it would load what is installed
    os.environ["PYTHONPATH"] = os.pathsep.join([here, *([before] if before else [])])
    try:
        with _short_folder():
            forkserver.ensure_running()
    except OSError as error:
        told = f"{tempfile.gettempdir()}: no process can be served from here ({error})"
        raise Problem(f"{told}; TMPDIR names a folder of a shorter path, with room") from error
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def _short_folder() -> Iterator[None]:
    """Temporary files in a folder short enough for a socket, where the one that is named is not and there is another."""
    short = [folder for folder in SHORT if os.access(folder, os.W_OK | os.X_OK)]
    if len(os.fsencode(tempfile.gettempdir())) <= LONGEST or not short:
        yield
        return
    before, tempfile.tempdir = tempfile.tempdir, short[0]
    try:
        yield
    finally:
        tempfile.tempdir = before


def call(
    work: Callable[..., Any],
    *arguments: Any,
    log: Path,
    limit_s: float | None = None,
    progress: Progress | None = None,
    alive: Callable[[float], None] | None = None,
) -> Any:
    """`work(*arguments, progress)` in a worker whose output goes to the file `log`; returns what it returns.

    `alive` is told the seconds that have gone by, about once a second. The worker's folder is a temporary one, gone
    with it: paths must be absolute.
    Raises the Problem or MemoryError that the work raised; TimedOut where `limit_s` seconds went by without progress;
    Died for any other exception, a signal, or an early end.
    """
    warm()
    context: Any = multiprocessing.get_context(METHOD)
    ours, theirs = context.Pipe()
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        start = log.stat().st_size
    except OSError as error:
        raise Problem(f"{log}: the log could not be written ({error.strerror})") from error
    with tempfile.TemporaryDirectory(prefix="roadworthy-", ignore_cleanup_errors=True) as scratch:
        own = {**SAME, cache.VARIABLE: str(cache.folder()), "TMPDIR": scratch}
        surroundings = Surroundings(log, {**os.environ, **own}, Path(scratch))
        process = context.Process(target=_serve, args=(theirs, surroundings, work, arguments))
        process.start()
        theirs.close()
        try:
            kind, value = _answer(ours, limit_s, progress, alive)
            process.join(GRACE_S)
        except TimeoutError:
            told = f"no sign of life for {limit_s:.0f} s, so it was ended; its output is in {log}"
            raise TimedOut(f"{told} (--time-limit allows more)", _tail(log, start).splitlines()[-3:]) from None
        except EOFError:
            process.join(GRACE_S)
            raise Died(process.exitcode or 1, _tail(log, start), log) from None
        finally:
            _end(process.pid, scratch)
            process.join(GRACE_S)
            ours.close()
    if kind == "raised":
        raise value
    if kind == "broke":
        raise Died(1, _tail(log, start), log)
    return value


def here(work: Callable[..., Any], *arguments: Any, progress: Progress | None = None, **_: Any) -> Any:
    """The same in this process: for a debugger, or where the caller is a process of its own."""
    return work(*arguments, progress or _unseen)


def _unseen(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def _answer(
    ours: Connection, limit_s: float | None, progress: Progress | None, alive: Callable[[float], None] | None
) -> tuple[str, Any]:
    """What the worker says last; TimeoutError where it says nothing for too long, EOFError where it is gone."""
    began = heard = time.monotonic()
    while True:
        if alive:
            alive(time.monotonic() - began)
        if ours.poll(1.0):
            try:
                kind, value = ours.recv()
            except OSError as error:  # gone in the middle of its answer
                raise EOFError from error
            heard = time.monotonic()
            if kind != "progress":
                return kind, value
            if progress:
                progress(*value)
        elif limit_s is not None and time.monotonic() - heard > limit_s:
            raise TimeoutError


@dataclass(frozen=True)
class Surroundings:
    """What a worker finds; it begins as a copy of the server."""

    log: Path
    environment: Mapping[str, str]
    folder: Path

    def enter(self) -> None:
        """Make them this process's."""
        _write_to(self.log)
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        tempfile.tempdir = None  # asked of the environment anew


def _serve(
    theirs: Connection, surroundings: Surroundings, work: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    surroundings.enter()
    threading.Thread(target=_end_with, args=(theirs, surroundings.folder), daemon=True).start()
    try:
        answer = ("done", work(*arguments, lambda done, total: theirs.send(("progress", (done, total)))))
    except (Problem, MemoryError) as error:
        traceback.print_exc()
        answer = ("raised", error)
    except BaseException:  # noqa: BLE001  the caller is told that it broke
        traceback.print_exc()
        answer = ("broke", None)
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)  # what native code has buffered is lost at the end of a forked process
    theirs.send(answer)


def _write_to(log: Path) -> None:
    """Standard output and error go to the end of the log."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115  pytest took the old
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115


def _end_with(theirs: Connection, scratch: Path) -> NoReturn:
    """End the whole session once nobody listens any more."""
    with contextlib.suppress(EOFError, OSError):
        theirs.recv()
    _kill_descendants(os.getpid())
    shutil.rmtree(scratch, ignore_errors=True)  # the caller would have removed it
    _end(os.getpid(), str(scratch))
    os._exit(1)


def _end(leader: int | None, scratch: str) -> None:
    """Kill a session: what is left of the leader's group, and what it had started in groups of their own."""
    assert leader is not None
    _kill_descendants(leader)
    for kill in (os.killpg, os.kill):  # it may not lead a group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(leader, signal.SIGKILL)
    _kill_orphans(scratch)


def _kill_descendants(leader: int) -> None:
    """Kill what a process that is there has started; nothing of one that is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        _kill(psutil.Process(leader).children(recursive=True))


def _kill_orphans(scratch: str) -> None:
    """Kill what was started by a process that is gone: all that were given its scratch folder."""
    _kill([process for process in psutil.process_iter() if _has(process, scratch)])


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _has(process: psutil.Process, scratch: str) -> bool:
    try:
        return bool(process.environ().get("TMPDIR") == scratch)
    except (psutil.Error, OSError):  # another user's, or gone
        return False


def _tail(log: Path, start: int) -> str:
    """What the worker wrote, or the end of it where that is much."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""

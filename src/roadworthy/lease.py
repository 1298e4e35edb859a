"""One run at a time on a device: two would time each other. Held by file locks that end with the process."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from roadworthy.problem import Problem

VARIABLE = "ROADWORTHY_LEASES"  # for tests, which hold devices that are none
PLACE = "/tmp/roadworthy-devices"  # noqa: S108  the one folder that all users can write to
AGAIN_S = 0.5  # between two looks at devices that others hold


def folder() -> Path:
    """Where the locks lie: one place for all users of a machine, whatever folder each has for temporary files."""
    return Path(os.environ.get(VARIABLE) or (PLACE if os.name == "posix" else tempfile.gettempdir()))


@contextlib.contextmanager
def device(kind: str, devices: Sequence[int], tell: Callable[[str], object]) -> Iterator[int]:
    """Hold the first of `devices` that no other run holds, waiting for one where all are; gives its number."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        _for_all(folder(), 0o777)
        locks = {number: _lock(folder() / f"{kind}-{number}.lock") for number in devices}
        number = _first(locks)
        if number is None:
            tell(f"waiting for device {' or '.join(map(str, devices))} ({kind}), which another run holds")
        while number is None:
            time.sleep(AGAIN_S)
            number = _first(locks)
    except OSError as error:
        raise Problem(f"{folder()}: a device cannot be held here ({error.strerror})") from error
    try:
        yield number
    finally:
        locks[number].release()


def _lock(path: Path) -> FileLock:
    with contextlib.suppress(PermissionError):
        path.touch()
    _for_all(path, 0o666)
    return FileLock(path, mode=0o666)


def _for_all(path: Path, mode: int) -> None:
    """Other users of the machine hold its devices too; who made the path has done this already."""
    with contextlib.suppress(PermissionError):
        path.chmod(mode)


def _first(locks: dict[int, FileLock]) -> int | None:
    for number, lock in locks.items():
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            return number
    return None

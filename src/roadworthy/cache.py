"""Things made once: in the user's cache folder, under a name that says their content, shared by runs at once; in a run."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
from filelock import FileLock

from roadworthy import fingerprint
from roadworthy.problem import Problem

VARIABLE = "ROADWORTHY_CACHE"

Made = TypeVar("Made")


def folder() -> Path:
    """The cache folder: `$ROADWORTHY_CACHE`, else the user's own."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).absolute() if chosen else platformdirs.user_cache_path("roadworthy")


def run_folder() -> Path:
    """A folder name for one run's records, not yet made."""
    now = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%d-%H%M%S")
    return folder() / "runs" / f"{now}-{os.getpid()}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold this file or folder against other runs on this machine; the lock itself lies in the cache."""
    locks = folder() / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"{locks}: cannot be made ({error.strerror}); {VARIABLE} names another cache folder") from error
    with FileLock(locks / f"{fingerprint.of_value(str(path.resolve()))}.lock"):
        yield


def made(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `kind/name`, filled by `make(folder)` on first use.

    A second run that asks meanwhile waits for the first; a run that dies leaves nothing that looks finished.
    Raises Problem where the folder cannot be written.
    """
    target = folder() / kind / name
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / f"{name}.lock"):
            if not target.is_dir():
                for left in target.parent.glob(f"{name}.part-*"):  # by a run that was killed
                    shutil.rmtree(left, ignore_errors=True)
                part = Path(tempfile.mkdtemp(prefix=f"{name}.part-", dir=target.parent))
                try:
                    make(part)
                    part.rename(target)
                finally:
                    shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise Problem(f"{target}: cannot be made ({error.strerror}); {VARIABLE} names another cache folder") from error
    return target


class Memo:
    """What a run makes once: it is kept under its key, and so is the Problem that it was."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make()` gave when the key was new; raises the Problem that it raised then."""
        if key not in self._kept:
            try:
                self._kept[key] = make()
            except Problem as problem:
                self._kept[key] = problem
        found: Made | Problem = self._kept[key]
        if isinstance(found, Problem):
            raise found
        return found

"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from roadworthy.problem import Problem


@dataclass(frozen=True)
class _Part:
    """A new file beside the one whose place it is to take, and that one's permissions; None where there is none."""

    path: Path
    target: Path
    mode: int | None


@contextmanager
def written(path: Path, what: str, left: str = "") -> Iterator[Path]:
    """A new file to write to, which takes the place of `path` where the block ends well, and is gone where it does not.

    Folders are made. A link stays one: the file that it leads to is written. A file's mode stays, that of a new one is
    what the umask leaves. For every OSError, also one of the block, raises Problem naming `path`, `what` it was to be, the
    reason, and what is `left`.
    """
    part = None
    try:
        part = _begun(path)
        yield part.path
        if part.mode is not None:
            part.path.chmod(part.mode)
        part.path.replace(part.target)
    except OSError as error:
        raise Problem(f"{path}: the {what} could not be written ({_reason(error)}){left}") from error
    finally:
        if part:
            with suppress(OSError):
                part.path.unlink(missing_ok=True)


def check(path: Path, what: str) -> None:
    """Raise Problem where `written` could not begin, before the work for it is done; folders are made."""
    try:
        _begun(path).path.unlink()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Problem(f"{path}: the {what} cannot be written here ({where}{_reason(error)})") from error


def _begun(path: Path) -> _Part:
    path.parent.mkdir(parents=True, exist_ok=True)
    target = Path(os.path.realpath(path))
    mode = _mode(target)
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    part.touch(
        0o666 if mode is None else 0o600, exist_ok=False
    )  # nobody else's till it is whole; may be read-only then
    return _Part(part, target, mode)


def _mode(path: Path) -> int | None:
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):
        raise OSError(f"a {'folder' if stat.S_ISDIR(found) else 'device or pipe'} is there")
    return stat.S_IMODE(found)


def _reason(error: OSError) -> str:
    return error.strerror or next(iter(str(error).splitlines()), type(error).__name__)

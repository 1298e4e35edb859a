"""Which paths generation C takes."""

from __future__ import annotations

import argparse
import os
import re
import stat
from pathlib import Path

LEGAL = re.compile(r"[A-Za-z0-9_\-/.]+")
LARGEST_MODEL = 10 * 2**30


def refuse(path: str, reason: str) -> argparse.ArgumentTypeError:
    """An error that ends in exit 2."""
    return argparse.ArgumentTypeError(f"{path}: {reason}")


def readable(path: str) -> None:
    """Refuse what is absent, linked, foreign, writable for others, or has another character in its path."""
    if not LEGAL.fullmatch(path):
        raise refuse(path, "only A-Z a-z 0-9 _ - / . are legal in a path")
    place = Path(path)
    if place.is_symlink():
        raise refuse(path, "soft links are not legal")
    if not place.exists():
        raise refuse(path, "there is no such file or folder")
    facts = place.stat()
    if facts.st_uid != os.geteuid() and facts.st_gid not in (os.getegid(), *os.getgroups()):
        raise refuse(path, "neither owner nor group is the current user")
    if stat.S_IMODE(facts.st_mode) & 0o022:
        raise refuse(path, "group or others may write it")


def model(path: str) -> str:
    """A model's path."""
    readable(path)
    if not path.endswith(".om"):
        raise refuse(path, "the name of a model ends in .om")
    if Path(path).stat().st_size > LARGEST_MODEL:
        raise refuse(path, "larger than 10 GB")
    return path


def inputs(text: str) -> str:
    """Files or folders, with every file in them."""
    for path in text.split(","):
        readable(path)
        for file in Path(path).iterdir() if Path(path).is_dir() else ():
            readable(str(file))
    return text


def output(path: str) -> str:
    """A folder to be made, or one that is closed to others."""
    if not LEGAL.fullmatch(path):
        raise refuse(path, "only A-Z a-z 0-9 _ - / . are legal in a path")
    if Path(path).is_symlink():
        raise refuse(path, "soft links are not legal")
    if Path(path).exists():
        readable(path)
        if stat.S_IMODE(Path(path).stat().st_mode) & ~0o750:
            raise refuse(path, "more than 0750 is permitted on an existing output folder")
    return path


def dirname(path: str) -> str:
    """A folder inside the output."""
    if not LEGAL.fullmatch(path) or Path(path).is_absolute():
        raise refuse(path, "not a relative path of legal characters")
    return path

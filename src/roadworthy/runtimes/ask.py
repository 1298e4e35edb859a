"""What a driver's own tool says of its chips: a question that is answered in seconds or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from roadworthy.problem import Problem


def ask(tool: str, words: Sequence[str], limit_s: float, hint: str, shown: str = "") -> str | None:
    """What a tool on PATH prints, or None where there is none; `shown` is the command in sentences, else its name.

    Raises Problem, with the hint, where it cannot be started, fails, or gives no answer within `limit_s` seconds.
    """
    path, shown = shutil.which(tool), shown or tool
    if path is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603  a list of our own words
            [path, *words],
            capture_output=True,
            check=False,
            timeout=limit_s,
            encoding="utf-8",
            errors="replace",  # some versions speak GB2312
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise Problem(
            f"{shown} gave no answer within {limit_s:g} s; the driver hangs, and dmesg may say why"
        ) from error
    except OSError as error:
        raise Problem(f"{shown} cannot be started ({error.strerror}); see {path}") from error
    if done.returncode:
        said = first_line(done.stdout + "\n" + done.stderr)
        raise Problem(f"{shown} failed with exit status {done.returncode} ({said}); see {hint}")
    return done.stdout


def first_line(text: str) -> str:
    """The first line that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "it printed nothing")[:200].rstrip(".")

"""The command line: a verb, its exit status, and one sentence where it cannot be done."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from roadworthy.problem import Problem, Unavailable

USAGE, CHIP_IS_MISSING, INTERRUPTED = 2, 4, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; exit status as the README says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # letters that a terminal, such as one in GBK, has not
    try:
        from roadworthy.verbs.flags import parser  # noqa: PLC0415  an interrupt is answered while modules load, too

        options = parser().parse_args(arguments)
        return int(options.verb(options) or 0)
    except Unavailable as problem:
        print(f"roadworthy: {problem}", file=sys.stderr)
        return CHIP_IS_MISSING
    except Problem as problem:
        print(f"roadworthy: {problem}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"roadworthy: {where}{error.strerror}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("roadworthy: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

"""Lines of the native libraries: through C's stdio, so at a pipe they come late and are lost when the process is killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time

LIBC = ctypes.CDLL(None)
BLOCK = 4096
FULLY = 0  # _IOFBF


def buffer_in_blocks() -> None:
    """What C does by itself at a pipe, also where PYTHONUNBUFFERED would turn it off and hide a trap."""
    if os.isatty(1):
        return
    LIBC.malloc.restype = ctypes.c_void_p
    with contextlib.suppress(ValueError):  # not the name of stdout in another C library than glibc
        stdout = ctypes.c_void_p.in_dll(LIBC, "stdout")
        flush()
        LIBC.setvbuf(stdout, ctypes.c_void_p(LIBC.malloc(BLOCK)), FULLY, ctypes.c_size_t(BLOCK))


def say(line: str) -> None:
    """One line on file descriptor 1."""
    LIBC.puts(line.encode())


def mutter(text: str) -> None:
    """Text without an end of line on file descriptor 1."""
    LIBC.printf(b"%s", text.encode())


def flush() -> None:
    """What a child made by fork must do by itself, as it leaves without C's exit."""
    LIBC.fflush(None)


def stamp() -> str:
    """Process and time, as CANN 7 writes them behind an error code."""
    return f"[PID: {os.getpid()}] {time.strftime('%Y-%m-%d-%H:%M:%S')}.000.000"


def error(code: int, meaning: str) -> RuntimeError:
    """The one form in which the native library's failures reach Python."""
    return RuntimeError(f"[{code}][{meaning}] ")


buffer_in_blocks()

"""What a test asks of the stand-ins, in environment variables."""

from __future__ import annotations

import os
import signal
import threading
import time

PERIOD = 3600.0


def board() -> list[str]:
    """The chips by device, in ATC's spelling; an empty STANDIN_SOC is a machine without any."""
    text = os.environ.get("STANDIN_SOC", "Ascend310P3")
    return [name.strip() for name in text.split(",") if name.strip()]


def memory_mb() -> float | None:
    """Memory of every device; None: as much as is asked for."""
    text = os.environ.get("STANDIN_MEMORY_MB")
    return float(text) if text else None


def latency_ms() -> float | None:
    """Milliseconds that the device reports for one image; None: what ONNX Runtime takes."""
    text = os.environ.get("STANDIN_LATENCY_MS")
    return float(text) if text else None


def fault(place: str, batch: int | None) -> str | None:
    """The kind of failure asked for here, if any; kinds that end or stop the process do so at once."""
    for entry in os.environ.get("STANDIN_FAULT", "").split(","):
        where, _, rest = entry.strip().partition(":")
        kind, _, only = rest.partition(":")
        if where == place and (not only or int(only) == batch):
            die(kind)
            return kind
    return None


def die(kind: str) -> None:
    """Die as a native library does, without flushing anything; kinds that leave the process alive return."""
    if kind == "hostmemory":
        raise MemoryError
    if kind == "hang":
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(PERIOD)
    if kind in ("crash", "kill"):
        os.kill(os.getpid(), signal.SIGSEGV if kind == "crash" else signal.SIGKILL)
        time.sleep(PERIOD)

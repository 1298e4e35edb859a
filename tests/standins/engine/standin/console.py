"""Lines of the Python part: on sys.stdout, at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
WIDTH = 10


def log(level: str, text: str) -> None:
    """One line of the logger."""
    say(f"[{level}] {text}")


def say(line: str) -> None:
    """One line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def bar(items: Sequence[T], title: str) -> Iterator[T]:
    """The items, while a bar like tqdm's grows behind carriage returns."""
    for done, item in enumerate(items):
        draw(title, done, len(items))
        yield item
    draw(title, len(items), len(items))
    say("")


def draw(title: str, done: int, total: int) -> None:
    """The bar at one moment."""
    full = "█" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"
    share = done / total
    sys.stdout.write(f"\r{title}: {share:4.0%}|{full * int(share * WIDTH):<{WIDTH}}| {done}/{total} [00:00<00:00]")
    sys.stdout.flush()

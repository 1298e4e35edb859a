"""What is asked of a machine once: the answer is kept, and so is the Problem that it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from roadworthy.problem import Problem


def remembered(ask: Callable[..., Any]) -> Any:
    """A function that asks once for the same arguments; `cache_clear()` forgets. functools keeps no exceptions."""

    @cache
    def asked(*arguments: Any) -> tuple[Any, Problem | None]:
        try:
            return ask(*arguments), None
        except Problem as problem:
            return None, problem

    @wraps(ask)
    def answer(*arguments: Any) -> Any:
        found, problem = asked(*arguments)
        if problem is not None:
            raise problem
        return found

    answer.cache_clear = asked.cache_clear  # type: ignore[attr-defined]
    return answer

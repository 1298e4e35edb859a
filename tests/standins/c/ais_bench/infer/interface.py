"""The Python interface of generation C."""

from standin.session import MemorySummaryC as MemorySummary
from standin.session import SessionC as InferSession

__all__ = ["InferSession", "MemorySummary"]

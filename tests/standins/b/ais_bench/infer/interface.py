"""The Python interface of generation B."""

from standin.session import MemorySummaryB as MemorySummary
from standin.session import SessionB as InferSession

__all__ = ["InferSession", "MemorySummary"]

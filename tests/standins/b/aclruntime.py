"""roadworthy stand-in: what of the native module a caller can see."""

from ais_bench.infer import interface  # noqa: F401  # finds the engine
from standin.session import Tensor

__all__ = ["Tensor"]

"""roadworthy stand-in: what the stand-ins of the Ascend tools share; they keep ASCEND.md and compute on the CPU."""

VERSION = "0.0.2"  # every generation of the real tools says so

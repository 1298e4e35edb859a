"""roadworthy stand-in: ais_bench of generation B, kept to ASCEND.md and computing on the CPU."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "engine"))

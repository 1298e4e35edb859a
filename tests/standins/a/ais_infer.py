"""roadworthy stand-in: the script ais_infer.py, generation A, kept to ASCEND.md and computing on the CPU."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from standin.frontend import main
from standin.generation import A

if __name__ == "__main__":
    sys.exit(main(A))

"""`python3 -m ais_bench` of generation C."""

import sys

from standin.frontend import main
from standin.generation import C

if __name__ == "__main__":
    sys.exit(main(C))

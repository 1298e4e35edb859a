"""`python3 -m ais_bench` of generation B."""

import sys

from standin.frontend import main
from standin.generation import B

if __name__ == "__main__":
    sys.exit(main(B))

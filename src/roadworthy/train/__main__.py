"""`torchrun -m roadworthy.train MODEL ...` is `roadworthy train MODEL ...` in every process."""

import sys

from roadworthy.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))

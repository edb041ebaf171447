"""`python -m dkl_core` is the command `dkl`."""

import sys

from dkl_core.cli import main

if __name__ == "__main__":
    sys.exit(main())

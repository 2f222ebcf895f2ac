"""Run the command line as ``python -m pprofwatch``."""

import sys

from pprofwatch.cli import main

if __name__ == "__main__":
    sys.exit(main())

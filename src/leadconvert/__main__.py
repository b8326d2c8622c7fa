"""Runs the command: ``python -m leadconvert``."""

import sys

from leadconvert.cli import main


if __name__ == "__main__":
    sys.exit(main())

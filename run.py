"""Run the project's notebooks: `python run.py test`, `python run.py --help`."""

import sys
from pathlib import Path

from runner.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parent))

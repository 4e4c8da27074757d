"""Run the project's notebooks: `python run.py test`, `python run.py --help`."""

import sys
import warnings
from pathlib import Path

from runner.cli.main import main

if __name__ == "__main__":
    if not sys.warnoptions:
        # Warnings of libraries say nothing to who reads the log.
        warnings.simplefilter("ignore")
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parent))

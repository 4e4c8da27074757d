"""The visible sequence: load, select, check, plan, run, record, exit."""

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import RunnerError
from .secrets import Mask


def main(arguments: Sequence[str], root: Path) -> int:
    """Carry out a command line for the project at `root`; give the exit code."""
    try:
        # Imported here so that a package that is missing gets a message, not a traceback.
        from . import commands  # noqa: PLC0415

        return commands.run(arguments, root)
    except RunnerError as error:
        print(Mask.of(os.environ)(f"run.py: {error}"), file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("runner"):
            raise
        print(
            f"run.py: the package {error.name} is not installed for {sys.executable}; "
            f"{sys.executable} -m pip install -r {root / 'requirements.txt'}",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Nobody reads any more, as with `run.py list | head -1`.
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return 1
    except OSError as error:
        from .files import why  # noqa: PLC0415 - as above

        print(f"run.py: {why(error)}", file=sys.stderr)
        return 1

"""What stands around every command: errors become a line and an exit code, streams are safe."""

import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from ..errors import RunnerError, in_a_line
from ..execution import Executors, LocalExecutor
from ..words import Shown

# Where tempfile would make its files, but for the current folder: that is the notebooks'.
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")
_TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - only looked at


def main(arguments: Sequence[str], root: Path, executors: Executors = LocalExecutor) -> int:
    """Carry out a command line for the project at `root`; give the exit code.

    `executors` makes what runs the stages of a build.
    """
    with contextlib.ExitStack() as held:
        for streams, file in (
            (contextlib.redirect_stdout, sys.stdout),
            (contextlib.redirect_stderr, sys.stderr),
        ):
            if file is not None:  # closed by whoever started us
                held.enter_context(streams(cast("IO[str]", Shown(file))))
        return _carry_out(arguments, root, executors)


def _carry_out(arguments: Sequence[str], root: Path, executors: Executors) -> int:
    _have_temporary_folder(root)
    if not logging.getLogger().handlers:
        # Else Python prints what libraries log, between our lines.
        logging.getLogger().addHandler(logging.NullHandler())
    try:
        # Imported here so that a package that is missing gets a message, not a traceback.
        from .dispatch import run  # noqa: PLC0415

        return run(arguments, root, executors)
    except RunnerError as error:
        _tell(root, str(error))
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
    except Exception as error:  # noqa: BLE001 - whatever it is, a person reads one line
        from ..system import why  # noqa: PLC0415 - as above

        ours = f"the runner failed: {in_a_line(error)}"
        said = why(error) if isinstance(error, OSError) else ours
        _tell(root, said)
        return 1


def _tell(root: Path, text: str) -> None:
    """Write a message, without secrets."""
    from ..project import dotenv  # noqa: PLC0415 - as above

    print(dotenv.mask(root, os.environ)(f"run.py: {text}"), file=sys.stderr)


def _have_temporary_folder(root: Path) -> None:
    """On a read-only system, have temporary files below `outputs/`, for us and for kernels."""
    named = [os.environ[name] for name in _TEMPORARY if os.environ.get(name)]
    if any(os.access(folder, os.W_OK | os.X_OK) for folder in (*named, *_TEMPORARY_FOLDERS)):
        return
    folder = root / "outputs" / ".cache" / "tmp"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["TMPDIR"] = str(folder)

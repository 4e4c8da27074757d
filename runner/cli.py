"""The visible sequence: load, select, check, plan, run, record, exit."""

import contextlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import RunnerError
from .secrets import Mask

if TYPE_CHECKING:
    from .kernel.root import Root

# Where tempfile would make its files, but for the current folder: that is the notebooks'.
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")
_TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - only looked at
# Words with which `test` builds nothing, or not so.
_NO_TEST = {
    *("-n", "--dry-run", "-h", "--help", "--cold", "-b", "--background"),
    *("check", "history", "job", "list", "log", "status", "stop"),
}


def main(arguments: Sequence[str], root: Path) -> int:
    """Carry out a command line for the project at `root`; give the exit code."""
    if os.getpid() != 1:
        return _carry_out(arguments, root)
    from .init import as_first  # noqa: PLC0415 - only in a container without an init

    return as_first(lambda: _carry_out(arguments, root))


def _carry_out(arguments: Sequence[str], root: Path) -> int:
    _have_temporary_folder(root)
    early = _start_early(arguments, root / "notebooks")
    try:
        # Imported here so that a package that is missing gets a message, not a traceback.
        from . import commands  # noqa: PLC0415

        return commands.run(arguments, root, early)
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
    finally:
        if early is not None:
            # Where it is not wanted, nothing is below it that would have to end first.
            early.end(0.0)


def _have_temporary_folder(root: Path) -> None:
    """On a read-only system, have temporary files below `outputs/`, for us and for kernels."""
    named = [os.environ[name] for name in _TEMPORARY if os.environ.get(name)]
    if any(os.access(folder, os.W_OK | os.X_OK) for folder in (*named, *_TEMPORARY_FOLDERS)):
        return
    folder = root / "outputs" / ".cache" / "tmp"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["TMPDIR"] = str(folder)


def _start_early(arguments: Sequence[str], folder: Path) -> "Root | None":
    """Start the process that kernels are forked from, if they will surely be needed.

    It imports for longer than we need to find out what is to be done. `test` builds from
    nothing; other targets may well be up to date. A wrong guess costs no more than that.
    """
    words = set(arguments)
    if sys.platform != "linux" or "test" not in words or words & _NO_TEST or not folder.is_dir():
        return None
    # Options of one letter may stand together.
    if any(re.fullmatch(r"-[a-z]*[bhn][a-z]*", word) for word in words):
        return None
    from .kernel import root  # noqa: PLC0415 - other commands do not need it

    with contextlib.suppress(OSError):
        return root.start(folder)
    return None

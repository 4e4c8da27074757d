"""Start an IPython kernel with what a headless run needs. Run as a script in the kernel.

    python main.py LOG_LEVEL CRASHES -f CONNECTION_FILE

`faulthandler` writes a fatal error's stack, and on SIGUSR1 that of a stuck cell, to the
file CRASHES.
"""

import faulthandler
import logging
import signal
import sys
from pathlib import Path


class _ToNotebook(logging.Handler):
    """What `logging` falls back to where a notebook has not configured it.

    Only the handler of last resort is replaced, so `logging.basicConfig` and handlers of
    the notebook's own work as they do in Jupyter. The line is of the form that
    `basicConfig` uses; the runner reads level and name off it.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record to the notebook's stderr."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)


def _prepare(level: str, crashes: Path) -> None:
    faulthandler.enable(crashes.open("w", encoding="utf-8"))
    faulthandler.register(signal.SIGUSR1, crashes.open("a", encoding="utf-8"))
    handler = _ToNotebook()
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
    logging.lastResort = handler
    logging.getLogger().setLevel(level)


def main() -> None:
    """Prepare the process, then be an ordinary kernel."""
    level, crashes = sys.argv[1:3]
    _prepare(level, Path(crashes))
    # The kernel sees the command line, and a path to import from, as Jupyter makes them.
    del sys.argv[1:3], sys.path[0]
    from ipykernel import kernelapp  # noqa: PLC0415 - only now is the path right

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()

"""Jupyter's console for a kernel of `debug`, which it ends with itself.

    python -m runner.jupyter.console PARENT CONNECTION_FILE

It ends, too, when its parent is gone (Linux).
"""

import os
import signal
import sys
from typing import Any

from jupyter_console.app import ZMQTerminalIPythonApp

from ..kernels import guard


class Console(ZMQTerminalIPythonApp):  # type: ignore[misc]  # it has no types
    """The console of a kernel that another process has started, and interrupts."""

    def init_shell(self) -> None:
        """Make the shell; it ends the kernel, and says so."""
        super().init_shell()
        self.shell.own_kernel = True

    def handle_sigint(self, *words: Any) -> None:  # noqa: ANN401 - as the console has it
        """Leave Ctrl-C to our parent while something runs in the kernel."""
        if not self.shell._executing:  # noqa: SLF001 - it is kept nowhere else
            super().handle_sigint(*words)


def main() -> None:
    """Be the console."""
    guard.die_with(int(sys.argv[1]), signal.SIGTERM)
    # It was started in the project's folder, where its packages are not looked for.
    sys.path[:] = [one for one in sys.path if one not in {"", os.getcwd()}]  # noqa: PTH109
    options = ["--no-confirm-exit", "--ZMQTerminalInteractiveShell.banner="]
    Console.launch_instance(["--existing", sys.argv[2], *options])


if __name__ == "__main__":
    main()

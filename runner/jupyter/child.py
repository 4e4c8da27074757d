"""A program that ends when the process that started it is gone (Linux).

    python -m runner.jupyter.child PARENT SIGNAL MODULE ARGUMENT…

The module is run as `python -m` does it, and gets the signal.
"""

import os
import runpy
import signal
import sys
import threading

from ..kernels import guard

# In seconds, for its end once the module has run.
_LIMIT = 1.0


def main() -> None:
    """Run the module."""
    parent, number = map(int, sys.argv[1:3])
    guard.die_with(parent, signal.Signals(number))
    module = sys.argv[3]
    del sys.argv[1:4]
    # It is started in the project's folder, which is on no path of Jupyter's own programs.
    sys.path[:] = [one for one in sys.path if one not in {"", os.getcwd()}]  # noqa: PTH109
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        # A server that ends while it saves leaves a thread, for which Python would wait for good.
        left = threading.Timer(_LIMIT, os._exit, (0,))
        left.daemon = True
        left.start()


if __name__ == "__main__":
    main()

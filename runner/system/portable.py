"""Whether the means of Linux are used: forked kernels, prctl, control groups, inotify.

Elsewhere there are none; `portable = true` does without them on Linux, too.
"""

import os
import sys

# In the environment, so that what we start knows, too.
VARIABLE = "RUN_PORTABLE"


def on_linux() -> bool:
    """Tell whether they are there, and wanted."""
    return sys.platform == "linux" and not os.environ.get(VARIABLE)


def choose() -> None:
    """Do without, here and in all processes that are started from now on."""
    os.environ[VARIABLE] = "1"

"""`python run.py`, forked from a process that has imported the runner: what that takes is saved.

A test starts hundreds of commands. Such a one is a process as any other; only its imports are
done. Run as a script, with the descriptor of a socket (SOCK_SEQPACKET):

    python prefork.py CONTROL

Each request is JSON, `{"arguments": […], "cwd": …, "environment": {…}}`, with two files for
what the command writes; the answer is its exit code as `subprocess` gives it.
"""

import atexit
import gc
import json
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

LIMIT = 240.0
_MOST = 1 << 20
# What counts as Python starts, or before.
_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC")


def can_run(words: Sequence[str], changes: Mapping[str, str | None]) -> bool:
    """Tell whether a command with these changes of the environment can be forked.

    One in the background is looked for by its command line.
    """
    return "-b" not in words and not any(name.startswith(_AT_START) for name in changes)


def run(
    command: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    files: Sequence[IO[bytes]],
) -> int:
    """Carry out a command line of Python to its end; give its exit code.

    `files` take what it writes to its two streams.

    Raises:
        TimeoutError: it took longer than `LIMIT` seconds.
    """
    script = next(n for n, word in enumerate(command) if word.endswith("run.py"))
    control = _started(tuple(command[:script]))
    request = {
        "arguments": command[script:],
        "cwd": str(cwd),
        "environment": dict(environment),
    }
    control.settimeout(LIMIT)
    socket.send_fds(control, [json.dumps(request).encode()], [one.fileno() for one in files])
    return int(json.loads(control.recv(_MOST)))


@cache
def _started(python: tuple[str, ...]) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [*python, str(Path(__file__)), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(control: socket.socket) -> str | None:
    """Answer requests; in a forked process, become the command and give the script to run."""
    while True:
        data, files, _, _ = socket.recv_fds(control, _MOST, 2)
        if not data:
            return None
        child = os.fork()
        if not child:
            request = json.loads(data)
            control.close()
            for number, file in enumerate(files, 1):
                os.dup2(file, number)
            os.closerange(3, max(files) + 1)
            os.chdir(request["cwd"])
            os.environ.clear()
            os.environ.update(request["environment"])
            sys.argv = request["arguments"]
            sys.path[0] = str(Path(sys.argv[0]).parent)
            return sys.argv[0]
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        control.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def _import_runner() -> None:
    """Import what a build imports, where the runner lies: it is the same one for all projects."""
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    commands = ("main", "dispatch", "build", "list", "log", "stop", "history")
    others = ("build.command", "console.choice", "execution.engine")
    for name in (*(f"cli.{one}" for one in commands), *others):
        __import__(f"runner.{name}")


if __name__ == "__main__":
    _import_runner()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as _control:
        _script = _serve(_control)
    if _script is not None:
        runpy.run_path(_script, run_name="__main__")

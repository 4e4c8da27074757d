"""Commands on a terminal of their own, of which nothing is left."""

import os
import pty
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

from tests.project import TemporaryProject, environment, left


def end_all(project: TemporaryProject) -> None:
    """Kill the processes whose command line names the project's folder."""
    # What one of them starts meanwhile is found the next time.
    for _ in range(10):
        found = [one for one in psutil.process_iter() if _is_of(one, project)]
        if not found:
            return
        _kill(found)


def _is_of(process: psutil.Process, project: TemporaryProject) -> bool:
    with suppress(psutil.Error):
        named = any(str(project.root) in word for word in process.cmdline())
        return named and process.pid != os.getpid()
    return False


def _kill(processes: Sequence[psutil.Process]) -> None:
    for one in processes:
        with suppress(psutil.Error):
            one.kill()
    left(processes)


@contextmanager
def on_terminal(root: os.PathLike[str], command: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Start a command as a shell on a terminal does; give its process id and the terminal.

    The terminal is closed at the end, which sends SIGHUP to the command; if that does not
    end it, its session is killed.
    """
    pid, terminal = pty.fork()
    if not pid:
        try:
            os.chdir(root)
            os.execvpe(command[0], [*command], environment({"TERM": "xterm"}))  # noqa: S606
        finally:
            os._exit(127)
    try:
        yield pid, terminal
    finally:
        with suppress(OSError):
            os.close(terminal)
        if exit_status(pid) is None:
            _kill([one for one in psutil.process_iter() if _session(one) == pid])
            exit_status(pid)


def _session(process: psutil.Process) -> int | None:
    with suppress(OSError):
        return os.getsid(process.pid)
    return None


def exit_status(pid: int, seconds: float = 10) -> int | None:
    """Wait for a child, and give its exit code, 0 if that was taken before; None: it goes on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return 0
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    return None


def seen(terminal: int, text: str, seconds: float = 60) -> str:
    """Read off a terminal until a text is there; give all that was."""
    found = ""
    end = time.monotonic() + seconds
    while text not in found:
        assert time.monotonic() < end, found
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            found += os.read(terminal, 4096).decode("utf-8", "replace")
        except OSError:
            break
    assert text in found, found
    return found

"""The parent of one kernel: sees that nothing which the kernel started outlives it.

A warm process forks it; for a cold kernel it is run as a script, with the standard library
alone, so that it starts at once. The script's first process is a keeper: it clears up behind
a guard that is killed, as the warm processes do behind theirs.

    python -I -S guard.py CONTROL OUTPUT FOLDER PROGRAM ARGUMENT…

CONTROL is the descriptor of a socket to the runner; OUTPUT is a file that takes what the
kernel writes outside of Jupyter; FOLDER is the kernel's private one, removed at the end,
when the runner has closed the socket. The runner writes lines: a signal's number for the
kernel's process group, `dump` for a stack dump of the kernel alone (SIGUSR1), or `kill`
for everything. The guard writes two lines of JSON: `{"pid": …, "guard": …}` and, when all is
over, `{"status": …, "cpu_seconds": …, "peak_memory": …}`, the status as `os.wait` gives it.
When the runner vanishes, however it does, the socket closes, and everything is killed.
On Linux the guard is a child subreaper: what leaves the kernel's process group or loses
its parent becomes the guard's child, and is found.
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_NAME = "kernel-guard"
# As `portable.on_linux`, which this script cannot import.
_ON_LINUX = sys.platform == "linux" and not os.environ.get("RUN_PORTABLE")


def _prctl(option: int, value: int) -> None:
    """Call prctl(2), where there is one."""
    if _ON_LINUX:
        import ctypes  # noqa: PLC0415 - it does not exist everywhere

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Have this process killed, or signalled, when its parent, a process of that id, is gone."""
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def go_on_without_parent() -> None:
    """Have this process, should it be stopped, go on when its parent is gone (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGCONT)


def adopt_orphans() -> None:
    """Have every process below this one become its child when its parent ends (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def main(argv: list[str]) -> None:
    """Guard a command."""
    control = socket.socket(fileno=int(argv[0]))
    command = argv[3:]
    adopt_orphans()
    go_on_without_parent()
    _ignore_signals()
    if child := os.fork():
        control.close()
        _keep(child)
        os._exit(0)
    # Who stops the one's group does not stop the other.
    os.setpgid(0, 0)
    if guard(control, argv[1], argv[2]):
        try:
            os.execvp(command[0], command)  # noqa: S606 - the kernel's own command line
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127)


def guard(control: socket.socket, output: str, folder: str) -> bool:
    """Fork; in the child, which is to become the kernel, return at once.

    In the parent carry out what the runner says, and clear up behind both.

    Returns:
        Whether this is the child: in a session of its own, with standard streams and
        signal handlers as those of a process that was just started, and no other files.
    """
    adopt_orphans()
    _ignore_signals()
    woken, wake = os.pipe()
    for descriptor in (woken, wake):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    own = os.getpid()
    kernel = os.fork()
    if not kernel:
        _be_fresh(own, output, control)
        return True
    _name_process()
    _tell(control, {"pid": kernel, "guard": own})
    status = _watch(control, woken, kernel)
    status = _kill_all(kernel, status)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1024 if sys.platform == "linux" else 1
    _tell(
        control,
        {
            "status": status,
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
            "peak_memory": used.ru_maxrss * unit,
        },
    )
    # The runner may want to read files in the folder first.
    with contextlib.suppress(OSError):
        while control.recv(4096):
            pass
    _remove(folder)
    return False


def _ignore_signals() -> None:
    """Stay, whatever ends a whole group: there is something to clear up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _keep(guard: int) -> None:
    """Wait for the end of a guard, which nobody may stop, and of all that it leaves."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WUNTRACED)
        except ChildProcessError:
            return
        if not os.WIFSTOPPED(status):
            if pid == guard:
                break
        elif pid == guard:
            go_on(pid)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
        _kill_all(None, None)


def go_on(pid: int) -> None:
    """Have a process that was stopped go on."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGCONT)


def _be_fresh(parent: int, output: str, control: socket.socket) -> None:
    """Make this process look like one that was just started."""
    try:
        die_with(parent)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Python's own, which it has where the signal is not ignored; `exec` makes it default.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        null = os.open(os.devnull, os.O_RDONLY)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(null, 0)
        os.dup2(file, 1)
        os.dup2(file, 2)
        control.detach()
        os.closerange(3, _most_files())
    except OSError as error:
        os.write(2, f"{output}: {error.strerror}\n".encode())
        os._exit(127)


def _most_files() -> int:
    """Give a number above that of every open file."""
    try:
        return max(int(name) for name in os.listdir("/proc/self/fd")) + 1
    except OSError:
        return os.sysconf("SC_OPEN_MAX")


def _tell(control: socket.socket, message: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        control.sendall(json.dumps(message).encode() + b"\n")


def _watch(control: socket.socket, woken: int, kernel: int) -> int | None:
    """Wait for the kernel's end, the runner's, or the word `kill`.

    Returns:
        The kernel's status if it ended.
    """
    pending = b""
    while True:
        status = _reap(kernel)
        if status is not None:
            return status
        watched: list[socket.socket | int] = [control, woken]
        ready, _, _ = select.select(watched, [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
        if control in ready:
            try:
                received = control.recv(4096)
            except OSError:
                received = b""
            if not received:
                return None
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                if line == b"kill":
                    return None
                with contextlib.suppress(OSError):
                    if line == b"dump":
                        os.kill(kernel, signal.SIGUSR1)
                    else:
                        os.killpg(kernel, int(line))


def _reap(kernel: int) -> int | None:
    """Collect every child that has ended; give the kernel's status if it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == kernel:
                found = status
    return found


def _kill_all(kernel: int | None, status: int | None) -> int | None:
    """Kill whatever is below this process until nothing is; give the kernel's status."""
    while True:
        if kernel is not None:
            with contextlib.suppress(OSError):
                os.killpg(kernel, signal.SIGKILL)
        for pid in _descendants():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, ended = os.waitpid(-1, 0)
        except ChildProcessError:
            return status
        if pid == kernel:
            status = ended


def kill_all_but_guards(limit: float = 5.0) -> None:
    """Kill what is below this process; guards, and what is below them, have a while to end."""
    end = time.monotonic() + limit
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while time.monotonic() < end:
        for pid in _descendants(guards=False):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def _name_process() -> None:
    """Let this process be told from others below a warm one."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as file:
        file.write(_NAME)


def _descendants(*, guards: bool = True) -> list[int]:
    """List the processes below this one; where there is no /proc, none is found.

    Without `guards`, neither guards nor what is below them is listed.
    """
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc") if _ON_LINUX else []
    except OSError:
        return []
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name in parentheses may hold anything, a parenthesis too.
                head, _, rest = file.read().rpartition(b")")
                parent = int(rest.split()[1])
                if not guards and head.endswith(b"(" + _NAME.encode()):
                    continue
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    todo = [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _remove(folder: str) -> None:
    """Remove the kernel's private folder; `shutil` would cost every kernel's start."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(parent, name))
        for name in folders:
            with contextlib.suppress(OSError):
                os.rmdir(os.path.join(parent, name))
    with contextlib.suppress(OSError):
        os.rmdir(folder)


if __name__ == "__main__":
    main(sys.argv[1:])

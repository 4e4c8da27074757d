"""Facts about the machine, the interpreter and the working copy, for the record."""

import contextlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import cgroups
from .portable import on_linux

# Kernels have it unless the environment says otherwise: the order of a set is the same each time.
HASH_SEED = "0"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")


def facts(root: Path) -> dict[str, Any]:
    """Collect what a run depends on; takes some tenths of a second."""
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "portable": not on_linux(),
        "python": platform.python_version(),
        "interpreter": _neutral(Path(sys.executable), root),
        "limits": {"cpus": cpus(), "memory": cgroups.memory_limit()},
        "disk_free": shutil.disk_usage(root).free,
        "git": git_state(root),
        "packages": packages(),
        "determinism": determinism(os.environ),
    }


def determinism(environ: Mapping[str, str]) -> dict[str, Any]:
    """Say what else decides whether two builds give the same bytes."""
    return {
        "hash_seed": environ.get("PYTHONHASHSEED") or HASH_SEED,
        "threads": {name: environ[name] for name in _THREADS if name in environ},
        "locale": next((environ[name] for name in _LOCALE if environ.get(name)), "C"),
        "time_zone": environ.get("TZ") or time.strftime("%Z"),
    }


def _neutral(path: Path, root: Path) -> str:
    """Name a path without the project's place or the user's name in it."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path's raises where there is no home
    for folder, name in ((root, ""), (Path(home), "~/")):
        if path.is_relative_to(folder):
            return name + str(path.relative_to(folder))
    return str(path)


def cpus() -> float:
    """Count the CPUs that this process may use: affinity, and the cgroup's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    return min(count, cgroups.cpu_quota() or count)


def memory_total() -> int:
    """Give the bytes of memory that there are for us: the cgroup's limit, or the machine's."""
    import psutil  # noqa: PLC0415 - only a run needs it

    total = psutil.virtual_memory().total
    return min(total, cgroups.memory_limit() or total)


def tree_memory(pid: int) -> int:
    """Give the resident bytes of a process and all below it, what they share once.

    A process that is alone is asked for less, for with much memory that takes a while.
    """
    import psutil  # noqa: PLC0415 - only a run needs it

    total = 0
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.Error):
                shared = _proportional(process.pid) if len(family) > 1 else None
                total += shared or process.memory_info().rss
    return total


def _proportional(pid: int) -> int | None:
    """Give a process's proportional set size, in bytes, where the kernel tells (Linux 4.14)."""
    for line in cgroups.lines(f"/proc/{pid}/smaps_rollup") if on_linux() else ():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None


def have_children_go_on() -> None:
    """Let go of children that someone has stopped; whoever waits for their end is not disturbed.

    This is asked now and then: of SIGCHLD Python takes no note while its main thread waits,
    if the system gives the signal to another one.
    """
    with contextlib.suppress(ChildProcessError):
        while on_linux() and (stopped := os.waitid(os.P_ALL, 0, os.WSTOPPED | os.WNOHANG)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(stopped.si_pid, signal.SIGCONT)


def git_state(root: Path) -> dict[str, Any] | None:
    """Give the commit and whether the working copy differs from it; None without git."""
    command = ["git", "-C", str(root), "status", "--porcelain=v2", "--branch"]
    # Else it writes the index, and a `git commit` at that moment finds that locked.
    alone = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            errors="replace",
            env=alone,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    lines = done.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid")), None)
    return {
        "commit": None if commit == "(initial)" else commit,
        "dirty": any(not line.startswith("#") for line in lines),
    }


def packages() -> dict[str, str]:
    """Give the installed packages with their versions."""
    from importlib.metadata import distributions  # noqa: PLC0415 - only a run needs it

    found: dict[str, str] = {}
    for each in distributions():
        text = each.read_text("METADATA") or each.read_text("PKG-INFO") or ""
        # Two lines of the headers, which take long to parse as a whole.
        headers = dict(
            re.findall(r"^(Name|Version): *(\S+)", text.partition("\n\n")[0], re.MULTILINE)
        )
        if headers.keys() == {"Name", "Version"}:
            found.setdefault(headers["Name"], headers["Version"])
    return dict(sorted(found.items()))

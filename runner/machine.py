"""Facts about the machine, the interpreter and the working copy, for the record."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

_NO_LIMIT = 1 << 60


def facts(root: Path) -> dict[str, Any]:
    """Collect what a run depends on; takes some tenths of a second."""
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "interpreter": _neutral(Path(sys.executable), root),
        "limits": {"cpus": cpus(), "memory": memory_limit()},
        "disk_free": shutil.disk_usage(root).free,
        "git": git_state(root),
        "packages": packages(),
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
    quota = _first_line("/sys/fs/cgroup/cpu.max").split()
    if not quota:
        limit = _first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = _first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
        quota = [limit, period]
    try:
        allowed = int(quota[0]) / int(quota[1])
    except (ValueError, IndexError, ZeroDivisionError):
        return count
    return min(count, allowed) if allowed > 0 else count


def memory_limit() -> int | None:
    """Give the cgroup's memory limit in bytes, or None where there is none."""
    for folder, name in _memory_files():
        text = _first_line(f"{folder}/{name}")
        if text.isdecimal() and int(text) < _NO_LIMIT:
            return int(text)
    return None


def memory_used() -> int | None:
    """Give the bytes that our cgroup uses and cannot give back, or None where none is known.

    As the kubelet counts them: without pages of files that were not used lately.
    """
    for folder, name in _memory_files():
        current = "memory.current" if name == "memory.max" else "memory.usage_in_bytes"
        text = _first_line(f"{folder}/{current}")
        if not text.isdecimal():
            continue
        words = ("inactive_file", "total_inactive_file")
        lines = (line.split() for line in _lines(f"{folder}/memory.stat"))
        found = {line[0]: int(line[1]) for line in lines if line and line[0] in words}
        return max(0, int(text) - found.get(words[1], found.get(words[0], 0)))
    return None


def memory_total() -> int | None:
    """Give the bytes of memory that there are for us: the cgroup's limit, or the machine's."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) * 1024
            return min(total, memory_limit() or total)
    return memory_limit()


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
    for line in _lines(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None


def oom_kills() -> int | None:
    """Count the processes of our cgroup that were killed for want of memory so far."""
    for folder, name in _memory_files():
        control = "memory.events" if name == "memory.max" else "memory.oom_control"
        for line in _lines(f"{folder}/{control}"):
            word, _, count = line.partition(" ")
            if word == "oom_kill" and count.isdecimal():
                return int(count)
    return None


def size_in_words(size: float) -> str:
    """Write a number of bytes for a person, in powers of 1,024."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004 - the next unit's size
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _memory_files() -> list[tuple[str, str]]:
    """List where this process's own group, then the root as a container sees it, says it."""
    files = []
    for line in _lines("/proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            files.append((f"/sys/fs/cgroup{path}", "memory.max"))
        elif "memory" in controllers.split(","):
            files.append((f"/sys/fs/cgroup/memory{path}", "memory.limit_in_bytes"))
    files.append(("/sys/fs/cgroup", "memory.max"))
    files.append(("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))
    return files


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _first_line(path: str) -> str:
    lines = _lines(path)
    return lines[0].strip() if lines else ""


def git_state(root: Path) -> dict[str, Any] | None:
    """Give the commit and whether the working copy differs from it; None without git."""
    command = ["git", "-C", str(root), "status", "--porcelain=v2", "--branch"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, timeout=20, check=False, errors="replace"
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

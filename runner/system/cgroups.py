"""Limits of the control groups that this process is in, versions 1 and 2.

A group is held to its own limits and to those of all groups above it. The files:
https://docs.kernel.org/admin-guide/cgroup-v2.html and …/cgroup-v1/memory.html

`root` is the folder that holds the system's `proc` and `sys`.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .portable import on_linux

_NO_LIMIT = 1 << 60


class _Group(NamedTuple):
    """A group's folder, and whether its files are those of version 2."""

    folder: str
    is_v2: bool


def cpu_quota(root: str = "") -> float | None:
    """Give how many CPUs' time the groups allow, or None where they set no limit."""
    found = []
    for folder, is_v2 in _groups("cpu", root):
        if is_v2:
            quota = first_line(f"{folder}/cpu.max").split()
        else:
            quota = [first_line(f"{folder}/cpu.cfs_{name}_us") for name in ("quota", "period")]
        try:
            allowed = int(quota[0]) / int(quota[1])
        except (ValueError, IndexError, ZeroDivisionError):
            continue
        if allowed > 0:
            found.append(allowed)
    return min(found, default=None)


def memory_limit(root: str = "") -> int | None:
    """Give the smallest memory limit of the groups in bytes, or None where there is none."""
    tightest = _tightest(root)
    return tightest[0] if tightest else None


def memory_used(root: str = "") -> int | None:
    """Give the bytes that the group with the smallest limit uses and cannot give back.

    As the kubelet counts them: without pages of files that were not used lately. Without a
    limit it is our own group; None where nothing is known.
    """
    tightest = _tightest(root)
    for folder, is_v2 in (tightest[1],) if tightest else _groups("memory", root):
        text = first_line(f"{folder}/{'memory.current' if is_v2 else 'memory.usage_in_bytes'}")
        if text.isdecimal():
            word = "inactive_file" if is_v2 else "total_inactive_file"
            pairs = (line.split() for line in lines(f"{folder}/memory.stat"))
            inactive = [int(pair[1]) for pair in pairs if pair and pair[0] == word]
            return max(0, int(text) - sum(inactive))
    return None


def oom_kills(root: str = "") -> int | None:
    """Count the processes of our own group that were killed for want of memory so far."""
    for folder, is_v2 in _groups("memory", root):
        for line in lines(f"{folder}/{'memory.events' if is_v2 else 'memory.oom_control'}"):
            word, _, count = line.partition(" ")
            if word == "oom_kill" and count.isdecimal():
                return int(count)
    return None


def lines(path: str) -> list[str]:
    """Read a file's lines; none if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def first_line(path: str) -> str:
    """Read a file's first line; empty if it cannot be read."""
    found = lines(path)
    return found[0].strip() if found else ""


def _tightest(root: str) -> tuple[int, _Group] | None:
    """Give the smallest memory limit, and the group that has it."""
    found = []
    for group in _groups("memory", root):
        name = "memory.max" if group.is_v2 else "memory.limit_in_bytes"
        text = first_line(f"{group.folder}/{name}")
        if text.isdecimal() and int(text) < _NO_LIMIT:
            found.append((int(text), group))
    return min(found, default=None)


def _groups(controller: str, root: str) -> Iterator[_Group]:
    """Give our own group and those above it, up to the root as a container sees it."""
    if not on_linux():
        return
    top = f"{root}/sys/fs/cgroup"
    for line in lines(f"{root}/proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = f"{top}/{controller}" if controllers else top
        above = PurePosixPath(path)
        for each in (above, *above.parents):
            yield _Group(base if str(each) == "/" else f"{base}{each}", not controllers)

"""What a run has, and a warning before it runs out."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from ..words import size_in_words
from .cgroups import memory_limit, memory_used
from .machine import cpus, memory_total

_MEMORY, _DISK = 0.9, 0.1

Say = Callable[[int, str], None]


def line(folder: Path) -> str:
    """Say what there is: CPUs, memory, free disk where `folder` is."""
    count = cpus()
    words = [f"{count:g} CPU{'' if count == 1 else 's'}"]
    words.append(f"{size_in_words(memory_total())} of memory")
    disk = shutil.disk_usage(folder)
    words.append(f"{size_in_words(disk.free)} of disk free")
    return ", ".join(words)


class Watch:
    """Warns once when memory, and once when disk, has nearly run out."""

    def __init__(self, folder: Path, say: Say) -> None:
        """Watch the disk that `folder` is on, and the memory of our cgroup."""
        self._folder = folder
        self._say = say
        self._said: set[str] = set()

    def look(self) -> None:
        """Say what is to be said now."""
        limit, used = memory_limit(), memory_used()
        if limit and used is not None and used > _MEMORY * limit:
            what = f"{size_in_words(used)} of {size_in_words(limit)}"
            self._warn("memory", f"memory is nearly used up: {what}; what needs more is killed")
        try:
            disk = shutil.disk_usage(self._folder)
        except OSError:
            return
        if disk.free < _DISK * disk.total:
            what = f"{size_in_words(disk.free)} of {size_in_words(disk.total)} are free"
            self._warn("disk", f"the disk is nearly full: {what}; python run.py clean makes room")

    def _warn(self, kind: str, text: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            self._say(logging.WARNING, text)

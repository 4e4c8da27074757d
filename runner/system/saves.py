"""Tells which files in some folders were saved; looks by itself where the system tells nothing."""

import os
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Self

import psutil

from . import files

# In milliseconds: a burst is over when it has been quiet for so long, or has lasted so long.
_QUIET, _LONGEST = 50, 5_000
# After so many milliseconds all is looked at once: what was saved as the watch began.
_FIRST = 300
# How often we look by ourselves, in seconds; the variables are those of watchfiles.
_EVERY = 1.0
_FORCED, _DELAY = "WATCHFILES_FORCE_POLLING", "WATCHFILES_POLL_DELAY_MS"
_OFF = {"0", "false", "disable", "disabled"}
# What another host, or the one around a virtual machine, changes is not told here.
_FAR = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "drvfs", "fakeowner", "gpfs", "lustre", "ncpfs"),
    *("nfs", "nfs4", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs"),
}
# How a file looks: when it was changed, its size, which one it is. None stands for a folder.
_Looks = tuple[int, int, int] | None


def untold(folder: Path) -> str | None:
    """Say why the system may not tell of changes in a folder, if so."""
    if forced := os.environ.get(_FORCED):
        return None if forced.lower() in _OFF else f"{_FORCED} is set"
    place = os.path.realpath(folder)
    mounts = [one for one in psutil.disk_partitions(all=True) if _is_in(place, one.mountpoint)]
    # Of two on one place the later one is seen.
    kind = max(reversed(mounts), key=lambda one: len(one.mountpoint)).fstype if mounts else ""
    return f"its disk is {kind}" if kind in _FAR or kind.startswith("fuse.") else None


def _is_in(place: str, folder: str) -> bool:
    return place == folder or place.startswith(f"{folder.rstrip('/')}/")


class Saves:
    """Watches folders, but not what lies deeper in them, in a thread of its own.

    Where the system tells nothing it looks each second by itself: watchfiles would compare
    times in whole seconds, and miss the second of two saves.
    """

    def __init__(
        self,
        folders: Callable[[], Collection[Path]],
        tell: Callable[[set[Path]], None],
        *,
        polls: bool,
    ) -> None:
        """Watch what `folders` gives; `tell` is told, in the thread, what was saved or removed."""
        self._folders = folders
        self._tell = tell
        self._every = _interval() if polls else None
        self._known: dict[Path, dict[str, _Looks]] = {}
        self._watched: set[Path] = set()
        # Folders that were made since, all that is in them is new.
        self._made: set[Path] = set()
        self._stir = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="saves", daemon=True)

    def __enter__(self) -> Self:
        """Begin; what is saved from now on is told."""
        self._look_at(self._folders())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Tell no more."""
        self._over = True
        self._stir.set()
        self._thread.join()

    def renew(self) -> None:
        """Ask again which folders there are to watch."""
        if {*self._folders()} != self._watched:
            self._stir.set()

    def _run(self) -> None:
        while not self._over:
            self._stir.clear()
            self._watched = {*self._folders()}
            folders = sorted(one for one in self._watched if one.is_dir())
            changed = {
                folder / name
                for folder in self._known.keys() - {*folders}
                for name, looks in self._known.pop(folder).items()
                if looks is not None
            }
            # What is made below a folder that is not watched, such as compiled modules, is no news.
            self._made.intersection_update(folders)
            changed |= self._look_at(folders)
            if changed:
                self._tell(changed)
            if not self._made:
                self._go_on(folders)

    def _go_on(self, folders: Collection[Path]) -> None:
        """Tell of changes until there may be other folders."""
        for touched in self._touched(folders):
            if changed := self._look_at(touched):
                self._tell(changed)
            if self._made or self._stir.is_set() or not all(one.is_dir() for one in touched):
                return

    def _touched(self, folders: Collection[Path]) -> Iterator[Collection[Path]]:
        """Give folders in which something may have changed, as soon as it has."""
        if not folders:
            self._stir.wait(_EVERY)
            return
        if self._every is None:
            try:
                yield from self._told(folders)
            except (OSError, RuntimeError):
                # A folder is gone, or the system watches no more of them.
                if all(one.is_dir() for one in folders):
                    self._every = _interval()
            return
        while not self._stir.wait(self._every):
            yield folders

    def _told(self, folders: Collection[Path]) -> Iterator[Collection[Path]]:
        from watchfiles import watch  # noqa: PLC0415 - not where we look by ourselves

        known, looked = {*folders}, False
        for changes in watch(
            *folders,
            watch_filter=None,
            debounce=_LONGEST,
            step=_QUIET,
            stop_event=self._stir,
            rust_timeout=_FIRST,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=False,
            recursive=False,
            ignore_permission_denied=True,
        ):
            if changes:
                places = {Path(name) for _, name in changes}
                yield sorted(known & (places | {one.parent for one in places}))
            elif not looked:
                looked = True
                yield folders

    def _look_at(self, folders: Collection[Path]) -> set[Path]:
        """Give the files that are not as they were when their folder was last looked at."""
        changed: set[Path] = set()
        for folder in folders:
            now = _entries(folder)
            before = self._known.get(folder, {} if folder in self._made else now)
            self._known[folder] = now
            self._made.discard(folder)
            for name in now.keys() | before.keys():
                if now.get(name, ()) == before.get(name, ()):
                    continue
                if name in now and now[name] is None:
                    self._made.add(folder / name)
                if now.get(name) or before.get(name):
                    changed.add(folder / name)
        return changed


def _entries(folder: Path) -> dict[str, _Looks]:
    """Look at what is in a folder."""
    found: dict[str, _Looks] = {}
    try:
        with files.OPENED.ours(folder), os.scandir(folder) as listed:
            entries = list(listed)
    except OSError:
        return found
    for entry in entries:
        try:
            status = entry.stat()
        except OSError:
            # A link to nothing, or it is gone.
            continue
        looks = (status.st_mtime_ns, status.st_size, status.st_ino)
        found[entry.name] = None if entry.is_dir() else looks
    return found


def _interval() -> float:
    """Give the seconds between two looks."""
    delay = os.environ.get(_DELAY, "")
    return max(0.05, int(delay) / 1000) if delay.isdecimal() else _EVERY

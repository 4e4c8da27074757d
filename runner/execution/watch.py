"""Hints from the system (inotify(7)) about files of the project that are used meanwhile.

They show what the witness, a kernel's audit hook, cannot: what C libraries and other programs
open. They do not say who it was, so they are hints.
"""

import contextlib
import errno
import os
import select
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import Trace
from ..project import naming
from ..system import files, on_linux
from .hints import ProjectFiles, matters, source_of

if TYPE_CHECKING:
    from inotify_simple import INotify

# Folders past this number are not watched: then more may have been used than was seen.
_MOST_FOLDERS = 8192
# Names past this number are not kept.
_MOST_NAMES = 20_000
# After these a file has another content, or is gone.
_CLOSED = "CLOSE_WRITE"
_CHANGES = (_CLOSED, "MOVED_TO", "MOVED_FROM", "DELETE")


@dataclass
class Window:
    """What is seen between two moments, in which a stage runs."""

    watch: "Watch"
    alone: bool
    whole: bool = True
    opened: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    entered: set[str] = field(default_factory=set)
    # How often a path was opened before it was changed, and what came of that.
    opens: dict[str, int] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)
    # What came into a folder that had been entered.
    late: set[str] = field(default_factory=set)

    def hints(self, trace: Trace) -> Trace:
        """Add to what a kernel has witnessed what else was seen up to now."""
        names = self.watch.files.names
        seen_opened, seen_written, entered = self.watch.seen_in(self)
        opened, written = names({*map(source_of, seen_opened)}), names(seen_written)
        seen = trace.reads | trace.writes | trace.either | trace.modules
        # Folders are listed to find modules, and by whoever shows files to a person.
        modules = {_folder(name) for name in trace.modules}
        crowded = trace.many_read | trace.many_written
        perhaps = {name for name in opened | trace.perhaps_read if _folder(name) not in crowded}
        used = {*map(_folder, perhaps - seen), *trace.perhaps_listed}
        listed = (names(entered) & used) - trace.listed - modules - {"notebooks"}
        late = {name for name in names(self.late) if _folder(name) in listed | trace.listed}
        late = {name for name in late if not naming.is_notebook(name)}
        doubted = (names(self.doubted) & perhaps) | late
        own = trace.many_written
        return replace(
            trace,
            perhaps_read=frozenset(perhaps - seen),
            perhaps_written=written - trace.writes - trace.either,
            perhaps_listed=listed,
            doubted=frozenset(one for one in doubted - seen if _folder(one) not in own),
            watched=self.watch.works,
            alone=self.alone,
            whole=trace.whole and self.whole and (self.watch.complete or not trace.children),
        )

    def close(self) -> None:
        """Take in no more."""
        self.watch.close_window(self)


class Watch:
    """Watches the folders of a project; without inotify it sees nothing.

    What this process itself opens is not told.
    """

    def __init__(self, root: Path) -> None:
        """Begin, in a thread: there may be many folders."""
        self.files = ProjectFiles(root)
        self._root = str(root)
        self._folders: dict[int, str] = {}
        self._known: set[str] = set()
        self._windows: list[Window] = []
        # Where what we say goes is no stage's file, though it may lie in the project.
        self._said = {os.path.realpath(f"/proc/self/fd/{number}") for number in (1, 2)}
        # What is opened just now, by the thread that has the lock.
        self._own: list[str] = []
        self.complete = True
        self._lock = threading.RLock()
        self._woken, self._wake = os.pipe()
        self._inotify: INotify | None = None
        self._news = select.poll()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        files.OPENED.watchers.append(self)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether anything can be seen."""
        return self._inotify is not None

    def open(self) -> Window:
        """Begin a window; what was seen before it is not part of it."""
        self._ready.wait()
        with self._lock:
            self.catch_up()
            for one in self._windows:
                one.alone = False
            window = Window(self, alone=not self._windows)
            self._windows.append(window)
        return window

    def seen_in(self, window: Window) -> tuple[set[str], set[str], set[str]]:
        """Give what a window has seen up to now: opened, written, entered; more may come."""
        with self._lock:
            self.catch_up()
            return {*window.opened}, {*window.written}, {*window.entered}

    def close_window(self, window: Window) -> None:
        """End a window."""
        with self._lock:
            if window in self._windows:
                self._windows.remove(window)

    @contextlib.contextmanager
    def ours(self, path: str) -> Iterator[None]:
        """Have one opening of a path, by this process, not be told.

        What others open before that is taken in before, and what they open after it after that:
        the system tells of equal openings once if nobody asks in between.
        """
        with self._lock:
            self.catch_up()
            self._own.append(path)
            try:
                yield
            finally:
                self.catch_up()
                if path in self._own:
                    self._own.remove(path)

    def close(self) -> None:
        """End."""
        files.OPENED.watchers.remove(self)
        os.close(self._wake)
        self._thread.join()
        os.close(self._woken)
        if self._inotify is not None:
            self._inotify.close()

    def catch_up(self) -> None:
        """Take in all that has happened up to now."""
        with self._lock:
            if self._inotify is not None and self._news.poll(0):
                for event in self._inotify.read(timeout=0):
                    self._take(event.wd, event.mask, event.name)

    def _run(self) -> None:
        try:
            if on_linux():
                # A build with nothing to do needs none.
                from inotify_simple import INotify  # noqa: PLC0415

                with contextlib.suppress(OSError):
                    self._inotify = INotify()
                    self._news.register(self._inotify.fileno(), select.POLLIN)
                    for _ in self._add(self._root):
                        pass
        finally:
            self._ready.set()
        self._listen()

    def _listen(self) -> None:
        if self._inotify is None:
            return
        poll = select.poll()
        for descriptor in (self._inotify.fileno(), self._woken):
            poll.register(descriptor, select.POLLIN)
        while self._woken not in dict(poll.poll()):
            self.catch_up()

    def _add(self, folder: str) -> Iterator[str]:
        """Watch a folder and those in it; give the files that are there."""
        mask = _bits("OPEN", "CREATE", "ONLYDIR", *_CHANGES)
        todo = [folder]
        while todo and self._inotify is not None:
            place = todo.pop()
            real = os.path.realpath(place)
            if real in self._known:
                continue
            if len(self._folders) >= _MOST_FOLDERS:
                self.complete = False
                return
            self._known.add(real)
            try:
                self._folders[self._inotify.add_watch(place, mask)] = place
                with self.ours(place), os.scandir(place) as found:
                    entries = list(found)
                for entry in entries:
                    if not entry.is_dir():
                        yield entry.path
                    elif self._is_watched(entry.path):
                        # A link may lead to a whole disk: the project's own come first.
                        todo.insert(0 if entry.is_symlink() else len(todo), entry.path)
            except OSError as error:
                self.complete &= error.errno not in {errno.ENOSPC, errno.ENOMEM}
                # It is gone, may not be read, or the system watches no more for us. Another one
                # may come in its place.
                self._known.discard(real)

    def _is_watched(self, folder: str) -> bool:
        """Tell whether anything in a folder may matter; compiled modules say which were loaded."""
        name = folder.removeprefix(f"{self._root}/").removesuffix("/__pycache__")
        outputs = name == "outputs" or (name.startswith("outputs/") and name.count("/") == 1)
        if os.path.exists(f"{folder}/pyvenv.cfg"):  # noqa: PTH110 - quick
            return False
        return matters(f"{name}/x") or (outputs and "/." not in name)

    def _take(self, watched: int, mask: int, name: str) -> None:  # noqa: C901, PLR0912 - a table
        if mask & _bits("Q_OVERFLOW"):
            for window in self._windows:
                window.whole = False
        folder = self._folders.get(watched)
        if folder is None:
            return
        if mask & _bits("IGNORED"):
            # It is gone; another one may come in its place.
            del self._folders[watched]
            self._known.discard(os.path.realpath(folder))
            return
        path = f"{folder}/{name}" if name else folder
        if mask & _bits("ISDIR"):
            if mask & _bits("OPEN"):
                if not name and not self._is_ours(path):
                    self._note("entered", path)
            elif mask & _bits("CREATE", "MOVED_TO") and self._is_watched(path):
                for window in self._windows:
                    # It is another one than that which was looked into.
                    window.entered.discard(path)
                # What was in it before it was watched was made meanwhile.
                for file in self._add(path):
                    self._note("written", file)
        elif path in self._said:
            return
        elif mask & _bits(*_CHANGES):
            self._changed(path, new=bool(mask & _bits("MOVED_TO")), closed=mask & _bits(_CLOSED))
            self._note("written", path)
        elif mask & _bits("CREATE"):
            self._changed(path, new=True, closed=0)
        elif mask & _bits("OPEN") and not self._is_ours(path):
            self._note("opened", path)
            for window in self._windows:
                if path in window.opened and path not in window.written:
                    window.opens[path] = window.opens.get(path, 0) + 1

    def _changed(self, path: str, *, new: bool, closed: int) -> None:
        """Take note of a change before which something else was opened than what made it."""
        for window in self._windows:
            if path in window.written:
                continue
            opens = window.opens.pop(path, 0)
            if opens > bool(closed):
                window.doubted.add(path)
            elif new and _folder(path) in window.entered:
                window.late.add(path)
            elif opens:
                window.opens[path] = opens

    def _is_ours(self, path: str) -> bool:
        """Tell whether an opening is the one that this process does just now."""
        for own in self._own:
            # Another name may lead there.
            if own == path or os.path.realpath(own) == os.path.realpath(path):
                self._own.remove(own)
                return True
        return False

    def _note(self, kind: str, path: str) -> None:
        for window in self._windows:
            names: set[str] = getattr(window, kind)
            if len(names) < _MOST_NAMES:
                names.add(path)
            elif path not in names:
                window.whole = False


def _folder(name: str) -> str:
    return name.rpartition("/")[0] or "."


@cache
def _bits(*names: str) -> int:
    """Give flags of inotify(7) as a plain number: the library's own type takes its time."""
    from inotify_simple import flags  # noqa: PLC0415 - a build with nothing to do needs none

    return sum(int(flags[name]) for name in names)

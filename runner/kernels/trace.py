"""What a kernel does to files, as Python's audit events tell (PEP 578), written to a trace.

A kernel loads this file; nothing of the runner is imported. Events are those of
https://docs.python.org/3/library/audit_events.html. A hook sees what Python opens, in this
process and in those that are forked from it; not what C libraries and other programs open.

The trace is a file of records, each a letter, a path and a NUL; before a path that was read or
listed stands when, in seconds since 1970. It outlasts any end of the
kernel. `READ`, `WRITTEN` and `BOTH` say how a path was opened, `GONE` that it was removed,
`LISTED` that a folder was looked into, `MANY_READ` and `MANY_WRITTEN` that too many files of
a folder were opened to name them, `MODULE` that a module was loaded from there, `FOLDER` that a
folder was made, `LINK` that a symbolic link was. `STARTED` has the words of a command, `NATIVE`
says that a library was loaded that opens files by itself, `LOST` that there was more than the
trace can hold, and `END` that the kernel could write to the end.
"""

import fcntl
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType
from typing import Any

READ, WRITTEN, BOTH, GONE, LISTED = "RWBDL"
_OPENED = READ + WRITTEN + BOTH
MANY_READ, MANY_WRITTEN, MODULE, STARTED, LOST, END = "rwMSXE"
FOLDER, LINK, NATIVE = "FKN"
# Kinds that say when.
TIMED = READ + LISTED
# So many files of one folder, and so many in all, are named.
MOST_IN_FOLDER, MOST = 1000, 100_000
_LONGEST_COMMAND = 4000
# How events give the folder that a name is relative to, where it is the working directory.
_HERE = -1
# Ours is not to be the next number that a notebook's file gets.
_HIGH = 900
# What a cell's code is called after, and where a module may lie, the first one first.
_CELL = "/ipykernel_"
_MODULE_FILES = ("/__init__.py", *EXTENSION_SUFFIXES, ".py", "")
# Those who list a folder only to find modules.
_FINDERS = ("<frozen importlib", "importlib", "pkgutil.py", "pkg_resources")
# Packages whose compiled modules have Python open files. Of pyarrow, which pandas loads, these do.
_QUIET = frozenset(
    {
        *("numpy", "scipy", "pandas", "sklearn", "statsmodels", "matplotlib", "PIL", "skimage"),
        *("kiwisolver", "contourpy", "numexpr", "bottleneck", "numba", "llvmlite", "joblib"),
        *("zmq", "tornado", "psutil", "debugpy", "charset_normalizer", "wrapt", "greenlet"),
        *("yaml", "_yaml", "_ruamel_yaml", "markupsafe", "msgpack", "regex", "rpds", "cffi"),
        *("pydantic_core", "simplejson", "ujson", "orjson"),
        *("aiohttp", "multidict", "yarl", "frozenlist", "propcache", "_cffi_backend", "_cyutility"),
    }
)
_QUIET_PYARROW = ("lib", "_compute", "_compute_docstrings")


class Tracer:
    """Writes each fact once; bounded, however much a notebook opens."""

    def __init__(self, file: int, root: str, own: str) -> None:
        """Write to the descriptor `file` what concerns files that may be of the project `root`.

        What lies below `own`, the kernel's private folder, is not told.
        """
        self._file = file
        self._root = root.rstrip("/") + "/"
        places = (sys.prefix, sys.base_prefix, own, "/usr", "/lib", "/proc", "/sys", "/dev", "/etc")
        ours = tuple(f"{place}/" for place in places)
        self._elsewhere = tuple(place for place in ours if not self._root.startswith(place))
        self._named: dict[str, set[str]] = {}
        self._many: dict[str, str] = {}
        self._commands: set[str] = set()
        self._imports: dict[str, None] = {}
        self._left = MOST

    def note(self, kind: str, path: Any) -> None:  # noqa: ANN401 - whatever the notebook opens
        """Take in that something was done to a path; a number is that of an open file."""
        if path.__class__ is not str:
            path = "/dev/fd" if isinstance(path, int) else os.fsdecode(path)
        if path[:1] != "/":
            path = os.path.normpath(os.path.join(os.getcwd(), path))  # noqa: PTH109, PTH118 - quick
        elif "/." in path or "//" in path or path[-1] == "/":
            path = os.path.normpath(path)
        if not path.startswith(self._elsewhere):
            self._note(kind, path)

    def _note(self, kind: str, path: str) -> None:
        if self._left < 0:
            return
        folder, _, name = path.rpartition("/")
        if kind in _OPENED and folder in self._many:
            if kind != READ and self._many[folder] == MANY_READ:
                self._tell_many(folder, MANY_WRITTEN)
            return
        named = self._named.setdefault(folder, set())
        fact = kind + name
        if fact in named:
            return
        named.add(fact)
        self._left -= 1
        if len(named) > MOST_IN_FOLDER and kind in _OPENED:
            written = any(each[0] in {WRITTEN, BOTH} for each in named)
            self._tell_many(folder, MANY_WRITTEN if written else MANY_READ)
            named.clear()
        elif self._left > 0:
            # When it was first read tells whether a later change was met.
            self._write(kind, f"{time.time():.3f}{path}" if kind in TIMED else path)
        else:
            self._left = -1
            self._write(LOST, "")

    def started(self, words: Any) -> None:  # noqa: ANN401 - a text or a list
        """Take in a command that is run in a process of its own."""
        texts = [words] if isinstance(words, str | bytes) else list(words or ())
        line = " ".join(os.fsdecode(each) for each in texts)[:_LONGEST_COMMAND]
        if line not in self._commands and len(self._commands) < MOST_IN_FOLDER:
            self._commands.add(line)
            self._write(STARTED, line.replace("\0", " "))

    def is_own(self, file: str) -> bool:
        """Tell whether code lies in the project."""
        return file.startswith(self._root)

    def imported(self, name: str, importer: str) -> None:
        """Take in that a cell, or a module of the project, imports a name."""
        if importer.startswith(self._root) or _CELL in importer:
            self._imports[name] = None

    def _in_vain(self) -> Iterator[str]:
        """Give where imports have looked in the project in vain: a file may come there."""
        for name in [*self._imports][:MOST_IN_FOLDER]:
            package, _, last = name.rpartition(".")
            around = vars(sys.modules[package]) if package in sys.modules else {}
            for folder in list(around.get("__path__", ()) if package else sys.path):
                place = os.path.join(os.path.abspath(folder), last)  # noqa: PTH100, PTH118 - quick
                found = [one for one in _MODULE_FILES if os.path.exists(place + one)]  # noqa: PTH110
                if place.startswith(self._root):
                    yield from (place + one for one in _MODULE_FILES[: _first(found)])
                if found:
                    break

    def modules(self) -> None:
        """Take in where the loaded modules lie, without touching what may be loaded lazily.

        It is the end: a trace without this mark is not whole.
        """
        for path in self._in_vain():
            self.note(READ, path)
        for module in list(sys.modules.values()):
            if isinstance(module, ModuleType):
                path = object.__getattribute__(module, "__dict__").get("__file__")
                if isinstance(path, str) and path.startswith("/"):
                    self.note(MODULE, path)
                    if path.endswith(".so") and not self._is_quiet(path):
                        self._note(NATIVE, "/")
        self._write(END, "")

    def _is_quiet(self, path: str) -> bool:
        """Tell whether a compiled module is known to open no files but by Python."""
        inner = path.rpartition("-packages/")[2]
        package, _, module = inner.removesuffix(".so").partition("/")
        if "/lib-dynload/" in path:
            return not inner.rpartition("/")[2].startswith(("_dbm", "_gdbm", "_ctypes_test"))
        if package == "pyarrow" and module.partition(".")[0] in _QUIET_PYARROW:
            # As pandas loads it. A notebook that has it may have it open files.
            own = {id(one) for one in vars(sys.modules.get("__main__", sys)).values()}
            named = any(name.partition(".")[0] == "pyarrow" for name in self._imports)
            return not named and id(sys.modules.get("pyarrow")) not in own
        return package.partition(".")[0] in _QUIET

    def _tell_many(self, folder: str, kind: str) -> None:
        self._many[folder] = kind
        self._write(kind, folder)

    def _write(self, kind: str, text: str) -> None:
        os.write(self._file, f"{kind}{text}\0".encode("utf-8", "surrogateescape"))


def _first(found: list[str]) -> int:
    """Say how many places come before the first one at which there is a module."""
    return _MODULE_FILES.index(found[0]) if found else len(_MODULE_FILES)


def begin(path: str, root: str, more: Mapping[str, Callable[..., None]]) -> Tracer:
    """Begin a trace of this process at `path`, a file of the kernel's private folder.

    `more` takes in further events, by name.
    """
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    high = _HIGH if most == resource.RLIM_INFINITY else min(_HIGH, most - 1)
    try:
        file = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, high)
    finally:
        os.close(opened)
    tracer = Tracer(file, root, os.path.dirname(path))  # noqa: PTH120 - quick
    find = {**_handlers(tracer), **more}.get

    def hook(event: str, values: tuple[Any, ...]) -> None:
        handle = find(event)
        if handle is not None:
            try:  # noqa: SIM105 - quick
                handle(*values)
            except Exception:  # noqa: BLE001, S110 - the notebook is to meet it, not us
                pass

    sys.addaudithook(hook)
    return tracer


def _handlers(tracer: Tracer) -> dict[str, Callable[..., None]]:  # noqa: C901 - a table
    note = tracer.note

    def opened(path: Any, _mode: object, flags: int) -> None:  # noqa: ANN401 - as it comes
        kind = flags & os.O_ACCMODE
        if kind == os.O_RDONLY:
            note(READ, path)
        elif isinstance(path, int) or not os.path.isdir(path):  # noqa: PTH112 - quick
            # `tempfile` opens a file in a folder by a function of its own, which is told, too.
            note(WRITTEN if kind == os.O_WRONLY or flags & os.O_TRUNC else BOTH, path)

    def listed(path: Any = ".", *_: object) -> None:  # noqa: ANN401 - as it comes
        # Above us: the hook, and who listed.
        frame = sys._getframe(2)  # noqa: SLF001 - the quick way
        file = frame.f_code.co_filename
        if file.endswith("pkgutil.py"):
            # A notebook that looks for plugins wants to know the names.
            while frame.f_back and frame.f_code.co_filename.endswith("pkgutil.py"):
                frame = frame.f_back
            file = frame.f_code.co_filename
            found = _CELL in file or tracer.is_own(file)
        else:
            found = not any(one in file for one in _FINDERS)
        if found:
            note(LISTED, "." if path is None else path)

    def imported(name: Any, *_: object) -> None:  # noqa: ANN401 - as it comes
        frame = sys._getframe(2)  # noqa: SLF001 - the quick way
        while frame.f_back and any(one in frame.f_code.co_filename for one in _FINDERS):
            frame = frame.f_back
        tracer.imported(str(name), frame.f_code.co_filename)

    def named(kind: str, which: int = 0, at: int = -1) -> Callable[..., None]:
        # Relative to an open folder, as within `shutil.rmtree`, a name says too little.
        return lambda *values: note(kind, values[which]) if values[at] == _HERE else None

    moved_away, moved_here = named(GONE, 0, 2), named(WRITTEN, 1, 3)

    def renamed(*values: Any) -> None:  # noqa: ANN401 - as they come
        moved_away(*values)
        moved_here(*values)

    def database(name: Any) -> None:  # noqa: ANN401 - as it comes
        text = os.fsdecode(name)
        if text.startswith("file:"):
            text = text.removeprefix("file:").partition("?")[0]
        if text and ":memory:" not in text:
            note(BOTH, text)

    def first(kind: str) -> Callable[..., None]:
        return lambda path, *_: note(kind, path)

    def command(at: int) -> Callable[..., None]:
        return lambda *values: tracer.started(values[at] if len(values) > at else "")

    return {
        "open": opened,
        "import": imported,
        "os.listdir": listed,
        "os.scandir": listed,
        "os.rename": renamed,
        "os.link": named(WRITTEN, 1),
        "os.symlink": named(LINK, 1),
        "os.mkdir": named(FOLDER),
        "os.truncate": first(WRITTEN),
        "os.remove": named(GONE),
        "shutil.rmtree": first(GONE),
        "sqlite3.connect": database,
        "subprocess.Popen": command(1),
        "os.system": command(0),
        "os.exec": command(1),
        "os.posix_spawn": command(1),
        "os.fork": command(0),
        "os.forkpty": command(0),
    }


def records(data: bytes) -> Iterable[tuple[str, str]]:
    """Read a trace: kinds and paths; what was cut off at the end is left out."""
    for one in data.split(b"\0")[:-1]:
        text = one.decode("utf-8", "surrogateescape")
        yield text[:1], text[1:]

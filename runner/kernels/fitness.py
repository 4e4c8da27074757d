"""Whether a kernel that is forked after an import is as one that does the import itself.

A warm process loads this file; nothing of the runner is imported.
"""

import contextlib
import gc
import os
import random
import signal
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

# jemalloc starts its thread anew after a fork, as its `background_thread` says.
_FORK_SAFE_THREADS = {"jemalloc_bg_thd"}
_INSTALLED = [sysconfig.get_path(one) for one in ("stdlib", "platstdlib", "purelib", "platlib")]
_PACKAGES = {"site-packages", "dist-packages"}
# A message about all of them must not become too long.
_MOST_EDITED = 500
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Before:
    """What this process was like before imports; stdout and stderr go to a file from now on."""

    def __init__(
        self,
        shell: Any,  # noqa: ANN401 - IPython's, which has no types
        base: frozenset[str],
        not_to_be_forked: frozenset[str],
    ) -> None:
        """Look.

        Args:
            shell: the one that a kernel forked from here takes over.
            base: the modules that have been looked at.
            not_to_be_forked: packages that do not bear a fork.
        """
        self.shell = shell
        self.base = base
        self.not_to_be_forked = not_to_be_forked
        self.printed = os.memfd_create("printed")
        for number in (1, 2):
            os.dup2(self.printed, number)
        self.files = _open_files()
        self.shared = _shared_memory()
        self.hooks, self.state = _hooks(shell), _state()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.printed)

    def fault(self, renewed: Collection[str] = ()) -> str | None:
        """Say what of a kernel forked from here would be otherwise, if anything.

        Args:
            renewed: threads, by their numbers, that start anew in a forked process.
        """
        process = self._in_process(renewed)
        fault = next(chain(self._in_python(), process, self._in_modules()), None)
        # Looked at, and not to be looked at again.
        gc.freeze()
        return fault

    def _in_python(self) -> Iterator[str]:
        for name in vars(self.shell.kernel)["_asked"]:
            yield f"it asks for the kernel's {name}"
        if not _hooks(self.shell) <= self.hooks:
            yield "it hooks into IPython"
        for name, value in _state().items():
            if value != self.state.get(name, value):
                yield f"it changes {name}"

    def _in_process(self, renewed: Collection[str]) -> Iterator[str]:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if os.fstat(self.printed).st_size:
            yield "it prints something"
        if not _open_files() <= self.files:
            yield "it keeps a file or a socket open"
        if _children():
            yield "it starts a process"
        if _shared_memory() - self.shared:
            yield "it shares memory"
        if _threads_that_a_fork_loses(renewed):
            yield "it starts a thread"

    def _in_modules(self) -> Iterator[str]:
        if _generators():
            yield "it makes a random generator"
        loaded = sys.modules.keys() - self.base
        self.base |= loaded
        if hostile := self.not_to_be_forked & {name.partition(".")[0] for name in loaded}:
            yield f"it imports {min(hostile)}"
        if own := [name for name in loaded if _is_of_project(sys.modules[name])]:
            yield f"it imports `{min(own)}`, a module of the project"
        pid = os.getpid()
        for name in loaded:
            values = getattr(sys.modules[name], "__dict__", {}).values()
            if pid in [one for one in list(values) if type(one) is int]:
                yield f"`{name}` keeps the number of its process"


def _state() -> dict[str, object]:
    """Give what a kernel sets anew as it starts."""
    return {
        "signal handlers": [signal.getsignal(each) for each in signal.Signals],
        "the working directory": Path.cwd(),
        "timers": [signal.getitimer(each) for each in _TIMERS],
        "sys.excepthook": sys.excepthook,
        "sys.stdout": id(sys.stdout),
        "sys.stderr": id(sys.stderr),
    }


def _hooks(shell: Any) -> frozenset[object]:  # noqa: ANN401 - IPython's, which has no types
    """Give what acts on every cell; matplotlib's does nothing while there is no figure."""
    found = [one for each in shell.events.callbacks.values() for one in each]
    found += [*shell.input_transformers_post, *shell.input_transformers_cleanup]
    found += shell.ast_transformers
    names = {id(one): str(getattr(one, "__module__", "")) for one in found}
    return frozenset(one for one, name in names.items() if not name.startswith("matplotlib"))


def _open_files() -> frozenset[int]:
    """Give the descriptors of open files, but for that of the listing itself."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            found.add(int(name))
    return frozenset(found)


def _children() -> list[str]:
    """Give the processes that this one has started and that have not been waited for."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    return []


def _shared_memory() -> frozenset[str]:
    """Give the places of writable memory that a forked process would share."""
    with contextlib.suppress(OSError), open("/proc/self/maps", encoding="utf-8") as file:  # noqa: PTH123
        return frozenset(line.split()[0] for line in file if line.split()[1] == "rw-s")
    return frozenset()


def fork() -> int:
    """Fork; Python 3.12 and later warn of threads, of which only those are left that bear it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def _threads_that_a_fork_loses(renewed: Collection[str]) -> list[str]:
    """Name the threads that would be missing in a forked process.

    Some libraries, such as OpenBLAS, end their threads before a fork and start them anew
    on both sides; so one is tried.
    """
    if not _threads(renewed):
        return []
    child = fork()
    if not child:
        os._exit(0)
    found = _threads(renewed)
    os.waitpid(child, 0)
    return found


def _threads(renewed: Collection[str]) -> list[str]:
    """Name the threads but for the main one and those that do not mind a fork."""
    found = []
    for task in os.listdir("/proc/self/task"):
        if int(task) != os.getpid() and task not in renewed:
            with contextlib.suppress(OSError):
                found.append(Path(f"/proc/self/task/{task}/comm").read_text("utf-8").strip())
    return [name for name in found if name not in _FORK_SAFE_THREADS]


def _generators() -> bool:
    """Tell whether there are random generators that no fork reseeds: a module's own ones."""
    kinds: tuple[type, ...] = (random.Random,)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        # What a Generator and a RandomState draw from.
        kinds += (numpy.BitGenerator,)
    found: list[object] = gc.get_objects()
    types = {kind for kind in set(map(type, found)) if issubclass(kind, kinds)}
    types.discard(random.SystemRandom)
    own = {id(each) for each in _reseeded()}
    # These make a new one in every process.
    names = [each for each in found if type(each) is tempfile._RandomNameSequence]  # type: ignore[attr-defined]  # noqa: SLF001
    own |= {id(vars(each).get("_rng")) for each in names}
    return any(type(each) in types and id(each) not in own for each in found) if types else False


def _reseeded() -> Iterable[object]:
    """Give the generators that the nursery's `reseed` and Python itself take care of."""
    yield vars(random)["_inst"]
    mtrand = sys.modules.get("numpy.random.mtrand")
    if mtrand is not None:
        yield mtrand._rand._bit_generator  # noqa: SLF001 - numpy's global one


def _is_of_project(module: ModuleType) -> bool:
    """Tell whether a module lies in the project, not in an environment inside it."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return False
    path, project = Path(file), Path.cwd().parent
    return path.is_relative_to(project) and not any(map(path.is_relative_to, _INSTALLED))


def edited(modules: Iterable[str]) -> dict[str, int]:
    """Give the files of modules that are not installed, which people edit, and their times."""
    found: dict[str, int] = {}
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if not isinstance(file, str) or _PACKAGES.intersection(Path(file).parts):
            continue
        if not any(map(Path(file).is_relative_to, _INSTALLED)) and len(found) < _MOST_EDITED:
            with contextlib.suppress(OSError):
                found[file] = Path(file).stat().st_mtime_ns
    return found


def names(folders: Iterable[str]) -> frozenset[str]:
    """Name the modules that a notebook in one of the folders finds there first."""
    found = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            for entry in Path(folder).iterdir():
                name, _, rest = entry.name.partition(".")
                if rest.endswith(("py", "so")) or (entry / "__init__.py").exists():
                    found.add(name)
    return frozenset(found)

"""A warm process: it imports what notebooks import, and kernels are forked from it.

Run as a script, with the descriptor of a socket (SOCK_SEQPACKET) to the runner:

    python nursery.py CONTROL

The runner sends JSON, each time with one end of a new socket:

- `{"do": "grow", "imports": [STATEMENT, …], "known": [STATEMENT, …], …}` forks a process
  that carries out the imports and then serves the new socket as this one does its own;
- `{"do": "kernel", …}` forks a guard, which serves the socket, and a kernel.

A process that has grown says so: `{"ready": true, "changed": […], "loaded": […]}` with the
statements that loaded something, and those of the known ones that would load nothing more.
If a fork after one of the imports could be noticed, it ends with
`{"unfit": REASON, "statement": STATEMENT}` instead. Nothing but imports happens before a
kernel is forked. When the runner is gone, the sockets close, and all processes end.
"""

import ast
import contextlib
import gc
import importlib
import importlib.util
import io
import json
import os
import random
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

_HERE = Path(__file__).parent
_MOST = 1 << 18
# jemalloc starts its thread anew after a fork, as its `background_thread` says.
_FORK_SAFE_THREADS = {"jemalloc_bg_thd"}


class Unfit(Exception):  # noqa: N818 - it tells of a state
    """Kernels forked after an import would differ from those that import it themselves."""


class Relay(io.TextIOBase):
    """Stands for stdout or stderr while modules are imported.

    A module may keep the stream that it finds; in a kernel that is to be the notebook's.
    """

    def __init__(self, target: Any) -> None:  # noqa: ANN401 - a stream of any kind
        """Pass on to `target`, which may be changed."""
        self.target = target

    def write(self, text: str) -> int:
        """Pass on a text."""
        written: int = self.target.write(text)
        return written

    def flush(self) -> None:
        """Pass it on."""
        self.target.flush()

    def fileno(self) -> int:
        """Give the target's."""
        number: int = self.target.fileno()
        return number

    def isatty(self) -> bool:
        """Ask the target."""
        return bool(self.target.isatty())

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the target has
        return getattr(self.target, name)


def load(name: str, file: str) -> ModuleType:
    """Import a file beside this one, whose folder is not on the path."""
    spec = importlib.util.spec_from_file_location(name, _HERE / file)
    if spec is None or spec.loader is None:
        raise ImportError(file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class KernelToBe:
    """Stands for the kernel while modules are imported; notes what they ask of it."""

    def __init__(self, asked: list[str]) -> None:
        """Note the names of attributes in `asked`."""
        self._asked = asked

    def __getattr__(self, name: str) -> object:
        self._asked.append(name)
        raise AttributeError(name)


class Nursery:
    """This process, and after a fork the one that it has become."""

    def __init__(self, control: socket.socket) -> None:
        """Import what every kernel needs."""
        self.control = control
        self.guard = load("_runner_guard", "guard.py")
        self.guard.die_with(os.getppid())
        # ipykernel sets it in every kernel, before a notebook imports anything.
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        self.kernel = load("_runner_kernel", "main.py")
        # A kernel would import them on its way up.
        for name in ("IPython.core.debugger", "IPython.extensions.storemagic"):
            importlib.import_module(name)
        self.streams = {name: Relay(getattr(sys, name)) for name in ("stdout", "stderr")}
        sys.stdout, sys.stderr = self.streams["stdout"], self.streams["stderr"]
        self.asked: list[str] = []
        self.shell = self.kernel.early_shell()
        self.shell.kernel = KernelToBe(self.asked)
        self.base = frozenset(sys.modules)

    def serve(self) -> Callable[[], None]:
        """Answer the runner until it is gone; in a forked kernel, give what it is to do."""
        self._settle()
        self._say({"ready": True, "changed": [], "loaded": []})
        while True:
            data, descriptors, _, _ = socket.recv_fds(self.control, _MOST, 1)
            if not data:
                os._exit(0)
            request = json.loads(data)
            parent = os.getpid()
            if os.fork():
                os.close(descriptors[0])
                continue
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self.control.detach())
            self.control = socket.socket(fileno=descriptors[0])
            if request["do"] == "kernel":
                return self._become_kernel(request)
            self.guard.die_with(parent)
            self._grow(request)

    def _settle(self) -> None:
        """Wait for what is forked from here, and have no collection touch what they share."""
        gc.freeze()
        signal.signal(signal.SIGCHLD, _reap)

    def _grow(self, request: dict[str, Any]) -> None:
        """Carry out imports; say what they have changed."""
        self.kernel.log_to_notebook(request["log_level"])
        changed = []
        # What an import prints shows that it cannot be done ahead.
        self.printed = os.memfd_create("printed")
        for number in (1, 2):
            os.dup2(self.printed, number)
        self.files = _open_files()
        self.hooks = _hooks(self.shell)
        gc.disable()
        with self.shell.builtin_trap, self.shell.display_trap:
            for statement in request["imports"]:
                before = len(sys.modules)
                try:
                    _execute(statement)
                    if len(sys.modules) != before:
                        changed.append(statement)
                        self._check()
                except Unfit as reason:
                    self._give_up(statement, str(reason))
                except BaseException as error:  # noqa: BLE001 - the notebook is to meet it
                    fails = f"it fails ({type(error).__name__})"
                    self._give_up(statement, self._asks() or fails)
        gc.enable()
        os.close(self.printed)
        self._settle()
        loaded = [statement for statement in request["known"] if _is_loaded(statement)]
        self._say({"ready": True, "changed": changed, "loaded": loaded})

    def _check(self) -> None:
        """Look whether a kernel forked from here would be as one that is not.

        Raises:
            Unfit: it would not.
        """
        if what := self._asks():
            raise Unfit(what)
        if not _hooks(self.shell) <= self.hooks:
            what = "it hooks into IPython"
            raise Unfit(what)
        for stream in self.streams.values():
            stream.flush()
        if os.fstat(self.printed).st_size:
            what = "it prints something"
            raise Unfit(what)
        if not _open_files() <= self.files:
            what = "it keeps a file or a socket open"
            raise Unfit(what)
        if _threads_that_a_fork_loses():
            what = "it starts a thread"
            raise Unfit(what)
        if _generators():
            what = "it makes a random generator"
            raise Unfit(what)
        shadowed = _names(Path.cwd()) & {
            name.partition(".")[0] for name in sys.modules.keys() - self.base
        }
        if shadowed:
            what = f"the notebooks' folder has a module `{min(shadowed)}`"
            raise Unfit(what)
        # Looked at, and not to be looked at again.
        gc.freeze()

    def _asks(self) -> str | None:
        return f"it asks for the kernel's {self.asked[0]}" if self.asked else None

    def _give_up(self, statement: str, reason: str) -> NoReturn:
        self._say({"unfit": reason, "statement": statement})
        os._exit(0)

    def _say(self, message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            self.control.send(json.dumps(message).encode())

    def _become_kernel(self, place: dict[str, Any]) -> Callable[[], None]:
        if not self.guard.guard(self.control, place["output"], place["folder"]):
            os._exit(0)
        os.environ.update(place["environment"])
        sys.argv = [str(_HERE / "main.py"), "-f", place["connection"]]
        _reseed()

        def run() -> None:
            app = self.kernel.prepare(place["log_level"], place["crashes"])
            for name, stream in self.streams.items():
                stream.target = getattr(sys, name)
            app.start()

        return run


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _hooks(shell: Any) -> frozenset[object]:  # noqa: ANN401 - IPython's, which has no types
    """Give what acts on every cell; matplotlib's does nothing while there is no figure."""
    found = [one for each in shell.events.callbacks.values() for one in each]
    found += [*shell.input_transformers_post, *shell.input_transformers_cleanup]
    found += shell.ast_transformers
    names = {id(one): str(getattr(one, "__module__", "")) for one in found}
    return frozenset(one for one, name in names.items() if not name.startswith("matplotlib"))


def _execute(statement: str) -> None:
    """Import as a cell does."""
    exec(compile(statement, "<import>", "exec"), {"__name__": "__main__"})  # noqa: S102


def _is_loaded(statement: str) -> bool:
    """Tell whether an import would find everything in place."""
    (found,) = ast.parse(statement).body
    if isinstance(found, ast.Import):
        return all(one.name in sys.modules for one in found.names)
    if not isinstance(found, ast.ImportFrom):
        return False
    module = sys.modules.get(found.module or "")
    return module is not None and all(
        one.name in vars(module) or f"{found.module}.{one.name}" in sys.modules
        for one in found.names
    )


def _open_files() -> frozenset[int]:
    """Give the descriptors of open files, but for that of the listing itself."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            found.add(int(name))
    return frozenset(found)


def _threads_that_a_fork_loses() -> list[str]:
    """Name the threads that would be missing in a forked process.

    Some libraries, such as OpenBLAS, end their threads before a fork and start them anew
    on both sides; so one is tried.
    """
    if len(os.listdir("/proc/self/task")) == 1:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        os._exit(0)
    names = []
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            names.append(Path(f"/proc/self/task/{task}/comm").read_text("utf-8").strip())
    os.waitpid(child, 0)
    own = Path("/proc/self/comm").read_text("utf-8").strip()
    with contextlib.suppress(ValueError):
        names.remove(own)
    return [name for name in names if name not in _FORK_SAFE_THREADS]


def _generators() -> bool:
    """Tell whether there are random generators that no fork reseeds: a module's own ones."""
    kinds: tuple[type, ...] = (random.Random,)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        kinds += (numpy.Generator, numpy.RandomState, numpy.BitGenerator)
    found: list[object] = gc.get_objects()
    types = {kind for kind in set(map(type, found)) if issubclass(kind, kinds)}
    types.discard(random.SystemRandom)
    own = {id(each) for each in _reseeded()}
    # These make a new one in every process.
    names = [each for each in found if type(each) is tempfile._RandomNameSequence]  # type: ignore[attr-defined]  # noqa: SLF001
    own |= {id(vars(each).get("_rng")) for each in names}
    return any(type(each) in types and id(each) not in own for each in found) if types else False


def _reseeded() -> Iterable[object]:
    """Give the generators that `_reseed` and Python itself take care of."""
    yield vars(random)["_inst"]
    mtrand = sys.modules.get("numpy.random.mtrand")
    if mtrand is not None:
        yield from (mtrand._rand, mtrand._rand._bit_generator)  # noqa: SLF001 - numpy's global one


def _reseed() -> None:
    """Have each kernel draw numbers of its own, as if it had imported the modules itself."""
    mtrand = sys.modules.get("numpy.random.mtrand")
    if mtrand is not None:
        mtrand.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.seed()


def _names(folder: Path) -> set[str]:
    """Name the modules that a notebook in a folder finds there first."""
    names = set()
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            name, _, rest = entry.name.partition(".")
            if rest.endswith(("py", "so")) or (entry / "__init__.py").exists():
                names.add(name)
    return names


def main() -> None:
    """Serve; in a kernel, come back here first, so that it ends as any script does."""
    # Modules beside this file are no modules of a notebook.
    del sys.path[0]
    control = socket.socket(fileno=int(sys.argv[1]))
    Nursery(control).serve()()


if __name__ == "__main__":
    main()

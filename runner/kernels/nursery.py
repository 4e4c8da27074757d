"""A warm process: it imports what notebooks import, and kernels are forked from it.

Run as a script, with the descriptor of a socket (SOCK_SEQPACKET) to the runner:

    python nursery.py CONTROL

The runner sends JSON, each time with one end of a new socket:

- `{"do": "grow", "imports": [STATEMENT, …], "known": [STATEMENT, …], "folders": […], …}`
  forks a process that carries out the imports and then serves the new socket as this one
  does its own; the notebooks lie in the folders, and modules that are known to be at fault
  are the culprits;
- `{"do": "kernel", …}` forks a guard, which serves the socket, and a kernel.

A process that has grown says so: `{"ready": true, "changed": […], "loaded": […], "edited": {…}}`
with the statements that loaded something, those of the known ones that would load nothing more,
and the files of modules that are not installed, with the times when they were changed.
If a fork after one of the imports could be noticed, it ends with
`{"unfit": REASON, "statement": STATEMENT, "culprit": …}` instead, at once where a culprit is
imported; what fails is none, since other packages may do without it. Nothing but imports
happens before a kernel is forked. When the runner is gone, the sockets close, and all
processes end.
"""

import ast
import contextlib
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

_HERE = Path(__file__).parent
_MOST = 1 << 18


def load(name: str, file: str) -> ModuleType:
    """Import a file beside this one, whose folder is not on the path."""
    spec = importlib.util.spec_from_file_location(name, _HERE / file)
    if spec is None or spec.loader is None:
        raise ImportError(file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Nursery:
    """This process, and after a fork the one that it has become."""

    def __init__(self, control: socket.socket) -> None:
        """Import what every kernel needs."""
        self.control = control
        self.guard = load("_runner_guard", "guard.py")
        self.fitness = load("_runner_fitness", "fitness.py")
        self.standins = load("_runner_standins", "standins.py")
        self.no_fork = load("_runner_forkless", "forkless.py").NO_FORK
        # What a module starts as it is imported becomes our child, and ends with us.
        self.guard.adopt_orphans()
        self.guard.go_on_without_parent()
        self.logs, self.is_root = False, True
        # ipykernel sets it in every kernel, before a notebook imports anything.
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        self.kernel = load("_runner_kernel", "main.py")
        sys.argv = [str(_HERE / "main.py"), "-f", "kernel.json"]
        # A kernel would import them on its way up.
        for name in ("IPython.core.debugger", "IPython.extensions.storemagic"):
            importlib.import_module(name)
        self.streams = {
            name: self.standins.Relay(getattr(sys, name)) for name in ("stdout", "stderr")
        }
        sys.stdout, sys.stderr = self.streams["stdout"], self.streams["stderr"]
        self.shell = self.kernel.early_shell()
        self.shell.kernel = self.standins.KernelToBe()
        self.base = frozenset(sys.modules)

    def serve(self) -> Callable[[], None]:
        """Answer the runner until it is gone; in a forked kernel, give what it is to do."""
        self._settle()
        self._say({"ready": True, "changed": [], "loaded": []})
        while True:
            data, descriptors, _, _ = socket.recv_fds(self.control, _MOST, 1)
            if not data:
                self._end()
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)  # noqa: FBT003 - the function's own signature
            request = json.loads(data)
            parent = os.getpid()
            if self.fitness.fork():
                os.close(descriptors[0])
                continue
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self.control.detach())
            self.control = socket.socket(fileno=descriptors[0])
            self.is_root = False
            if request["do"] == "kernel":
                return self._become_kernel(request)
            self.guard.die_with(parent)
            self._grow(request)

    def _settle(self) -> None:
        """Wait for what is forked from here, and have no collection touch what they share."""
        gc.freeze()
        signal.signal(signal.SIGCHLD, self._look_after)

    def _look_after(self, *_: object) -> None:
        """Take note of children that have ended; none is to be stopped."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
                if not pid:
                    break
                if os.WIFSTOPPED(status):
                    self.guard.go_on(pid)

    def _grow(self, request: dict[str, Any]) -> None:
        """Carry out imports; say what they have changed."""
        self._log(request["log_level"])
        changed = []
        before = self.fitness.Before(self.shell, self.base, self.no_fork)
        gc.disable()

        def give_up(fault: str, *, culprit: bool = True) -> NoReturn:
            self._say({"unfit": fault, "statement": statement, "culprit": culprit})
            os._exit(0)

        names = self.fitness.names(request["folders"])
        culprits = self.no_fork.union(request["culprits"])
        lookout = self.standins.Lookout(names, culprits, give_up)
        with self.shell.builtin_trap, self.shell.display_trap:
            for statement in request["imports"]:
                modules = len(sys.modules)
                fails = None
                try:
                    _execute(statement)
                except BaseException as error:  # noqa: BLE001 - the notebook is to meet it
                    fails = f"it fails ({type(error).__name__})"
                if len(sys.modules) != modules:
                    changed.append(statement)
                if fault := lookout.fault or before.fault(lookout.renewed):
                    give_up(fault)
                if fails is not None:
                    give_up(fails, culprit=False)
        lookout.end()
        gc.enable()
        edited = self.fitness.edited(before.base - self.base)
        self.base = before.base
        before.close()
        self._settle()
        loaded = [statement for statement in request["known"] if _is_loaded(statement)]
        self._say({"ready": True, "changed": changed, "loaded": loaded, "edited": edited})

    def _log(self, level: str) -> None:
        """Log as a kernel does, before anything is imported, which may do it otherwise."""
        if not self.logs:
            self.kernel.log_to_notebook(level)
            self.logs = True

    def _end(self) -> NoReturn:
        """End, and with it what imports have started; guards end by themselves."""
        self.guard.kill_all_but_guards(5.0 if self.is_root else 0.05)
        os._exit(0)

    def _say(self, message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            self.control.send(json.dumps(message).encode())

    def _become_kernel(self, place: dict[str, Any]) -> Callable[[], None]:
        if not self.guard.guard(self.control, place["output"], place["folder"]):
            os._exit(0)
        os.chdir(place["working_directory"])
        os.environ.update(place["environment"])
        sys.argv = [str(_HERE / "main.py"), "-f", place["connection"]]
        _reseed()
        self._log(place["log_level"])

        def run() -> None:
            app = self.kernel.prepare(place["log_level"], place["crashes"], place["root"])
            for name, stream in self.streams.items():
                stream.target = getattr(sys, name)
            app.start()

        return run


def _reseed() -> None:
    """Have each kernel draw numbers of its own, as if it had imported the modules itself."""
    mtrand = sys.modules.get("numpy.random.mtrand")
    if mtrand is not None:
        mtrand.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.seed()


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


def main() -> None:
    """Serve; in a kernel, come back here first, so that it ends as any script does."""
    # Modules beside this file are no modules of a notebook.
    del sys.path[0]
    control = socket.socket(fileno=int(sys.argv[1]))
    Nursery(control).serve()()


if __name__ == "__main__":
    main()

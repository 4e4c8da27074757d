"""What stands for parts of a kernel while modules are imported ahead of it.

A warm process loads this file; nothing of the runner is imported.
"""

import gc
import importlib.abc
import importlib.machinery
import io
import os
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, NoReturn


def _threads() -> set[str]:
    """Give the numbers of all threads of this process."""
    return set(os.listdir("/proc/self/task"))


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

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property is not to be set
        """Give the target's."""
        return str(self.target.encoding)

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # as above
        """Give the target's."""
        found: str | None = self.target.errors
        return found

    def isatty(self) -> bool:
        """Ask the target."""
        return bool(self.target.isatty())

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the target has
        return getattr(self.target, name)


class KernelToBe:
    """Stands for the kernel while modules are imported; notes what they ask of it."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self._asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        self._asked.append(name)
        raise AttributeError(name)


class Lookout(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Notes what imports do that a fork would undo, and does not hinder them.

    Some threads that they start are noted, too, since a fork does not undo these. Two things are
    faults: a module seeds the random numbers that all modules share, or asks for a
    module that the notebooks' folder has, and a kernel would find there. The functions
    that seed are wrapped, in `random` at once, in others as they are imported. A module
    that keeps one of them finds that it works as before. Before a module is loaded that is
    known to be at fault, it is given up: what follows would be in vain.
    """

    _LATER = {"numpy.random": ("seed", "set_state"), "torch.random": ("manual_seed",)}  # noqa: RUF012
    # It compares the number of its process at each use, and starts its threads anew in another one
    # (`numexpr_set_nthreads` in numexpr/module.cpp).
    _AWARE = frozenset({"numexpr"})

    def __init__(
        self, names: frozenset[str], culprits: frozenset[str], give_up: Callable[[str], NoReturn]
    ) -> None:
        """Begin.

        Args:
            names: those of the modules in the notebooks' folder.
            culprits: modules that are known to be at fault.
            give_up: ends this process, with the words why.
        """
        self.fault: str | None = None
        # Threads, by their numbers, that start anew in a forked process.
        self.renewed: set[str] = set()
        self._names, self._culprits, self._give_up = names, culprits, give_up
        self._wrapped: list[tuple[Any, str, Any]] = []
        self._loaders: dict[str, Any] = {}
        sys.meta_path.insert(0, self)
        self._wrap(random, ("seed", "setstate"), "it seeds random numbers")
        # The warm process has stopped it, and starts it again after the imports.
        self._wrap(gc, ("disable",), "it stops the garbage collection")
        for name, functions in self._LATER.items():
            if name in sys.modules:
                self._wrap(sys.modules[name], functions, "it seeds random numbers")

    def end(self) -> None:
        """Put the functions themselves back."""
        sys.meta_path.remove(self)
        for module, name, function in self._wrapped:
            setattr(module, name, function)

    def _wrap(self, module: Any, names: Iterable[str], fault: str) -> None:  # noqa: ANN401 - a module
        for name in names:
            function = getattr(module, name, None)
            if callable(function):
                self._wrapped.append((module, name, function))
                setattr(module, name, self._listening(function, fault))

    def _listening(self, function: Callable[..., Any], fault: str) -> Callable[..., Any]:
        def listening(*values: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on as they are
            self.fault = fault
            return function(*values, **named)

        return listening

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 - the seam's signature
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the modules that matter as usual, to be loaded by us."""
        if fullname in self._names:
            self.fault = f"the notebooks' folder has a module `{fullname}`"
        if not any(fullname in each for each in (self._LATER, self._AWARE, self._culprits)):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            self._loaders[fullname] = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Have the module made as usual; whoever only looks for it does not come here."""
        if spec.name in self._culprits:
            self._give_up(f"it imports {spec.name}")
        made: ModuleType | None = self._loaders[spec.name].create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Load the module as usual; it does not see that we did."""
        name = module.__name__
        loader = self._loaders[name]
        module.__loader__ = loader
        if module.__spec__ is not None:
            module.__spec__.loader = loader
        before = _threads()
        loader.exec_module(module)
        if name in self._AWARE:
            self.renewed |= _threads() - before
        else:
            self._wrap(module, self._LATER[name], "it seeds random numbers")

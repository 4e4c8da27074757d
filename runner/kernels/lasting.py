"""Warm kernels that outlast a build: the next one takes them up, if new ones would be the same."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from ..model import Wanted
from . import forkserver
from .fitness import names
from .warm import Warm


class Lasting:
    """Keeps a source of warm kernels from one build of a command to the next."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Begin without one, for the project at `root` whose notebooks lie in `folder`."""
        self.root = root
        self._folder = folder
        self._early: forkserver.ForkServer | None = None
        self._warm: Warm | None = None
        self._made_of: object = None

    def __enter__(self) -> Self:
        """Give it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        if self._warm is not None:
            self._warm.__exit__()
            self._warm = None
        if self._early is not None:
            self._early.end(0.0)
            self._early = None

    def start(self) -> None:
        """Start the fork server, which imports meanwhile, if there is none.

        Raises:
            OSError: it cannot be started.
        """
        if self._warm is None and self._early is None:
            self._early = forkserver.start(self._folder)

    def take(
        self, log_level: str, jobs: int, folders: Sequence[str], say: Callable[[int, str], None]
    ) -> Warm:
        """Give the source for a build; what it has to say goes to `say` from now on.

        It is a new one if packages were installed or removed since, modules elsewhere were
        edited, or those of the project have other names: an import might then be another one.

        Raises:
            OSError: it cannot be started.
        """
        made_of = (log_level, self._installed(), names([*folders, *self._of_project()]))
        warm = self._warm
        if warm is not None and not (warm.works and made_of == self._made_of):
            warm.__exit__()
            warm = None
        if warm is None:
            server = self._early or forkserver.start(self._folder)
            warm = Warm(server, str(self.root), log_level, jobs, folders, say).__enter__()
            self._warm, self._early, self._made_of = warm, None, made_of
        warm.jobs, warm.folders, warm.say = jobs, folders, say
        warm.clear()
        return warm

    def expect(self, wanted: Sequence[Wanted]) -> None:
        """Have ready what the next build may need."""
        if self._warm is not None:
            self._warm.expect(wanted)

    def _of_project(self) -> tuple[str, ...]:
        return str(self.root), str(self.root / "src")

    def _installed(self) -> list[tuple[str, int]]:
        """Tell what is installed by when the folders of packages were last changed."""
        found = []
        for folder in {*sys.path} - {str(self.root)}:
            with contextlib.suppress(OSError):
                found.append((folder, Path(folder).stat().st_mtime_ns))
        return sorted(found)

"""Failing writes: a small library in C, preloaded into `run.py` alone."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project import ROOT, Done, TemporaryProject, environment


@dataclass(frozen=True)
class Faults:
    """The library, built; `mark` is a file that exists once it has struck."""

    library: Path
    mark: Path

    @classmethod
    def build(cls, folder: Path) -> "Faults":
        """Build the library, or skip the test where there is no C compiler."""
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler to build the failing writes with (apt-get install gcc)")
        source, library = Path(__file__).with_name("faults.c"), folder / "faults.so"
        command = [compiler, "-Wall", "-O1", "-shared", "-fPIC", str(source), "-o", str(library)]
        subprocess.run([*command, "-ldl"], check=True)
        return cls(library, folder / "struck")

    @property
    def trace(self) -> Path:
        """A file with a line for each call that succeeded, in their order."""
        return self.mark.with_name("trace")

    def environment(self, root: Path, how: str, at: int = 1, name: str = "") -> dict[str, str]:
        """Give the variables that make the `at`-th write below `root` fail.

        With `name` only what is written to paths with that in them counts.
        """
        return {
            "LD_PRELOAD": str(self.library),
            "FAULT_ROOT": str(root),
            "FAULT_NAME": name,
            "FAULT_HOW": how,
            "FAULT_AT": str(at),
            "FAULT_MARK": str(self.mark),
            "FAULT_TRACE": str(self.trace),
        }

    def struck(self) -> bool:
        """Tell whether it has failed a write, and forget it."""
        there = self.mark.exists()
        self.mark.unlink(missing_ok=True)
        return there


def pretend(
    project: TemporaryProject, *words: str, env: Mapping[str, str], code: int | None = 0
) -> Done:
    """Build without kernels, as `project.pretend` does, in a process that may be killed."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.pretended", *words, "--cold"],
        cwd=project.root,
        env=environment({**env, "PYTHONPATH": str(ROOT)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Done(made.returncode, made.stdout, made.stderr).expected(code)

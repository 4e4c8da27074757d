"""Failing writes: a small library in C, preloaded into `run.py` alone."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


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

    def environment(self, root: Path, how: str, at: int = 1) -> dict[str, str]:
        """Give the variables that make the `at`-th write below `root` fail."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAULT_ROOT": str(root),
            "FAULT_HOW": how,
            "FAULT_AT": str(at),
            "FAULT_MARK": str(self.mark),
        }

    def struck(self) -> bool:
        """Tell whether it has failed a write, and forget it."""
        there = self.mark.exists()
        self.mark.unlink(missing_ok=True)
        return there

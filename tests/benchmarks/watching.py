"""How long it takes from a save to the verdict: `watch`, beside the same cells as a plain script.

    python -m tests.benchmarks.watching [--rounds 7]

The sides run in turn, so that both see the same machine. The script has the cells of all stages
of the example and starts in a fresh Python, as it does for who has no tool at all. `watch` is
told of a save by the system; it ends when the line with the verdict can be read. Each row saves
another file, in which a comment is another one each time: `watch` runs what that
changes, and compares the whole with what is expected.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat

from runner.system.machine import cpus
from tests.benchmarks.speed import row, seconds
from tests.project import TemporaryProject, environment

GOAL = 0.5
VERDICT = re.compile(r"test succeeded, (\d) of 4 stages ran")


def plain(project: TemporaryProject, folder: Path) -> Callable[[], float]:
    """Give what runs the cells of all stages, as `test` runs them, as one script."""
    cells = []
    for stage in project.record("test")["stages"]:
        executed = project.executed("test", stage["name"])
        cells += [cell.source for cell in executed.cells if cell.cell_type == "code"]
    script = folder / "plain.py"
    head = "import os\nimport sys\nos.environ['MPLBACKEND'] = 'agg'\nsys.path.insert(0, '.')"
    script.write_text("\n\n".join([head, *cells]))
    return lambda: seconds([sys.executable, str(script)], project.root / "notebooks")


class Watch:
    """A `watch` that is at rest between two saves."""

    def __init__(self, project: TemporaryProject) -> None:
        """Start it, and wait for its first verdict."""
        self.process = subprocess.Popen(
            [sys.executable, str(project.root / "run.py"), "watch"],
            cwd=project.root,
            env=environment({"MPLBACKEND": None}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.verdict()

    def verdict(self) -> int:
        """Wait for a verdict; give how many stages ran."""
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := VERDICT.search(line):
                return int(found[1])
        message = f"watch ended:\n{''.join(said)}"
        raise RuntimeError(message)

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


def saved(watch: Watch, path: Path, number: int) -> tuple[float, int]:
    """Save a file with another comment; give the seconds to the verdict, and what ran."""
    comment = f"# saved {number}"
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        # In the cell after the parameters, which imports.
        code[1].source = f"{code[1].source.partition('# saved')[0].rstrip()}\n{comment}"
        text = nbformat.writes(notebook)
    else:
        text = f"{path.read_text('utf-8').partition('# saved')[0].rstrip()}\n\n{comment}\n"
    # A person is at it for a while; what is to be ready is ready.
    time.sleep(1.0)
    began = time.monotonic()
    path.write_text(text, "utf-8")
    ran = watch.verdict()
    return time.monotonic() - began, ran


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(f"{cpus():g} CPUs, Python {sys.version.split()[0]}\n")
    print("| saved | goal | measured | medians |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        project = TemporaryProject.example(Path(folder) / "example")
        watch = Watch(project)
        script = plain(project, Path(folder))
        number = 0
        try:
            for name in ("features.ipynb", "report.ipynb", "figures.py", "data.ipynb"):
                found = []
                for _ in range(rounds + 1):
                    number += 1
                    took, ran = saved(watch, project.root / "notebooks" / name, number)
                    found.append((took, script(), ran))
                # The first one makes ready what the others find.
                found = found[1:]
                ratio = statistics.median(one[0] / one[1] for one in found)
                ours, theirs = (statistics.median(one[n] for one in found) for n in (0, 1))
                what = f"`{name}`, {found[-1][2]} of 4 stages run"
                row(
                    what,
                    f"≤ {GOAL} times",
                    f"{ratio:.2f} times",
                    f"{ours:.2f} s and {theirs:.2f} s",
                )
        finally:
            watch.end()


if __name__ == "__main__":
    main()

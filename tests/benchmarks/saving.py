"""What saving costs, as notebooks grow: through us and through papermill, in turn.

    python -m tests.benchmarks.saving [--cells 100 200 400 800] [--rounds 3]

Each cell prints 20 KB. The seconds are those of whole commands, start-up included, medians
of the rounds. The bytes are all that the runner's process wrote, as the system counts them
(`wchar` in /proc/PID/io), against the size of the notebook at the end; the printed lines are
kept out of our log, since papermill has none.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.project import TemporaryProject

PRINTED = 20_000


class Cost(NamedTuple):
    """Of one execution: seconds, and bytes written for each byte of the final notebook."""

    seconds: float
    written: float


def measure(command: list[str], notebook: Path) -> Cost:
    """Run a command that leaves `notebook`."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    written = 0
    # The counters are gone with the process, so they are read until then.
    while process.poll() is None:
        written = max(written, written_by(process.pid))
        time.sleep(0.02)
    seconds = time.monotonic() - began
    if process.returncode:
        message = f"{command} ended with {process.returncode}"
        raise RuntimeError(message)
    return Cost(seconds, written / notebook.stat().st_size)


def written_by(pid: int) -> int:
    """Give the bytes that a process has written so far."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text("ascii").splitlines()
    except OSError:
        return 0
    return int(next(line.split()[1] for line in lines if line.startswith("wchar")))


def compare(cells: int, folder: Path) -> tuple[Cost, Cost]:
    """Measure a notebook of so many cells through us, then through papermill."""
    project = TemporaryProject(folder / str(cells))
    project.profile("all")
    source = project.notebook(
        "a", *[f"print('{number:04}' * {PRINTED // 4})" for number in range(cells)]
    )
    ours = measure(
        [*project.command("all"), "--log-level", "WARNING"],
        project.outputs("all") / "notebooks/a.ipynb",
    )
    output = folder / "papermill.ipynb"
    papermill = [sys.executable, "-m", "papermill", "--no-progress-bar", str(source), str(output)]
    return ours, measure(papermill, output)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What saving costs as notebooks grow.")
    parser.add_argument("--cells", type=int, nargs="+", default=[100, 200, 400, 800])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    ours: dict[int, list[Cost]] = {cells: [] for cells in chosen.cells}
    theirs: dict[int, list[Cost]] = {cells: [] for cells in chosen.cells}
    for _ in range(chosen.rounds):
        for cells in chosen.cells:
            with tempfile.TemporaryDirectory() as folder:
                one, other = compare(cells, Path(folder))
            ours[cells].append(one)
            theirs[cells].append(other)
    print("cells | ours, s | papermill, s | faster | written/size, ours | papermill")
    for cells in chosen.cells:
        one, other = median(ours[cells]), median(theirs[cells])
        print(
            f"{cells:5} | {one.seconds:7.1f} | {other.seconds:12.1f} | "
            f"{other.seconds / one.seconds:5.1f}x | {one.written:18.1f} | {other.written:.1f}"
        )
    if len(chosen.cells) > 1:
        last, before = chosen.cells[-1], chosen.cells[-2]
        growth = median(ours[last]).seconds / median(ours[before]).seconds
        print(f"ours at {last} cells: {growth:.2f} times ours at {before}")


def median(costs: list[Cost]) -> Cost:
    """Give the medians."""
    return Cost(*(statistics.median(each) for each in zip(*costs, strict=True)))


if __name__ == "__main__":
    main()

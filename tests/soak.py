"""A long pipeline, stopped and resumed at random; prints memory over time and every state.

    python -m tests.soak [--minutes 60] [--seed 1]

The stages print, plot, allocate and sleep, for so many minutes in all. The run is disturbed
after half a minute to five minutes, in each of the ways there are (SIGINT, SIGTERM,
`run.py stop`, a deadline, SIGKILL), and goes on until it is through. What is built must be
what an undisturbed run builds, no process may be left, and the runner's memory must not grow.
Not part of the tests: it takes long.
"""

import argparse
import json
import random
import signal
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.project import TemporaryProject

# What a stage takes, in seconds, where it does three of these four.
STAGE = 20.0
CELLS = {
    "print": "for n in range(20_000):\n    print(n, 'x' * 50)",
    "plot": (
        "import matplotlib.pyplot as plt\n"
        "for _ in range(5):\n    plt.plot(range(1000))\n    plt.show()"
    ),
    "allocate": "import numpy as np\nx = np.ones((40, 1024, 1024 // 8))\nx.sum()",
    "sleep": "import time\ntime.sleep(22)",
}
CODES = {0, 4, 130, 143, -signal.SIGKILL}
SOONEST, LATEST = 30.0, 300.0
# Memory is looked at every second; of a shorter run it says nothing.
LONG_ENOUGH = 90
# The end of a run may take so much more than its beginning: caches, and what it has read.
GROWTH = 1.25


def pipeline(root: Path, stages: int) -> TemporaryProject:
    """Make a chain of stages, each of which does three of the things."""
    project = TemporaryProject(root)
    project.profile("all")
    kinds = list(CELLS)
    for number in range(stages):
        reads = (f"s{number - 1:03}.txt",) if number else ()
        cells = [CELLS[kinds[(number + step) % len(kinds)]] for step in range(3)]
        project.stage(f"s{number:03}", *cells, reads=reads, writes=(f"s{number:03}.txt",))
    return project


def wanted(stages: int) -> dict[str, str]:
    """Give what an undisturbed run makes: see `TemporaryProject.stage`."""
    texts: dict[str, str] = {}
    last = ""
    for number in range(stages):
        last = f"s{number:03}\n{last}"
        texts[f"s{number:03}.txt"] = last
    return texts


def main() -> None:
    """Run, and say what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)  # noqa: S311 - repeatable on purpose
    stages = max(4, round(60 * chosen.minutes / STAGE))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        project = pipeline(Path(folder) / "project", stages)
        while once(project, chance) != 0:
            pass
        made = {path.name: path.read_text() for path in project.outputs("all").glob("s*.txt")}
        assert made == wanted(stages), "the build is not the one that an undisturbed run makes"
        records = [json.loads((run / "run.json").read_text()) for run in project.runs("all")]
        took = (time.monotonic() - began) / 60
        print(f"{stages} stages in {took:.1f} minutes and {len(records)} runs, as undisturbed")
        print(f"runs: {_counted([record['state'] for record in records])}")
        ends = [stage["state"] for record in records for stage in record["stages"]]
        print(f"stages: {_counted(ends)}")


def _counted(states: Sequence[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in Counter(states).most_common())


def once(project: TemporaryProject, chance: random.Random) -> int:
    """Start or resume the build, disturb it at a random moment, and look at what is left."""
    how = chance.choice(["SIGINT", "SIGTERM", "stop", "deadline", "SIGKILL"])
    after = chance.uniform(SOONEST, LATEST)
    words = ["--deadline", f"{after:.0f}", "--start-late"] if how == "deadline" else []
    memory: list[int] = []
    with (project.root / "console.txt").open("ab") as out:
        process = subprocess.Popen(
            project.command("all", *words), cwd=project.root, stdout=out, stderr=out
        )
        strike: float | None = None if how == "deadline" else time.monotonic() + after
        family: list[psutil.Process] = []
        while process.poll() is None:
            family = _watch(process.pid, memory)
            if strike is not None and time.monotonic() > strike:
                strike = None
                if how == "stop":
                    project.run("stop", code=None)
                else:
                    process.send_signal(signal.Signals[how])
            time.sleep(1)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive, f"left after {how}: {alive}"
    assert process.returncode in CODES, f"exit code {process.returncode} after {how}"
    line = (
        f"{time.strftime('%H:%M:%S')} {how:<8} after {after:3.0f} s: exit {process.returncode:>4}"
    )
    third = len(memory) // 3
    if len(memory) > LONG_ENOUGH:
        first, middle, last = (
            statistics.median(memory[place : place + third]) / 2**20
            for place in (0, third, 2 * third)
        )
        line += f", runner {first:.0f}, {middle:.0f}, {last:.0f} MiB in the thirds of its time"
        assert last < GROWTH * first, f"the runner's memory grows: {line}"
    print(line, flush=True)
    return process.returncode


def _watch(pid: int, memory: list[int]) -> list[psutil.Process]:
    """Note the runner's memory; give all processes below it."""
    try:
        runner = psutil.Process(pid)
        memory.append(runner.memory_info().rss)
        return runner.children(recursive=True)
    except psutil.Error:
        return []


if __name__ == "__main__":
    main()

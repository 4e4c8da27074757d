"""A long pipeline, stopped and resumed at random; prints memory over time and every state.

    python -m tests.soak [--minutes 60] [--seed 1]

The stages print, plot, allocate and sleep. The run is stopped in each of the ways there are
(SIGINT, SIGTERM, `run.py stop`, a deadline, SIGKILL) and goes on each time, until it is
through; then it starts again, until the time is over. Not part of the tests: it takes long.
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
from pathlib import Path

import psutil

from tests.project import TemporaryProject

STAGES = 12
CELLS = {
    "print": "for n in range(20_000):\n    print(n, 'x' * 50)",
    "plot": (
        "import matplotlib.pyplot as plt\n"
        "for _ in range(5):\n    plt.plot(range(1000))\n    plt.show()"
    ),
    "allocate": "import numpy as np\nx = np.ones((40, 1024, 1024 // 8))\nx.sum()",
    "sleep": "import time\ntime.sleep(4)",
}
CODES = {0, 4, 130, 143, -signal.SIGKILL}


def pipeline(root: Path) -> TemporaryProject:
    """Make a chain of stages, each of which does one of the things, several times."""
    project = TemporaryProject(root)
    project.profile("all")
    kinds = list(CELLS)
    for number in range(STAGES):
        reads = (f"s{number - 1:02}.txt",) if number else ()
        cells = [CELLS[kinds[(number + step) % len(kinds)]] for step in range(3)]
        project.stage(f"s{number:02}", *cells, reads=reads, writes=(f"s{number:02}.txt",))
    return project


def main() -> None:
    """Run, and say what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)  # noqa: S311 - repeatable on purpose
    with tempfile.TemporaryDirectory() as folder:
        project = pipeline(Path(folder) / "project")
        wanted: dict[str, bytes] | None = None
        states: Counter[str] = Counter()
        rounds, until = 0, time.monotonic() + 60 * chosen.minutes
        while time.monotonic() < until:
            code = once(project, chance, states, until)
            if code == 0:
                rounds += 1
                paths = project.outputs("all").glob("s*.txt")
                made = {path.name: path.read_bytes() for path in paths}
                wanted = wanted or made
                assert made == wanted, "the build is not the one that it was"
                project.run("clean")
        print(f"{rounds} whole builds; runs and stages: {dict(states)}")


def once(
    project: TemporaryProject, chance: random.Random, states: Counter[str], until: float
) -> int:
    """Start or resume the build, disturb it at a random moment, and look at what is left."""
    how = chance.choice(["SIGINT", "SIGTERM", "stop", "deadline", "SIGKILL", "nothing"])
    after = chance.uniform(2, 60)
    words = ["--deadline", f"{after:.0f}", "--start-late"] if how == "deadline" else []
    memory: list[int] = []
    log = project.root / "console.txt"
    with log.open("ab") as out:
        process = subprocess.Popen(
            project.command("all", *words), cwd=project.root, stdout=out, stderr=out
        )
        strike = time.monotonic() + after
        family: list[psutil.Process] = []
        while process.poll() is None:
            family = _watch(process.pid, memory)
            if how not in {"nothing", "deadline"} and time.monotonic() > strike:
                if how == "stop":
                    project.run("stop", code=None)
                else:
                    process.send_signal(signal.Signals[how])
                strike = until + 3600
            time.sleep(1)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive, f"left after {how}: {alive}"
    assert process.returncode in CODES, f"exit code {process.returncode} after {how}"
    runs = project.runs("all")
    record = json.loads((runs[-1] / "run.json").read_text("utf-8"))
    states[record["state"]] += 1
    states.update(f"stage {one['state']}" for one in record["stages"])
    first, last = (memory[0] >> 20, memory[-1] >> 20) if memory else (0, 0)
    middle = statistics.median(memory) / 2**20 if memory else 0
    print(
        f"{time.strftime('%H:%M:%S')} {how:<8} after {after:3.0f} s: exit {process.returncode:>4}, "
        f"{record['state']:<9} runner {first} MiB at first, {middle:.0f} median, {last} at last",
        flush=True,
    )
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

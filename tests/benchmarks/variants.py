"""What a parameter with many values takes: to plan, with nothing to do, and beside papermill.

    python -m tests.benchmarks.variants [plan] [run] [--points 1000] [--rounds 3]

`plan` is of three stages at so many points, which are not executed: the build is written as a
run would have left it. `run` is of 200 small points with `-j 2`, beside papermill called once for
each in a loop; that is run for twenty of them, in turn with ours, and counted tenfold.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.planning import measure, written
from tests.benchmarks.speed import IMPORTS, PAPERMILL, WORK, row, seconds
from tests.project import TemporaryProject

POINTS, FEW = 200, 20
LIMITS = "≤ 2 s, ≤ 150 MiB"


def plan(folder: Path, points: int, rounds: int) -> None:
    """Measure what finding out takes that all, or nothing, is to be done at many points."""
    project = TemporaryProject(folder / "plan")
    project.profile("grid", f"a:\n  degree: {{each: {{range: [1, {points}]}}}}\n")
    for name, reads in (("a", ()), ("b", ("a.txt",)), ("c", ("b.txt",))):
        parameters = "degree = 1" if name == "a" else ""
        project.stage(name, reads=reads, writes=(f"{name}.txt",), parameters=parameters)
    for state in ("new", "built"):
        if state == "built":
            written(project, "grid")
        for words in (["-n", "grid"], ["grid"])[: 1 if state == "new" else 2]:
            costs = [measure(project.command(*words)) for _ in range(rounds)]
            most = max(cost.memory for cost in costs)
            median = statistics.median(cost.seconds for cost in costs)
            what = f"`run.py {' '.join(words)}`, {points:,} points × 3 stages, {state}"
            row(what, LIMITS, f"{median:.2f} s, {most:.0f} MiB", "")


def run(folder: Path, _: int, rounds: int) -> None:
    """Compare a sweep of ours with a loop of papermill's."""
    project = TemporaryProject(folder / "run")
    table = 'output_table = "../outputs/test/table.csv"\nnumber = 0'
    project.notebook("point", IMPORTS, *WORK, parameters=table)
    project.profile("grid", f"point:\n  number: {{each: {{range: [1, {POINTS}]}}}}\n")
    project.outputs("test").mkdir(parents=True)
    each = f"{' '.join(PAPERMILL)} --cwd notebooks -p number {{}} notebooks/point.ipynb"
    loop = f"seq {FEW} | xargs -I {{}} {each} {folder}/executed-{{}}.ipynb"
    found = []
    for _ in range(rounds):
        theirs = seconds(["sh", "-c", loop], project.root) * POINTS / FEW
        ours = seconds(project.command("grid", "-f", "-j", "2"), project.root)
        found.append((theirs / ours, ours, theirs))
    ratio, ours, theirs = (statistics.median(column) for column in zip(*found, strict=True))
    what = f"{POINTS} small points, `-j 2`, against a loop of papermill"
    row(what, "≥ 6 times as fast", f"{ratio:.1f} times", f"{ours:.1f} s and {theirs:.0f} s")


ROWS = {"plan": plan, "run": run}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(f"Python {sys.version.split()[0]}\n\n| | goal | measured | medians |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.rows or ROWS:
            ROWS[name](Path(folder), chosen.points, chosen.rounds)


if __name__ == "__main__":
    main()

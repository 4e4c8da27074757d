"""What the trace of a kernel costs the stage that it watches.

    python -m tests.benchmarks.tracing [--files 10000] [--rounds 5]

A whole stage is too noisy for a share of a few per cent, so it is the CPU time of an event,
with and without the trace, times the events of a stage that reads so many CSV files with
pandas, against the CPU time of that stage. Each measurement is a process of its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from runner.kernels import trace

# In folders of some hundred, as people keep them.
_IN_FOLDER = 500
_EVENTS = """
import collections, json, os, sys, time
sys.path.insert(0, {root!r})
folder, traced = {folder!r}, {traced!r}
if traced:
    from runner.kernels import trace
    trace.begin(folder + "/../trace", folder, {{}})
paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
began = time.process_time()
for path in paths:
    os.close(os.open(path, os.O_RDONLY))
opening = time.process_time() - began
began = time.process_time()
for path in paths:
    id(path)
other = time.process_time() - began
print(json.dumps([opening / len(paths), other / len(paths)]))
"""
_STAGE = """
import collections, json, os, sys, time
import pandas as pd
folder = {folder!r}
paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
counted = collections.Counter()
counting = False
def hook(event, _):
    if counting:
        counted[event == "open"] += 1
if {traced!r}:
    sys.addaudithook(hook)
    counting = True
    for path in paths[:100]:
        pd.read_csv(path)
    counting = False
    print(json.dumps([counted[True] / 100, counted[False] / 100]))
else:
    began = time.process_time()
    for path in paths:
        pd.read_csv(path)
    print(json.dumps((time.process_time() - began) / len(paths)))
"""


class Share(NamedTuple):
    """CPU microseconds of a file, without a trace and for it, and their ratio."""

    file: float
    trace: float

    @property
    def ratio(self) -> float:
        """The trace's share."""
        return self.trace / self.file


def measure(folder: Path) -> Share:
    """Measure once."""
    root = str(Path(trace.__file__).parents[2])
    (opening, other), (opening_with, other_with) = (
        _run(_EVENTS.format(root=root, folder=str(folder), traced=traced))
        for traced in (False, True)
    )
    (folder.parent / "trace").unlink()
    file = _run(_STAGE.format(folder=str(folder), traced=False))
    opens, others = _run(_STAGE.format(folder=str(folder), traced=True))
    cost = opens * (opening_with - opening) + others * (other_with - other)
    return Share(1e6 * file, 1e6 * cost)


def _run(code: str) -> Any:  # noqa: ANN401 - a number, or a list of them
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def write(folder: Path, files: int) -> None:
    """Write so many CSV files."""
    rows = "".join(f"{number},{number * 0.5},name {number}\n" for number in range(50))
    for number in range(files):
        path = folder / f"part-{number // _IN_FOLDER}" / f"{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"number,half,name\n{rows}", "utf-8")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        write(folder, asked.files)
        shares = [measure(folder) for _ in range(asked.rounds)]
    for share in shares:
        print(f"{share.file:8.1f} µs a file, {share.trace:6.2f} µs its trace, {share.ratio:6.2%}")
    ratio = statistics.median(share.ratio for share in shares)
    print(f"median share of the trace: {ratio:.2%} (goal: at most 2 %)")


if __name__ == "__main__":
    main()

"""How fast the runner is, beside a plain script and beside papermill.

    python -m tests.benchmarks.speed [--rounds 7] [ROW…]

Each comparison runs its sides in turn, so that both see the same machine, and gives the
median of the ratios. A row is one of test, nothing, commands, forty, memory, packages; the last
one needs more packages: pip install numexpr pyarrow seaborn statsmodels.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import nbformat
import psutil

from runner.system.machine import cpus
from tests.benchmarks.planning import measure
from tests.project import TemporaryProject, environment

PAPERMILL = [sys.executable, "-m", "papermill", "--no-progress-bar", "--log-level", "ERROR"]
IMPORTS = (
    "import numpy as np\nimport pandas as pd\nfrom sklearn.linear_model import LinearRegression"
)
WORK = (
    "x = np.arange(100.0).reshape(-1, 1)",
    "fit = LinearRegression().fit(x, 3 * x[:, 0])",
    "pd.DataFrame({'slope': fit.coef_}).to_csv(output_table, index=False)",
)
FORTY = 40


def seconds(command: Sequence[str], folder: Path) -> float:
    """Run a command to its good end; say how long it took."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment({"MPLBACKEND": None}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return time.monotonic() - began


def paired(sides: Sequence[Callable[[], float]], rounds: int) -> tuple[list[float], float]:
    """Run the sides in turn; give the median of each, and that of the first by the second."""
    found = [[side() for side in sides] for _ in range(rounds)]
    medians = [statistics.median(column) for column in zip(*found, strict=True)]
    return medians, statistics.median(one[0] / one[1] for one in found)


def row(what: str, goal: str, found: str, detail: str) -> None:
    """Print a row of the table."""
    print(f"| {what} | {goal} | **{found}** | {detail} |", flush=True)


def example(folder: Path, rounds: int) -> None:
    """Compare the example's test build with its cells as a script, and with papermill."""
    project = TemporaryProject.example(folder / "example")
    command = project.command("test")
    project.run("test")
    stages = [stage["name"] for stage in project.record("test")["stages"]]
    cells, loop = [], []
    for stage in stages:
        executed = project.executed("test", stage)
        cells += [cell.source for cell in executed.cells if cell.cell_type == "code"]
        values = folder / f"{stage}.yaml"
        values.write_text(json.dumps(executed.metadata.papermill.parameters), "utf-8")
        notebooks = [f"notebooks/{stage}.ipynb", str(folder / f"{stage}.ipynb")]
        loop.append([*PAPERMILL, "--cwd", "notebooks", "-f", str(values), *notebooks])
    script = folder / "plain.py"
    # The backend that draws without a screen, and the notebooks' modules, as a script needs them.
    head = "import os\nimport sys\nos.environ['MPLBACKEND'] = 'agg'\nsys.path.insert(0, '.')"
    script.write_text("\n\n".join([head, *cells]))

    def plain() -> float:
        return seconds([sys.executable, str(script)], project.root / "notebooks")

    def ours() -> float:
        return seconds(command, project.root)

    def papermill() -> float:
        return sum(seconds(one, project.root) for one in loop)

    ours()
    (a, b), ratio = paired([ours, plain], rounds)
    row(
        "`run.py test` against the same cells as a plain script",
        "≤ 1.4 times",
        f"{ratio:.2f} times",
        f"{a:.2f} s and {b:.2f} s",
    )
    (a, b), ratio = paired([papermill, ours], max(3, rounds // 2))
    row(
        "`run.py test` against `papermill` in a loop",
        "≥ 5 times faster",
        f"{ratio:.1f} times",
        f"{b:.2f} s and {a:.1f} s",
    )


def nothing(folder: Path, rounds: int) -> None:
    """Look at a build in which nothing is to be done."""
    project = TemporaryProject.example(folder / "nothing")
    project.run("all")
    os.chdir(project.root)
    found = [measure(project.command("all")) for _ in range(rounds)]
    took = statistics.median(cost.seconds for cost in found)
    row(
        "nothing to do (`run.py all` twice)",
        "≤ 0.3 s, ≤ 60 MiB",
        f"{took:.2f} s, {max(cost.memory for cost in found):.0f} MiB",
        "",
    )


def commands(folder: Path, rounds: int) -> None:
    """Look at the commands that run nothing, beside a Python that does nothing."""
    project = TemporaryProject.example(folder / "commands")
    for words in (["list"], ["-n", "test"], ["--help"]):
        sides = [project.command(*words), [sys.executable, "-c", "pass"]]
        (a, b), _ = paired(
            [lambda side=side: seconds(side, project.root) for side in sides],  # type: ignore[misc]
            rounds,
        )
        row(f"`run.py {' '.join(words)}`", "≤ 0.2 s", f"{a:.2f} s", f"Python alone: {b:.2f} s")


def independent(root: Path, count: int, *cells: str) -> TemporaryProject:
    """Make a project of small notebooks that do not depend on each other."""
    project = TemporaryProject(root)
    project.profile("all")
    # Where papermill alone has them written.
    project.outputs("test").mkdir(parents=True)
    for number in range(count):
        table = f'output_table = "../outputs/test/{number}.csv"'
        project.notebook(f"n{number:02}", IMPORTS, *cells, *WORK, parameters=table)
    return project


PACKAGES = ("numexpr", "pyarrow", "seaborn", "statsmodels")
PLOT = (
    "import numexpr\nimport numpy as np\nimport pandas as pd\nimport pyarrow as pa",
    "import seaborn as sns\nimport statsmodels.api as sm\nfrom matplotlib import pyplot as plt",
    "x = np.arange(100.0)\ntable = pd.DataFrame({'x': x, 'y': numexpr.evaluate('3 * x + 1')})",
    "pa.Table.from_pandas(table)\nsm.OLS(table['y'], table[['x']]).fit().params\nplt.close()",
)


def packages(folder: Path, rounds: int) -> None:
    """Compare warm kernels with cold ones where packages are installed as people have them."""
    what = f"four notebooks with {', '.join(PACKAGES)}: warm kernels against cold ones"
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        row(what, "≤ 1 times the CPU and the time", "not measured", f"missing: {missing}")
        return
    project = TemporaryProject(folder / "packages")
    project.profile("all")
    for number in range(4):
        project.notebook(f"n{number}", *PLOT)

    def cpu(*options: str) -> float:
        before = os.times()
        seconds(project.command("all", "-f", *options), project.root)
        after = os.times()
        used = after.children_user - before.children_user
        return used + after.children_system - before.children_system

    _, time_ratio = paired(
        [
            lambda: seconds(project.command("all", "-f"), project.root),
            lambda: seconds(project.command("all", "-f", "--cold"), project.root),
        ],
        max(2, rounds // 2),
    )
    (a, b), ratio = paired([cpu, lambda: cpu("--cold")], max(2, rounds // 2))
    found = f"{ratio:.2f} times the CPU, {time_ratio:.2f} times the time"
    row(what, "≤ 1 times the CPU and the time", found, f"{a:.1f} s and {b:.1f} s of CPU")


def forty(folder: Path, rounds: int) -> None:
    """Compare two at a time of ours with two at a time of papermill's."""
    project = independent(folder / "forty", FORTY)
    names = [path.name for path in sorted((project.root / "notebooks").iterdir())]
    (folder / "names").write_text("\n".join(names))
    each = " ".join([*PAPERMILL, "--cwd", "notebooks", "notebooks/{}", f"{folder}/executed-{{}}"])
    loop = ["sh", "-c", f"xargs -P 2 -I {{}} {each} < {folder}/names"]
    sides = [
        lambda: seconds(loop, project.root),
        lambda: seconds(project.command("all", "-f", "-j", "2"), project.root),
    ]
    project.run("all", "-f", "-j", "2")
    (a, b), ratio = paired(sides, max(2, rounds // 3))
    row(
        f"{FORTY} small notebooks, `-j 2`, against `xargs -P 2 papermill`",
        "≥ 6 times the throughput",
        f"{ratio:.1f} times",
        f"{b:.1f} s and {a:.0f} s",
    )


def memory(folder: Path, _: int) -> None:
    """Compare what one more warm kernel at rest holds with one more cold one."""
    found = {}
    for options in ((), ("--cold",)):
        few, many = (_at_rest(folder / f"rest-{n}-{len(options)}", n, options) for n in (2, 6))
        found[options] = (many - few) / 4
    warm, cold = found.values()
    row(
        "memory of each further warm kernel at rest (PSS) against a cold one",
        "≤ 40 %",
        f"{100 * warm / cold:.0f} %",
        f"{warm / 2**20:.0f} MiB and {cold / 2**20:.0f} MiB",
    )


def _at_rest(root: Path, kernels: int, options: Sequence[str]) -> int:
    """Give the PSS in bytes of everything below a runner, while its kernels are waiting."""
    on = "from pathlib import Path\nPath(output_table + '.on').touch()"
    rest = "import time\nwhile not Path('go').exists():\n    time.sleep(0.1)"
    project = independent(root, kernels, on, rest)
    with project.running("all", "-j", str(kernels), *options) as process:
        while len([*project.outputs("all").glob("*.on")]) < kernels:
            if process.poll() is not None:
                message = f"the run ended with {process.returncode}"
                raise RuntimeError(message)
            time.sleep(0.1)
        time.sleep(1.0)
        total = 0
        for one in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                total += one.memory_full_info().pss
        (project.root / "notebooks/go").touch()
        process.wait(60)
    return total


ROWS = {
    "test": example,
    "nothing": nothing,
    "forty": forty,
    "memory": memory,
    "packages": packages,
    "commands": commands,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    print(f"{cpus():g} CPUs, Python {sys.version.split()[0]}, nbformat {nbformat.__version__}\n")
    print("| | goal | measured | medians |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.rows or ROWS:
            ROWS[name](Path(folder), chosen.rounds)


if __name__ == "__main__":
    main()

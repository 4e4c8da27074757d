"""Three projects as people have them: built, built again, changed, killed and built again."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import TemporaryProject, wait_for

TOOLS = """\
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def rows(path):
    return Path(path).read_text().split()


def save(path, rows):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(f"{row}\\n" for row in rows))
"""
CONFIG = """\
from pathlib import Path


def path(name):
    lines = Path("config.yaml").read_text().splitlines()
    return next(line.split(": ")[1] for line in lines if line.startswith(f"{name}: "))
"""
LIB = "import os, sys\nsys.path.append(os.path.abspath('../src'))\nimport tools"
# Waits where the test has it wait, so that it can be killed there.
PAUSE = """\
import time
from pathlib import Path

print("here")
while Path("{0}").exists():
    time.sleep(0.05)"""


def silent(project: TemporaryProject, hold: Path) -> None:
    """Write a project that declares nothing: `src/`, `data/` and three notebooks."""
    project.notebook(
        "01_tidy",
        LIB,
        "found = tools.rows('../data/raw.txt')",
        "tools.save('../data/clean.txt', [one for one in found if one != 'bad'])",
    )
    project.notebook(
        "02_count",
        LIB,
        "found = tools.rows('../data/clean.txt')",
        PAUSE.format(hold),
        "tools.save('../data/count.txt', [len(found)])",
    )
    project.notebook(
        "03_report",
        LIB,
        "count = tools.rows('../data/count.txt')\nlimit = tools.rows('../data/limit.txt')",
        "tools.save('../reports/report.txt', [*count, *limit])",
    )


def half(project: TemporaryProject, hold: Path) -> None:
    """Write the same, with the middle one declared."""
    silent(project, hold)
    project.notebook(
        "02_count",
        LIB,
        "found = tools.rows(input_clean)",
        PAUSE.format(hold),
        "tools.save(output_count, [len(found)])",
        parameters='input_clean = "../data/clean.txt"\noutput_count = "../outputs/test/count.txt"',
    )
    project.notebook(
        "03_report",
        LIB,
        "count = tools.rows('../outputs/all/count.txt')\nlimit = tools.rows('../data/limit.txt')",
        "tools.save('../reports/report.txt', [*count, *limit])",
    )


def configured(project: TemporaryProject, hold: Path) -> None:
    """Write one whose notebooks go to the project's folder and read their paths from a file."""
    names = {"raw": "data/raw.txt", "clean": "data/clean.txt", "count": "data/count.txt"}
    names |= {"limit": "data/limit.txt", "report": "reports/report.txt"}
    project.write("config.yaml", "".join(f"{name}: {path}\n" for name, path in names.items()))
    project.write("src/config.py", CONFIG)
    head = "import os, sys\nos.chdir('..')\nsys.path.insert(0, 'src')\n"
    head += "import tools\nfrom config import path"
    project.notebook(
        "01_tidy",
        head,
        "found = tools.rows(path('raw'))",
        "tools.save(path('clean'), [one for one in found if one != 'bad'])",
    )
    project.notebook(
        "02_count",
        head,
        "found = tools.rows(path('clean'))",
        PAUSE.format(hold),
        "tools.save(path('count'), [len(found)])",
    )
    project.notebook(
        "03_report",
        head,
        "count, limit = tools.rows(path('count')), tools.rows(path('limit'))",
        "tools.save(path('report'), [*count, *limit])",
    )


def files(project: TemporaryProject) -> dict[str, str]:
    """Read what was made."""
    names = [*project.root.glob("data/*"), *project.root.glob("reports/*")]
    names += project.outputs("all").glob("*.txt")
    return {one.name: one.read_text("utf-8") for one in names if one.name != "log.txt"}


def ran(project: TemporaryProject) -> list[str]:
    """Give the stages that the newest run has run."""
    return [name for name, state in project.states("all").items() if state != "skipped"]


def edit(project: TemporaryProject, name: str, old: str, new: str) -> None:
    """Replace a text in a file, once."""
    path = project.root / name
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("write", [silent, half, configured], ids=lambda one: str(one.__name__))
def test_a_project_as_people_have_it(  # noqa: PLR0915 - its life, step by step
    project: TemporaryProject, tmp_path: Path, write: Callable[[TemporaryProject, Path], None]
) -> None:
    hold = tmp_path / "hold"
    project.profile("all")
    project.write("src/tools.py", TOOLS)
    project.write("data/raw.txt", "a\nbad\nb\n")
    project.write("data/limit.txt", "9\n")
    write(project, hold)

    project.run("all")
    first = files(project)
    assert (project.root / "reports/report.txt").read_text("utf-8") == "2\n9\n"
    assert project.to_run() == []
    project.run("all")
    assert ran(project) == []

    # The data.
    project.write("data/raw.txt", "a\nbad\nb\nc\n")
    project.run("all")
    assert ran(project) == ["tidy", "count", "report"]
    assert (project.root / "reports/report.txt").read_text("utf-8") == "3\n9\n"
    project.write("data/limit.txt", "8\n")
    project.run("all")
    assert ran(project) == ["report"]
    # A code cell.
    edit(project, "notebooks/01_tidy.ipynb", "!= 'bad'", "not in ('bad', 'c')")
    project.run("all")
    assert ran(project) == ["tidy", "count", "report"]
    assert (project.root / "reports/report.txt").read_text("utf-8") == "2\n8\n"
    # A module, for all that import it; they write the same.
    edit(project, "src/tools.py", "def rows", "def unused():\n    pass\n\n\ndef rows")
    project.run("all")
    assert ran(project) == ["tidy", "count", "report"]
    # What lies between.
    (project.root / "data/clean.txt").unlink()
    project.run("all")
    assert ran(project) == ["tidy"]
    if (project.root / "config.yaml").exists():
        edit(project, "config.yaml", "reports/report.txt", "reports/other.txt")
        project.run("all")
        assert ran(project) == ["tidy", "count", "report"]
        assert (project.root / "reports/other.txt").read_text("utf-8") == "2\n8\n"
        edit(project, "config.yaml", "reports/other.txt", "reports/report.txt")
    assert all(one != "unsure" for one in kinds(project))

    # A kill in the middle, and the same command again.
    project.write("data/limit.txt", "9\n")
    edit(project, "notebooks/02_count.ipynb", "[len(found)]", "[len(found), ]")
    hold.touch()
    before = len(project.runs("all"))
    with project.running("all") as process:
        newest = project.outputs("all") / "runs"
        while len(found := sorted(newest.iterdir())) == before:
            time.sleep(0.05)
        wait_for(found[-1] / "log.txt", ": here")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    hold.unlink()
    project.run("all")
    assert "count" in ran(project)
    again = files(project)
    again.pop("other.txt", None)
    assert again == first | {"raw.txt": "a\nbad\nb\nc\n"}
    assert project.to_run() == []


def kinds(project: TemporaryProject) -> list[str]:
    """Give the kinds of reasons for which the newest run ran stages."""
    stages = project.record("all")["stages"]
    return [one["kind"] for stage in stages for one in stage["reasons"]]

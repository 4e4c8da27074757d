"""Cells that do harm end their own stage, as they should, and nothing else.

The environment variable HOSTILE=all runs every row, warm and cold; else some do.
"""

import json
import os
from collections.abc import Mapping

import nbformat
import psutil
import pytest

from tests.hostile import DISTURBING, EVERY, LATE, Row
from tests.project import TemporaryProject, both_ways, none_left

ALL = os.environ.get("HOSTILE") == "all"
# So many stages end within the time that a test gives a run, on a busy machine, too.
MOST = 60
SETTINGS = '[tool.runner]\ncell-timeout = "{limit}s"\nend-timeout = "4s"\nwarm = {warm}\n'
RUN = """\
import os
from pathlib import Path

RUN = Path(os.environ["RUN_OUTPUTS"], "runs", os.environ["RUN_ID"])"""


def begun(mark: str) -> list[psutil.Process]:
    """Give the processes that were started by the run, which has marked them all."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get("HOSTILE_MARK") == mark:
                found.append(one)
        except psutil.Error:
            continue
    return found


def run(project: TemporaryProject, rows: Mapping[str, Row], *words: str) -> None:
    """Run the stages, and compare each with its row."""
    mark = str(project.root)
    done = project.run("all", "-k", *words, code=1, env={"HOSTILE_MARK": mark})
    none_left(begun(mark), 2.0)
    assert "the runner failed" not in done.text
    lines = done.out.splitlines()
    wrong = []
    for record in project.record("all")["stages"]:
        name, error = record["name"], record.get("error") or ""
        row = rows[name]
        logged = (line for line in lines if f" {name}[" in line)
        if record["state"] not in row.state.split() or row.error not in error:
            wrong.append(f"{name}: {record['state']} ({error}), not {row.state} ({row.error})")
        elif not any(row.log in line for line in logged) and row.log:
            wrong.append(f"{name}: {row.log!r} is not in the log")
    assert not wrong, "\n".join(wrong)
    assert project.record("all")["state"] != "succeeded"
    assert len(project.record("all")["stages"]) == len(rows)
    for path in project.runs("all")[-1].glob("notebooks/*.ipynb"):
        nbformat.validate(json.loads(path.read_text("utf-8")))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@both_ways
@pytest.mark.parametrize("late", [False, True], ids=["ends", "hangs"])
def test_hostile_cells(project: TemporaryProject, *, cold: bool, late: bool) -> None:
    limit = 2 if late else 60
    settings = SETTINGS.format(limit=limit, warm=str(not cold).lower())
    names = [name for name, row in EVERY.items() if (row.state == LATE) is late]
    if not ALL:
        names = names[1 :: 4 if late else 16] if cold else names[::6]
    for first in range(0, len(names), MOST):
        part = TemporaryProject(project.root / f"{first}")
        part.profile("all")
        part.write("pyproject.toml", settings)
        rows = {name: EVERY[name] for name in names[first : first + MOST]}
        for name, row in rows.items():
            part.notebook(name, *row.text.split("\n# %%\n"), '"last"')
        # What hangs does not compete.
        run(part, rows, "-j", "4" if late else "2")


@pytest.mark.slow
def test_cells_that_disturb_the_run_itself(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("pyproject.toml", SETTINGS.format(limit=60, warm="true"))
    for name, row in DISTURBING.items():
        output = f'output_x = "../outputs/test/{name}.txt"' if name.startswith("output") else None
        project.notebook(name, RUN, row.text, parameters=output)
    run(project, DISTURBING)

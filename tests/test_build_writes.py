"""Whatever happens to a write, what is published is whole and what is said is true."""

import json
import os
import re
import shutil
from functools import partial

import nbformat
import pytest

from runner.execution.banner import TAG
from runner.runs.journal import read_journal
from tests.faults import Faults, pretend
from tests.project import TemporaryProject

# The calls for the journal of the small project's run: a line each, and two are synced.
LINES = 6 + 8
CALLS = LINES + 2


def small(project: TemporaryProject) -> None:
    """Write a project of one stage, of eight cells, which writes one file."""
    project.profile("all")
    source = "import os, pathlib\n\npathlib.Path(output_a).write_text(os.environ['VALUE'])"
    cells = [f"x = {number}" for number in range(6)]
    project.notebook("a", source, *cells, parameters='output_a = "../outputs/test/a.txt"')


def whole(project: TemporaryProject, value: str) -> None:
    """Assert that every published file parses, and that no state is falsely `succeeded`.

    `value` is what the stage of the newest run has written if it has succeeded.
    """
    for path in project.root.glob("outputs/all/**/*.ipynb"):
        nbformat.read(path, as_version=4)
    for path in project.root.glob("outputs/all/runs/*/run.json"):
        record = json.loads(path.read_text("utf-8"))
        for stage in record["stages"]:
            if stage["state"] == "succeeded" and path.parent == project.runs("all")[-1]:
                assert (project.outputs("all") / "a.txt").read_text("utf-8") == value
                notebook = project.outputs("all") / "notebooks/a.ipynb"
                cells = nbformat.read(notebook, as_version=4).cells
                executed = [one for one in cells if TAG not in one.metadata.get("tags", ())]
                # Without a kernel there is no such status.
                found = {cell.metadata.get("papermill", {}).get("status") for cell in executed}
                assert found in ({"completed"}, {None})
    for path in project.root.glob("outputs/all/runs/*/journal.jsonl"):
        lines = path.read_bytes().split(b"\n")
        assert [json.loads(line)["v"] for line in lines[:-1]] == [1] * (len(lines) - 1)
        assert lines[-1] == b""


@pytest.mark.parametrize(
    ("how", "name", "at"),
    [
        ("EIO", "all/notebooks/", 1),
        pytest.param("EIO", "all/notebooks/", 3, marks=pytest.mark.slow),
        pytest.param("EIO", "run.json", 4, marks=pytest.mark.slow),
        pytest.param("ENOSPC", "all/notebooks/", 1, marks=pytest.mark.slow),
        ("ENOSPC", "journal.jsonl", 6),
    ],
)
def test_a_write_that_fails_leaves_all_whole_and_what_is_said_true(
    project: TemporaryProject, faults: Faults, how: str, name: str, at: int
) -> None:
    small(project)
    project.pretend("all", env={"VALUE": "old"})
    good = (project.outputs("all") / "notebooks/a.ipynb").read_bytes()
    environment = faults.environment(project.root / "outputs", how, at, name)
    done = pretend(project, "-f", "a", code=None, env=environment | {"VALUE": "new"})
    assert faults.struck()
    assert "Traceback (most recent call last)" not in done.text
    whole(project, "new")
    if name == "run.json" and done.code == 0:
        # On a slow machine that is the writing between, after which there is another one.
        assert project.record("all")["state"] == "succeeded"
        return
    assert done.code == 1
    assert ("the disk is full" in done.text) == (how == "ENOSPC")
    assert ("Input/output error" in done.text) == (how == "EIO")
    assert (project.outputs("all") / "notebooks/a.ipynb").read_bytes() == good
    assert not [*project.root.glob("outputs/**/*.tmp")]
    project.pretend("all", env={"VALUE": "new"})
    assert project.states("all")["a"] in {"succeeded", "skipped"}
    whole(project, "new")


def test_an_executed_notebook_that_cannot_be_saved_fails_its_stage(
    project: TemporaryProject, faults: Faults
) -> None:
    small(project)
    # It is saved when the kernel starts, by three calls, and at the end.
    environment = faults.environment(project.root / "outputs", "EIO", 4, "/.a.ipynb.")
    done = project.run("all", code=1, env=environment | {"VALUE": "new"})
    assert faults.struck()
    assert "a: its notebook is not saved: Input/output error" in done.out
    assert project.states("all") == {"a": "failed"}
    whole(project, "new")
    assert not (project.outputs("all") / "notebooks/a.ipynb").exists()
    assert not [*project.root.glob("outputs/**/*.tmp")]


@pytest.mark.slow
def test_a_journal_that_could_not_take_a_line_has_all_others_whole(
    project: TemporaryProject, faults: Faults
) -> None:
    small(project)
    # The line of a cell, or of what the machine is.
    environment = faults.environment(project.root / "outputs", "EIO", 8, "journal.jsonl")
    pretend(project, "all", env=environment | {"VALUE": "new"})
    assert faults.struck()
    whole(project, "new")
    events = read_journal(project.runs("all")[-1] / "journal.jsonl")
    assert len(events) == LINES - 1
    assert events[-1]["event"] == "run_ended"
    assert project.states("all") == {"a": "succeeded"}


@pytest.mark.slow
def test_a_write_that_takes_less_than_all_is_gone_on_with(
    project: TemporaryProject, faults: Faults
) -> None:
    small(project)
    environment = faults.environment(project.root / "outputs", "SHORT")
    done = pretend(project, "all", env=environment | {"VALUE": "new"})
    run = project.runs("all")[-1]
    trace = faults.trace.read_text("utf-8").splitlines()
    assert trace.count(f"write {run / 'journal.jsonl'}") > 2 * LINES
    whole(project, "new")
    assert len(read_journal(run / "journal.jsonl")) == LINES
    assert done.out == project.log("all") == (run / "log.txt").read_text("utf-8")
    assert done.out.count("\n") == 6
    executed = (run / "notebooks/a.ipynb").read_bytes()
    assert (project.outputs("all") / "notebooks/a.ipynb").read_bytes() == executed
    assert project.record("all")["state"] == "succeeded"


@pytest.mark.slow
def test_what_takes_a_name_is_on_the_disk_before_that_and_the_name_soon_after(
    project: TemporaryProject, faults: Faults
) -> None:
    small(project)
    outputs = project.root / "outputs"
    pretend(project, "all", env=faults.environment(outputs, "NONE") | {"VALUE": "new"})
    text = faults.trace.read_text("utf-8").replace(f"{outputs}/", "")
    calls = re.sub(r"\.[0-9a-f]{8}\.tmp\b", ".tmp", text).splitlines()
    run = f"all/runs/{project.runs('all')[-1].name}"
    for folder, name in (("all/notebooks", "a.ipynb"), (run, "run.json")):
        temporary = f"{folder}/.{name}.tmp"
        own = [call for call in calls if call.split()[1] in {temporary, f"{folder}/{name}", folder}]
        assert own[-4:] == [
            f"write {temporary}",
            f"fsync {temporary}",
            f"rename {folder}/{name}",
            f"fsync {folder}",
        ]
    journal = f"fsync {run}/journal.jsonl"
    # What a stage wrote, its notebook, that it succeeded, how the run ended, its record.
    order = [
        "write all/a.txt",
        "fsync all/a.txt",
        "fsync all",
        "rename all/notebooks/a.ipynb",
        "fsync all/notebooks",
        journal,
        journal,
    ]
    assert [call for call in calls if call in order] == order
    # The record is written before that, too, as often as there is time for it.
    record = f"rename {run}/run.json"
    assert [call for call in calls if call in {journal, record}][-2:] == [journal, record]


@pytest.mark.slow
def test_what_killed_runs_leave_is_removed_and_told_once(
    project: TemporaryProject, faults: Faults
) -> None:
    small(project)
    outputs = project.outputs("all")
    project.pretend("all", env={"VALUE": "old"})
    told = []
    for name, at, left in (
        ("run.json", 1, "runs/*/.run.json.*.tmp"),
        ("journal.jsonl", 8, "runs/*/.reserve"),
        ("all/notebooks/", 1, "notebooks/.a.ipynb.*.tmp"),
        # After the two calls for the run before it: all is written, and the record does not say so.
        ("journal.jsonl", 2 + CALLS, "runs/*/.reserve"),
    ):
        environment = faults.environment(project.root / "outputs", "KILL", at, name)
        done = pretend(project, "-f", "a", code=-9, env=environment | {"VALUE": "new"})
        assert len([*outputs.glob(left)]) == 1
        told.append(done.out)
    torn = read_journal(project.runs("all")[2] / "journal.jsonl")
    assert torn[-1]["event"] == "run_lost"
    told.append(project.pretend("all", env={"VALUE": "new"}).out)
    told.append(project.pretend("all", env={"VALUE": "new"}).out)
    runs = [run.name for run in project.runs("all")]
    lost = [re.findall(r"run (\S+) was lost", out) for out in told]
    # The first one is killed before it tells anything.
    assert lost == [[], [runs[1]], [runs[2]], [runs[3]], [], []]
    assert not [*outputs.rglob(".*")]
    whole(project, "new")
    records = [json.loads((outputs / "runs" / run / "run.json").read_text("utf-8")) for run in runs]
    states = ["succeeded", "lost", "lost", "lost", "succeeded", "succeeded", "succeeded"]
    assert [record["state"] for record in records] == states
    assert records[5]["stages"][0]["state"] == "skipped"
    for run in runs[1:4]:
        assert read_journal(outputs / "runs" / run / "journal.jsonl")[-1]["event"] == "run_lost"


# Not at every write, for each takes a moment; STEP=1 does. What a kernel leaves is saved before
# and after it has run, and published: that is the last row.
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("how", "step", "name"),
    [("EIO", 4, ""), ("ENOSPC", 5, ""), ("KILL", 3, ""), ("EIO", 2, "notebooks/")],
)
def test_the_nth_write_fails(
    project: TemporaryProject, faults: Faults, how: str, step: int, name: str
) -> None:
    small(project)
    again = project.run if name else project.pretend
    failing = project.run if name else partial(pretend, project)
    step = int(os.environ.get("STEP", step))
    at, struck, codes = 0, True, []
    while struck:
        at += step
        assert at < 300, "it never passes"
        # What earlier runs say is true of files that later ones replaced.
        shutil.rmtree(project.outputs("all") / "runs", ignore_errors=True)
        environment = faults.environment(project.root / "outputs", how, at, name)
        done = failing("all", "-f", code=None, env=environment | {"VALUE": str(at)})
        struck = faults.struck()
        codes.append(done.code)
        assert "Traceback (most recent call last)" not in done.text, (at, done.text)
        if struck and how == "KILL":
            assert done.code == -9
        elif struck and done.code != 0 and how == "ENOSPC":
            assert done.code == 1
            assert "the disk is full" in done.text, (at, done.text)
        elif struck:
            early = "outputs/ cannot be written" in done.err
            assert done.code in ({2} if early else {0, 1}), (at, done.text)
        for journal in project.root.glob("outputs/all/runs/*/journal.jsonl"):
            if how == "KILL" and not journal.read_bytes().endswith(b"\n"):
                # A torn tail is what a crash leaves; whoever reads it tolerates it.
                journal.unlink()
        whole(project, str(at))
        # On top of what is left, the same command finishes.
        again("all", env={"VALUE": str(at)})
        assert project.states("all")["a"] in {"succeeded", "skipped"}
        assert (project.outputs("all") / "a.txt").read_text("utf-8") == str(at)
    assert len(codes) > 4, "too few writes were failed to prove anything"
    assert codes[-1] == 0
    assert not [*project.root.glob("outputs/**/*.tmp")] or how == "KILL"

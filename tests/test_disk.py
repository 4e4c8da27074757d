"""Whatever happens to a write, what is published is whole and what is said is true."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from tests.faults import Faults
from tests.project import TemporaryProject


def small(project: TemporaryProject) -> None:
    """Write a project of one stage, which writes one file."""
    project.profile("all")
    source = "import os\n\nopen(output_a, 'w').write(os.environ['VALUE'])"
    project.notebook("a", source, parameters='output_a = "../outputs/test/a.txt"')


def whole(project: TemporaryProject, value: str) -> None:
    """Assert that every published file parses, and that no state is falsely `succeeded`.

    `value` is what the stage has written if it has succeeded.
    """
    for path in project.root.glob("outputs/all/**/*.ipynb"):
        nbformat.read(path, as_version=4)
    for path in project.root.glob("outputs/all/runs/*/run.json"):
        record = json.loads(path.read_text("utf-8"))
        for stage in record["stages"]:
            if stage["state"] == "succeeded":
                assert (project.outputs("all") / "a.txt").read_text("utf-8") == value
                notebook = project.outputs("all") / "notebooks/a.ipynb"
                executed = nbformat.read(notebook, as_version=4).cells
                assert {cell.metadata.papermill.status for cell in executed} == {"completed"}
    for path in project.root.glob("outputs/all/runs/*/journal.jsonl"):
        lines = path.read_bytes().split(b"\n")
        assert [json.loads(line)["v"] for line in lines[:-1]] == [1] * (len(lines) - 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["EIO", "ENOSPC", "KILL"])
def test_the_nth_write_fails(project: TemporaryProject, tmp_path: Path, how: str) -> None:
    small(project)
    faults = Faults.build(tmp_path)
    # Not at every write, for each takes a second or two; STEP=1 does.
    step = int(os.environ.get("STEP", "4" if how == "KILL" else "6"))
    at, struck, codes = 0, True, []
    while struck:
        at += step
        assert at < 300, "it never passes"
        # What earlier runs say is true of files that later ones replaced.
        shutil.rmtree(project.outputs("all") / "runs", ignore_errors=True)
        environment = faults.environment(project.root / "outputs", how, at) | {"VALUE": str(at)}
        done = project.run("all", "-f", code=None, env=environment)
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
        if at % 4 == 0:
            # On top of what is left, the same command finishes.
            project.run("all", env={"VALUE": str(at)})
            assert project.states("all")["a"] in {"succeeded", "skipped"}
            assert (project.outputs("all") / "a.txt").read_text("utf-8") == str(at)
    assert at > 15, "too few writes were failed to prove anything"
    assert codes[-1] == 0
    assert not [*project.root.glob("outputs/**/*.tmp")] or how == "KILL"


@contextmanager
def tiny_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a file system in memory of that size, or skip the test."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no small disk can be made here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_on_a_full_disk_the_verdict_is_written_and_the_last_good_notebook_stays(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    fill = (
        "import os\n\n"
        'if os.environ.get("FILL"):\n'
        '    with open(output_a, "wb") as file:\n'
        "        file.write(bytes(1 << 26))"
    )
    write = 'open(output_a, "wb").close()'
    project.notebook("a", fill, write, parameters='output_a = "../outputs/test/a.bin"')
    with tiny_disk(project.root / "outputs", "8m"):
        project.run("all")
        good = (project.outputs("all") / "notebooks/a.ipynb").read_bytes()
        done = project.run("-f", "a", code=1, env={"FILL": "1"})
        assert "No space left on device" in done.out
        assert (project.outputs("all") / "notebooks/a.ipynb").read_bytes() == good
        assert project.states("all") == {"a": "failed"}
        assert project.record("all")["state"] == "failed"
        assert "No space left on device" in project.stage_record("all", "a")["error"]
        executed = project.executed("all", "a").cells
        assert executed[-2].metadata.papermill.status == "failed"
        assert "a: failed in cell 2 of 3" in project.log("all")
        project.run("all")
        assert project.states("all") == {"a": "succeeded"}


def test_a_disk_that_is_full_from_the_start_is_said_to_be(project: TemporaryProject) -> None:
    small(project)
    with tiny_disk(project.root / "outputs", "300k"):
        done = project.run("all", code=1)
        assert "the disk is full" in done.text
        assert "free some space" in done.text
        assert "Traceback" not in done.text


def test_40000_displays_arrive_with_a_slow_disk(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    project.notebook("a", "for n in range(40_000):\n    display(n)")
    faults = Faults.build(tmp_path)
    project.run("all", env=faults.environment(project.root / "outputs", "SLOW"))
    (cell,) = project.executed("all", "a").cells
    assert [output.data["text/plain"] for output in cell.outputs] == [str(n) for n in range(40_000)]


def test_a_disk_that_is_nearly_full_is_told_in_time(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", "import time\ntime.sleep(3)", writes=("a.txt",))
    (project.root / "outputs").mkdir()
    with tiny_disk(project.root / "outputs", "40m"):
        (project.root / "outputs/filler").write_bytes(b"x" * (37 << 20))
        done = project.run("all")
    assert done.text.count("the disk is nearly full: ") == 1
    assert re.search(r"[\d.]+ MiB of 40 MiB are free; python run.py clean makes room", done.text)

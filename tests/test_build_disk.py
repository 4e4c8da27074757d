"""On a disk that is full, nearly full or slow: the verdict is told, and nothing is lost."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.runs.journal import read_journal
from tests.faults import Faults
from tests.project import TemporaryProject


@contextmanager
def tiny_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a file system in memory of that size, or skip the test."""
    folder.mkdir(exist_ok=True)
    if shutil.which("mount") is None:
        pytest.skip("no small disk can be made here: there is no mount")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no small disk can be made here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


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
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    with tiny_disk(project.root / "outputs", "300k"):
        line = project.call("all", code=2).err
    assert line.startswith(
        "run.py: the disk is full, nothing was run and the old build is as it was; free"
    )


def test_on_a_full_disk_an_old_build_is_not_removed(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    with tiny_disk(project.root / "outputs", "4m"):
        project.pretend("all")
        (project.root / "outputs/filler").write_bytes(bytes(3 << 20))
        line = project.call("-f", "all", code=2).err
        assert line.startswith("run.py: the disk is full, nothing was run and the old build is as")
        assert (project.outputs("all") / "a.txt").read_text("utf-8") == "a\n"
        assert project.states("all") == {"a": "succeeded"}
        # Nothing needs room where nothing is to be done.
        assert "nothing to do" in project.call("all", code=None).text


@pytest.mark.slow
def test_many_displays_arrive_with_a_slow_disk(project: TemporaryProject, faults: Faults) -> None:
    # More than are shown while the notebook is saved once or twice.
    count = 6_000
    project.profile("all")
    project.notebook("a", f"for n in range({count}):\n    display(n)")
    project.run("all", env=faults.environment(project.root / "outputs", "SLOW", name=".a.ipynb"))
    (cell,) = project.executed("all", "a").cells
    assert [output.data["text/plain"] for output in cell.outputs] == [str(n) for n in range(count)]


def test_the_last_of_the_disk_is_kept_for_the_verdict(project: TemporaryProject) -> None:
    project.profile("all")
    fill = (
        "import contextlib\n\n"
        'with contextlib.suppress(OSError), open(output_a, "wb", buffering=0) as file:\n'
        "    while True:\n"
        "        file.write(bytes(4096))"
    )
    project.notebook(
        "a", fill, "raise ValueError('x' * 5000)", parameters='output_a = "../outputs/test/a.bin"'
    )
    with tiny_disk(project.root / "outputs", "4m"):
        done = project.pretend("all", code=1)
        assert "the record is not complete" not in done.text
        assert "the verdict is not in the journal" not in done.text
        assert project.record("all")["state"] == "failed"
        assert project.states("all") == {"a": "failed"}
        events = read_journal(project.runs("all")[-1] / "journal.jsonl")
        # What the machine is comes when it is known.
        names = [event["event"] for event in events if event["event"] != "facts"]
        assert names[-2:] == ["stage_ended", "run_ended"]
        assert not [*project.runs("all")[-1].glob(".*")]


def test_a_disk_that_is_nearly_full_is_told_in_time(project: TemporaryProject) -> None:
    project.profile("all")
    source = (
        "import pathlib, time\n\n"
        "log, end = pathlib.Path('../outputs/all/log.txt'), time.monotonic() + 60\n"
        "while 'nearly full' not in log.read_text() and time.monotonic() < end:\n"
        "    time.sleep(0.05)"
    )
    project.stage("a", source, writes=("a.txt",))
    (project.root / "outputs").mkdir()
    with tiny_disk(project.root / "outputs", "40m"):
        (project.root / "outputs/filler").write_bytes(b"x" * (37 << 20))
        done = project.pretend("all")
    assert done.text.count("the disk is nearly full: ") == 1
    assert re.search(r"[\d.]+ MiB of 40 MiB are free; python run.py clean makes room", done.text)

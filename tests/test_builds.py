"""Small projects with real kernels: what runs, what fails, what is kept."""

import os
import re
import time
from pathlib import Path

import psutil
import pytest

from tests.project import TemporaryProject

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARNING|ERROR) {1,5}\S+( \S+)?: .*"
)
WAIT = """\
import time
from pathlib import Path

while not Path("{marker}").exists():
    time.sleep(0.05)"""


def wait_for(path: Path, text: str = "", seconds: float = 60) -> str:
    """Wait until a file is there and holds a text."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and text in (found := path.read_text("utf-8")):
            return found
        time.sleep(0.05)
    message = f"{path} does not hold {text!r}"
    raise AssertionError(message)


def failing(project: TemporaryProject) -> None:
    """Write a chain of three, of which the middle one fails, and one on its own."""
    project.profile("all")
    project.stage("first", writes=("first.txt",))
    project.stage(
        "second",
        "# # What fails",
        "ready = True",
        "\n# a comment\nmissing = {}['speed']",
        "never = 1",
        reads=("first.txt",),
        writes=("second.txt",),
    )
    project.stage("third", reads=("second.txt",), writes=("third.txt",))
    project.stage("zone", writes=("zone.txt",))


def test_a_failure_names_stage_cell_exception_and_notebook(project: TemporaryProject) -> None:
    failing(project)
    done = project.run("all", code=1)
    notebook = f"outputs/all/runs/{project.runs('all')[-1].name}/notebooks/second.ipynb"
    assert "second: failed in cell 3 of 5 (missing = {}['speed']): KeyError: 'speed'" in done.out
    assert f"see the executed notebook: {notebook}" in done.out
    assert (project.root / notebook).is_file()
    states = project.states("all")
    assert states["first"] == "succeeded"
    assert states["second"] == "failed"
    assert states["third"] == "blocked"
    record = project.stage_record("all", "second")
    assert (record["cell"]["number"], record["error"]) == (3, "KeyError: 'speed'")
    assert project.log("all").count("Traceback (most recent call last)") == 1
    cells = [c for c in project.executed("all", "second").cells if c.cell_type == "code"]
    status = [cell.metadata.papermill.status for cell in cells if cell.source != ""]
    assert status[-3:] == ["failed", "pending", "pending"]
    assert any(out.output_type == "error" for out in cells[-3].outputs)
    assert not (project.outputs("all") / "notebooks/second.ipynb").exists()


def test_keep_going_runs_what_does_not_need_the_failed_stage(project: TemporaryProject) -> None:
    failing(project)
    project.run("-k", "all", code=1)
    assert project.states("all") == {
        "first": "succeeded",
        "second": "failed",
        "third": "blocked",
        "zone": "succeeded",
    }


def test_two_jobs_run_at_once(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    for name, other in (("a", "b"), ("b", "a")):
        touch = f'from pathlib import Path\n\nPath("{tmp_path}/{name}").touch()'
        project.stage(name, touch, WAIT.format(marker=tmp_path / other), writes=(f"{name}.txt",))
    project.run("-j", "2", "all", "--timeout", "60")
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}


def test_an_output_that_was_not_written_fails_the_stage(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "x = 1", parameters='output_a = "../outputs/test/a.txt"')
    project.write("outputs/all/a.txt", "from another time")
    done = project.run("all", code=1)
    assert "no cell wrote ../outputs/all/a.txt" in done.out
    assert not (project.outputs("all") / "a.txt").exists()


def test_a_file_that_no_stage_declares_is_warned_of(project: TemporaryProject) -> None:
    project.profile("all")
    stray = 'open("../outputs/all/stray.txt", "w").close()'
    project.stage("a", stray, writes=("a.txt",))
    assert "outputs/all/stray.txt is no stage's output" in project.run("all").out


def test_notebooks_that_declare_nothing_run_in_the_order_of_their_names(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name in ("10_c", "2_b", "1_a"):
        project.notebook(name, f'open("order.txt", "a").write("{name} ")')
    project.run("all")
    assert (project.root / "notebooks/order.txt").read_text("utf-8") == "1_a 2_b 10_c "
    assert list(project.states("all")) == ["a", "b", "c"]


def test_the_log_has_what_notebooks_print_and_log(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage(
        "a",
        "import logging\nimport sys",
        'print("hello")\nprint("oops", file=sys.stderr)',
        'log = logging.getLogger("my.module")\nlog.info("told")\nlog.debug("whispered")',
        writes=("a.txt",),
    )
    done = project.run("all")
    lines = done.out.splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert any(re.search(r"INFO     a\[3/5\]: hello$", line) for line in lines)
    assert any(re.search(r"WARNING  a\[3/5\]: oops$", line) for line in lines)
    assert any(re.search(r"INFO     a\[4/5\] my\.module: told$", line) for line in lines)
    assert "whispered" not in done.out
    assert project.log("all") == done.out
    assert "whispered" in project.run("--log-level", "DEBUG", "all", "-f").out
    quiet = project.run("--log-level", "ERROR", "all", "-f").out
    assert quiet == ""


def test_lines_are_in_the_log_and_the_pipe_while_the_cell_runs(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    marker = tmp_path / "go"
    wait = WAIT.format(marker=marker)
    project.stage("a", f'print("waiting now")\n{wait}', writes=("a.txt",))
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "a[2/3]: waiting now")
        assert process.stdout is not None
        seen = os.read(process.stdout.fileno(), 65536).decode()
        assert "a[2/3]: waiting now" in seen
        assert process.poll() is None
        marker.touch()
        assert process.wait(60) == 0


def test_a_second_run_ends_with_5_and_says_who_holds_the_build(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.profile("other")
    marker = tmp_path / "go"
    project.stage("a", f'print("here")\n{WAIT.format(marker=marker)}', writes=("a.txt",))
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        done = project.run("all", code=5)
        assert f"another run holds outputs/all/: run {project.runs('all')[0].name}" in done.err
        assert f"process {process.pid}" in done.err
        assert project.run("clean", code=5).err
        assert len(project.runs("all")) == 1
        project.run("-n", "all")
        marker.touch()
        assert process.wait(60) == 0
    project.run("clean")
    assert not project.outputs("all").exists()


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_signal_ends_the_run_in_good_order(
    project: TemporaryProject, tmp_path: Path, number: int, code: int
) -> None:
    project.profile("all")
    wait = WAIT.format(marker=tmp_path / "never")
    project.stage("a", f'print("busy")\n{wait}', writes=("a.txt",))
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "busy")
        below = psutil.Process(process.pid).children(recursive=True)
        assert below
        process.send_signal(number)
        assert process.wait(30) == code
    _, alive = psutil.wait_procs(below, timeout=2)
    assert alive == []
    assert project.record("all")["state"] == "cancelled"
    assert project.states("all") == {"a": "cancelled", "b": "cancelled"}
    cells = project.executed("all", "a").cells
    assert [cell.metadata.papermill.status for cell in cells][-2:] == ["failed", "pending"]
    (tmp_path / "never").touch()
    project.run("all")
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}

"""Small projects with real kernels: what runs, what fails, what is kept."""

import os
import pty
import re
import shlex
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.project import WAIT, TemporaryProject, left, wait_for

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARNING|ERROR) {1,5}\S+( [\w. ]+)?: .*"
)


def failing(project: TemporaryProject) -> None:
    """Write a chain of three, of which the middle one fails, and one beside that."""
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
    project.stage("zone", reads=("first.txt",), writes=("zone.txt",))


def test_a_failure_names_stage_cell_exception_and_notebook(project: TemporaryProject) -> None:
    failing(project)
    done = project.run("-k", "all", code=1)
    notebook = f"outputs/all/runs/{project.runs('all')[-1].name}/notebooks/second.ipynb"
    assert (
        "second: failed in cell 3 of 5, In [4] (missing = {}['speed']): KeyError: 'speed'"
        in done.out
    )
    assert f"see the executed notebook: {notebook}" in done.out
    assert (project.root / notebook).is_file()
    assert project.states("all") == {
        "first": "succeeded",
        "second": "failed",
        "third": "blocked",
        "zone": "succeeded",
    }
    record = project.stage_record("all", "second")
    assert (record["cell"]["number"], record["error"]) == (3, "KeyError: 'speed'")
    assert project.log("all").count("Traceback (most recent call last)") == 1
    cells = [c for c in project.executed("all", "second").cells if c.cell_type == "code"]
    status = [cell.metadata.papermill.status for cell in cells if cell.source != ""]
    assert status[-3:] == ["failed", "pending", "pending"]
    assert any(out.output_type == "error" for out in cells[-3].outputs)
    assert not (project.outputs("all") / "notebooks/second.ipynb").exists()


def test_after_a_failure_nothing_starts_unless_asked(project: TemporaryProject) -> None:
    failing(project)
    project.pretend("all", code=1)
    states = {"first": "succeeded", "second": "failed", "third": "blocked", "zone": "cancelled"}
    assert project.states("all") == states
    project.pretend("-k", "all", code=1)
    assert project.states("all") == states | {"first": "skipped", "zone": "succeeded"}


def test_two_jobs_run_at_once(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    for name, other in (("a", "b"), ("b", "a")):
        touch = f'from pathlib import Path\n\nPath("{tmp_path}/{name}").touch()'
        project.stage(name, touch, WAIT.format(marker=tmp_path / other), writes=(f"{name}.txt",))
    project.run("-j", "2", "all", "--timeout", "60")
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}


def test_notebooks_that_declare_nothing_run_in_the_order_of_their_names(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name in ("10_c", "2_b", "1_a"):
        source = f'with open("order.txt", "a") as file:\n    file.write("{name} ")'
        project.notebook(name, source)
    project.pretend("all")
    assert (project.root / "notebooks/order.txt").read_text("utf-8") == "1_a 2_b 10_c "
    assert list(project.states("all")) == ["a", "b", "c"]


def test_the_log_has_what_notebooks_print_and_log(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage(
        "talk",
        "import logging\nimport sys",
        'print("hello")\nprint("oops", file=sys.stderr)',
        'log = logging.getLogger("my.module")\nlog.info("told")\nlog.debug("whispered")',
        writes=("a.txt",),
    )
    source = (
        "import logging\n\nlog = logging.getLogger('my mod')\nlog.info('one\\ntwo')\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('three')"
    )
    project.notebook("several", source)
    configure = "import logging\n\nlogging.basicConfig(level=logging.INFO)"
    project.notebook("quiet", configure, "logging.getLogger('x').debug('murmured')")
    project.notebook("values", "print(sizes, zero)", parameters="sizes = [1, 0]\nzero = 0.0")
    given = ("-p", "values.sizes=[true, false]", "-p", "values.zero=-0.0")
    out = project.run("all", *given).out
    lines = out.splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert any(re.search(r"INFO     talk\[3/5\]: hello$", line) for line in lines)
    assert any(re.search(r"WARNING  talk\[3/5\]: oops$", line) for line in lines)
    assert any(re.search(r"INFO     talk\[4/5\] my\.module: told$", line) for line in lines)
    assert "whispered" not in out
    assert "murmured" not in out
    assert project.log("all") == out
    # A record of several lines keeps its level and its logger.
    assert "INFO     several[1/1] my mod: one\n" in out
    assert "INFO     several[1/1] my mod: two\n" in out
    assert "ERROR    several[1/1] my mod: three\n" in out
    assert "ERROR    several[1/1] my mod: ZeroDivisionError: division by zero\n" in out
    # Values that are equal but not the same are injected.
    assert "values[2/2]: [True, False] -0.0" in out
    out = project.run("--log-level", "debug", "all", "-f").out
    assert "whispered" in out
    # The command line counts more than the notebook's level.
    assert "DEBUG    quiet[2/2] x: murmured" in out
    assert project.run("--log-level", "ERROR", "all-talk", "-f").out == ""


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
        done = project.pretend("all", code=5)
        assert f"another run holds outputs/all/: run {project.runs('all')[0].name}" in done.err
        assert f"process {process.pid}" in done.err
        assert project.run("clean", code=5).err == done.err
        assert len(project.runs("all")) == 1
        project.call("-n", "all")
        marker.touch()
        assert process.wait(60) == 0
    project.call("clean", "--yes")
    assert not project.outputs("all").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(2, 130), pytest.param(15, 143, marks=pytest.mark.slow)]
)
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
    assert left(below, 2) == []
    assert project.record("all")["state"] == "cancelled"
    assert project.states("all") == {"a": "cancelled", "b": "cancelled"}
    cells = project.executed("all", "a").cells
    assert [cell.metadata.papermill.status for cell in cells][-2:] == ["failed", "pending"]
    (tmp_path / "never").touch()
    project.run("all")
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}


def test_nobody_need_read_the_standard_output(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "print('hello')")
    command = f"{shlex.join(project.command('all'))} >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a[1/1]: hello" in project.log("all")


def test_on_a_terminal_there_is_a_display_for_each_stage(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    wait = WAIT.format(marker=tmp_path / "go")
    project.stage("a", f'print("waiting now")\n{wait}', writes=("a.txt",))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(
        project.command("all"), stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    try:
        seen = b""
        while not (b"waiting now" in seen and b"cell 2/3" in seen):
            # The test's own limit ends a display that never comes.
            seen += os.read(ours, 4096)
        # The terminal is closed under it; the run goes on to its end.
        os.close(ours)
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert project.record("all")["state"] == "succeeded"


def test_after_a_failure_the_reason_is_that_and_no_hand(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.stage("r", reads=("a.txt",), writes=("r.txt",))
    project.pretend("all")
    late = (
        "import os\nfrom pathlib import Path\n\n"
        "Path(output_a).write_text('bad')\n1 / int(os.environ['GOOD'])"
    )
    project.notebook("a", late, parameters='output_a = "../outputs/test/a.txt"')
    project.pretend("all", code=1, env={"GOOD": "0"})
    plan = project.call("-n", "r").out
    assert "a  run    its last run did not end well (failed)" in plan
    assert "by hand" not in plan
    project.pretend("r", env={"GOOD": "1"})
    assert project.states("all") == {"a": "succeeded", "r": "succeeded"}


def test_a_stage_that_changes_what_it_reads_fails(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    spoil = "from pathlib import Path\n\nPath(input_a).write_text('spoiled')"
    project.stage("b", spoil, reads=("a.txt",), writes=("b.txt",))
    done = project.pretend("all", code=1)
    assert "b: failed: outputs/all/a.txt, an output of a, changed meanwhile" in done.out
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    project.pretend("all")
    assert (project.outputs("all") / "b.txt").read_text("utf-8") == "b\na\n"


def test_outputs_that_are_no_folder_are_told(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "1")
    project.write("outputs", "a file")
    done = project.pretend("all", code=2)
    assert done.err.endswith("\n  outputs: is no folder; move it away\n")

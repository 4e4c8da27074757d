"""However a cell ends, the stage gets one true state and the notebook shows where."""

import json
import signal
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.project import WAIT, TemporaryProject, both_ways, left, wait_for


class End(NamedTuple):
    """A way for a cell to end, and what must be told of it."""

    source: str
    state: str
    words: str
    exit_status: str | None = None
    options: tuple[str, ...] = ()


ENDS = {
    "killed": End(
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "kernel_died",
        "SIGKILL",
        "SIGKILL",
    ),
    "segfault": End("import ctypes\nctypes.string_at(0)", "kernel_died", "SIGSEGV", "SIGSEGV"),
    "exit": End("import os\nos._exit(3)", "kernel_died", "exit status 3", "exit status 3"),
    "error": End("1 / 0", "failed", "ZeroDivisionError: division by zero"),
    "cell timeout": End(
        "import time\ntime.sleep(600)",
        "timed_out",
        "the limit of a cell",
        options=("--cell-timeout", "1"),
    ),
    "stage timeout": End(
        "import time\ntime.sleep(600)",
        "timed_out",
        "the limit of a stage",
        options=("--timeout", "4"),
    ),
    "left early": End("import sys\nsys.exit(0)", "exited_early", "did not write"),
    "left with a status": End("import sys\nsys.exit(3)", "failed", "SystemExit: 3"),
}
CELLS = 3
pytestmark = both_ways


@pytest.mark.parametrize("position", range(CELLS))
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_culprit_is_failed_and_later_cells_pending(
    project: TemporaryProject, end: End, position: int
) -> None:
    project.profile("all")
    cells = [f"x = {number}" for number in range(CELLS)]
    cells[position] = end.source
    project.notebook("a", *cells, parameters='output_a = "../outputs/test/a.txt"')
    done = project.run("all", *end.options, code=1)
    record = project.stage_record("all", "a")
    executed = project.executed("all", "a").cells[-CELLS:]
    assert record["state"] == end.state
    assert end.words in record["error"]
    assert record["cell"]["id"] == executed[position].id
    assert record["cell"]["number"] == position + 2
    assert record["exit_status"] == end.exit_status
    assert record["peak_memory"] > 10_000_000
    assert end.words in done.out
    assert project.record("all")["state"] == end.state
    statuses = [cell.metadata.papermill.status for cell in executed]
    culprit = "failed"
    assert statuses == [
        *["completed"] * position,
        culprit,
        *["pending"] * (CELLS - position - 1),
    ]


class Signal(NamedTuple):
    """A signal to the runner, and how it ends."""

    number: int
    code: int
    state: str


SIGNALS = {
    "SIGTERM": Signal(signal.SIGTERM, 143, "cancelled"),
    "SIGINT": Signal(signal.SIGINT, 130, "cancelled"),
    "SIGKILL": Signal(signal.SIGKILL, -9, "lost"),
}


@pytest.mark.parametrize("position", range(CELLS))
@pytest.mark.parametrize("sent", SIGNALS.values(), ids=SIGNALS)
def test_a_signal_to_the_runner(
    project: TemporaryProject, tmp_path: Path, sent: Signal, position: int
) -> None:
    project.profile("all")
    cells = [f"x = {number}" for number in range(CELLS)]
    cells[position] = f'import time\n\nopen("{tmp_path}/here", "w").close()\ntime.sleep(600)'
    project.notebook("a", *cells, parameters='output_a = "../outputs/test/a.txt"')
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    with project.running("all") as process:
        wait_for(tmp_path / "here")
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sent.number)
        assert process.wait(10) == sent.code
        assert left(below, 2) == []
    folder = project.runs("all")[-1]
    statuses = [
        cell.metadata.papermill.status for cell in project.executed("all", "a").cells[-CELLS:]
    ]
    assert "completed" not in statuses[position:]
    if sent.code > 0:
        rest = CELLS - position - 1
        assert statuses == ["completed"] * position + ["failed"] + ["pending"] * rest
    else:
        project.stage("a", writes=("a.txt",))
        done = project.run("b")
        lost = f"run {folder.name} was lost in a, cell {position + 2} (import time)"
        assert f"{lost}: its runner vanished" in done.out
    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert record["state"] == sent.state
    a, b = record["stages"]
    assert (a["state"], b["state"]) == (sent.state, "cancelled")
    assert a["cell"]["number"] == position + 2


def test_a_second_interrupt_ends_at_once(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    stubborn = (
        "import signal, time\n\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f'open("{tmp_path}/here", "w").close()\ntime.sleep(600)'
    )
    project.notebook("a", stubborn)
    with project.running("all") as process:
        wait_for(tmp_path / "here")
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(2) == 130
        assert left(below, 2) == []


def test_a_kernel_that_does_not_end_by_itself_is_ended(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "import atexit, time\n\natexit.register(time.sleep, 600)")
    assert "the kernel did not end when asked; it was killed" in project.run("all").out
    assert project.states("all") == {"a": "succeeded"}


def test_a_hangup_does_not_stop_a_run(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    project.notebook(
        "a", f'open("{tmp_path}/here", "w").close()', WAIT.format(marker=tmp_path / "go")
    )
    with project.running("all") as process:
        wait_for(tmp_path / "here")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None
        (tmp_path / "go").touch()
        assert process.wait(60) == 0


def test_a_signal_after_the_deadline_is_the_first_one(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    late = (
        "import time\nfrom pathlib import Path\n\ntry:\n    time.sleep(60)\nfinally:\n"
        f"    Path({str(tmp_path / 'late')!r}).touch()\n    time.sleep(3)"
    )
    project.notebook("a", late)
    with project.running("all", "--deadline", "8") as process:
        wait_for(tmp_path / "late")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 4
    assert project.record("all")["state"] == "timed_out"


@pytest.mark.parametrize("source", ["quit()", "exit()", "import sys\n\nsys.exit()"])
def test_leaving_early_is_noticed_in_the_cell_that_leaves(
    project: TemporaryProject, source: str
) -> None:
    project.profile("all")
    project.notebook("a", source, "never = 1 / 0", parameters='output_a = "../outputs/test/a.txt"')
    done = project.run("all", code=1)
    assert "a: exited early in cell 2 of 3" in done.out
    statuses = [cell.metadata.papermill.status for cell in project.executed("all", "a").cells]
    assert statuses[-2:] == ["failed", "pending"]


def test_a_dying_kernel_leaves_the_users_line_in_the_log(project: TemporaryProject) -> None:
    project.profile("all")
    helper = "import ctypes\n\n\ndef crash_here():\n    ctypes.string_at(0)\n"
    project.write("notebooks/helper.py", helper)
    project.notebook("a", "import helper\n\nhelper.crash_here()")
    project.run("all", code=1)
    log = project.log("all")
    assert "Fatal Python error: Segmentation fault" in log
    assert "helper.py" in log
    assert "crash_here" in log


def test_leaving_early_with_all_outputs_written_is_no_failure(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook(
        "a",
        'open(output_a, "w").close()',
        "import sys\n\nsys.exit(0)",
        "never = 1 / 0",
        parameters='output_a = "../outputs/test/a.txt"',
    )
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    done = project.run("all")
    assert "left early, with all its outputs written" in done.out
    assert project.states("all") == {"a": "exited_early", "b": "succeeded"}


@pytest.mark.parametrize("source", ["!exit 3", "%not_a_magic", "%%bash\nexit 3"])
def test_a_command_of_the_shell_or_of_ipython_fails_as_in_jupyter(
    project: TemporaryProject, source: str
) -> None:
    project.profile("all")
    project.notebook("a", source, "reached = True")
    done = project.run("all", code=None)
    # IPython takes `!command` for an expression whose exit status is the user's business.
    assert done.code == (0 if source.startswith("!") else 1)


def test_expected_exceptions_and_skipped_cells_do_not_fail_a_stage(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    path = project.notebook("a", "1 / 0", "skipped = 1 / 0", "reached = True")
    text = path.read_text("utf-8")
    first, second, rest = text.split('"metadata": {}', 2)
    path.write_text(
        f'{first}"metadata": {{"tags": ["raises-exception"]}}'
        f'{second}"metadata": {{"tags": ["skip-execution"]}}{rest}',
        "utf-8",
    )
    project.run("all")
    statuses = [cell.metadata.papermill.status for cell in project.executed("all", "a").cells]
    assert statuses == ["completed", "skipped", "completed"]


def test_input_from_a_person_fails_at_once(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", 'input("name? ")')
    assert "StdinNotImplementedError" in project.run("all", code=1).out
    project.notebook("a", "import sys\n\nassert sys.stdin.read() == ''", "!read x; echo done")
    project.run("all")


def test_a_cell_that_ignores_the_interrupt_is_killed(project: TemporaryProject) -> None:
    project.profile("all")
    stubborn = (
        "import signal, time\n\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "while True:\n    time.sleep(1)"
    )
    project.notebook("a", stubborn)
    project.run("all", "--cell-timeout", "1", code=1)
    assert project.states("all") == {"a": "timed_out"}


def test_what_left_the_kernels_group_ends_with_the_stage(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    source = (
        "import subprocess\n\n"
        'child = subprocess.Popen(["sleep", "600"], start_new_session=True)\n'
        f'open("{tmp_path}/pid", "w").write(str(child.pid))'
    )
    project.notebook("a", source)
    project.run("all")
    pid = int((tmp_path / "pid").read_text("utf-8"))
    assert not Path(f"/proc/{pid}").exists()


def test_no_process_is_left_after_the_runner_was_killed(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    busy = (
        "import ctypes, subprocess\n\n"
        'child = subprocess.Popen(["sleep", "600"], start_new_session=True)\n'
        f'open("{tmp_path}/pid", "w").write(str(child.pid))\n'
        "ctypes.PyDLL(None).sleep(600)"
    )
    project.notebook("a", busy)
    with project.running("all") as process:
        for _ in range(600):
            if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text("utf-8"):
                break
            psutil.wait_procs([psutil.Process(process.pid)], timeout=0.1)
        below = psutil.Process(process.pid).children(recursive=True)
        assert int((tmp_path / "pid").read_text("utf-8")) in {one.pid for one in below}
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert left(below, 2) == []

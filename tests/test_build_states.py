"""However a cell ends, the stage gets one true state and the notebook shows where."""

import json
import re
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.system.portable import on_linux
from tests.project import (
    WAIT,
    TemporaryProject,
    below_it,
    both_ways,
    needs_linux,
    none_left,
    wait_for,
)


class End(NamedTuple):
    """A way for a cell to end, and what must be told of it."""

    source: str
    state: str
    words: str
    exit_status: str | None = None


ENDS = {
    "killed": End(
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "kernel_died",
        "SIGKILL",
        "SIGKILL",
    ),
    "segfault": End("import ctypes\nctypes.string_at(0)", "kernel_died", "SIGSEGV", "SIGSEGV"),
    "exit": End("import os\nos._exit(3)", "kernel_died", "exit status 3", "exit status 3"),
    "exit_well": End("import os\nos._exit(0)", "exited_early", "did not write"),
    "error": End("1 / 0", "failed", "ZeroDivisionError: division by zero"),
    "left_early": End("import sys\nsys.exit(0)", "exited_early", "did not write"),
    "left_with_a_status": End("import sys\nsys.exit(3)", "failed", "SystemExit: 3"),
}
A_FEW = {name: ENDS[name] for name in ("killed", "error", "exit_well")}
CELL_TIMEOUT = {
    "cell_timeout": End("import time\ntime.sleep(600)", "timed_out", "the limit of a cell", None),
    "does_not_listen": End(
        "import signal, time\n\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "while True:\n    time.sleep(1)",
        "timed_out",
        "the limit of a cell",
    ),
}
STAGE_TIMEOUT = {
    "stage_timeout": End("import time\ntime.sleep(600)", "timed_out", "the limit of a stage"),
}
CELLS = 3
MIDDLE = 1

LAST = 2

# Of these three the first and the last one are among the slow tests.
each_cell = pytest.mark.parametrize(
    "position",
    [
        pytest.param(0, marks=pytest.mark.slow, id="first"),
        pytest.param(MIDDLE, id="middle"),
        pytest.param(LAST, marks=pytest.mark.slow, id="last"),
    ],
)
middle_and_ends = pytest.mark.parametrize(
    "positions",
    [
        pytest.param((MIDDLE,), id="middle"),
        pytest.param((0, LAST), marks=pytest.mark.slow, id="first and last"),
    ],
)


def all_end(
    project: TemporaryProject, ends: dict[str, End], positions: tuple[int, ...], *options: str
) -> dict[str, bool]:
    """Run a stage for each end in each of these cells, and assert what is told of it.

    Give which kernels were warm.
    """
    project.profile("all")
    stages = {f"{name}{one}": (end, one) for name, end in ends.items() for one in positions}
    for name, (end, position) in stages.items():
        cells = [f"x = {number}" for number in range(CELLS)]
        cells[position] = end.source
        # What it declares makes it independent of the others.
        project.notebook(name, *cells, parameters=f'output_it = "../outputs/test/{name}.txt"')
    done = project.run("all", "-k", *options, code=1)
    for name, (end, position) in stages.items():
        record = project.stage_record("all", name)
        executed = project.executed("all", name).cells[-CELLS:]
        assert (name, record["state"]) == (name, end.state)
        assert end.words in record["error"], name
        assert (name, record["cell"]["id"]) == (name, executed[position].id)
        assert (name, record["cell"]["number"]) == (name, position + 2)
        assert (name, record["exit_status"]) == (name, end.exit_status)
        assert record["peak_memory"] > 10_000_000, name
        told = [line for line in done.out.splitlines() if f" {name}: " in line]
        assert any(end.words in line for line in told), told
        statuses = [cell.metadata.papermill.status for cell in executed]
        assert (name, statuses) == (
            name,
            [*["completed"] * position, "failed", *["pending"] * (CELLS - position - 1)],
        )
    states = {end.state for end in ends.values()}
    assert project.record("all")["state"] in states
    return {stage["name"]: stage["warm"] for stage in project.record("all")["stages"]}


@both_ways
@middle_and_ends
def test_the_culprit_is_failed_and_later_cells_pending(
    project: TemporaryProject, positions: tuple[int, ...], *, cold: bool
) -> None:
    warm = all_end(project, ENDS, positions, "-j", "2").values()
    assert set(warm) == {on_linux() and not cold}


@pytest.mark.parametrize("cold", [True])
def test_the_culprit_in_a_cold_kernel_is_failed_too(project: TemporaryProject) -> None:
    assert set(all_end(project, A_FEW, (MIDDLE,), "-j", "2").values()) == {False}


@both_ways
@middle_and_ends
def test_a_cell_past_its_limit_is_the_culprit(
    project: TemporaryProject, positions: tuple[int, ...]
) -> None:
    all_end(project, CELL_TIMEOUT, positions, "-j", "4", "--cell-timeout", "3")


@pytest.mark.slow
@both_ways
def test_a_cell_past_the_limit_of_its_stage_is_the_culprit(project: TemporaryProject) -> None:
    all_end(project, STAGE_TIMEOUT, (MIDDLE,), "--timeout", "10")


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


@both_ways
@each_cell
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
        below = below_it(process)
        process.send_signal(sent.number)
        assert process.wait(60) == sent.code
        none_left(below)
    folder = project.runs("all")[-1]
    statuses = statuses_of(project, "a")[-CELLS:]
    assert "completed" not in statuses[position:]
    if sent.code > 0:
        rest = CELLS - position - 1
        assert statuses == ["completed"] * position + ["failed"] + ["pending"] * rest
    else:
        project.stage("a", writes=("a.txt",))
        done = project.pretend("b")
        lost = f"run {folder.name} was lost in a, cell {position + 2} (import time)"
        assert f"{lost}: its runner vanished" in done.out
    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert record["state"] == sent.state
    a, b = record["stages"]
    assert (a["state"], b["state"]) == (sent.state, "cancelled")
    assert a["cell"]["number"] == position + 2


def statuses_of(project: TemporaryProject, stage: str) -> list[str]:
    """Give the statuses of an executed notebook's cells."""
    return [cell.metadata.papermill.status for cell in project.executed("all", stage).cells]


@both_ways
def test_a_second_interrupt_ends_at_once(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    stubborn = (
        "import signal, time\n\n"
        f'signal.signal(signal.SIGINT, lambda *_: open("{tmp_path}/asked", "w").close())\n'
        f'open("{tmp_path}/here", "w").close()\n'
        "while True:\n    time.sleep(600)"
    )
    project.notebook("a", stubborn)
    with project.running("all") as process:
        wait_for(tmp_path / "here")
        below = below_it(process)
        process.send_signal(signal.SIGINT)
        wait_for(tmp_path / "asked")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        none_left(below)
    # It did not wait for the cell: that would have been an end in good order, and recorded.
    project.notebook("a", "x = 1")
    project.pretend("all")
    first = json.loads((project.runs("all")[0] / "run.json").read_text("utf-8"))
    assert first["state"] == "lost"


@both_ways
def test_a_kernel_that_does_not_end_by_itself_is_ended(
    project: TemporaryProject, *, cold: bool
) -> None:
    project.profile("all")
    with (project.root / "pyproject.toml").open("a") as file:
        file.write("[tool.runner]\nend-timeout = 2\n" if not cold else "end-timeout = 2\n")
    project.notebook("a", "import atexit, time\n\natexit.register(time.sleep, 600)")
    out = project.run("all", code=1).out
    assert "still at work 2.0 s after the last cell: an exit handler" in out
    assert project.states("all") == {"a": "failed"}


@both_ways
def test_a_hangup_does_not_stop_a_run(project: TemporaryProject, tmp_path: Path) -> None:
    project.waiting(tmp_path / "go")
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "]: here")
        process.send_signal(signal.SIGHUP)
        (tmp_path / "go").touch()
        assert process.wait(120) == 0
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}


@pytest.mark.slow
@both_ways
def test_a_signal_after_the_deadline_is_the_first_one(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    wait = WAIT.format(marker=tmp_path / "go").replace("\n", "\n    ")
    late = (
        "import time\nfrom pathlib import Path\n\ntry:\n    time.sleep(600)\nfinally:\n"
        f'    Path("{tmp_path}/late").touch()\n    {wait}\n    Path("{tmp_path}/whole").touch()'
    )
    project.notebook("a", late)
    with project.running("all", "--deadline", "8") as process:
        wait_for(tmp_path / "late")
        process.send_signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        assert process.wait(60) == 4
    assert (tmp_path / "whole").exists()
    assert project.record("all")["state"] == "timed_out"


@both_ways
def test_leaving_early_is_noticed_in_the_cell_that_leaves(project: TemporaryProject) -> None:
    project.profile("all")
    sources = {"a": "quit()", "b": "exit()", "c": "import sys\n\nsys.exit()"}
    for name, source in sources.items():
        output = f'output_it = "../outputs/test/{name}.txt"'
        project.notebook(name, source, "never = 1 / 0", parameters=output)
    done = project.run("all", "-k", code=1)
    for name in sources:
        assert f"{name}: exited early in cell 2 of 3" in done.out
        assert (name, statuses_of(project, name)[-2:]) == (name, ["failed", "pending"])
    assert project.record("all")["state"] == "exited_early"


@both_ways
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


@both_ways
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


def test_leaving_early_proves_nothing_where_nothing_is_declared(project: TemporaryProject) -> None:
    project.profile("all")
    for name, source in {"a": "exit()", "b": "import os\nos._exit(0)"}.items():
        project.notebook(name, source, "never = 1")
    done = project.run("all", "-k", code=1)
    assert "left early, and declares no `output_…` that would show it is done" in done.out
    assert set(project.states("all").values()) == {"exited_early"}


@both_ways
def test_a_command_of_the_shell_or_of_ipython_fails_as_in_jupyter(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    # IPython takes `!command` for an expression whose exit status is the user's business.
    project.notebook("a", "!exit 3", "reached = True")
    # Without declared outputs, the next one would not run after a failure.
    for name, source in {"b": "%not_a_magic", "c": "%%bash\nexit 3"}.items():
        output = f'output_it = "../outputs/test/{name}.txt"'
        project.notebook(name, source, "reached = True", parameters=output)
    project.run("all", "-k", code=1)
    assert project.states("all") == {"a": "succeeded", "b": "failed", "c": "failed"}
    for name, status in {"a": "completed", "b": "pending", "c": "pending"}.items():
        assert (name, statuses_of(project, name)[-1]) == (name, status)
    assert project.record("all")["state"] == "failed"


@both_ways
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
    assert statuses_of(project, "a") == ["completed", "skipped", "completed"]


@both_ways
def test_input_from_a_person_fails_at_once(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "import sys\n\nassert sys.stdin.read() == ''", "!read x; echo done")
    project.notebook("b", 'input("name? ")')
    done = project.run("all", code=1)
    assert "StdinNotImplementedError" in done.out
    assert "a[2/2]: done" in done.out
    assert project.states("all") == {"a": "succeeded", "b": "failed"}


@needs_linux
@both_ways
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
    pool = (
        "from joblib import Parallel, delayed\n\n_ = Parallel(2)(delayed(abs)(n) for n in (1, 2))"
    )
    project.notebook("b", pool)
    out = project.run("all").out
    # Workers that wait for more are no news.
    told = re.findall(r"(\w)\[\S+: still running at its end, and killed: (.*)", out)
    assert told == [("a", "sleep 600")]
    pid = int((tmp_path / "pid").read_text("utf-8"))
    assert not Path(f"/proc/{pid}").exists()


@needs_linux
@both_ways
def test_no_process_is_left_after_the_runner_was_killed(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    busy = (
        "import ctypes, subprocess\n\n"
        'child = subprocess.Popen(["sleep", "600"], start_new_session=True)\n'
        f'open("{tmp_path}/pid", "w").write(f"{{child.pid}}.")\n'
        "ctypes.PyDLL(None).sleep(600)"
    )
    project.notebook("a", busy)
    with project.running("all") as process:
        pid = int(wait_for(tmp_path / "pid", ".").removesuffix("."))
        below = below_it(process)
        assert pid in {one.pid for one in below}
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        none_left(below)

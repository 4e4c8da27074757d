"""Each kernel has a guard: nothing that the kernel started, said or wrote aside is left or lost."""

import signal
from pathlib import Path

import psutil
import pytest

from tests.project import TemporaryProject, below_it, both_ways, none_left, short_folder, wait_for


def noted(path: Path) -> list[psutil.Process]:
    """Give the processes whose numbers a cell has noted, as far as they are there."""
    numbers = [int(word) for word in path.read_text("utf-8").split()]
    return [psutil.Process(number) for number in numbers if psutil.pid_exists(number)]


@both_ways
def test_what_a_kernel_writes_as_it_dies_stands_in_the_log(project: TemporaryProject) -> None:
    project.profile("all")
    # What a thread of ipykernel's has not passed on in the moment of the end is lost.
    words = "_ = os.write(2, b'the last words\\n')\ntime.sleep(1)\nos._exit(3)"
    project.notebook("a", f"import os, time\n\n{words}")
    project.run("all", code=1)
    log = project.log("all").splitlines()
    told = [number for number, line in enumerate(log) if line.endswith("a[1/1]: the last words")]
    assert "the kernel died: exit status 3" in log[told[-1] + 1]


@both_ways
def test_a_kernel_whose_guard_is_killed_dies_and_leaves_nothing(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    source = (
        "import os, signal, subprocess, time\n\n"
        'near = subprocess.Popen(["sleep", "600"])\n'
        'far = subprocess.Popen(["sleep", "600"], start_new_session=True)\n'
        f'open("{tmp_path}/pids", "w").write(f"{{os.getpid()}} {{near.pid}} {{far.pid}}")\n'
        "os.kill(os.getppid(), signal.SIGKILL)\n"
        "time.sleep(600)"
    )
    project.notebook("a", source, parameters='output_a = "../outputs/test/a.txt"')
    project.stage("b", writes=("b.txt",))
    with short_folder() as folder:
        project.run("all", "-k", code=1, env={"TMPDIR": str(folder)})
        assert list(folder.iterdir()) == []
    assert project.states("all") == {"a": "kernel_died", "b": "succeeded"}
    record = project.stage_record("all", "a")
    assert record["error"] == "the kernel died: SIGKILL (its guard was killed)"
    assert record["cell"]["number"] == 2
    none_left(noted(tmp_path / "pids"))


@both_ways
def test_a_guard_that_is_stopped_goes_on(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    source = (
        "import os, signal, subprocess\n\n"
        'far = subprocess.Popen(["sleep", "600"], start_new_session=True)\n'
        f'open("{tmp_path}/pids", "w").write(f"{{os.getpid()}} {{far.pid}}")\n'
        "os.kill(os.getppid(), signal.SIGSTOP)"
    )
    project.notebook("a", source, "print('on')")
    project.run("all")
    assert project.states("all") == {"a": "succeeded"}
    none_left(noted(tmp_path / "pids"), 0.0)


@both_ways
def test_what_a_guard_comes_from_goes_on_when_it_is_stopped(project: TemporaryProject) -> None:
    project.profile("all")
    source = (
        "import os, signal, time\n\n"
        "def stat(pid):\n"
        "    return open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()\n\n"
        "above = int(stat(os.getppid())[1])\n"
        "os.kill(above, signal.SIGSTOP)\n"
        "for _ in range(200):\n"
        "    time.sleep(0.05)\n"
        "    if stat(above)[0] != 'T':\n"
        "        break\n"
        "assert stat(above)[0] != 'T'"
    )
    project.notebook("a", source)
    project.run("all")


@both_ways
def test_what_a_guard_comes_from_goes_on_when_the_runner_is_killed(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.notebook("a", f'import time\n\nopen("{tmp_path}/here", "w").close()\ntime.sleep(600)')
    with project.running("all") as process:
        wait_for(tmp_path / "here")
        below = below_it(process)
        process.send_signal(signal.SIGSTOP)
        for one in psutil.Process(process.pid).children():
            one.suspend()
        process.kill()
        none_left(below)


@both_ways
def test_a_kernel_does_not_outlive_its_guard(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    source = (
        "import ctypes, os\n\n"
        f'open("{tmp_path}/pids", "w").write(f"{{os.getpid()}} {{os.getppid()}} ")\n'
        f'open("{tmp_path}/here", "w").close()\nctypes.PyDLL(None).sleep(600)'
    )
    project.notebook("a", source)
    with project.running("all") as process:
        wait_for(tmp_path / "here")
        kernel, guard = noted(tmp_path / "pids")
        # The runner, which would end what is left, is to have no part in it.
        process.send_signal(signal.SIGSTOP)
        guard.kill()
        none_left([kernel])


@both_ways
def test_a_process_of_any_name_ends_with_its_stage(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    # What tells its parent stands in /proc behind its name, in parentheses.
    named = (
        "import os, time; open('/proc/self/comm', 'w').write('a) b'); "
        f"open('{tmp_path}/pid', 'w').write(str(os.getpid()) + ' '); time.sleep(600)"
    )
    source = (
        "import subprocess, sys, time\nfrom pathlib import Path\n\n"
        f"child = subprocess.Popen([sys.executable, '-c', {named!r}], start_new_session=True)\n"
        f"while not Path('{tmp_path}/pid').exists() or not Path('{tmp_path}/pid').read_text():\n"
        "    time.sleep(0.05)\n"
        "print(Path(f'/proc/{child.pid}/comm').read_text())"
    )
    project.notebook("a", source)
    try:
        out = project.run("all").out
        assert "a[1/1]: a) b" in out
        assert "it was killed" not in out
    finally:
        none_left(noted(tmp_path / "pid"), 0.0)


@both_ways
@pytest.mark.parametrize(
    "sent", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_no_temporary_folder_is_left_when_the_runner_ends(
    project: TemporaryProject, tmp_path: Path, sent: signal.Signals
) -> None:
    project.profile("all")
    project.notebook(
        "a", "import numpy", f'open("{tmp_path}/here", "w").close()', "while True:\n    pass"
    )
    project.notebook("b", "import numpy")
    with short_folder() as folder:
        with project.running("all", env={"TMPDIR": str(folder)}) as process:
            wait_for(tmp_path / "here")
            assert list(folder.iterdir()) != []
            below = below_it(process)
            process.send_signal(sent)
            process.wait(60)
            none_left(below)
        assert list(folder.iterdir()) == []

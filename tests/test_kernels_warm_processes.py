"""Warm processes come and go, are killed and hang, and no stage and no process is left behind."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.project import WAIT, TemporaryProject, below_it, none_left, short_folder, wait_for
from tests.test_kernels_warm import installed, texts


@pytest.fixture
def site(project: TemporaryProject, tmp_path: Path) -> Path:
    """Give a folder of installed modules, and a project with one profile."""
    project.profile("all")
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def nurseries(below: psutil.Process) -> list[psutil.Process]:
    """Find the warm processes below one: the root first."""
    found = [
        one for one in below.children(recursive=True) if "nursery.py" in " ".join(one.cmdline())
    ]
    return sorted(found, key=lambda one: (one.create_time(), one.pid))


def leaders(process: subprocess.Popen[str]) -> set[int]:
    """Find the leaders of sessions below a runner, but for the root of the warm processes."""
    root = nurseries(psutil.Process(process.pid))[0]
    found = set()
    for one in below_it(process):
        with contextlib.suppress(OSError):
            if one != root and os.getsid(one.pid) == one.pid:
                found.add(one.pid)
    return found


def test_stages_run_cold_once_the_warm_process_is_gone(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    wait = WAIT.format(marker=tmp_path / "go")
    project.notebook(
        "a", "from pathlib import Path", f"Path({str(tmp_path / 'on')!r}).touch()", wait
    )
    for stage in ("b", "c"):
        project.notebook(stage, "import numpy")
    with project.running("all") as process:
        wait_for(tmp_path / "on")
        root = nurseries(psutil.Process(process.pid))[0]
        root.send_signal(signal.SIGKILL)
        (tmp_path / "go").touch()
        assert process.wait(120) == 0
    assert set(project.states("all").values()) == {"succeeded"}
    warm = [stage["warm"] for stage in project.record("all")["stages"]]
    assert warm == [True, False, False]
    assert project.log("all").count("the process that kernels are forked from ended") == 1


@pytest.mark.slow
def test_an_import_that_takes_too_long_is_left_to_the_kernel(
    project: TemporaryProject, site: Path
) -> None:
    slow = "import os, time\nif 'IPYTHONDIR' not in os.environ:\n    time.sleep(600)"
    (site / "slow.py").write_text(slow, "utf-8")
    project.write("pyproject.toml", "[tool.runner]\nstart-timeout = 3\n")
    project.notebook("a", "import slow")
    project.notebook("b", "import slow")
    done = project.run("all", "--log-level", "DEBUG", env=installed(site))
    words = "its imports are not finished after 3 seconds; its own kernel does them"
    assert done.text.count(words) == 1
    assert "`import slow` is left to each kernel: it takes too long" in done.text
    assert [stage["warm"] for stage in project.record("all")["stages"]] == [False, True]


def test_an_import_that_a_stop_cuts_short_is_not_said_to_take_too_long(
    project: TemporaryProject, site: Path, tmp_path: Path
) -> None:
    slow = f"import time\nopen({str(tmp_path / 'on')!r}, 'w').close()\ntime.sleep(600)"
    (site / "slow.py").write_text(slow, "utf-8")
    project.notebook("a", "import slow")
    with project.running("all", env=installed(site)) as process:
        wait_for(tmp_path / "on")
        wait_for(project.outputs("all") / "log.txt", "a: started")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert "too long" not in project.log("all")
    assert project.states("all") == {"a": "cancelled"}


SLEEP, CHILD = "time.sleep(600)", "subprocess.run(['sleep', '600'])"
AT_IMPORT = [
    (signal.SIGTERM, SLEEP),
    (signal.SIGKILL, CHILD),
    *(
        pytest.param(*row, marks=pytest.mark.slow)
        for row in [
            *((signal.SIGINT, SLEEP), (signal.SIGINT, CHILD)),
            *((signal.SIGTERM, CHILD), (signal.SIGKILL, SLEEP)),
        ]
    ),
]


@pytest.mark.parametrize(("sent", "wait"), AT_IMPORT)
def test_nothing_is_left_when_the_runner_ends_while_imports_are_done(
    project: TemporaryProject, site: Path, sent: signal.Signals, wait: str
) -> None:
    mark = site / "begun"
    source = f"import subprocess, time\nopen({str(mark)!r}, 'w')\n{wait}"
    (site / "slow.py").write_text(source, "utf-8")
    project.notebook("a", "import slow")
    with project.running("all", env=installed(site)) as process:
        wait_for(mark)
        below = below_it(process)
        assert len(below) >= 2
        process.send_signal(sent)
        expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
        assert process.wait(60) == expected[sent]
        none_left(below)
    if sent is not signal.SIGKILL:
        assert project.states("all") == {"a": "cancelled"}


@pytest.mark.parametrize("first", ["root", pytest.param("grown", marks=pytest.mark.slow)])
def test_no_stage_waits_in_vain_when_warm_processes_are_killed(
    project: TemporaryProject, site: Path, first: str
) -> None:
    mark = site / "begun"
    slow = (
        f"import os, time\nopen({str(mark)!r}, 'w')\n"
        "if 'IPYTHONDIR' not in os.environ:\n    time.sleep(600)"
    )
    (site / "slow.py").write_text(slow, "utf-8")
    for stage in ("a", "b"):
        project.notebook(stage, "import numpy\nimport slow")
    with project.running("all", "-j", "2", env=installed(site)) as process:
        wait_for(mark)
        found = nurseries(psutil.Process(process.pid))
        for one in found if first == "root" else reversed(found):
            one.send_signal(signal.SIGKILL)
        assert process.wait(120) == 0
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}
    assert project.log("all").count("the process that kernels are forked from ended") == 1


def test_the_next_kernel_is_forked_while_a_stage_runs(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    wait = WAIT.format(marker=tmp_path / "go")
    on = f"from pathlib import Path\nPath({str(tmp_path / 'on')!r}).touch()"
    project.notebook("a", "import numpy", on, wait)
    project.notebook("b", "import numpy", "import os\nprint(os.getpid())")
    with project.running("all") as process:
        wait_for(tmp_path / "on")
        # The kernel that runs, and the one that waits, lead sessions of their own.
        end, found = time.monotonic() + 60, set[int]()
        while len(found) < 2 and time.monotonic() < end:
            time.sleep(0.05)
            found = leaders(process)
        assert len(found) == 2
        (tmp_path / "go").touch()
        assert process.wait(120) == 0
    assert int(texts(project, "b")[0]) in found


def test_warm_processes_and_spare_kernels_are_gone_after_a_run(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.notebook("a", "import numpy", "1 / 0")
    project.notebook("b", "import numpy")
    with short_folder() as folder:
        done = project.run("all", code=1, env={"TMPDIR": str(folder)})
        assert "b: cancelled" in done.text
        assert list(folder.iterdir()) == []
        none_left([one for one in psutil.process_iter() if _environ(one) == str(folder)])


def _environ(process: psutil.Process) -> str:
    try:
        return process.environ().get("TMPDIR", "")
    except psutil.Error:
        return ""

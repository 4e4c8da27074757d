"""Runs in containers and on other hosts, simulated by namespaces that share the project."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from tests.project import TemporaryProject, wait_for

UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--uts"]


def _possible() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not _possible(), reason="namespaces cannot be made here")


def host(
    project: TemporaryProject, name: str, *words: str
) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run a command on a host of its own, where it is the first process."""
    return project.running(*words, within=[*UNSHARE, "sh", "-c", 'hostname "$0"; exec "$@"', name])


def on(project: TemporaryProject, name: str, *words: str) -> str:
    """Run a command on another host to its end; give what it says."""
    with host(project, name, *words) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        assert process.wait(60) == 0, text
    return text


def first_process(process: subprocess.Popen[str]) -> int:
    """Give the number that a namespace's first process has outside of it."""
    (child,) = psutil.Process(process.pid).children()
    return child.pid


def test_a_run_is_seen_followed_and_stopped_from_another_host(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    with host(project, "alpha", "all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        assert re.search(r"running for [\d.]+ s on alpha", on(project, "beta", "status"))
        (build,) = json.loads(on(project, "beta", "status", "--json"))["builds"]
        assert (build["run"]["state"], build["run"]["host"]) == ("running", "alpha")
        assert "here" in on(project, "beta", "log")
        with host(project, "beta", "all") as other:
            assert other.wait(60) == 5
            assert other.stdout is not None
            assert "on alpha" in other.stdout.read()
        stopped = on(project, "beta", "stop")
        assert re.search(r"asked run \S+ on alpha to stop", stopped)
        assert "it has ended: cancelled" in stopped
        assert process.wait(60) == 143
    assert "stopped by `run.py stop` on beta" in project.log("all")


def test_a_host_that_is_taken_away_leaves_a_run_that_is_lost(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    with host(project, "alpha", "all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        wait_for(next(project.outputs("all").glob("runs/*")) / "heartbeat.json")
        os.kill(first_process(process), signal.SIGKILL)
        process.wait(30)
    project.silence("all")
    (build,) = json.loads(on(project, "beta", "status", "--json"))["builds"]
    assert build["run"]["state"] == "lost"


def test_the_first_process_ends_in_good_order(project: TemporaryProject, tmp_path: Path) -> None:
    project.waiting(tmp_path / "never")
    with host(project, "alpha", "all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        os.kill(first_process(process), signal.SIGTERM)
        assert process.wait(30) == 143
    record = project.record("all")
    assert (record["state"], record["exit_code"]) == ("cancelled", 143)


def test_a_key_that_ends_the_first_process_ends_it_in_good_order(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(project.root)
        os.execvp(UNSHARE[0], [*UNSHARE, *project.command("all")])  # noqa: S606
    wait_for(project.outputs("all") / "log.txt", "here")
    # Else the key's signal would come from the terminal and from the first process.
    (first,) = psutil.Process(pid).children()
    (runner,) = first.children()
    assert os.tcgetpgrp(terminal) == os.getpgid(runner.pid) != os.getpgid(first.pid)
    # Ctrl-Z, which nobody could undo, then Ctrl-C.
    os.write(terminal, b"\x1a")
    time.sleep(0.5)
    os.write(terminal, b"\x03")
    while True:
        try:
            if not os.read(terminal, 4096):
                break
        except OSError:
            break
    os.close(terminal)
    os.waitpid(pid, 0)
    assert (project.record("all")["state"], project.record("all")["exit_code"]) == (
        "cancelled",
        130,
    )


def test_clocks_that_differ_lose_no_run(project: TemporaryProject, tmp_path: Path) -> None:
    project.waiting(tmp_path / "never")
    with host(project, "alpha", "all"):
        wait_for(project.outputs("all") / "log.txt", "here")
        (beat,) = project.outputs("all").glob("runs/*/heartbeat.json")
        # As on a disk that hands no locks on to another host.
        shutil.rmtree(project.root / "outputs/.locks")
        wait_for(beat, '"limit"')
        beat.write_text(re.sub(r'"at": [\d.]+', '"at": 1', beat.read_text("utf-8")), "utf-8")
        (build,) = json.loads(on(project, "beta", "status", "--json"))["builds"]
        assert build["run"]["state"] == "running"


def test_the_first_process_buries_orphans(project: TemporaryProject) -> None:
    project.profile("all")
    orphan = (
        "import os, signal, subprocess\n"
        "subprocess.Popen(['sleep', '0.5'], start_new_session=True)\n"
        "os.kill(os.getppid(), signal.SIGKILL)\nsignal.pause()"
    )
    look = (
        "import time\nfrom pathlib import Path\ntime.sleep(2)\n"
        "found = [path.read_text() for path in Path('/proc').glob('[0-9]*/stat')]\n"
        "states = [text.rpartition(')')[2].split()[0] for text in found]\n"
        "print('zombies:', states.count('Z'))"
    )
    project.notebook("a", orphan, parameters='output_a = "../outputs/all/a.txt"')
    project.notebook("b", look, parameters='output_b = "../outputs/all/b.txt"')
    # Below a warm process it would be the one that buries them.
    with host(project, "alpha", "all", "-k", "--cold") as process:
        assert process.stdout is not None
        text = process.stdout.read()
        assert process.wait(60) == 1
    assert project.states("all")["a"] == "kernel_died"
    assert "zombies: 0" in text


def test_without_a_temporary_folder_files_go_below_outputs(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook(
        "a",
        "import tempfile\nprint(tempfile.gettempdir())",
        "from pathlib import Path\nPath(output_a).write_text('x')",
        parameters='output_a = "../outputs/all/a.txt"',
    )
    read_only = (
        'for folder in /tmp /var/tmp; do mount --bind "$folder" "$folder"; done; '
        'mount --bind "$0" "$0"; for folder in /tmp /var/tmp; do '
        'mount -o remount,ro,bind "$folder"; done; cd "$0"; exec "$@"'
    )
    within = ["unshare", "--mount", "sh", "-ec", read_only, str(project.root)]
    with project.running("all", within=within) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        assert process.wait(60) == 0, text
    assert f"{project.root}/outputs/.cache/tmp" in text
    assert "WARNING" not in text

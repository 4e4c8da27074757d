"""Runs in containers and on other hosts, simulated by namespaces that share the project."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from tests.project import TemporaryProject, wait_for
from tests.terminals import end_all, exit_status, on_terminal, seen

UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--uts"]


def _possible() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _possible(), reason="namespaces cannot be made here"),
]


@pytest.fixture(autouse=True)
def _nothing_left(project: TemporaryProject) -> Iterator[None]:
    yield
    end_all(project)


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
    with on_terminal(project.root, [*UNSHARE, *project.command("all")]) as (pid, terminal):
        wait_for(project.outputs("all") / "log.txt", "here")
        # Ctrl-Z, which nobody could undo, then Ctrl-C.
        os.write(terminal, b"\x1a\x03")
        seen(terminal, "all cancelled in ")
        assert exit_status(pid, 60) is not None
    record = project.record("all")
    assert (record["state"], record["exit_code"]) == ("cancelled", 130)


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
        "orphan = subprocess.Popen(['sleep', '0.5'], start_new_session=True)\n"
        "from pathlib import Path\nPath('../orphan').write_text(str(orphan.pid))\n"
        "os.kill(os.getppid(), signal.SIGKILL)\nsignal.pause()"
    )
    # It has ended, and is gone once someone has asked after it.
    look = (
        "import time\nfrom pathlib import Path\n"
        "orphan = Path('/proc', Path('../orphan').read_text())\nuntil = time.time() + 60\n"
        "while orphan.exists() and time.time() < until:\n    time.sleep(0.05)\n"
        "print('the orphan is', 'there' if orphan.exists() else 'gone')"
    )
    project.notebook("a", orphan, parameters='output_a = "../outputs/test/a.txt"')
    project.notebook("b", look, parameters='output_b = "../outputs/test/b.txt"')
    # Below a warm process it would be the one that buries them.
    with host(project, "alpha", "all", "-k", "--cold") as process:
        assert process.stdout is not None
        text = process.stdout.read()
        assert process.wait(60) == 1
    assert project.states("all")["a"] == "kernel_died"
    assert "the orphan is gone" in text


def test_without_a_temporary_folder_files_go_below_outputs(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook(
        "a",
        "import tempfile\nprint(tempfile.gettempdir())",
        "from pathlib import Path\nPath(output_a).write_text('x')",
        parameters='output_a = "../outputs/test/a.txt"',
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


def test_the_time_of_a_pod_is_less_by_a_tenth_and_by_its_age(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    within = [*UNSHARE, "sh", "-c", 'sleep 2; "$@"; exit "$?"', "sh"]
    with project.running("all", env={"K8S_TIMEOUT_SECONDS": "600"}, within=within) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        assert process.wait(60) == 0, text
    found = re.search(r": (\d+) min (\d+) s before K8S_TIMEOUT_SECONDS ends the pod", text)
    assert found is not None, text
    # Without the tenth it were 598 seconds, and more than these two are soon over.
    assert 420 < int(found[1]) * 60 + int(found[2]) <= 538

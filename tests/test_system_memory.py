"""Memory: what is measured of it, a limit that is near, and one that is passed."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.project import WAIT, TemporaryProject, wait_for

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.slow

LIMIT = 400 << 20


class Group:
    """A cgroup with a memory limit, of version 1 or 2."""

    def __init__(self) -> None:
        """Make it, or skip the test."""
        one, two = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
        self.is_v1 = (one / "memory.limit_in_bytes").exists()
        self.folder = (one if self.is_v1 else two) / f"runner-test-{os.getpid()}"
        try:
            self.folder.mkdir()
            name = "memory.limit_in_bytes" if self.is_v1 else "memory.max"
            (self.folder / name).write_text(str(LIMIT))
        except OSError as error:
            with suppress(OSError):
                self.folder.rmdir()
            pytest.skip(f"no memory limit can be set here: {error}")

    @property
    def within(self) -> list[str]:
        """Give the command that runs another one in the group."""
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh"]

    def die_as_one(self) -> None:
        """Have all be killed at once; version 1 stops all, for us to do that."""
        if self.is_v1:
            (self.folder / "memory.oom_control").write_text("1")
        else:
            (self.folder / "memory.oom.group").write_text("1")

    def wait_for_the_end(self, runner: "subprocess.Popen[str]") -> None:
        """Wait until memory is used up and all are killed."""
        until = time.monotonic() + 60
        while runner.poll() is None:
            assert time.monotonic() < until, "memory is not used up"
            if self.is_v1 and "under_oom 1" in (self.folder / "memory.oom_control").read_text():
                for pid in (self.folder / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.05)


@pytest.fixture
def group() -> Iterator[Group]:
    """Give a group whose limit is LIMIT."""
    made = Group()
    yield made
    until = time.monotonic() + 30
    while True:
        try:
            made.folder.rmdir()
        except OSError:
            assert time.monotonic() < until, "processes are left in the group"
            time.sleep(0.1)
        else:
            return


def test_a_kernel_out_of_memory_is_said_to_be(project: TemporaryProject, group: Group) -> None:
    project.profile("all")
    project.notebook("a", "x = 1", "hog = bytearray(600 << 20)", "y = 1")
    with project.running("all", within=group.within) as process:
        assert process.stdout is not None
        out = process.stdout.read()
        assert process.wait(60) == 1, out
    record = project.stage_record("all", "a")
    assert (record["state"], record["exit_status"]) == ("kernel_died", "SIGKILL")
    assert record["cell"]["number"] == 2
    assert record["oom_kills"] == 1
    assert record["peak_memory"] > 100 << 20
    assert project.record("all")["limits"]["memory"] == LIMIT
    assert re.search(r"SIGKILL, out of memory: it had \d+ MiB, the limit is 400 MiB", out)


def test_the_limits_of_groups_above_count(project: TemporaryProject, group: Group) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    memory = group.folder / "inner"
    cpu = Path(f"/sys/fs/cgroup/cpu/runner-test-{os.getpid()}")
    folders = [memory, *([cpu, cpu / "inner"] if group.is_v1 else [])]
    try:
        for folder in folders:
            folder.mkdir()
        if group.is_v1:
            (cpu / "cpu.cfs_quota_us").write_text("50000")
        inner = " ".join(f"{one}/cgroup.procs" for one in folders if one.name == "inner")
        join = f'for one in {inner}; do echo $$ > $one; done; exec "$@"'
        with project.running("all", within=["sh", "-c", join, "sh"]) as process:
            assert process.wait(60) == 0
    finally:
        for folder in reversed(folders):
            folder.rmdir()
    limits = project.record("all")["limits"]
    assert limits["memory"] == LIMIT
    assert limits["cpus"] == 0.5 or not group.is_v1


def test_a_run_that_is_killed_as_a_whole_goes_on_with_the_same_command(
    project: TemporaryProject, group: Group, tmp_path: Path
) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    hog = f"if not Path({str(tmp_path / 'enough')!r}).exists():\n    hog = bytearray(600 << 20)"
    project.stage("b", "from pathlib import Path", hog, reads=("a.txt",), writes=("b.txt",))
    try:
        group.die_as_one()
    except OSError as error:
        pytest.skip(f"the processes of a group are not killed as one here: {error}")
    with project.running("all", within=group.within) as process:
        group.wait_for_the_end(process)
        assert process.wait(10) == -signal.SIGKILL
    (tmp_path / "enough").touch()
    out = project.run("all").out
    assert re.search(r"run \S+ was lost in b, cell 3 \(if not .*\): its runner vanished, ", out)
    first, _ = project.runs("all")
    assert '"state": "lost"' in (first / "run.json").read_text("utf-8")
    assert project.states("all") == {"a": "skipped", "b": "succeeded"}


def test_memory_that_is_nearly_used_up_is_told_in_time(
    project: TemporaryProject, group: Group, tmp_path: Path
) -> None:
    project.profile("all")
    fill = (
        'import sys\n\nsys.path.insert(0, "..")\nfrom runner.system.cgroups import memory_used\n\n'
        f"hog = []\nwhile memory_used() < 0.93 * {LIMIT}:\n"
        '    hog.append(bytearray(b"x") * (4 << 20))'
    )
    project.notebook("a", fill, WAIT.format(marker=tmp_path / "go"))
    with project.running("all", within=group.within) as process:
        wait_for(project.outputs("all") / "log.txt", "memory is nearly used up: ")
        (tmp_path / "go").touch()
        assert process.stdout is not None
        out = process.stdout.read()
        assert process.wait(60) == 0, out
    assert re.search(r"used up: \d+ MiB of 400 MiB; what needs more is killed", out)


def test_the_peak_of_memory_is_that_of_all_processes_of_a_stage(project: TemporaryProject) -> None:
    project.profile("all")
    child = "import time; x = b'x' * (200 << 20); time.sleep(6)"
    source = (
        "import subprocess, sys\n"
        f"children = [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(3)]\n"
        "codes = [one.wait() for one in children]"
    )
    project.notebook("a", source)
    project.run("all")
    assert project.stage_record("all", "a")["peak_memory"] > 600 << 20

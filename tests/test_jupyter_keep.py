"""`--keep-failed`: the kernel of a stage that failed stays for a while, and nothing else does."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.project import TemporaryProject, needs_linux, none_left
from tests.terminals import end_all
from tests.test_jupyter_debug import PROMPT, debugging, temporary

__all__ = ["temporary"]
pytestmark = needs_linux


@pytest.fixture
def failing(project: TemporaryProject) -> Iterator[TemporaryProject]:
    """Give a project with a stage that fails, and has a value that no other kernel has."""
    project.profile("all")
    once = "import uuid\n\nonce = str(uuid.uuid4())\nprint('once', once)"
    project.notebook("a", once, "def f(n):\n    return 1 / n", "f(0)")
    yield project
    end_all(project)


def kept(project: TemporaryProject) -> list[psutil.Process]:
    """Give the processes of a project that are there."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            named = any(str(project.root) in word for word in one.cmdline())
            if named and one.pid != os.getpid() and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def notes(project: TemporaryProject) -> list[Path]:
    """Give the notes of what is kept."""
    return sorted((project.root / "outputs/.cache/kept").glob("*.json"))


def test_debug_goes_into_the_kernel_that_was_kept(failing: TemporaryProject) -> None:
    done = failing.run("all", "--keep-failed", "1h", code=1)
    assert "its kernel is kept until" in done.out
    assert "python run.py debug a --profile all" in done.out
    (once,) = [line.split()[-1] for line in done.out.splitlines() if ": once " in line]
    assert "the kernel of all-a" in failing.call("status").out
    with debugging(failing) as console:
        told = console.seen(PROMPT)
        assert "its kernel was kept" in told
        assert "ZeroDivisionError" in told
        console.typed("once", once)
        console.typed("%debug", then="ipdb>")
        console.typed("p n + 70", "70", then="ipdb>")
        console.typed("q")
        there = kept(failing)
        assert console.ended() == 0
    none_left(there)
    assert notes(failing) == []
    assert "kept" not in failing.call("status").out


def test_two_kernels_are_kept_at_once_and_stop_ends_them(
    failing: TemporaryProject, temporary: Path
) -> None:
    for _ in range(2):
        # The build is held by none of them.
        failing.run("all", "--keep-failed", "1h", code=1)
    assert failing.call("status").out.count("the kernel of all-a") == 2
    told = json.loads(failing.call("status", "--json").out)["kept"]
    assert [(one["stage"], one["profile"]) for one in told] == [("a", "all")] * 2
    assert [one["run"] for one in told] == [one.name for one in failing.runs("all")]
    connections = [Path(json.loads(one.read_text("utf-8"))["connection"]) for one in notes(failing)]
    assert {stat.S_IMODE(one.stat().st_mode) for one in (*connections, *notes(failing))} == {0o600}
    assert {one.parent.parent for one in connections} == {temporary}
    assert {one.parent.stat().st_mode & 0o777 for one in connections} == {0o700}
    there = kept(failing)
    said = failing.call("stop").out
    assert said.count("the kernel that was kept of all-a has ended") == 2
    none_left(there)
    assert notes(failing) == []
    assert [*temporary.iterdir()] == []
    assert json.loads(failing.call("status", "--json").out)["kept"] == []


def test_its_time_is_limited(failing: TemporaryProject) -> None:
    failing.run("all", "--keep-failed", "1s", code=1)
    none_left(kept(failing))
    assert notes(failing) == []


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["its keeper is killed", "its note is removed"])
def test_it_ends_whatever_becomes_of_what_keeps_it(failing: TemporaryProject, ending: str) -> None:
    failing.run("all", "--keep-failed", "1h", code=1)
    (note,) = notes(failing)
    there = kept(failing)
    assert len(there) > 2
    if ending == "its keeper is killed":
        os.kill(json.loads(note.read_text("utf-8"))["pid"], signal.SIGKILL)
    else:
        note.unlink()
    none_left(there)
    assert "kept" not in failing.call("status").out
    assert notes(failing) == []


@pytest.mark.slow
def test_no_kernel_is_kept_unasked_nor_one_that_did_not_fail(failing: TemporaryProject) -> None:
    failing.run("all", code=1)
    assert kept(failing) == []
    failing.notebook("a", "import os\n\nos._exit(3)")
    failing.notebook("b", "1")
    failing.run("all", "-k", "--keep-failed", "1h", code=1)
    assert kept(failing) == []

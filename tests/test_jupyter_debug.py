"""`debug`: the cells of a stage that failed run again, and a console has its variables."""

import os
import select
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.project import TemporaryProject, needs_linux, none_left, opened, short_folder
from tests.terminals import exit_status, on_terminal
from tests.test_kernels_others import kernel

PROMPT = "In ["
FAILING = ("def f(n):\n    inner = n * 2\n    return 1 / (n - n)", "f(21)", 'print("never")')


@pytest.fixture
def shop(project: TemporaryProject) -> TemporaryProject:
    """Give a project of which the second stage fails in a cell, and has a value of the profile."""
    project.profile("all", "model:\n  alpha: 2.5\n")
    project.stage("features", writes=("features.csv",))
    model(project, 'print("begin", alpha)\nprint(*range(20), sep="\\n")', *FAILING)
    return project


def model(project: TemporaryProject, *cells: str) -> None:
    """Write the stage `model`."""
    project.notebook(
        "model",
        *cells,
        parameters='input_features = "../outputs/test/features.csv"\n'
        'output_model = "../outputs/test/model.json"\nalpha = 1.0',
    )


class Console:
    """A command on a terminal: what is typed, and what is seen."""

    def __init__(self, pid: int, terminal: int) -> None:
        """Begin with a command that has started."""
        self.pid = pid
        self._terminal = terminal
        self._unread = ""

    def seen(self, text: str, seconds: float = 60) -> str:
        """Wait for a text; give all up to it."""
        end = time.monotonic() + seconds
        while text not in self._unread:
            assert time.monotonic() < end, self._unread
            if select.select([self._terminal], [], [], 1)[0]:
                self._unread += os.read(self._terminal, 1 << 16).decode("utf-8", "replace")
        found, _, self._unread = self._unread.partition(text)
        return found

    def typed(self, line: str, *answers: str, then: str = PROMPT) -> None:
        """Type a line, wait for its answers, and for what asks for the next one."""
        self.key(f"{line}\r")
        for one in (*answers, then):
            self.seen(one)

    def key(self, keys: str) -> None:
        """Type something that is no line."""
        os.write(self._terminal, keys.encode())

    def below(self) -> list[psutil.Process]:
        """Give the processes that it has started."""
        return psutil.Process(self.pid).children(recursive=True)

    def ended(self) -> int | None:
        """End it with Ctrl-D; give its exit code."""
        self.key("\x04")
        self.seen("Shutting down kernel")
        return exit_status(self.pid)


@contextmanager
def debugging(
    project: TemporaryProject, *words: str, within: Sequence[str] = ()
) -> Iterator[Console]:
    """Run `debug` on a terminal, as the last words of `within`."""
    # Else it asks where the cursor is, and waits for an answer.
    command = ["env", "PROMPT_TOOLKIT_NO_CPR=1", sys.executable, "run.py", "debug", *words]
    with on_terminal(project.root, [*within, *command]) as (pid, terminal):
        yield Console(pid, terminal)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder in which commands make their temporary ones."""
    with short_folder() as folder:
        monkeypatch.setenv("TMPDIR", str(folder))
        yield folder


def test_a_console_has_the_variables_of_the_cell_that_failed(
    shop: TemporaryProject, temporary: Path
) -> None:
    shop.run("all", code=1)
    built = {path.name for path in shop.outputs("all").iterdir()}
    planned = shop.to_run("all")
    with debugging(shop) as console:
        told = console.seen(PROMPT)
        assert "model failed in all" in told
        assert "begin 2.5\r\n" in told
        assert "[16 lines left out]" in told
        assert "---> 1 f(21)" in told
        assert "ZeroDivisionError: division by zero" in told
        assert "never" not in told
        console.typed(
            "import os; alpha, output_model, os.environ['RUN_STAGE']",
            "(2.5, '../outputs/all/edit/model.json', 'model')",
        )
        console.typed("%debug", then="ipdb>")
        console.typed("p inner", "42", then="ipdb>")
        console.typed("q")

        (folder,) = temporary.glob("kernel-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert stat.S_IMODE((folder / "kernel.json").stat().st_mode) == 0o600
        # What ipykernel opens for what its children print.
        assert opened(console.below()) <= {"127.0.0.1"}

        # Ctrl-C ends what runs, not the console.
        console.typed("import time; print('sl' + 'eeps'); time.sleep(600)", then="sleeps")
        console.key("\x03")
        console.seen("KeyboardInterrupt")
        console.seen(PROMPT)
        below = console.below()
        assert console.ended() == 0
    none_left(below)
    assert [*temporary.glob("kernel-*")] == []
    assert {path.name for path in shop.outputs("all").iterdir()} == built | {"edit"}
    assert shop.to_run("all") == planned


@pytest.mark.slow
def test_what_is_not_as_it_was_then_is_said_and_the_cells_are_those_of_then(
    shop: TemporaryProject,
) -> None:
    shop.run("all", code=1)
    model(shop, "mended = 1")
    (shop.outputs("all") / "features.csv").write_text("other", "utf-8")
    with debugging(shop, "model", "--profile", "all") as console:
        told = console.seen(PROMPT)
        assert "notebooks/model.ipynb was edited since: the cells are those that ran then" in told
        assert "outputs/all/features.csv is not what it was then" in told
        console.typed("alpha, inner if 'inner' in dir() else f.__name__", "(2.5, 'f')")
        assert console.ended() == 0


@pytest.mark.slow
def test_a_cell_in_which_the_kernel_died_is_not_run_again(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "value = 21 * 2", "import os\n\nos._exit(3)")
    project.run("all", code=1)
    with debugging(project) as console:
        told = console.seen(PROMPT)
        assert "cell 2 of 2 (import os): not run again, for it ended so: kernel died" in told
        console.typed("value", "42")
        assert console.ended() == 0


def test_a_cell_that_does_not_fail_this_time_leaves_its_variables(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    there = tmp_path / "there"
    project.notebook("a", f'size = len(open("{there}").read())')
    project.run("all", code=1)
    there.write_text("x" * 77)
    with debugging(project) as console:
        assert "it does not fail this time" in console.seen(PROMPT)
        console.typed("size", "77")
        assert console.ended() == 0


@pytest.mark.slow
def test_a_kernel_of_another_language_has_its_variables_too(
    project: TemporaryProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.profile("all", "a:\n  x: 3\n")
    command = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
    for name, value in kernel(project, "bash", argv=command, language="bash").items():
        monkeypatch.setenv(name, str(value))
    spec = {"name": "bash", "display_name": "Bash", "language": "bash"}
    metadata = {"kernelspec": spec, "language_info": {"name": "bash"}}
    parameters = 'x=2\noutput_a="../outputs/test/a.txt"'
    project.notebook("a", "y=$((x * 14))\nfalse", parameters=parameters, metadata=metadata)
    project.run("all", code=1)
    with debugging(project) as console:
        told = console.seen(PROMPT)
        assert "cell 2 of 2 (y=$((x * 14)))" in told
        assert "%debug" not in told
        console.typed("echo $y $output_a", "42 ../outputs/all/edit/a.txt")
        assert console.ended() == 0


@pytest.mark.slow
@needs_linux
def test_of_a_console_nothing_is_left_when_the_command_is_killed(
    shop: TemporaryProject, temporary: Path
) -> None:
    shop.run("all", code=1)
    # A shell that stays, for the end of a terminal's first process ends the others.
    with debugging(shop, within=("sh", "-c", '"$@"; sleep 60', "sh")) as console:
        console.seen(PROMPT)
        (command,) = psutil.Process(console.pid).children()
        below = command.children(recursive=True)
        assert len(below) > 1
        command.kill()
        none_left(below)
    assert [*temporary.glob("kernel-*")] == []


def test_what_cannot_be_done_is_said(shop: TemporaryProject) -> None:
    assert "debug: no stage has failed in any run" in shop.call("debug", code=2).err
    shop.pretend("all", code=1)
    said = shop.call("debug", "features", code=2).err
    assert "debug: features has not failed in any run" in said
    assert "debug needs a terminal" in shop.call("debug", code=2).err
    said = shop.call("debug", "--profile", "al", code=2).err
    assert "there is no profile `al`; did you mean `all`?" in said
    assert "debug takes one stage, not 2 words" in shop.call("debug", "a", "b", code=2).err
    said = shop.call("debug", "--lab", env={"JUPYTERHUB_SERVICE_PREFIX": "/user/a/"}, code=2).err
    assert "a Jupyter server runs here already; python run.py debug" in said
    (shop.root / "notebooks/model.ipynb").unlink()
    said = shop.call("debug", "--lab", code=2).err
    assert "notebooks/model.ipynb is not there any more; python run.py debug" in said
    (shop.runs("all")[-1] / "notebooks/model.ipynb").unlink()
    said = shop.call("debug", code=2).err
    assert "there is no executed notebook of model to go back to: " in said

"""A project in a temporary folder, and the commands that a user would type in it."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import fastjsonschema
import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from runner.cli.main import main
from runner.execution.banner import TAG
from runner.execution.executor import Executors, LocalExecutor
from runner.system.portable import on_linux
from tests import prefork
from tests.pretended import PretendedExecutor

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ("notebooks", "params", "testdata", "pyproject.toml", ".gitignore")

Text = str | None

# For tests of what must hold however a kernel was started; the fixture `project` obeys it.
# The cold half is among the slow tests.
both_ways = pytest.mark.parametrize(
    "cold", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["warm", "cold"]
)


# For tests of what the means of Linux alone can do.
needs_linux = pytest.mark.skipif(not on_linux(), reason="the portable way cannot do that")


# A cell that waits until the file `marker` is there.
WAIT = """\
import time
from pathlib import Path

while not Path("{marker}").exists():
    time.sleep(0.05)"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that was shown."""
        return self.out + self.err

    def expected(self, code: int | None) -> "Done":
        """Assert its exit code, None is any; and that it closed what it opened."""
        assert code is None or self.code == code, f"exit code {self.code}, not {code}:\n{self.text}"
        assert "ResourceWarning" not in self.err, self.err
        return self


@cache
def _schema() -> Callable[[object], object]:
    schema = json.loads((ROOT / "docs/run.schema.json").read_text("utf-8"))
    # Readers take what they do not know; here nothing is to be missing in the schema.
    for one in (schema, schema["properties"]["stages"]["items"]):
        one["additionalProperties"] = False
    check: Callable[[object], object] = fastjsonschema.compile(schema)
    return check


def fits_schema(record: object) -> None:
    """Assert that a record is as docs/run.schema.json says, whatever the test is about."""
    _schema()(record)


class TemporaryProject:
    """Writes a project's files, and runs `run.py` in it."""

    def __init__(self, root: Path, *, cold: bool = False) -> None:
        """Make an empty project: the runner alone; with `cold`, no kernel is forked.

        A project that lies there already stays as it is.
        """
        self.root = root
        if (root / "runner").exists():
            return
        if cold:
            self.write("pyproject.toml", "[tool.runner]\nwarm = false\n")
        root.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / "run.py", root)
        (root / "runner").symlink_to(ROOT / "runner")
        (root / "notebooks").mkdir(exist_ok=True)

    @classmethod
    def example(cls, root: Path) -> "TemporaryProject":
        """Make a copy of the example."""
        project = cls(root)
        for name in EXAMPLE:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, dirs_exist_ok=True)
            else:
                shutil.copy2(source, root / name)
        return project

    def copy(self, root: Path) -> "TemporaryProject":
        """Make a copy of this project, with what is built in it: it is as up to date there."""
        shutil.copytree(self.root, root, symlinks=True, ignore=shutil.ignore_patterns("runner"))
        return TemporaryProject(root)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def profile(self, name: str, text: str = "") -> Path:
        """Write `params/<name>.yaml`."""
        return self.write(f"params/{name}.yaml", text)

    def notebook(
        self,
        stage: str,
        *cells: str,
        parameters: Text = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a notebook: the parameters cell, then code cells; `# ` begins Markdown."""
        made = []
        if parameters is not None:
            made.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        for source in cells:
            if source.startswith("# "):
                made.append(new_markdown_cell(source))
            else:
                made.append(new_code_cell(source))
        notebook = new_notebook(
            cells=made,
            metadata={
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
                **(metadata or {}),
            },
        )
        path = self.root / "notebooks" / f"{stage}.ipynb"
        nbformat.write(notebook, path)
        return path

    def stage(
        self,
        name: str,
        *cells: str,
        reads: tuple[str, ...] = (),
        writes: tuple[str, ...] = (),
        parameters: str = "",
    ) -> Path:
        """Write a notebook that copies its inputs' text, and its own name, to each output.

        `reads` and `writes` are names of files of the build; `cells` run before the last
        one, which writes.
        """
        lines = [f'input_{Path(one).stem} = "../outputs/test/{one}"' for one in reads]
        lines += [f'output_{Path(one).stem} = "../outputs/test/{one}"' for one in writes]
        lines += [parameters] if parameters else []
        inputs = ", ".join(f"input_{Path(one).stem}" for one in reads)
        last = f"from pathlib import Path\n\nread = [Path(p).read_text() for p in [{inputs}]]\n"
        for one in writes:
            last += f'Path(output_{Path(one).stem}).write_text("{name}\\n" + "".join(read))\n'
        return self.notebook(name, *cells, last, parameters="\n".join(lines))

    def waiting(self, go: Path) -> None:
        """Write a stage `a` that prints "here" and waits for the file `go`, and one after it."""
        self.profile("all")
        self.stage("a", 'print("here")', WAIT.format(marker=go), writes=("a.txt",))
        self.stage("b", reads=("a.txt",), writes=("b.txt",))

    def command(self, *words: str) -> list[str]:
        """Give the command line of `python run.py`, as the user types it."""
        # An option of the interpreter, not a variable: kernels would inherit that.
        warned = ("-W", "always::ResourceWarning")
        return [sys.executable, *warned, str(self.root / "run.py"), *words]

    def run(
        self,
        *words: str,
        code: int | None = 0,
        cwd: Path | None = None,
        env: Mapping[str, Text] | None = None,
    ) -> Done:
        """Run a command to its end, and expect an exit code (None: any).

        It is forked where its environment allows that; `running` starts a new Python.
        """
        where, variables = cwd or self.root, environment(env)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            if prefork.can_run(words, env or {}):
                found = prefork.run(self.command(*words), where, variables, (out, err))
            else:
                found = subprocess.run(
                    self.command(*words),
                    cwd=where,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    timeout=prefork.LIMIT,
                    check=False,
                ).returncode
            return Done(found, *map(_text_of, (out, err))).expected(code)

    def call(
        self,
        *words: str,
        code: int | None = 0,
        env: Mapping[str, Text] | None = None,
        executors: Executors = LocalExecutor,
    ) -> Done:
        """Carry out a command in this process: for one that starts no kernel, fifty times faster.

        It is `run` without a process and a Python of its own, so not for what concerns these.
        """
        with _streams() as (out, err), chdir(self.root), _environment(env):
            try:
                found = main(words, self.root, executors)
            except SystemExit as left:
                found = int(left.code or 0)
            texts = [_written(out), _written(err)]
        return Done(found, *texts).expected(code)

    def pretend(
        self, *words: str, code: int | None = 0, env: Mapping[str, Text] | None = None
    ) -> Done:
        """Build in this process, without kernels: for what is planned, recorded and told."""
        return self.call(*words, "--cold", code=code, env=env, executors=PretendedExecutor)

    @contextmanager
    def running(
        self, *words: str, env: Mapping[str, Text] | None = None, within: Sequence[str] = ()
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a command, as the last words of `within`; it is killed if it still runs.

        What nobody has read of its output tells of nothing that it left open.
        """
        process = subprocess.Popen(
            [*within, *self.command(*words)],
            cwd=self.root,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                below = below_it(process)
                process.kill()
                _kill(left(below))
            process.wait(30)
            if process.stdout is not None and not process.stdout.closed:
                unread = _unread(process.stdout)
                process.stdout.close()
                assert "ResourceWarning" not in unread, unread

    def to_run(self, *words: str) -> list[str]:
        """Ask what would run: the stages, each with `?` where that is not sure yet."""
        lines = self.call("-n", *(words or ("all",))).out.splitlines()
        found = [re.match(r" *(\S+) +(run|maybe) ", line) for line in lines]
        return [one[1] + "?" * (one[2] == "maybe") for one in found if one]

    def reasons(self) -> dict[str, str]:
        """Ask which stages of `all` would surely run, and why."""
        lines = self.call("-n", "all").out.splitlines()[1:]
        found = (line.split(maxsplit=2) for line in lines)
        return {name: why for name, what, why in found if what == "run"}

    def outputs(self, profile: str) -> Path:
        """Give the folder of a build."""
        return self.root / "outputs" / profile

    def runs(self, profile: str) -> list[Path]:
        """Give the folders of a build's runs, oldest first."""
        found = (self.outputs(profile) / "runs").iterdir()
        return sorted(path for path in found if path.name[0] != ".")

    def silence(self, profile: str) -> None:
        """Have a run, whose runner was killed, not be heard of for long."""
        (beat,) = self.outputs(profile).glob("runs/*/heartbeat.json")
        text = re.sub(r'"at": [\d.]+', '"at": 1', beat.read_text("utf-8"))
        beat.write_text(text, "utf-8")
        os.utime(beat, (1, 1))

    def record(self, profile: str) -> dict[str, Any]:
        """Read the newest run's `run.json`."""
        found: dict[str, Any] = json.loads((self.runs(profile)[-1] / "run.json").read_text("utf-8"))
        fits_schema(found)
        return found

    def states(self, profile: str) -> dict[str, str]:
        """Give the state of each stage in the newest run."""
        return {stage["name"]: stage["state"] for stage in self.record(profile)["stages"]}

    def stage_record(self, profile: str, stage: str) -> dict[str, Any]:
        """Give a stage's part of the newest run's record."""
        found: dict[str, Any]
        (found,) = (one for one in self.record(profile)["stages"] if one["name"] == stage)
        return found

    def log(self, profile: str) -> str:
        """Read the build's log."""
        return (self.outputs(profile) / "log.txt").read_text("utf-8")

    def executed(self, profile: str, stage: str) -> Any:  # noqa: ANN401 - a notebook has no types
        """Read the executed notebook of the newest run, but for the banner of one that failed."""
        path = self.runs(profile)[-1] / "notebooks" / f"{stage}.ipynb"
        found = nbformat.read(path, as_version=4)
        found.cells = [one for one in found.cells if TAG not in one.metadata.get("tags", ())]
        return found


@dataclass(frozen=True)
class BuiltExample:
    """The example after `test all`, and what that said; a test that changes it takes a copy."""

    project: TemporaryProject
    done: Done


def left(processes: Iterable[psutil.Process], seconds: float = 2.0) -> list[psutil.Process]:
    """Give the processes that are still there after a while.

    One that only waits for the system's first process to take note of its end is not.
    """
    _, alive = psutil.wait_procs(list(processes), timeout=seconds)
    found = []
    for one in alive:
        with suppress(psutil.NoSuchProcess):
            if one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def opened(processes: Iterable[psutil.Process]) -> set[str]:
    """Give the addresses at which processes listen."""
    found: set[str] = set()
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            connections = one.net_connections("inet")
            found |= {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
    return found


@contextmanager
def short_folder() -> Iterator[Path]:
    """Give a folder for TMPDIR; kernels' sockets need a short name, and go elsewhere else."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as name:
        yield Path(name)


def none_left(processes: Iterable[psutil.Process], seconds: float = 20.0) -> None:
    """Assert that processes end within a while; end those that do not."""
    found = left(processes, seconds)
    _kill(found)
    assert found == []


def _kill(processes: Iterable[psutil.Process]) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def below_it(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Give the processes below one, which may have ended."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def environment(changes: Mapping[str, Text] | None = None) -> dict[str, str]:
    """Give this process's environment with changes; None removes a variable."""
    merged: dict[str, Text] = {**os.environ, **(changes or {})}
    # With it ipykernel leaves alone what is written past `sys.stdout`.
    merged.pop("PYTEST_CURRENT_TEST", None)
    return {name: value for name, value in merged.items() if value is not None}


@contextmanager
def _environment(changes: Mapping[str, Text] | None) -> Iterator[None]:
    """Change this process's environment for a while."""
    before = dict(os.environ)
    wanted = environment(changes)
    for name in before.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _streams() -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    """Have what is written go to two files, which have descriptors as a process's have."""
    with (
        io.TextIOWrapper(tempfile.TemporaryFile(), "utf-8", "surrogateescape") as out,
        io.TextIOWrapper(tempfile.TemporaryFile(), "utf-8", "surrogateescape") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        yield out, err


def _unread(pipe: IO[str]) -> str:
    """Read what is in a pipe, which others may hold open."""
    os.set_blocking(pipe.fileno(), False)
    found = b""
    with suppress(BlockingIOError):
        while part := os.read(pipe.fileno(), 1 << 16):
            found += part
    return found.decode(errors="replace")


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def _written(file: io.TextIOWrapper) -> str:
    file.flush()
    file.seek(0)
    return file.read()


def wait_for(path: Path, text: str = "", seconds: float = 60) -> str:
    """Wait until a file is there and holds a text."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and text in (found := path.read_text("utf-8")):
            return found
        time.sleep(0.05)
    message = f"{path} does not hold {text!r}"
    raise AssertionError(message)

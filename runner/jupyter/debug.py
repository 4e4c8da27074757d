"""Back to the cell at which a stage failed: the cells before it, then a console in its kernel."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_core.utils import ensure_async

from ..errors import UsageError
from ..kernels import keeping
from ..kernels.launch import KernelStartError, Started, launch
from ..model import BuildKey, Job, Limits
from ..project import PYTHON, NotebookError, Settings, document
from ..system import remove
from ..words import seconds_in_words, shortened, shown, state_in_words
from . import editing, lab
from .failure import Failure, Step
from .values import environment

# What a cell prints is told by its first and its last lines.
_FIRST, _LAST, _LONGEST = 3, 2, 200
# In seconds, for a kernel that is asked to end.
_TO_END = 3.0
# In seconds, for one that was kept to answer.
_TO_ANSWER = 10.0
# As Jupyter takes the name of a kernelspec.
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_IN_LAB = "in JupyterLab, the notebook has the kernel's variables; Ctrl-C ends it"
# In the console, a warning of `logging` stands where Jupyter shows it.
_LOG_HERE = "__import__('logging').lastResort = __import__('logging')._defaultLastResort"

Say = Callable[[str], None]


def debug(root: Path, failure: Failure, settings: Settings, say: Say, *, in_lab: bool) -> None:
    """Run the cells of a stage that failed up to the one at fault; hand over a console.

    Its kernel ends with the console. What the cells write goes beside the build.

    Args:
        root: the project's folder.
        failure: the stage.
        settings: those of the project.
        say: tells a line, without what is secret in it.
        in_lab: JupyterLab takes the place of the console.

    Raises:
        UsageError: there is no kernel.
    """
    session = _Session(root, failure, settings, lambda text: say(shown(text)), in_lab=in_lab)
    try:
        asyncio.run(session.run())
    except KernelStartError as error:
        raise UsageError(str(error)) from None


def attach(root: Path, kept: keeping.Kept, say: Say) -> None:
    """Hand over a console in a kernel that was kept; the kernel ends with it.

    If the terminal is closed instead, the kernel stays for the rest of its time.
    """
    say("its kernel was kept: the console has its variables; %debug looks into the failing frame;")
    say("Ctrl-D ends it, and the kernel")
    with kept.used():
        console = _console(root, kept.connection)
        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: kept.interrupt()),
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: console.terminate()),
        }
        try:
            code = console.wait()
        finally:
            for number, old in before.items():
                signal.signal(number, old)
    if code == 0 and not kept.end():
        message = "the kernel does not end; python run.py stop ends it"
        raise UsageError(message)


def attach_lab(
    root: Path, failure: Failure, settings: Settings, kept: keeping.Kept, say: Say
) -> None:
    """Open JupyterLab with a kernel that was kept, which stays when it is left."""
    say("its kernel was kept, and stays when JupyterLab ends: python run.py stop ends it")
    with kept.used():
        if _is_ours(failure, settings) and not _told(kept.connection, _joins(root, failure)):
            say("the kernel does not answer: something runs in it, or it is looked into elsewhere")
        holder = (kept.keeper, signal.SIGINT)
        say(_IN_LAB)
        lab.serve(*_in_lab(root, failure, settings, kept.connection, holder))


def _in_lab(
    root: Path,
    failure: Failure,
    settings: Settings,
    connection: Path,
    holder: tuple[int, signal.Signals],
) -> tuple[lab.Asked, str, lab.Kernel]:
    """Say what JupyterLab is to open, with which kernel."""
    name, display_name = failure.kernel or lab.NATIVE, None
    if _is_ours(failure, settings):
        name, display_name = _named(failure.notebook)
    kernel = lab.Kernel(connection, *holder, name, display_name)
    return _asked(root, failure), failure.notebook.relative_to(root).as_posix(), kernel


def _named(notebook: Path) -> tuple[str, str | None]:
    """Give the kernel's names as a notebook has them: JupyterLab writes there those it sees."""
    try:
        spec = document.read(notebook, notebook.name).metadata.get("kernelspec", {})
    except NotebookError:
        return lab.NATIVE, None
    name, display_name = spec.get("name"), spec.get("display_name")
    if not (isinstance(name, str) and isinstance(display_name, str) and _NAME.fullmatch(name)):
        return lab.NATIVE, None
    return name, display_name


def _asked(root: Path, failure: Failure) -> lab.Asked:
    """Say whose values the parameters cell gives when it is run again: those of the run."""
    stage = failure.stage.name.partition("[")[0]
    given = tuple(
        f"{stage}.{name}={json.dumps(one.value)}"
        for name, one in failure.stage.parameters.items()
        if one.origin.startswith("-p")
    )
    return lab.Asked(root, BuildKey.of(failure.profile).profile, given)


def _joins(root: Path, failure: Failure) -> str:
    """Write what has a kernel know the notebook as those of `lab` do."""
    call = f"({_asked(root, failure).about!r}, {str(failure.notebook)!r})"
    script = str(Path(__file__).with_name("startup.py"))
    return f"__import__('runpy').run_path({script!r}, run_name='startup')['join']{call}"


def _told(connection: Path, source: str) -> bool:
    """Run code in a kernel that may be busy; tell whether it has run."""
    client = BlockingKernelClient(connection_file=str(connection))
    client.load_connection_file()
    client.start_channels()
    try:
        client.execute_interactive(source, silent=True, timeout=_TO_ANSWER)
    except TimeoutError:
        return False
    finally:
        client.stop_channels()
    return True


def _is_ours(failure: Failure, settings: Settings) -> bool:
    return failure.language == PYTHON and settings.kernel is None


def _console(root: Path, connection: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "runner.jupyter.console", str(os.getpid()), str(connection)]
    return subprocess.Popen(command, cwd=root)  # noqa: S603 - our own words


class _Session:
    def __init__(
        self, root: Path, failure: Failure, settings: Settings, say: Say, *, in_lab: bool
    ) -> None:
        self._root, self._failure, self._settings, self._say = root, failure, settings, say
        self._in_lab = in_lab
        self._build = failure.run.folder.parents[1]
        self._place = editing.beside(self._build)
        self._stopped = asyncio.Event()
        self._sent: asyncio.Task[None] | None = None

    def _tell(self, _level: int, text: str) -> None:
        self._say(text)

    async def run(self) -> None:
        """Start a kernel, run the cells, hand over the console, end the kernel."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self._stopped.set)
        loop.add_signal_handler(signal.SIGINT, self._stopped.set)
        try:
            started = await launch(self._job(), None, self._stopped, self._tell)
        except asyncio.CancelledError:
            return
        try:
            manager = started.manager

            def interrupt() -> None:
                self._sent = loop.create_task(manager.guarded.send_signal(signal.SIGINT))

            loop.add_signal_handler(signal.SIGINT, interrupt)
            if await self._cells(started):
                # Nothing of ours is to be read by anyone from now on, and the kernel waits for
                # who does not read.
                started.client.stop_channels()
                await (self._lab(started, interrupt) if self._in_lab else self._console(started))
        finally:
            with suppress(Exception):
                started.client.stop_channels()
            await started.manager.end(_TO_END)

    def _job(self) -> Job:
        failure, settings = self._failure, self._settings
        name = failure.stage.name
        key = BuildKey.of(failure.profile)
        about = environment(key, name, failure.notebook, self._place)
        return Job(
            stage=name,
            root=self._root,
            source=failure.notebook,
            executed=failure.run.folder / "notebooks" / f"{name}.ipynb",
            printed=failure.run.folder / "printed",
            working_directory=failure.notebook.parent,
            parameters={},
            outputs=(),
            language=failure.language,
            kernel=settings.kernel or failure.kernel,
            log_level=settings.log_level,
            limits=Limits(settings.start_timeout),
            secrets=settings.secrets,
            environment={**about, "RUN_ID": failure.run.folder.name},
        )

    async def _cells(self, started: Started) -> bool:
        """Run the cells; tell whether there is something to look at: not when it was ended."""
        failure = self._failure
        for step in failure.steps:
            is_last = failure.is_at_fault and step is failure.steps[-1]
            if is_last and not failure.raised:
                what = state_in_words(failure.stage.state or "")
                self._say(f"{self._name(step)}: not run again, for it ended so: {what}")
                break
            fault = await self._one(started, step)
            if self._stopped.is_set() or started.manager.guarded.ended is not None:
                self._say("the kernel has ended")
                return False
            if fault is not None and not step.may_fail:
                if not is_last:
                    self._say("it failed earlier than in the run; the console is here")
                self._say(fault)
                break
            if step.values:
                await self._move_outputs(started)
        else:
            if failure.is_at_fault:
                self._say("it does not fail this time")
        if self._is_ours:
            await self._execute(started, _LOG_HERE, silent=True)
            if self._in_lab:
                await self._execute(started, _joins(self._root, self._failure), silent=True)
        return True

    @property
    def _is_ours(self) -> bool:
        return _is_ours(self._failure, self._settings)

    def _name(self, step: Step) -> str:
        title = shortened(step.title, _LONGEST)
        return f"cell {step.number} of {self._failure.cells} ({title})"

    async def _one(self, started: Started, step: Step) -> str | None:
        """Run a cell and tell what it prints; give the traceback if it fails."""
        if step.number:
            self._say(self._name(step))
        began = time.monotonic()
        texts, fault = await self._execute(started, step.source)
        lines = "".join(texts).rstrip("\n").split("\n")
        if (left_out := len(lines) - _FIRST - _LAST) > 1:
            lines[_FIRST:-_LAST] = [f"[{left_out} lines left out]"]
        for line in lines:
            if line.strip():
                self._say(f"    {shortened(line, _LONGEST)}")
        if (took := time.monotonic() - began) > 1:
            self._say(f"    {seconds_in_words(took)}")
        return fault

    async def _execute(
        self, started: Started, source: str, *, silent: bool = False
    ) -> tuple[list[str], str | None]:
        """Run code; give what it shows, as text, and the traceback if it fails."""
        client = started.client
        key = client.execute(source, silent=silent, store_history=not silent, stop_on_error=False)
        over = asyncio.create_task(started.manager.guarded.wait_until_over())
        stopped = asyncio.create_task(self._stopped.wait())
        texts: list[str] = []
        fault = None
        try:
            while True:
                coming = asyncio.ensure_future(
                    ensure_async(client.iopub_channel.get_msg(timeout=None))
                )
                waited = {coming, over, stopped}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    return texts, fault
                message = coming.result()
                if message["parent_header"].get("msg_id") != key:
                    continue
                content: dict[str, Any] = message["content"]
                match message["msg_type"]:
                    case "stream":
                        texts.append(content["text"])
                    case "display_data" | "execute_result":
                        texts.append(f"{content['data'].get('text/plain', '')}\n")
                    case "error":
                        fault = "\n".join(content["traceback"])
                    case "status" if content["execution_state"] == "idle":
                        return texts, fault
        finally:
            over.cancel()
            stopped.cancel()

    async def _move_outputs(self, started: Started) -> None:
        """Have the outputs go beside the build, where nothing stands in their way."""
        failure, base = self._failure, self._failure.notebook.parent
        values: dict[str, object] = {}
        for name, one in failure.stage.parameters.items():
            if name.startswith("output_"):
                into = editing.moved(one.value, base, self._build, self._place)
                if into != one.value:
                    values[name] = into
        for path in [path for value in values.values() for path in editing.paths(value, base)]:
            remove(path)
            path.parent.mkdir(parents=True, exist_ok=True)
        if values:
            await self._execute(started, self._assigned(values), silent=True)

    def _assigned(self, values: dict[str, object]) -> str:
        if self._failure.language == PYTHON:
            return "\n".join(f"{name} = {value!r}" for name, value in values.items())
        # It takes a moment to import.
        from papermill.translators import papermill_translators  # noqa: PLC0415

        job = self._job()
        translator = papermill_translators.find_translator(job.kernel, job.language)
        text: str = translator.codify(values)
        return text

    async def _lab(self, started: Started, interrupt: Callable[[], None]) -> None:
        """Run JupyterLab until it ends, or we are told to end; a second signal kills it."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, interrupt)
        self._say(_IN_LAB)
        holder = (os.getpid(), signal.SIGUSR1)
        place = started.manager.place.connection_file
        words = _in_lab(self._root, self._failure, self._settings, place, holder)
        with lab.running(*words) as process:

            def end() -> None:
                process.send_signal(signal.SIGKILL if self._stopped.is_set() else signal.SIGTERM)
                self._stopped.set()

            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, end)
            left = asyncio.create_task(asyncio.to_thread(process.wait))
            died = asyncio.create_task(started.manager.guarded.wait_until_over())
            await asyncio.wait((left, died), return_when=asyncio.FIRST_COMPLETED)
            if not left.done() and not self._stopped.is_set():
                self._say("the kernel has ended; save, end JupyterLab with Ctrl-C, and begin again")
            await left
            died.cancel()

    async def _console(self, started: Started) -> None:
        ready = "; %debug looks into the failing frame" if self._is_ours else ""
        self._say(f"the console has the kernel's variables{ready}; Ctrl-D ends it")
        looks = termios.tcgetattr(sys.stdin)
        console = _console(self._root, started.manager.place.connection_file)
        try:
            await self._until_over(console, started)
        finally:
            # One that was told to end leaves it as it was at a prompt.
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, looks)

    async def _until_over(self, console: subprocess.Popen[bytes], started: Started) -> None:
        ended: Sequence[asyncio.Task[Any]] = [
            asyncio.create_task(asyncio.to_thread(console.wait)),
            asyncio.create_task(self._stopped.wait()),
            asyncio.create_task(started.manager.guarded.wait_until_over()),
        ]
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        if console.poll() is None and not self._stopped.is_set():
            # The kernel died, or it was told to end, as `exit` does; the console notices that.
            await asyncio.wait(ended[:2], timeout=_TO_END, return_when=asyncio.FIRST_COMPLETED)
        if console.poll() is None:
            console.terminate()
        for one in ended[1:]:
            one.cancel()
        await ended[0]

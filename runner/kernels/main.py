"""An IPython kernel with what a headless run needs.

A warm process imports it; for a cold kernel it is run as a script:

    python main.py LOG_LEVEL CRASHES ROOT -f CONNECTION_FILE

`faulthandler` writes a fatal error's stack, and on SIGUSR1 that of a stuck cell, to the
file CRASHES; beside it a trace is written of the files of the project ROOT that are used.
"""

import asyncio
import atexit
import contextlib
import faulthandler
import importlib.util
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable, Iterator

# By their names, for a notebook may put others into the modules: no answer could be written.
from json import dumps, loads
from os import _exit as leave
from os import write
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # The kernel sees a path to import from, as Jupyter makes it.
    del sys.path[0]

# Nobody debugs a headless kernel, and debugpy takes a tenth of a second to import. `None` makes
# the import fail at once; a notebook can still do it.
_NO_DEBUGPY = "debugpy" not in sys.modules
if _NO_DEBUGPY:
    sys.modules["debugpy"] = None  # type: ignore[assignment]

import ipykernel.debugger  # noqa: F401 - so that the kernel finds it imported
import zmq
from ipykernel.compiler import XCachingCompiler
from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.profiledir import ProfileDir
from IPython.utils.process import system  # type: ignore[attr-defined]  # made by platform
from jupyter_client.jsonutil import json_clean, json_default
from traitlets import Type
from traitlets.config import Config

if _NO_DEBUGPY:
    del sys.modules["debugpy"]

# ipykernel puts the notebook in the place of `__main__`.
NAME = "_runner_kernel"
_PIECE = 1 << 17
# So many seconds an answer may take once a cell has run.
_TO_ANSWER = 60.0
# Tasks of these are the kernel's own.
_OWN_TASKS = ("/ipykernel/", "/tornado/", "/zmq/", "/jupyter_client/")
_LOOK = 0.05
# IPython runs `!command` on a pseudo-terminal, where a program that reads would wait forever.
_CLOSED = "exec </dev/null\n"


def _beside(name: str) -> Any:  # noqa: ANN401 - a module
    """Import a file beside this one, whose folder is not on the path."""
    spec = importlib.util.spec_from_file_location(
        f"_runner_{name}", Path(__file__).with_name(f"{name}.py")
    )
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_messages = _beside("messages")


class ToNotebook(logging.Handler):
    """What `logging` falls back to where a notebook has not configured it.

    Only the handler of last resort is replaced, so `logging.basicConfig` and handlers of
    the notebook's own work as they do in Jupyter. The runner is told level and name; the
    notebook shows the text alone, and nothing below a warning, as in Jupyter.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record to the notebook's stderr, or tell the runner."""
        try:
            text = self.format(record)
            kernel = HeadlessKernel.instance() if HeadlessKernel.initialized() else None
            told = kernel is not None and kernel.tell(record, text)
            if not told and record.levelno >= logging.WARNING:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)


class PacedStream(OutStream):
    """A stdout or stderr that waits for whoever reads it.

    A long text goes out in pieces, and past one piece the writer waits until it is sent,
    so that a cell which prints gigabytes holds few of them in memory, here and there.
    """

    _waiting = 0

    def write(self, string: str) -> int | None:  # type: ignore[override]  # as OutStream has it
        """Take in a text; see `OutStream.write`."""
        if len(string) + self._waiting < _PIECE:
            self._waiting += len(string)
            return super().write(string)
        for start in range(0, len(string), _PIECE):
            super().write(string[start : start + _PIECE])
            self.flush()
        self._waiting = 0
        return len(string)


class HeadlessShell(ZMQInteractiveShell):
    """A shell without a person: a program started by `!` has nothing to read."""

    def system_piped(self, cmd: str) -> None:
        """Run a command of the system; its exit code is in `_exit_code`, as in Jupyter."""
        if cmd.rstrip().endswith("&"):
            message = "a command in the background would not be waited for; leave the & out"
            raise OSError(message)
        code = system(_CLOSED + self.var_expand(cmd, depth=1))
        self.user_ns["_exit_code"] = code
        if code and getattr(self, "system_raise_on_error", False):
            raise subprocess.CalledProcessError(code, cmd)

    system = system_piped


@contextlib.contextmanager
def _ends_if_it_fails() -> Iterator[None]:
    """End a kernel that cannot answer, by what a notebook has broken: it is waited for for ever."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it may be anything
        said = f"the kernel cannot answer any more: {type(error).__name__}: {error}\n"
        write(2, said.encode(errors="replace"))
        leave(1)


class _Answer:
    """Ends the kernel if an answer is not given in time: a notebook may have made it impossible.

    Nothing is imported for that, and the thread is none of those that a notebook finds.
    """

    def __init__(self) -> None:
        self._given: Any = None

    def due(self) -> None:
        """Begin to wait: the notebook's own code is done."""
        given = allocate_lock()
        given.acquire()
        self._given = given

        def wait() -> None:
            if not given.acquire(True, _TO_ANSWER):  # noqa: FBT003 - as a lock has it
                write(2, b"the kernel cannot answer any more\n")
                leave(1)

        with contextlib.suppress(RuntimeError):
            start_new_thread(wait, ())

    def given(self) -> None:
        """End to wait, if that had begun."""
        given, self._given = self._given, None
        if given is not None:
            given.release()


class HeadlessKernel(IPythonKernel):
    """A kernel with such a shell."""

    shell_class = Type(HeadlessShell)
    # What is to be done once it is to end, before anything of it does.
    on_end: Callable[[], None] | None = None

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - traits of all kinds
        """Make the shell, or take over the one that `early_shell` has made."""
        super().__init__(**options)
        shell: Any = self.shell
        place: Any = self.profile_dir
        shell.parent = shell.kernel = self
        shell.config.merge(self.config)
        shell.profile_dir = place
        shell.ipython_dir = str(Path(place.location).parent)
        self.shell_handlers[_messages.ENVIRONMENT] = self._take_environment
        self._process = os.getpid()
        self._answer = _Answer()

    def tell(self, record: logging.LogRecord, text: str) -> bool:
        """Have a record in the runner's log, and in the notebook what it would show of it.

        Returns:
            Whether that was done: not from another process, nor where the notebook has other
            plans for what it prints.
        """
        if os.getpid() != self._process or self.session is None:
            return False
        is_shown = record.levelno >= logging.WARNING
        if is_shown and sys.stderr is not self._stderr:
            return False
        for stream in (sys.stdout, self._stderr):
            stream.flush()
        content = {
            "level": record.levelno,
            "logger": record.name,
            "text": text,
            "shown": is_shown,
        }
        self.session.send(self.iopub_socket, _messages.RECORD, content, parent=self.get_parent())
        return True

    def _take_environment(self, _stream: object, _ident: object, message: dict[str, Any]) -> None:
        os.environ.update(message["content"])

    async def do_execute(self, *words: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        """Run a cell, and answer whatever it has broken: it would be waited for without end."""
        try:
            return await super().do_execute(*words, **options)
        except Exception as error:  # noqa: BLE001 - it may come from any hook of the notebook
            said = f"what runs the cells failed, by what the notebook has changed in it: {error}"
            content = {"ename": type(error).__name__, "evalue": said, "traceback": [said]}
            self.send_response(self.iopub_socket, "error", content)
            return {"status": "error", "execution_count": self.execution_count, **content}
        finally:
            self._answer.due()
            self._mend_streams()

    async def execute_request(self, *words: Any) -> None:  # noqa: ANN401 - as above
        """Run a cell, and see that its reply is sent."""
        with _ends_if_it_fails():
            await super().execute_request(*words)

    async def dispatch_shell(self, *words: Any, **options: Any) -> None:  # noqa: ANN401 - as above
        """Take in a request, and see that its end is told."""
        with _ends_if_it_fails():
            await super().dispatch_shell(*words, **options)
            stream = self.shell_stream
            if stream is None or stream.closed() or stream.socket.closed:
                message = "its shell stream is closed"
                raise OSError(message)
        self._answer.given()

    def _mend_streams(self) -> None:
        """Have streams again that can be flushed, which each answer needs."""
        broken: dict[str, Exception] = {}
        for name, own in (("stdout", self._stdout), ("stderr", self._stderr)):
            try:
                getattr(sys, name).flush()
            except Exception as error:  # noqa: BLE001 - it may be anything
                setattr(sys, name, own)
                broken[name] = error
        # To tell it may need both of them.
        for name, why in broken.items():
            with contextlib.suppress(Exception):
                logging.getLogger("kernel").warning(
                    "sys.%s could not be flushed (%s), and is as it was before", name, why
                )

    async def do_shutdown(self, restart: bool) -> Any:  # noqa: ANN401, FBT001 - as ipykernel has it
        """Shut down once the notebook's tasks are done, for which its event loop has to go on.

        Threads and exit handlers have their time afterwards, as in any program. Where nothing of
        the notebook counts any more, the runner asks for a restart.
        """
        if self.on_end is not None:
            # Whatever is the matter with it, the kernel is to end.
            with contextlib.suppress(Exception):
                self.on_end()
        while not restart and any(self.tasks()):  # noqa: ASYNC110 - they are another loop's
            await asyncio.sleep(_LOOK)
        return super().do_shutdown(restart)

    def tasks(self) -> Iterator[str]:
        """Name the tasks that the notebook has begun and that are not done."""
        loop = getattr(self.io_loop, "asyncio_loop", None)
        for task in asyncio.all_tasks(loop) if loop is not None else ():
            coroutine: Any = task.get_coro()
            code = getattr(coroutine, "cr_code", None)
            if code and not any(one in code.co_filename for one in _OWN_TASKS):
                yield f"task {coroutine.__qualname__}"

    async def _progressively_terminate_all_children(self) -> None:
        """Leave to the notebook what it has started: its exit handlers look after that.

        A pool whose workers are gone already would wait for them for ever. What is left once the
        kernel has ended, our guard ends.
        """


class HeadlessApp(IPKernelApp):
    """Puts the parts together."""

    def init_iopub(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Have messages wait, not vanish, where more are under way than ZeroMQ queues."""
        # An option of every socket that is made from now on.
        context.setsockopt(zmq.XPUB_NODROP, 1)
        super().init_iopub(context)

    def start(self) -> None:
        """Be a kernel until it is told to end, then let the control thread end first.

        At the interpreter's exit ipykernel stops what that thread may still write to; it
        would wait for ever then, and with it the process.
        """
        super().start()
        if self.control_thread and self.control_thread.is_alive():
            self.control_thread.stop()
            self.control_thread.join(2.0)

    def log_connection_info(self) -> None:
        """Say nothing: nobody connects by hand."""


class AtWork:
    """Says in a file what of the notebook is still at work when the kernel is to end."""

    def __init__(self, path: Path, kernel: HeadlessKernel, on_begin: Callable[[], None]) -> None:
        """Write to `path` from `begin` on; `on_begin` is called before that, and at the end."""
        self._path = path
        self._kernel = kernel
        self._on_begin = on_begin
        self._over = threading.Event()

    def begin(self) -> None:
        """Look from time to time, from a thread that holds nothing up."""
        self._on_begin()
        threading.Thread(target=self._look, name="runner", daemon=True).start()

    def over(self) -> None:
        """Say that nothing is: threads and exit handlers are done, and all is printed."""
        self._over.set()
        with contextlib.suppress(Exception):
            self._on_begin()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        kernel = self._kernel
        if kernel.session is not None:
            kernel.session.send(kernel.iopub_socket, _messages.OVER, {})

    def _look(self) -> None:
        told: list[str] = []
        while not self._over.wait(2 * _LOOK):
            names = [*self._kernel.tasks(), *_threads()] or ["an exit handler"]
            if names != told:
                self._write(told := names)

    def _write(self, names: list[str]) -> None:
        temporary = self._path.with_suffix(".tmp")
        try:
            temporary.write_text(dumps(names), "utf-8")
            temporary.replace(self._path)
        except OSError:
            # The runner has gone on, or the disk is full.
            return


def _threads() -> Iterator[str]:
    """Name the threads that Python waits for at its end."""
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            yield f"thread {thread.name}"


def pack(message: Any) -> bytes:  # noqa: ANN401 - whatever JSON takes
    """Write a message as JSON; what is not Unicode text is escaped, and so not lost.

    jupyter_client's own packer drops the message.
    """
    try:
        text = dumps(message, default=json_default, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        cleaned = json_clean(message)
        text = dumps(cleaned, default=json_default, ensure_ascii=False, allow_nan=False)
    # Escaped by a backslash, a lone surrogate is what JSON has for it, too.
    return text.encode("utf-8", "backslashreplace")


def unpack(data: bytes | str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read a message."""
    return loads(data)


def _stay_at_debug() -> None:
    """Undo a notebook's own choice of a level where the command line asks for all."""
    if logging.getLogger().level > logging.DEBUG:
        logging.getLogger().setLevel(logging.DEBUG)


def log_to_notebook(level: str) -> None:
    """Show records from `level` on where a notebook has not configured `logging`."""
    logging.lastResort = ToNotebook()
    root = logging.getLogger()
    root.setLevel(level)
    ours, add = root.level, root.addHandler

    def configured(handler: logging.Handler) -> None:
        # From here on it is as in Jupyter.
        if root.level == ours and ours > logging.DEBUG:
            root.setLevel(logging.WARNING)
        root.addHandler = add  # type: ignore[method-assign]
        add(handler)

    root.addHandler = configured  # type: ignore[method-assign,assignment]


def _teller(kernel: HeadlessKernel) -> Callable[..., None]:
    """Give what tells the runner of variables that the notebook sets: some hold secrets.

    What is printed from then on comes after that.
    """
    own = os.getpid()

    def tell(name: str | bytes, value: str | bytes) -> None:
        if os.getpid() == own and kernel.session is not None:
            content = {"name": os.fsdecode(name), "value": os.fsdecode(value)}
            kernel.session.send(kernel.iopub_socket, _messages.VARIABLE, content)

    return tell


def _config() -> Config:
    config = Config()
    config.HistoryManager.enabled = False
    return config


def early_shell() -> HeadlessShell:
    """Make the shell before there is a kernel, which takes it over."""
    with tempfile.TemporaryDirectory() as folder:
        place = ProfileDir(location=f"{folder}/profile_default")
        shell: HeadlessShell = HeadlessShell.instance(
            config=_config(),
            ipython_dir=folder,
            profile_dir=place,
            compiler_class=XCachingCompiler,
        )
    return shell


def prepare(level: str, crashes: str, root: str) -> HeadlessApp:
    """Make the kernel, which belongs to the project `root`; its `start` has it answer.

    The command line is the notebook's: a script's name, `-f` and the connection file.
    """
    # Appending, for a fatal error may follow a dump.
    file = Path(crashes).open("a", encoding="utf-8")  # noqa: SIM115 - open to the end
    faulthandler.enable(file, all_threads=False)
    faulthandler.register(signal.SIGUSR1, file)
    app = HeadlessApp.instance(
        config=_config(), kernel_class=HeadlessKernel, outstream_class=f"{NAME}.PacedStream"
    )
    app.session.pack, app.session.unpack = pack, unpack
    app.initialize()
    more = {"os.putenv": _teller(app.kernel)}
    tracer = _beside("trace").begin(str(Path(crashes).with_name("trace")), root, more)
    at_work = AtWork(Path(crashes).with_name("ending.json"), app.kernel, tracer.modules)
    app.kernel.on_end = at_work.begin
    # What is registered later runs earlier: the notebook's own handlers do.
    atexit.register(at_work.over)
    if level == "DEBUG":
        HeadlessShell.instance().events.register("post_run_cell", lambda _: _stay_at_debug())
    return app


def main() -> None:
    """Be a kernel in a process of its own."""
    level, crashes, root = sys.argv[1:4]
    # The notebook sees the command line as Jupyter makes it.
    del sys.argv[1:4]
    sys.modules[NAME] = sys.modules[__name__]
    log_to_notebook(level)
    prepare(level, crashes, root).start()


if __name__ == "__main__":
    main()

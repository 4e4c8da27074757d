"""JupyterLab with kernels that know the stages of a project; such a kernel for another server."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from urllib.parse import quote

from ..errors import UsageError
from ..system import machine, remove, why

_HERE = Path(__file__).parent
# By this name it takes the place of the environment's own kernel.
NATIVE = "python3"
_MOST = 40


@dataclass(frozen=True)
class Asked:
    """Whose values a kernel gives: of which project and profile, and what `-p` sets."""

    root: Path
    profile: str
    parameters: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """What a kernel is to know."""
        words = list(self.parameters)
        return json.dumps({"root": str(self.root), "profile": self.profile, "parameters": words})

    def write_spec(self, folder: Path, display_name: str | None = None) -> None:
        """Write a kernelspec; without a name for people it has the one that ipykernel's own has.

        Jupyter writes that name into a notebook's metadata.
        """
        # Slow to import.
        from ipykernel.kernelspec import write_kernel_spec  # noqa: PLC0415

        script = str(_HERE / "startup.py")
        changes: dict[str, object] = {
            "argv": [sys.executable, script, self.about, "-f", "{connection_file}"],
            "env": {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED") or machine.HASH_SEED},
        }
        if display_name is not None:
            changes["display_name"] = display_name
        write_kernel_spec(folder, overrides=changes)


@dataclass(frozen=True)
class Kernel:
    """A kernel that runs already, for a notebook.

    `holder` and `number` are the process that interrupts it, and the signal for that; `name` and
    `display_name` are those of its kernelspec.
    """

    connection: Path
    holder: int
    number: int
    name: str = NATIVE
    display_name: str | None = None

    def share(self, folder: Path) -> list[str]:
        """Put its connection file into a new folder, for us alone; give the options for that."""
        folder.mkdir(0o700)
        about = json.loads(self.connection.read_bytes())
        # Without its name JupyterLab would write an empty one into the notebook.
        text = json.dumps({**about, "kernel_name": self.name})
        place = folder / "kernel.json"
        place.touch(0o600)
        place.write_text(text, "utf-8")
        return [
            "--ServerApp.allow_external_kernels=True",
            f"--ServerApp.external_connection_dir={folder}",
            "--AsyncMappingKernelManager.kernel_manager_class=runner.jupyter.joined.JoinedKernel",
            f"--JoinedKernel.holder={self.holder}",
            f"--JoinedKernel.number={self.number}",
        ]


def must_start(instead: str) -> None:
    """See that JupyterLab can be started here.

    Args:
        instead: what there is where a server runs already.

    Raises:
        UsageError: it cannot.
    """
    if "JUPYTERHUB_SERVICE_PREFIX" in os.environ:
        message = f"a Jupyter server runs here already; {instead}"
        raise UsageError(message)
    if find_spec("jupyterlab") is None:
        message = f"JupyterLab is not installed for {sys.executable}; pip install jupyterlab"
        raise UsageError(message)


@contextmanager
def running(
    asked: Asked, notebook: str | None, kernel: Kernel | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start JupyterLab, which ends at the latest with us.

    Args:
        asked: whose values its kernels give.
        notebook: what it shows first, named relative to the project.
        kernel: that of the notebook, if it runs already.
    """
    with tempfile.TemporaryDirectory(prefix="lab-") as name:
        folder = Path(name)
        shown: dict[str, str | None] = {NATIVE: None}
        module, options = ["jupyterlab"], list[str]()
        if kernel is not None:
            if kernel.display_name is not None:
                shown[kernel.name] = kernel.display_name
            module = ["runner.jupyter.joined", notebook or ""]
            options = kernel.share(folder / "external")
        for known_as, display_name in shown.items():
            asked.write_spec(folder / "kernels" / known_as, display_name)
        before = os.environ.get("JUPYTER_PATH")
        paths = os.pathsep.join(filter(None, [name, before]))
        page = f"/lab/tree/{quote(notebook)}" if notebook else "/lab"
        options += [
            f"--ServerApp.root_dir={asked.root}",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.allow_remote_access=False",
            f"--LabApp.default_url={page}",
            # Who is root here has chosen to be: most are so in a container.
            *(["--allow-root"] if os.geteuid() == 0 else []),
        ]
        own = str(os.getpid())
        program = [sys.executable, "-m", "runner.jupyter.child", own, str(int(signal.SIGTERM))]
        process = subprocess.Popen(  # noqa: S603 - our own words
            [*program, *module, *options],
            cwd=asked.root,
            env={**os.environ, "JUPYTER_PATH": paths},
            stdin=subprocess.DEVNULL,
            # Ctrl-C is for us, and passed on.
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def serve(asked: Asked, notebook: str | None, kernel: Kernel | None = None) -> int:
    """Run JupyterLab until it ends, or this process is told to end; give the exit code.

    Ctrl-C and SIGTERM have it end its kernels, and itself; a second one kills it. The arguments
    are as for `running`.
    """
    with _ending() as came, running(asked, notebook, kernel) as process:
        came.process = process
        code = process.wait()
    return 0 if came.count else code


class _Came:
    """The signals that came, and the process to which they go."""

    def __init__(self) -> None:
        self.count = 0
        self.process: subprocess.Popen[bytes] | None = None

    def take(self, _number: int, _frame: FrameType | None) -> None:
        """Have JupyterLab end; the second time at once."""
        self.count += 1
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM if self.count == 1 else signal.SIGKILL)


@contextmanager
def _ending() -> Iterator[_Came]:
    came = _Came()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, came.take) for number in numbers}
    try:
        yield came
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def install(asked: Asked) -> str:
    """Install a kernel for the user's Jupyter servers; give the name that people see there.

    Raises:
        UsageError: it cannot be written.
    """
    shown = f"{asked.root.name} ({asked.profile})"
    place = _installed() / f"{_prefix(asked.root)}{asked.profile}"
    try:
        remove(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        asked.write_spec(place, shown)
    except OSError as error:
        message = f"the kernel cannot be installed: {why(error)}"
        raise UsageError(message) from None
    return shown


def uninstall(root: Path, profiles: Sequence[str] = ()) -> list[str]:
    """Remove the kernels of a project that `install` made, or those of profiles; name these.

    Raises:
        UsageError: one cannot be removed.
    """
    prefix, gone = _prefix(root), []
    for place in sorted(_installed().glob(f"{prefix}*")):
        profile = place.name.removeprefix(prefix)
        if profiles and profile not in profiles:
            continue
        try:
            remove(place)
        except OSError as error:
            message = f"the kernel cannot be removed: {why(error)}"
            raise UsageError(message) from None
        gone.append(profile)
    return gone


def _installed() -> Path:
    """Give the user's folder of kernels, where every server of the user's looks."""
    from jupyter_core.paths import jupyter_data_dir  # noqa: PLC0415 - slow to import

    return Path(jupyter_data_dir()) / "kernels"


def _prefix(root: Path) -> str:
    """Give how the names of a project's kernels begin; Jupyter takes few characters in them."""
    name = re.sub(r"[^a-z0-9]+", "-", root.name.lower())[:_MOST].strip("-")
    return f"run-{name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}-"

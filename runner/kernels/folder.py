"""A kernel's own folder: its sockets, its files, and what of the environment points there."""

import contextlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..system import machine

# A Unix socket's path has at most 107 bytes (unix(7)); ours add some 30 to the folder's.
_LONGEST_FOLDER = 60
# Nothing waits for a person.
_UNATTENDED = {
    "GIT_TERMINAL_PROMPT": "0",
    "PIP_NO_INPUT": "1",
    "DEBIAN_FRONTEND": "noninteractive",
}


def unattended() -> dict[str, str]:
    """Give the environment in which kernels run, but for what is each one's own."""
    seed = os.environ.get("PYTHONHASHSEED") or machine.HASH_SEED
    return {**os.environ, **_UNATTENDED, "PYTHONHASHSEED": seed}


@dataclass(frozen=True)
class Place:
    """A folder for one kernel: short, and for this user alone."""

    folder: Path

    @classmethod
    def make(cls) -> "Place":
        """Make the folder.

        Raises:
            OSError: none with a short name can be written.
        """
        candidates = [
            *(tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR")),
            *("/tmp", "/dev/shm"),  # noqa: S108 - the folder itself is private
        ]
        for parent in candidates:
            if parent and len(os.fsencode(parent)) <= _LONGEST_FOLDER:
                with contextlib.suppress(OSError):
                    return cls(Path(tempfile.mkdtemp(prefix="kernel-", dir=parent)))
        message = "no short temporary folder can be written; set TMPDIR to one, such as /tmp"
        raise OSError(message)

    @property
    def raw_output(self) -> Path:
        """What the kernel writes outside of Jupyter."""
        return self.folder / "output.txt"

    @property
    def crashes(self) -> Path:
        """The stacks that `faulthandler` writes."""
        return self.folder / "crashes.txt"

    @property
    def trace(self) -> Path:
        """What the kernel's audit hook saw of the use of files."""
        return self.folder / "trace"

    @property
    def ending(self) -> Path:
        """What is still at work when the kernel is to end: a list of names."""
        return self.folder / "ending.json"

    @property
    def connection_file(self) -> Path:
        """Where the kernel's sockets are, and their key."""
        return self.folder / "kernel.json"

    @property
    def environment(self) -> dict[str, str]:
        """What points into the folder; no personal settings count, and no home is written to."""
        return {
            "IPYTHONDIR": str(self.folder / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
        }

    def write_connection(self) -> dict[str, str | int]:
        """Write the connection file as jupyter_client does, for Unix sockets.

        The format: https://jupyter-client.readthedocs.io/en/stable/kernels.html
        """
        names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
        connection: dict[str, str | int] = {
            **{name: number for number, name in enumerate(names, 1)},
            "ip": str(self.folder / "kernel-ipc"),
            "key": secrets.token_hex(16),
            "transport": "ipc",
            "signature_scheme": "hmac-sha256",
            "kernel_name": "",
        }
        descriptor = os.open(self.connection_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is open
            json.dump(connection, file)
        return connection

"""The fork server: the process that all warm ones are forked from, directly or not."""

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .folder import unattended

_NURSERY = Path(__file__).with_name("nursery.py")


@dataclass(frozen=True)
class ForkServer:
    """The process, the socket to it, and the file that takes what it says as it dies."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    said: int

    @property
    def last_words(self) -> str:
        """The last line that it wrote."""
        size = os.fstat(self.said).st_size
        return os.pread(self.said, size, 0).decode("utf-8", "replace").strip().rpartition("\n")[2]

    def end(self, limit: float) -> None:
        """Close the socket, on which it ends; kill it if it does not, in `limit` seconds."""
        if self.process.returncode is not None:
            return
        self.control.close()
        try:
            self.process.wait(max(0.01, limit))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.said)


def start(folder: Path) -> ForkServer:
    """Start the process in the folder where the notebooks run; it imports meanwhile.

    Raises:
        OSError: it cannot be started.
    """
    said = os.memfd_create("said")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, str(_NURSERY), str(theirs.fileno())],
            cwd=folder,
            env=unattended(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return ForkServer(process, ours, said)

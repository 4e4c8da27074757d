"""jupyter_client's manager and provisioner, with a guard between us and each kernel."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, cast

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.utils import ensure_async
from traitlets import Type

from ..model import Keep
from . import keeping
from .folder import Place, unattended
from .warm import Spare

_HERE = Path(__file__).parent
_AFTER_KILL = 5.0
_SOON = 0.005


@dataclass(frozen=True)
class Ended:
    """How a kernel ended: the status as `os.wait` gives it, and what it used.

    `status` is None if the guard was killed and took the answer with it.
    """

    status: int | None
    cpu_seconds: float | None = None
    peak_memory: int | None = None

    @property
    def code(self) -> int:
        """The exit code, negative for a signal, as `subprocess` gives it."""
        return -signal.SIGKILL if self.status is None else os.waitstatus_to_exitcode(self.status)

    @property
    def words(self) -> str:
        """The signal's name, or the exit code."""
        if self.status is None:
            return "SIGKILL (its guard was killed)"
        if self.code >= 0:
            return f"exit status {self.code}"
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"


class GuardedProvisioner(LocalProvisioner):
    """A kernel below a guard; its end is known at once, and with its status."""

    ended: Ended | None = None
    kernel_pid: int | None = None
    is_handed_over = False
    _guard_pid: int | None = None
    _control: socket.socket | None = None
    _watcher: asyncio.Task[None] | None = None
    _over: asyncio.Event

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and has not been waited for."""
        return self._control is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Prepare to start a kernel; a spare one has its connection file and needs nothing."""
        manager = cast("GuardedManager", self.parent)
        if manager.spare is None:
            return await super().pre_launch(**kwargs)
        self.connection_info = manager.get_connection_info()
        return {"cmd": []}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:  # noqa: ANN401
        """Start the guard, which starts the kernel; or take over those of a spare."""
        manager = cast("GuardedManager", self.parent)
        spare = manager.spare
        control = self._guard(manager.place, cmd, kwargs) if spare is None else spare.control
        control.setblocking(False)  # noqa: FBT003 - the socket's own signature
        self._control = control
        self._over = asyncio.Event()
        self._watcher = asyncio.create_task(self._watch(control))
        return self.connection_info

    def _guard(self, place: Place, cmd: list[str], options: dict[str, Any]) -> socket.socket:
        ours, theirs = socket.socketpair()
        stays = cast("GuardedManager", self.parent).may_stay
        with theirs:
            command = [
                *(sys.executable, "-I", "-S", str(_HERE / "guard.py"), str(theirs.fileno())),
                *(str(place.raw_output), str(place.folder), *cmd),
            ]
            self.process = subprocess.Popen(  # noqa: S603 - a kernel's own command line
                command,
                cwd=options.get("cwd"),
                env=options.get("env"),
                stdin=subprocess.DEVNULL,
                # One that may stay when we are gone holds nobody up who reads what we print.
                **dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL if stays else None),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return ours

    async def _watch(self, control: socket.socket) -> None:
        """Read what the guard says, to the kernel's end; its own end is that, too."""
        loop = asyncio.get_running_loop()
        pending = b""
        ended = Ended(None)
        with contextlib.suppress(OSError):
            while ended.status is None and (received := await loop.sock_recv(control, 4096)):
                *lines, pending = (pending + received).split(b"\n")
                for line in lines:
                    message = json.loads(line)
                    self.kernel_pid = message.get("pid", self.kernel_pid)
                    self._guard_pid = message.get("guard", self._guard_pid)
                    if "status" in message:
                        ended = Ended(**message)
        if ended.status is None and self.kernel_pid is not None:
            # The guard was killed; the kernel died with it, but not what shares its group.
            with contextlib.suppress(OSError):
                os.killpg(self.kernel_pid, signal.SIGKILL)
        self.ended = ended
        self._over.set()

    async def poll(self) -> int | None:
        """Give the exit code if the kernel has ended."""
        return self.ended.code if self.ended else None

    async def hand_over(self, take: Callable[[int], bool]) -> bool:
        """Let go of the kernel if `take` takes the socket to its guard; tell whether it did."""
        control, watcher = self._control, self._watcher
        if control is None or watcher is None or self._over.is_set():
            return False
        if not await asyncio.to_thread(take, control.fileno()):
            return False
        watcher.cancel()
        control.close()
        self._control, self.is_handed_over = None, True
        if self.process is not None:
            # The guard stays when we are gone, which Python would warn of.
            self.process.returncode = 0
        return True

    async def wait(self) -> int | None:
        """Wait for the end of the kernel and of everything below it."""
        if self._control is None:
            return None
        await self._over.wait()
        self._control.close()
        self._control = None
        # No thread waits: one that waits in vain would hold up our own end.
        while self.process is not None and self.process.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(_SOON)
        return self.ended.code if self.ended else None

    async def wait_until_over(self) -> None:
        """Wait for the end without taking note of it."""
        await self._over.wait()

    async def send_signal(self, signum: int) -> None:
        """Signal the kernel's process group."""
        self._command(str(int(signum)))

    def dump(self) -> None:
        """Have the kernel, not its children, write its stack to the file of crashes."""
        self._command("dump")

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Kill the kernel and everything below it; a guard that does not listen, too."""
        if self._control is None:
            return
        self._command("kill")
        try:
            await asyncio.wait_for(self._over.wait(), _AFTER_KILL)
        except TimeoutError:
            if self._guard_pid is not None:
                with contextlib.suppress(OSError):
                    os.kill(self._guard_pid, signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Ask the kernel's process group to end."""
        self._command(str(int(signal.SIGTERM)))

    def _command(self, word: str) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(word.encode() + b"\n")


class Channel(AsyncZMQSocketChannel):
    """A channel that misses no message.

    ZeroMQ tells once of what has come, whoever asks the socket next. jupyter_client sends
    past the asyncio socket, so it is sending that may be told, and then who waits for a reply
    is not woken (an Output widget sends while its cell's reply is on its way).
    """

    LOOK_AGAIN = 0.5

    async def get_msg(  # type: ignore[override]  # as the class above has it
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - its own signature
    ) -> dict[str, Any]:
        """Wait for a message; without `timeout`, look again from time to time."""
        if timeout is not None:
            return await super().get_msg(timeout)
        while True:
            with contextlib.suppress(Empty):
                return await super().get_msg(self.LOOK_AGAIN)


class Client(AsyncKernelClient):
    """A client that takes in every message, however late we are to read it.

    A kernel of ours waits while many messages are unread. Others drop them, past 1,000,
    unless the client's sockets have no high-water mark.
    """

    shell_channel_class = Type(Channel)
    iopub_channel_class = Type(Channel)
    control_channel_class = Type(Channel)
    unread_messages = 0

    def _context_default(self) -> zmq.asyncio.Context:
        """Make sockets with the high-water mark."""
        context = super()._context_default()
        context.rcvhwm = self.unread_messages
        # A kernel opens its sockets later than we connect; ZeroMQ would look every 100 ms.
        context.reconnect_ivl = 5
        return context


class PacedClient(Client):
    """A client of a kernel that waits for it: what is unread stays small."""

    unread_messages = 200


class GuardedManager(AsyncKernelManager):
    """Starts one kernel with sockets in a private folder, below a guard."""

    def __init__(
        self,
        language: str,
        kernel: str | None,
        log_level: str,
        root: str,
        spare: Spare | None = None,
    ) -> None:
        """Prepare a kernel.

        Args:
            language: a Python notebook runs on this interpreter unless `kernel` says
                otherwise.
            kernel: the name of an installed kernel, or None.
            log_level: from which on `logging` in the notebook is shown.
            root: the project's folder.
            spare: a kernel of this interpreter that runs already.
        """
        ours = language == "python" and kernel is None
        super().__init__(transport="ipc", client_factory=PacedClient if ours else Client)
        self.killed = False
        # Whether the kernel may be handed over.
        self.may_stay = False
        self.trace: bytes | None = None
        self.spare = spare
        self.place = Place.make() if spare is None else spare.place
        self.connection_file = str(self.place.connection_file)
        if spare is not None:
            self.load_connection_info(cast("KernelConnectionInfo", spare.connection))
        if ours:
            options = [log_level, str(self.place.crashes), root]
            self._kernel_spec = KernelSpec(
                argv=[sys.executable, str(_HERE / "main.py"), *options, "-f", "{connection_file}"],
                display_name="Python",
                language="python",
                # ipykernel opens a debugger's port otherwise.
                metadata={"debugger": False},
            )
        elif kernel is not None:
            self.kernel_name = kernel
        self.provisioner = GuardedProvisioner(
            parent=self, kernel_id="kernel", kernel_spec=self.kernel_spec
        )

    async def hand_over(self, keep: Keep, root: Path) -> bool:
        """Have another process keep the kernel from now on; tell whether it does.

        Then `end` leaves the kernel and its folder alone.
        """
        return await self.guarded.hand_over(
            lambda control: keeping.keep(keep, control, self.place.connection_file, root)
        )

    async def end(self, limit: float = 5.0) -> Ended | None:
        """End the kernel, politely for `limit` seconds, and everything below it.

        `killed` tells afterwards whether it was asked and did not listen, `trace` what it was
        seen to do to files.

        Returns:
            How it ended, or None if it was never started.
        """
        guarded = self.guarded
        if guarded.is_handed_over:
            self.context.destroy()
            return None
        if guarded.has_process:
            if guarded.ended is None and limit:
                await ensure_async(self.request_shutdown())
            # A process that waits for a lost disk cannot be killed; we do not wait for it.
            with contextlib.suppress(TimeoutError):
                try:
                    await asyncio.wait_for(guarded.wait_until_over(), limit)
                except TimeoutError:
                    self.killed = bool(limit)
                    await guarded.kill()
                    await asyncio.wait_for(guarded.wait_until_over(), _AFTER_KILL)
            with contextlib.suppress(OSError):
                self.trace = self.place.trace.read_bytes()
            with contextlib.suppress(TimeoutError):
                # From now on the guard clears up.
                await asyncio.wait_for(guarded.wait(), _AFTER_KILL)
        await ensure_async(self.cleanup_resources())
        shutil.rmtree(self.place.folder, ignore_errors=True)
        return guarded.ended

    def cleanup_connection_file(self) -> None:
        """Remove the connection file, of a kernel that is still ours: this comes at our own end."""
        if self.provisioner is None or not self.guarded.is_handed_over:
            super().cleanup_connection_file()

    def environment(self) -> dict[str, str]:
        """Give the kernel's environment: nothing waits for a person or writes to the home."""
        return {**unattended(), **self.place.environment}

    @property
    def guarded(self) -> GuardedProvisioner:
        """The provisioner, by its own type."""
        return cast("GuardedProvisioner", self.provisioner)

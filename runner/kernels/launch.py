"""Bring a kernel up: started again, a few times, while nothing has run in it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient

from ..model import Job
from ..words import shown
from . import messages
from .manager import GuardedManager
from .warm import Spare

_ATTEMPTS = 3

Say = Callable[[int, str], None]
# A warm kernel, or None for want of one.
Coming = Future[Spare | None] | None


class KernelStartError(Exception):
    """No kernel came up; the text is what it said, or for how long we waited."""


@dataclass(frozen=True)
class Started:
    """A kernel that answers, the client that it answers to, and what it says of itself."""

    manager: GuardedManager
    client: AsyncKernelClient
    info: dict[str, Any]


async def launch(job: Job, coming: Coming, stopped: asyncio.Event, say: Say) -> Started:
    """Start a kernel and wait until it answers; at first the one that is coming, if any.

    Raises:
        KernelStartError: none came up, however often it was tried.
        asyncio.CancelledError: `stopped` was set meanwhile.
    """
    said = ""
    for attempt in range(1, _ATTEMPTS + 1):
        spare = await _spare(job, coming, stopped, say) if attempt == 1 else None
        manager = GuardedManager(job.language, job.kernel, job.log_level, str(job.root), spare)
        manager.may_stay = job.keep is not None
        try:
            return await _attempt(manager, job, stopped)
        except KernelStartError as error:
            said = tail(manager.place.raw_output).strip() or str(error)
            await manager.end(0.0)
            if attempt < _ATTEMPTS:
                say(logging.WARNING, f"the kernel did not start, trying again: {said}")
        except BaseException:
            await manager.end(0.0)
            raise
    message = f"the kernel did not start in {_ATTEMPTS} attempts: {said.splitlines()[-1]}"
    raise KernelStartError(message)


async def _spare(job: Job, coming: Coming, stopped: asyncio.Event, say: Say) -> Spare | None:
    """Wait for a warm kernel; None if there is none, and a cold one is to start."""
    if coming is None:
        return None
    taken = asyncio.wrap_future(coming)
    stop = asyncio.create_task(stopped.wait())
    both: set[asyncio.Future[Any]] = {taken, stop}
    await asyncio.wait(both, timeout=job.limits.start, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if taken.done():
        return taken.result()
    taken.cancel()
    if stopped.is_set():
        raise asyncio.CancelledError
    words = (
        f"its imports are not finished after {job.limits.start:g} seconds; its own kernel does them"
    )
    say(logging.WARNING, words)
    return None


async def _attempt(manager: GuardedManager, job: Job, stopped: asyncio.Event) -> Started:
    environment = {**manager.environment(), **job.environment}
    await manager.start_kernel(cwd=str(job.working_directory), env=environment)
    client = manager.client()
    client.start_channels(hb=False, stdin=False)
    client.allow_stdin = False
    try:
        info = await _until_ready(manager, client, job.limits.start, stopped)
        if manager.spare is not None:
            # It was there before anyone knew for which stage.
            message = client.session.msg(messages.ENVIRONMENT, dict(job.environment))
            client.shell_channel.send(message)
    except BaseException:
        client.stop_channels()
        raise
    return Started(manager, client, info)


async def _until_ready(
    manager: GuardedManager, client: AsyncKernelClient, limit: float, stopped: asyncio.Event
) -> dict[str, Any]:
    """Wait for an answer on both channels: the kernel's, and the first broadcast."""
    heard = asyncio.create_task(client.iopub_channel.get_msg(timeout=None))
    over = asyncio.create_task(manager.guarded.wait_until_over())
    stop = asyncio.create_task(stopped.wait())
    deadline = time.monotonic() + limit
    answered: dict[str, Any] | None = None
    try:
        while answered is None or not heard.done():
            client.kernel_info()
            reply = asyncio.create_task(client.shell_channel.get_msg(timeout=1.0))
            wanted = {over, stop, reply} if answered is None else {over, stop, heard}
            await asyncio.wait(wanted, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            if over.done():
                ended = manager.guarded.ended
                message = f"it ended with {ended.words}" if ended else "it vanished"
                raise KernelStartError(message)
            if stop.done():
                raise asyncio.CancelledError
            with contextlib.suppress(Empty):
                message_read = await reply
                if message_read["msg_type"] == "kernel_info_reply":
                    answered = message_read["content"]
            if time.monotonic() > deadline:
                message = f"no answer in {limit:g} seconds"
                raise KernelStartError(message)
    finally:
        for task in (heard, over, stop):
            task.cancel()
    return answered


def tail(path: Path, most: int = 16_000) -> str:
    """Read the end of a file of the kernel's, without control characters."""
    try:
        data = path.read_bytes()[-most:]
    except OSError:
        return ""
    return shown(data.decode("utf-8", "replace"))

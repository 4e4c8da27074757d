"""The runner's side of warm kernels: keeps the tree of processes, and hands out kernels.

The processes form a tree (see `family` and `nursery`): below one that has imported nothing
but what every kernel needs, each has imported something more. A kernel is forked from the
process that has imported exactly what its notebook imports, as far as that is done ahead, so
that no notebook finds in it what another one has imported.
"""

import contextlib
import json
import logging
import os
import selectors
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Self

from ..model import Wanted
from .family import Family, Imports, Member
from .folder import Place
from .forkserver import ForkServer

_MOST = 1 << 18
# Processes of the tree; past them, notebooks import by themselves what is not there yet.
_MOST_MEMBERS = 16
# How many stages ahead imports are begun.
_HORIZON = 8
# Statements of which a new process says whether they would load something; a message of
# SOCK_SEQPACKET has to fit into the socket's buffer, some 200 KB.
_MOST_KNOWN = 500
_END = 2.0


@dataclass(frozen=True)
class Spare:
    """A kernel that runs, or soon will; `control` is the socket to its guard."""

    place: Place
    connection: dict[str, str | int]
    control: socket.socket

    def drop(self) -> None:
        """Let go of it: its guard ends it, if there is one already."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)

    def clear(self, limit: float) -> None:
        """Wait up to `limit` seconds until a kernel let go of has ended; leave nothing of it."""
        end = time.monotonic() + limit
        with contextlib.suppress(OSError), self.control:
            while True:
                self.control.settimeout(max(0.01, end - time.monotonic()))
                if not self.control.recv(4096):
                    break
        shutil.rmtree(self.place.folder, ignore_errors=True)


@dataclass
class Warm:
    """Gives kernels forked from `server` or from a process below it, for the folder `project`.

    `jobs` kernels may be needed at once. Notebooks lie in `folders`: nothing is imported
    ahead that one of them would find there. Whatever happens to the processes, `take` gives an
    answer: None is for a kernel that starts by itself. `say` is told once what went wrong.
    """

    server: ForkServer
    project: str
    log_level: str
    jobs: int
    folders: Sequence[str]
    say: Callable[[int, str], None]
    _family: Family = field(default_factory=Family)
    _sockets: dict[Member, socket.socket] = field(default_factory=dict)
    _expected: list[Wanted] = field(default_factory=list)
    _waiting: list[tuple[Wanted, Future[Spare | None]]] = field(default_factory=list)
    _spares: list[tuple[Wanted, Spare]] = field(default_factory=list)
    _dropped: list[Spare] = field(default_factory=list)
    # Files of modules that are not installed, with the times when they were changed.
    _edited: dict[str, int] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    # As long as it has not been entered, and once it is left.
    _closed: bool = True

    def __enter__(self) -> Self:
        """Listen to the process."""
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)  # noqa: FBT003 - the socket's own signature
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._add(Member(), self.server.control)
        self._thread = threading.Thread(target=self._listen, name="warm", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, and the kernels that nobody took."""
        with self._lock:
            self._closed = True
            self._expected = []
            self._discard()
            self._give_up()
            self._rouse()
        self._thread.join()
        limit = time.monotonic() + _END
        for member in list(self._family.members):
            self._remove(member)
        self.clear()
        self.server.end(limit - time.monotonic())
        for one in (self._woken, self._wake):
            one.close()
        self._selector.close()

    def expect(self, wanted: Sequence[Wanted]) -> None:
        """Say what kernels will be taken next, in this order, as far as is known."""
        with self._lock:
            self._expected = list(wanted)
            self._discard()
            self._advance()

    def forget(self) -> None:
        """Let go of all that was imported: packages may be others now."""
        with self._lock:
            for member in self._family.members[1:]:
                self._remove(member)
            expected, self._expected = self._expected, []
            self._discard()
            self._expected = expected

    def take(self, wanted: Wanted, stopped: Callable[[], bool]) -> Future[Spare | None]:
        """Give a kernel to a notebook, as soon as there is one.

        Whoever cancels the future has waited too long, unless the run is stopped.
        """
        future: Future[Spare | None] = Future()
        with self._lock:
            if wanted in self._expected:
                self._expected.remove(wanted)
            self._waiting.append((wanted, future))
            self._advance()

        def done(future: Future[Spare | None]) -> None:
            if future.cancelled() and not stopped():
                self._not_waited_for(wanted.imports)

        future.add_done_callback(done)
        return future

    def drop(self, spare: Spare) -> None:
        """Take back a kernel that was not needed."""
        spare.drop()
        with self._lock:
            self._dropped.append(spare)

    def clear(self) -> None:
        """Leave nothing of kernels that were let go of."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
        limit = time.monotonic() + _END
        for spare in dropped:
            spare.clear(limit - time.monotonic())

    @property
    def works(self) -> bool:
        """Whether kernels can be forked that are as new ones would be."""
        with self._lock:
            edited = {**self._edited}
        same = all(_changed_at(file) == at for file, at in edited.items())
        return same and not self._closed and bool(self._family.members)

    @property
    def _most_at_once(self) -> int:
        """How many processes may import at once: a stage that runs needs a CPU, too."""
        return min(self.jobs + len(self._waiting), max(2, os.cpu_count() or 1))

    def _coming(self) -> list[Imports]:
        return [one.imports for one in (*(one for one, _ in self._waiting), *self._expected)]

    def _advance(self) -> None:
        """Do all that can be done now."""
        if self._closed:
            return
        if self._family.members and self._family.members[0].ready:
            self._answer()
            self._prepare()
        if not self._family.members:
            self._give_up()

    def _answer(self) -> None:
        """Give kernels to those who wait, as far as the imports are done."""
        for waiting in list(self._waiting):
            wanted, future = waiting
            if future.cancelled():
                self._waiting.remove(waiting)
                continue
            if (home := self._home(wanted.imports, waited_for=True)) is None:
                continue
            spare = self._spare(wanted, home)
            if spare is None and home not in self._family.members:
                # It ended meanwhile; there is another one, or none, at the next look.
                self._rouse()
                continue
            self._waiting.remove(waiting)
            if future.set_running_or_notify_cancel():
                future.set_result(spare)
            elif spare is not None:
                self._spares.append((wanted, spare))

    def _prepare(self) -> None:
        """Fork the kernels that come next, and begin the imports of those after them."""
        left = [wanted for wanted, _ in self._spares]
        for wanted in self._expected[: self.jobs + 1]:
            if wanted in left:
                left.remove(wanted)
            elif len(self._spares) <= self.jobs:
                home = self._home(wanted.imports)
                if home is not None and (spare := self._fork(home, wanted.folder)) is not None:
                    self._spares.append((wanted, spare))
        for wanted in self._expected[:_HORIZON]:
            self._home(wanted.imports)

    def _spare(self, wanted: Wanted, home: Member) -> Spare | None:
        """Give a kernel that was forked ahead, or fork one."""
        for each in self._spares:
            if each[0] == wanted:
                self._spares.remove(each)
                return each[1]
        return self._fork(home, wanted.folder)

    def _discard(self) -> None:
        """End kernels whose stages were skipped after all."""
        coming = list(self._expected)
        for each in list(self._spares):
            if each[0] in coming:
                coming.remove(each[0])
            else:
                self._spares.remove(each)
                self.drop(each[1])

    def _home(self, imports: Imports, *, waited_for: bool = False) -> Member | None:
        """Give the process to fork from, or None while one is importing what is missing."""
        step = self._family.step(imports, self._coming())
        if step.complete or step.home is None or not step.grow:
            return step.home if step.complete else None
        if len(self._family.members) >= _MOST_MEMBERS:
            for member in self._family.useless(self._coming()):
                self._remove(member)
        full = len(self._family.members) >= _MOST_MEMBERS
        if full or self._family.importing() >= self._most_at_once:
            return step.home if waited_for else None
        self._grow(step.home, step.grow)
        return None

    def _grow(self, member: Member, imports: Imports) -> None:
        known = list(dict.fromkeys(one for each in self._coming() for one in each))[:_MOST_KNOWN]
        folders = list(self.folders)
        culprits = sorted(self._family.culprits)[:_MOST_KNOWN]
        request = self._request(
            "grow", imports=imports, known=known, folders=folders, culprits=culprits
        )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            if self._send(member, request, theirs):
                loaded = member.loaded | set(imports)
                self._add(Member(member, member.changed, loaded, imports), ours)
            else:
                ours.close()

    def _fork(self, member: Member, folder: str) -> Spare | None:
        """Fork a kernel; None if the process is gone, or no folder can be made."""
        try:
            place = Place.make()
        except OSError:
            # The same will befall a cold kernel, whose stage will tell.
            return None
        ours, theirs = socket.socketpair()
        with theirs, contextlib.suppress(OSError):
            connection = place.write_connection()
            request = self._request(
                "kernel",
                working_directory=folder,
                folder=str(place.folder),
                output=str(place.raw_output),
                crashes=str(place.crashes),
                root=self.project,
                connection=str(place.connection_file),
                environment=place.environment,
            )
            if self._send(member, request, theirs):
                return Spare(place, connection, ours)
        ours.close()
        shutil.rmtree(place.folder, ignore_errors=True)
        return None

    def _request(self, what: str, **details: object) -> dict[str, object]:
        return {"do": what, "log_level": self.log_level, **details}

    def _send(self, member: Member, request: Mapping[str, object], end: socket.socket) -> bool:
        try:
            data = json.dumps(request).encode()
            socket.send_fds(self._sockets[member], [data], [end.fileno()])
        except OSError:
            self._has_ended(member)
            return False
        return True

    def _add(self, member: Member, control: socket.socket) -> None:
        self._family.members.append(member)
        self._sockets[member] = control
        self._selector.register(control, selectors.EVENT_READ, member)
        self._rouse()

    def _rouse(self) -> None:
        """Have the thread look again."""
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    def _remove(self, member: Member) -> None:
        """Let go of a process, and of those below it: they end."""
        if member not in self._family.members:
            return
        for each in self._family.below(member):
            self._family.members.remove(each)
            control = self._sockets.pop(each)
            self._selector.unregister(control)
            control.close()

    def _listen(self) -> None:
        try:
            self._take_part()
        except Exception as error:  # noqa: BLE001 - nobody is to wait for this thread in vain
            with self._lock:
                self.say(logging.WARNING, f"kernels start by themselves now: {error!r}")
                for member in list(self._family.members):
                    self._remove(member)
                self._give_up()

    def _take_part(self) -> None:
        while True:
            ready = self._selector.select()
            with self._lock:
                if self._closed:
                    return
                for key, _ in ready:
                    if key.data is None:
                        self._woken.recv(4096)
                    elif key.data in self._family.members:
                        self._hear(key.data)
                self._advance()

    def _hear(self, member: Member) -> None:
        """Take in what a process says of its imports."""
        try:
            data = self._sockets[member].recv(_MOST)
        except OSError:
            data = b""
        if not data:
            self._has_ended(member)
            return
        message = json.loads(data)
        if "ready" in message:
            member.ready = True
            member.changed |= set(message["changed"])
            member.loaded |= set(message["loaded"])
            member.importing = ()
            self._edited |= message.get("edited", {})
            return
        self._ban([message["statement"]], message["unfit"], culprit=message["culprit"])
        self._remove(member)

    def _has_ended(self, member: Member) -> None:
        """Take note that a process is gone, and say so where that is news."""
        if member not in self._family.members:
            return
        if member is self._family.members[0]:
            last = self.server.last_words
            words = "the process that kernels are forked from ended; they start by themselves now"
            self.say(logging.WARNING, f"{words} ({last})" if last else words)
        elif not member.ready:
            self._ban(member.importing, "it ends the process")
        self._remove(member)

    def _not_waited_for(self, imports: Imports) -> None:
        """Do without imports that take too long, here and for the stages to come."""
        with self._lock:
            if self._closed:
                return
            wanted = tuple(one for one in imports if not self._family.is_banned(one))
            for member in self._family.importing_for(wanted):
                self._ban(member.importing, "it takes too long")
                self._remove(member)
            self._rouse()

    def _ban(self, statements: Sequence[str], why: str, *, culprit: bool = False) -> None:
        for statement in statements:
            if self._family.ban(statement, culprit=culprit):
                self.say(logging.DEBUG, f"`{statement}` is left to each kernel: {why}")

    def _give_up(self) -> None:
        """Answer whoever waits; a kernel starts by itself then."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(None)


def _changed_at(file: str) -> int | None:
    try:
        return os.stat(file).st_mtime_ns  # noqa: PTH116 - a name of any kind
    except OSError:
        return None

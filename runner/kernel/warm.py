"""The runner's side of warm kernels: which process imports what, and which kernel comes next.

The processes form a tree (see `nursery`): below one that has imported nothing but what every
kernel needs, each has imported something more. A kernel is forked from the process that has
imported exactly what its notebook imports, as far as that is done ahead, so that no notebook
finds in it what another one has imported.
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

from .place import Place
from .root import Root

_MOST = 1 << 18
# Processes of the tree; past them, notebooks import by themselves what is not there yet.
_MOST_NODES = 16
# How many stages ahead imports are begun, and looked at.
_HORIZON = 8
_IN_SIGHT = 50
# Statements of which a new process says whether they would load something; a message of
# SOCK_SEQPACKET has to fit into the socket's buffer, some 200 KB.
_MOST_KNOWN = 500
_END = 2.0

Imports = tuple[str, ...]


@dataclass(frozen=True)
class Spare:
    """A kernel that runs, or soon will; `control` is the socket to its guard."""

    place: Place
    connection: dict[str, str | int]
    control: socket.socket


@dataclass(eq=False)
class _Node:
    """A process of the tree.

    `changed` are the imports that loaded something, from the root down to here, `loaded`
    those that would load nothing more; `importing` is what it does until it is ready.
    """

    control: socket.socket
    changed: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()
    importing: Imports = ()
    ready: bool = False
    parent: "_Node | None" = None

    def suits(self, imports: Imports) -> bool:
        """Tell whether it has imported nothing that a notebook with these imports does not."""
        return self.changed <= set(imports)

    def missing(self, imports: Imports) -> Imports:
        """Give the imports that would load something."""
        return tuple(one for one in imports if one not in self.loaded | self.changed)


@dataclass
class Warm:
    """Gives kernels forked from `root` or from a process below it.

    `jobs` kernels may be needed at once. Whatever happens to the process, `take` gives an
    answer: None is for a kernel that starts by itself. `say` is told once what went wrong.
    """

    root: Root
    log_level: str
    jobs: int
    say: Callable[[int, str], None]
    _nodes: list[_Node] = field(default_factory=list)
    _expected: list[Imports] = field(default_factory=list)
    _waiting: list[tuple[Imports, Future[Spare | None]]] = field(default_factory=list)
    _spares: list[tuple[Imports, Spare]] = field(default_factory=list)
    _banned: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __enter__(self) -> Self:
        """Listen to the process."""
        self._closing = False
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._add(_Node(self.root.control))
        self._thread = threading.Thread(target=self._listen, name="warm", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, and the kernels that nobody took."""
        with self._lock:
            self._closing = True
            self._wake.send(b"x")
            left, self._spares = self._spares, []
            self._give_up()
        self._thread.join()
        self._end(left)
        for one in (self._woken, self._wake):
            one.close()
        self._selector.close()

    def expect(self, imports: Sequence[Imports]) -> None:
        """Say what kernels will be taken next, in this order, as far as is known."""
        with self._lock:
            self._expected = list(imports)
            self._discard()
            self._advance()

    def take(self, imports: Imports) -> Future[Spare | None]:
        """Give a kernel to a notebook with these imports, as soon as there is one."""
        future: Future[Spare | None] = Future()
        with self._lock:
            if imports in self._expected:
                self._expected.remove(imports)
            self._waiting.append((imports, future))
            self._advance()
        return future

    @property
    def _most_at_once(self) -> int:
        """How many processes may import at once: a stage that runs needs a CPU, too."""
        return min(self.jobs + len(self._waiting), max(2, os.cpu_count() or 1))

    @property
    def _root(self) -> _Node | None:
        return self._nodes[0] if self._nodes else None

    def _advance(self) -> None:
        """Do all that can be done now."""
        if self._root is None:
            self._give_up()
            return
        if self._root.ready:
            self._answer()
            self._prepare()

    def _answer(self) -> None:
        """Give kernels to those who wait, as far as the imports are done."""
        for waiting in list(self._waiting):
            imports, future = waiting
            if future.cancelled():
                self._waiting.remove(waiting)
                continue
            if (home := self._home(imports)) is None:
                continue
            spare = self._spare(imports, home)
            if spare is None and home not in self._nodes:
                # It ended meanwhile; the socket to it says so, too, and we look again.
                continue
            self._waiting.remove(waiting)
            if future.set_running_or_notify_cancel():
                future.set_result(spare)
            elif spare is not None:
                self._spares.append((imports, spare))

    def _prepare(self) -> None:
        """Fork the kernels that come next, and begin the imports of those after them."""
        left = [imports for imports, _ in self._spares]
        for imports in self._expected[: self.jobs + 1]:
            if imports in left:
                left.remove(imports)
            elif len(self._spares) <= self.jobs:
                home = self._home(imports)
                if home is not None and (spare := self._fork(home)) is not None:
                    self._spares.append((imports, spare))
        for imports in self._expected[:_HORIZON]:
            self._home(imports)

    def _spare(self, imports: Imports, home: _Node) -> Spare | None:
        """Give a kernel that was forked ahead, or fork one."""
        for each in self._spares:
            if each[0] == imports:
                self._spares.remove(each)
                return each[1]
        return self._fork(home)

    def _discard(self) -> None:
        """End kernels whose stages were skipped after all."""
        coming = list(self._expected)
        for each in list(self._spares):
            if each[0] in coming:
                coming.remove(each[0])
            else:
                self._spares.remove(each)
                each[1].control.close()

    def _home(self, imports: Imports) -> _Node | None:
        """Give the process to fork from, or None while one is importing what is missing."""
        wanted = tuple(one for one in imports if one not in self._banned)
        suitable = [node for node in self._nodes if node.ready and node.suits(wanted)]
        if not suitable:
            return None
        best = max(suitable, key=lambda node: (len(node.changed), len(node.loaded)))
        missing = best.missing(wanted)
        if not missing:
            return best
        importing = [node for node in self._nodes if not node.ready]
        if any(node.suits(wanted) and set(node.importing) <= set(wanted) for node in importing):
            return None
        if len(self._nodes) >= _MOST_NODES:
            self._prune()
        if len(self._nodes) >= _MOST_NODES or len(importing) >= self._most_at_once:
            waited_for = any(imports == each for each, _ in self._waiting)
            return best if waited_for else None
        self._grow(best, self._shared(best, missing))
        return None

    def _shared(self, node: _Node, missing: Imports) -> Imports:
        """Choose the imports that most notebooks share; what they all share comes first."""
        coming = self._coming()
        users = {
            one: [n for n, each in enumerate(coming) if one in each and node.suits(each)]
            for one in missing
        }
        first = max(missing, key=lambda one: len(users[one]))
        return tuple(one for one in missing if users[one] == users[first])

    def _coming(self) -> list[Imports]:
        waited_for = [imports for imports, _ in self._waiting]
        return [*waited_for, *self._expected[:_IN_SIGHT]]

    def _grow(self, node: _Node, imports: Imports) -> None:
        known = list(dict.fromkeys(one for each in self._coming() for one in each))[:_MOST_KNOWN]
        request = self._request("grow", imports=imports, known=known)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            if self._send(node, request, theirs):
                loaded = node.loaded | set(imports)
                self._add(_Node(ours, node.changed, loaded, imports, parent=node))
            else:
                ours.close()

    def _prune(self) -> None:
        """End processes that no notebook to come can use."""
        coming = self._coming()
        for node in self._nodes[1:]:
            if node.ready and not any(node.suits(imports) for imports in coming):
                self._remove(node)

    def _fork(self, node: _Node) -> Spare | None:
        """Fork a kernel; None if the process is gone, or no folder can be made."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                place = Place.make()
                connection = place.write_connection()
            except OSError:
                # The same will befall a cold kernel, whose stage will tell.
                ours.close()
                return None
            request = self._request(
                "kernel",
                folder=str(place.folder),
                output=str(place.raw_output),
                crashes=str(place.crashes),
                connection=str(place.connection_file),
                environment=place.environment,
            )
            if self._send(node, request, theirs):
                return Spare(place, connection, ours)
        ours.close()
        shutil.rmtree(place.folder, ignore_errors=True)
        return None

    def _request(self, what: str, **details: object) -> dict[str, object]:
        return {"do": what, "log_level": self.log_level, **details}

    def _send(self, node: _Node, request: Mapping[str, object], end: socket.socket) -> bool:
        try:
            socket.send_fds(node.control, [json.dumps(request).encode()], [end.fileno()])
        except OSError:
            self._remove(node)
            return False
        return True

    def _add(self, node: _Node) -> None:
        self._nodes.append(node)
        self._selector.register(node.control, selectors.EVENT_READ, node)
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    def _remove(self, node: _Node) -> None:
        """Let go of a process; it ends, and so do those below it."""
        if node not in self._nodes:
            return
        self._nodes.remove(node)
        self._selector.unregister(node.control)
        node.control.close()
        for each in list(self._nodes):
            if each.parent is node:
                self._remove(each)

    def _listen(self) -> None:
        try:
            self._take_part()
        except Exception as error:  # noqa: BLE001 - nobody is to wait for this thread
            with self._lock:
                self._closing = True
                self.say(logging.WARNING, f"kernels start by themselves now: {error!r}")
                for node in list(self._nodes):
                    self._remove(node)
                self._give_up()

    def _take_part(self) -> None:
        while True:
            ready = self._selector.select()
            with self._lock:
                if self._closing:
                    return
                for key, _ in ready:
                    if key.data is None:
                        self._woken.recv(4096)
                    elif key.data in self._nodes:
                        self._hear(key.data)
                self._advance()

    def _hear(self, node: _Node) -> None:
        try:
            data = node.control.recv(_MOST)
        except OSError:
            data = b""
        root = node is self._root
        if data:
            message = json.loads(data)
            if "ready" in message:
                node.ready = True
                node.changed |= set(message["changed"])
                node.loaded |= set(message["loaded"])
                node.importing = ()
                return
            self._ban([message["statement"]], message["unfit"])
        elif root:
            last = self.root.last_words
            words = "the process that kernels are forked from ended; they start by themselves now"
            self.say(logging.WARNING, f"{words} ({last})" if last else words)
        elif not node.ready:
            self._ban(node.importing, "it ends the process")
        self._remove(node)

    def _ban(self, statements: Sequence[str], why: str) -> None:
        for statement in statements:
            if statement not in self._banned:
                self._banned.add(statement)
                self.say(logging.INFO, f"`{statement}` is left to each kernel: {why}")

    def _give_up(self) -> None:
        """Answer whoever waits; a kernel starts by itself then."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def _end(self, left: list[tuple[Imports, Spare]]) -> None:
        """Close all sockets, on which everything ends, and wait for it, but not for ever."""
        limit = time.monotonic() + _END
        for node in list(self._nodes):
            self._remove(node)
        for _, spare in left:
            with contextlib.suppress(OSError):
                spare.control.shutdown(socket.SHUT_WR)
        for _, spare in left:
            spare.control.settimeout(max(0.01, limit - time.monotonic()))
            with contextlib.suppress(OSError), spare.control:
                while spare.control.recv(4096):
                    pass
        self.root.end(limit - time.monotonic())

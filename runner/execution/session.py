"""One notebook in one kernel, cell by cell: how each ends, and what it says on the way."""

import asyncio
import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.client import CellExecutionComplete  # type: ignore[attr-defined]
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from ..errors import Exit
from ..kernels import messages
from ..kernels.ending import Ending
from ..kernels.launch import Coming, KernelStartError, launch, tail
from ..kernels.manager import Ended
from ..kernels.stacks import readable
from ..model import INJECTED_CELL, MEMORY, CellRef, CellStarted, Event, Job, Line, SecretSet, State
from ..project import PYTHON, first_line
from ..secrets import Mask
from ..stop import Stop
from ..system import why
from ..words import one_line, seconds_in_words, shortened, shown
from .executed import ExecutedNotebook, hidden, now
from .printed import Printed, relative
from .pulse import Pulse
from .streams import Lines
from .widgets import Bars

_quiet = logging.getLogger("runner.nbclient")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False

_TICK = 0.5
_OUTPUTS = {"display_data", "execute_result", "update_display_data", "error"}
_SHOWN = {*_OUTPUTS, "clear_output", "stream"}
# What ipykernel raises where a cell asks for an answer.
_NOBODY = {"StdinNotImplementedError", "BdbQuit"}
_ASKS = re.compile(r"\b(?:input|getpass|breakpoint|set_trace)\(")
_AFTER_INTERRUPT = 4.0
# How long a kernel may take to end when asked, where nothing that it does counts any more.
_AFTER_FAILURE, _AFTER_STOP = 5.0, 1.0
_LAST_MESSAGE = 2.0
# In seconds: a kernel of ours that has answered has little more to send, or never will.
_AFTER_REPLY, _AFTER_FOREIGN_REPLY = 60, 600
# Of a traceback so much is in the log; the executed notebook has more.
_LONGEST_LINE, _MOST_LINES = 2_000, 200
# Nobody looks at more of an exception's text; the notebook is to be opened, after all.
_LONGEST_TEXT = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """How the cells ended; `error` is one line."""

    state: State
    error: str | None = None
    cell: CellRef | None = None
    ended: Ended | None = None
    warm: bool | None = None
    trace: bytes | None = None


class Session(NotebookClient):
    """nbclient's client, with our kernel, our clock and our verdict."""

    def __init__(
        self,
        job: Job,
        executed: ExecutedNotebook,
        emit: Callable[[Event], None],
        stop: Stop,
        spare: Coming,
    ) -> None:
        """Prepare to run the notebook as `job` says, in the kernel `spare` if one is coming."""
        super().__init__(
            executed.notebook,
            timeout=None,
            iopub_timeout=_AFTER_REPLY if _is_ours(job) else _AFTER_FOREIGN_REPLY,
            raise_on_iopub_timeout=True,
            store_widget_state=True,
            log=_quiet,
        )
        self.job = job
        self.executed = executed
        self.emit = emit
        self.stop = stop
        self.spare = spare
        self.refs = _references(executed.notebook, executed.mask)
        self.now: CellRef | None = None
        self.mask = executed.mask
        label = relative(job.working_directory)
        self.printed = Printed(job.printed, label, self.mask, self._say)
        self._asked_to_leave = self._raised = False
        # Where messages belong, by the request that they answer: all cells that have run.
        self._places: dict[str, tuple[NotebookNode, int, CellRef | None]] = {}
        self._current: int | None = None
        self._late: dict[int, Printed] = {}
        self._bars, self._bars_told = Bars(), 0.0

    async def async_run(self) -> Outcome:
        """Start the kernel, run the cells, end the kernel."""
        for cell in self.nb.cells:
            if cell.cell_type == "code":
                cell.metadata.setdefault("papermill", {})["status"] = "pending"
                cell.outputs = []
                cell.execution_count = None
        self._stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        with self.stop.subscribed(lambda: loop.call_soon_threadsafe(self._stopped.set)):
            self.executed.save(self.executed.content())
            limit = self.job.limits.stage
            self._deadline = None if limit is None else time.monotonic() + limit
            try:
                started = await launch(self.job, self.spare, self._stopped, self._say)
            except KernelStartError as error:
                return Outcome(State.KERNEL_DIED, str(error))
            except asyncio.CancelledError:
                return self._stopped_in(None)
            self.km = self._manager = manager = started.manager
            self.kc = self.client = started.client
            if "language_info" in started.info:
                self.nb.metadata["language_info"] = started.info["language_info"]
            self._pulse = Pulse(manager.guarded, manager.place.crashes, self.job.pace, self._say)
            ticker = asyncio.create_task(self._tick())
            try:
                outcome = await self._cells()
                if not await self._kept():
                    outcome = await self._to_the_end(outcome)
                crash = readable(tail(manager.place.crashes), self._cell_in_words())
                raw = tail(manager.place.raw_output), crash
            finally:
                ticker.cancel()
                ended = await manager.end(0.0)
                with contextlib.suppress(Exception):
                    self.client.stop_channels()
                self._late_texts(Printed.finish)
            if outcome.state is State.KERNEL_DIED:
                for text in raw:
                    self._say(logging.ERROR, text.strip("\n"))
            self.set_widgets_metadata()
            if ended is not None and ended.peak_memory is not None:
                peak = max(ended.peak_memory, self._pulse.peak_memory)
                ended = replace(ended, peak_memory=peak)
            warm = manager.spare is not None
            return replace(outcome, ended=ended, warm=warm, trace=manager.trace)

    async def _kept(self) -> bool:
        """Have the kernel of a cell that has raised an exception kept, if that is asked for."""
        keep = self.job.keep
        if keep is None or not self._raised or self._stopped.is_set():
            return False
        if not await self._manager.hand_over(keep, self.job.root):
            self._say(logging.WARNING, "its kernel could not be kept")
            return False
        until = time.strftime("%H:%M", time.localtime(time.time() + keep.seconds))
        self._say(logging.ERROR, f"its kernel is kept until {until}: {keep.command}")
        return True

    async def _to_the_end(self, outcome: Outcome) -> Outcome:
        """Have the kernel end, and what the notebook left at work before it.

        What that prints is taken in. If it has to be killed, nothing that it may have been
        about to write counts as written.
        """
        good = outcome.state is State.SUCCEEDED or (
            outcome.state is State.EXITED_EARLY and outcome.error is None
        )
        limit = self._limit_of_end(good=good)
        listening = asyncio.create_task(self._listen())
        ending = Ending(self._manager, self.job, self._say)
        left = await ending.wait(self._stopped, limit, good=good)
        if self._manager.guarded.ended is not None and self._is_ours and good:
            # Its last message may still be on its way.
            await asyncio.wait({listening}, timeout=_LAST_MESSAGE)
        listening.cancel()
        over = listening.done() and not listening.cancelled()
        if not good or over:
            return outcome
        if self._stopped.is_set():
            return self._stopped_in(self.now)
        if left and self._deadline is not None and self._left_of_stage() <= 0:
            what = f"the limit of a stage (timeout) ended it; still at work: {left}"
            return Outcome(State.TIMED_OUT, what, self.now)
        ended = self._manager.guarded.ended
        if left or (ended is None and self._is_ours):
            at_work = left or "the kernel, which does not answer"
            what = f"still at work {seconds_in_words(limit)} after the last cell: {at_work}"
            what += "; end it in the notebook, or give it more time (end-timeout)"
            return Outcome(State.FAILED, what, self.now)
        if ended is None:
            self._say(logging.WARNING, "the kernel did not end when asked; it is killed")
        elif self._is_ours and ended.code:
            what = f"the kernel died after the last cell: {ended.words}"
            return Outcome(State.KERNEL_DIED, what, self.now)
        return outcome

    @property
    def _is_ours(self) -> bool:
        """Whether the kernel is one that says when nothing is at work any more."""
        return _is_ours(self.job)

    def _limit_of_end(self, *, good: bool) -> float:
        if self.stop.reason is not None:
            return _AFTER_STOP
        if not (good and self._is_ours):
            return _AFTER_FAILURE
        limit = self.job.limits.end
        return limit if self._deadline is None else min(limit, self._left_of_stage())

    async def _listen(self) -> None:
        """Take in what the kernel sends after the last cell, up to its last message."""
        while True:
            message = await ensure_async(self.client.iopub_channel.get_msg(timeout=None))
            if message["msg_type"] == messages.OVER:
                return
            self._deliver(message)

    def _deliver(self, message: dict[str, Any]) -> bool:
        """Take in a message for the cell that it comes from; tell whether that is done.

        What a cell began, such as a thread or a task, may print when a later cell runs.
        """
        if message["msg_type"] == messages.VARIABLE:
            self._learn(message["content"])
            return False
        place = self._places.get(message["parent_header"].get("msg_id"))
        if place is None and message["msg_type"] in _SHOWN:
            # An exit handler belongs to no cell, and a kernel may name a request that was not ours.
            place = next(reversed(self._places.values()), None)
        if place is None:
            return False
        cell, index, ref = place
        if message["msg_type"] == messages.RECORD:
            self._recorded(message["content"], index, ref)
            return False
        late = self._current != index
        try:
            self.process_message(message, cell, index)
        except CellExecutionComplete:
            return not late
        except Exception as error:
            if not late and message["msg_type"] in _OUTPUTS:
                # What the notebook was to show is lost: it is told as any failure of the cell.
                raise
            what = f"an output that makes no sense is left out: {type(error).__name__}: {error}"
            self._say(logging.WARNING, shown(what.partition("\n")[0]), at=ref)
        if late and message["msg_type"] in _SHOWN:
            self.executed.cell_changed(index)
        return False

    def _recorded(self, content: Mapping[str, Any], index: int, ref: CellRef | None) -> None:
        """Take in a record of `logging`: the log has more of it than the notebook."""
        self.printed.last = time.monotonic()
        text = self.mask(content["text"])
        self._say(content["level"], shown(text), content["logger"], at=ref)
        if content["shown"]:
            self._printed_by(index).add("stderr", f"{text}\n")

    def _learn(self, variable: Mapping[str, str]) -> None:
        """Hide what the notebook has put into its environment, if it is a secret."""
        for value in self.mask.learn({variable["name"]: variable["value"]}):
            self.emit(SecretSet(self.job.stage, value))
            self.executed.mask_changed()

    async def _async_poll_output_msg(
        self, parent_msg_id: str, cell: NotebookNode, cell_index: int
    ) -> None:
        """Take in what the kernel sends, for this cell and for those before it."""
        self._places[parent_msg_id] = cell, cell_index, self.now
        while True:
            message = await ensure_async(self.client.iopub_channel.get_msg(timeout=None))
            if self._deliver(message):
                return

    def _printed_by(self, index: int) -> Printed:
        """Give what takes in the streams of a cell: of the current one, or of one before it."""
        if index == self._current:
            return self.printed
        if index not in self._late:
            ref, cell = self.refs[index], self.nb.cells[index]

            def say(level: int, text: str, logger: str | None = None) -> None:
                self._say(level, text, logger, at=ref)

            label = relative(self.job.working_directory)
            self._late[index] = Printed(self.job.printed, label, self.mask, say)
            self._late[index].begin(f"{self.job.stage}-{ref.number}-late", cell)
        return self._late[index]

    def _late_texts(self, act: Callable[[Printed], None]) -> None:
        """Do something with what cells have printed after their end, and save that."""
        for index, one in self._late.items():
            act(one)
            self.executed.cell_changed(index)

    async def _cells(self) -> Outcome:
        for index, cell in enumerate(self.nb.cells):
            ref = self.refs.get(index)
            if ref is None or self._is_left_out(cell, ref):
                if ref is not None:
                    cell.metadata.papermill["status"] = "skipped"
                self.executed.cell_finished(index)
                continue
            if self._stopped.is_set():
                return self._stopped_in(ref)
            self.now, self._current = ref, index
            self.printed.begin(f"{self.job.stage}-{ref.number}", cell)
            self._pulse.begin(self._cell_in_words())
            self.emit(CellStarted(self.job.stage, ref))
            outcome = await self._one(index, cell, ref)
            self.printed.finish()
            self._tell_bars()
            self._current = None
            count = cell.execution_count
            if not (isinstance(count, int) and count >= 0):
                # A notebook can set it, and the file would not be valid.
                cell.execution_count = None
            done = outcome is None or (
                outcome.state is State.EXITED_EARLY and outcome.error is None
            )
            cell.metadata.papermill["status"] = "completed" if done else "failed"
            cell.metadata.papermill["exception"] = not done
            cell.metadata.papermill["end_time"] = now()
            if memory := self._pulse.memory():
                cell.metadata[MEMORY] = memory
            self.executed.cell_finished(index)
            if outcome is not None:
                run = replace(ref, execution=self._execution(index))
                return replace(outcome, cell=run if outcome.cell is ref else outcome.cell)
        return Outcome(State.SUCCEEDED)

    def _execution(self, index: int) -> int | None:
        """Give the number that Jupyter shows beside a cell that has been run.

        A kernel that died may not have told it; those of ours count one by one.
        """
        cells = self.nb.cells[: index + 1]
        told: list[int | None] = [one.get("execution_count") for one in cells]
        if told[-1] is None and self._is_ours:
            return 1 + max(filter(None, told), default=0)
        return told[-1]

    def _is_left_out(self, cell: NotebookNode, ref: CellRef) -> bool:
        """Tell a cell that is not run; the values injected beside it are not meant."""
        return ref.number in self.job.left_out and not _is_injected(cell)

    async def _one(self, index: int, cell: NotebookNode, ref: CellRef) -> Outcome | None:
        """Run one cell; None means that it succeeded and the next may run."""
        cell.metadata.papermill |= {"status": "running", "start_time": now()}
        running = asyncio.create_task(self.async_execute_cell(cell, index))
        stopped = asyncio.create_task(self._stopped.wait())
        limit, whose = self._limit()
        await asyncio.wait({running, stopped}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        interrupted: Outcome | None = None
        if not running.done():
            if stopped.done():
                interrupted = self._stopped_in(ref)
            else:
                words = f"{whose} ended it after {seconds_in_words(limit or 0.0)}"
                interrupted = Outcome(State.TIMED_OUT, words, ref)
            await self._interrupt(running)
        stopped.cancel()
        outcome = await self._verdict(running, cell, ref)
        return interrupted or outcome

    def _limit(self) -> tuple[float | None, str]:
        """Give the seconds that the cell has, and which limit they come from."""
        cell = self.job.limits.cell
        if self._deadline is None:
            return cell, "the limit of a cell (cell-timeout)"
        left = self._left_of_stage()
        if cell is not None and cell < left:
            return cell, "the limit of a cell (cell-timeout)"
        return left, "the limit of a stage (timeout)"

    def _left_of_stage(self) -> float:
        return max(0.0, (self._deadline or 0.0) - time.monotonic())

    async def _interrupt(self, running: asyncio.Task[NotebookNode]) -> None:
        """Interrupt the cell as Ctrl-C would; kill the kernel if it does not listen."""
        if not self.stop.at_once:
            await self._manager.interrupt_kernel()
        limit = time.monotonic() + _AFTER_INTERRUPT
        while not running.done() and time.monotonic() < limit and not self.stop.at_once:
            await asyncio.wait({running}, timeout=0.2)
        if not running.done():
            await self._manager.guarded.kill()
            await asyncio.wait({running}, timeout=_AFTER_INTERRUPT)
            running.cancel()

    async def _verdict(
        self, running: asyncio.Task[NotebookNode], cell: NotebookNode, ref: CellRef
    ) -> Outcome | None:
        try:
            await running
        except CellExecutionError as error:
            if error.ename == "SystemExit" and error.evalue in {"", "0", "None"}:
                return self._left(ref)
            self._say(logging.ERROR, "\n".join(_traceback(cell)))
            name, value = error.ename, error.evalue
            if name == "NoneType" and (errors := _errors(cell)):
                # Where a value could not be shown, ipykernel's reply has no exception.
                name, value = errors[-1].ename, errors[-1].evalue
            first = shown(value).strip().partition("\n")[0]
            # A kernel of another language may have no name for it.
            name = one_line(name) or "error"
            said = f"{name}: {first}" if first else name
            said = _waits(cell) if error.ename in _NOBODY else said
            self._raised = True
            return Outcome(State.FAILED, said, ref)
        except (DeadKernelError, asyncio.CancelledError):
            await self._last_words(cell, ref)
            ended = self._manager.guarded.ended
            words = ended.words if ended else "no answer"
            if ended and ended.status == 0:
                return self._left(ref)
            return Outcome(State.KERNEL_DIED, f"the kernel died: {words}", ref)
        except Exception as error:  # noqa: BLE001 - whatever a kernel sends, the stage has one end
            said = f"{type(error).__name__}: {(str(error).strip() or 'no words').splitlines()[0]}"
            if isinstance(error, CellTimeoutError):
                said = "the kernel sends no more of what a cell shows; does that close a socket?"
            return Outcome(State.FAILED, said, ref)
        return self._left(ref) if self._asked_to_leave else None

    def _left(self, ref: CellRef) -> Outcome:
        """Judge a notebook that left before its last cell: it may, with its outputs written."""
        names = unwritten(self.job)
        what = f"the notebook left early and did not write {names}" if names else None
        if not self.job.outputs:
            what = "the notebook left early, and declares no `output_…` that would show it is done"
        return Outcome(State.EXITED_EARLY, what, ref)

    async def _check_raise_for_error(
        self, cell: NotebookNode, cell_index: int, exec_reply: dict[str, Any] | None
    ) -> None:
        """Notice `quit()` and `exit()`, after which the kernel ends, too."""
        payload = exec_reply["content"].get("payload") if exec_reply else None
        self._asked_to_leave = any(one.get("source") == "ask_exit" for one in payload or ())
        await super()._check_raise_for_error(cell, cell_index, exec_reply)

    async def _last_words(self, cell: NotebookNode, ref: CellRef) -> None:
        """Take in what a dead kernel had sent before it died."""
        index = next(i for i, each in self.refs.items() if each is ref)
        with contextlib.suppress(Exception):
            while True:
                message = await ensure_async(self.client.iopub_channel.get_msg(timeout=0.2))
                if message["msg_type"] == messages.VARIABLE:
                    self._learn(message["content"])
                else:
                    self.process_message(message, cell, index)

    async def _async_check_alive(self) -> None:
        """Ask the guard, which knows at once."""
        if self._manager.guarded.ended is not None:
            message = "Kernel died"
            raise DeadKernelError(message)

    async def _async_poll_kernel_alive(self) -> None:
        """End the wait for a reply when the kernel ends, not at the next look."""
        await self._manager.guarded.wait_until_over()
        # What it sent before it died may still be on its way.
        await asyncio.sleep(_TICK)
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Keep secrets out of what the kernel shows; what it prints is looked at by itself."""
        if self.mask and msg["msg_type"] in _OUTPUTS:
            msg = {**msg, "content": hidden(self.mask, msg["content"])}
        if msg["msg_type"] == "error":
            content = msg["content"]
            trace = [shortened(one, _LONGEST_TEXT) for one in content["traceback"]]
            value = shortened(content["evalue"], _LONGEST_TEXT)
            msg = {**msg, "content": {**content, "traceback": trace, "evalue": value}}
        return super().process_message(msg, cell, cell_index)

    def output(
        self,
        outs: list[NotebookNode],
        msg: dict[str, Any],
        display_id: str | None,
        cell_index: int,
    ) -> NotebookNode | None:
        """Add an output; what is printed goes to where its size does no harm."""
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if self.clear_before_next_output and not hooked:
            self._printed_by(cell_index).cleared()
        if msg["msg_type"] != "stream" or hooked:
            return super().output(outs, msg, display_id, cell_index)
        if self.clear_before_next_output:
            self.clear_before_next_output = False
            outs.clear()
            self.clear_display_id_mapping(cell_index)
        self._printed_by(cell_index).feed(msg["content"]["name"], msg["content"]["text"])
        return outs[-1] if outs else None

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Clear the outputs, or have the next one do it; those of a widget are its own affair."""
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if not msg["content"]["wait"] and not hooked:
            self._printed_by(cell_index).cleared()
        super().clear_output(outs, msg, cell_index)

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        super()._update_display_id(display_id, msg)
        for index in self._display_id_map.get(display_id, ()):
            self.executed.cell_changed(index)

    async def _tick(self) -> None:
        """Look from time to time after what no message brings about."""
        while True:
            await asyncio.sleep(_TICK)
            self.printed.refresh()
            self._pulse.tick(self.printed.last)
            self._late_texts(Printed.refresh)
            if time.monotonic() - self._bars_told >= Lines.NOW_AND_THEN:
                self._tell_bars()
            data = self.executed.due()
            if data is not None:
                try:
                    await asyncio.to_thread(self.executed.save, data)
                except OSError as error:
                    self._say(logging.WARNING, f"the notebook could not be saved: {why(error)}")

    def _tell_bars(self) -> None:
        """Log how far bars are that are widgets: it is a sign of life, too."""
        self._bars_told = time.monotonic()
        for line in self._bars.news(self.widget_state):
            self.printed.last = self._bars_told
            self._say(logging.INFO, self.mask(shown(line)))

    def _stopped_in(self, ref: CellRef | None) -> Outcome:
        late = self.stop.exit_code is Exit.OUT_OF_TIME
        state = State.TIMED_OUT if late else State.CANCELLED
        return Outcome(state, self.stop.reason or "stopped", ref)

    def _say(
        self, level: int, text: str, logger: str | None = None, at: CellRef | None = None
    ) -> None:
        if text.strip():
            self.emit(Line(time.time(), level, self._where(at or self.now), text, logger))

    def _cell_in_words(self) -> str:
        return f"cell {self.now.number}" if self.now else "no cell"

    def _where(self, at: CellRef | None) -> str:
        return f"{self.job.stage}[{at.number}/{at.cells}]" if at else self.job.stage


def unwritten(job: Job) -> str:
    """Name the declared outputs that are not there, as files or folders, as the notebook does."""
    missing = [path for path in job.outputs if not (path.is_file() or path.is_dir())]
    return ", ".join(os.path.relpath(path, job.working_directory) for path in missing)


def _references(notebook: NotebookNode, mask: Mask) -> dict[int, CellRef]:
    """Number the code cells as they stand in the source; the injected one is not counted.

    It shares the number of the parameters cell before it.
    """
    found: dict[int, tuple[NotebookNode, int]] = {}
    number = 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            number += not _is_injected(cell)
            found[index] = (cell, max(number, 1))
    return {
        index: CellRef(cell.get("id"), n, number, mask(first_line(cell.source)))
        for index, (cell, n) in found.items()
    }


def _is_ours(job: Job) -> bool:
    return job.kernel is None and job.language == PYTHON


def _is_injected(cell: NotebookNode) -> bool:
    return INJECTED_CELL in cell.metadata.get("tags", [])


def _waits(cell: NotebookNode) -> str:
    """Say where a cell waits for a person, and the mend."""
    lines = cell.source.splitlines()
    asking = (number for number, line in enumerate(lines, 1) if _ASKS.search(line))
    found = re.search(r"Cell In\[\d+\], line (\d+)", shown("\n".join(_traceback(cell))))
    where = next(asking, int(found[1]) if found else 0)
    code = f"line {where} ({lines[where - 1].strip()})" if 0 < where <= len(lines) else "it"
    mend = "remove it" if re.search(r"breakpoint|set_trace", code) else "make it a parameter"
    return f"{code} waits for a person, and in a run nobody answers; {mend}"


def _errors(cell: NotebookNode) -> list[NotebookNode]:
    return [output for output in cell.outputs if output.output_type == "error"]


def _traceback(cell: NotebookNode) -> list[str]:
    errors = _errors(cell)
    found = "\n".join(errors[-1].traceback).split("\n") if errors else []
    lines = [shortened(line, _LONGEST_LINE) for line in found]
    if (left_out := len(lines) - _MOST_LINES) > 0:
        half = _MOST_LINES // 2
        lines[half : half + left_out] = [f"[{left_out:,} lines left out]"]
    return lines

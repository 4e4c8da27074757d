"""One profile from its plan to its verdict: run, record, publish, check."""

import contextlib
import logging
import platform
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import banner, machine, metrics, notebooks, preload, resources, runs, scheduler, telling
from .deadline import Deadline
from .document import NotebookError
from .errors import Exit, RunnerError, in_a_line
from .executor import Executor, Executors
from .files import copy_whole, kind, link_on_the_way, sync, why, write_whole
from .freshness import Task
from .heartbeat import beating
from .history import last_made
from .journal import RunRecord, refuse_links, run_folders
from .logs import Log, clock_in_words, seconds_in_words
from .model import (
    CellStarted,
    Event,
    Job,
    Limits,
    Pace,
    Planned,
    Preload,
    Reason,
    Result,
    SecretSet,
    Stage,
    State,
    state_in_words,
)
from .notify import LIMIT, Notifier
from .project import TEST_PROFILE, Project
from .records import planned_details, reason_details, result_details, stage_details
from .secrets import Mask
from .seen import Seen
from .settings import Settings
from .settling import settle
from .stop import Stop
from .verdict import check, clear, of_no_stage, strays
from .witness import Witness

if TYPE_CHECKING:
    from .kernel.warm import Warm

# Imports of so many stages to come are looked at.
_IN_SIGHT = 50


@dataclass
class Build:
    """The deciding side of one run."""

    project: Project
    settings: Settings
    task: Task
    run_id: str
    log: Log
    stop: Stop
    mask: Mask
    executors: Executors
    until: Deadline | None = None
    notifier: Notifier = field(default_factory=lambda: Notifier(()))
    warm: "Warm | None" = None
    on_start: Callable[["Build"], None] | None = None
    # What may fail before the first stage, when the run can be seen already.
    prepare: Callable[[], None] | None = None
    # What is told of the project, with the level of the log.
    remarks: tuple[tuple[int, str], ...] = ()
    # The folders of other profiles' runs, with which the same command goes on.
    then: tuple[str, ...] = ()
    record: RunRecord = field(init=False)
    _read: dict[str, Mapping[str, str | None]] = field(default_factory=dict)
    _preloads: dict[str, Preload] = field(default_factory=dict)
    # Whether the command ends with this run.
    is_last: bool = False
    _late: list[str] = field(default_factory=list)
    _began: float = 0.0
    _since: dict[str, float] = field(default_factory=dict)
    _memory: int = 0
    _done: dict[str, Result] = field(default_factory=dict)
    _verdict: Exit | None = None
    # The names of files that stages were seen to write, and did not declare.
    _written: dict[str, None] = field(default_factory=dict)

    @cached_property
    def _witness(self) -> Witness:
        return Witness(self.project, self.task.freshness, self.log.say)

    @property
    def folder(self) -> Path:
        """The folder of the build."""
        return self.project.build(self.task.profile)

    @cached_property
    def coming(self) -> dict[str, None]:
        """The stages that may still run, in order."""
        return {planned.stage: None for planned in self.task.planned if planned.may_run}

    @cached_property
    def _installing(self) -> set[str]:
        """The stages to run that may install packages."""
        stages = self.task.pipeline.stages
        return {one for one in self.coming if preload.installs(stages[one].notebook)}

    def preload(self, stage: str) -> Preload:
        """Say what can be imported ahead of a stage's kernel."""
        if stage not in self._preloads:
            notebook = self.task.pipeline.stages[stage].notebook
            kernel = self.settings.kernel or notebook.kernel_to_use
            self._preloads[stage] = preload.of_notebook(notebook, kernel, self.project)
        return self._preloads[stage]

    def run(self, command: Sequence[str]) -> Exit:
        """Run what the plan says, under a record of its own; give the exit code.

        The caller holds the build's lock.
        """
        refuse_links(self.folder)
        if self.task.fresh:
            clear(self.folder)
        told = settle(self.folder)
        self._began = time.monotonic()
        self.record = RunRecord(self.folder, self.run_id, self.mask)
        files = self.record.folder / "log.txt", self.folder / "log.txt"
        warn = resources.Watch(self.folder, lambda level, text: self.log.say(text, level=level))

        def watch(memory: int) -> None:
            self._memory = memory
            warn.look()
            self.log.situation(self._situation)

        with (
            contextlib.closing(self.record),
            self.log.to_files(*files),
            beating(self.record.folder, self.stop, watch),
        ):
            try:
                return self._to_its_end(command, told)
            except Exception as error:
                if not self.record.begun:
                    raise
                return self._fail(error)
            finally:
                self._prune()
                self.task.freshness.hashes.save()

    def _to_its_end(self, command: Sequence[str], told: Sequence[str]) -> Exit:
        self._begin(command)
        if self.on_start is not None:
            self.on_start(self)
        for words in told:
            self.log.say(words, level=logging.WARNING)
        for level, text in self.remarks:
            self.log.say(text, level=level)
        facts = threading.Thread(target=self._facts)
        facts.start()
        try:
            if (problem := self._prepared()) is not None:
                return self._give_up(problem)
            results = self._stages()
        finally:
            facts.join()
        return self._end(results)

    def _fail(self, error: Exception) -> Exit:
        """End a run that something went wrong with that is no stage's fault, maybe our own."""
        what = (
            why(error) if isinstance(error, OSError) else f"the runner failed: {in_a_line(error)}"
        )
        self.log.say(what, level=logging.ERROR)
        path = self.record.folder / "traceback.txt"
        text = "".join(traceback.format_exception(error))
        with contextlib.suppress(OSError):
            write_whole(path, self.mask(text).encode("utf-8", "backslashreplace"))
            self.log.say(f"see {self.project.label(path)}", level=logging.ERROR)
        if self._verdict is not None:
            return self._verdict or Exit.FAILED
        for planned in self.task.planned:
            if planned.stage not in self._done:
                self._done[planned.stage] = _not_run(planned.stage, what)
        return self._conclude(self._done, State.FAILED, Exit.FAILED, error=what)

    def _prepared(self) -> RunnerError | None:
        try:
            if self.prepare is not None:
                self.prepare()
        except RunnerError as error:
            return error
        return None

    def _give_up(self, problem: RunnerError) -> Exit:
        """End before the first stage."""
        self.log.say(str(problem), level=logging.ERROR)
        results = {}
        for planned in self.task.planned:
            result = _skipped(planned.stage)
            if planned.may_run:
                result = _not_run(planned.stage, "nothing was run")
            results[planned.stage] = result
            self._record_end(result, [], None)
        self.is_last = True
        return self._conclude(results, State.FAILED, problem.exit_code)

    def _prune(self) -> None:
        if self.settings.keep is not None:
            made = last_made(self.folder, self.task.pipeline.stages)
            with contextlib.suppress(OSError):
                runs.prune(self.folder, self.settings.keep, made)

    def _begin(self, command: Sequence[str]) -> None:
        task = self.task
        then: dict[str, Any] = {"then": list(self.then)} if self.then else {}
        self.record.append(
            "run_started",
            number=self.record.number,
            id=self.run_id,
            profile=task.profile,
            command=list(command),
            targets=list(task.targets),
            parameters=list(task.parameters),
            jobs=self.settings.jobs,
            environment=asdict(task.freshness.environment),
            **then,
        )
        for planned in task.planned:
            self.record.append("stage_planned", **planned_details(planned))
        self.record.publish()
        todo = [planned.stage for planned in task.planned if planned.may_run]
        words = ", ".join(todo) if todo else "nothing to do"
        self.log.say(f"{self.run_id} builds {self.project.label(self.folder)}/: {words}")
        if todo:
            self.log.say(resources.line(self.folder))
            if self.until is not None:
                end = clock_in_words(self.until.clock)
                self.log.say(f"it must end by {end}: {self.until.origin}")

    def _facts(self) -> None:
        facts = machine.facts(self.project.root)
        try:
            self.record.append("facts", **facts)
        except OSError as error:
            self.log.say(f"the record is not complete: {why(error)}", level=logging.WARNING)

    def _stages(self) -> dict[str, Result]:
        results = {}
        for planned in self.task.planned:
            if not planned.may_run:
                results[planned.stage] = self._commit(_skipped(planned.stage))
        todo = {planned.stage: planned for planned in self.task.planned if planned.may_run}
        with self.executors(self.settings.jobs, self._event, self.stop, self.warm) as executor:
            self._expect(executor)
            needs, after = self.task.pipeline.needs, self.task.pipeline.after
            results |= scheduler.run(
                {name: needs[name] - after[name] for name in todo},
                after=after,
                start=lambda name: self._start(executor, todo[name]),
                commit=lambda result: self._and_forget(executor, self._commit(result)),
                rules=scheduler.Rules(self.settings.jobs, self.settings.keep_going, self.stop),
            )
        return results

    def _expect(self, executor: Executor) -> None:
        if self.warm is not None:
            names = takewhile(lambda one: not self._waits_for_packages(one), self.coming)
            executor.expect([self.preload(one) for one in islice(names, _IN_SIGHT)])

    def _waits_for_packages(self, stage: str) -> bool:
        """Tell whether a stage that has not ended may install packages, before this one."""
        return bool(self._installing - {stage})

    def _and_forget(self, executor: Executor, result: Result) -> Result:
        """Have imports done again once a stage may have installed something."""
        if result.stage in self._installing:
            self._installing.discard(result.stage)
            executor.forget()
        return result

    def _situation(self) -> str:
        """Say how far the run is, for how long it will go on, and its memory."""
        now = time.monotonic()
        stages = [planned.stage for planned in self.task.planned if planned.may_run]
        left = [stage for stage in stages if stage not in self._done]
        running = {one: now - began for one, began in [*self._since.items()] if one in left}
        waiting = [stage for stage in left if stage not in running]
        rest = runs.estimate(self._usual, running, waiting, self.settings.jobs)
        ended, seconds = len(stages) - len(left), now - self._began
        return telling.situation(ended, len(stages), seconds, rest=rest, memory=self._memory)

    def _event(self, event: Event) -> None:
        if isinstance(event, SecretSet):
            self.mask.add([event.value])
            return
        if isinstance(event, CellStarted):
            cell = {"id": event.cell.id, "number": event.cell.number, "line": event.cell.line}
            try:
                self.record.append("cell_started", stage=event.stage, cell=cell)
            except OSError:
                # The stage's end will fail to be recorded, too, if this goes on.
                self.record.remember("cell_started", stage=event.stage, cell=cell)
        self.log.emit(event)

    def _start(self, executor: Executor, planned: Planned) -> Future[Result]:
        self.coming.pop(planned.stage, None)
        try:
            return self._submit(executor, planned)
        except NotebookError as error:
            what = f"the notebook was edited after this run began: {error}"
            return _done(Result(planned.stage, State.FAILED, time.time(), 0.0, error=what))
        except OSError as error:
            return _done(Result(planned.stage, State.FAILED, time.time(), 0.0, error=why(error)))

    def _submit(self, executor: Executor, planned: Planned) -> Future[Result]:
        stage, freshness = self.task.pipeline.stages[planned.stage], self.task.freshness
        reasons = planned.reasons or self._reasons_now(planned)
        if not reasons:
            return _done(_skipped(stage.name))
        if (why_not := self._too_late(stage.name)) is not None:
            self._late.append(stage.name)
            return _done(Result(stage.name, State.CANCELLED, time.time(), 0.0, error=why_not))
        notebook = notebooks.read(stage.notebook.path, stage.notebook.label)
        if notebooks.as_in(notebook, self.task.profile) != stage.notebook:
            what = "the notebook was edited after this run began; give the same command again"
            result = Result(stage.name, State.FAILED, time.time(), 0.0, error=what)
            return _done(result)
        for one in stage.inputs:
            if not one.path.exists():
                name = self.project.label(one.path)
                what = f"{one.parameter}: {name} is missing, and no stage before it has written it"
                return _done(Result(stage.name, State.FAILED, time.time(), 0.0, error=what))
        for output in stage.outputs:
            if (link := link_on_the_way(output.path, self.folder)) is not None:
                what = f"{self.project.label(link)} is {kind(link)}; move it away: nothing is "
                what += "written through it"
                return _done(Result(stage.name, State.FAILED, time.time(), 0.0, error=what))
        own = freshness.hashes.of(stage.notebook.path) or ""
        basis = freshness.of_stage(stage)
        self._read[stage.name] = basis.inputs
        details = stage_details(stage, self.project.label, basis, own)
        told = reason_details(reasons)
        self.record.append("stage_started", stage=stage.name, reasons=told, **details)
        self._since[stage.name] = time.monotonic()
        self.log.started(stage.name)
        words = "; ".join(reason.text for reason in reasons)
        self.log.say(f"started ({words})", stage.name, state=State.RUNNING)
        if stage.left_out:
            words = telling.left_out(stage.left_out, self.task.profile)
            self.log.say(words, stage.name)
        job = self._job(stage)
        job.executed.parent.mkdir(parents=True, exist_ok=True)
        submitted = executor.submit(job)
        self._expect(executor)
        return submitted

    @cached_property
    def _usual(self) -> dict[str, float]:
        """The seconds that stages took in earlier runs."""
        wanted = [planned.stage for planned in self.task.planned if planned.may_run]
        return runs.durations(runs.of_build(self.folder), wanted)

    def _too_late(self, stage: str) -> str | None:
        """Say why a stage cannot end before the deadline, by earlier runs, if so."""
        if self.until is None or self.settings.start_late:
            return None
        usual, left = self._usual.get(stage, 0.0), max(0.0, self.until.left)
        if usual <= left:
            return None
        took, rest = seconds_in_words(usual), seconds_in_words(left)
        return (
            f"it took {took} before, and {rest} are left ({self.until.origin}); "
            "--start-late starts it all the same"
        )

    def _reasons_now(self, planned: Planned) -> tuple[Reason, ...]:
        """Look again at a stage, now that those before it have run or were skipped."""
        reasons = self.task.freshness.reasons(planned.stage)
        ran = [one for one in planned.before if one in self._since]
        made = self.task.freshness.made.get(planned.stage)
        is_seen = made is not None and made.seen is not None
        if reasons or is_seen or self.task.pipeline.declares(planned.stage):
            return reasons
        # It says nothing of what it reads, which may be anything that ran before it.
        return tuple(Reason("upstream", f"{one} ran before it") for one in ran)

    def _job(self, stage: Stage) -> Job:
        return Job(
            stage=stage.name,
            root=self.project.root,
            source=stage.notebook.path,
            executed=self.record.notebooks / f"{stage.name}.ipynb",
            printed=self.record.folder / "printed",
            working_directory=stage.notebook.folder,
            parameters=stage.injected,
            outputs=tuple(one.path for one in stage.outputs),
            language=stage.notebook.language,
            kernel=self.settings.kernel or stage.notebook.kernel_to_use,
            log_level=self.settings.log_level,
            limits=Limits(
                self.settings.start_timeout,
                self.settings.cell_timeout,
                self.settings.timeout,
                self.settings.end_timeout,
            ),
            pace=Pace(self.settings.heartbeat, self.settings.silence),
            secrets=self.settings.secrets,
            retries=self.settings.retries_of(stage.name),
            retry_exceptions=self.settings.retry_exceptions,
            preload=self.preload(stage.name),
            environment={
                "RUN_PROFILE": self.task.profile,
                "RUN_STAGE": stage.name,
                "RUN_NOTEBOOK": str(stage.notebook.path),
                "RUN_ID": self.run_id,
                "RUN_OUTPUTS": str(self.folder),
            },
            left_out=frozenset(stage.left_out),
        )

    def _commit(self, result: Result) -> Result:
        """Hash and publish what a good stage left, and write its end into the record."""
        self.coming.pop(result.stage, None)
        outputs: list[dict[str, object]] = []
        found: Seen | None = None
        try:
            found = self._witness.look(result)
            if result.good and result.state is not State.SKIPPED:
                result = self._with_inputs_as_they_were(result)
            if result.good and found is not None:
                result = self._witness.judged(result, found)
                self._written |= dict.fromkeys(found.writes)
            if result.good and result.state is not State.SKIPPED:
                stage = self.task.pipeline.stages[result.stage]
                for output in stage.outputs:
                    sync(output.path)
                outputs = [
                    {
                        "parameter": one.parameter,
                        "path": self.project.label(one.path),
                        "hash": self.task.freshness.hashes.of(one.path),
                    }
                    for one in stage.outputs
                ]
                self._witness.committed({str(one["path"]): str(one["hash"]) for one in outputs})
                name = f"{result.stage}.ipynb"
                published = self.folder / "notebooks" / name
                published.parent.mkdir(parents=True, exist_ok=True)
                copy_whole(self.record.notebooks / name, published)
            if not result.good:
                self._put_banner(result)
            self._record_end(result, outputs, found)
        except OSError as error:
            what = f"its results cannot be kept: {why(error)}"
            if result.good:
                result = replace(result, state=State.FAILED, error=what)
            self.record.remember("stage_ended", **result_details(result), outputs=outputs)
            self.log.say(what, result.stage, logging.ERROR)
        self.log.ended(result)
        self._tell(result)
        self._done[result.stage] = result
        self.log.situation(self._situation)
        return result

    def _put_banner(self, result: Result) -> None:
        """Have the executed notebook say first how it ended; the record does in any case."""
        executed = self.record.notebooks / f"{result.stage}.ipynb"
        stage = self.task.pipeline.stages[result.stage]
        again = f"python run.py {self.task.profile}-{result.stage}"
        if result.stage in self._since and executed.is_file():
            with contextlib.suppress(OSError, ValueError, LookupError):
                error = self.mask(result.error or "")
                banner.add(executed, result, error, stage.notebook.label, again)

    def _with_inputs_as_they_were(self, result: Result) -> Result:
        """Fail a stage that changed what another one wrote; warn if an outside input changed."""
        stage, hashes = self.task.pipeline.stages[result.stage], self.task.freshness.hashes
        for one in stage.inputs:
            name = one.source or self.project.label(one.path)
            if hashes.of(one.path) == self._read[stage.name].get(name, ""):
                continue
            if one.made_by:
                by = " and ".join(one.made_by)
                what = f"{name}, an output of {by}, changed meanwhile; write only what is declared"
                return replace(result, state=State.FAILED, error=what)
            text = f"{name} changed while the stage ran; the next run builds it again"
            self.log.say(text, stage.name, logging.WARNING)
        return result

    def _record_end(
        self, result: Result, outputs: list[dict[str, object]], found: Seen | None
    ) -> None:
        """Make a stage's end last; that `run.json` cannot be written now is no failure of it."""
        details: dict[str, object] = result_details(result) | {"outputs": outputs}
        if found is not None:
            details["seen"] = found.details()
        if result.state is State.SKIPPED:
            made = self.task.freshness.made[result.stage]
            details = result_details(result) | {"made_by": made.run}
            if made.was is not None:
                self._rename(made.was, result.stage)
                details["was"] = made.was
        elif result.good:
            details["made"] = True
        if result.good:
            outputs_of = self.task.pipeline.stages[result.stage].outputs
            numbers = metrics.of_files((one.path for one in outputs_of), self.folder)
            details |= {"metrics": numbers} if numbers else {}
        self.record.append("stage_ended", sync=result.state is not State.SKIPPED, **details)
        with contextlib.suppress(OSError):
            self.record.publish(now=not result.good)

    def _rename(self, old: str, new: str) -> None:
        """Give the executed notebook of a stage whose notebook was renamed its new name."""
        folder = self.folder / "notebooks"
        if not (folder / f"{new}.ipynb").exists():
            (folder / f"{new}.ipynb").parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{old}.ipynb").replace(folder / f"{new}.ipynb")

    def _remove_notebooks_of_no_stage(self) -> None:
        """Remove executed notebooks of stages that are none any more; the runs keep theirs."""
        folder = self.folder / "notebooks"
        for path in of_no_stage(folder, self.task.pipeline.stages):
            inner = path.relative_to(folder)
            if not any((one / "notebooks" / inner).exists() for one in run_folders(self.folder)):
                # It is no run's.
                continue
            with contextlib.suppress(OSError):
                path.unlink()
                self.log.say(f"{self.project.label(path)} is removed: there is no such stage")

    def _tell(self, result: Result) -> None:
        """Log how a stage ended, and for a failure what to open."""
        level, text = telling.stage_end(result)
        self.log.say(text, result.stage, level, result.state)
        executed = self.record.notebooks / f"{result.stage}.ipynb"
        if level >= logging.ERROR and executed.exists():
            where = self.project.label(executed)
            self.log.say(f"see the executed notebook: {where}", result.stage, level)

    def _end(self, results: dict[str, Result]) -> Exit:
        self._warn_of_strays()
        if (shared := self._witness.shared()) is not None:
            self.log.say(shared, level=logging.WARNING)
        state = telling.run_state(list(results.values()))
        if state is State.SUCCEEDED:
            self._remove_notebooks_of_no_stage()
        code = Exit.OK if state is State.SUCCEEDED else Exit.FAILED
        late = self._late and not telling.at_fault(results.values())
        if self.stop.reason is not None or late:
            code = self.stop.exit_code if self.stop.reason is not None else Exit.OUT_OF_TIME
            state = State.TIMED_OUT if code is Exit.OUT_OF_TIME else State.CANCELLED
        if code is Exit.OK and self.task.profile == TEST_PROFILE and self.task.whole:
            code = check(self.project, self.settings, self.log, self.task.pipeline.outputs)
        return self._conclude(results, state, code)

    def _conclude(
        self, results: Mapping[str, Result], state: State, code: Exit, **error: str
    ) -> Exit:
        """Record how the run ended, and tell."""
        seconds = time.monotonic() - self._began
        code = self._record_verdict(state, code, seconds=round(seconds, 3), **error)
        self.is_last |= bool(code) and (self.stop.asked() or not self.settings.keep_going)
        for label in self.then if self.is_last else ():
            other = (self.project.root / label).parents[1].name
            self.log.say(f"{other} was not started", level=logging.WARNING)
        self.log.results([results[one.stage] for one in self.task.planned])
        words = telling.summary(results.values())
        log = self.project.label(self.folder / "log.txt")
        level = logging.INFO if state is State.SUCCEEDED else logging.ERROR
        how = state_in_words(state)
        if code is Exit.DIFFERENT:
            level, how = logging.ERROR, "built, but not as expected"
        text = f"{self.task.profile} {how} in {seconds_in_words(seconds)}: {words}; log: {log}"
        self.log.say(text, level=level)
        if state is State.SUCCEEDED and (files := self._to_open()):
            self.log.say(f"to open: {', '.join(files)}")
        if self.log.failure:
            self.log.say(self.log.failure, level=logging.ERROR)
        self._notify(f"{self.task.profile} {how}", results, seconds)
        return code

    def _to_open(self) -> list[str]:
        """Name what a person looks at: pictures, tables, the last stage's executed notebook."""
        written = self.task.pipeline.outputs
        before = [one.seen.writes for one in self.task.freshness.made.values() if one.seen]
        seen = [name for names in (*before, self._written) for name in names]
        written += [self.project.root / name for name in seen]
        files = telling.to_open(path for path in written if path.is_relative_to(self.project.root))
        last = self.folder / "notebooks" / f"{self.task.planned[-1].stage}.ipynb"
        return [self.project.label(path) for path in (*files, last) if path.is_file()]

    def _notify(self, title: str, results: Mapping[str, Result], seconds: float) -> None:
        """Tell whoever wants to know; that it fails is no failure of the run."""
        took, host = seconds_in_words(seconds), platform.node()
        lines = [f"{self.project.root.name}, run {self.run_id} on {host}, after {took}"]
        lines += telling.faults(results.values())
        # Whoever asked us to end does not wait long.
        limit = 5.0 if self.stop.asked() else LIMIT
        problem = self.notifier.send(self.mask(title), [*map(self.mask, lines)], limit)
        if problem:
            self.log.say(problem, level=logging.WARNING)

    def _record_verdict(self, state: State, code: Exit, **more: object) -> Exit:
        """Write how the run ended; give the exit code, which is bad if that failed."""
        details = {"state": state, "exit_code": code, **more}
        self._verdict = code
        try:
            self.record.append("run_ended", sync=True, **details)
        except OSError as error:
            self.log.say(f"the verdict is not in the journal: {why(error)}", level=logging.ERROR)
            code = code or Exit.FAILED
            self.record.remember("run_ended", **details | {"exit_code": code})
        try:
            self.record.publish()
        except OSError as error:
            self.log.say(f"the record is not complete: {why(error)}", level=logging.ERROR)
            code = code or Exit.FAILED
        return code

    def _warn_of_strays(self) -> None:
        """Name files of the build that no stage declares."""
        for path in strays(self.folder, self.task.pipeline.outputs):
            name = self.project.label(path)
            text = f"{name} is no stage's output; declare it as `output_…` or delete it"
            self.log.say(text, level=logging.WARNING)


def _skipped(stage: str) -> Result:
    return Result(stage, State.SKIPPED, time.time(), 0.0)


def _not_run(stage: str, why_not: str) -> Result:
    return Result(stage, State.CANCELLED, time.time(), 0.0, error=why_not)


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future

"""One profile from its start to its verdict: start, stages, end."""

import contextlib
import logging
import platform
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from ..errors import Exit, RunnerError, in_a_line
from ..execution import Executor
from ..model import BuildKey, CellStarted, Event, Job, Pipeline, Planned, Result, SecretSet, State
from ..project import TEST_PROFILE
from ..runs import heartbeat, last_made, points, refuse_links, repair, store, writer
from ..system import machine, resources, why, write_whole
from ..words import clock_in_words, seconds_in_words, state_in_words
from . import downloads, leftovers, scheduler, sentences, verdict
from .ahead import Ahead
from .commit import Committer
from .notify import LIMIT
from .progress import Progress
from .start import Starter, not_run, skipped
from .turn import Command, Running, Turn


class Outcome(NamedTuple):
    """How a build ended, and whether its command ends with it."""

    code: Exit
    is_last: bool


def run(command: Command, turn: Turn, ahead: Ahead) -> Outcome:
    """Run what a plan says, under a record of its own. The caller holds the build's lock.

    Args:
        command: what the builds of the command share.
        turn: what this one is to do.
        ahead: knows what can be imported for its stages.
    """
    folder = command.project.build(turn.plan.key)
    refuse_links(folder)
    if turn.plan.fresh:
        leftovers.clear(folder)
    told = repair.settle(folder)
    todo = [planned.stage for planned in turn.plan.planned if planned.may_run]
    progress = Progress(folder, todo, command.settings.jobs)
    record = writer.RunWriter(folder, turn.run_id, command.mask)
    log = command.log
    warn = resources.Watch(folder, lambda level, text: log.say(text, level=level))

    def watch(memory: int) -> None:
        progress.memory = memory
        warn.look()
        log.situation(progress.words)

    with (
        contextlib.closing(record),
        log.to_files(record.folder / "log.txt", folder / "log.txt"),
        heartbeat.beating(record.folder, command.stop, watch),
    ):
        one = _Build(Running(command, turn, record, progress), ahead)
        try:
            one.begin(todo)
            return one.to_its_end(told)
        except Exception as error:
            if not record.begun:
                raise
            return one.fail(error)
        finally:
            one.prune()
            turn.plan.freshness.hashes.save()


class _Build:
    """The deciding side of one run; what it consists of is made with it, and stays."""

    def __init__(self, run: Running, ahead: Ahead) -> None:
        self._run = run
        self._command = run.command
        self._project = run.project
        self._log = run.log
        self._plan = run.plan
        self._ahead = ahead
        self._starter = Starter(run, ahead)
        self._committer = Committer(run, self._starter)

    def begin(self, todo: Sequence[str]) -> None:
        """Record and tell what the run is to do."""
        plan = self._plan
        self._run.record.run_started(
            writer.RunStarted(
                profile=plan.key.folder,
                command=self._command.words,
                targets=plan.targets,
                parameters=plan.parameters,
                jobs=self._command.settings.jobs,
                environment=plan.freshness.environment,
                then=self._run.turn.then,
            )
        )
        for planned in plan.planned:
            needs, stage = plan.pipeline.needs[planned.stage], plan.pipeline.stages[planned.stage]
            self._run.record.stage_planned(planned, needs, stage.point)
        if not plan.pipeline.coming:
            points.write(self._run.folder, plan.pipeline)
        self._run.record.publish()
        words = sentences.stages(plan.pipeline, todo) if todo else "nothing to do"
        run_id, build = self._run.turn.run_id, self._project.label(self._run.folder)
        self._log.say(f"{run_id} builds {build}/: {words}")
        if todo:
            self._log.say(resources.line(self._run.folder))
            if (until := self._command.until) is not None:
                self._log.say(f"it must end by {clock_in_words(until.clock)}: {until.origin}")
        file = self._run.record.folder / "log.txt"
        self._log.run_started(run_id, plan.key.folder, file, more=bool(self._run.turn.then))

    def to_its_end(self, told: Iterable[str]) -> Outcome:
        """Run the stages; `told` is what there is to say of earlier runs."""
        for words in told:
            self._log.say(words, level=logging.WARNING)
        for level, text in self._run.turn.remarks:
            self._log.say(text, level=level)
        facts = threading.Thread(target=self._facts)
        facts.start()
        try:
            try:
                downloads.fetch(self._run.turn.fetched, self._log, self._command.stop)
            except RunnerError as problem:
                return self._give_up(problem)
            results = self._stages()
        finally:
            facts.join()
        return self._end(results)

    def fail(self, error: Exception) -> Outcome:
        """End a run that something went wrong with that is no stage's fault, maybe our own."""
        what = (
            why(error) if isinstance(error, OSError) else f"the runner failed: {in_a_line(error)}"
        )
        self._log.say(what, level=logging.ERROR)
        path = self._run.record.folder / "traceback.txt"
        text = "".join(traceback.format_exception(error))
        with contextlib.suppress(OSError):
            write_whole(path, self._command.mask(text).encode("utf-8", "backslashreplace"))
            self._log.say(f"see {self._project.label(path)}", level=logging.ERROR)
        if self._run.record.ended is not None:
            return Outcome(self._run.record.ended or Exit.FAILED, self._is_last(Exit.FAILED))
        results = self._committer.results
        for planned in self._plan.planned:
            if planned.stage not in results:
                results[planned.stage] = not_run(planned.stage, what)
        return self._conclude(results, State.FAILED, Exit.FAILED, error=what)

    def _give_up(self, problem: RunnerError) -> Outcome:
        """End before the first stage, and the command with it."""
        self._log.say(str(problem), level=logging.ERROR)
        for planned in self._plan.planned:
            name = planned.stage
            result = not_run(name, "nothing was run") if planned.may_run else skipped(name)
            self._committer.record(result)
        results = self._committer.results
        return self._conclude(results, State.FAILED, problem.exit_code, is_last=True)

    def prune(self) -> None:
        """Remove old runs, if the settings say so."""
        if self._command.settings.keep is not None:
            made = last_made(self._run.folder, self._plan.pipeline.stages)
            with contextlib.suppress(OSError):
                store.prune(self._run.folder, self._command.settings.keep, made)

    def _facts(self) -> None:
        facts = machine.facts(self._project.root)
        try:
            self._run.record.facts(facts)
        except OSError as error:
            self._log.say(f"the record is not complete: {why(error)}", level=logging.WARNING)

    def _stages(self) -> dict[str, Result]:
        results = {}
        for planned in self._plan.planned:
            if not planned.may_run:
                results[planned.stage] = self._committer.commit(skipped(planned.stage))
        todo = {planned.stage: planned for planned in self._plan.planned if planned.may_run}
        command = self._command
        with command.executors(
            command.settings.jobs, self._event, command.stop, command.warm
        ) as executor:
            self._expect(executor)
            needs, after = self._plan.pipeline.needs, self._plan.pipeline.after
            results |= scheduler.run(
                {name: needs[name] - after[name] for name in todo},
                after=after,
                start=lambda name: self._start(executor, todo[name]),
                commit=lambda result: self._commit(executor, result),
                rules=scheduler.Rules(
                    command.settings.jobs,
                    command.settings.keep_going,
                    command.stop,
                    {name for name in todo if self._plan.pipeline.stages[name].label},
                ),
            )
        return results

    def _start(self, executor: Executor, planned: Planned) -> Future[Result]:
        decided = self._starter.decide(planned)
        if isinstance(decided, Job):
            submitted = executor.submit(decided)
            self._expect(executor)
            return submitted
        future: Future[Result] = Future()
        future.set_result(decided)
        return future

    def _commit(self, executor: Executor, result: Result) -> Result:
        """Commit a result; have imports done again if the stage may have installed something."""
        may_install = self._ahead.ended(result.stage)
        result = self._committer.commit(result)
        if may_install:
            executor.forget()
        return result

    def _expect(self, executor: Executor) -> None:
        if self._command.warm is not None:
            executor.expect(self._ahead.coming())

    def _event(self, event: Event) -> None:
        if isinstance(event, SecretSet):
            self._command.mask.add([event.value])
            return
        if isinstance(event, CellStarted):
            self._run.record.cell_started(event)
        self._log.emit(event)

    def _end(self, results: Mapping[str, Result]) -> Outcome:
        """Look at what the stages have left together, and say how the run ended."""
        pipeline, command = self._plan.pipeline, self._command
        # Of notebooks whose points are not known yet it is not known what is theirs.
        if not pipeline.coming:
            self._tell_of_others(pipeline)
        if (shared := self._committer.inspector.shared()) is not None:
            self._log.say(shared, level=logging.WARNING)
        state, code = verdict.of_run(results, command.stop, is_late=bool(self._starter.late))
        if state is State.SUCCEEDED and not pipeline.coming:
            for path in leftovers.remove_of_no_stage(self._run.folder, pipeline.stages.values()):
                text = f"{self._project.label(path)} is removed: there is no such stage"
                self._log.say(text)
        if code is Exit.OK and self._plan.key == BuildKey(TEST_PROFILE) and self._plan.whole:
            code = verdict.check(self._project, command.settings, self._log, pipeline.outputs)
        return self._conclude(results, state, code)

    def _tell_of_others(self, pipeline: Pipeline) -> None:
        """Say what lies in the build that no stage writes, or only one that it had before."""
        for text in leftovers.strays_told(self._project, self._run.folder, pipeline.outputs):
            self._log.say(text, level=logging.WARNING)
        if former := leftovers.former_points(self._run.folder, pipeline.stages.values()):
            self._log.say(sentences.former_points(self._project.label(self._run.folder), former))

    def _is_last(self, code: Exit) -> bool:
        command = self._command
        return bool(code) and (command.stop.asked() or not command.settings.keep_going)

    def _conclude(
        self,
        results: Mapping[str, Result],
        state: State,
        code: Exit,
        *,
        is_last: bool = False,
        **error: str,
    ) -> Outcome:
        """Record how the run ended, and tell."""
        seconds = self._run.progress.seconds
        for problem in self._run.record.run_ended(state, code, seconds=round(seconds, 3), **error):
            self._log.say(problem, level=logging.ERROR)
            code = code or Exit.FAILED
        is_last |= self._is_last(code)
        for label in self._run.turn.then if is_last else ():
            other = (self._project.root / label).parents[1].name
            self._log.say(f"{other} was not started", level=logging.WARNING)
        self._log.results(sentences.to_list([results[one.stage] for one in self._plan.planned]))
        words = sentences.summary(self._plan.pipeline, [*results.values()])
        log = self._project.label(self._run.folder / "log.txt")
        level = logging.INFO if state is State.SUCCEEDED else logging.ERROR
        how = state_in_words(state)
        if code is Exit.DIFFERENT:
            level, how = logging.ERROR, "built, but not as expected"
        text = f"{self._plan.key.folder} {how} in {seconds_in_words(seconds)}: {words}; log: {log}"
        self._log.say(text, level=level)
        if state is State.SUCCEEDED and (files := self._to_open()):
            self._log.say(f"to open: {', '.join(files)}")
        if state in {State.CANCELLED, State.TIMED_OUT} and not self._plan.fresh:
            self._log.say("the same command goes on from here")
        if self._log.failure:
            self._log.say(self._log.failure, level=logging.ERROR)
        self._notify(f"{self._plan.key.folder} {how}", results, seconds)
        return Outcome(code, is_last)

    def _to_open(self) -> list[str]:
        """Name what a person looks at: pictures, tables, the last stage's executed notebook."""
        root, label = self._project.root, self._project.label
        made, stages = self._plan.freshness.made, self._plan.pipeline.stages
        names = [planned.stage for planned in self._plan.planned]
        # What gathers them says most of many points.
        names = [name for name in names if not stages[name].label] or names
        written = [one.path for name in names for one in stages[name].outputs]
        skipped = (name for name in names if not self._run.progress.has_run(name) and name in made)
        before = [found.writes for name in skipped if (found := made[name].seen)]
        seen = [name for names_of in (*before, self._committer.written) for name in names_of]
        written += [root / name for name in seen]
        files = sentences.to_open(path for path in written if path.is_relative_to(root))
        last = self._run.folder / stages[names[-1]].executed
        return [label(path) for path in (*files, last) if path.is_file()]

    def _notify(self, title: str, results: Mapping[str, Result], seconds: float) -> None:
        """Tell whoever wants to know; that it fails is no failure of the run."""
        command, host = self._command, platform.node()
        took = seconds_in_words(seconds)
        project, run_id = self._project.root.name, self._run.turn.run_id
        lines = [f"{project}, run {run_id} on {host}, after {took}"]
        lines += sentences.faults(results.values())
        # Whoever asked us to end does not wait long.
        limit = 5.0 if command.stop.asked() else LIMIT
        problem = command.notifier.send(command.mask(title), [*map(command.mask, lines)], limit)
        if problem:
            self._log.say(problem, level=logging.WARNING)

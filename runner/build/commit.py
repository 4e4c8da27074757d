"""What a stage has left, made to last: hashes, its executed notebook, its end in the record."""

import contextlib
import logging
from dataclasses import replace
from typing import Any

from ..execution import banner
from ..model import Result, State
from ..runs import Seen, kept, metrics
from ..system import copy_whole, sync, why
from . import sentences
from .inspector import Inspector
from .start import Starter
from .turn import Running

Outputs = list[dict[str, Any]]


class Committer:
    """Commits the results of the stages of one build, in the order in which they end."""

    def __init__(self, run: Running, starter: Starter) -> None:
        """Begin with a build of which no stage has ended."""
        self._run = run
        self._starter = starter
        self._keeper = kept.Keeper(run.record.folder, run.command.settings.keep_outputs)
        self.inspector = Inspector(run.project, run.plan.freshness, run.log.say)
        self.results: dict[str, Result] = {}
        # The names of files that stages were seen to write, and did not declare.
        self.written: dict[str, None] = {}

    def commit(self, result: Result) -> Result:
        """Keep what a stage has left, and record and tell its end; give it as it counts."""
        outputs: Outputs = []
        try:
            found = self.inspector.look(result)
            if result.good and result.state is not State.SKIPPED:
                result = self._with_inputs_as_they_were(result)
            if result.good and found is not None:
                result = self.inspector.judged(result, found)
                self.written |= dict.fromkeys(found.writes)
            if result.good and result.state is not State.SKIPPED:
                outputs = self._kept(result)
                self._publish(result)
            if not result.good:
                self._put_banner(result)
            self._record(result, outputs, found)
        except OSError as error:
            what = f"its results cannot be kept: {why(error)}"
            if result.good:
                result = replace(result, state=State.FAILED, error=what)
            self._run.record.stage_lost(result, outputs)
            self._run.log.say(what, result.stage, logging.ERROR)
        else:
            # Last, so that what must be written finds room first.
            self._keep(result.stage, outputs)
        self._run.log.ended(result)
        self._tell(result)
        self.results[result.stage] = result
        self._run.progress.end(result.stage)
        self._run.log.situation(self._run.progress.words)
        return result

    def record(self, result: Result) -> None:
        """Record how a stage ended that had no chance to run."""
        self._record(result, [], None)
        self.results[result.stage] = result

    def _kept(self, result: Result) -> Outputs:
        """Have a good stage's outputs outlast a power cut; give them with their hashes."""
        hashes = self._run.plan.freshness.hashes
        stage = self._run.plan.pipeline.stages[result.stage]
        for output in stage.outputs:
            sync(output.path)
        outputs: Outputs = [
            {
                "parameter": one.parameter,
                "path": self._run.project.label(one.path),
                "hash": hashes.of(one.path),
            }
            for one in stage.outputs
        ]
        self.inspector.committed({one["path"]: str(one["hash"]) for one in outputs})
        return outputs

    def _keep(self, stage: str, outputs: Outputs) -> None:
        """Keep a stage's small outputs with the run; that this cannot be done is no failure."""
        for one in outputs:
            try:
                self._keeper.keep(self._run.project.root / one["path"], one["hash"])
            except OSError as error:
                text = f"{one['path']} is not kept with the run: {why(error)}"
                self._run.log.say(text, stage, logging.WARNING)
            except kept.ChangedError:
                text = f"{one['path']} is not kept with the run: it changed meanwhile"
                self._run.log.say(text, stage, logging.WARNING)

    def _publish(self, result: Result) -> None:
        """Put a good stage's executed notebook into the build as it stands."""
        stage = self._run.plan.pipeline.stages[result.stage]
        published = self._run.folder / stage.executed
        published.parent.mkdir(parents=True, exist_ok=True)
        copy_whole(self._run.record.notebooks / f"{result.stage}.ipynb", published)

    def _put_banner(self, result: Result) -> None:
        """Have the executed notebook say first how it ended; the record does in any case."""
        executed = self._run.record.notebooks / f"{result.stage}.ipynb"
        stage = self._run.plan.pipeline.stages[result.stage]
        if self._run.progress.has_run(result.stage) and executed.is_file():
            with contextlib.suppress(OSError, ValueError, LookupError):
                error = self._run.command.mask(result.error or "")
                banner.add(executed, result, error, stage.notebook.label, self._run.plan.key.folder)

    def _with_inputs_as_they_were(self, result: Result) -> Result:
        """Fail a stage that changed what another one wrote; warn if an outside input changed."""
        stage, hashes = (
            self._run.plan.pipeline.stages[result.stage],
            self._run.plan.freshness.hashes,
        )
        for one in stage.inputs:
            name = one.source or self._run.project.label(one.path)
            if hashes.of(one.path) == self._starter.read[stage.name].get(name, ""):
                continue
            if one.made_by:
                by = " and ".join(one.made_by)
                what = f"{name}, an output of {by}, changed meanwhile; write only what is declared"
                return replace(result, state=State.FAILED, error=what)
            text = f"{name} changed while the stage ran; the next run builds it again"
            self._run.log.say(text, stage.name, logging.WARNING)
        return result

    def _record(self, result: Result, outputs: Outputs, found: Seen | None) -> None:
        details: dict[str, Any] = {"outputs": outputs}
        taken = self._starter.taken.get(result.stage)
        if found is not None:
            details["seen"] = found.details()
        elif taken is not None:
            details["taken_from"] = {"build": taken.build, "run": taken.run, "stage": taken.stage}
            details |= {"seen": taken.seen.details()} if taken.seen is not None else {}
        if result.state is State.SKIPPED:
            made = self._run.plan.freshness.made[result.stage]
            details = {"made_by": made.run}
            if made.was is not None:
                self._rename(made.was, result.stage)
                details["was"] = made.was
        elif result.good:
            details["made"] = True
        if result.good:
            outputs_of = self._run.plan.pipeline.stages[result.stage].outputs
            place = self._run.folder / self._run.plan.pipeline.stages[result.stage].folder
            numbers = metrics.of_files((one.path for one in outputs_of), place)
            details |= {"metrics": numbers} if numbers else {}
        self._run.record.stage_ended(result, details)
        basis = self._starter.basis.get(result.stage)
        if result.good and basis is not None:
            stage = self._run.plan.pipeline.stages[result.stage]
            self._starter.elsewhere.add(stage, basis, self._run.record.id)

    def _rename(self, old: str, new: str) -> None:
        """Give the executed notebook of a stage whose notebook was renamed its new name."""
        folder = self._run.folder / "notebooks"
        if not (folder / f"{new}.ipynb").exists():
            (folder / f"{new}.ipynb").parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{old}.ipynb").replace(folder / f"{new}.ipynb")

    def _tell(self, result: Result) -> None:
        """Log how a stage ended, and for a failure what to open."""
        level, text = sentences.stage_end(result)
        self._run.log.say(text, result.stage, level, result.state)
        executed = self._run.record.notebooks / f"{result.stage}.ipynb"
        if level >= logging.ERROR and executed.exists():
            where = self._run.project.label(executed)
            self._run.log.say(f"see the executed notebook: {where}", result.stage, level)

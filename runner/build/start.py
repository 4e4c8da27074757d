"""What becomes of a stage whose turn it is: a job, or the result of not running it."""

import logging
import time

from ..model import Job, Keep, Limits, Pace, Planned, Reason, Result, Stage, State
from ..plan import elsewhere
from ..project import CACHE, NotebookError, notebooks
from ..runs import Fingerprint, stage_details
from ..system import kind, link_on_the_way, why
from ..words import seconds_in_words
from . import sentences, takeover
from .ahead import Ahead
from .turn import Running


class Starter:
    """Looks at stages again when those before them have ended, and makes their jobs."""

    def __init__(self, run: Running, ahead: Ahead) -> None:
        """Begin with a build of which no stage has been started."""
        self._run = run
        self._ahead = ahead
        # The hashes of what each stage read when it was started, by names.
        self.read: dict[str, dict[str, str | None]] = {}
        # The stages that cannot end before the deadline.
        self.late: list[str] = []
        self.elsewhere = elsewhere.Elsewhere(run.plan.freshness)
        # What each stage was started with, and where those come from that were taken over.
        self.basis: dict[str, Fingerprint] = {}
        self.taken: dict[str, elsewhere.Source] = {}

    def decide(self, planned: Planned) -> Job | Result:
        """Give what an executor is to run, or how the stage ends without that."""
        name = planned.stage
        self._ahead.started(name)
        try:
            reasons = planned.reasons or self._reasons_now(planned)
            if not reasons:
                return skipped(name)
            if (why_not := self._too_late(name)) is not None:
                self.late.append(name)
                return not_run(name, why_not)
            stage = self._run.plan.pipeline.stages[name]
            if (fault := self._fault(stage)) is not None:
                return failed(name, fault)
            made_from = self._begin(stage, reasons)
            taken = self._taken(stage, reasons, made_from)
            return taken or self._job_of(stage)
        except NotebookError as error:
            return failed(name, f"the notebook was edited after this run began: {error}")
        except OSError as error:
            return failed(name, why(error))

    def _reasons_now(self, planned: Planned) -> tuple[Reason, ...]:
        """Look again at a stage, now that those before it have run or were skipped."""
        freshness, pipeline = self._run.plan.freshness, self._run.plan.pipeline
        reasons = freshness.reasons(planned.stage)
        ran = [one for one in planned.before if self._run.progress.has_run(one)]
        made = freshness.made.get(planned.stage)
        is_seen = made is not None and made.seen is not None
        if reasons or is_seen or pipeline.declares(planned.stage):
            return reasons
        # It says nothing of what it reads, which may be anything that ran before it.
        return tuple(Reason("upstream", f"{one} ran before it") for one in ran)

    def _too_late(self, stage: str) -> str | None:
        """Say why a stage cannot end before the deadline, by earlier runs, if so."""
        until = self._run.command.until
        if until is None or self._run.command.settings.start_late:
            return None
        usual, left = self._run.progress.usual.get(stage, 0.0), max(0.0, until.left)
        if usual <= left:
            return None
        took, rest = seconds_in_words(usual), seconds_in_words(left)
        return (
            f"it took {took} before, and {rest} are left ({until.origin}); "
            "--start-late starts it all the same"
        )

    def _fault(self, stage: Stage) -> str | None:
        """Say why a stage cannot run as it was planned, if so."""
        label = self._run.project.label
        notebook = notebooks.read(stage.notebook.path, stage.notebook.label)
        if notebooks.as_in(notebook, self._run.plan.key.profile) != stage.notebook:
            return "the notebook was edited after this run began; give the same command again"
        for one in stage.inputs:
            if not one.path.exists():
                name = label(one.path)
                return f"{one.parameter}: {name} is missing, and no stage before it has written it"
        for output in stage.outputs:
            if (link := link_on_the_way(output.path, self._run.folder)) is not None:
                what = f"{label(link)} is {kind(link)}; move it away: nothing is "
                return f"{what}written through it"
        return None

    def _taken(
        self, stage: Stage, reasons: tuple[Reason, ...], made_from: Fingerprint
    ) -> Result | None:
        """Take a stage over that another run has made from the same, if there is one."""
        if not self.elsewhere.may_take(stage, reasons):
            return None
        source = self.elsewhere.find(stage, made_from)
        result = takeover.take(self._run, stage, source) if source is not None else None
        if source is not None and result is not None:
            self.taken[stage.name] = source
        return result

    def _begin(self, stage: Stage, reasons: tuple[Reason, ...]) -> Fingerprint:
        """Record and tell that a stage starts; give what it is made from."""
        log, freshness = self._run.log, self._run.plan.freshness
        own = freshness.hashes.of(stage.notebook.path) or ""
        made_from = self.basis[stage.name] = freshness.of_stage(stage)
        self.read[stage.name] = {**made_from.inputs}
        details = stage_details(stage, self._run.project.label, made_from, own)
        self._run.record.stage_started(stage.name, reasons, details)
        self._run.progress.start(stage.name)
        log.started(stage.name)
        words = "; ".join(reason.text for reason in reasons)
        log.say(f"started ({words})", stage.name, state=State.RUNNING)
        if stage.left_out:
            words = sentences.left_out(stage.left_out, self._run.plan.key.profile)
            log.say(words, stage.name, logging.INFO)
        return made_from

    def _job_of(self, stage: Stage) -> Job:
        job = self._job(stage)
        job.executed.parent.mkdir(parents=True, exist_ok=True)
        return job

    def _job(self, stage: Stage) -> Job:
        settings = self._run.command.settings
        return Job(
            stage=stage.name,
            root=self._run.project.root,
            source=stage.notebook.path,
            executed=self._run.record.notebooks / f"{stage.name}.ipynb",
            printed=self._run.record.folder / "printed",
            working_directory=stage.notebook.folder,
            parameters=stage.injected,
            outputs=tuple(one.path for one in stage.outputs),
            language=stage.notebook.language,
            kernel=settings.kernel or stage.notebook.kernel_to_use,
            log_level=settings.log_level,
            limits=Limits(
                settings.start_timeout,
                settings.cell_timeout,
                settings.timeout,
                settings.end_timeout,
            ),
            pace=Pace(settings.heartbeat, settings.silence),
            secrets=settings.secrets,
            retries=settings.retries_of(stage.notebook.stage),
            retry_exceptions=settings.retry_exceptions,
            preload=self._ahead.of(stage.name),
            environment={
                "RUN_PROFILE": self._run.plan.key.profile,
                "RUN_STAGE": stage.name,
                "RUN_NOTEBOOK": str(stage.notebook.path),
                "RUN_ID": self._run.turn.run_id,
                "RUN_OUTPUTS": str(self._run.folder),
            },
            left_out=frozenset(stage.left_out),
            keep=self._keep(stage.name),
        )

    def _keep(self, stage: str) -> Keep | None:
        seconds, run = self._run.command.settings.keep_failed, self._run.turn.run_id
        if seconds is None:
            return None
        from ..kernels import keeping  # noqa: PLC0415 - a build with nothing to do does without

        folder = self._run.project.outputs / CACHE / keeping.FOLDER
        note = folder / f"{run}-{stage.replace('/', '-')}.json"
        return Keep(seconds, note, stage, run, self._run.plan.key.folder)


def skipped(stage: str) -> Result:
    """Give the result of a stage that is up to date."""
    return Result(stage, State.SKIPPED, time.time(), 0.0)


def not_run(stage: str, why_not: str) -> Result:
    """Give the result of a stage that was not started."""
    return Result(stage, State.CANCELLED, time.time(), 0.0, error=why_not)


def failed(stage: str, what: str) -> Result:
    """Give the result of a stage that could not run."""
    return Result(stage, State.FAILED, time.time(), 0.0, error=what)

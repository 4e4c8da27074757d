"""Builds what is asked for: under locks, one profile after the other, until one ends badly."""

import contextlib
import logging
import os
import platform
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from . import (
    background,
    deadline,
    dotenv,
    journal,
    lock,
    notify,
    preflight,
    remarks,
    sources,
    tasks,
)
from .build import Build
from .display import console
from .errors import Exit, Problem, ProjectError
from .executor import Executors
from .files import why
from .freshness import Task
from .logs import Log
from .project import Project
from .settings import Settings
from .stop import Stop
from .tasks import Request

if TYPE_CHECKING:
    from .kernel.root import Root
    from .kernel.warm import Warm


def build(
    request: Request,
    command: Sequence[str],
    executors: Executors,
    early: "Root | None",
    started: background.Started | None = None,
) -> int:
    """Run the profiles one after the other; the first that ends badly is the last."""
    loaded, settings = request.project, request.settings
    changes = request.options.changes
    notifier = notify.of(settings, os.environ, option="notify" in changes)
    # A URL holds a password or the like.
    hidden = {**os.environ, "RUN_NOTIFY": "\n".join(notifier.urls)}
    stop, mask = Stop(), dotenv.mask(loaded.root, hidden, settings.secrets)
    until = deadline.of(settings, os.environ, option="deadline" in changes)
    with contextlib.ExitStack() as held, _signals(stop), deadline.watching(until, stop):
        ids = _hold(loaded, request.profiles, held)
        todo = request.tasks()
        tasks.refuse_missing_packages(loaded, todo)
        preflight.refuse_too_little(loaded, todo, settings.jobs)
        shown = held.enter_context(console(plain=started is not None))
        log = Log(shown, settings.log_level, mask)
        if stop.asked():
            log.say(f"{stop.reason}; nothing was run", level=logging.WARNING)
            return stop.exit_code
        builds = [
            Build(
                loaded,
                settings,
                task,
                ids[task.profile],
                log,
                stop,
                mask,
                executors,
                until,
                notifier,
            )
            for task in todo
        ]
        labels = [loaded.label(one.folder / "runs" / one.run_id) for one in builds]
        for number, one in enumerate(builds, 1):
            one.then = tuple(labels[number:])
        builds[0].remarks = tuple(remarks.of_project(loaded))
        builds[0].prepare = lambda: _fetch(todo, log, stop)
        if started is not None:

            def leave(one: Build) -> None:
                log.leave_console()
                started(_in_background(one), one.record.folder / "log.txt")

            builds[0].on_start = leave
        warm = _warm(builds, settings, log, early)
        if warm is not None:
            held.enter_context(warm)
        worst = Exit.OK
        for one in builds:
            one.warm = warm
            code = one.run(command)
            worst = worst or code
            if one.is_last:
                break
            if stop.asked():
                # The request came after this run had ended.
                worst = worst or stop.exit_code
                break
        return worst


def _hold(loaded: Project, profiles: Sequence[str], held: contextlib.ExitStack) -> dict[str, str]:
    """Hold the builds of profiles, and give the run of each its id."""
    ids: dict[str, str] = {}
    words: dict[str, str] = {}
    for name in profiles:
        after = f", which comes after {' and '.join(ids)}" if ids else ""
        ids[name] = journal.new_run_id(loaded.build(name))
        words[name] = f"run {ids[name]}{after}"
    # In this order whatever the command's, so that of two commands one gets all.
    for name in sorted(words):
        held.enter_context(lock.hold(loaded.outputs, name, words[name]))
    return ids


def _in_background(one: Build) -> str:
    """Say how to follow a run in the background, and how to stop it."""
    profile = one.task.profile
    then = ", then the other profiles" if one.then else ""
    return (
        f"run {one.run_id} goes on in the background on {platform.node()}{then}\n"
        f"  python run.py log -f {profile}   follow it\n"
        f"  python run.py stop {profile}     end it in good order"
    )


def _warm(
    builds: Sequence[Build], settings: Settings, log: Log, early: "Root | None"
) -> "Warm | None":
    """Give a source of warm kernels, if any is to be; it imports while we go on."""
    stages = ((one, stage) for one in builds for stage in one.coming)
    preloads = (one.preload(stage) for one, stage in stages)
    first = next((each for each in preloads if each.cold is None), None)
    if not settings.warm or first is None:
        return None
    from .kernel import root  # noqa: PLC0415 - with nothing to do it is not needed
    from .kernel.warm import Warm  # noqa: PLC0415 - as above

    def say(level: int, text: str) -> None:
        log.say(text, level=level)

    try:
        source = early or root.start(builds[0].project.working_directory)
    except OSError as error:
        say(logging.WARNING, f"kernels start by themselves: {why(error)}")
        return None
    folders = {str(one.folder) for one in builds[0].project.notebooks.values()}
    top = str(builds[0].project.root)
    warm = Warm(source, top, settings.log_level, settings.jobs, sorted(folders), say)
    # It imports what the first stage does while the run is prepared.
    warm.expect([first.wanted])
    return warm


def _fetch(todo: Sequence[Task], log: Log, stop: Stop) -> None:
    """Bring what stages that run read from a URL; a request to stop ends the wait.

    Raises:
        ProjectError: some of it cannot be had; all of that is told.
    """
    problems: list[Problem] = []

    def work() -> None:
        for task in todo:
            for planned in task.planned:
                if planned.may_run:
                    _fetch_for(task, planned.stage, log, problems)

    # A download cannot be interrupted, so it is left to itself when the command ends.
    worker = threading.Thread(target=work, daemon=True)
    over = threading.Event()
    with stop.subscribed(over.set):
        worker.start()
        while worker.is_alive() and not over.is_set():
            worker.join(0.05)
    if problems and not stop.asked():
        raise ProjectError(problems)


def _fetch_for(task: Task, name: str, log: Log, problems: list[Problem]) -> None:
    stage = task.pipeline.stages[name]
    for one in stage.inputs:
        if one.source is None or "#sha256=" not in one.source:
            continue
        url, _, digest = one.source.partition("#sha256=")
        try:
            if task.freshness.hashes.of(one.path) == f"sha256:{digest.lower()}":
                continue
            log.say(f"fetching {url}", stage.name)
            sources.fetch(one.source, one.path)
        except (sources.SourceError, OSError) as error:
            origin = stage.values[one.parameter].origin
            where = stage.notebook.label if origin == "notebook" else origin
            what = why(error) if isinstance(error, OSError) else str(error)
            problems.append(Problem(where, what))


@contextlib.contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """End in good order on SIGINT and SIGTERM; a second one ends at once.

    The guards kill the kernels when this process vanishes. A terminal that closes does
    not end a run, which may be in the background.
    """
    codes = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}
    came: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        code = codes[signal.Signals(number)]
        came.append(number)
        # A deadline, or `run.py stop`, does not make a first signal the second one.
        if len(came) > 1:
            os._exit(code)
        name = "interrupted" if code is Exit.INTERRUPTED else "terminated"
        reason = f"{name} ({signal.Signals(number).name})"
        # In a thread: what runs here may hold a lock that ending needs.
        threading.Thread(target=stop.request, args=(reason, code)).start()

    before = {number: signal.signal(number, handle) for number in codes}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)

"""What each command does."""

import contextlib
import logging
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from . import (
    background,
    deadline,
    following,
    journal,
    lock,
    manifest,
    notify,
    options,
    packages,
    project,
    remarks,
    reports,
    sources,
    standing,
    tasks,
)
from .display import console
from .errors import Exit, Problem, ProjectError, UsageError
from .executor import Executors
from .files import remove, why
from .freshness import Task
from .logs import Log
from .project import Project
from .secrets import Mask
from .settings import Settings
from .stop import Stop
from .tasks import Request
from .verdict import check, counted

if TYPE_CHECKING:
    from .build import Build
    from .kernel.root import Root
    from .kernel.warm import Warm


def run(arguments: Sequence[str], root: Path, executors: Executors) -> int:
    """Carry out a command line; give the exit code.

    Args:
        arguments: its words.
        root: the project's folder.
        executors: makes what runs the stages.

    Raises:
        RunnerError: it cannot be carried out; nothing was run.
    """
    chosen = options.parse(arguments)
    first, *rest = chosen.words
    if first == "clean" or first.startswith("clean-"):
        if chosen.parameters or chosen.forced:
            message = f"`{first}` takes no parameters and no --force=STAGE"
            raise UsageError(message)
        return _clean(project.outline(root), chosen.words, dry_run=chosen.dry_run)
    follow = bool(chosen.changes.get("force"))
    # These work whatever mistakes the project has at the moment.
    lenient: dict[str, Callable[[project.Outline], int]] = {
        "log": lambda known: following.log(known, rest, follow=follow),
        "status": lambda known: standing.status(known, chosen, rest),
        "stop": lambda known: following.stop(known, rest, now=chosen.now),
    }
    if first in lenient:
        return lenient[first](project.outline(root))
    loaded = project.load(root)
    settings = chosen.settings(loaded.settings)
    verbs = {
        "list": lambda: reports.stages(loaded, rest, chosen.parameters),
        "check": lambda: _check(loaded, settings, chosen, rest),
        "history": lambda: reports.history(loaded, rest),
        "job": lambda: manifest.command(loaded, settings, chosen, rest),
    }
    if first in verbs:
        return verbs[first]()
    request = tasks.read(loaded, settings, chosen)
    if chosen.dry_run:
        return _show(request)
    command = ["run.py", *arguments]
    if chosen.background:
        return background.detach(lambda started: _build(request, command, executors, started))
    return _build(request, command, executors)


def _show(request: Request) -> int:
    mask = Mask.of(os.environ, request.settings.secrets)
    deadline.check(os.environ)
    todo = request.tasks()
    tasks.refuse_missing_packages(request.project, todo)
    for task in todo:
        print(f"{task.profile}:")
        for line in reports.plan_lines(task, "skip   up to date"):
            print(mask(f"  {line}"))
    return Exit.OK


def _build(
    request: Request,
    command: Sequence[str],
    executors: Executors,
    started: background.Started | None = None,
) -> int:
    """Run the profiles one after the other; the first that ends badly is the last."""
    loaded, settings = request.project, request.settings
    changes = request.options.changes
    notifier = notify.of(settings, os.environ, option="notify" in changes)
    # A URL holds a password or the like.
    hidden = {**os.environ, "RUN_NOTIFY": "\n".join(notifier.urls)}
    stop, mask = Stop(), Mask.of(hidden, settings.secrets)
    until = deadline.of(settings, os.environ, option="deadline" in changes)
    with contextlib.ExitStack() as held, _signals(stop), deadline.watching(until, stop):
        early = _start_early(request, held)
        # Beside that, and not where a command only looks.
        from .build import Build  # noqa: PLC0415

        ids: dict[str, str] = {}
        for name in request.profiles:
            after = f", which comes after {' and '.join(ids)}" if ids else ""
            ids[name] = journal.new_run_id(loaded.build(name))
            held.enter_context(lock.hold(loaded.outputs, name, f"run {ids[name]}{after}"))
        todo = request.tasks()
        tasks.refuse_missing_packages(loaded, todo)
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

            def leave(one: "Build") -> None:
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


def _start_early(request: Request, held: contextlib.ExitStack) -> "Root | None":
    """Start the process that kernels are forked from, if they will surely be needed.

    It imports for longer than we need to find out what is to be done; so that this costs
    little time, it begins as soon as there is no mistake.
    """
    if sys.platform != "linux" or not (request.settings.warm and request.from_scratch):
        return None
    from .kernel import root  # noqa: PLC0415 - other commands do not need it

    with contextlib.suppress(OSError):
        early = root.start(request.project.working_directory)
        held.callback(early.end, 0.0)
        return early
    return None


def _in_background(one: "Build") -> str:
    """Say how to follow a run in the background, and how to stop it."""
    profile = one.task.profile
    then = ", then the other profiles" if one.then else ""
    return (
        f"run {one.run_id} goes on in the background on {platform.node()}{then}\n"
        f"  python run.py log -f {profile}   follow it\n"
        f"  python run.py stop {profile}     end it in good order"
    )


def _warm(
    builds: Sequence["Build"], settings: Settings, log: Log, early: "Root | None"
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


def _check(
    loaded: Project, settings: Settings, chosen: options.Options, words: Sequence[str]
) -> int:
    """Look for mistakes in all profiles; compare the test build if there is one."""
    if words:
        message = f"check takes no further words, not `{words[0]}`"
        raise UsageError(message)
    bound = tasks.bind(loaded, list(loaded.profiles), chosen.parameters)
    orders = ([stage.notebook for stage in one.stages.values()] for one in bound.values())
    missing = [problem for order in orders for problem in packages.missing(loaded, order)]
    if missing:
        raise ProjectError(missing)
    count = len(loaded.profiles)
    mask = Mask.of(os.environ, settings.secrets)
    with console() as shown:
        log = Log(shown, settings.log_level, mask)
        for level, text in remarks.of_project(loaded):
            log.say(text, "check", level)
        stages, profiles = counted(len(loaded.notebooks), "stage"), counted(count, "profile")
        log.say(f"no mistakes in {stages} and {profiles}", "check")
        if loaded.build(project.TEST_PROFILE).is_dir():
            return check(loaded, settings, log)
        log.say("there is no test build to compare; python run.py test makes it", "check")
    return Exit.OK


def _clean(known: project.Outline, words: Sequence[str], *, dry_run: bool) -> int:
    """Remove builds; it needs no project without mistakes."""
    # `clean` leaves what is no build, such as a disk's `lost+found`; it may be named, though.
    folders = known.outputs.glob("[!.]*/")
    there = {folder.name for folder in folders if folder.is_dir() and not folder.is_symlink()}
    names: list[str] = []
    for word in words:
        profile = word.removeprefix("clean-")
        if word == "clean":
            names += [name for name in known.profiles if name in there]
        elif profile == word:
            message = f"`clean` stands alone; write clean-{word} to remove one build"
            raise UsageError(message)
        elif profile not in {*known.profiles, *there}:
            message = f"there is no build `{profile}`{project.did_you_mean(profile, sorted(there))}"
            raise UsageError(message)
        elif profile in there:
            names.append(profile)
    names = list(dict.fromkeys(names))
    with contextlib.ExitStack() as held:
        for name in names if not dry_run else ():
            held.enter_context(lock.hold(known.outputs, name, "clean"))
        for name in names:
            if not dry_run:
                remove(known.build(name))
            print(f"{'would remove' if dry_run else 'removed'} outputs/{name}/")
    if not names:
        print("nothing to remove")
    return Exit.OK

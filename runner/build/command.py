"""Builds what is asked for: under locks, one profile after the other, until one ends badly."""

import contextlib
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..console import Console, Log, console
from ..errors import Exit, ProjectError
from ..execution import Executors
from ..model import BuildKey
from ..plan import preflight, request
from ..project import Project, Settings, dotenv, remarks
from ..runs import journal
from ..stop import Stop
from ..system import lock, signals, why
from . import deadline, notify
from .ahead import Ahead
from .build import Outcome, run
from .turn import Command, Turn

if TYPE_CHECKING:
    from ..kernels.forkserver import ForkServer
    from ..kernels.lasting import Lasting
    from ..kernels.warm import Warm


@dataclass(frozen=True)
class Round:
    """What one build has to do with those before and after it in the same process (`watch`).

    Whoever gives `stop` minds signals. `anew` is whether `test` starts from nothing; `planned`
    is told what is to be done, and says whether it is; `lasting` keeps warm kernels.
    """

    stop: Stop
    anew: bool
    planned: Callable[[Sequence[request.BuildPlan]], bool]
    lasting: "Lasting"


@dataclass(frozen=True)
class Given:
    """What a command line gives beside what it asks for.

    `words` are all of it, `options` the names of the settings that stand on it; `early` is a
    fork server, if one was started already; `shown` is where a person watches, if that is
    another place than our standard output; `round` is for one of several builds.
    """

    words: tuple[str, ...]
    options: Collection[str]
    executors: Executors
    early: "ForkServer | None" = None
    shown: Console | None = None
    round: Round | None = None


def build(asked: request.Request, given: Given) -> int:
    """Run the profiles one after the other; the first that ends badly is the last."""
    loaded, settings = asked.project, asked.settings
    notifier = notify.of(settings, os.environ, option="notify" in given.options)
    # A URL holds a password or the like.
    hidden = {**os.environ, "RUN_NOTIFY": "\n".join(notifier.urls)}
    stop = Stop() if given.round is None else given.round.stop
    mask = dotenv.mask(loaded.root, hidden, settings.secrets)
    until = deadline.of(settings, os.environ, option="deadline" in given.options)
    with contextlib.ExitStack() as held, deadline.watching(until, stop):
        if given.round is None:
            held.enter_context(signals.ending(stop))
        ids = _hold(loaded, asked.builds, held)
        todo = asked.plans(anew=given.round is None or given.round.anew)
        if given.round is not None and not given.round.planned(todo):
            return Exit.OK
        preflight.refuse_what_cannot_run(loaded, todo)
        preflight.refuse_too_little(loaded, todo, settings.jobs)
        shown = given.shown or held.enter_context(console())
        log = Log(shown, settings.log_level, mask)
        if stop.asked():
            log.say(f"{stop.reason}; nothing was run", level=logging.WARNING)
            return stop.exit_code
        aheads = [Ahead(loaded, settings, plan) for plan in todo]
        warm = _warm(loaded, settings, aheads, log, given)
        if warm is not None and given.round is None:
            held.enter_context(warm)
        command = Command(
            loaded,
            settings,
            given.words,
            log,
            stop,
            mask,
            given.executors,
            until,
            notifier,
            warm,
        )
        worst = Exit.OK
        for turn, ahead in zip(_turns(loaded, todo, ids), aheads, strict=True):
            with stop.subscribed(lambda: log.say(_ending(stop, given), level=logging.WARNING)):
                code, is_last = _run(command, asked, turn, ahead)
            worst = worst or code
            if is_last:
                break
            if stop.asked() and turn.then:
                # The request came after this run had ended; where no other follows, it is void.
                worst = worst or stop.exit_code
                break
        if warm is not None and given.round is not None:
            warm.expect([one.wanted for ahead in aheads for one in ahead.again()])
        return worst


def _run(command: Command, asked: request.Request, turn: Turn, ahead: Ahead) -> Outcome:
    """Run a build; where its first part says which points there are, these, too."""
    ended = run(command, turn, ahead)
    while turn.plan.is_part and ended.code is Exit.OK and not command.stop.asked():
        try:
            plan = asked.rest(turn.plan)
            preflight.refuse_what_cannot_run(command.project, [plan])
        except ProjectError as error:
            for problem in error.problems:
                command.log.say(str(problem), level=logging.ERROR)
            return Outcome(Exit.FAILED, is_last=not command.settings.keep_going)
        run_id = journal.new_run_id(command.project.build(plan.key))
        turn = Turn(plan, run_id, turn.then)
        ended = run(command, turn, Ahead(command.project, command.settings, plan))
    return ended


def _ending(stop: Stop, given: Given) -> str:
    """Say at once that a request to end has come."""
    interrupted = stop.exit_code is Exit.INTERRUPTED and given.round is None
    more = "; Ctrl-C once more ends it at once" if interrupted and not stop.at_once else ""
    return f"{stop.reason}: what runs is ended and saved{more}"


def _turns(
    loaded: Project, todo: Sequence[request.BuildPlan], ids: Mapping[BuildKey, str]
) -> Iterator[Turn]:
    """Say what each build is to do; the first one does what is done once."""
    folders = [loaded.build(one.key) / "runs" / ids[one.key] for one in todo]
    labels = [*map(loaded.label, folders)]
    first = tuple(remarks.of_project(loaded))
    for number, plan in enumerate(todo):
        then = tuple(labels[number + 1 :])
        if number:
            yield Turn(plan, ids[plan.key], then)
        else:
            yield Turn(plan, ids[plan.key], then, first, todo)


def _hold(
    loaded: Project, keys: Sequence[BuildKey], held: contextlib.ExitStack
) -> dict[BuildKey, str]:
    """Hold builds, and give the run of each its id."""
    ids: dict[BuildKey, str] = {}
    words: dict[str, str] = {}
    if not os.path.lexists(loaded.outputs):
        # Locking says what is wrong, if anything is.
        with contextlib.suppress(OSError):
            loaded.outputs.mkdir()
            (loaded.outputs / ".gitignore").write_text("# what is built\n*\n", "utf-8")
    for key in keys:
        after = f", which comes after {' and '.join(one.folder for one in ids)}" if ids else ""
        ids[key] = journal.new_run_id(loaded.build(key))
        words[key.folder] = f"run {ids[key]}{after}"
    # In this order whatever the command's, so that of two commands one gets all.
    for name in sorted(words):
        held.enter_context(lock.hold(loaded.outputs, name, words[name]))
    return ids


def _warm(
    loaded: Project,
    settings: Settings,
    aheads: Sequence[Ahead],
    log: Log,
    given: Given,
) -> "Warm | None":
    """Give a source of warm kernels, if any is to be; it imports while we go on."""
    firsts = (ahead.first() for ahead in aheads) if settings.forks else ()
    first = next((one for one in firsts if one is not None), None)
    if first is None:
        return None
    from ..kernels import forkserver  # noqa: PLC0415 - with nothing to do it is not needed
    from ..kernels.warm import Warm  # noqa: PLC0415 - as above

    def say(level: int, text: str) -> None:
        log.say(text, level=level)

    folders = sorted({str(one.folder) for one in loaded.notebooks.values()})
    how = (settings.log_level, settings.jobs, folders, say)
    try:
        if given.round is not None:
            warm = given.round.lasting.take(*how)
        else:
            source = given.early or forkserver.start(loaded.working_directory)
            warm = Warm(source, str(loaded.root), *how)
    except OSError as error:
        say(logging.WARNING, f"kernels start by themselves: {why(error)}")
        return None
    # It imports what the first stage does while the run is prepared.
    warm.expect([first.wanted])
    return warm

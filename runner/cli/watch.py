"""`watch`: builds, and again whenever a source is saved, with everything still warm."""

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from importlib.util import cache_from_source
from pathlib import Path

from ..build import command
from ..console import HeldConsole, console
from ..errors import BuildLockedError, Exit, ProjectError, RunnerError, UsageError
from ..execution import Executors
from ..kernels.lasting import Lasting
from ..model import Result, State
from ..plan import request, watched
from ..project import TEST_PROFILE, Outline, dotenv, imports, layout, naming, requirements
from ..stop import Stop
from ..system import is_folder, on_linux, portable, saves, signals, why
from ..words import counted, first_few, one_line, seconds_in_words, state_in_words
from .commands import RESERVED
from .options import Options
from .paper import Line, show
from .shared import variation

# A file that is written in several steps is whole after so many seconds without another.
_SETTLED, _MOMENT = 0.7, 0.05
# The clock by which files are dated is so much behind ours.
_GRAIN = 0.02
# How often we look whether another run still holds the build, in seconds.
_LOOK = 1.0
# One file, but a notebook, ends so many rounds in a row; then what runs may write it itself.
_MOST_ENDED = 3
# A kernel that was interrupted for a save may go on for so many seconds.
_PATIENCE = 1.0


def watch(known: Outline, chosen: Options, arguments: Sequence[str], executors: Executors) -> int:
    """Build what the words ask for (`test`), and again after each save, until asked to end.

    Raises:
        RunnerError: the words say nothing possible, or the project is gone.
    """
    end = Stop()
    with contextlib.ExitStack() as held:
        held.enter_context(signals.ending(end, hangup=True))
        lasting = held.enter_context(Lasting(known.root, known.root / naming.FOLDER))
        watching = _Watching(chosen, ("run.py", *arguments), executors, end, lasting)
        held.enter_context(end.subscribed(watching.end_round))
        watching.go_on()
    if not end.asked():
        print("the runner itself was saved: watch begins anew", flush=True)
        words = [sys.executable, *sys.orig_argv[1:]]
        os.execv(sys.executable, words)  # noqa: S606 - the command as it was given
    print(f"watch has ended: {end.reason}", flush=True)
    return end.exit_code


class _Watching:
    """Rounds, one after the other; `take` is called by another thread with what was saved."""

    def __init__(
        self,
        chosen: Options,
        words: tuple[str, ...],
        executors: Executors,
        end: Stop,
        lasting: Lasting,
    ) -> None:
        self._root = lasting.root
        self._chosen = chosen
        self._words = words
        self._executors = executors
        self._end = end
        self._lasting = lasting
        self._news = threading.Condition()
        # What was saved and is not built yet, when that was heard of; whether it is the runner.
        self._saved: dict[Path, None] = {}
        self._heard = -math.inf
        self.renewed = False
        # The round under way: what may end it, what it builds, how often each file ended one.
        self._stop: Stop | None = None
        self._plans: Sequence[request.BuildPlan] = ()
        self._used = watched.Used()
        self._ended_by: dict[Path, int] = {}
        # The rounds before: whether one has begun, how the last one ended, and when.
        self._has_begun = False
        self._code = int(Exit.OK)
        self._stages: list[list[str]] = []
        self._over = 0.0
        self._said: set[str] = set()
        self._waits = False
        # How changes are told; None once a person knows that.
        self._told_how: str | None = None

    def go_on(self) -> None:
        """Do one round after the other until asked to end, or until the runner was saved."""
        untold = saves.untold(self._root)
        with saves.Saves(self._folders, self._take, polls=untold is not None) as told:
            self._told_how = f", which is looked at each second ({untold})" if untold else ""
            names: dict[Path, None] = {}
            while not (self._end.asked() or self.renewed):
                done = self._round(names)
                if done:
                    names = {}
                    told.renew()
                names |= dict.fromkeys(self._next(wait=done))
                if not self._is_there():
                    message = f"{self._root} is gone, and watch has ended"
                    raise UsageError(message)

    def _folders(self) -> set[Path]:
        """Give the folders to watch: those of sources, and of what the stages use."""
        own = [self._root / "outputs" / plan.key.folder for plan in self._plans]
        used = (one for one in self._used.folders if not any(map(one.is_relative_to, own)))
        return {*watched.folders(self._root), *filter(is_folder, used)}

    def _take(self, paths: Iterable[Path]) -> None:
        """Take in what was saved; end the round under way if that makes it another one."""
        with self._news:
            for path in sorted(paths):
                name = path.relative_to(self._root) if path.is_relative_to(self._root) else None
                if name is not None and watched.is_runner(name):
                    self.renewed = True
                elif self._used.has(path) or (name is not None and watched.is_source(name)):
                    self._saved[path] = None
                    self._heard = time.monotonic()
            self._news.notify_all()
        self._end_if_other()

    def _next(self, *, wait: bool) -> list[Path]:
        """Give what was saved; with `wait` there is something, unless all is to end."""
        with self._news:
            while True:
                found = [path for path in self._saved if self._is_news(path)]
                self._saved = {}
                if found or not wait or self.renewed or self._end.asked():
                    return found
                self._news.wait()
                if not self._is_there():
                    return []

    def _is_news(self, path: Path) -> bool:
        """Tell whether a save is not what the last round did itself, and left as it was."""
        try:
            is_later = path.stat().st_mtime > self._over
        except OSError:
            return True
        return is_later or not (path in self._used.written or self._used.is_same(path))

    def _end_if_other(self) -> None:
        """End the round under way if it was made from something else than what was saved."""
        with self._news:
            stop, saved = self._stop, [*self._saved]
        if stop is None or stop.asked() or not self._plans:
            return
        self._settle(saved)
        for path in saved:
            count = self._ended_by.get(path, 0)
            may_end = path.suffix == ".ipynb" or count < _MOST_ENDED
            if may_end and self._used.has_file(path) and not self._used.is_same(path):
                self._ended_by[path] = count + 1
                reason = f"{self._label(path)} was saved, so it begins anew"
                stop.request(reason)
                later = threading.Timer(_PATIENCE, stop.request, (reason,), {"at_once": True})
                later.daemon = True
                later.start()
                return

    def end_round(self) -> None:
        """End the round under way: the whole command is to end."""
        with self._news:
            self._news.notify_all()
            stop = self._stop
        if stop is not None and self._end.reason is not None:
            more = "what runs is ended and saved; once more ends it at once"
            print(f"{self._end.reason}: {more}", flush=True)
            stop.request(self._end.reason, self._end.exit_code)

    def _round(self, names: Collection[Path]) -> bool:
        """Build once; tell whether that is done, or is to be tried again."""
        self._settle(names)
        began = time.monotonic()
        imports.forget()
        requirements.forget()
        for path in names:
            _uncompile(path)
        stop = Stop()
        with self._news:
            self._stop, self._plans = stop, ()
        try:
            if self._end.asked():
                return True
            asked = self._asked()
            self._begin(asked)
            with console() as inner:
                shown = HeldConsole(inner, self._said, self._stage_ended)
                self._code = self._build(asked, stop, shown, names)
                if shown.profiles:
                    self._has_begun, self._over = True, time.time() - _GRAIN
                # It has failed, too, if a notebook was saved before its stage began.
                anew = (stop.asked() and stop.exit_code is Exit.INTERRUPTED) or (
                    bool(self._code) and self._used.edited()
                )
                if not anew:
                    shown.tell(failed=bool(self._code))
        except BuildLockedError as error:
            self._wait_for_lock(str(error))
            return False
        except (RunnerError, OSError) as error:
            return self._refused(error, names)
        finally:
            with self._news:
                self._stop = None
        if anew:
            return self._end.asked()
        self._ended_by, self._waits = {}, False
        self._conclude(asked, shown, stop, names, time.monotonic() - began)
        return True

    def _begin(self, asked: request.Request) -> None:
        """Say once what is done, and have warm kernels."""
        if self._told_how is not None:
            what = f"{', '.join(asked.words)}, and again whenever a source is saved"
            self._print(f"building {what} in {self._root}{self._told_how}; Ctrl-C ends it")
            self._told_how = None
        if asked.settings.forks and on_linux():
            with contextlib.suppress(OSError):
                self._lasting.start()

    def _asked(self) -> request.Request:
        """Read the project as it is now.

        Raises:
            RunnerError: it has mistakes.
        """
        loaded = layout.load(self._root, RESERVED)
        settings = self._chosen.settings(loaded.settings)
        # Whoever watches is told here; from nothing is begun but once.
        force = settings.force and not self._has_begun
        settings = replace(settings, notify=(), force=force)
        if settings.portable:
            portable.choose()
        targets = self._chosen.rest or (TEST_PROFILE,)
        return request.read(
            loaded,
            settings,
            targets,
            self._chosen.parameters,
            choice=request.Choice(tuple(self._chosen.given.get("where", ()))),
            variation=variation(self._chosen),
        )

    def _build(
        self, asked: request.Request, stop: Stop, shown: HeldConsole, names: Collection[Path]
    ) -> int:
        project = asked.project
        again = any(
            path.is_relative_to(project.expected) or path.name == "pyproject.toml" for path in names
        )

        def planned(plans: Sequence[request.BuildPlan]) -> bool:
            self._used = watched.Used(project, plans)
            self._plans = plans
            # It may have been saved meanwhile.
            self._end_if_other()
            todo = any(one.may_run for plan in plans for one in plan.planned)
            # A stage that is gone, or has another name, leaves something to be put right.
            before, self._stages = self._stages, [[*plan.pipeline.stages] for plan in plans]
            same = self._has_begun and before == self._stages
            return todo or again or bool(self._code) or not same

        turn = command.Round(stop, not self._has_begun, planned, self._lasting)
        given = command.Given(
            self._words, self._chosen.changes, self._executors, shown=shown, round=turn
        )
        return command.build(asked, given)

    def _stage_ended(self, result: Result) -> None:
        if result.trace is not None:
            self._used.add(result.trace)

    def _settle(self, paths: Iterable[Path]) -> None:
        """Wait while a file seems to be half written, and goes on changing."""
        paths, looks, since = [*paths], None, time.monotonic()
        while half := [path for path in paths if watched.is_half(path)]:
            if (now := [*map(_looks, half)]) != looks:
                looks, since = now, time.monotonic()
            if time.monotonic() - since > _SETTLED or self._end.asked():
                return
            time.sleep(_MOMENT)

    def _wait_for_lock(self, told: str) -> None:
        """Say once that another run holds the build, and wait a moment."""
        if not self._waits:
            self._print(f"{told.partition('; ')[0]}; watch waits for it")
        self._waits = True
        with self._news:
            if not self._end.asked():
                self._news.wait(_LOOK)

    def _refused(self, error: RunnerError | OSError, names: Collection[Path]) -> bool:
        """Tell a mistake, once nothing goes on changing.

        Raises:
            RunnerError: the command line is wrong from the beginning.
        """
        if not (names or self._has_begun or isinstance(error, ProjectError)):
            raise error
        if not self._is_there():
            return True
        with self._news:
            rest = self._heard + _SETTLED - time.monotonic()
            if rest > 0 and not self._end.asked():
                self._news.wait(rest)
                return False
        told = why(error) if isinstance(error, OSError) else str(error)
        if isinstance(error, ProjectError) and len(error.problems) == 1:
            told = f"{error.problems[0]}; nothing was run"
        self._print(f"{self._cause(names)}{told}", "old")
        return True

    def _is_there(self) -> bool:
        return (self._root / "run.py").exists()

    def _conclude(
        self,
        asked: request.Request,
        shown: HeldConsole,
        stop: Stop,
        names: Collection[Path],
        seconds: float,
    ) -> None:
        """Say in a line how a round ended."""
        what, took = ", ".join(asked.words), seconds_in_words(seconds)
        if not shown.profiles:
            self._print(f"{self._cause(names)}nothing to do, {what} is up to date, {took}")
            return
        idle = {State.SKIPPED, State.BLOCKED, State.CANCELLED}
        ran = sum(one.state not in idle for one in shown.stages)
        count = f"{ran} of {counted(len(shown.stages), 'stage')} ran, {took}"
        logs = [f"outputs/{profile}/log.txt" for profile in shown.profiles[-1:]]
        more = f"; log: {logs[0]}" if self._code else ""
        how = self._how(shown.stages, stop)
        self._print(f"{self._cause(names)}{what} {how}, {count}{more}", "old" if more else "new")

    def _how(self, stages: Sequence[Result], stop: Stop) -> str:
        if not self._code:
            return "succeeded"
        if stop.reason is not None:
            return f"cancelled ({stop.reason})"
        if self._code == Exit.DIFFERENT:
            return "is built, but not as expected"
        bad = [one for one in stages if not one.good and one.state is not State.BLOCKED]
        state = state_in_words(bad[0].state if bad else State.FAILED)
        return f"failed ({', '.join(one.stage for one in bad)})" if bad else state

    def _cause(self, names: Collection[Path]) -> str:
        """Say what was saved."""
        shown = [path.name if path.suffix == ".ipynb" else self._label(path) for path in names]
        return f"{first_few(shown)} saved: " if shown else ""

    def _label(self, path: Path) -> str:
        inside = path.is_relative_to(self._root)
        return str(path.relative_to(self._root)) if inside else str(path)

    def _print(self, text: str, kind: str = "") -> None:
        mask = dotenv.mask(self._root, os.environ)
        show([Line(f"{time.strftime('%H:%M:%S')}  {one_line(text)}", kind)], mask)
        sys.stdout.flush()


def _uncompile(path: Path) -> None:
    """Have a module compiled anew: Python tells it by its size, and its time in whole seconds."""
    if path.suffix == ".py":
        with contextlib.suppress(OSError, NotImplementedError):
            Path(cache_from_source(path)).unlink(missing_ok=True)


def _looks(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size

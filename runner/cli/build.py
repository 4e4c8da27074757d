"""A build: what is asked for, what that means for each profile, and having it done."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import Exit, UsageError
from ..execution import Executors
from ..plan import preflight, request
from ..project import Project, Settings, dotenv
from ..system import portable
from .options import OPTIONS, Options
from .shared import int_of, variation

if TYPE_CHECKING:
    from ..console import Console
    from ..kernels.forkserver import ForkServer


def build(
    loaded: Project,
    settings: Settings,
    chosen: Options,
    arguments: Sequence[str],
    executors: Executors,
) -> int:
    """Build what the words ask for, or say what would be done; give the exit code.

    Raises:
        RunnerError: it cannot be done; nothing was run.
    """
    asked = request.read(
        loaded,
        settings,
        chosen.words,
        chosen.parameters,
        chosen.forced,
        choice=_choice(chosen),
        variation=variation(chosen),
    )
    if chosen.has("dry_run"):
        return _show(asked)

    def run(shown: "Console | None" = None) -> int:
        with _early(asked) as early:
            # Imported beside that process, and not where a command only looks.
            from ..build import command  # noqa: PLC0415

            words = ("run.py", *arguments)
            given = command.Given(words, chosen.changes, executors, early, shown)
            code = command.build(asked, given)
        # Whoever has asked the run to end does not wait for them.
        if settings.pages and code not in {Exit.INTERRUPTED, Exit.TERMINATED}:
            from . import show  # noqa: PLC0415 - it imports much

            show.after(asked)
        return code

    if chosen.has("background"):
        from .background import detach  # noqa: PLC0415 - few runs are

        return detach(run)
    return run()


def _choice(chosen: Options) -> request.Choice:
    """Give the points that are meant.

    Raises:
        UsageError: an option says nothing possible.
    """
    if chosen.has("seed") and not chosen.has("points"):
        message = "--seed goes with --sample N"
        raise UsageError(message)
    numbers = {}
    for name, least in (("points", 1), ("seed", 0)):
        if chosen.has(name):
            numbers[name] = int_of(OPTIONS[name].flags[0], chosen.given[name], least)
    where = tuple(chosen.given.get("where", ()))
    return request.Choice(where, numbers.get("points"), numbers.get("seed", 0))


def _show(asked: request.Request) -> int:
    from ..build import deadline  # noqa: PLC0415 - see above
    from .shared import plan_lines  # noqa: PLC0415 - as above

    mask = dotenv.mask(asked.project.root, os.environ, asked.settings.secrets)
    deadline.check(os.environ)
    todo = asked.plans()
    preflight.refuse_what_cannot_run(asked.project, todo)
    for plan in todo:
        print(f"{plan.key.folder}:")
        for line in plan_lines(plan, "skip   up to date"):
            print(mask(f"  {line}"))
    return Exit.OK


@contextlib.contextmanager
def _early(asked: request.Request) -> "Iterator[ForkServer | None]":
    """Start the fork server, if it will surely be needed.

    It imports for longer than we need to find out what is to be done; so that this costs
    little time, it begins as soon as there is no mistake.
    """
    server = None
    if portable.on_linux() and asked.settings.forks and asked.from_scratch:
        from ..kernels.forkserver import start  # noqa: PLC0415 - other commands do not need it

        with contextlib.suppress(OSError):
            server = start(asked.project.working_directory)
    try:
        yield server
    finally:
        if server is not None:
            server.end(0.0)

"""What each command does; what a command does not need is not imported for it."""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from . import dotenv, options, portable, project
from .errors import Exit, ProjectError, UsageError
from .executor import Executors
from .options import Options
from .project import Project
from .settings import Settings

if TYPE_CHECKING:
    from .background import Started
    from .kernel.root import Root
    from .tasks import Request


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
    if (text := options.told(chosen)) is not None:
        print(text.rstrip("\n"))
        return Exit.OK
    if not chosen.words:
        print(options.help_text(), end="")
        message = "no target given"
        raise UsageError(message)
    if chosen.name is not None:
        _tell_of_namesake(project.outline(root), chosen)
    if chosen.command.lenient:
        return int(_work(chosen)(project.outline(root), chosen))
    loaded = project.load(root)
    settings = chosen.settings(loaded.settings)
    if settings.portable:
        portable.choose()
    if chosen.name is not None:
        return int(_work(chosen)(loaded, settings, chosen))
    from . import tasks  # noqa: PLC0415 - not for what only looks

    request = tasks.read(loaded, settings, chosen)
    if chosen.has("dry_run"):
        return _show(request)
    command = ["run.py", *arguments]
    if chosen.has("background"):
        from . import background  # noqa: PLC0415 - few runs are

        return background.detach(lambda started: _build(request, command, executors, started))
    return _build(request, command, executors)


def _tell_of_namesake(known: project.Outline, chosen: Options) -> None:
    """Say that a word is a command where it is a stage's name, too.

    Raises:
        UsageError: the command changes what is there, and nothing but its word stands there.
    """
    word, command = chosen.words[0], chosen.command
    if word not in known.stages:
        return
    stage = f"the stage is {project.DEFAULT_PROFILE}-{word}, or its notebook's path"
    if command.spelt is not None and not (chosen.rest or chosen.given):
        message = f"`{word}` is a command, and a stage; write {command.spelt} for the command, "
        raise UsageError(message + stage)
    print(f"run.py: `{word}` is the command here; {stage}", file=sys.stderr)


def _work(chosen: Options) -> Callable[..., int]:
    """Give the function that carries out a command; its module is imported for it alone."""
    module, _, name = chosen.command.work.partition(":")
    found: Callable[..., int] = getattr(import_module(f".{module}", __package__), name)
    return found


def _show(request: "Request") -> int:
    from . import deadline, reports, tasks  # noqa: PLC0415 - see above

    mask = dotenv.mask(request.project.root, os.environ, request.settings.secrets)
    deadline.check(os.environ)
    todo = request.tasks()
    tasks.refuse_missing_packages(request.project, todo)
    for task in todo:
        print(f"{task.profile}:")
        for line in reports.plan_lines(task, "skip   up to date"):
            print(mask(f"  {line}"))
    return Exit.OK


def _build(
    request: "Request",
    command: Sequence[str],
    executors: Executors,
    started: "Started | None" = None,
) -> int:
    with contextlib.ExitStack() as held:
        early = _start_early(request, held)
        # Imported beside that process, and not where a command only looks.
        from . import building  # noqa: PLC0415

        return building.build(request, command, executors, early, started)


def _start_early(request: "Request", held: contextlib.ExitStack) -> "Root | None":
    """Start the process that kernels are forked from, if they will surely be needed.

    It imports for longer than we need to find out what is to be done; so that this costs
    little time, it begins as soon as there is no mistake.
    """
    if not portable.on_linux() or not (request.settings.warm and request.from_scratch):
        return None
    from .kernel import root  # noqa: PLC0415 - other commands do not need it

    with contextlib.suppress(OSError):
        early = root.start(request.project.working_directory)
        held.callback(early.end, 0.0)
        return early
    return None


def check(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Look for mistakes in all profiles; compare the test build if there is one."""
    from . import packages, remarks, tasks, verdict  # noqa: PLC0415 - see above
    from .display import console  # noqa: PLC0415
    from .logs import Log  # noqa: PLC0415

    if chosen.rest:
        message = f"check takes no further words, not `{chosen.rest[0]}`"
        raise UsageError(message)
    bound = tasks.bind(loaded, list(loaded.profiles), chosen.parameters)
    orders = ([stage.notebook for stage in one.stages.values()] for one in bound.values())
    missing = [problem for order in orders for problem in packages.missing(loaded, order)]
    if missing:
        raise ProjectError(missing)
    count = len(loaded.profiles)
    mask = dotenv.mask(loaded.root, os.environ, settings.secrets)
    with console() as shown:
        log = Log(shown, settings.log_level, mask)
        for level, text in remarks.of_project(loaded):
            log.say(text, "check", level)
        if full := [one.label for one in loaded.notebooks.values() if one.has_outputs]:
            words = f"saved with outputs: {', '.join(full)}; python run.py tidy takes them out"
            log.say(words, "check")
        stages = verdict.counted(len(loaded.notebooks), "stage")
        log.say(f"no mistakes in {stages} and {verdict.counted(count, 'profile')}", "check")
        if loaded.build(project.TEST_PROFILE).is_dir():
            outputs = tasks.outputs(loaded, project.TEST_PROFILE)
            return verdict.check(loaded, settings, log, outputs)
        log.say("there is no test build to compare; python run.py test makes it", "check")
    return Exit.OK

"""From words to the command that they name; what a command does not need is not imported."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Exit, UsageError
from ..execution import Executors
from . import options
from .commands import RESERVED
from .options import Options

if TYPE_CHECKING:
    from ..project import Outline


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
    return _carry_out(chosen, arguments, root, executors)


def _carry_out(chosen: Options, arguments: Sequence[str], root: Path, executors: Executors) -> int:
    from ..project import layout  # noqa: PLC0415 - not for --help
    from ..system import portable  # noqa: PLC0415 - as above

    if chosen.name is not None:
        _tell_of_namesake(layout.outline(root), chosen)
    if chosen.command.builds:
        return int(_work(chosen)(layout.outline(root), chosen, arguments, executors))
    if chosen.command.lenient:
        return int(_work(chosen)(layout.outline(root), chosen))
    loaded = layout.load(root, RESERVED)
    settings = chosen.settings(loaded.settings)
    if settings.portable:
        portable.choose()
    if chosen.name is not None:
        return int(_work(chosen)(loaded, settings, chosen))
    from .build import build  # noqa: PLC0415 - not for what only looks

    return build(loaded, settings, chosen, arguments, executors)


def _tell_of_namesake(known: "Outline", chosen: Options) -> None:
    """Say that a word is a command where it is a stage's name, too.

    Raises:
        UsageError: the command changes what is there, and nothing but its word stands there.
    """
    word, command = chosen.words[0], chosen.command
    if word not in known.stages:
        return
    from ..project import DEFAULT_PROFILE  # noqa: PLC0415 - as above

    stage = f"the stage is {DEFAULT_PROFILE}-{word}, or its notebook's path"
    if command.spelt is not None and not (chosen.rest or chosen.given):
        message = f"`{word}` is a command, and a stage; write {command.spelt} for the command, "
        raise UsageError(message + stage)
    print(f"run.py: `{word}` is the command here; {stage}", file=sys.stderr)


def _work(chosen: Options) -> Callable[..., int]:
    """Give the function that carries out a command; its module is imported for it alone."""
    module, _, name = chosen.command.work.partition(":")
    found: Callable[..., int] = getattr(import_module(f".{module}", __package__), name)
    return found

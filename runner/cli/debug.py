"""`debug`: back to the cell at which a stage failed, in a console with its variables."""

import os
import sys

from ..errors import Exit, UsageError
from ..jupyter import failure, lab
from ..kernels import keeping
from ..project import CACHE, Outline, dotenv, layout
from ..words import clock_in_words, did_you_mean, state_in_words
from .options import Options
from .shared import label


def debug(known: Outline, chosen: Options) -> int:
    """Run a stage that failed up to the cell at fault again; hand over a console or JupyterLab.

    Args:
        known: the project's names.
        chosen: a stage; none is the one that failed last. And the options.

    Raises:
        UsageError: the words say nothing possible, nothing failed, or there is no terminal.
    """
    stage, profile = _stage(chosen), chosen.given.get("profile")
    if profile is not None and profile not in known.profiles:
        hint = did_you_mean(profile, known.profiles)
        message = f"debug: there is no profile `{profile}`{hint}"
        raise UsageError(message)
    settings = layout.settings(known.root)
    mask = dotenv.mask(known.root, os.environ, settings.secrets)
    found = failure.newest(known, stage, profile, mask)
    in_lab = chosen.has("lab")
    _see_that_it_can_start(known, found, in_lab=in_lab)
    run, one = found.run, found.stage
    said = f"{one.name} {state_in_words(one.state or '')} in {found.profile}"
    print(f"{said}, {clock_in_words(run.started)}, run {run.folder.name}")
    print(mask(f"  {one.place or 'after its last cell'}: {one.error}"))
    kernels = keeping.kept(known.outputs / CACHE)
    kept = next((k for k in kernels if (k.run, k.stage) == (run.folder.name, one.name)), None)
    name = label(found.notebook, known.root)
    # It loads what speaks to kernels.
    from ..jupyter import debug as session  # noqa: PLC0415

    if kept is not None and not in_lab:
        print(mask(found.traceback), flush=True)
        session.attach(known.root, kept, _say)
        return Exit.OK
    if found.edited:
        print(f"{name} was edited since: the cells are those that ran then")
    if kept is not None:
        print(mask(found.traceback), flush=True)
        session.attach_lab(known.root, found, settings, kept, _say)
        return Exit.OK
    for other in found.others:
        print(f"{other} is not what it was then")
    print(f"outputs go to outputs/{found.profile}/edit/", flush=True)
    session.debug(known.root, found, settings, lambda text: _say(mask(text)), in_lab=in_lab)
    return Exit.OK


def _say(text: str) -> None:
    print(text, flush=True)


def _see_that_it_can_start(known: Outline, found: failure.Failure, *, in_lab: bool) -> None:
    if in_lab:
        lab.must_start("python run.py debug, in a terminal there, opens a console")
        if not found.notebook.is_file():
            name = label(found.notebook, known.root)
            message = f"{name} is not there any more; python run.py debug opens a console"
            raise UsageError(message)
    elif not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        message = "debug needs a terminal, for its console; --lab needs none"
        raise UsageError(message)


def _stage(chosen: Options) -> str | None:
    """Give the stage that is named; one whose notebook is gone may have failed all the same."""
    if len(chosen.rest) > 1:
        message = f"debug takes one stage, not {len(chosen.rest)} words"
        raise UsageError(message)
    return chosen.rest[0] if chosen.rest else None

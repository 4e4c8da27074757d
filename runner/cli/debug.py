"""`debug`: back to the cell at which a stage failed, in a console with its variables."""

import os
import sys

from ..errors import Exit, UsageError
from ..jupyter import failure
from ..kernels import keeping
from ..project import CACHE, Outline, dotenv, layout
from ..words import clock_in_words, did_you_mean, state_in_words
from .options import Options
from .shared import label


def debug(known: Outline, chosen: Options) -> int:
    """Run a stage that failed up to the cell at fault again, and hand over a console.

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
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        message = "debug needs a terminal, for its console; in Jupyter, open one there"
        raise UsageError(message)
    run, one = found.run, found.stage
    said = f"{one.name} {state_in_words(one.state or '')} in {found.profile}"
    print(f"{said}, {clock_in_words(run.started)}, run {run.folder.name}")
    print(mask(f"  {one.place or 'after its last cell'}: {one.error}"))
    kernels = keeping.kept(known.outputs / CACHE)
    kept = next((k for k in kernels if (k.run, k.stage) == (run.folder.name, one.name)), None)
    if kept is not None:
        from ..jupyter import debug as session  # noqa: PLC0415 - it loads what speaks to kernels

        print(mask(found.traceback), flush=True)
        session.attach(known.root, kept, lambda text: print(text, flush=True))
        return Exit.OK
    name = label(found.notebook, known.root)
    if found.edited:
        print(f"{name} was edited since: the cells are those that ran then")
    for other in found.others:
        print(f"{other} is not what it was then")
    print(f"outputs go to outputs/{found.profile}/edit/", flush=True)
    # It loads what speaks to kernels.
    from ..jupyter import debug as session  # noqa: PLC0415

    session.debug(known.root, found, settings, mask, lambda text: print(text, flush=True))
    return Exit.OK


def _stage(chosen: Options) -> str | None:
    """Give the stage that is named; one whose notebook is gone may have failed all the same."""
    if len(chosen.rest) > 1:
        message = f"debug takes one stage, not {len(chosen.rest)} words"
        raise UsageError(message)
    return chosen.rest[0] if chosen.rest else None

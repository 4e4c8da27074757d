"""`history`: the runs of builds."""

import os

from ..errors import Exit, UsageError
from ..model import BuildKey
from ..project import Outline, dotenv, layout
from ..runs import store
from ..words import did_you_mean
from .options import Options
from .shared import warn


def history(known: Outline, chosen: Options) -> int:
    """Print the runs of builds, the oldest first, with what `-p` gave and their metrics.

    Raises:
        UsageError: a word is no profile, and no build beside one.
    """
    mask = dotenv.mask(known.root, os.environ, layout.settings(known.root).secrets)
    for word in chosen.rest:
        if word not in known.profiles:
            hint = did_you_mean(word, known.profiles)
            message = f"history takes names of profiles; there is no profile `{word}`{hint}"
            raise UsageError(message)
    names = chosen.rest or known.profiles
    found = [name for name in names if known.build(BuildKey(name)).is_dir()]
    for name in found:
        print(f"{name}:")
        for run in reversed(list(store.of_build(known.build(BuildKey(name)), warn))):
            print(mask(f"  {store.line(run)}"))
            for line in store.given(run):
                print(mask(f"      {line}"))
    if not found:
        print("nothing has run yet")
    return Exit.OK

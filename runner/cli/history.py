"""`history`: the runs of builds."""

import os

from ..errors import Exit
from ..model import BuildKey
from ..project import Project, Settings, dotenv
from ..runs import store
from .options import Options
from .shared import profiles_only, warn


def history(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Print the runs of builds, the oldest first, with what `-p` gave and their metrics."""
    mask = dotenv.mask(loaded.root, os.environ, settings.secrets)
    profiles_only("history", chosen.rest, loaded)
    names = chosen.rest or loaded.profiles
    found = [name for name in names if loaded.build(BuildKey(name)).is_dir()]
    for name in found:
        print(f"{name}:")
        for run in reversed(list(store.of_build(loaded.build(BuildKey(name)), warn))):
            print(mask(f"  {store.line(run)}"))
            for line in store.given(run):
                print(mask(f"      {line}"))
    if not found:
        print("nothing has run yet")
    return Exit.OK

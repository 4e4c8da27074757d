"""`list`: the stages in order."""

import os
from collections.abc import Iterator

from ..errors import Exit
from ..plan import Freshness
from ..project import Project, Settings, bind, dotenv
from .options import Options
from .shared import profiles_only, usual_profile

_MOST = 20


def stages(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Print the stages in order: what each reads and writes, and its parameters."""
    words = chosen.rest
    profiles_only("list", words, loaded)
    mask = dotenv.mask(loaded.root, os.environ, settings.secrets)
    names = words or [usual_profile(loaded)]
    for name, found in bind(loaded, names, chosen.parameters).items():
        print(f"profile {name} ({loaded.label(loaded.profiles[name])}):")
        freshness = Freshness(loaded, found)
        for stage in freshness.pipeline.stages.values():
            always = "; it always runs" if loaded.always(stage.name) else ""
            print(f"\n  {stage.name}  ({stage.notebook.label}{always})")
            for one in stage.inputs:
                print(f"    reads   {one.source or loaded.label(one.path)}")
            for output in stage.outputs:
                print(f"    writes  {loaded.label(output.path)}")
            for line in _seen(freshness, stage.name):
                print(mask(f"    {line}"))
            for parameter, value in stage.values.items():
                if not parameter.startswith(("input_", "output_")):
                    origin = "" if value.origin == "notebook" else f"  ({value.origin})"
                    print(mask(f"    {parameter} = {value.value!r}{origin}"))
        print()
    print(f"profiles: {', '.join(loaded.profiles)}")
    if loaded.listing.left_out:
        print(loaded.listing.words)
    return Exit.OK


def _seen(freshness: Freshness, stage: str) -> Iterator[str]:
    """Write what a stage was seen to use in this build, and does not declare."""
    made = freshness.made.get(stage)
    if made is not None and made.seen is not None:
        used = (
            ("reads ", "seen", made.seen.reads),
            ("reads ", "perhaps", made.seen.perhaps),
            ("writes", "seen", made.seen.writes),
        )
        for word, how, names in used:
            yield from (f"{word}  {name}  ({how})" for name in list(names)[:_MOST])
            if len(names) > _MOST:
                yield f"{word}  and {len(names) - _MOST} more files  ({how})"

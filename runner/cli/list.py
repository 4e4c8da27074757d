"""`list`: the stages in order."""

import os
from collections.abc import Iterator, Sequence

from ..errors import Exit
from ..model import Pipeline
from ..plan import Freshness
from ..project import Project, Settings, bind, dotenv
from ..words import few_in_words, shortened
from .options import Options
from .shared import points_in_words, profiles_only, usual_profile

_MOST, _FEW, _WIDE = 20, 6, 80


def stages(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Print the stages in order: what each reads and writes, and its parameters."""
    words = chosen.rest
    profiles_only("list", words, loaded)
    mask = dotenv.mask(loaded.root, os.environ, settings.secrets)
    names = words or [usual_profile(loaded)]
    for name, found in bind(loaded, names, chosen.parameters).items():
        print(f"profile {name} ({loaded.label(loaded.profiles[name])}):")
        freshness = Freshness(loaded, found)
        for notebook in freshness.pipeline.points:
            for line in _of_notebook(loaded, freshness, notebook):
                print(mask(line))
        for notebook in freshness.pipeline.coming:
            print(f"\n  {notebook} × ?  (its points are known when others have run)")
        print()
    print(f"profiles: {', '.join(loaded.profiles)}")
    if loaded.listing.left_out:
        print(loaded.listing.words)
    return Exit.OK


def _of_notebook(loaded: Project, freshness: Freshness, notebook: str) -> Iterator[str]:
    """Write what the stage of a notebook reads, writes and takes; of many points, the first."""
    pipeline = freshness.pipeline
    names = pipeline.points[notebook]
    stage = pipeline.stages[names[0]]
    always = "; it always runs" if loaded.always(notebook) else ""
    title = points_in_words(pipeline, notebook, names) if stage.label else notebook
    yield f"\n  {title}  ({stage.notebook.label}{always})"
    if stage.label:
        yield f"    at {_few_points(pipeline, names)}; the first of them:"
    reads = [one.source or loaded.label(one.path) for one in stage.inputs]
    yield from (f"    reads   {name}" for name in reads[:_MOST])
    if len(reads) > _MOST:
        yield f"    reads   and {len(reads) - _MOST} more files"
    yield from (f"    writes  {loaded.label(output.path)}" for output in stage.outputs)
    yield from (f"    {line}" for line in _seen(freshness, stage.name))
    for parameter, value in stage.values.items():
        if not parameter.startswith(("input_", "output_")):
            origin = "" if value.origin == "notebook" else f"  ({value.origin})"
            shown = (
                shortened(repr(value.value), _WIDE) if value.origin == "axes" else repr(value.value)
            )
            yield f"    {parameter} = {shown}{origin}"


def _few_points(pipeline: Pipeline, names: Sequence[str]) -> str:
    labels = [pipeline.stages[name].label for name in names]
    return few_in_words(labels, _FEW)


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

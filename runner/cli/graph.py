"""`graph`: the stages as a tree, or as a program draws them."""

from ..errors import Exit, UsageError
from ..plan import Freshness
from ..project import Project, Settings, bind
from . import drawing
from .options import Options
from .shared import profiles_only, usual_profile


def graph(loaded: Project, settings: Settings, chosen: Options) -> int:  # noqa: ARG001 - as all
    """Print the graph of the stages."""
    words = chosen.rest
    profiles_only("graph", words, loaded)
    if len(words) > 1 or (chosen.has("mermaid") and chosen.has("dot")):
        message = "graph takes one profile, and one of --mermaid and --dot"
        raise UsageError(message)
    name = words[0] if words else usual_profile(loaded)
    found = Freshness(loaded, bind(loaded, [name], chosen.parameters)[name]).pipeline
    needs = {stage: found.needs[stage] for stage in found.stages}
    if chosen.has("mermaid"):
        lines = drawing.mermaid(needs, found.after)
    elif chosen.has("dot"):
        lines = drawing.dot(needs, found.after)
    else:
        lines = drawing.tree(needs)
    for line in lines:
        print(line)
    return Exit.OK

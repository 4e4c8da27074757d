"""`graph`: the stages as a tree, or as a program draws them."""

from ..errors import Exit, UsageError
from ..graph import Needs
from ..model import Pipeline
from ..plan import Freshness
from ..project import Project, Settings, bind
from . import drawing
from .options import Options
from .shared import points_in_words, profiles_only, usual_profile


def graph(loaded: Project, settings: Settings, chosen: Options) -> int:  # noqa: ARG001 - as all
    """Print the graph of the stages."""
    words = chosen.rest
    profiles_only("graph", words, loaded)
    if len(words) > 1 or (chosen.has("mermaid") and chosen.has("dot")):
        message = "graph takes one profile, and one of --mermaid and --dot"
        raise UsageError(message)
    name = words[0] if words else usual_profile(loaded)
    found = Freshness(loaded, bind(loaded, [name], chosen.parameters)[name]).pipeline
    needs, after = _of_notebooks(found, found.needs), _of_notebooks(found, found.after)
    if chosen.has("mermaid"):
        lines = drawing.mermaid(needs, after)
    elif chosen.has("dot"):
        lines = drawing.dot(needs, after)
    else:
        lines = drawing.tree(needs)
    for line in lines:
        print(line)
    return Exit.OK


def _of_notebooks(found: Pipeline, needs: Needs) -> dict[str, list[str]]:
    """Have all points of a notebook be one name: `model × 12 (degree × alpha)`."""
    names = {
        stage: points_in_words(found, notebook, those) if found.stages[those[0]].label else stage
        for notebook, those in found.points.items()
        for stage in those
    }
    together: dict[str, dict[str, None]] = {}
    for stage in found.stages:
        needed = together.setdefault(names[stage], {})
        needed |= dict.fromkeys(names[one] for one in needs.get(stage, ()))
    return {name: [*needed] for name, needed in together.items()}

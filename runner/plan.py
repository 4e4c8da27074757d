"""Which stages must run, and why. Pure: it looks at nothing but its arguments."""

from collections.abc import Collection, Mapping

from . import graph
from .model import Pipeline, Planned, Reason
from .targets import Selection


def plan(
    pipeline: Pipeline,
    selection: Selection,
    missing: Mapping[str, Collection[str]],
    *,
    from_scratch: bool,
) -> tuple[Planned, ...]:
    """Say for the named stages and all that they need why each runs, in running order.

    Args:
        pipeline: the stages of the profile.
        selection: what was asked.
        missing: for each stage, what of its outputs does not exist.
        from_scratch: everything that is needed runs.
    """
    needed = graph.closure(selection.named, pipeline.needs)
    reasons: dict[str, tuple[Reason, ...]] = {}
    for name in pipeline.stages:
        if name in needed and from_scratch:
            reasons[name] = (Reason("from_scratch", "built from scratch"),)
        elif name in needed:
            found = _reasons(name, selection, missing)
            found += tuple(
                Reason("upstream", f"{one} runs before it")
                for one in sorted(pipeline.needs[name])
                if reasons[one]
            )
            reasons[name] = found
    return tuple(Planned(name, why) for name, why in reasons.items())


def _reasons(
    name: str, selection: Selection, missing: Mapping[str, Collection[str]]
) -> tuple[Reason, ...]:
    found = tuple(Reason("missing", f"{one} is missing") for one in missing.get(name, ()))
    if name in selection.named:
        found = (*found, Reason("named", "named on the command line"))
    return found

"""Which stages must run, and in which words that is said: reasons, from what is and was."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .. import graph
from ..model import Pipeline, Planned, Reason
from ..runs import Environment, Fingerprint, Made
from ..secrets import MASK
from ..words import counted, cut, state_in_words

_SHORT, _FEW = 60, 3


@dataclass(frozen=True)
class Now:
    """A stage as it stands: what it would be made from, and the outputs that are there.

    `executed` is the name of the executed notebook if that is missing.
    """

    basis: Fingerprint
    environment: Environment
    outputs: Mapping[str, str | None]
    executed: str | None


def plan(
    pipeline: Pipeline,
    named: Collection[str],
    look: Callable[[str, frozenset[str]], tuple[Reason, ...]],
) -> tuple[Planned, ...]:
    """Say for the named stages and all that they need why each runs, in running order.

    Args:
        pipeline: the stages of the profile.
        named: the stages asked for.
        look: gives the reasons of a stage as things stand, leaving out what it reads from
            certain others: those that may run yet.
    """
    needed = graph.closure(named, pipeline.needs)
    planned: dict[str, Planned] = {}
    for name in pipeline.stages:
        if name in needed:
            earlier = sorted(pipeline.needs[name] | pipeline.after.get(name, frozenset()))
            before = [one for one in earlier if one in planned and planned[one].may_run]
            planned[name] = Planned(name, look(name, frozenset(before)), tuple(before))
    return tuple(planned.values())


def reasons(now: Now, made: Made | None) -> tuple[Reason, ...]:
    """Say why a stage must run, most telling first; nothing means that it is up to date."""
    return tuple(_reasons(now, made))


def _reasons(now: Now, made: Made | None) -> Iterator[Reason]:
    if made is None:
        yield Reason("new", "it was not built before")
        return
    if made.since is not None:
        words = state_in_words(made.since)
        yield Reason("unfinished", f"its last run did not end well ({words})")
    else:
        yield from _outputs(now, made)
    yield from _code(now.basis, made.basis)
    yield from _paths(now.basis.paths, made.basis.paths)
    yield from _parameters(now.basis.parameters, made.basis.parameters)
    yield from _files("input", now.basis.inputs, made.basis.inputs)
    yield from _files("module", now.basis.modules, made.basis.modules)
    if now.basis.kernel != made.basis.kernel:
        yield Reason("kernel", f"kernel: {made.basis.kernel} → {now.basis.kernel}")
    yield from _environment(now.environment, made.environment)


def _outputs(now: Now, made: Made) -> Iterator[Reason]:
    for name, value in now.outputs.items():
        if value is None:
            yield Reason("missing", f"output {name} is missing")
        elif name not in made.outputs:
            yield Reason("output", f"output {name} is new")
        elif value != made.outputs[name]:
            yield Reason("edited", f"output {name} is not as the stage left it")
    if now.executed is not None:
        yield Reason("missing", f"{now.executed} is missing")


def _code(now: Fingerprint, before: Fingerprint) -> Iterator[Reason]:
    one, other = list(now.code.values()), list(before.code.values())
    if len(one) != len(other):
        yield Reason("code", f"code changed ({len(other)} → {len(one)} code cells)")
    elif one != other:
        changed = [
            number for number, old in zip(now.code, other, strict=True) if now.code[number] != old
        ]
        word = "cell" if len(changed) == 1 else "cells"
        yield Reason("code", f"code changed ({word} {', '.join(changed)})")


def _parameters(now: Mapping[str, object], before: Mapping[str, object]) -> Iterator[Reason]:
    for name in dict.fromkeys([*now, *before]):
        if name not in before:
            yield Reason("parameter", f"parameter {name} is new")
        elif name not in now:
            yield Reason("parameter", f"parameter {name} is gone")
        elif not _same(now[name], before[name]):
            change = f"{_short(before[name])} → {_short(now[name])}"
            yield Reason("parameter", f"parameter {name}: {change}")


def _same(one: object, other: object) -> bool:
    """Compare plain values by their JSON, where 1, 1.0 and true differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _paths(now: Mapping[str, list[str]], before: Mapping[str, list[str]]) -> Iterator[Reason]:
    for name in dict.fromkeys([*now, *before]):
        one, other = (each.get(name, ["nothing"]) for each in (before, now))
        if one != other:
            yield Reason("path", f"{name}: {_names(one)} → {_names(other)}")


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _FEW else f"{len(names)} paths"


def _short(value: object) -> str:
    text = repr(MASK if isinstance(value, dict) and value.keys() == {MASK} else value)
    return cut(text, _SHORT)


def _files(
    word: str, now: Mapping[str, str | None], before: Mapping[str, str | None]
) -> Iterator[Reason]:
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys([*now, *before]):
        if name not in before:
            found.setdefault("is new", []).append(name)
        elif name not in now:
            found.setdefault("is gone", []).append(name)
        elif now[name] is None:
            found.setdefault("is missing", []).append(name)
        elif now[name] != before[name]:
            found.setdefault("changed", []).append(name)
    for what, names in found.items():
        for name in names[:_FEW]:
            yield Reason(word, f"{word} {name} {what}")
        if len(names) > _FEW:
            more = len(names) - _FEW
            are = what.replace("is ", "are ") if more > 1 else what
            yield Reason(word, f"{counted(more, f'more {word}')} {are}")


def _environment(now: Environment, before: Environment) -> Iterator[Reason]:
    if now.python != before.python:
        yield Reason("python", f"Python {before.python} → {now.python}")
    for name in dict.fromkeys([*now.packages, *before.packages]):
        one, other = before.packages.get(name, "none"), now.packages.get(name, "none")
        if one != other:
            yield Reason("package", f"package {name} {one} → {other}")

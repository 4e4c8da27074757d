"""Looks at the stages of a build as they stand, for `plan` to say why each must run."""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from .. import graph
from ..model import Pipeline, Reason, Stage
from ..project import CACHE, Project, dotenv
from ..runs import CertainUse, Fingerprint, Made, Seen, last_made, with_parents
from . import fingerprint, plan, seen
from .hashes import Hashes


class Freshness:
    """What is known of one profile's build: how its stages were made, and how they are now.

    `pipeline` has the order that follows from what is declared and what was seen.
    """

    def __init__(self, project: Project, pipeline: Pipeline) -> None:
        """Read the history of the build."""
        self.project = project
        self._build = project.build(pipeline.key)
        self.hashes = Hashes(project.outputs / CACHE / "hashes.json")
        self._look = seen.Look(project.root, self.hashes)
        self._mask = dotenv.mask(project.root, os.environ, project.settings.secrets)
        self.environment = fingerprint.environment(project.root)
        self.pipeline = pipeline
        self.made = self._made()
        silent = [name for name in self.made if not pipeline.declares(name)]
        known = {name for name in silent if self._is_known(name)}
        used = {name: one.seen for name, one in self.made.items() if one.seen is not None}
        written = {name: set(self._written_by(name)) for name in pipeline.stages}
        declared = {
            name: [project.label(one.path) for one in stage.inputs]
            for name, stage in pipeline.stages.items()
        }
        self.pipeline = ordered(pipeline, used, declared, written, known)
        self._place = {name: number for number, name in enumerate(self.pipeline.stages)}

    def _made(self) -> dict[str, Made]:
        """Find how each stage was last made, under its name or the one that it had before."""
        stages = self.pipeline.stages
        found = last_made(self._build, stages)
        former = {name: one for name, one in found.items() if name not in stages}
        made = {name: one for name, one in found.items() if name in stages}
        for name in [one for one in stages if former and one not in made]:
            now = self.of_stage(stages[name])
            for old, one in former.items():
                # In another folder its paths would mean other files.
                moved = name.rpartition("/")[0] != old.rpartition("/")[0]
                if now.code and not moved and _is_the_same(now, one.basis):
                    made[name] = replace(former.pop(old), was=old)
                    break
        if any(one.seen is not None and not one.seen.alone for one in made.values()):
            return self._apart(made)
        return made

    def _apart(self, made: Mapping[str, Made]) -> dict[str, Made]:
        """Leave out of the hints what is another stage's, which may have run meanwhile."""
        declared = {
            name: {
                self.project.label(path)
                for path in [one.path for one in stage.inputs] + [one.path for one in stage.outputs]
            }
            for name, stage in self.pipeline.stages.items()
        }
        seen_by = {name: one.seen for name, one in made.items()}
        used = CertainUse((seen_by.get(name), names) for name, names in declared.items())
        return {
            name: replace(one, seen=one.seen.without(used, declared[name])) if one.seen else one
            for name, one in made.items()
        }

    def _is_known(self, name: str) -> bool:
        """Tell whether what a stage was seen to use is what it would use now."""
        made = self.made.get(name)
        if made is None or made.seen is None:
            return False
        now = self.of_stage(self.pipeline.stages[name])
        return (now.code, now.parameters) == (made.basis.code, made.basis.parameters) and all(
            self._look.of(one) == value for one, value in made.seen.modules.items()
        )

    def reasons(self, name: str, unsettled: Collection[str] = ()) -> tuple[Reason, ...]:
        """Say why a stage must run; what it reads from `unsettled` stages is left out.

        Raises:
            OSError: a file that counts cannot be read.
        """
        stage = self.pipeline.stages[name]
        made = self.made.get(name)
        now = self._now(stage)
        if made is None:
            return plan.reasons(now, made)
        if unsettled:
            making = {one for other in unsettled for one in self._written_by(other)}
            left_out = {
                one.source or self.project.label(one.path)
                for one in stage.inputs
                if any(maker in unsettled for maker in one.made_by)
                or not making.isdisjoint(with_parents(self.project.label(one.path)))
            }
            now = replace(now, basis=_without(now.basis, left_out))
            made = replace(made, basis=_without(made.basis, left_out))
        if made.seen is not None and made.seen.witness:
            # The modules that were loaded are known; the others were only guessed.
            now = replace(now, basis=replace(now.basis, modules={}))
            made = replace(made, basis=replace(made.basis, modules={}))
        found = plan.reasons(now, made)
        if made.seen is not None:
            return (*found, *self._comparison(name, unsettled).reasons(made.seen))
        return found or self._overtaken(name, made)

    def reasons_seen(self, name: str, used: Seen) -> tuple[Reason, ...]:
        """Say what is not as it was when a stage was seen to use it."""
        return tuple(self._comparison(name, ()).reasons(used))

    def _comparison(self, name: str, unsettled: Collection[str]) -> seen.Comparison:
        """Compare what a stage used without declaring it."""
        making = {one for other in unsettled for one in self._written_by(other)}
        making |= {one.rpartition("/")[0] + "/" for one in making}
        return seen.Comparison(
            self._look,
            left_out=lambda name: any(one in making for one in with_parents(name)),
            as_left=lambda file, now: any(
                one.seen is not None and one.seen.writes.get(file) == now
                for other in self._later(name)
                if (one := self.made.get(other))
            ),
            of_later=lambda: self.written_later(name),
            of_earlier=lambda: {
                one
                for other in list(self.pipeline.stages)[: self._place[name]]
                for one in self._made_by(other)
            },
        )

    def written_later(self, name: str) -> Collection[str]:
        """Give the names of the files that stages write which come after one."""
        return {one for other in self._later(name) for one in self._written_by(other)}

    def _made_by(self, name: str) -> Collection[str]:
        """Give the names of the folders that a stage was seen to make."""
        made = self.made.get(name)
        return made.seen.folders if made is not None and made.seen is not None else ()

    def _later(self, name: str) -> list[str]:
        """Give the stages that come after one."""
        return list(self.pipeline.stages)[self._place[name] + 1 :]

    def _written_by(self, name: str) -> Iterator[str]:
        """Give the names of the files that a stage writes, declared or seen."""
        return written_by(self.pipeline.stages[name], self.made.get(name), self.project)

    def _overtaken(self, name: str, made: Made) -> tuple[Reason, ...]:
        """Say which stages were made after one of which is not known what it reads."""
        if self.pipeline.declares(name):
            return ()
        needs = sorted(self.pipeline.needs[name])
        later = [one for one in needs if one in self.made and self.made[one].run > made.run]
        return tuple(Reason("upstream", f"{one} ran after it") for one in later)

    def of_stage(self, stage: Stage) -> Fingerprint:
        """Give what a stage is made from now, as it may be recorded: without secrets."""
        now = fingerprint.of_stage(self.project, stage, self.hashes)
        if self._mask.values(now.parameters) == now.parameters:
            return now
        key = fingerprint.secrets_key(self.project.outputs / CACHE / "key")
        return fingerprint.without_secrets(now, self._mask, key)

    def _now(self, stage: Stage) -> plan.Now:
        made = self.made.get(stage.name)
        paths = [self._build / stage.executed]
        paths += [self._build / "notebooks" / f"{made.was}.ipynb"] if made and made.was else []
        there = any(path.exists() for path in paths)
        return plan.Now(
            basis=self.of_stage(stage),
            environment=self.environment,
            outputs=fingerprint.of_outputs(self.project, stage, self.hashes),
            executed=None if there else self.project.label(paths[0]),
        )


def written_by(stage: Stage, made: Made | None, project: Project) -> Iterator[str]:
    """Give the names of the files and folders that a stage writes, declared or seen."""
    yield from (project.label(one.path) for one in stage.outputs)
    if made is not None and made.seen is not None:
        yield from made.seen.writes


def ordered(
    pipeline: Pipeline,
    used: Mapping[str, Seen],
    declared: Mapping[str, Collection[str]],
    written: Mapping[str, Collection[str]],
    known: Collection[str],
) -> Pipeline:
    """Have stages come after those that write what they were seen to use.

    A stage that declares nothing, and of which nothing is `known` yet, keeps its place: it
    brings along and waits for all that stand before it, and all that stand after it wait.

    Args:
        pipeline: the stages in the order that follows from what they declare.
        used: what stages were seen to use.
        declared: the names of the files and folders that they say they read.
        written: the names of the files and folders that each stage writes.
        known: the stages for which that still holds.
    """
    names = list(pipeline.stages)
    needs = {name: set(pipeline.needs[name]) for name in names}
    after: dict[str, set[str]] = {name: set() for name in names}
    guessed: dict[str, set[str]] = {name: set() for name in names}
    barrier: set[str] = set()
    since: set[str] = set()
    for name in names:
        if pipeline.declares(name) or name in known:
            after[name] |= barrier
            since.add(name)
        else:
            guessed[name] = since | barrier
            after[name] |= guessed[name]
            barrier, since = {name}, set()
    places = {name: number for number, name in enumerate(names)}
    before = {name: needs[name] | after[name] for name in names}
    # Of two that use each other's files, the one that stands first comes first.
    pairs = sorted(
        _pairs(used, declared, written), key=lambda pair: places[pair[0]] > places[pair[1]]
    )
    for writer, reader in pairs:
        if writer not in needs[reader] and reader not in graph.closure((writer,), before):
            needs[reader].add(writer)
            before[reader].add(writer)
    return replace(
        pipeline,
        stages={name: pipeline.stages[name] for name in graph.order(before)},
        needs={name: frozenset(needs[name] | guessed[name]) for name in names},
        after={name: frozenset(after[name] - needs[name]) for name in names},
    )


def _pairs(
    used: Mapping[str, Seen],
    declared: Mapping[str, Collection[str]],
    written: Mapping[str, Collection[str]],
) -> Iterator[tuple[str, str]]:
    """Give pairs of a stage that writes and one that was seen to use that."""
    writers: dict[str, dict[str, None]] = {}
    for name, files in written.items():
        for file in files:
            for place in (file, file.rpartition("/")[0] + "/"):
                writers.setdefault(place, {})[name] = None
    found: dict[tuple[str, str], None] = {}
    for reader, inputs in declared.items():
        files = [*inputs, *(f"{one}/" for one in inputs)]
        if (one := used.get(reader)) is not None:
            folders = [f"{folder}/" for folder in (*one.listed, *one.many)]
            files += [*one.reads, *one.perhaps, *one.modules, *folders]
        for file in files:
            for place in with_parents(file):
                for writer in writers.get(place, ()):
                    if writer != reader:
                        found[writer, reader] = None
    yield from found
    yield from _of_folders(used, written)


def _of_folders(
    used: Mapping[str, Seen], written: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, str]]:
    """Give pairs of the stage that first makes a folder, and one that writes into it."""
    makers: dict[str, str] = {}
    for name in written:
        for folder in used[name].folders if name in used else ():
            makers.setdefault(folder, name)
    for name, one in used.items():
        folders = {above for file in one.writes for above in with_parents(file.rpartition("/")[0])}
        for folder in sorted(folders - {*one.folders}):
            if makers.get(folder, name) != name:
                yield makers[folder], name


def _is_the_same(now: Fingerprint, before: Fingerprint) -> bool:
    one, other = list(now.code.values()), list(before.code.values())
    return one == other and (now.parameters, now.paths) == (before.parameters, before.paths)


def _without(one: Fingerprint, names: Collection[str]) -> Fingerprint:
    return replace(one, inputs={k: v for k, v in one.inputs.items() if k not in names})

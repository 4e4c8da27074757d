"""What a stage was seen to do, against what it declares: the record, the verdict, the hints."""

import logging
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..model import BuildKey, Result, Stage, State, Trace
from ..plan import Freshness, seen, written_by
from ..project import Project, naming
from ..runs import Seen, last_made, with_parents
from ..system import content
from ..words import first_few

_SMALL = 1 << 16
_TEXTS = (".py", ".yaml", ".yml", ".json", ".toml", ".ini", ".cfg")

Say = Callable[[str, str, int], None]


class Inspector:
    """Looks at what the stages of one build have done; tells by `say(text, stage, level)`."""

    def __init__(self, project: Project, freshness: Freshness, say: Say) -> None:
        """Begin."""
        self._project = project
        self._freshness = freshness
        self._pipeline = freshness.pipeline
        self._say = say
        self._look = seen.Look(project.root, freshness.hashes)
        self._as_made: dict[str, str | None] = {}
        self._outside: set[str] = set()
        self._writers: dict[str, str] = {}

    def committed(self, hashes: Mapping[str, str | None]) -> None:
        """Take note of the hashes of what a stage of this run has written."""
        self._as_made |= hashes

    def look(self, result: Result) -> Seen | None:
        """Give what a stage was seen to use, with hashes, for the record.

        Raises:
            OSError: a file cannot be read.
        """
        trace = result.trace
        if trace is None or not (trace.witness or trace.watched):
            return None
        declared = set(self._declared(self._pipeline.stages[result.stage]))

        def own(names: Collection[str]) -> frozenset[str]:
            # Other builds may be at work, too, or someone looks at them.
            return frozenset(one for one in names if not self._is_foreign(one, declared))

        stage = self._pipeline.stages[result.stage]
        others = trace.perhaps_read - own(trace.perhaps_read)
        spoken_of = {one for one in others if self._speaks_of(one, stage, trace)}
        code = "\n".join(cell.source for cell in stage.notebook.cells)
        edited = {one for one in own(trace.perhaps_read) if naming.is_notebook(one)}
        edited = {one for one in edited if one.rpartition("/")[2] not in code}
        trace = replace(
            trace,
            perhaps_read=(own(trace.perhaps_read) - edited) | spoken_of,
            perhaps_written=own(trace.perhaps_written),
            perhaps_listed=frozenset(one for one in trace.perhaps_listed if own({f"{one}/x"})),
            listed=frozenset(one for one in trace.listed if own({f"{one}/x"})),
            folders=own(trace.folders),
        )
        around = seen.Around(
            declared,
            result.started,
            self._before(result.stage),
            lambda: self._freshness.written_later(result.stage),
        )
        return seen.of_trace(trace, self._look, around)

    def _before(self, stage: str) -> Seen:
        """Give what a stage was seen to use when it last ran."""
        made = self._freshness.made.get(stage)
        return made.seen if made and made.seen else Seen()

    def _declared(self, stage: Stage) -> Iterator[str]:
        for path in [one.path for one in stage.inputs] + [one.path for one in stage.outputs]:
            yield self._project.label(path)
            # A link may lead there.
            yield self._project.label(Path(os.path.realpath(path)))

    def judged(self, result: Result, found: Seen) -> Result:
        """Fail a stage that used another build, or changed what another stage writes."""
        stage, trace = self._pipeline.stages[result.stage], result.trace
        if trace is None:
            return result
        foreign = self._foreign(stage, trace)
        if foreign is not None:
            build = foreign.split("/")[1]
            if foreign in trace.writes | trace.gone:
                what = (
                    f"it changed {foreign}, a file of the build {build}, which `python run.py "
                    f"{build}` makes again; take the path from an `output_…` in the parameters cell"
                )
                return replace(result, state=State.FAILED, error=what)
            what = (
                f"it used {foreign}, a file of the build {build}; take the path from an `input_…` "
                f"in the parameters cell, which is moved into each build, or set that to "
                f"build:{foreign.removeprefix('outputs/')} in params/{self._pipeline.profile}.yaml"
            )
            return replace(result, state=State.FAILED, error=what)
        changed = self._changed(stage, trace)
        if changed is not None:
            return replace(result, state=State.FAILED, error=changed)
        self._tell(stage, found)
        return result

    def _foreign(self, stage: Stage, trace: Trace) -> str | None:
        """Name a file of another build that a stage used without being told to."""
        declared = set(self._declared(stage))
        sure = trace.reads | trace.writes | trace.either | trace.modules | trace.gone
        hinted = trace.perhaps_read | trace.perhaps_written
        others = [one for one in sorted(sure) if self._is_foreign(one, declared)]
        if not others and trace.alone:
            # Anyone may have opened a file; a stage that does not speak of it has not.
            others = [one for one in sorted(hinted) if self._is_foreign(one, declared)]
            others = [one for one in others if self._speaks_of(one, stage, trace)]
        return next(iter(others), None)

    def _is_foreign(self, name: str, declared: set[str]) -> bool:
        """Tell whether a file belongs to another build, and is not declared."""
        outputs, _, inside = name.partition("/")
        build, _, inside = inside.partition("/")
        if outputs != "outputs" or not inside or build == self._pipeline.key.folder:
            return False
        if (
            build not in self._project.profiles
            and not (self._project.build(BuildKey(build)) / "runs").is_dir()
        ):
            # People keep folders of their own there.
            return False
        return declared.isdisjoint(with_parents(name))

    def _speaks_of(self, name: str, stage: Stage, trace: Trace) -> bool:
        """Tell whether a stage, or a text that it has read, names a file of another build.

        It may number the files, or look for them in their folder.
        """
        cells = [cell.source for cell in stage.notebook.cells if not cell.parameters]
        names = (*trace.modules, *trace.reads, *trace.perhaps_read)
        files = [self._project.root / one for one in names]
        text = "\n".join([*cells, *(_text(path) for path in files if path.suffix in _TEXTS)])
        folder, _, last = name.rpartition("/")
        if not all(part in text for part in name.split("/")[:2]):
            return False
        return folder in trace.listed or all(part in text for part in re.split(r"\d+", last))

    def _changed(self, stage: Stage, trace: Trace) -> str | None:
        """Say which output of another stage a stage has changed."""
        touched = trace.writes | trace.either | trace.gone
        if trace.alone:
            touched |= trace.perhaps_written
        for name in sorted(touched):
            for other in self._pipeline.stages.values():
                for one in other.outputs if other.name != stage.name else ():
                    label = self._project.label(one.path)
                    if label != name and not name.startswith(f"{label}/"):
                        continue
                    made = self._freshness.made.get(other.name)
                    before = made.outputs.get(label) if made else None
                    if self._freshness.hashes.of(one.path) != self._as_made.get(label, before):
                        what = f"{name}, an output of {other.name}, changed meanwhile"
                        return f"{what}; write only what is declared"
        return None

    def _tell(self, stage: Stage, found: Seen) -> None:
        """Say what a stage uses and does not declare; once, as long as that is so."""
        before = self._before(stage.name)
        if self._pipeline.declares(stage.name):
            reads = [one for one in found.reads if one not in before.reads]
            if reads:
                what = f"it reads {first_few(reads)} without declaring it; that counts all the same"
                self._say(what, stage.name, logging.INFO)
            build = f"outputs/{self._pipeline.key.folder}/"
            writes = [one for one in found.writes if not one.startswith(build)]
            if writes:
                what = f"it writes {first_few(writes)}, which is no declared output (`output_…`)"
                self._say(what, stage.name, logging.WARNING)
        new = [one for one in found.writes if one not in before.writes]
        shared: dict[str, list[str]] = {}
        for one in new:
            if (other := self._writer_of(one, stage.name)) is not None:
                shared.setdefault(other, []).append(one)
        for other, files in shared.items():
            what = f"it writes {first_few(files)}, as {other} does"
            mend = "give each stage a file of its own"
            self._say(f"{what}; {mend}", stage.name, logging.WARNING)
        self._writers |= dict.fromkeys(found.writes, stage.name)
        self._outside |= {one for one in new if not one.startswith("outputs/")}

    def _writer_of(self, name: str, stage: str) -> str | None:
        """Give another stage that was seen to write a file, in this run or when it last ran."""
        made = self._freshness.made.items()
        seen_by = (other for other, one in made if one.seen and name in one.seen.writes)
        writers = [*([self._writers[name]] if name in self._writers else []), *seen_by]
        known = self._pipeline.stages
        return next((one for one in writers if one != stage and one in known), None)

    def shared(self) -> str | None:
        """Say, once, which files this build and others write alike, outside of `outputs/`."""
        found: dict[str, None] = {}
        others: dict[str, None] = {}
        for profile in self._project.profiles if self._outside else ():
            build = self._project.build(BuildKey(profile))
            if profile == self._pipeline.key.folder or not build.is_dir():
                continue
            for name, made in last_made(build, self._pipeline.stages).items():
                stage = self._pipeline.stages.get(name)
                both = [
                    one
                    for one in (written_by(stage, made, self._project) if stage else ())
                    if one in self._outside
                ]
                found |= dict.fromkeys(both)
                others |= dict.fromkeys([profile] if both else [])
        if not found:
            return None
        return (
            f"{first_few(sorted(found))}: written by the builds {self._pipeline.key.folder} and "
            f"{' and '.join(others)} alike, so each overwrites what the other made; "
            "declare it as `output_…` below outputs/test/ to keep them apart"
        )


def _text(path: Path) -> str:
    try:
        return content(path).decode("utf-8", "replace") if path.stat().st_size < _SMALL else ""
    except OSError:
        return ""

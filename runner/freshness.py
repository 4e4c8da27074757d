"""Looks at the stages of a build as they stand, and says why each must run."""

import os
from collections.abc import Collection
from dataclasses import replace

from . import basis, plan
from .hashes import Hashes
from .history import last_made
from .model import Pipeline, Reason, Stage
from .project import Project
from .secrets import Mask

CACHE = ".cache"


class Freshness:
    """What is known of one profile's build: how its stages were made, and how they are now."""

    def __init__(self, project: Project, pipeline: Pipeline) -> None:
        """Read the history of the build."""
        self._project = project
        self._pipeline = pipeline
        self._build = project.build(pipeline.profile)
        self.hashes = Hashes(project.outputs / CACHE / "hashes.json")
        self._mask = Mask.of(os.environ, project.settings.secrets)
        self.environment = basis.environment(project.root)
        self.made = last_made(self._build, pipeline.stages)

    def reasons(self, name: str, unsettled: Collection[str] = ()) -> tuple[Reason, ...]:
        """Say why a stage must run; what it reads from `unsettled` stages is left out.

        Raises:
            OSError: a file that counts cannot be read.
        """
        stage = self._pipeline.stages[name]
        made = self.made.get(name)
        now = self._now(stage)
        if made is not None and unsettled:
            left_out = {
                one.source or self._project.label(one.path)
                for one in stage.inputs
                if any(maker in unsettled for maker in one.made_by)
            }
            now = replace(now, basis=_without(now.basis, left_out))
            made = replace(made, basis=_without(made.basis, left_out))
        return plan.reasons(now, made) or self._overtaken(name)

    def _overtaken(self, name: str) -> tuple[Reason, ...]:
        """Say which stages were made after one that does not declare what it reads."""
        made = self.made.get(name)
        if made is None or self._pipeline.declares(name):
            return ()
        needs = sorted(self._pipeline.needs[name])
        later = [one for one in needs if one in self.made and self.made[one].run > made.run]
        return tuple(Reason("upstream", f"{one} ran after it") for one in later)

    def of_stage(self, stage: Stage) -> basis.Basis:
        """Give what a stage is made from now, as it may be recorded: without secrets."""
        now = basis.of_stage(self._project, stage, self.hashes)
        if self._mask.values(now.parameters) == now.parameters:
            return now
        key = basis.secrets_key(self._project.outputs / CACHE / "key")
        return basis.without_secrets(now, self._mask, key)

    def _now(self, stage: Stage) -> plan.Now:
        executed = self._build / "notebooks" / f"{stage.name}.ipynb"
        return plan.Now(
            basis=self.of_stage(stage),
            environment=self.environment,
            outputs=basis.of_outputs(self._project, stage, self.hashes),
            executed=None if executed.exists() else self._project.label(executed),
        )


def _without(one: basis.Basis, names: Collection[str]) -> basis.Basis:
    return replace(one, inputs={k: v for k, v in one.inputs.items() if k not in names})

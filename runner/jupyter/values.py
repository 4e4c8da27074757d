"""What a stage gets in a profile, worked out for a kernel in Jupyter.

A program of its own, so that the kernel imports nothing of the runner, and sees what the files
say now: `python -m runner.jupyter.values`, in the project's folder. It reads a question as JSON
and writes an answer with `pickle`, for a value may be a tuple or a set.
"""

import json
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ProjectError, RunnerError
from ..model import BuildKey, Input, Pipeline, Stage
from ..project import NotebookError, Project, bind, dotenv, layout, notebooks
from ..system import why
from ..words import shortened
from . import editing

# So much of a value is shown.
_LONGEST = 300

# `values` to assign, `environment` to set, `title` and `rows` (name, value, origin) and `notes`
# to show; or else `mistakes`.
Answer = dict[str, Any]


def answer(
    root: Path, notebook: Path, source: str, profile: str, parameters: Sequence[str]
) -> Answer | None:
    """Say what the parameters cell of a notebook is to give.

    Args:
        root: the project's folder.
        notebook: the file.
        source: what its parameters cell says, which need not be saved yet.
        profile: the profile.
        parameters: what `-p` sets.

    Returns:
        None where the notebook is no stage.
    """
    try:
        return _answer(root, notebook, source, profile, parameters)
    except ProjectError as error:
        return {"mistakes": [str(one) for one in error.problems]}
    except NotebookError as error:
        return {"mistakes": [str(one) for one in error.problems]}
    except RunnerError as error:
        return {"mistakes": [str(error)]}
    except OSError as error:
        return {"mistakes": [why(error)]}


def _answer(
    root: Path, notebook: Path, source: str, profile: str, parameters: Sequence[str]
) -> Answer | None:
    project = layout.load(root)
    names = (name for name, one in project.notebooks.items() if one.path.resolve() == notebook)
    name = next(names, None)
    if name is None:
        return None
    if profile not in project.profiles:
        return {"mistakes": [f"there is no profile {profile}: params/{profile}.yaml is missing"]}
    edited = notebooks.with_parameters(project.notebooks[name], source)
    project = replace(project, notebooks={**project.notebooks, name: edited})
    pipeline = bind(project, [profile], parameters)[profile]
    points = pipeline.points.get(name, ())
    if not points:
        return {"mistakes": [f"{name}: its points are known when {_listing(pipeline)} has run"]}
    found = _of_stage(project, pipeline, pipeline.stages[points[0]])
    if len(points) > 1:
        found["notes"].append(f"this is the first of {len(points)} points")
    return found


def _listing(pipeline: Pipeline) -> str:
    return " and ".join(sorted(pipeline.listing)) or "another stage"


def _of_stage(project: Project, pipeline: Pipeline, stage: Stage) -> Answer:
    base, build = stage.notebook.folder, project.build(pipeline.key)
    place = editing.folder(project, pipeline.key)
    mask = dotenv.mask(project.root, os.environ, project.settings.secrets)
    values = dict(stage.injected)
    rows = []
    for name, one in stage.values.items():
        value, origin = values.get(name, one.value), one.origin
        if name.startswith("output_"):
            into = editing.moved(value, base, build, place)
            for path in editing.paths(into, base):
                # As a run does.
                path.parent.mkdir(parents=True, exist_ok=True)
            if into != value:
                origin = f"{origin}, in edit/"
                value = values[name] = into
        rows.append((name, mask(shortened(repr(value), _LONGEST)), origin))
    return {
        "title": f"{stage.name} in the profile {pipeline.profile}",
        "values": values,
        "environment": environment(pipeline.key, stage.name, stage.notebook.path, place),
        "rows": rows,
        "notes": list(_missing(project, pipeline.profile, stage.inputs)),
    }


def environment(key: BuildKey, stage: str, notebook: Path, place: Path) -> dict[str, str]:
    """Say what runs, as a run's kernel has it in its environment."""
    return {
        "RUN_PROFILE": key.profile,
        "RUN_STAGE": stage,
        "RUN_NOTEBOOK": str(notebook),
        "RUN_OUTPUTS": str(place),
    }


def _missing(project: Project, profile: str, inputs: Sequence[Input]) -> Iterator[str]:
    for one in inputs:
        if not one.path.exists():
            words = " ".join(f"{profile}-{maker}" for maker in one.made_by) or profile
            yield f"{one.source or project.label(one.path)} is missing: python run.py {words}"


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    found = answer(
        Path(asked["root"]),
        Path(asked["notebook"]),
        asked["source"],
        asked["profile"],
        asked["parameters"],
    )
    sys.stdout.buffer.write(pickle.dumps(found))


if __name__ == "__main__":
    main()

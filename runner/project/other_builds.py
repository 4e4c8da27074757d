"""Other builds are foreign ground: a stage reads one by `build:NAME/path`, and only so."""

import os
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from ..model import BuildKey
from ..words import did_you_mean
from .layout import TEST_PROFILE, Project
from .sources import SourceError

_NAMED = re.compile(r"build:([^/]*)/?(.*)", re.DOTALL)


def is_named(text: str) -> bool:
    """Tell whether a value names a file of another build."""
    return text.startswith("build:")


def build_of(source: str | None) -> str | None:
    """Give the build that an input comes from, if it names one."""
    found = _NAMED.fullmatch(source or "")
    return found[1] if found else None


def locate(project: Project, own: BuildKey, text: str, coming: Collection[Path]) -> Path:
    """Give the path of `build:NAME/path`.

    Args:
        project: the project.
        own: the build of the stage that reads it.
        text: the value.
        coming: what the same command makes before that.

    Raises:
        SourceError: it cannot be read so.
    """
    found = _NAMED.fullmatch(text)
    name, inner = (found[1], PurePosixPath(found[2])) if found else ("", PurePosixPath())
    if not name or not inner.parts or inner.is_absolute() or ".." in inner.parts:
        message = f"{text}: write build:NAME/path/of/the/file, such as build:all/model.json"
        raise SourceError(message)
    folder = project.build(BuildKey.of(name))
    path = folder / inner
    if name == own.folder:
        message = (
            f"{text} is in this profile's own build; leave it out, or write the plain path "
            f"of {project.label(path)}, so that the stage comes after the one that writes it"
        )
        raise SourceError(message)
    if name not in project.profiles and (name[0] == "." or not folder.is_dir()):
        known = did_you_mean(name, project.profiles)
        message = f"{text}: there is no profile or build `{name}`{known}"
        raise SourceError(message)
    around = {path, *path.parents}
    if path.exists() or any(one in around or path in one.parents for one in coming):
        return path
    mend = f"`python run.py {name}` makes it, if a stage writes it"
    if name not in project.profiles:
        mend = f"there is no params/{name}.yaml to make it"
    message = f"{text}: {project.label(path)} is missing; {mend}"
    raise SourceError(message)


def of_default(project: Project, name: str, path: Path) -> str | None:
    """Say what is wrong with a notebook's own path if it lies in another build than `test`."""
    test = project.build(BuildKey(TEST_PROFILE))
    path = _real(project, path)
    if not path.is_relative_to(project.outputs) or path.is_relative_to(test):
        return None
    what = (
        f"`{name}` must be a path in {project.label(test)}/, not {project.label(path)}: "
        "each profile gets it in its own build"
    )
    other = _named(project, path) if name.startswith("input_") else None
    return f"{what}; to read another build, a profile says `{name}: {other}`" if other else what


def of_profile(project: Project, own: BuildKey, name: str, path: Path) -> str | None:
    """Say what is wrong with a profile's path if it lies in another profile's build."""
    path = _real(project, path)
    if not path.is_relative_to(project.outputs) or path.is_relative_to(project.build(own)):
        return None
    other = _named(project, path)
    mend = f"write {other} to read another build" if other else "give a path of this build"
    return f"`{name}`: {project.label(path)} is not in outputs/{own.folder}/; {mend}"


def _real(project: Project, path: Path) -> Path:
    """Follow a link of the project that leads into `outputs/`, which may be a link itself."""
    real, outputs = Path(os.path.realpath(path)), Path(os.path.realpath(project.outputs))
    if real.is_relative_to(outputs):
        return project.outputs / real.relative_to(outputs)
    return path


def _named(project: Project, path: Path) -> str | None:
    name, *inner = path.relative_to(project.outputs).parts or (".",)
    return f"build:{name}/{'/'.join(inner)}" if inner and name[0] != "." else None

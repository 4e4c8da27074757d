"""Where a notebook writes that a person runs: beside the build, where it can harm nothing."""

import os
from pathlib import Path

from ..model import BuildKey
from ..project import TEST_PROFILE, Project

_FOLDER = "edit"


def folder(project: Project, key: BuildKey) -> Path:
    """Give what stands for a build's folder; the test build, made anew each time, is its own."""
    build = project.build(key)
    return build if key.folder == TEST_PROFILE else beside(build)


def beside(build: Path) -> Path:
    """Give the folder in a build's own that is no part of the build."""
    return build / _FOLDER


def moved(value: object, base: Path, build: Path, place: Path) -> object:
    """Give an output's value, a path or a list of paths from `base`, for another place.

    What does not lie in the folder `build` stays as it is.
    """
    if isinstance(value, list):
        return [moved(one, base, build, place) for one in value]
    if not isinstance(value, str):
        return value
    path = Path(os.path.normpath(base / value))
    if build == place or not path.is_relative_to(build) or path.is_relative_to(place):
        return value
    path = place / path.relative_to(build)
    text = str(path) if Path(value).is_absolute() else os.path.relpath(path, base)
    return f"{text}/" if value.endswith("/") else text


def paths(value: object, base: Path) -> list[Path]:
    """Give the paths that an output's value names from `base`."""
    texts = value if isinstance(value, list) else [value]
    return [Path(os.path.normpath(base / one)) for one in texts if isinstance(one, str)]

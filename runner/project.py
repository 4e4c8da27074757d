"""A project as it lies on disk: its folders, settings, notebooks and profiles."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path

from . import notebooks
from .errors import Problem, ProjectError
from .model import SourceNotebook
from .settings import SettingError, Settings

VERBS = frozenset({"list", "status", "log", "stop", "check", "clean", "history", "job"})
RESERVED_OUTPUTS = frozenset({"notebooks", "runs", "log.txt"})
TEST_PROFILE = "test"
DEFAULT_PROFILE = "all"
_FEW = 10


@dataclass(frozen=True)
class Project:
    """What a project is made of. Stages stand in natural order of their file names."""

    root: Path
    settings: Settings
    notebooks: Mapping[str, SourceNotebook]
    profiles: Mapping[str, Path]

    @property
    def working_directory(self) -> Path:
        """The folder in which notebooks run, in Jupyter and here."""
        return self.root / "notebooks"

    @property
    def outputs(self) -> Path:
        """The folder of all builds."""
        return self.root / "outputs"

    @property
    def expected(self) -> Path:
        """The folder that says what the test build must produce."""
        return self.root / "testdata" / "expected"

    def build(self, profile: str) -> Path:
        """Give the folder of a profile's build."""
        return self.outputs / profile

    def label(self, path: Path) -> str:
        """Name a path for a person: relative to the project where it lies inside."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


@dataclass(frozen=True)
class Outline:
    """The names of a project, for what needs no more and works although it has mistakes."""

    root: Path
    profiles: tuple[str, ...]
    stages: tuple[str, ...]

    @property
    def outputs(self) -> Path:
        """The folder of all builds."""
        return self.root / "outputs"

    def build(self, profile: str) -> Path:
        """Give the folder of a profile's build."""
        return self.outputs / profile


def outline(root: Path) -> Outline:
    """Look at the names of files alone; a build counts, too, whose profile is gone."""
    named = {path.stem for path in (root / "params").glob("[!.]*.y*ml")}
    built = {path.parent.name for path in (root / "outputs").glob("[!.]*/runs")}
    paths = (root / "notebooks").glob("[!.]*.ipynb")
    stages = tuple(sorted(notebooks.stage_name(path) for path in paths))
    return Outline(root, tuple(sorted(named | built)), stages)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give the end of a message about an unknown word: what else it may have been."""
    known = list(known)
    close = get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    few = ", ".join(known[:_FEW]) + (", …" if len(known) > _FEW else "")
    return f"; known: {few}" if known else ""


def load(root: Path) -> Project:
    """Read the project below `root`.

    Raises:
        ProjectError: something in it cannot be used; names everything found.
    """
    problems: list[Problem] = []
    project = Project(
        root, _settings(root, problems), _notebooks(root, problems), _profiles(root, problems)
    )
    problems += _clashes(project)
    if problems:
        raise ProjectError(problems)
    return project


def _settings(root: Path, problems: list[Problem]) -> Settings:
    path = root / "pyproject.toml"
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        problems.append(Problem(path.name, f"cannot be read: {error}"))
        return Settings()
    table = tool.get("runner", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        problems.append(Problem(path.name, "`runner` is a table; write [tool.runner] above it"))
        return Settings()
    known = {each.name.replace("_", "-"): each.name for each in fields(Settings)}
    settings = Settings()
    for key, value in table.items():
        where = f"{path.name} [tool.runner]"
        name = known.get(key.replace("_", "-"))
        if name is None:
            what = f"unknown setting `{key}`{did_you_mean(key, known)}"
            problems.append(Problem(where, what))
            continue
        try:
            settings = replace(settings, **{name: value})
        except SettingError as error:
            problems.append(Problem(where, f"{key}: {error}"))
    return settings


def _notebooks(root: Path, problems: list[Problem]) -> dict[str, SourceNotebook]:
    folder = root / "notebooks"
    if not folder.is_dir():
        problems.append(Problem("notebooks/", "is missing; put the stages there, a notebook each"))
        return {}
    paths = [path for path in folder.glob("*.ipynb") if not path.name.startswith(".")]
    if not paths:
        problems.append(Problem("notebooks/", "holds no notebook; put the stages there"))
    found: dict[str, SourceNotebook] = {}
    for path in sorted(paths, key=lambda path: notebooks.natural_key(path.name)):
        label = f"notebooks/{path.name}"
        name = notebooks.stage_name(path)
        if name in found:
            what = f"is the stage `{name}` as {found[name].label} is; rename one"
            problems.append(Problem(label, what))
            continue
        try:
            found[name] = notebooks.read(path, label)
        except notebooks.NotebookError as error:
            problems += error.problems
    return found


def _profiles(root: Path, problems: list[Problem]) -> dict[str, Path]:
    folder = root / "params"
    paths = [*folder.glob("*.yaml"), *folder.glob("*.yml")]
    found: dict[str, Path] = {}
    for path in sorted(paths):
        if path.stem in found:
            what = f"is the profile `{path.stem}` as {found[path.stem].name} is; delete one"
            problems.append(Problem(f"params/{path.name}", what))
        found[path.stem] = path
    if not found:
        problems.append(
            Problem("params/", "holds no profile; make params/test.yaml (it may be empty)")
        )
    return found


def _clashes(project: Project) -> Iterable[Problem]:
    """Find names that a word on the command line could not be told by."""
    labels = {name: one.label for name, one in project.notebooks.items()}
    for name, path in project.profiles.items():
        label = f"params/{path.name}"
        if name in labels:
            yield Problem(label, f"`{name}` is also a stage ({labels[name]}); rename one")
        yield from _unusable(name, label)
        if name.startswith("."):
            yield Problem(label, f"`{name}` starts with a dot; rename the file")
    pairs: dict[str, tuple[str, str]] = {}
    for profile in project.profiles:
        for stage, stage_label in labels.items():
            word = f"{profile}-{stage}"
            if word in labels or word in project.profiles:
                label = labels.get(word) or f"params/{project.profiles[word].name}"
                what = f"`{word}` also means the stage {stage} of the profile {profile}; rename it"
                yield Problem(label, what)
            elif word in pairs:
                what = f"`{word}` also means the stage {pairs[word][1]} of {pairs[word][0]}"
                yield Problem(stage_label, f"{what}; rename it")
            pairs[word] = (profile, stage)
    for name, label in labels.items():
        yield from _unusable(name, label)


def _unusable(name: str, label: str) -> Iterable[Problem]:
    if name in VERBS or name.startswith("clean-"):
        yield Problem(label, f"`{name}` is a command of run.py; rename the file")
    if name.startswith("-"):
        yield Problem(label, f"`{name}` starts with a dash like an option; rename the file")

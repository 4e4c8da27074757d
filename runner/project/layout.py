"""A project as it lies on disk: its folders, settings, notebooks and profiles."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ..errors import Problem, ProjectError
from ..model import BuildKey, SourceNotebook
from ..system import is_folder
from ..words import did_you_mean
from . import naming, notebooks
from .document import NotebookError
from .naming import Listing
from .settings import SettingError, Settings

# The pages of a build, below its folder; and the one that leads to all, in that of all builds.
PAGES, INDEX = "pages", "index.html"
RESERVED_OUTPUTS = frozenset(
    {"notebooks", "runs", "log.txt", PAGES, "edit", "variants", "variants.csv", "checkpoints"}
)
# Where what is known of files is kept, below `outputs/`.
CACHE = ".cache"
TEST_PROFILE = "test"
DEFAULT_PROFILE = "all"


@dataclass(frozen=True)
class ProjectFolder:
    """Where a project lies, and its builds."""

    root: Path

    @property
    def outputs(self) -> Path:
        """The folder of all builds."""
        return self.root / "outputs"

    def build(self, key: BuildKey) -> Path:
        """Give the folder of a build."""
        return self.outputs / key.folder


@dataclass(frozen=True)
class Project(ProjectFolder):
    """What a project is made of. Stages stand in natural order of their file names.

    `reserved` are words of the command line; one that ends in a dash is the beginning of some.
    """

    settings: Settings
    notebooks: Mapping[str, SourceNotebook]
    profiles: Mapping[str, Path]
    listing: Listing
    reserved: tuple[str, ...] = ()

    @property
    def working_directory(self) -> Path:
        """The folder of the notebooks; each runs in its own one, which may lie in it."""
        return self.root / naming.FOLDER

    @property
    def expected(self) -> Path:
        """The folder that says what the test build must produce."""
        return self.root / "testdata" / "expected"

    def module_folders(self, notebook: SourceNotebook) -> tuple[Path, ...]:
        """Give the folders where modules of the project are looked for, in this order."""
        own, root = notebook.folder, self.root
        return tuple(dict.fromkeys((own, self.working_directory, root, root / "src")))

    def stage(self, word: str) -> str | None:
        """Give the stage that a word means: by its name, or by its notebook's path."""
        if word in self.notebooks or not word.endswith(".ipynb"):
            return word if word in self.notebooks else None
        places = {(folder / word).resolve() for folder in (self.root, Path.cwd())}
        found = (name for name, one in self.notebooks.items() if one.path.resolve() in places)
        return next(found, None)

    def always(self, stage: str) -> bool:
        """Tell whether a stage is never up to date."""
        listed = map(self.stage, self.settings.always)
        return self.notebooks[stage].always or stage in listed

    def is_reserved(self, word: str) -> bool:
        """Tell whether a word means a command."""
        return any(word.startswith(one) if one[-1] == "-" else word == one for one in self.reserved)

    def label(self, path: Path) -> str:
        """Name a path for a person: relative to the project where it lies inside."""
        # Of thousands of paths; pathlib takes ten times as long.
        text, top = str(path), f"{self.root}/"
        return "." if text == top[:-1] else text.removeprefix(top)


@dataclass(frozen=True)
class Outline(ProjectFolder):
    """The names of a project, for what needs no more and works although it has mistakes."""

    profiles: tuple[str, ...]
    stages: tuple[str, ...]


def outline(root: Path) -> Outline:
    """Look at the names of files alone; a build counts, too, whose profile is gone."""
    named = {path.stem for path in (root / "params").glob("[!.]*.y*ml")}
    runs = (root / "outputs").glob("[!.]*/runs")
    built = {path.parent.name for path in runs if is_folder(path) and is_folder(path.parent)}
    paths = naming.listing(root).paths
    stages = tuple(sorted(naming.stage_name(naming.FOLDER / path) for path in paths))
    return Outline(root, tuple(sorted(named | built)), stages)


def load(root: Path, reserved: Iterable[str] = ()) -> Project:
    """Read the project below `root`; `reserved` are words that no profile may be called.

    Raises:
        ProjectError: something in it cannot be used; names everything found.
    """
    problems: list[Problem] = []
    listing = naming.listing(root)
    project = Project(
        root,
        _settings(root, problems),
        _notebooks(root, listing, problems),
        _profiles(root, problems),
        listing,
        tuple(reserved),
    )
    problems += _clashes(project)
    problems += _odd_tags(project)
    problems += _unknown_stages(project)
    if problems:
        raise ProjectError(problems)
    return project


def settings(root: Path) -> Settings:
    """Read the settings of the project below `root`, as far as they can be used."""
    return _settings(root, [])


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


def _notebooks(root: Path, listing: Listing, problems: list[Problem]) -> dict[str, SourceNotebook]:
    folder = root / naming.FOLDER
    if not folder.is_dir():
        problems.append(Problem("notebooks/", "is missing; put the stages there, a notebook each"))
        return {}
    if not listing.paths:
        what = f"; {listing.words}" if listing.left_out else ""
        problems.append(Problem("notebooks/", f"holds no notebook; put the stages there{what}"))
    found: dict[str, SourceNotebook] = {}
    labels: dict[str, str] = {}
    for path in listing.paths:
        label = (naming.FOLDER / path).as_posix()
        name = naming.stage_name(naming.FOLDER / path)
        if name in labels:
            what = f"is the stage `{name}` as {labels[name]} is; rename one"
            problems.append(Problem(label, what))
            continue
        labels[name] = label
        try:
            found[name] = notebooks.read(folder / path, label)
        except NotebookError as error:
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


def _unknown_stages(project: Project) -> Iterable[Problem]:
    """Find settings for stages that are not there."""
    named = [naming.stage_name(naming.FOLDER / path) for path in project.listing.paths]
    retries = project.settings.retries
    tried = () if isinstance(retries, int) else retries
    for key, words in (("always", project.settings.always), ("retries", tried)):
        for word in words:
            if word not in named and (key == "retries" or project.stage(word) is None):
                what = f"{key}: there is no stage `{word}`{did_you_mean(word, named)}"
                yield Problem("pyproject.toml [tool.runner]", what)


def _odd_tags(project: Project) -> Iterable[Problem]:
    """Find cells that are to be left out, or to run alone, where that cannot be."""
    for notebook in project.notebooks.values():
        for cell in notebook.cells:
            words = [*notebooks.of_profiles(cell)]
            if cell.parameters and words:
                what = "the parameters cell is run in all profiles; take the tag off it"
                yield Problem(notebooks.place(notebook, cell), what)
            for word, name in words:
                if name not in project.profiles:
                    what = f"the tag `{word}-{name}`: there is no profile `{name}`"
                    what += did_you_mean(name, project.profiles)
                    yield Problem(notebooks.place(notebook, cell), what)


def _clashes(project: Project) -> Iterable[Problem]:
    """Find names that a word on the command line could not be told by."""
    labels = {name: one.label for name, one in project.notebooks.items()}
    for name, path in project.profiles.items():
        label = f"params/{path.name}"
        if name in labels:
            yield Problem(label, f"`{name}` is also a stage ({labels[name]}); rename one")
        if project.is_reserved(name):
            yield Problem(label, f"`{name}` is a command of run.py; rename the file")
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
    if name.startswith("-"):
        yield Problem(label, f"`{name}` starts with a dash like an option; rename the file")

"""A stage that begins: a notebook that reads what one names, and writes a first output."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..model import SourceNotebook
from ..project import DEFAULT_PROFILE, TEST_PROFILE, NotebookError, Outline, naming, notebooks
from ..words import did_you_mean
from .cells import NewCell, notebook

_NAME = re.compile(r"[\w .-]*\w[\w .-]*(?:/[\w .-]*\w[\w .-]*)*")


@dataclass(frozen=True)
class _Read:
    """A path that the stage is to read; `by` is the stage that writes it."""

    path: Path
    by: str | None

    @property
    def name(self) -> str:
        """Give the word that the parameter is called by."""
        return _word(self.path.stem)


def begin(known: Outline, name: str, reads: Sequence[str]) -> Path:
    """Write a new stage's notebook, and give its path.

    Args:
        known: the project.
        name: the notebook's name below `notebooks/`, without its ending.
        reads: stages, files that they write, or other files of the project.

    Raises:
        UsageError: the name cannot be one, is taken, or something to read is not there.
    """
    inner = PurePosixPath(f"{name}.ipynb")
    stage = naming.stage_name(PurePosixPath(naming.FOLDER) / inner)
    path = known.root / naming.FOLDER / inner
    if wrong := _wrong(known, name, stage, path):
        raise UsageError(wrong)
    others = list(_others(known))
    found = [one for word in reads for one in _read(known, others, word, path.parent)]
    text = notebook(_cells(known, stage, path.parent, found, others))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        message = f"{path.relative_to(known.root)} is there already; choose another name"
        raise UsageError(message) from None
    return path


def _wrong(known: Outline, name: str, stage: str, path: Path) -> str | None:
    label = path.relative_to(known.root)
    parts = PurePosixPath(name).parts
    if not _NAME.fullmatch(name) or any(one[0] in "._-" or ".." in one for one in parts):
        return f"`{name}` cannot be a stage's name; use letters, digits and _"
    if path.exists():
        return f"{label} is there already; choose another name"
    if stage in known.stages:
        return f"there is a stage `{stage}` already; choose another name"
    profiles = {*known.profiles, TEST_PROFILE, DEFAULT_PROFILE}
    if stage in profiles:
        return f"`{stage}` is a profile; choose another name"
    if any(stage.startswith(f"{one}-") for one in profiles):
        return f"`{stage}` begins as the stages of a profile do; choose another name"
    return None


def _others(known: Outline) -> Iterator[SourceNotebook]:
    """Read the project's notebooks, those that can be read: others say nothing here."""
    for one in naming.listing(known.root).paths:
        label = (naming.FOLDER / one).as_posix()
        try:
            yield notebooks.read(known.root / label, label)
        except NotebookError:
            continue


def _written(one: SourceNotebook) -> Iterator[Path]:
    """Give the outputs that a notebook declares, in the test build."""
    for parameter in one.parameters.values():
        if parameter.name.startswith("output_"):
            value = parameter.default
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text.strip():
                    yield Path(os.path.normpath(one.folder / text))


def _read(
    known: Outline, others: Sequence[SourceNotebook], word: str, folder: Path
) -> Iterator[_Read]:
    """Find what a word of `--reads` names."""
    makers = {path: one.stage for one in others for path in _written(one)}
    if word in known.stages:
        mine = [path for path, stage in makers.items() if stage == word]
        if not mine:
            message = f"--reads {word}: the stage declares no `output_…`; name a file instead"
            raise UsageError(message)
        yield from (_Read(path, word) for path in mine)
        return
    for path, stage in makers.items():
        if path.name == word or path == Path(os.path.normpath(Path.cwd() / word)):
            yield _Read(path, stage)
            return
    places = (Path.cwd() / word, known.root / word, folder / word)
    for place in places:
        if place.exists():
            yield _Read(Path(os.path.normpath(place)), None)
            return
    names = [*known.stages, *(path.name for path in makers)]
    message = f"--reads {word}: it is no stage, no output of one and no file"
    raise UsageError(message + did_you_mean(word, names))


def _cells(
    known: Outline,
    stage: str,
    folder: Path,
    reads: Sequence[_Read],
    others: Sequence[SourceNotebook],
) -> Iterator[NewCell]:
    own = _word(stage)
    inputs = {}
    for one in reads:
        names = (f"{one.name}{n or ''}" for n in range(len(reads) + 1))
        inputs[next(name for name in names if name not in inputs)] = one
    taken = {path for one in others for path in _written(one)}
    build = known.outputs / TEST_PROFILE
    free = (build / f"{own}{n or ''}.json" for n in range(len(taken) + 1))
    output = os.path.relpath(next(path for path in free if path not in taken), folder)
    told = ", ".join(f"`input_{name}`" for name in inputs) or "nothing yet"
    title = stage.rpartition("/")[2].replace("_", " ")
    yield NewCell(
        "markdown",
        f"# {title[:1].upper()}{title[1:]}: what it finds out\n\n"
        f"This stage reads {told} and writes `output_{own}`.",
    )
    lines = [
        f"input_{name} = {_quoted(os.path.relpath(one.path, folder))}"
        + (f"  # written by {one.by}" if one.by else "")
        for name, one in inputs.items()
    ]
    yield NewCell("code", "\n".join([*lines, f"output_{own} = {_quoted(output)}"]), ("parameters",))
    tables = any(one.path.suffix in _READERS for one in inputs.values())
    pandas = "\n\nimport pandas as pd" if tables else ""
    yield NewCell("code", f"import json\nfrom pathlib import Path{pandas}")
    for name, one in inputs.items():
        read = _READERS.get(one.path.suffix) or _TEXTS.get(one.path.suffix, "Path({0})")
        value = read.format(f"input_{name}")
        local = name if name not in _TAKEN else f"{name}_"
        yield NewCell("code", f"{local} = {value}\n{local}")
    yield NewCell("code", f'result = {{"stage": "{stage}"}}\nresult')
    yield NewCell(
        "code",
        f'assert result["stage"] == "{stage}"  # what must hold of the result? assert that here\n'
        f"Path(output_{own}).write_text(json.dumps(result, indent=2))",
    )


# Names that the notebook has for something else.
_TAKEN = {"json", "Path", "pd", "result"}
_READERS = {
    ".csv": "pd.read_csv({0})",
    ".tsv": 'pd.read_csv({0}, sep="\\t")',
    ".parquet": "pd.read_parquet({0})",
    ".xlsx": "pd.read_excel({0})",
}
_TEXTS = {".json": "json.loads(Path({0}).read_text())", ".txt": "Path({0}).read_text()"}


def _word(text: str) -> str:
    """Make a name of Python from a file's name."""
    found = re.sub(r"\W+", "_", text).strip("_").lower()
    return found if found and not found[0].isdigit() else f"n{found}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

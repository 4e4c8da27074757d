"""`new`: begin a project or a stage, or bring a newer runner into a project."""

from pathlib import Path

from ..errors import Exit, UsageError
from ..jupyter import origin, scaffold, stage
from ..project import Outline
from ..system import why
from .options import Options
from .shared import label, warn


def new(known: Outline, chosen: Options) -> int:
    """Begin what the words name.

    A word alone, given in a project, is a stage, and so is what ends in `.ipynb`; any other is
    a folder.

    Raises:
        UsageError: it cannot be begun there.
    """
    if not chosen.rest:
        message = "new takes a folder, or the name of a stage; see python run.py help new"
        raise UsageError(message)
    word, *more = chosen.rest
    try:
        if chosen.has("upgrade"):
            _refuse_more(more)
            for line in origin.in_words(origin.upgrade(known.root, Path(word)), word):
                print(line)
            return Exit.OK
        if not chosen.has("from") and _is_stage(known, word):
            return _stage(known, word, [*chosen.given.get("reads", ()), *more])
        _refuse_more(more)
        return _project(known, word, chosen)
    except OSError as error:
        raise UsageError(why(error)) from None


def _refuse_more(more: list[str]) -> None:
    if more:
        message = f"new takes one folder, not `{more[0]}` too"
        raise UsageError(message)


def _is_stage(known: Outline, word: str) -> bool:
    if word.endswith(".ipynb"):
        return True
    inside = Path.cwd().resolve().is_relative_to(known.root)
    return inside and "/" not in word and word not in {".", ".."}


def _stage(known: Outline, word: str, reads: list[str]) -> int:
    name = word.removesuffix(".ipynb")
    notebooks = known.root / "notebooks"
    if word.endswith(".ipynb"):
        path = (Path.cwd() / name).resolve()
        if not path.is_relative_to(notebooks):
            message = f"new {word}: a stage is a notebook below {label(notebooks, known.root)}/"
            raise UsageError(message)
        name = path.relative_to(notebooks).as_posix()
    made = stage.begin(known, name, reads)
    # Whoever meant a project is to see at once that it is none.
    hint = "" if word.endswith(".ipynb") else f"; a project would be `new ./{word}`"
    print(f"new stage: {label(made, known.root)}{hint}")
    return Exit.OK


def _project(known: Outline, word: str, chosen: Options) -> int:
    if chosen.has("reads"):
        message = f"--reads goes with a stage, and {word} is a folder"
        raise UsageError(message)
    folder, source = Path(word), chosen.given.get("from")
    if source is not None:
        scaffold.refuse_from(Path(source), folder)
    missing = scaffold.begin(known.root, folder, example=source is None)
    if missing:
        warn(f"{known.root} has no {' and no '.join(missing)}; so the new project has none")
    if source is None:
        print(f"new project: {folder}; cd {folder} && python run.py test")
        return Exit.OK
    own = scaffold.take_over(Path(source), folder)
    if own:
        warn(f"not taken from {source}, since {word} has its own: {', '.join(own)}")
    from .adopt import carry_out  # noqa: PLC0415 - few begin so

    print(f"new project: {folder}, with what is in {source}")
    return carry_out(folder.resolve(), [str(folder)], writes=True, keeps=False)

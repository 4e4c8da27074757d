"""What stands first in an executed notebook: what it is, how it ended if badly, what to do."""

import json
from pathlib import Path
from shlex import quote
from typing import Any

from ..model import BuildKey, Job, Result
from ..system import write_whole
from ..words import state_in_words

# Tools can tell by it what was not in the source notebook.
TAG = "runner-banner"
# In bytes: to read a larger one may take more memory than there is, and few would open it.
_LARGEST = 16 << 20
# Jupyter, VS Code and nbconvert make an anchor of a heading.
_HEADING = "The run ended in the cell below"


def of_record(job: Job) -> dict[str, Any]:
    """Make the Markdown cell that says what an executed notebook is, and how to run it again.

    Its source is one text, as in a notebook that is not yet saved.
    """
    run, profile = job.environment["RUN_ID"], job.environment["RUN_PROFILE"]
    folder = job.working_directory.relative_to(job.root).as_posix()
    text = [
        f"**A record:** the stage `{job.stage}` in the run `{run}` of {profile}.",
        "",
        f"Its paths hold in `{folder}/`, not where this file lies. To run the notebook again in",
        f"Jupyter: `{_lab(job.stage, profile)}`.",
    ]
    return {**_cell("", ""), "source": "\n".join(text)}


def add(path: Path, result: Result, error: str, source: str, profile: str) -> None:
    """Have the first cell of an executed notebook say how it ended, and one lead to the cell.

    A very large one stays as it is; the record and the log say the same.

    Args:
        path: the executed notebook.
        result: how the stage ended.
        error: why, in words that hold no secret.
        source: the source notebook, as a person names it.
        profile: the profile of the run.

    Raises:
        OSError: it cannot be read or written; it stays as it is.
    """
    if path.stat().st_size > _LARGEST:
        return
    notebook = json.loads(path.read_text("utf-8"))
    cells: list[dict[str, Any]] = notebook["cells"]
    cells[:] = [one for one in cells if TAG not in one["metadata"].get("tags", ())]
    at = None if result.cell is None else result.cell.id
    index = next((n for n, cell in enumerate(cells) if at and cell.get("id") == at), None)
    where = "" if result.cell is None else result.cell.place.replace("[", r"\[").replace("]", r"\]")
    if index is not None:
        cells.insert(index, _cell(f"### {_HEADING}", "-cell"))
        where = f"[{where}](#{_HEADING.replace(' ', '-')})"
    stage = result.stage
    meant = f"{quote(stage)} --profile {profile}"
    head = f"**This run of the notebook: {state_in_words(result.state)}**"
    text = [
        f"{head} in {where}:" if where else f"{head}:",
        "",
        *(f"    {line}" for line in error.splitlines()),
        "",
        f"Mend `{source}`, then run `python run.py {profile}-{stage}`.",
        # Its own paths do not hold where it lies.
        f"To run it in Jupyter: `{_lab(stage, BuildKey.of(profile).profile)}`.",
        f"For a console with its variables: `python run.py debug {meant}`.",
    ]
    cells.insert(0, _cell("\n".join(text), ""))
    data = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_whole(path, data.encode("utf-8", "backslashreplace"))


def _lab(stage: str, profile: str) -> str:
    # A point's name begins with that of its notebook's stage.
    return f"python run.py lab {stage.partition('[')[0]} --profile {profile}"


def _cell(source: str, suffix: str) -> dict[str, Any]:
    return {
        "cell_type": "markdown",
        "id": f"{TAG}{suffix}",
        "metadata": {"tags": [TAG]},
        "source": source.splitlines(keepends=True),
    }

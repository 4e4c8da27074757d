"""Cells that are written: a notebook's text from them, and they from a script in percent format."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_MARK = re.compile(r"#\s*%%(?P<rest>(?:\s.*)?)$")
_KIND = re.compile(r"\[(?P<kind>markdown|md|raw)\]")
_TAGS = re.compile(r"\btags=(?P<tags>\[[^\]]*\])")
_KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class NewCell:
    """A cell that is to be written; `kind` is as a notebook has it."""

    kind: str
    source: str
    tags: tuple[str, ...] = ()


def notebook(cells: Iterable[NewCell]) -> str:
    """Write a notebook of Python."""
    made = [_cell(number, one) for number, one in enumerate(cells, 1)]
    return written({"cells": made, "metadata": _KERNEL, "nbformat": 4, "nbformat_minor": 5})


def written(content: dict[str, Any]) -> str:
    """Write a notebook's content as Jupyter does, so that git shows lines."""
    return f"{json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)}\n"


def _cell(number: int, one: NewCell) -> dict[str, Any]:
    made: dict[str, Any] = {
        "cell_type": one.kind,
        "id": "parameters" if "parameters" in one.tags else f"cell-{number}",
        "metadata": {"tags": list(one.tags)} if one.tags else {},
        "source": one.source.splitlines(keepends=True),
    }
    return made | ({"execution_count": None, "outputs": []} if one.kind == "code" else {})


def is_percent(text: str) -> bool:
    """Tell whether a script is a notebook in percent format, as jupytext and editors have it."""
    return any(_MARK.match(line) for line in text.splitlines())


def of_percent(text: str) -> Iterator[NewCell]:
    """Read a script in percent format; its header of jupytext's is left out.

    What jupytext has put behind `# ` since a script cannot run it, such as `# !ls`, is code again.
    """
    lines = text.splitlines()
    if lines[:1] == ["# ---"] and "# ---" in lines[1:]:
        del lines[: lines.index("# ---", 1) + 1]
    head, body = "", list[str]()
    for line in [*lines, "# %%"]:
        found = _MARK.match(line)
        if found is None:
            body.append(line)
            continue
        if (cell := _of_percent(head, body)) is not None:
            yield cell
        head, body = found["rest"], []


def _of_percent(head: str, lines: list[str]) -> NewCell | None:
    kind = found["kind"] if (found := _KIND.search(head)) else "code"
    tags = tuple(json.loads(found["tags"])) if (found := _TAGS.search(head)) else ()
    source = "\n".join(lines).strip("\n")
    if kind == "code":
        source = re.sub(r"(?m)^# ?(?=[!%](?!%))", "", source)
        return NewCell("code", source, tags) if source.strip() else None
    stripped = source.strip()
    if stripped[:3] in {'"""', "'''"} and stripped[-3:] == stripped[:3] and len(stripped) > 5:  # noqa: PLR2004 - the quotes
        source = stripped[3:-3].strip("\n")
    else:
        source = re.sub(r"(?m)^# ?", "", source)
    kind = "raw" if kind == "raw" else "markdown"
    return NewCell(kind, source, tags) if source.strip() else None

"""Files of notebooks that no Jupyter would have written: repaired with a word, or refused."""

import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from tests.mistakes import told_once
from tests.project import TemporaryProject

Json = dict[str, Any]
Change = Callable[[Json], object]


def base() -> Json:
    """Give a notebook of two cells; the second one prints."""
    cells: list[Json] = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# Words"},
        {
            "cell_type": "code",
            "id": "c",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": "print('it', 'ran')",
        },
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def changed(change: Change, start: Callable[[], Json] = base) -> Json:
    """Give that notebook with a change."""
    made = start()
    change(made)
    return made


def code(**changes: object) -> Change:
    """Change the code cell; `...` leaves something out."""

    def change(made: Json) -> None:
        made["cells"][1] |= changes
        for key in [key for key, value in changes.items() if value is ...]:
            del made["cells"][1][key]

    return change


def top(**changes: object) -> Change:
    """Change the notebook; `...` leaves something out."""

    def change(made: Json) -> None:
        made |= changes
        for key in [key for key, value in changes.items() if value is ...]:
            del made[key]

    return change


def old(*cells: Json, **changes: object) -> Json:
    """Give a notebook of format 3."""
    sheets: object = [{"cells": list(cells), "metadata": {}}]
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": sheets,
        **changes,
    }


OLD_CODE = {"cell_type": "code", "language": "python", "input": ["print('it',", " 'ran')"]}
deep: object = []
for _ in range(200):
    deep = [deep]

# A notebook that runs, and what is said of it; nothing is, where that is empty.
REPAIRED: list[tuple[Json, str]] = [
    (base(), ""),
    (changed(code(outputs=...)), "entry 2 of `cells` has no `outputs`"),
    (changed(code(outputs=None)), "entry 2 of `cells` has no `outputs`"),
    (changed(code(outputs="text")), "entry 2 of `cells` has no `outputs`"),
    (changed(code(outputs=[None, 1, {"output_type": []}, {"data": None}])), ""),
    (changed(code(outputs=[{"output_type": "stream", "text": deep}])), ""),
    (changed(code(execution_count=...)), ""),
    (changed(code(execution_count="seven")), ""),
    (changed(code(metadata=None)), "entry 2 of `cells` has no `metadata`"),
    (changed(code(metadata=...)), "entry 2 of `cells` has no `metadata`"),
    (changed(code(metadata={"tags": None})), "entry 2 of `cells` has `tags` that are null"),
    (changed(code(metadata={"papermill": None})), ""),
    (changed(code(metadata={"papermill": [1]})), ""),
    (changed(code(source=["print('it',", " 'ran')"])), ""),
    (changed(code(id=...)), ""),
    (changed(code(id=None)), ""),
    (changed(code(id=7)), "entry 2 of `cells` has an `id` that cannot be one"),
    (changed(code(id="no id")), "entry 2 of `cells` has an `id` that cannot be one"),
    (changed(code(id="x" * 65)), "entry 2 of `cells` has an `id` that cannot be one"),
    (changed(code(attachments=3, more=[1])), ""),
    (changed(lambda made: made["cells"][0].update(attachments=None, outputs=None)), ""),
    (changed(lambda made: made["cells"][0].update(id="cell-2") or made["cells"][1].pop("id")), ""),
    (changed(lambda made: made["cells"][0].update(source="half \ud800 of it")), ""),
    (changed(top(nbformat_minor=...)), "it has no `nbformat_minor`"),
    (changed(top(nbformat_minor=None)), "it has no `nbformat_minor`"),
    (changed(top(nbformat_minor="5")), "it has no `nbformat_minor`"),
    (changed(top(nbformat_minor=0)), ""),
    (changed(top(nbformat_minor=99, more={})), ""),
    (changed(top(metadata=...)), "it has no `metadata`"),
    (changed(top(metadata=None)), "it has no `metadata`"),
    (
        changed(top(metadata={"kernelspec": None})),
        "its metadata's `kernelspec` is not as Jupyter writes it",
    ),
    (
        changed(top(metadata={"kernelspec": {}})),
        "its metadata's `kernelspec` is not as Jupyter writes it",
    ),
    (changed(top(metadata={"kernelspec": {"name": "python3"}})), ""),
    (
        changed(top(metadata={"kernelspec": {"name": []}})),
        "its metadata's `kernelspec` is not as Jupyter writes it",
    ),
    (
        changed(top(metadata={"language_info": "x"})),
        "its metadata's `language_info` is not as Jupyter writes it",
    ),
    (changed(top(metadata={"language_info": {"name": 1}})), "its metadata's `language_info` is no"),
    (changed(top(metadata={"widgets": None, "papermill": None})), ""),
    (changed(top(metadata={"widgets": {"x": {"state": [1]}}, "papermill": [1]})), ""),
    (changed(top(metadata={"x": float("nan")})), "it holds NaN, which is no JSON"),
    (changed(top(metadata={"x": "half \ud800 of it", "name": {"a": [None]}})), ""),
    (old(OLD_CODE), ""),
    (old({**OLD_CODE, "outputs": None}), "entry 1 of `cells` has no `outputs`"),
    (old({**OLD_CODE, "metadata": None}), "entry 1 of `cells` has no `metadata`"),
    (old({"cell_type": "heading", "level": [], "source": ["a", "b"]}, OLD_CODE), ""),
    (old({"cell_type": "html", "source": "<b>", "rendered": 1}, OLD_CODE), ""),
    (old(OLD_CODE, metadata=None), "it has no `metadata`"),
]

# A notebook that cannot run, and what is said of it.
REFUSED: list[tuple[Json, str]] = [
    (changed(top(cells=...)), "is JSON, but not a notebook (it has no `cells`)"),
    (changed(top(cells=None)), "is JSON, but not a notebook (it has no `cells`)"),
    (changed(top(cells={})), "is JSON, but not a notebook (it has no `cells`)"),
    (changed(top(cells=[[]])), "is JSON, but not a notebook (it has no `cells`)"),
    (changed(top(nbformat="4")), "is JSON, but not a notebook (it has no `nbformat`)"),
    (changed(top(nbformat=True)), "is JSON, but not a notebook (it has no `nbformat`)"),
    (changed(top(nbformat=5)), "has notebook format 5"),
    (changed(top(metadata=[])), "has `metadata` that are no mapping"),
    (changed(top(metadata={"x": deep})), "has too deeply nested `metadata`"),
    (changed(code(cell_type=...)), "entry 2 of `cells` has no known `cell_type`"),
    (changed(code(cell_type=["code"])), "entry 2 of `cells` has no known `cell_type`"),
    (changed(code(cell_type="heading")), "entry 2 of `cells` has no known `cell_type`"),
    (changed(code(source=...)), "entry 2 of `cells` has a `source` that is no text"),
    (changed(code(source=None)), "entry 2 of `cells` has a `source` that is no text"),
    (changed(code(source=["a", 1])), "entry 2 of `cells` has a `source` that is no text"),
    (changed(code(source=[["a"]])), "entry 2 of `cells` has a `source` that is no text"),
    (changed(code(source="a = '\udc80'")), "entry 2 of `cells` holds half a character"),
    (changed(code(metadata=[])), "entry 2 of `cells` has `metadata` that are no mapping"),
    (changed(code(metadata={"x": deep})), "entry 2 of `cells` has too deeply nested `metadata`"),
    (changed(code(metadata={"tags": "parameters"})), "entry 2 of `cells` has `tags` that are no"),
    (changed(code(metadata={"tags": [1]})), "entry 2 of `cells` has `tags` that are no list"),
    (changed(code(id="m")), "two cells have the id 'm'; open it in Jupyter and save it again"),
    (old(worksheets=None), "is JSON, but not a notebook (its `worksheets` hold no `cells`)"),
    (old(worksheets={}), "is JSON, but not a notebook (its `worksheets` hold no `cells`)"),
    (old(worksheets=[1]), "is JSON, but not a notebook (its `worksheets` hold no `cells`)"),
    (old(worksheets=[{"cells": [1]}]), "is JSON, but not a notebook (its `worksheets` hold no"),
    (old({"cell_type": "code", "input": 1}), "entry 1 of `cells` has a `source` that is no text"),
    (old({"cell_type": "heading", "source": 1}), "entry 1 of `cells` has a `source` that is no"),
    (old({"cell_type": None}), "entry 1 of `cells` has no known `cell_type`"),
    (old({"cell_type": []}), "entry 1 of `cells` has no known `cell_type`"),
]


@pytest.mark.slow
def test_a_malformed_notebook_that_can_be_understood_runs_and_is_told_of(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for number, (made, _) in enumerate(REPAIRED):
        project.write(f"notebooks/s{number}.ipynb", json.dumps(made))
    bom = project.root / "notebooks/bom.ipynb"
    bom.write_bytes(b"\xef\xbb\xbf" + json.dumps(base()).encode())
    checked = project.call("check")
    done = project.run("all", "-j", "2")
    # Nothing but lines of the log, of libraries neither.
    assert [line for line in done.text.splitlines() if not line.startswith("20")] == []
    assert set(project.states("all").values()) == {"succeeded"}
    for number, (_, what) in enumerate(REPAIRED):
        for out in (checked.out, done.out):
            said = [line for line in out.splitlines() if f"notebooks/s{number}.ipynb: " in line]
            assert len(said) == bool(what), said
            assert all(what in line for line in said)
        nbformat.validate(project.executed("all", f"s{number}"))
        assert f" s{number}[1/1]: it ran\n" in done.out
    # It is read in the same way each time.
    done = project.call("all")
    assert set(project.states("all").values()) == {"skipped"}


def test_a_notebook_that_cannot_be_understood_is_a_mistake(project: TemporaryProject) -> None:
    project.profile("all")
    for made, what in REFUSED:
        project.write("notebooks/a.ipynb", json.dumps(made))
        assert told_once(project, "check").startswith(f"notebooks/a.ipynb: {what}"), made


def test_a_notebook_with_text_that_python_cannot_read_is_a_mistake(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for text, what in (
        ("[" * 100_000, "cannot be read: nested too deeply"),
        ('{"nbformat": ' + "4" * 5000 + "}", "cannot be read: a number is too long"),
    ):
        project.write("notebooks/a.ipynb", text)
        assert told_once(project, "check").startswith(f"notebooks/a.ipynb: {what}")
    project.write("notebooks/a.ipynb", "").unlink()
    (project.root / "notebooks/a.ipynb").mkdir()
    assert told_once(project, "check") == (
        "notebooks/a.ipynb: is no file; put the notebook itself there"
    )


def test_code_that_is_too_deep_for_python_stops_nothing_but_its_cell(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name, source in (
        ("minus", "-" * 20_000 + "1"),
        ("sum", "1" + " + 1" * 20_000),
        ("brackets", "[" * 5000 + "]" * 5000),
        ("zero", "x = '\0'"),
    ):
        project.notebook("a", f"import json\n{source}")
        project.call("check")
        project.call("-n", "all")
        project.notebook("a", parameters=f"x = {source.removeprefix('x = ')}")
        assert told_once(project, "check").startswith("notebooks/a.ipynb, cell 1 (param"), name

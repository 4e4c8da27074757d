"""An executed notebook says first what it is; that of a stage that failed leads to the cell."""

from typing import Any

import nbformat
import pytest

from tests.project import TemporaryProject, both_ways

TAG = "runner-banner"


def executed(project: TemporaryProject, stage: str) -> Any:  # noqa: ANN401 - a notebook has no types
    """Read the executed notebook of the newest run, whole."""
    path = project.runs("all")[-1] / "notebooks" / f"{stage}.ipynb"
    return nbformat.read(path, as_version=4)


def banners(project: TemporaryProject, stage: str) -> list[tuple[int, str]]:
    """Give where the runner's own cells stand, and their texts."""
    cells: list[Any] = executed(project, stage).cells
    tagged = [(n, one) for n, one in enumerate(cells) if TAG in one.metadata.get("tags", [])]
    assert {one.cell_type for _, one in tagged} <= {"markdown"}
    return [(n, one.source) for n, one in tagged]


@both_ways
def test_it_says_what_where_and_what_to_do(project: TemporaryProject) -> None:
    project.profile("all", "bad:\n  n: 2")
    cells = ("# # Title", "before = 1", "{}[(n, '`[x](y)`')]", "after = 1")
    project.notebook("bad", *cells, parameters="n = 1")
    project.notebook("good", "1")
    project.run("all", "-k", code=1)
    (first, text), (second, heading) = banners(project, "bad")
    assert (first, second) == (0, 5)
    assert heading == "### The run ended in the cell below"
    # The parameters cell, the injected one, and one more were run before.
    place = r"[cell 3 of 4, In \[4\]](#The-run-ended-in-the-cell-below)"
    assert text.splitlines() == [
        f"**This run of the notebook: failed** in {place}:",
        "",
        "    KeyError: (2, '`[x](y)`')",
        "",
        "Mend `notebooks/bad.ipynb`, then run `python run.py all-bad`.",
        "To run it in Jupyter: `python run.py lab bad --profile all`.",
        "For a console with its variables: `python run.py debug bad --profile all`.",
    ]
    ((first, text),) = banners(project, "good")
    assert first == 0
    assert text.splitlines() == [
        f"**A record:** the stage `good` in the run `{project.runs('all')[-1].name}` of all.",
        "",
        "Its paths hold in `notebooks/`, not where this file lies. To run the notebook again in",
        "Jupyter: `python run.py lab good --profile all`.",
    ]
    notebook = executed(project, "bad")
    nbformat.validate(notebook)
    assert notebook.cells[6].outputs[0]["ename"] == "KeyError"
    cell = project.stage_record("all", "bad")["cell"]
    assert (cell["number"], cell["execution"]) == (3, 4)
    assert "bad: failed in cell 3 of 4, In [4] ({}[(n, " in project.log("all")


@both_ways
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\n\nos._exit(3)", "kernel died** in [cell 2 of 2, In \\[3\\]]"),
        ("1", "failed**:\n\n    no cell wrote ../outputs/all/a.txt"),
    ],
)
def test_it_stands_there_however_the_stage_ended(
    project: TemporaryProject, source: str, said: str
) -> None:
    project.profile("all")
    project.notebook("a", source, parameters='output_a = "../outputs/test/a.txt"')
    project.run("all", code=1)
    assert f"**This run of the notebook: {said}" in banners(project, "a")[0][1]


def test_it_holds_no_secret(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "import os\n\nraise ValueError(os.environ['MY_TOKEN'])")
    project.run("all", code=1, env={"MY_TOKEN": "very-secret-words"})
    ((_, text), _) = banners(project, "a")
    assert "ValueError: ***" in text
    assert "very-secret-words" not in text


def test_a_stage_that_another_one_blocks_has_none(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", "1 / 0", writes=("a.txt",))
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    project.run("all", code=1)
    assert project.states("all") == {"a": "failed", "b": "blocked"}
    assert sorted(one.name for one in (project.runs("all")[-1] / "notebooks").iterdir()) == [
        "a.ipynb"
    ]


def test_a_very_large_notebook_is_not_read_again(project: TemporaryProject) -> None:
    project.profile("all")
    show = "from IPython.display import HTML\n\nHTML('x' * (17 << 20))"
    project.notebook("a", show, "1 / 0")
    project.run("all", code=1)
    assert project.stage_record("all", "a")["cell"]["number"] == 2
    ((place, text),) = banners(project, "a")
    assert place == 0
    assert text.startswith("**A record:** the stage `a` in the run")

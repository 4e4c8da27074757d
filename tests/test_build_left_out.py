"""A cell tagged `skip-PROFILE` or `only-PROFILE` is left out there, and that is told."""

from pathlib import Path

import nbformat
import pytest

from tests.project import TemporaryProject, both_ways

CELLS = {"x = 1": (), "x = 2": ("skip-sample",), "x = 3": ("only-all", "only-test"), "x": ()}


def tagged(path: Path, number: int, *tags: str) -> None:
    """Give a cell of a notebook tags, and no others."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[number - 1].metadata["tags"] = [*tags]
    nbformat.write(notebook, path)


def three_profiles(project: TemporaryProject) -> Path:
    """Write a stage whose last cell shows which ones have run."""
    for name in ("all", "sample", "test"):
        project.profile(name)
    path = project.notebook("a", *CELLS)
    for number, tags in enumerate(CELLS.values(), 1):
        tagged(path, number, *tags)
    return path


@both_ways
def test_cells_are_left_out_where_their_tags_say_so(project: TemporaryProject) -> None:
    three_profiles(project)
    done = project.run("all", "sample")
    for profile, value, left_out in (("all", "3", None), ("sample", "1", [2, 3])):
        cells = project.executed(profile, "a").cells
        assert cells[-1].outputs[0]["data"]["text/plain"] == value
        found = [cell.metadata.papermill.status for cell in cells]
        wanted = ["skipped" if n in (left_out or ()) else "completed" for n in range(1, 5)]
        assert found == wanted
        assert project.stage_record(profile, "a").get("left_out") == left_out
    assert done.out.count("left out") == 1
    assert "a: cells 2 and 3 are left out in sample, by tags" in done.out


def test_a_tag_concerns_the_profile_that_it_names_alone(project: TemporaryProject) -> None:
    path = three_profiles(project)
    project.pretend("all", "sample")
    tagged(path, 1, "skip-sample")
    assert project.to_run("all") == []
    assert "code changed (cell 1)" in project.call("-n", "sample").out


def test_a_package_is_not_missing_where_its_cell_is_left_out(project: TemporaryProject) -> None:
    three_profiles(project)
    path = project.notebook("b", "import surely_not_there")
    tagged(path, 1, "only-all")
    assert "surely_not_there" in project.call("all", code=2).err
    project.pretend("sample")


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("only-sampel", "there is no profile `sampel`; did you mean `sample`?"),
        ("skip-gpu", "there is no profile `gpu`; known: all, sample, test"),
    ],
)
def test_a_tag_of_no_profile_is_a_mistake(project: TemporaryProject, tag: str, said: str) -> None:
    tagged(three_profiles(project), 2, tag)
    done = project.call("all", code=2)
    assert f"notebooks/a.ipynb, cell 2 (x = 2): the tag `{tag}`: {said}" in done.err


def test_the_parameters_cell_is_never_left_out(project: TemporaryProject) -> None:
    project.profile("all")
    tagged(project.notebook("a", "n", parameters="n = 1"), 1, "parameters", "skip-all")
    assert (
        "cell 1 (n = 1): the parameters cell is run in all profiles"
        in project.call("all", code=2).err
    )

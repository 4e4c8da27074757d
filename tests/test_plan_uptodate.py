"""Only what must run runs; and one can always ask why."""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import TemporaryProject

STAGES = ("a", "b", "c", "d", "e")


def diamond(project: TemporaryProject) -> None:
    """Write a diamond with a tail: a; b and c read it; d reads both; e reads d.

    `a` reads a file of the project; `b` has the parameter `n`; `c` imports a helper, which
    imports another (where it can: an executor of the tests' own does not look beside the notebook).
    """
    project.write("data.txt", "data\n")
    project.write("other.txt", "data\n")
    project.write("notebooks/helper.py", "from tools import deeper\n\nx = deeper.x\n")
    project.write("notebooks/tools/__init__.py", "")
    project.write("notebooks/tools/deeper.py", "x = 1\n")
    project.write("requirements.txt", "pytest==0\nnumpy==1\n")
    source = "from pathlib import Path\n\ntext = Path(input_data).read_text()"
    project.notebook(
        "a",
        "# # Reads the data",
        source,
        "Path(output_a).write_text(text.split('#')[0])",
        parameters='input_data = "../data.txt"\noutput_a = "../outputs/test/a.txt"',
    )
    show = "Path(output_b).write_text(Path(input_a).read_text() + str(n))"
    paths = 'input_a = "../outputs/test/a.txt"\noutput_b = "../outputs/test/b.txt"'
    project.notebook("b", "from pathlib import Path", show, parameters=f"{paths}\nn = 1")
    importing = "try:\n    import helper\nexcept ImportError:\n    pass"
    project.stage("c", importing, reads=("a.txt",), writes=("c.txt",))
    project.stage("d", reads=("b.txt", "c.txt"), writes=("d.txt",))
    project.stage("e", reads=("d.txt",), writes=("e.txt",))
    project.profile("all", "b:\n  n: 2\n")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """Give the diamond, built once."""
    project = TemporaryProject(tmp_path_factory.mktemp("built") / "project")
    diamond(project)
    project.run("all")
    assert set(project.states("all").values()) == {"succeeded"}
    return project


def plan(project: TemporaryProject, *words: str) -> dict[str, str]:
    """Ask what would run: for each stage what is said of it."""
    lines = project.call("-n", *(words or ("all",))).out.splitlines()
    return {name: " ".join(rest) for name, *rest in map(str.split, lines) if rest}


def edit(name: str, old: str, new: str) -> Callable[[TemporaryProject], None]:
    """Replace a text in a file of the project."""

    def change(project: TemporaryProject) -> None:
        path = project.root / name
        text = path.read_text("utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), "utf-8")

    return change


def output_in_source(project: TemporaryProject) -> None:
    """Leave an output, and metadata, in a source notebook, as Jupyter does."""
    path = project.root / "notebooks/a.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    cell = notebook["cells"][-1]
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "old"}]
    cell["execution_count"] = 7
    cell["metadata"]["collapsed"] = True
    notebook["metadata"]["kernelspec"]["display_name"] = "Another name"
    path.write_text(json.dumps(notebook), "utf-8")


def move_markdown(project: TemporaryProject) -> None:
    """Move the Markdown cell of `a` to the end."""
    path = project.root / "notebooks/a.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"].append(notebook["cells"].pop(1))
    path.write_text(json.dumps(notebook), "utf-8")


def touch(project: TemporaryProject) -> None:
    """Change an input's time only."""
    os.utime(project.root / "data.txt", (1, 1))


def add_cell(project: TemporaryProject) -> None:
    """Add a code cell to `d`."""
    path = project.root / "notebooks/d.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    extra = {**notebook["cells"][-1], "id": "extra", "source": "y = 1"}
    notebook["cells"].append(extra)
    path.write_text(json.dumps(notebook), "utf-8")


def tag(name: str) -> Callable[[TemporaryProject], None]:
    """Give a cell of `c` a tag: the one that imports."""

    def change(project: TemporaryProject) -> None:
        path = project.root / "notebooks/c.ipynb"
        notebook = json.loads(path.read_text("utf-8"))
        notebook["cells"][-2]["metadata"]["tags"] = [name]
        path.write_text(json.dumps(notebook), "utf-8")

    return change


def another_python(project: TemporaryProject) -> None:
    """Have the build be made by another Python."""
    (journal,) = project.outputs("all").glob("runs/*/journal.jsonl")
    text = journal.read_text("utf-8")
    ours = f'"python": "{platform.python_version()}"'
    assert ours in text
    journal.write_text(text.replace(ours, '"python": "3.9.1"'), "utf-8")


def delete(name: str) -> Callable[[TemporaryProject], None]:
    """Delete a file of the build."""
    return lambda project: (project.outputs("all") / name).unlink()


CHANGES: dict[str, tuple[Callable[[TemporaryProject], None], str, str]] = {
    "nothing": (lambda _: None, "", ""),
    "a code cell": (
        edit("notebooks/a.ipynb", "text.split('#')[0]", "text.split('#')[0] + '!'"),
        "abcde",
        "code changed (cell 3)",
    ),
    "a code cell, same result": (
        edit("notebooks/a.ipynb", "text.split('#')[0]", "(text.split('#')[0])"),
        "a",
        "code changed (cell 3)",
    ),
    "a new code cell": (add_cell, "d", "code changed (1 → 2 code cells)"),
    "a Markdown cell": (edit("notebooks/a.ipynb", "Reads the data", "Takes the data"), "", ""),
    "the place of a Markdown cell": (move_markdown, "", ""),
    "an output of the source": (output_in_source, "", ""),
    "a parameter": (edit("params/all.yaml", "n: 2", "n: 3"), "bde", "parameter n: 2 → 3"),
    "a default that the profile overrides": (
        edit("notebooks/b.ipynb", "n = 1", "n = 5"),
        "",
        "",
    ),
    "an input": (edit("data.txt", "data", "other"), "abcde", "input data.txt changed"),
    "an input of the same size": (
        edit("data.txt", "data", "date"),
        "abcde",
        "input data.txt changed",
    ),
    "an input, without consequence": (
        edit("data.txt", "data\n", "data\n# comment"),
        "a",
        "input data.txt changed",
    ),
    "an input's time only": (touch, "", ""),
    "a helper": (
        edit("notebooks/helper.py", "x = deeper.x", "x = 2"),
        "c",
        "module notebooks/helper.py changed",
    ),
    "a helper's helper": (
        edit("notebooks/tools/deeper.py", "x = 1", "x = 2"),
        "c",
        "module notebooks/tools/deeper.py changed",
    ),
    "a cell that is skipped": (tag("skip-execution"), "c", "code changed (cell 2)"),
    "a cell that may fail": (tag("raises-exception"), "c", "code changed (cell 2)"),
    "a tag that changes nothing": (tag("hide-input"), "", ""),
    "the Python": (
        another_python,
        "abcde",
        f"Python 3.9.1 → {platform.python_version()}",
    ),
    "an output, edited": (
        edit("outputs/all/b.txt", "data", "edited"),
        "b",
        "output outputs/all/b.txt is not as the stage left it",
    ),
    "which file a name is bound to": (
        edit("params/all.yaml", "n: 2", "n: 2\na:\n  input_data: ../other.txt"),
        "a",
        "input_data: data.txt → other.txt",
    ),
    "an output, deleted": (delete("c.txt"), "c", "output outputs/all/c.txt is missing"),
    "an executed notebook, deleted": (
        delete("notebooks/c.ipynb"),
        "c",
        "outputs/all/notebooks/c.ipynb is missing",
    ),
}


# What these say of a build, they say of one with kernels.
WITH_KERNELS = {"a code cell, same result", "a helper's helper"}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_makes_run(built: TemporaryProject, tmp_path: Path, name: str) -> None:
    change, ran, reason = CHANGES[name]
    project = built.copy(tmp_path / "project")
    build = project.run if name in WITH_KERNELS else project.pretend
    change(project)
    shown = project.call("-n", "all").out
    assert project.runs("all") == [project.outputs("all") / "runs" / built.runs("all")[0].name]
    # What the run has kept of its outputs is taken from there.
    taken = ran if "output" in reason or "is missing" in reason else ""
    assert (f"run    {reason}" in shown or f"({reason})" in shown) if ran else "run " not in shown
    done = build("all")
    states = project.states("all")
    assert "".join(name for name in STAGES if states[name] == "taken_over") == taken
    assert "".join(name for name in STAGES if states[name] == "succeeded") == ran[len(taken) :]
    assert "".join(name for name in STAGES if states[name] == "skipped") == "".join(
        name for name in STAGES if name not in ran
    )
    if ran:
        assert f"{ran[0]}: started ({reason}" in done.out
    for stage in project.record("all")["stages"]:
        if stage["state"] == "skipped":
            assert stage["made_by"] == built.runs("all")[0].name
    build("all")
    assert set(project.states("all").values()) == {"skipped"}


def test_force(built: TemporaryProject, tmp_path: Path) -> None:
    project = built.copy(tmp_path / "project")
    project.pretend("all", "--force=c")
    assert [n for n, state in project.states("all").items() if state == "succeeded"] == ["c"]
    project.pretend("-f", "b")
    assert project.states("all") == {"a": "skipped", "b": "succeeded"}
    project.pretend("all", "-f")
    assert set(project.states("all").values()) == {"succeeded"}
    assert len(project.runs("all")) == 4
    done = project.call("all", "--force=x", code=2)
    assert done.err.startswith("run.py: --force=x: there is no stage `x`")


def test_a_failed_stage_runs_again_and_what_was_finished_does_not(
    project: TemporaryProject,
) -> None:
    diamond(project)
    project.stage("d", "1 / 0", reads=("b.txt", "c.txt"), writes=("d.txt",))
    project.pretend("all", code=1)
    assert project.states("all")["d"] == "failed"
    project.stage("d", reads=("b.txt", "c.txt"), writes=("d.txt",))
    project.pretend("all")
    assert project.states("all") == {
        "a": "skipped",
        "b": "skipped",
        "c": "skipped",
        "d": "succeeded",
        "e": "succeeded",
    }


def test_a_stage_target_is_skipped_when_it_is_up_to_date(
    built: TemporaryProject, tmp_path: Path
) -> None:
    project = built.copy(tmp_path / "project")
    done = project.pretend("e")
    assert set(project.states("all").values()) == {"skipped"}
    assert "e: skipped, it is up to date" in done.out


def test_notebooks_that_declare_nothing_run_again_after_one_that_ran(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name in ("1_a", "2_b", "3_c"):
        project.notebook(name, f"x = '{name}'")
    project.pretend("all")
    project.pretend("all")
    assert set(project.states("all").values()) == {"skipped"}
    project.notebook("2_b", "x = 'changed'")
    done = project.pretend("all")
    assert project.states("all") == {"a": "skipped", "b": "succeeded", "c": "succeeded"}
    assert "c: started (b ran before it)" in done.out


@pytest.mark.slow
def test_a_thousand_stages_are_planned(project: TemporaryProject) -> None:
    project.profile("all")
    for number in range(1000):
        reads = (f"s{number - 1}.txt",) if number % 10 else ()
        project.stage(f"s{number}", reads=reads, writes=(f"s{number}.txt",))
    shown = project.call("-n", "all").out
    assert shown.count("it was not built before") == 1000


def test_paths_that_swap_their_names_count(project: TemporaryProject) -> None:
    project.write("x.txt", "x")
    project.write("y.txt", "y")
    project.notebook(
        "a",
        "from pathlib import Path",
        "Path(output_a).write_text(''.join(Path(one).read_text() for one in input_all))",
        parameters='input_all = ["../x.txt", "../y.txt"]\noutput_a = "../outputs/test/a.txt"',
    )
    project.profile("all")
    project.pretend("all")
    project.profile("all", "a:\n  input_all: [../y.txt, ../x.txt]\n")
    assert "input_all: x.txt, y.txt → y.txt, x.txt" in project.call("-n", "all").out
    project.pretend("all")
    assert (project.outputs("all") / "a.txt").read_text("utf-8") == "yx"


def test_values_that_are_equal_but_others_count(project: TemporaryProject) -> None:
    for name, default in (("a", "[1, 0]"), ("b", "[1]"), ("c", "(1, 2)")):
        project.stage(name, parameters=f"x = {default}", writes=(f"{name}.txt",))
    project.profile("all")
    project.pretend("all")
    project.profile("all", "a:\n  x: [true, false]\nb:\n  x: [1.0]\n")
    assert plan(project) == {
        "a": "run parameter x: [1, 0] → [True, False]",
        "b": "run parameter x: [1] → [1.0]",
        "c": "skip up to date",
    }


def test_a_folder_that_two_stages_fill_is_not_judged_while_one_may_run(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name in ("a", "b"):
        write = f"from pathlib import Path\n\nPath(output_x).write_text('{name}')"
        project.notebook(name, write, parameters=f'output_x = "../outputs/test/parts/{name}.txt"')
    project.notebook("c", "x = 1", parameters='input_parts = "../outputs/test/parts"')
    project.pretend("all")
    (project.outputs("all") / "parts/a.txt").unlink()
    run = project.runs("all")[0].name
    assert plan(project) == {
        "a": f"take from all, run {run} (output outputs/all/parts/a.txt is missing)",
        "b": "skip up to date",
        "c": "maybe if a writes something else",
    }
    project.pretend("all")
    assert project.states("all") == {"a": "taken_over", "b": "skipped", "c": "skipped"}


def test_a_folder_behind_a_link_counts(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("real/d.txt", "one")
    (project.root / "in").mkdir()
    (project.root / "in/sub").symlink_to("../real")
    project.notebook("a", "x = 1", parameters='input_f = "../in"')
    project.pretend("all")
    project.write("real/d.txt", "two")
    assert "run    input in changed" in project.call("-n", "all").out


def test_an_undeclared_stage_runs_after_its_predecessor_ran_alone(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name in ("1_a", "2_b"):
        project.notebook(name, f"x = '{name}'")
    project.pretend("all")
    project.notebook("1_a", "x = 'changed'")
    project.pretend("all-a")
    project.pretend("all")
    assert project.states("all") == {"a": "skipped", "b": "succeeded"}


def test_a_notebook_edited_during_the_run_is_not_taken_for_the_old_one(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    edits = "path = Path('b.ipynb')\npath.write_text(path.read_text().replace('old', 'new'))"
    project.stage("a", f"from pathlib import Path\n{edits}", writes=("a.txt",))
    project.stage("b", "x = 'old'", reads=("a.txt",), writes=("b.txt",))
    project.pretend("all", code=1)
    assert "edited after this run began" in project.stage_record("all", "b")["error"]
    project.pretend("all")
    assert project.states("all") == {"a": "skipped", "b": "succeeded"}

"""`tidy`: source notebooks without what a run left in them; `check` says which have it."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from runner.cli.tidy import without
from tests.project import ROOT, TemporaryProject


def with_outputs(project: TemporaryProject, name: str) -> Path:
    """Write a notebook as it is after Run All in Jupyter."""
    (project.root / "notebooks" / name).parent.mkdir(parents=True, exist_ok=True)
    path = project.notebook(name, "print('é')", "# Words", "1 + 1")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = 3
            cell.outputs = [new_output("stream", name="stdout", text="é\n")]
            cell.metadata |= {"scrolled": True, "collapsed": False}
            cell.metadata["execution"] = {"iopub.status.busy": "2026-01-31T12:00:00Z"}
    notebook.metadata["widgets"] = {"state": {}}
    nbformat.write(notebook, path)
    return path


@pytest.mark.slow
def test_tidy_takes_out_what_a_run_leaves_and_nothing_else(project: TemporaryProject) -> None:
    project.profile("test")
    clean = project.notebook("a", "print('é')", "# Words", "1 + 1").read_bytes()
    ids = [cell["id"] for cell in json.loads(clean)["cells"]]
    notebook = nbformat.read(with_outputs(project, "a"), as_version=4)
    for cell, one in zip(notebook.cells, ids, strict=True):
        cell.id = one
    nbformat.write(notebook, project.root / "notebooks/a.ipynb")
    inner = with_outputs(project, "sub/b")
    told = project.call("check").out
    names = "notebooks/a.ipynb, notebooks/sub/b.ipynb"
    assert f"saved with outputs: {names}; python run.py tidy takes them out" in told
    before = inner.read_bytes()
    (project.root / "notebooks/a.ipynb").chmod(0o640)
    assert project.call("tidy", "-n", "a").out == "would tidy notebooks/a.ipynb\n"
    assert project.call("tidy", "notebooks/a.ipynb").out == "tidied notebooks/a.ipynb\n"
    assert (project.root / "notebooks/a.ipynb").read_bytes() == clean
    assert (project.root / "notebooks/a.ipynb").stat().st_mode & 0o777 == 0o640
    assert inner.read_bytes() == before
    # It works although another notebook cannot be read.
    project.write("notebooks/broken.ipynb", "{")
    assert project.call("tidy").out == "tidied notebooks/sub/b.ipynb\n"
    assert project.call("tidy").out == "no notebook holds outputs\n"
    # Another program thinks so, too.
    command = [sys.executable, "-m", "nbstripout", "--verify", "--keep-id", str(inner)]
    subprocess.run(command, check=True)
    assert "`al` is no stage" in project.call("tidy", "al", code=2).err


def test_what_is_kept_and_what_is_odd() -> None:
    output = new_output("stream", name="stdout", text="kept")
    for metadata in ({"keep_output": True}, {"tags": ["keep_output"]}):
        cell = new_code_cell("1", outputs=[output], metadata=metadata)
        assert without(nbformat.writes(new_notebook(cells=[cell]))) is None
    half = {"cells": [{"cell_type": "code", "source": "'\ud800'", "outputs": [1]}]}
    text = without(json.dumps(half))
    assert text is not None
    text.encode()
    assert json.loads(text)["cells"][0] == {
        **half["cells"][0],
        "outputs": [],
        "execution_count": None,
    }
    for odd in ("", "{", "[]", "1", '{"cells": 1}', '{"cells": [1]}', "[" * 100_000):
        assert without(odd) is None, odd[:9]


def test_git_sees_notebooks_without_outputs_once_tidy_is_installed(
    tmp_path: Path,
) -> None:
    # The project is a folder with a blank in its name, in a larger clone.
    project = TemporaryProject(tmp_path / "clone" / "my project")
    assert "tidy --install" in project.call("tidy", "--install", code=2).err

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=project.root, check=True, capture_output=True, text=True
        ).stdout

    subprocess.run(["git", "init", "-q", project.root.parent], check=True)
    paths = [with_outputs(project, "a"), with_outputs(project, "sub/b")]
    other = project.root.parent / "other.ipynb"
    other.write_bytes(paths[0].read_bytes())
    for _ in range(2):
        project.call("tidy", "--install")
    attributes = (project.root.parent / ".git/info/attributes").read_text("utf-8")
    assert attributes.count("run-tidy") == 1
    git("add", *map(str, paths), str(other))
    for path in paths:
        name = path.relative_to(project.root)
        assert '"outputs": []' in git("show", f":./{name}")
        assert '"stdout"' not in git("show", f":./{name}")
        assert '"stdout"' in path.read_text("utf-8")
    assert '"stdout"' in git("show", ":other.ipynb")


def test_the_notebooks_of_the_example_are_tidy() -> None:
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        assert without(path.read_text("utf-8")) is None, path

"""What plain papermill does with the notebooks of these tests: why there is an engine here.

Each test shows a flaw, and fails once papermill has mended it: then look whether our own
remedy is still needed.
"""

import warnings
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from tests.project import TemporaryProject
from tests.test_states import ENDS

pytestmark = pytest.mark.filterwarnings("default")


def plain(project: TemporaryProject, output: Path, **options: object) -> nbformat.NotebookNode:
    """Execute the notebook `a` with papermill alone; give what it saved."""
    source = project.root / "notebooks/a.ipynb"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            papermill.execute_notebook(source, output, progress_bar=False, **options)
        except PapermillExecutionError:
            raise
        except BaseException:  # noqa: BLE001, S110 - a dead kernel, whatever its name
            pass
    read: nbformat.NotebookNode = nbformat.read(output, as_version=4)
    return read


@pytest.mark.parametrize("end", ["killed", "segfault", "exit"])
def test_a_dead_run_looks_completed(project: TemporaryProject, tmp_path: Path, end: str) -> None:
    project.notebook("a", "x = 1", ENDS[end].source, "y = 1")
    cells = plain(project, tmp_path / "out.ipynb").cells
    assert [cell.metadata.papermill.status for cell in cells] == ["completed"] * 3
    assert [cell.metadata.papermill.exception for cell in cells] != [False, True, None]


def test_an_early_exit_is_a_success(project: TemporaryProject, tmp_path: Path) -> None:
    project.notebook("a", "import sys\nsys.exit(0)", "never = 1 / 0")
    cells = plain(project, tmp_path / "out.ipynb").cells
    assert cells[1].execution_count is None


def test_an_unknown_parameter_is_a_success(project: TemporaryProject, tmp_path: Path) -> None:
    project.notebook("a", "print(x)", parameters="x = 1")
    cells = plain(project, tmp_path / "out.ipynb", parameters={"y": 2}).cells
    assert cells[-1].outputs[0].text == "1\n"


def test_an_executed_notebook_runs_with_old_values(
    project: TemporaryProject, tmp_path: Path
) -> None:
    path = project.notebook("a", "print(x)", parameters="x = 1")
    plain(project, tmp_path / "out.ipynb", parameters={"x": 2})
    path.write_bytes((tmp_path / "out.ipynb").read_bytes())
    cells = plain(project, tmp_path / "again.ipynb").cells
    assert cells[-1].outputs[0].text == "2\n"


def test_text_that_is_no_unicode_is_lost(project: TemporaryProject, tmp_path: Path) -> None:
    project.notebook("a", "print('before', flush=True)\nprint('half \\ud800', flush=True)")
    cells = plain(project, tmp_path / "out.ipynb").cells
    assert not any("half" in output.get("text", "") for output in cells[0].outputs)


def test_a_bar_is_an_output_for_each_step(project: TemporaryProject, tmp_path: Path) -> None:
    project.notebook("a", "for n in range(50):\n    print('\\r', n, end='', flush=True)")
    cells = plain(project, tmp_path / "out.ipynb").cells
    assert len(cells[0].outputs) == 50

"""What plain papermill does with the notebooks of these tests: why there is an engine here.

Each test shows a flaw, and fails once papermill has mended it: then look whether our own
remedy is still needed. They need not run unless requirements.txt has changed.
"""

import json
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from papermill.exceptions import PapermillExecutionError
from traitlets import TraitError

from tests.faults import Faults
from tests.project import WAIT, TemporaryProject, below_it, environment, left, wait_for
from tests.test_build_states import ENDS

# Event loops that papermill leaves open are its own affair.
pytestmark = [pytest.mark.rare, pytest.mark.filterwarnings("ignore")]


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


def command(*words: str) -> list[str]:
    """Give the command line of papermill itself."""
    return [sys.executable, "-m", "papermill", "--no-progress-bar", *words]


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Start papermill; it is killed, and what it started, if that still runs."""
    process = subprocess.Popen(command(*words), stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        below = below_it(process)
        process.kill()
        process.wait(30)
        ended_with(below)


def ended_with(below: list[psutil.Process]) -> list[psutil.Process]:
    """Give the processes that outlive papermill, and end them."""
    found = left(below, 2)
    for one in found:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    return found


def test_a_failing_write_tears_the_good_notebook(project: TemporaryProject, tmp_path: Path) -> None:
    source = str(project.notebook("a", "x = 1", "print('y' * 100_000)"))
    output = tmp_path / "out" / "a.ipynb"
    output.parent.mkdir()
    subprocess.run(command(source, str(output)), check=True, capture_output=True)
    assert nbformat.read(output, as_version=4)
    faults = Faults.build(tmp_path)
    failing = environment(faults.environment(output.parent, "ENOSPC"))
    done = subprocess.run(
        command(source, str(output)), env=failing, check=False, capture_output=True
    )
    assert done.returncode != 0
    assert faults.struck()
    assert output.read_bytes() == b""


def test_sigterm_leaves_it_running_for_ever(project: TemporaryProject, tmp_path: Path) -> None:
    here = tmp_path / "here"
    sleep = f"import time\nopen('{here}', 'w').close()\ntime.sleep(600)"
    source = str(project.notebook("a", sleep))
    output = tmp_path / "a.ipynb"
    with started(source, str(output)) as process:
        wait_for(here)
        below = below_it(process)
        process.terminate()
        process.wait(60)
        ended_with(below)
    (cell,) = nbformat.read(output, as_version=4).cells
    assert cell.metadata.papermill.status == "running"


def test_a_command_that_reads_hangs(project: TemporaryProject, tmp_path: Path) -> None:
    project.notebook("a", "!read x; echo done")
    (cell,) = plain(project, tmp_path / "out.ipynb", execution_timeout=5).cells
    assert not any("done" in output.get("text", "") for output in cell.outputs)


def test_a_kernel_of_the_users_takes_the_interpreters_place(
    project: TemporaryProject, tmp_path: Path
) -> None:
    source = str(project.notebook("a", "x = 1"))
    spec = {"argv": ["/bin/false"], "display_name": "Python 3", "language": "python"}
    project.write("jupyter/kernels/python3/kernel.json", json.dumps(spec))
    there = environment({"JUPYTER_PATH": str(project.root / "jupyter")})
    words = command(source, str(tmp_path / "a.ipynb"))
    done = subprocess.run(words, env=there, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Kernel died" in done.stderr


def test_yaml_is_of_another_time(project: TemporaryProject, tmp_path: Path) -> None:
    project.notebook("a", "print(country, code)", parameters="country = 'x'\ncode = 'x'")
    source, output = str(project.root / "notebooks/a.ipynb"), tmp_path / "a.ipynb"
    words = command(source, str(output), "-y", "{country: no, code: 010}")
    subprocess.run(words, check=True, capture_output=True)
    assert nbformat.read(output, as_version=4).cells[-1].outputs[0].text == "False 8\n"


def test_a_parameter_stands_twice_in_the_notebook(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.notebook("a", "x", parameters="api_key = ''\nx = 1")
    plain(project, tmp_path / "out.ipynb", parameters={"api_key": "hunter22"})
    assert (tmp_path / "out.ipynb").read_text("utf-8").count("hunter22") == 2


def test_braces_in_a_path_crash(project: TemporaryProject, tmp_path: Path) -> None:
    source = str(project.notebook("a", "x = 1"))
    with pytest.raises(papermill.exceptions.PapermillException, match="Missing parameter"):
        papermill.execute_notebook(source, str(tmp_path / "{a}.ipynb"), progress_bar=False)


@pytest.mark.parametrize("text", ["", "{", '{"nbformat": 4}'])
def test_a_broken_file_gives_a_traceback(
    project: TemporaryProject, tmp_path: Path, text: str
) -> None:
    source = str(project.write("notebooks/a.ipynb", text))
    words = command(source, str(tmp_path / "a.ipynb"))
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert "Traceback (most recent call last)" in done.stderr


def test_the_last_words_of_a_kernel_are_lost(project: TemporaryProject, tmp_path: Path) -> None:
    source = str(project.notebook("a", ENDS["segfault"].source))
    done = subprocess.run(
        command(source, str(tmp_path / "a.ipynb")), check=False, capture_output=True, text=True
    )
    assert "Kernel died" in done.stderr
    assert "SIGSEGV" not in done.stderr
    assert "string_at" not in done.stderr


def test_a_killed_runner_leaves_its_kernel(project: TemporaryProject, tmp_path: Path) -> None:
    here = tmp_path / "here"
    busy = f"import ctypes\nopen('{here}', 'w').close()\nctypes.PyDLL(None).sleep(600)"
    source = str(project.notebook("a", busy))
    with started(source, str(tmp_path / "a.ipynb")) as process:
        wait_for(here)
        below = below_it(process)
        process.kill()
        process.wait(60)
        assert ended_with(below)


def test_a_limit_of_a_second_and_a_half_is_refused(
    project: TemporaryProject, tmp_path: Path
) -> None:
    source = project.notebook("a", "x = 1")
    with pytest.raises(TraitError, match="expected an int"):
        papermill.execute_notebook(
            source, tmp_path / "a.ipynb", progress_bar=False, execution_timeout=1.5
        )


def test_the_working_directory_is_that_of_the_whole_process(
    project: TemporaryProject, tmp_path: Path
) -> None:
    here, elsewhere = Path.cwd(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    here_and_wait = f"open('{tmp_path}/here', 'w').close()\n{WAIT.format(marker=tmp_path / 'go')}"
    source = project.notebook("a", here_and_wait)
    options = {"cwd": str(elsewhere), "progress_bar": False}
    arguments = (str(source), str(tmp_path / "a.ipynb"))
    thread = threading.Thread(target=papermill.execute_notebook, args=arguments, kwargs=options)
    thread.start()
    try:
        wait_for(tmp_path / "here")
        during = Path.cwd()
    finally:
        (tmp_path / "go").touch()
        thread.join(120)
    assert (during, Path.cwd()) == (elsewhere, here)


def test_two_runs_write_one_file(project: TemporaryProject, tmp_path: Path) -> None:
    # Each waits until the other one is there, too.
    meet = "import os, time\nopen(f'{os.getpid()}.here', 'w').close()\nfrom pathlib import Path\n"
    meet += "while len([*Path().glob('*.here')]) < 2:\n    time.sleep(0.05)"
    source = str(project.notebook("a", meet))
    words = (source, str(tmp_path / "a.ipynb"), "--cwd", str(tmp_path))
    with started(*words) as one, started(*words) as two:
        assert (one.wait(120), two.wait(120)) == (0, 0)


def test_a_marker_shifts_the_cells(project: TemporaryProject, tmp_path: Path) -> None:
    source = project.notebook("a", "x = 1", "1 / 0")
    output = tmp_path / "a.ipynb"
    with pytest.raises(PapermillExecutionError):
        papermill.execute_notebook(source, output, progress_bar=False)
    cells = nbformat.read(output, as_version=4).cells
    assert len(cells) > 2
    assert cells[0].source != "x = 1"

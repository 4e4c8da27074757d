"""What notebooks print: nothing is lost, nothing grows without bound, logs read well."""

import re
import subprocess
import sys

import pytest

from tests.benchmarks.saving import measure
from tests.project import TemporaryProject, environment

MEGABYTE = 10**6


# Cells by the names of their stages, one each.
CELLS = {
    "streams": (
        "import sys, time\n"
        "for n in range(3):\n"
        "    print('out', n, flush=True)\n"
        "    print('err', n, file=sys.stderr, flush=True)\n"
        "display('shown')\n"
        "print('after')"
    ),
    "both": (
        "import sys\n"
        "for n in range(20_000):\n"
        "    print('out', n, 'x' * 30)\n"
        "    print('err', n, 'x' * 30, file=sys.stderr)\n"
        "    if n % 1000 == 0:\n"
        "        sys.stdout.flush(); sys.stderr.flush()"
    ),
    "cleared": (
        "from IPython.display import clear_output\n"
        "for n in range(3):\n"
        "    clear_output(wait=True)\n"
        "    print('step', n, flush=True)"
    ),
    "bar": (
        "import time\n"
        "for n in range(5001):\n"
        "    print(f'\\r\\x1b[32m{n:5}/5000\\x1b[0m', end='', flush=n % 50 == 0)\n"
        "    time.sleep(0.0005)\n"
        "print()"
    ),
    "unicode": ("print('before')\nprint('half \\ud800 a pair')\nprint('after')"),
    "nan": ("display({'application/json': {'x': float('nan')}}, raw=True)"),
    "figures": (
        "from IPython.display import clear_output\n"
        "for n in range(400):\n"
        "    clear_output(wait=True)\n"
        "    display('figure')\n"
        "    print('status', n, 'x' * 1000, flush=True)"
    ),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """Give a project in which all of `CELLS` have run, each in a stage of its own."""
    project = TemporaryProject(tmp_path_factory.mktemp("printed") / "project")
    project.profile("all")
    for name, source in CELLS.items():
        project.notebook(name, source)
    project.write("shown.txt", project.run("all").out)
    return project


# How long a line is, how much is printed, and how many megabytes the runner may take for that:
# less than what it has without, and that.
@pytest.mark.parametrize(
    ("piece", "size", "most"),
    [
        (100, 10 * MEGABYTE, 300),
        (10**5, 10 * MEGABYTE, 300),
        pytest.param(100, 60 * MEGABYTE, 115, marks=pytest.mark.slow),
        pytest.param(10**8, 400 * MEGABYTE, 300, marks=pytest.mark.slow),
    ],
    ids=["more than a log", "long lines", "much in short lines", "very much in very long lines"],
)
def test_a_cell_may_print_as_much_as_it_likes(
    project: TemporaryProject, piece: int, size: int, most: int
) -> None:
    project.profile("all")
    line = f'"0123456789" * {piece // 10 - 1} + "012345678\\n"'
    source = f"line = {line}\nfor n in range({size // piece}):\n    print(line, end='')"
    project.notebook("a", f"{source}\nprint('the end')")
    taken = peak_memory(project)
    assert taken < most * MEGABYTE, f"the runner took {taken:,} bytes"
    (text,) = (output.text for output in project.executed("all", "a").cells[0].outputs)
    assert len(text) < 2**20
    assert text.startswith("0123456789")
    assert text.endswith("8\nthe end\n")
    found = re.search(r"\[([\d,]+) bytes left out, whole text in (\S+)\]", text)
    assert found is not None
    left_out, name = found.groups()
    whole = (project.root / "notebooks" / name).resolve()
    kept = len(text) - len(found[0]) - 2
    assert int(left_out.replace(",", "")) + kept == whole.stat().st_size == size + 8
    assert (project.outputs("all") / "log.txt").stat().st_size < 40 * 2**20
    assert "this cell prints very much" in project.log("all")


def peak_memory(project: TemporaryProject) -> int:
    """Run `all` under a Python of its own, and give the runner's peak memory in bytes."""
    code = (
        "import os, subprocess, sys\n"
        "process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "_, status, used = os.wait4(process.pid, 0)\n"
        "assert status == 0, status\n"
        "print(used.ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *project.command("all")],
        cwd=project.root,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout) * 1024


def test_saving_writes_few_bytes_for_each_byte_of_the_notebook(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", *[f"print('{n:04}' * 5000)" for n in range(80)])
    command = [*project.command("all"), "--log-level", "WARNING"]
    notebook = project.outputs("all") / "notebooks/a.ipynb"
    assert measure(command, notebook).written < 5


def test_streams_of_one_cell_stay_apart_and_in_order(printed: TemporaryProject) -> None:
    outputs = printed.executed("all", "streams").cells[0].outputs
    names = [output.get("name", output.output_type) for output in outputs]
    assert names == ["stdout", "stderr"] * 3 + ["display_data", "stdout"]
    assert outputs[-1].text == "after\n"


def test_too_much_on_both_streams_leaves_both_ends(printed: TemporaryProject) -> None:
    outputs = printed.executed("all", "both").cells[0].outputs
    size = sum(len(output.text) for output in outputs)
    assert size < 1_100_000
    for name, word in (("stdout", "out"), ("stderr", "err")):
        last = [output.text for output in outputs if output.name == name][-1]
        assert f"{word} 19999 " in last[-60:]
    for word in ("out", "err"):
        path = printed.runs("all")[-1] / f"printed/both-1-std{word}.txt"
        found = re.findall(rf"^{word} (\d+) ", path.read_text("utf-8"), re.MULTILINE)
        assert found == [str(n) for n in range(20_000)]


def test_cleared_output_is_gone_and_the_next_is_kept(printed: TemporaryProject) -> None:
    (output,) = printed.executed("all", "cleared").cells[0].outputs
    assert output.text == "step 2\n"
    assert [line for line in printed.log("all").splitlines() if "]: step" in line][2:]


def test_a_progress_bar_is_a_line_now_and_then_without_colours(printed: TemporaryProject) -> None:
    log = printed.log("all")
    shown = [line for line in log.splitlines() if "/5000" in line]
    seconds = printed.stage_record("all", "bar")["seconds"]
    assert 1 <= len(shown) <= 3 + seconds / 10
    assert shown[-1].endswith("]:  5000/5000")
    assert "\x1b" not in log
    assert "\r" not in log
    (output,) = printed.executed("all", "bar").cells[0].outputs
    assert output.text == "\x1b[32m 5000/5000\x1b[0m\n"


def test_text_that_is_no_unicode_is_kept_and_said_to_be_so(printed: TemporaryProject) -> None:
    (output,) = printed.executed("all", "unicode").cells[0].outputs
    assert output.text == "before\nhalf \ud800 a pair\nafter\n"
    shown = (printed.root / "shown.txt").read_text("utf-8")
    assert r"unicode[1/1]: half \ud800 a pair" in shown
    assert "this cell printed no Unicode character, such as '\\ud800'" in shown
    raw = (printed.outputs("all") / "notebooks/unicode.ipynb").read_bytes()
    assert raw.decode("utf-8")


def test_not_a_number_in_a_display_leaves_valid_json(printed: TemporaryProject) -> None:
    text = (printed.outputs("all") / "notebooks/nan.ipynb").read_text("utf-8")
    assert "NaN" not in text
    (output,) = printed.executed("all", "nan").cells[0].outputs
    assert output.data["application/json"] == {"x": "nan"}


@pytest.mark.slow
def test_a_busy_cell_is_heard_of_and_a_silent_one_shows_where_it_is(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.write("pyproject.toml", '[tool.runner]\nheartbeat = "1s"\nsilence = "2s"\n')
    told = "log.read_text().count('busy for') < 3 or 'it is here:' not in log.read_text()"
    helper = (
        "import pathlib, time\n\n"
        "log, end = pathlib.Path('../outputs/all/log.txt'), time.monotonic() + 60\n"
        f"def stuck():\n    while ({told}) and time.monotonic() < end: time.sleep(0.05)\n"
    )
    project.write("notebooks/helper.py", helper)
    project.notebook("a", "x = 1", "import helper\n\nhelper.stuck()")
    log = project.run("all").out
    beats = re.findall(r"a\[2/2\]: busy for [\d.]+ s, CPU [\d.]+ s, memory \d+ MiB", log)
    assert len(beats) >= 3
    assert log.count("it is here:") == 1
    assert 'helper.py", line 5 in stuck' in log
    assert "cell 2, line 3 in <module>" in log
    assert "interactiveshell" not in log


def test_what_is_printed_after_much_was_cleared_is_kept(printed: TemporaryProject) -> None:
    figure, status = printed.executed("all", "figures").cells[0].outputs
    assert figure.output_type == "display_data"
    assert status.text.startswith("status 399 xxx")


@pytest.mark.parametrize(
    "source", ["display({'image/png': 5}, raw=True)", "raise type('E', (Exception,), {})(5)"]
)
def test_an_odd_output_is_the_failure_of_its_cell(project: TemporaryProject, source: str) -> None:
    project.profile("all")
    project.notebook("a", "x = 1", source, "y = 1")
    project.run("all", code=1)
    record = project.stage_record("all", "a")
    assert (record["state"], record["cell"]["number"]) == ("failed", 2)
    assert record["peak_memory"] > 0
    statuses = [cell.metadata.papermill.status for cell in project.executed("all", "a").cells]
    assert statuses == ["completed", "failed", "pending"]

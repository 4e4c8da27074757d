"""What a person sees on a terminal, and what a file or a pipe gets instead."""

import re
import sys

import pytest

from tests.project import ROOT, TemporaryProject
from tests.terminals import on_terminal, seen

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_screen(text: str) -> list[str]:
    """Give the lines of a display without its colours, and without what was overwritten."""
    lines = [_ESCAPE.sub("", line).rpartition("\r")[2] for line in text.split("\r\n")]
    return [line.rstrip() for line in lines]


def test_on_a_terminal_the_lines_are_lighter_than_in_the_file(project: TemporaryProject) -> None:
    project.profile("all")
    # At the beginning of a second: a line before it, of the same one, would be its head.
    show = (
        "import time\n\nsecond = int(time.time())\n"
        "while int(time.time()) == second:\n    time.sleep(0.001)\nprint('one\\ntwo\\nthree')"
    )
    shout = "import logging\n\nlogging.getLogger('lib').warning('careful')"
    project.stage("a", show, shout, writes=("a.csv", "b.png"))
    project.stage("b", "1 / 0", writes=("b.txt",))
    with on_terminal(project.root, project.command("-k", "all")) as (_, terminal):
        lines = on_screen(seen(terminal, "log: outputs/all/log.txt"))
    shown = "\n".join(lines)
    at = r"^\d\d:\d\d:\d\d  "
    for row in (
        rf"{at}a         ▶ started \(it was not built before\)$",
        # What is printed at once stands together.
        rf"{at}a         one\n {{20}}two\n {{20}}three$",
        rf"{at}a         WARNING lib: careful$",
        rf"{at}a         ✓ succeeded in [\d.]+ s$",
        (
            rf"{at}b         ✗ failed in cell 2 of 3, In \[3\] \(1 / 0\): "
            r"ZeroDivisionError: division by zero$"
        ),
        r"^stage     state      +time +memory$",
        r"^a      ✓  succeeded  [\d.]+ s +\d+ MiB$",
        r"^b      ✗  failed     [\d.]+ s +\d+ MiB$",
    ):
        assert re.search(row, shown, re.MULTILINE), f"{row}\n{shown}"
    assert "INFO" not in shown
    for line in ("INFO     a[2/4]: two", "WARNING  a[3/4] lib: careful"):
        assert re.search(rf"^[-\d]+ [:.\d]+ {re.escape(line)}$", project.log("all"), re.MULTILINE)


def test_what_a_run_says_to_open_are_the_last_pictures_and_tables_wherever_they_are(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name in "abcd":
        project.stage(name, writes=(f"{name}.png", f"{name}2.csv", f"{name}3.txt"))
    draw = "from pathlib import Path\n\nPath('../figures').mkdir(exist_ok=True)\n"
    project.notebook("e[1]", draw + "Path('../figures/fit.png').write_text('')")
    wanted = ["figures/fit.png", "outputs/all/c.png", "outputs/all/d.png"]
    tables = [f"outputs/all/{name}2.csv" for name in "bcd"]
    for _ in range(2):
        # What was seen to be written is known of an earlier run, too.
        last = project.run("all").out.splitlines()[-1]
        found = last.partition("to open: ")[2].split(", ")
        assert sorted(found) == sorted([*wanted, *tables, "outputs/all/notebooks/e[1].ipynb"])


@pytest.mark.slow
def test_colours_can_be_switched_off_and_a_pipe_gets_what_the_file_gets(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.stage("a", writes=("a.csv", "b.png"))
    piped = project.pretend("all")
    assert piped.out == project.log("all")
    last = piped.out.splitlines()[-1]
    files = "outputs/all/b.png, outputs/all/a.csv, outputs/all/notebooks/a.ipynb"
    assert last.endswith(f"INFO     run: to open: {files}")
    pretended = [sys.executable, "-m", "tests.pretended", "all"]
    for environment in ("PYTHONPATH={}", "PYTHONPATH={} NO_COLOR=1"):
        command = ["env", *environment.format(ROOT).split(), *pretended]
        with on_terminal(project.root, command) as (_, terminal):
            text = seen(terminal, files)
        shown = "\n".join(on_screen(text))
        assert re.search(r"  a         - skipped, it is up to date$", shown, re.MULTILINE)
        assert re.search(r"^a      -  skipped$", shown, re.MULTILINE)
        # An escape sequence for a colour: green, yellow, red, …
        coloured = re.search(r"\x1b\[(\d+;)*3[0-7]m", text) is not None
        assert coloured is ("NO_COLOR" not in environment)

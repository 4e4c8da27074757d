"""Files that a project cannot be made of: notebooks, names, settings, folders."""

import json
import shutil
from typing import Any

import pytest

from runner.project.layout import load
from tests.mistakes import refused, told, told_once
from tests.project import TemporaryProject

Json = dict[str, Any]


def cell(source: str, *tags: str, kind: str = "code", **more: Any) -> Json:  # noqa: ANN401
    """Give a cell as it stands in a notebook's file."""
    made = {"cell_type": kind, "metadata": {"tags": list(tags)}, "source": source, **more}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def notebook(*cells: Json, **metadata: Any) -> str:  # noqa: ANN401
    """Give a notebook's file."""
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}
    )


# A notebook's file, and what is said of it.
NOTEBOOKS = [
    ("", "is empty; delete it or save a notebook in its place"),
    ("{\n  'cells'", "is not JSON, so not a notebook (line 2: "),
    ("[]", "is JSON, but not a notebook (it has no `nbformat`)"),
    ('{"cells": []}', "is JSON, but not a notebook (it has no `nbformat`)"),
    ('{"nbformat": 4}', "is JSON, but not a notebook (it has no `cells`)"),
    ('{"nbformat": 4, "cells": [1]}', "is JSON, but not a notebook (it has no `cells`)"),
    ('{"nbformat": 2, "cells": []}', "has notebook format 2; open it in Jupyter"),
    (
        notebook(cell("a = 1", id="x"), cell("b = 1", id="x")),
        "two cells have the id 'x'; open it in Jupyter and save it again",
    ),
    (
        notebook(cell("a = 1", "parameters"), cell("b = 1"), cell("c = 1", "parameters")),
        "cells 1 and 3 are both tagged `parameters`; keep the tag on one",
    ),
    (
        notebook(cell("# A", "parameters", kind="markdown"), cell("a = 1", "parameters")),
        "cell 1 is tagged `parameters`, an empty or Markdown cell too; keep one",
    ),
    (
        notebook(cell("", "parameters"), cell("a = 1", "parameters")),
        "cell 1 is tagged `parameters`, an empty or Markdown cell too; keep one",
    ),
    (
        notebook(cell("a = 1", "parameters"), cell("a = 2", "injected-parameters")),
        "is an executed notebook with the parameters of an old run in it",
    ),
    (
        notebook(cell("a = 1"), papermill={"start_time": "2026-01-01T00:00:00"}),
        "is an executed notebook with the parameters of an old run in it",
    ),
]

# A parameters cell, and what is said of it.
PARAMETERS = [
    ("a = 1\nb = [", "line 2 is not Python: "),
    ("a = 1\nimport os", "line 2: write `name = value` with a literal value, no more"),
    ("a = 1\n\na += 1", "line 3: write `name = value` with a literal value, no more"),
    ("a = b = 1", "line 1: write `name = value` with a literal value, no more"),
    ("a, b = 1, 2", "line 1: write `name = value` with a literal value, no more"),
    ("a: int", "line 1: write `name = value` with a literal value, no more"),
    ("print()", "line 1: write `name = value` with a literal value, no more"),
    ("a = 1\nb = a", "line 2: the value of `b` is no literal; compute it in a later cell"),
    ("b = f'{1}'", "line 1: the value of `b` is no literal; compute it in a later cell"),
    ("b = 2 * 3", "line 1: the value of `b` is no literal; compute it in a later cell"),
    ("b = dict()", "line 1: the value of `b` is no literal; compute it in a later cell"),
    ("b = {[1]: 2}", "line 1: the value of `b` is no literal; compute it in a later cell"),
    ("a = 1\na = 2", "line 2: `a` is assigned twice; keep one"),
]

# A line of settings, and what is said of it.
SETTINGS = [
    ("job = 1", "unknown setting `job`; did you mean `jobs`?"),
    ("jobs = 0", "jobs: takes a whole number from 1 up, not '0'"),
    ("jobs = true", "jobs: takes a whole number from 1 up, not 'True'"),
    (
        "timeout = 'soon'",
        "timeout: takes a time such as 90 (seconds), 10m or 5h45m, not 'soon'",
    ),
    ("cell-timeout = -1", "cell-timeout: takes a time such as 90 (seconds), 10m or 5h45m, "),
    ("start-timeout = 0", "start-timeout: a kernel's start needs a limit"),
    ("log-level = 'loud'", "log-level: takes one of DEBUG, INFO, WARNING, ERROR, not 'loud'"),
    ("force = 'yes'", "force: takes true or false"),
    ("keep_going = 1", "keep_going: takes true or false"),
    ("kernel = 1", "kernel: takes the name of an installed kernel, as text"),
    ("tolerance = -1.0", "tolerance: takes a number from 0 up"),
    ("tolerance = nan", "tolerance: takes a number from 0 up"),
    ("tolerance = '1'", "tolerance: takes a number from 0 up"),
]

# A command line, and what is said of it.
REFUSED = [
    (["-x", "test"], "there is no option -x; see python run.py --help"),
    (["--dry", "test"], "there is no option --dry; did you mean `--dry-run`? see"),
    (["test", "-j"], "argument -j/--jobs: expected one argument; see python run.py --help"),
    (["test", "-j", "0"], "--jobs: takes a whole number from 1 up, not '0'"),
    (["test", "--timeout", "soon"], "--timeout: takes a time such as 90 (seconds), 10m or "),
    (["test", "--cell-timeout=x"], "--cell-timeout: takes a time such as 90 (seconds), 10m "),
    (["test", "--log-level", "loud"], "--log-level: takes one of DEBUG, INFO, WARNING, ERR"),
    (["test", "-p", "x"], "-p x: write -p STAGE.NAME=VALUE, such as -p features.degree=1"),
    (["test", "-p", "make.x"], "-p make.x: write -p STAGE.NAME=VALUE, such as -p features"),
    (["test", "-p", "x=1"], "-p x=1: write -p STAGE.NAME=VALUE, such as -p features.degree"),
    (["test", "-p", "maek.x=1"], "-p maek.x=1: there is no stage `maek`; did you mean `mak"),
    (["test", "-p", "make.x=[1"], "-p make.x=[1: the value is not YAML ("),
    (["tset"], "there is no target `tset`; did you mean `test`? `python run.py list` shows"),
    (["maek"], "there is no target `maek`; did you mean `make`? `python run.py list` shows"),
    (["zzzzzz"], "there is no target `zzzzzz`; known: test, make; `python run.py list` shows"),
    (["test-maek"], "there is no target `test-maek`: no stage `maek`; did you mean `make`?"),
    (["tset-make"], "there is no target `tset-make`; did you mean `test-make`?"),
    (["make"], "`make` belongs to the profile `all`, and there is no params/all.yaml; write"),
    (["test", "list"], "`list` is a command; it must be the first word"),
    (["test", "clean"], "`clean` is a command; it must be the first word"),
    (["list", "make"], "list takes names of profiles; there is no profile `make`; known: te"),
    (["check", "test"], "check takes no further words, not `test`"),
    (["clean", "test"], "`clean` stands alone; write clean-test to remove one build"),
    (["clean-tset"], "there is no build `tset`"),
]


def test_a_file_that_is_no_usable_notebook_is_a_mistake(project: TemporaryProject) -> None:
    project.profile("test")
    for text, what in NOTEBOOKS:
        project.write("notebooks/make.ipynb", text)
        assert told_once(project, "test").startswith(f"notebooks/make.ipynb: {what}"), text


def test_a_notebook_that_is_not_utf8_is_a_mistake(project: TemporaryProject) -> None:
    project.write("notebooks/make.ipynb", "").write_bytes(b'{"cells": "\xff"}')
    project.profile("test")
    assert told_once(project, "test").startswith("notebooks/make.ipynb: is not UTF-8")


def test_every_unusable_notebook_is_told(project: TemporaryProject) -> None:
    project.stage("good", writes=("a.txt",))
    project.write("notebooks/one.ipynb", "")
    project.write("notebooks/two.ipynb", "[]")
    project.profile("test")
    places = [line.split(": ")[0] for line in told(project, "test")]
    assert places == ["notebooks/one.ipynb", "notebooks/two.ipynb"]


def test_a_parameters_cell_with_more_than_literals_is_a_mistake(project: TemporaryProject) -> None:
    project.profile("test")
    place = "notebooks/make.ipynb, cell 1 (parameters)"
    for parameters, what in PARAMETERS:
        project.notebook("make", parameters=parameters)
        assert told_once(project, "test").startswith(f"{place}: {what}"), parameters


def test_every_wrong_line_of_a_parameters_cell_is_told(project: TemporaryProject) -> None:
    project.notebook("make", parameters="import os\na = 1\nb = a\nprint()")
    project.profile("test")
    lines = [line.split(": ")[1] for line in told(project, "test")]
    assert lines == ["line 1", "line 3", "line 4"]


def test_comments_and_texts_may_stand_between_parameters(project: TemporaryProject) -> None:
    project.notebook("make", parameters='"""What can be chosen."""\n# one\na = -1  # two\n\nb = 2')
    project.profile("test")
    assert "    a = -1\n    b = 2\n" in project.call("list").out


@pytest.mark.parametrize(
    ("stage", "profile", "line"),
    [
        ("a", "a", "params/a.yaml: `a` is also a stage (notebooks/a.ipynb); rename one"),
        ("a", "log", "params/log.yaml: `log` is a command of run.py; rename the file"),
        ("-a", "b", "notebooks/-a.ipynb: `-a` starts with a dash like an option; rename the file"),
        ("a", ".b", "params/.b.yaml: `.b` starts with a dot; rename the file"),
    ],
)
def test_names_that_cannot_be_told_apart_on_the_command_line_are_a_mistake(
    project: TemporaryProject, stage: str, profile: str, line: str
) -> None:
    project.notebook(stage, "1")
    project.profile(profile)
    assert told_once(project, "check") == line


def test_status_tells_a_profile_named_like_a_command(project: TemporaryProject) -> None:
    project.notebook("a", "1")
    project.profile("list")
    line = "params/list.yaml: `list` is a command of run.py; rename the file"
    assert line in project.call("status", "list", code=2).err


def test_two_notebooks_of_one_stage_are_a_mistake(project: TemporaryProject) -> None:
    project.notebook("1_make", "1")
    project.notebook("02-make", "1")
    project.profile("test")
    assert told_once(project, "test") == (
        "notebooks/02-make.ipynb: is the stage `make` as notebooks/1_make.ipynb is; rename one"
    )


def test_two_files_of_one_profile_are_a_mistake(project: TemporaryProject) -> None:
    project.notebook("make", "1")
    project.profile("test")
    project.write("params/test.yml", "")
    assert told_once(project, "test") == (
        "params/test.yml: is the profile `test` as test.yaml is; delete one"
    )


@pytest.mark.parametrize(
    ("stages", "profiles", "line"),
    [
        (("b", "a-b"), ("a",), "notebooks/a-b.ipynb: `a-b` also means the stage b of the "),
        (("b",), ("a", "a-b"), "params/a-b.yaml: `a-b` also means the stage b of the profile a"),
        (("c", "b-c"), ("a", "a-b"), "notebooks/b-c.ipynb: `a-b-c` also means the stage "),
    ],
)
def test_a_word_of_two_meanings_is_a_mistake(
    project: TemporaryProject, stages: tuple[str, ...], profiles: tuple[str, ...], line: str
) -> None:
    for stage in stages:
        project.notebook(stage, "1")
    for profile in profiles:
        project.profile(profile)
    assert told_once(project, "check").startswith(line)


def test_a_project_without_notebooks_and_profiles_is_a_mistake(project: TemporaryProject) -> None:
    assert told(project, "test") == [
        "notebooks/: holds no notebook; put the stages there",
        "params/: holds no profile; make params/test.yaml (it may be empty)",
    ]
    shutil.rmtree(project.root / "notebooks")
    assert told(project, "test")[0] == (
        "notebooks/: is missing; put the stages there, a notebook each"
    )


def test_hidden_files_and_checkpoints_are_no_stages(project: TemporaryProject) -> None:
    project.notebook("make", "1")
    project.write("notebooks/.hidden.ipynb", "")
    project.write("notebooks/.ipynb_checkpoints/make-checkpoint.ipynb", "")
    project.profile("test")
    assert project.call("-n", "test").out.splitlines() == [
        "test:",
        "  make  run    built from scratch",
    ]


def test_a_wrong_setting_is_a_mistake(project: TemporaryProject) -> None:
    project.notebook("make", "1")
    project.profile("test")
    for toml, what in SETTINGS:
        project.write("pyproject.toml", f"[tool.runner]\n{toml}\n")
        line = told_once(project, "test")
        assert line.startswith(f"pyproject.toml [tool.runner]: {what}"), toml


@pytest.mark.parametrize(
    ("toml", "what"),
    [
        ("[tool.runner\n", "cannot be read: "),
        ("[tool]\nrunner = 3\n", "`runner` is a table; write [tool.runner] above it"),
    ],
)
def test_a_settings_file_that_cannot_be_read_is_a_mistake(
    project: TemporaryProject, toml: str, what: str
) -> None:
    project.notebook("make", "1")
    project.profile("test")
    project.write("pyproject.toml", toml)
    assert told_once(project, "test").startswith(f"pyproject.toml: {what}")


def test_every_setting_may_stand_with_hyphens_or_underscores(project: TemporaryProject) -> None:
    project.notebook("make", "1")
    project.profile("test")
    project.write(
        "pyproject.toml",
        "[tool.other]\nx = 1\n[tool.runner]\njobs = 2\nkeep-going = true\ncell_timeout = '5m'\n"
        "start-timeout = 30\nlog-level = 'debug'\ntolerance = 0\n",
    )
    project.call("-n", "test")
    settings = load(project.root).settings
    assert (settings.jobs, settings.keep_going, settings.cell_timeout) == (2, True, 300)
    assert (settings.start_timeout, settings.log_level, settings.tolerance) == (30, "DEBUG", 0)


def test_a_command_line_that_says_nothing_possible_is_refused(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",), parameters="x = 1")
    project.profile("test")
    for words, line in REFUSED:
        assert refused(project, *words).startswith(line), words


def test_without_a_target_the_help_is_shown_and_nothing_runs(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",))
    project.profile("test")
    for words in ([], ["-n"], ["-j", "2"]):
        assert refused(project, *words) == "no target given"
        assert "PROFILE-STAGE" in project.call(*words, code=2).out


def test_a_command_that_is_refused_says_so_and_ends(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",))
    project.profile("test")
    done = project.run("tset", code=2)
    assert (done.out, done.err) == ("", f"run.py: {refused(project, 'tset')}\n")
    assert "PROFILE-STAGE" in project.run(code=2).out

"""`table`: a line for each run, the parameters that differ, and the metrics."""

import csv
import io
import shutil
from pathlib import Path

import pytest

from tests.project import TemporaryProject
from tests.terminals import exit_status, on_terminal, seen

WRITES = """\
import json

numbers = {"same": 5, "loss": x / 3, "all": list(range(40))}
if x == 2:
    numbers["only"] = -1
with open(output_m, "w") as file:
    json.dump(numbers, file)
if x == 4:
    raise ValueError"""
PARAMETERS = 'output_m = "../outputs/test/m.json"\nx = 1\nname = "one"\nfixed = 1'


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """Give a project with runs of two profiles; a test that changes it takes a copy."""
    project = TemporaryProject(tmp_path_factory.mktemp("many") / "project")
    project.profile("all")
    project.profile("small", "m:\n  x: 10\n")
    project.notebook("m", WRITES, parameters=PARAMETERS)
    project.pretend("all", "-p", "m.x=3", "-p", "m.name=three")
    project.pretend("all", "-p", "m.x=2")
    # Up to date: what stands was made by the run before.
    project.pretend("all", "-p", "m.x=2")
    project.pretend("all", "-p", "m.x=4", code=1)
    project.pretend("small")
    return project


def rows(project: TemporaryProject, *words: str) -> list[dict[str, str]]:
    """Read the table as a program does."""
    return [*csv.DictReader(io.StringIO(project.call("table", "--csv", *words).out))]


def test_a_program_gets_all_runs_with_all_that_is_known(many: TemporaryProject) -> None:
    found = rows(many)
    assert [one["run"] for one in found] == [
        *(run.name for run in many.runs("all")),
        *(run.name for run in many.runs("small")),
    ]
    assert [*found[0]][:5] == ["run", "profile", "started", "state", "seconds"]
    # Of the parameters those that differ; a path into a build does not.
    assert [name for name in found[0] if name.startswith("m.") and ":" not in name] == [
        "m.x",
        "m.name",
    ]
    assert [one["m.x"] for one in found] == ["3", "2", "2", "4", "10"]
    assert [one["m.name"] for one in found] == ["three", "one", "one", "one", "one"]
    losses = [one["m.json: loss"] for one in found]
    assert losses == ["1.0", "0.6666666666666666", "0.6666666666666666", "", "3.3333333333333335"]
    assert [one["m.json: only"] for one in found] == ["", "-1", "-1", "", ""]
    assert found[0]["m.json: all[39]"] == "39"
    assert [one["state"] for one in found] == ["succeeded"] * 3 + ["failed", "succeeded"]
    assert [one["profile"] for one in found] == ["all"] * 4 + ["small"]


SORTED = [
    ("loss", ["2", "2", "3", "4"]),
    ("-loss", ["3", "2", "2", "4"]),
    ("m.json: loss", ["2", "2", "3", "4"]),
    ("-m.x", ["4", "3", "2", "2"]),
    ("m.name", ["2", "2", "4", "3"]),
]


def test_it_is_sorted_by_any_column_and_what_has_nothing_there_comes_last(
    many: TemporaryProject,
) -> None:
    for word, wanted in SORTED:
        for words in (["--sort", word], [f"--sort={word}"]):
            assert [one["m.x"] for one in rows(many, "all", *words)] == wanted, words
    seconds = [float(one["seconds"]) for one in rows(many, "all", "--sort", "-duration")]
    assert seconds == sorted(seconds, reverse=True)
    told = many.call("table", "all", "--sort", "los", code=2).err
    assert told == "run.py: --sort: no run has `los`; did you mean `loss`?\n"


def test_a_person_gets_what_has_room_and_what_varies_first(many: TemporaryProject) -> None:
    head, *lines = many.call("table", "all").out.splitlines()
    # Without a terminal a line has a hundred characters.
    assert head.split()[:8] == ["run", "state", "m.x", "m.name", "loss", "same", "only", "all[0]"]
    assert lines[0].split()[:6] == [
        many.runs("all")[0].name,
        *("succeeded", "3", "three", "1", "5"),
    ]
    assert lines[1].split()[4:7] == ["0.666667", "5", "-1"]
    assert max(map(len, [head, *lines])) <= 100
    shown = sum(word.startswith("all[") for word in head.split())
    assert lines[-1] == f"{40 - shown} more columns not shown; --csv has all"
    assert len({len(line) for line in [head, *lines[:-1]]}) == 1
    # What varies among the rows that are shown.
    head, *lines = many.call("table", "all", "--last", "2").out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == [run.name for run in many.runs("all")[2:]]
    assert "m.name" not in head


def test_on_a_narrow_terminal_what_varies_is_shown_first(many: TemporaryProject) -> None:
    command = ["env", "COLUMNS=66", *many.command("table", "all")]
    with on_terminal(many.root, command) as (pid, terminal):
        text = seen(terminal, "has all")
        assert exit_status(pid) == 0
    first = text.splitlines()[0]
    assert "loss" in first
    assert "same" not in first


def test_a_word_that_is_no_profile_and_a_number_that_is_none_are_refused(
    many: TemporaryProject, project: TemporaryProject
) -> None:
    assert "no profile `al`; did you mean `all`?" in many.call("table", "al", code=2).err
    assert "--last: takes a whole number" in many.call("table", "--last", "0", code=2).err
    project.profile("all")
    assert project.call("table").out == "nothing has run yet\n"


def test_mistakes_in_the_project_and_runs_that_are_gone_do_not_matter(
    many: TemporaryProject, tmp_path: Path
) -> None:
    project = many.copy(tmp_path / "copy")
    project.write("notebooks/m.ipynb", "{")
    project.write("pyproject.toml", "[tool.runner]\nsecrets = ['PIN']\n")
    shutil.rmtree(project.runs("all")[1])
    found = rows(project, "all")
    # What the second run took over has its metrics in the record, its parameters had the first.
    assert [one["m.x"] for one in found] == ["3", "", "4"]
    assert [one["m.json: loss"] for one in found] == ["1.0", "0.6666666666666666", ""]
    told = project.call("table", "--csv", env={"PIN": "three"}).out
    assert "***" in told
    assert "three" not in told

"""What a stage may name of another profile's build, and what not."""

import shutil

import pytest

from tests.mistakes import told, told_once
from tests.project import TemporaryProject


def compared(project: TemporaryProject, source: str = "build:all/a.txt") -> None:
    """Write a stage, and one that compares its output with a baseline; `other` gives that."""
    project.stage("a", writes=("a.txt",), parameters="n = 1")
    project.notebook(
        "compare",
        "from pathlib import Path",
        "Path(output_b).write_text(input_baseline + ' ' + Path(input_baseline).read_text())",
        parameters='input_a = "../outputs/test/a.txt"\n'
        'input_baseline = "../outputs/test/a.txt"\noutput_b = "../outputs/test/b.txt"',
    )
    for name in ("test", "all"):
        project.profile(name)
    project.profile("other", f"compare:\n  input_baseline: {source}\n")


def made(project: TemporaryProject, profile: str) -> str:
    """Give what the stage `compare` wrote."""
    return (project.outputs(profile) / "b.txt").read_text("utf-8")


def test_a_stage_reads_a_file_of_another_build_and_its_content_counts(
    project: TemporaryProject,
) -> None:
    compared(project)
    project.pretend("all")
    project.pretend("other")
    assert made(project, "other") == "../outputs/all/a.txt a\n"
    assert "    reads   build:all/a.txt\n" in project.call("list", "other").out
    found = project.stage_record("other", "compare")
    baseline = found["inputs"][1]
    assert baseline["source"] == "build:all/a.txt"
    assert baseline["hash"] == found["inputs"][0]["hash"]
    assert found["parameters"]["input_baseline"] == {
        "value": "../outputs/all/a.txt",
        "from": "params/other.yaml:2",
    }
    project.pretend("-f", "all")
    assert "compare  up to date" in project.call("status", "other").out
    project.stage("a", "changed = True", writes=("a.txt",), parameters="n = 1")
    text = "from pathlib import Path\nPath(output_a).write_text('new')"
    project.notebook("a", text, parameters='n = 1\noutput_a = "../outputs/test/a.txt"')
    project.pretend("all")
    assert "input build:all/a.txt changed" in project.call("-n", "other").out
    project.pretend("other")
    assert made(project, "other") == "../outputs/all/a.txt new"


def test_a_kernel_gets_a_file_of_another_build_as_a_path(project: TemporaryProject) -> None:
    compared(project)
    project.run("all", "other")
    assert made(project, "other") == "../outputs/all/a.txt a\n"


def test_a_list_of_inputs_may_hold_files_and_folders_of_other_builds(
    project: TemporaryProject,
) -> None:
    (project.root / "notebooks/part").mkdir()
    project.notebook(
        "part/b",
        "from pathlib import Path",
        "Path(output_b).write_text(' '.join(input_all))",
        parameters='input_all = ["b.ipynb"]\noutput_b = "../../outputs/test/b.txt"',
    )
    project.profile("all")
    project.profile("x", "part/b:\n  input_all: [build:all/b.txt, build:all/notebooks]\n")
    project.pretend("all")
    project.pretend("x")
    assert made(project, "x") == "../../outputs/all/b.txt ../../outputs/all/notebooks"


def test_what_the_same_command_makes_before_may_be_read(project: TemporaryProject) -> None:
    compared(project)
    assert "is missing" in told_once(project, "other", "all")
    project.stage("c", writes=("c.txt",))
    assert "is missing" in told_once(project, "all-c", "other")
    project.pretend("all-a", "other")
    assert made(project, "other") == "../outputs/all/a.txt a\n"
    assert "compare  skip" in project.call("-n", "all-a", "other").out
    text = "from pathlib import Path\nPath(output_a).write_text('new')"
    project.notebook("a", text, parameters='n = 1\noutput_a = "../outputs/test/a.txt"')
    project.profile("other", "a:\n  n: 2\ncompare:\n  input_baseline: build:all/a.txt\n")
    project.pretend("all", "other")
    assert made(project, "other") == "../outputs/all/a.txt new"


def test_what_reads_a_build_that_the_same_command_makes_anew_runs_after_that(
    project: TemporaryProject,
) -> None:
    compared(project)
    text = "from pathlib import Path\nPath(output_a).write_text(str(n))"
    project.notebook("a", text, parameters='n = 1\noutput_a = "../outputs/test/a.txt"')
    project.pretend("all", "other")
    project.profile("all", "a:\n  n: 2\n")
    told_of = project.call("-n", "all", "other").out
    assert "compare  run    build:all/a.txt may be made anew before it" in told_of
    project.pretend("all", "other")
    assert made(project, "other") == "../outputs/all/a.txt 2"
    assert project.states("other") == {"a": "skipped", "compare": "succeeded"}
    project.pretend("all", "other")
    assert project.states("other") == {"a": "skipped", "compare": "skipped"}


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("build:all/a.txt", "build:all/a.txt: outputs/all/a.txt is missing; `python run.py all`"),
        ("build:al/a.txt", "build:al/a.txt: there is no profile or build `al`; did you mean `all`"),
        ("build:.downloads/a", "build:.downloads/a: there is no profile or build `.downloads`"),
        ("build:other/a.txt", "build:other/a.txt is in this profile's own build; leave it out, "),
        ("build:all", "build:all: write build:NAME/path/of/the/file, such as build:all/model.json"),
        ("build:all/", "build:all/: write build:NAME/path/of/the/file"),
        ("build:/a.txt", "build:/a.txt: write build:NAME/path/of/the/file"),
        ("build:all/../x", "build:all/../x: write build:NAME/path/of/the/file"),
        ("build:all//x", "build:all//x: write build:NAME/path/of/the/file"),
        ("'build:'", "build:: write build:NAME/path/of/the/file"),
        ("../outputs/all/a.txt", "outputs/all/a.txt is not in outputs/other/; write build:all/a.t"),
        ("../outputs/test/a.txt", "outputs/test/a.txt is not in outputs/other/; write build:test/"),
        ("[../outputs/all/x/y]", "outputs/all/x/y is not in outputs/other/; write build:all/x/y"),
        ("../outputs/all", "outputs/all is not in outputs/other/; give a path of this build"),
    ],
)
def test_a_file_of_another_build_that_cannot_be_read_is_a_mistake(
    project: TemporaryProject, source: str, what: str
) -> None:
    compared(project, source)
    if source.startswith("["):
        project.notebook("compare", "1", parameters="input_baseline = ['a.ipynb']")
    line = told_once(project, "other")
    assert line.startswith(f"params/other.yaml:2: `input_baseline`: {what}")
    assert line in "\n".join(told(project, "check"))


def test_what_the_runner_keeps_beside_the_builds_is_no_build(project: TemporaryProject) -> None:
    compared(project, "build:.downloads/a.txt")
    project.write("outputs/.downloads/a.txt", "")
    done = project.call("other", code=2)
    assert "there is no profile or build `.downloads`" in done.err
    project.profile("other", "compare:\n  input_baseline: ../outputs/.downloads/a.txt\n")
    done = project.call("other", code=2)
    assert "outputs/.downloads/a.txt is not in outputs/other/; give a path of this" in done.err


def test_an_absolute_path_into_another_build_is_a_mistake_too(project: TemporaryProject) -> None:
    compared(project, str(project.root / "outputs/all/a.txt"))
    assert "write build:all/a.txt to read another build" in told_once(project, "other")


def test_a_link_into_another_build_is_a_mistake_too(project: TemporaryProject) -> None:
    project.write("outputs/all/a.txt", "1")
    (project.root / "data").mkdir()
    (project.root / "data/link").symlink_to("../outputs/all")
    project.profile("other")
    project.stage("a", parameters="input_a = '../data/link/a.txt'")
    done = project.call("other", code=2)
    assert "a profile says `input_a: build:all/a.txt`" in done.err


def test_a_build_whose_profile_is_gone_can_be_read_as_long_as_it_is_there(
    project: TemporaryProject,
) -> None:
    compared(project)
    project.pretend("all")
    (project.root / "params/all.yaml").unlink()
    project.pretend("other")
    assert made(project, "other") == "../outputs/all/a.txt a\n"
    (project.outputs("all") / "a.txt").unlink()
    done = project.call("other", code=2)
    assert "outputs/all/a.txt is missing; there is no params/all.yaml to make it" in done.err


def test_on_the_command_line_another_build_is_named_in_the_same_way(
    project: TemporaryProject,
) -> None:
    compared(project)
    line = told_once(project, "test", "-p", "compare.input_baseline=../outputs/all/a.txt")
    assert line == (
        "-p compare.input_baseline: `input_baseline`: outputs/all/a.txt is not in outputs/test/; "
        "write build:all/a.txt to read another build"
    )
    project.pretend("all")
    project.pretend("test", "-p", "compare.input_baseline=build:all/a.txt")
    assert made(project, "test") == "../outputs/all/a.txt a\n"


@pytest.mark.parametrize(
    ("parameter", "what"),
    [
        (
            "input_b = '../outputs/all/b.txt'",
            (
                "`input_b` must be a path in outputs/test/, not outputs/all/b.txt: each profile "
                "gets it in its own build; to read another build, a profile says "
                "`input_b: build:all/b.txt`"
            ),
        ),
        (
            "input_b = ['../outputs/test/a.txt', '../outputs/all/b.txt']",
            (
                "`input_b` must be a path in outputs/test/, not outputs/all/b.txt: each profile "
                "gets it in its own build; to read another build, a profile says "
                "`input_b: build:all/b.txt`"
            ),
        ),
        (
            "input_b = '../notebooks/../outputs/no_profile/b.txt'",
            (
                "`input_b` must be a path in outputs/test/, not outputs/no_profile/b.txt: each "
                "profile gets it in its own build; to read another build, a profile says "
                "`input_b: build:no_profile/b.txt`"
            ),
        ),
        (
            "input_b = '../outputs'",
            (
                "`input_b` must be a path in outputs/test/, not outputs: each profile gets it in "
                "its own build"
            ),
        ),
        (
            "output_b = '../outputs/all/b.txt'",
            (
                "`output_b` must be a path in outputs/test/, not outputs/all/b.txt: each profile "
                "gets it in its own build"
            ),
        ),
        (
            "input_b = 'build:all/b.txt'",
            (
                "`input_b`: build:all/b.txt would be no path in Jupyter; write it in a profile, "
                "not in the notebook"
            ),
        ),
    ],
)
def test_a_default_in_another_build_is_a_mistake_whatever_is_built(
    project: TemporaryProject, parameter: str, what: str
) -> None:
    project.stage("a", writes=("a.txt",))
    project.notebook("b", "1", parameters=parameter)
    for name in ("test", "all"):
        project.profile(name)
    for words in (("check",), ("test",), ("all",), ("-n", "all"), ("list",), ("a",)):
        assert told_once(project, *words) == f"notebooks/b.ipynb, parameters, line 1: {what}"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("build:all/a.txt", "`model`: build:all/a.txt is for inputs alone; call it `input_model`"),
        ("../outputs/all/a", "`model`: outputs/all/a is not in outputs/test/; write build:all/a t"),
        ("[{a: ../outputs/all/a}]", "`model`: outputs/all/a is not in outputs/test/; write build:"),
        ("../outputs/test/a", "`model` points into outputs/; call it `input_model` if the noteboo"),
    ],
)
def test_a_plain_parameter_that_names_a_build_is_a_mistake(
    project: TemporaryProject, value: str, what: str
) -> None:
    project.notebook("a", "1", parameters="model = None")
    project.profile("all")
    project.profile("test", f"a:\n  model: {value}\n")
    assert told_once(project, "test").startswith(f"params/test.yaml:2: {what}")


@pytest.mark.parametrize("value", ["build:fast/slow", "'build: all'", "rebuild:all/x"])
def test_a_text_that_only_looks_like_a_build_is_none(project: TemporaryProject, value: str) -> None:
    project.notebook("a", "1", parameters="mode = ''")
    project.profile("all", f"a:\n  mode: {value}\n")
    project.pretend("all")


def test_an_output_in_another_build_is_a_mistake(project: TemporaryProject) -> None:
    project.stage("a", writes=("a.txt",))
    project.profile("all")
    project.profile("test", "a:\n  output_a: build:all/a.txt\n")
    assert told_once(project, "test") == (
        "params/test.yaml:2: `output_a`: an output is a local path"
    )


def test_a_build_that_is_gone_again_is_missing(project: TemporaryProject) -> None:
    compared(project)
    project.pretend("all", "other")
    shutil.rmtree(project.outputs("all"))
    done = project.call("other", code=2)
    assert "`python run.py all` makes it, if a stage writes it" in done.err

"""What a build has made from the same is taken over: when, what is verified, and what is told."""

import json
import os
import re

import pytest

from tests.project import TemporaryProject

WRITE = "from pathlib import Path\nPath(output_a).write_text(Path(input_data).read_text() * n)"
PARAMETERS = 'input_data = "../data.txt"\noutput_a = "../outputs/test/a.txt"\nn = 1'


def small(project: TemporaryProject, write: str = WRITE, parameters: str = PARAMETERS) -> None:
    """Write a stage that depends on a file and a number, and one that reads what it writes."""
    project.write("data.txt", "data")
    project.notebook("a", write, parameters=parameters)
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    for name in ("test", "all", "other"):
        project.profile(name)


def test_going_back_to_earlier_parameters_runs_nothing(project: TemporaryProject) -> None:
    small(project)
    project.pretend("all")
    first = (project.outputs("all") / "b.txt").read_text("utf-8")
    run = project.runs("all")[0].name
    project.pretend("all", "-p", "a.n=2")
    assert set(project.states("all").values()) == {"succeeded"}
    told = project.call("-n", "all").out
    assert f"  a  take   from all, run {run} (parameter n: 2 → 1)" in told
    done = project.pretend("all")
    assert project.states("all") == dict.fromkeys("ab", "taken_over")
    assert f"a: taken over from all, run {run}: 1 output, 4 bytes" in done.out
    assert "2 taken over (a, b)" in done.out
    assert (project.outputs("all") / "b.txt").read_text("utf-8") == first
    found = project.stage_record("all", "a")
    assert found["taken_from"] == {"build": "all", "run": run, "stage": "a"}
    assert found["parameters"]["n"]["value"] == 1
    assert (project.runs("all")[-1] / "notebooks/a.ipynb").is_file()
    # It counts as made by this run.
    project.pretend("all")
    assert set(project.states("all").values()) == {"skipped"}
    assert project.stage_record("all", "a")["made_by"] == project.runs("all")[-2].name
    assert "a taken over" in project.call("history", "all").out


def test_another_build_has_made_it_with_real_kernels(project: TemporaryProject) -> None:
    small(project)
    # What a module says counts, and what is read without being declared.
    project.write("notebooks/helper.py", "times = 3\n")
    seen = "import helper\nfrom pathlib import Path\nmore = Path('../more.txt').read_text()\n"
    project.write("more.txt", "more")
    project.notebook("a", seen + WRITE, parameters=PARAMETERS)
    project.run("all")
    project.run("other")
    assert project.states("other") == dict.fromkeys("ab", "taken_over")
    project.write("more.txt", "other")
    project.run("other")
    assert project.states("other")["a"] == "succeeded"
    project.write("more.txt", "more")
    project.write("notebooks/helper.py", "times = 4\n")
    project.run("all")
    assert project.states("all")["a"] == "succeeded"


def test_a_test_and_what_is_forced_take_nothing_over(project: TemporaryProject) -> None:
    small(project)
    project.pretend("all")
    for words in (["test"], ["test-a"], ["other", "-f"], ["all", "--force=a"], ["all-a", "-f"]):
        project.pretend(*words)
        assert "taken_over" not in project.states(words[0].partition("-")[0]).values(), words
    project.pretend("all", "-p", "a.n=2")
    project.pretend("test-a", "-p", "a.n=2")
    assert project.states("test") == {"a": "succeeded"}


@pytest.mark.parametrize(
    ("write", "parameters"),
    [
        ("import os\nos.environ.get('RUN_PROFILE')\n" + WRITE, PARAMETERS),
        (WRITE + "\nPath('../outputs/undeclared.txt').write_text('x')", PARAMETERS),
    ],
)
def test_what_depends_on_its_build_is_not_taken_over(
    project: TemporaryProject, write: str, parameters: str
) -> None:
    small(project)
    project.notebook("a", write, parameters=parameters)
    project.run("all-a")
    project.run("other-a")
    assert project.states("other") == {"a": "succeeded"}


def test_what_is_not_as_the_record_says_is_made_anew(project: TemporaryProject) -> None:
    small(project)
    project.pretend("all", "--keep-outputs", "0")
    made = project.outputs("all") / "a.txt"
    looks = made.stat()
    made.write_text("evil", "utf-8")
    # As if nobody had touched it.
    os.utime(made, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    project.pretend("other")
    assert project.states("other")["a"] == "succeeded"
    assert (project.outputs("other") / "a.txt").read_text("utf-8") == "data"
    # A kept file is verified, too.
    project.pretend("all", "-f")
    (kept,) = (project.runs("all")[-1] / "outputs").glob("3a6eb0790f39ac87c94f*")
    kept.write_text("evil", "utf-8")
    project.pretend("all", "-p", "a.n=2")
    project.pretend("other", "-f", "-p", "a.n=3")
    done = project.pretend("all")
    assert project.states("all")["a"] == "succeeded"
    assert re.search(r"a: what (all|other) has made cannot be taken over: .* changed", done.out)
    assert made.read_text("utf-8") == "data"


def test_what_is_gone_is_made_anew(project: TemporaryProject) -> None:
    small(project)
    project.pretend("all")
    project.call("clean-all", "--yes")
    project.pretend("other")
    assert set(project.states("other").values()) == {"succeeded"}
    # A planted line leads nowhere.
    index = project.root / "outputs/.cache/made.jsonl"
    lines = index.read_text("utf-8").splitlines()
    planted = [json.loads(line) | {"build": "../..", "run": "../../x"} for line in lines]
    odd = ['{"made": 1}', "[]", "\x00", '{"made": "x", "build": [], "run": 1, "stage": {}}']
    index.write_text("\n".join([*odd, *map(json.dumps, planted), *odd, ""]), "utf-8")
    project.pretend("all")
    assert set(project.states("all").values()) == {"succeeded"}


def test_a_folder_is_taken_over_whole(project: TemporaryProject) -> None:
    write = "from pathlib import Path\nPath(output_a, 'x').mkdir(parents=True)\n"
    write += "Path(output_a, 'x/y.txt').write_text('y' * n)"
    small(project, write, PARAMETERS.replace("/a.txt", "/parts"))
    project.notebook("b", "x = 1", parameters='input_parts = "../outputs/test/parts"')
    project.pretend("all")
    project.pretend("other")
    assert project.states("other")["a"] == "taken_over"
    assert (project.outputs("other") / "parts/x/y.txt").read_text("utf-8") == "y"
    assert not list(project.outputs("other").glob(".*"))


def test_a_point_and_a_plain_stage_are_the_same(project: TemporaryProject) -> None:
    small(project)
    project.pretend("all", "-p", "a.n=each:1,2,3")
    project.pretend("other", "-p", "a.n=3")
    assert set(project.states("other").values()) == {"taken_over"}
    assert (project.outputs("other") / "a.txt").read_text("utf-8") == "datadatadata"
    project.pretend("other", "-p", "a.n=each:3,4")
    states = project.states("other+n")
    assert [name for name, state in states.items() if state == "taken_over"] == ["a[n=3]", "b[n=3]"]


def test_a_module_counts_where_nothing_was_seen(project: TemporaryProject) -> None:
    small(project, "try:\n    import helper\nexcept ImportError:\n    pass\n" + WRITE)
    project.write("notebooks/helper.py", "x = 1\n")
    project.pretend("all")
    project.write("notebooks/helper.py", "x = 2\n")
    project.pretend("other")
    assert project.states("other") == {"a": "succeeded", "b": "taken_over"}


def test_a_stage_that_always_runs_is_not_taken_over(project: TemporaryProject) -> None:
    small(project)
    project.write("pyproject.toml", '[tool.runner]\nalways = ["a"]\n')
    project.pretend("all")
    project.pretend("all", "-p", "a.n=2")
    project.pretend("all")
    assert project.states("all") == {"a": "succeeded", "b": "taken_over"}


def test_what_failed_is_tried_again(project: TemporaryProject) -> None:
    small(project, "import os\nassert 'FAIL' not in os.environ\n" + WRITE)
    project.pretend("all")
    # Its last success was made from the same, but that is not what was asked for.
    project.pretend("-f", "a", code=1, env={"FAIL": "1"})
    project.pretend("all")
    assert project.states("all") == {"a": "succeeded", "b": "skipped"}


def test_in_another_folder_the_same_code_is_another_stage(project: TemporaryProject) -> None:
    small(project)
    near = "near = Path('../near.txt').read_text()\n"
    write = WRITE.replace("Path\n", f"Path\n{near}").replace("* n", "* n + near")
    project.write("near.txt", "one")
    project.notebook("a", write, parameters=PARAMETERS)
    project.run("all")
    folder = project.root / "notebooks/x"
    folder.mkdir()
    project.write("notebooks/near.txt", "two")
    cells = json.loads((project.root / "notebooks/a.ipynb").read_text("utf-8"))
    text = json.dumps(cells).replace("../data", "../../data").replace("../outputs", "../../outputs")
    (folder / "a.ipynb").write_text(text, "utf-8")
    (project.root / "notebooks/a.ipynb").unlink()
    project.run("all")
    assert project.states("all")["x/a"] == "succeeded"
    assert (project.outputs("all") / "a.txt").read_text("utf-8") == "datatwo"


def test_no_secret_stands_in_the_name_of_a_point(project: TemporaryProject) -> None:
    small(project, WRITE.replace("n", "1"), PARAMETERS.replace("n = 1", "n = 1\nword = 'x'"))
    given = ("all", "-p", "a.word=each:plain,s3cr3t-of-mine")
    told = project.call(*given, code=2, env={"MY_TOKEN": "s3cr3t-of-mine"}).err
    assert "a value of word is a secret, and would stand in the name of a folder" in told
    assert "s3cr3t" not in told
    assert not list((project.root / "outputs").glob("all+word/variants"))

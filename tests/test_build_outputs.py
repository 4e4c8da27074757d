"""What a build leaves: what is declared, what is not, and what was there before."""

import pytest

from tests.project import TemporaryProject


def test_an_output_must_be_written_and_be_new(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "x = 1", parameters='output_a = "../outputs/test/a.txt"')
    pipe = "import os\n\nos.mkfifo(output_b)"
    project.notebook("b", pipe, parameters='output_b = "../outputs/test/b.txt"')
    project.write("outputs/all/a.txt", "from another time")
    out = project.run("-k", "all", code=1).out
    assert "no cell wrote ../outputs/all/a.txt" in out
    assert not (project.outputs("all") / "a.txt").exists()
    # A pipe is no output.
    assert "no cell wrote ../outputs/all/b.txt" in out


def test_files_that_no_stage_declares_are_warned_of(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage(
        "a",
        "from pathlib import Path\n\nPath('../outputs/all/stray.txt').touch()",
        "Path('../outputs/all/deep/stray.txt').touch()",
        "Path('../outputs/all/deep/.hidden').touch()",
        'Path(output_deep).write_text("declared")',
        writes=("a.txt",),
        parameters='output_deep = "../outputs/test/deep/er/b.txt"',
    )
    out = project.pretend("all").out
    assert [
        line.partition(": ")[2] for line in out.splitlines() if "no stage's output" in line
    ] == [
        f"outputs/all/{name} is no stage's output; declare it as `output_…` or delete it"
        for name in ("deep/stray.txt", "stray.txt")
    ]


@pytest.mark.parametrize(
    ("words", "profile", "anew"),
    [(("test",), "test", True), (("-f", "all"), "all", True), (("all",), "all", False)],
    ids=["test", "-f all", "all"],
)
def test_what_begins_from_nothing_removes_what_was_left_but_no_history(
    project: TemporaryProject, words: tuple[str, ...], profile: str, *, anew: bool
) -> None:
    project.profile(profile)
    project.stage("a", writes=("a.txt",))
    project.pretend(*words)
    (first,) = project.runs(profile)
    record = (first / "run.json").read_bytes()
    log = project.log(profile)
    names = ("old.txt", "deep/old.txt", "notebooks/old.ipynb", ".hidden")
    left = [project.write(f"outputs/{profile}/{name}", "") for name in names]
    other = project.write("outputs/other/old.txt", "")
    project.pretend(*words)
    assert [path.exists() for path in left] == [not anew] * len(left)
    assert project.states(profile) == {"a": "succeeded" if anew else "skipped"}
    assert other.exists()
    assert len(project.runs(profile)) == 2
    assert (first / "run.json").read_bytes() == record
    assert project.log(profile).startswith(log)
    assert len(project.log(profile)) > len(log)


def test_a_folder_may_be_an_output_and_its_slash_stays(project: TemporaryProject) -> None:
    project.profile("all")
    make = (
        "from pathlib import Path\n\nPath(output_parts).mkdir()\n"
        "for name in ('x', 'y'):\n    Path(output_parts + name).write_text(name)"
    )
    project.notebook("a", make, parameters='output_parts = "../outputs/test/parts/"')
    join = "Path(output_b).write_text(Path(input_parts + 'x').read_text())"
    project.notebook(
        "b",
        f"from pathlib import Path\n\n{join}",
        parameters='input_parts = "../outputs/test/parts/"\noutput_b = "../outputs/test/b.txt"',
    )
    project.run("all")
    folder = project.outputs("all") / "parts"
    assert sorted(path.name for path in folder.iterdir()) == ["x", "y"]
    assert (project.outputs("all") / "b.txt").read_text("utf-8") == "x"
    (output,) = project.stage_record("all", "a")["outputs"]
    assert (output["path"], output["hash"][:7]) == ("outputs/all/parts", "sha256:")
    assert "no stage's output" not in project.log("all")
    project.pretend("all")
    assert set(project.states("all").values()) == {"skipped"}
    # What lies in it counts, and is removed before the stage runs again.
    (folder / "z").touch()
    assert "output outputs/all/parts is not as the stage left it" in project.call("-n", "all").out
    project.pretend("all")
    assert project.states("all") == {"a": "succeeded", "b": "skipped"}
    assert not (folder / "z").exists()


def test_what_follows_a_difference_is_said_not_to_have_started(
    project: TemporaryProject,
) -> None:
    for name in ("test", "all"):
        project.profile(name)
    write = "import json\nfrom pathlib import Path\n\nPath(output_a).write_text(json.dumps(value))"
    project.notebook(
        "a", write, parameters='output_a = "../outputs/test/a.json"\nvalue = {"w": {"w1": 2.0}}'
    )
    project.write("testdata/expected/a.json", '{"w": {"w1": 2.5}}')
    done = project.pretend("test", "all", code=3)
    assert "a.json, w.w1: expected 2.5, got 2.0" in done.out
    assert "outputs/test/ differs from testdata/expected/ in 1 place" in done.out
    assert "test built, but not as expected" in done.out
    assert "all was not started" in done.out
    assert not project.outputs("all").exists()
    assert project.call("check", code=3).out.count("expected 2.5") == 1


def test_of_many_differences_of_a_file_ten_are_shown_and_the_others_counted(
    project: TemporaryProject,
) -> None:
    project.profile("test")
    write = "from pathlib import Path\n\nPath(output_a).write_text(str([0] * 12))"
    project.notebook("a", write, parameters='output_a = "../outputs/test/a.json"')
    project.write("testdata/expected/a.json", str([1] * 12))
    out = project.pretend("test", code=3).out
    assert out.count("expected 1, got 0") == 10
    assert "a.json: 2 more differences" in out
    assert "differs from testdata/expected/ in 12 places" in out


def test_what_is_built_is_not_for_git(project: TemporaryProject) -> None:
    project.stage("a", writes=("a.txt",))
    project.profile("all")
    project.pretend("all")
    ignored = project.root / "outputs/.gitignore"
    assert ignored.read_text("utf-8").endswith("\n*\n")
    ignored.unlink()
    project.pretend("all")
    assert not ignored.exists()

"""`new`: a project that works at once, a stage to fill in, a newer runner in an older project."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import Faults
from tests.project import ROOT, Done, TemporaryProject, environment


def command(
    folder: Path, *words: str, cwd: Path, code: int = 0, env: dict[str, str] | None = None
) -> Done:
    """Run the `run.py` of a folder, in a Python of its own, since each has its own runner."""
    done = subprocess.run(
        [sys.executable, str(folder / "run.py"), *words],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr).expected(code)


def package(folder: Path) -> dict[str, str]:
    """Give the hashes of a runner's files."""
    found = (one for one in (folder / "runner").rglob("*") if one.is_file())
    return {
        str(one.relative_to(folder)): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in found
        if "__pycache__" not in one.parts and one.name[0] != "."
    }


def test_a_new_project_works_at_once_and_checks_what_it_makes(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    told = command(ROOT, "new", "mine", cwd=tmp_path).out
    assert told == "new project: mine; cd mine && python run.py test\n"
    assert package(mine) == package(ROOT)
    assert not [*mine.rglob("__pycache__")]
    names = {path.name for path in mine.iterdir()}
    assert names == {
        *("README.md", "Dockerfile", "pyproject.toml", "requirements.txt", "run.py", "runner"),
        *("notebooks", "outputs", "params", "testdata", ".gitignore", ".dockerignore"),
    }
    told = command(mine, "test", cwd=mine).out
    assert "1 file as expected in testdata/expected/ (1 of 1 output compared)" in told
    assert json.loads((mine / "outputs/test/summary.json").read_text()) == {"rows": 3, "mean": 4.0}
    # It is a check: other data give another answer.
    data = mine / "testdata/measurements.csv"
    data.write_text(data.read_text().replace("last,6", "last,9"))
    assert "4.0" in command(mine, "test", cwd=mine, code=3).out
    # The new one begins others, as the first did.
    command(mine, "new", "../again", cwd=mine)
    assert package(tmp_path / "again") == package(ROOT)
    origin = "runner/.origin.json"
    assert (tmp_path / "again" / origin).read_bytes() == (mine / origin).read_bytes()


def test_a_folder_with_something_in_it_is_refused(project: TemporaryProject) -> None:
    # The project that is asked has mistakes of its own.
    project.write("notebooks/broken.ipynb", "{")
    other = project.root.parent / "other"
    (other / ".git").mkdir(parents=True)
    project.write("../other/kept.txt", "kept")
    for word, found in (("../other", "kept.txt"), (".", "notebooks"), ("run.py/", "it is a file")):
        told = project.call("new", word, code=2).err
        assert f"is not empty ({found}); name a folder that is not there yet" in told
        assert told.count("\n") == 1
    assert {path.name for path in other.iterdir()} == {".git", "kept.txt"}
    (other / "kept.txt").unlink()
    done = project.call("new", "../other")
    assert (other / "notebooks/summary.ipynb").exists()
    # What the project has not got, the new one does not get, and that is said.
    assert "no requirements.txt and no Dockerfile and no .dockerignore" in done.err
    assert not (other / "Dockerfile").exists()
    assert "new takes a folder" in project.call("new", code=2).err
    assert "not `b` too" in project.call("new", "../a", "b", code=2).err
    assert "--reads goes with a stage" in project.call("new", "./a", "--reads", "b", code=2).err


def test_a_new_stage_reads_what_is_named_and_runs_as_it_is(project: TemporaryProject) -> None:
    project.profile("test")
    project.profile("all")
    project.write("data/more.csv", "x\n1\n")
    project.stage("01_make", writes=("a.csv", "b.txt", "sub/deep.bin"))
    told = project.call("new", "report", "--reads", "make", "data/more.csv").out
    assert told == "new stage: notebooks/report.ipynb; a project would be `new ./report`\n"
    told = project.call("new", "notebooks/eda/look.ipynb", "--reads", "b.txt", "report.json").out
    assert told == "new stage: notebooks/eda/look.ipynb\n"
    assert "no mistakes in 3 stages" in project.call("check").out
    listed = project.call("list", "test").out
    report = listed[listed.index("  report  ") :].split("\n\n")[0].splitlines()[1:]
    assert [line.split() for line in report] == [
        *(["reads", f"outputs/test/{one}"] for one in ("a.csv", "b.txt", "sub/deep.bin")),
        ["reads", "data/more.csv"],
        ["writes", "outputs/test/report.json"],
    ]
    project.run("test")
    assert [*project.states("test")] == ["make", "report", "eda/look"]
    made = json.loads((project.outputs("test") / "report.json").read_text())
    assert made == {"stage": "report"}
    text = (project.root / "notebooks/report.ipynb").read_text("utf-8")
    assert "# written by make" in text
    assert "pd.read_csv(input_more)" in text


def test_a_stage_is_begun_only_where_there_is_none(project: TemporaryProject) -> None:
    project.profile("test")
    project.stage("02_taken", writes=("later.json",))
    project.notebook("silent", "1")
    before = (project.root / "notebooks/02_taken.ipynb").read_bytes()
    for words, told in (
        (["02_taken"], "is there already"),
        (["taken"], "there is a stage `taken` already"),
        (["test"], "is a profile"),
        (["test-x"], "begins as the stages of a profile do"),
        (["_x"], "cannot be a stage's name"),
        (["a$b"], "cannot be a stage's name"),
        (["-x.ipynb"], "no option"),
        (["data/x.ipynb"], "below notebooks/"),
        (["x", "--reads", "takn"], "no stage, no output of one and no file; did you mean `taken`?"),
        (["x", "--reads", "silent"], "the stage declares no `output_…`"),
    ):
        assert told in project.call("new", *words, code=2).err, words
    assert (project.root / "notebooks/02_taken.ipynb").read_bytes() == before
    assert len([*project.root.glob("notebooks/*")]) == 2
    # Its output is a file of its own.
    project.call("new", "later")
    assert "later1.json" in (project.root / "notebooks/later.ipynb").read_text("utf-8")
    assert "no mistakes" in project.call("check").out


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def older(tmp_path: Path) -> Path:
    """Begin a project with an older runner, and edit it."""
    source = tmp_path / "older"
    shutil.copytree(ROOT / "runner", source / "runner", ignore=shutil.ignore_patterns("__pyc*"))
    for name in ("run.py", "requirements.txt", "pyproject.toml", "Dockerfile", ".dockerignore"):
        shutil.copy2(ROOT / name, source)
    append(source / "runner/words.py", "# as it was\n")
    append(source / "runner/graph.py", "# as it was\n")
    (source / "runner/cli/gone.py").write_text("")
    append(source / "requirements.txt", "# as it was\n")
    command(source, "new", "../mine", cwd=source)
    mine = tmp_path / "mine"
    append(mine / "runner/graph.py", "# my own\n")
    (mine / "runner/cli/my.py").write_text("mine\n")
    append(mine / "Dockerfile", "# my own\n")
    return mine


def test_an_upgrade_brings_the_runner_and_loses_nothing(tmp_path: Path) -> None:
    mine = older(tmp_path)
    notebook = (mine / "notebooks/summary.ipynb").read_bytes()
    lines = command(ROOT, "new", "--upgrade", "mine", cwd=tmp_path).out.splitlines()
    assert lines[0].startswith("upgraded mine: the runner was 1.0.0 (")
    assert lines[1:] == [
        "  removed: 2 (runner/cli/gone.py, runner/cli/my.py)",
        "  changed: 4 (Dockerfile, requirements.txt, runner/graph.py and 1 more)",
        "  edited here, kept in runner.old/: runner/cli/my.py, runner/graph.py",
        "  edited here, so it stays: Dockerfile; compare it with that of this version",
    ]
    assert package(mine) == package(ROOT)
    assert (mine / "requirements.txt").read_bytes() == (ROOT / "requirements.txt").read_bytes()
    assert (mine / "Dockerfile").read_text().endswith("# my own\n")
    assert (mine / "runner.old/runner/cli/my.py").read_text() == "mine\n"
    assert (mine / "runner.old/runner/graph.py").read_text().endswith("# my own\n")
    assert (mine / "notebooks/summary.ipynb").read_bytes() == notebook
    assert "no mistakes" in command(mine, "check", cwd=mine).out
    again = command(ROOT, "new", "--upgrade", ".", cwd=mine).out
    assert "edited here, so it stays: Dockerfile" in again
    assert "removed" not in again
    # One that was copied by hand says nothing of itself: all that differs may be the user's.
    (mine / "runner/.origin.json").unlink()
    append(mine / "runner/words.py", "# by hand\n")
    told = command(ROOT, "new", "--upgrade", ".", cwd=mine).out
    assert "one that was copied by hand" in told
    assert "kept in runner.old.1/: runner/words.py\n" in told
    assert package(mine) == package(ROOT)
    for word, said in ((str(ROOT), "has the runner that runs now"), ("outputs", "has no run.py")):
        assert said in command(ROOT, "new", "--upgrade", word, cwd=mine, code=2).err


@pytest.mark.slow
def test_an_upgrade_where_folders_cannot_be_exchanged_is_as_good(tmp_path: Path) -> None:
    mine = older(tmp_path)
    env = {"RUN_PORTABLE": "1"}
    # It was killed when its own runner was aside, and the new one not yet in its place.
    (mine / "runner").rename(mine / ".runner.aside")
    told = command(ROOT, "new", "--upgrade", "mine", cwd=tmp_path, env=env).out
    assert "edited here, kept in runner.old/: runner/cli/my.py, runner/graph.py" in told
    assert package(mine) == package(ROOT)
    assert not [*mine.glob(".runner*")]
    assert "no mistakes" in command(mine, "check", cwd=mine).out


# While the copy is made, what was edited is kept, the copy is brought to the disk; then after the
# exchange, before the last file is there.
AT = [(".runner.new", 5), ("runner.old", 2), (".runner.new", 100), ("requirements.txt", 1)]


@pytest.mark.parametrize(
    ("name", "at"), [*(pytest.param(*one, marks=pytest.mark.slow) for one in AT[:3]), AT[3]]
)
def test_an_upgrade_that_is_killed_leaves_the_old_runner_or_the_new_one(
    tmp_path: Path, faults: Faults, name: str, at: int
) -> None:
    mine = older(tmp_path)
    before = package(mine)
    env = faults.environment(mine, "KILL", at, name)
    command(ROOT, "new", "--upgrade", "mine", cwd=tmp_path, env=env, code=-9)
    assert faults.struck()
    assert package(mine) == (before if (name, at) in AT[:3] else package(ROOT))
    assert "no mistakes" in command(mine, "check", cwd=mine).out
    command(ROOT, "new", "--upgrade", "mine", cwd=tmp_path)
    assert package(mine) == package(ROOT)
    assert not [*mine.glob(".runner*")]
    kept = [*mine.glob("runner.old*/runner/graph.py")]
    assert kept
    assert all(one.read_text().endswith("# my own\n") for one in kept)

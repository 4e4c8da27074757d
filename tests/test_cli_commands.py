"""The commands that run no notebook: list, check, clean, -n, --help."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.system import lock
from runner.system.files import digest
from tests.project import ROOT, TemporaryProject
from tests.terminals import exit_status, on_terminal, seen

# Slow to import, or no business of a command that starts nothing.
HEAVY = {"nbformat", "numpy", "pandas", "papermill", "pooch", "requests", "rich", "zmq"}
HEAVY |= {"ipykernel", "jupyter_client", "nbclient", "PIL", "sklearn", "matplotlib"}


def files(root: Path) -> dict[str, bytes]:
    """Give the content of all files of a project but the runner's."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "runner" not in path.parts
    }


@pytest.mark.parametrize("words", [["list", "test", "all"], ["-n", "test", "all"], ["--help"]])
def test_looking_writes_nothing_and_imports_nothing_heavy(
    example: TemporaryProject, words: list[str]
) -> None:
    before = files(example.root)
    python, *command = example.command(*words)
    done = subprocess.run(
        [python, "-X", "importtime", *command],
        cwd=example.root,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split("|") for line in done.stderr.splitlines() if "|" in line]
    imported = {name.strip().partition(".")[0] for *_, name in lines}
    assert "runner" in imported
    assert not imported & HEAVY
    for other in (["list"], ["list", "all"], ["--dry-run", "report"], words):
        example.call(*other)
    assert files(example.root) == before


def test_list_shows_the_stages_in_order_with_what_they_read_write_and_take(
    project: TemporaryProject,
) -> None:
    project.stage("b", reads=("a.txt",), writes=("b.txt",), parameters="count = 3\nname = 'x'")
    project.stage("c", writes=("a.txt",))
    project.profile("test")
    project.profile("all", "b:\n  count: 4\n  input_a: package:json/__init__.py\n")
    assert project.call("list").out == (
        "profile test (params/test.yaml):\n\n"
        "  c  (notebooks/c.ipynb)\n"
        "    writes  outputs/test/a.txt\n\n"
        "  b  (notebooks/b.ipynb)\n"
        "    reads   outputs/test/a.txt\n"
        "    writes  outputs/test/b.txt\n"
        "    count = 3\n"
        "    name = 'x'\n\n"
        "profiles: all, test\n"
    )
    shown = project.call("list", "test", "all").out
    assert [line for line in shown.splitlines() if line.startswith("profile ")] == [
        "profile test (params/test.yaml):",
        "profile all (params/all.yaml):",
    ]
    assert "    reads   package:json/__init__.py\n" in shown
    assert "    count = 4  (params/all.yaml:2)\n" in shown


def test_list_shows_some_profile_where_there_is_no_test(project: TemporaryProject) -> None:
    project.stage("a", writes=("a.txt",))
    project.profile("one")
    assert "    writes  outputs/one/a.txt\n" in project.call("list").out


def test_list_of_a_project_with_mistakes_tells_them(project: TemporaryProject) -> None:
    project.stage("a", writes=("a.txt",))
    project.profile("test", "a:\n  x: 1\n")
    assert "params/test.yaml:2: a has no parameter `x`" in project.call("list", code=2).err


def test_a_reader_who_stops_reading_gets_no_traceback(example: TemporaryProject) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        example.command("list"),
        cwd=example.root,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["list"], ["-n", "test"], ["check"], ["clean"]])
def test_commands_work_from_any_working_directory(
    example: TemporaryProject, tmp_path: Path, words: list[str]
) -> None:
    here = example.call(*words)
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    there = example.run(*words, cwd=elsewhere)
    moment = re.compile(r"^[-\d]+ [:.\d]+ ", re.MULTILINE)
    assert moment.sub("", there.out) == moment.sub("", here.out) != ""
    assert not [*elsewhere.iterdir()]


def test_help_tells_of_targets_commands_and_options() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("PROFILE-STAGE", "list", "check", "clean", "--dry-run", "--jobs", "--log-level"):
        assert word in done.stdout
    assert done.stderr == ""


def test_check_finds_mistakes_in_every_profile(project: TemporaryProject) -> None:
    project.stage("a", writes=("a.txt",), parameters="x = 1")
    project.profile("test", "a:\n  x: one\n")
    project.profile("all", "a:\n  y: 1\n")
    done = project.call("check", code=2)
    assert done.err.splitlines() == [
        "run.py: 2 mistakes in the project, nothing was run:",
        "  params/all.yaml:2: a has no parameter `y`; known: output_a, x",
        "  params/test.yaml:2: `x` takes a whole number, not a text ('one')",
    ]


def test_check_says_what_it_looked_at(project: TemporaryProject) -> None:
    project.stage("a", writes=("a.txt",))
    project.profile("test")
    done = project.call("check")
    assert "no mistakes in 1 stage and 1 profile" in done.text
    assert "there is no test build to compare" in done.text
    project.stage("b", writes=("b.txt",))
    project.profile("all")
    assert "no mistakes in 2 stages and 2 profiles" in project.call("check").text


def test_check_compares_the_test_build_with_what_is_expected(project: TemporaryProject) -> None:
    project.stage("a", writes=("a.json", "b.txt"))
    project.profile("test")
    project.write("outputs/test/a.json", '{"x": [1.0, 2.0]}')
    project.write("outputs/test/b.txt", "one\n")
    assert "nothing was checked: there is no testdata/expected/" in project.call("check").text
    project.write("testdata/expected/a.json", '{"x": [1.0, 2.0000000001]}')
    project.write("testdata/expected/b.txt", "one\n")
    assert "2 files as expected in testdata/expected/" in project.call("check").text
    project.write("testdata/expected/a.json", '{"x": [1.0, 2.1]}')
    project.write("testdata/expected/c.txt", "")
    done = project.call("check", code=3)
    assert "a.json, x[1]: expected 2.1, got 2.0" in done.text
    assert "c.txt: expected a file, got no file" in done.text
    assert "outputs/test/ differs from testdata/expected/ in 2 places" in done.text
    (project.root / "testdata/expected/c.txt").unlink()
    project.write("pyproject.toml", "[tool.runner]\ntolerance = 0.2\n")
    project.call("check")


def test_clean_removes_all_builds_and_nothing_else(example: TemporaryProject) -> None:
    before = files(example.root)
    for profile in ("test", "all", "of-old"):
        example.write(f"outputs/{profile}/runs/1/run.json", "{}")
    kept = example.write("outputs/.gitignore", "*\n")
    other = example.write("outputs/lost+found/own.txt", "")
    assert example.call("clean", "--yes").out.splitlines() == [
        f"removed outputs/{name}/ (2 bytes)" for name in ("all", "of-old", "test")
    ]
    left = [path.name for path in kept.parent.iterdir() if path.name[0] != "."]
    assert left == ["lost+found"]
    assert other.exists()
    assert kept.read_text() == "*\n"
    assert {name: one for name, one in files(example.root).items() if name in before} == before
    assert example.call("clean", "--yes").out == "nothing to remove\n"


def test_clean_of_a_profile_removes_its_build_alone(example: TemporaryProject) -> None:
    for profile in ("test", "all", "old"):
        example.write(f"outputs/{profile}/a.txt", "")
    assert example.call("clean-test", "--yes").out == "removed outputs/test/ (0 bytes)\n"
    assert not example.outputs("test").exists()
    assert example.outputs("all").exists()
    assert example.call("clean-test", "--yes").out == "nothing to remove\n"
    assert example.call("clean-all", "clean-old", "--yes").out.splitlines() == [
        *("removed outputs/all/ (0 bytes)", "removed outputs/old/ (0 bytes)")
    ]


def test_clean_removes_nothing_but_builds(example: TemporaryProject) -> None:
    example.write("outputs/all/a.txt", "")
    example.write("outputs/.locks/all.lock", "")
    before = files(example.root)
    for word in ("clean-../notebooks", "clean-", "clean-.locks", "clean-."):
        assert "there is no build" in example.call(word, code=2).err, word
        assert files(example.root) == before, word


def test_clean_works_in_a_project_with_mistakes(project: TemporaryProject) -> None:
    project.write("notebooks/broken.ipynb", "")
    project.write("outputs/test/runs/1/run.json", "{}")
    project.call("list", code=2)
    project.call("clean", "--yes")
    assert not project.outputs("test").exists()


def test_clean_follows_no_link_out_of_the_build(project: TemporaryProject) -> None:
    precious = project.write("precious/a.txt", "")
    project.outputs("test").mkdir(parents=True)
    (project.outputs("test") / "link").symlink_to(precious.parent)
    project.call("clean-test", "--yes")
    assert precious.exists()
    assert not project.outputs("test").exists()


def test_a_dry_run_of_clean_removes_nothing(project: TemporaryProject) -> None:
    path = project.write("outputs/test/runs/1/run.json", "{}")
    for word in ("clean", "clean-test"):
        assert project.call("-n", word).out == "would remove outputs/test/ (2 bytes)\n"
        assert path.exists()


def test_clean_asks_on_a_terminal_and_removes_nothing_without_one(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook("a", "x = 1")
    project.pretend("all")
    before = files(project.root)
    done = project.call("clean", code=2)
    assert done.err == (
        "run.py: clean asks before it removes, and this is no terminal; give --yes\n"
    )
    assert re.match(r"outputs/all/ \(1 run, [\d.]+ KiB\)\n", done.out)
    for answer, code in (("n", 1), ("", 1), ("yes", 0)):
        assert {name: one for name, one in files(project.root).items() if name in before} == before
        with on_terminal(project.root, project.command("clean")) as (pid, terminal):
            seen(terminal, "remove this for good? [y/N] ")
            with open(terminal, "w", closefd=False) as keys:
                keys.write(f"{answer}\n")
            seen(terminal, "removed")
            assert exit_status(pid) == code
    assert not project.outputs("all").exists()


def test_clean_of_runs_leaves_what_stands_and_a_line_about_each_that_went(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    for words in (["all"], ["all"], ["-f", "b"], ["all"], ["all"]):
        project.pretend(*words)
    made_a, old, made_b, other, newest = project.runs("all")
    told = f"2 runs of outputs/all/ ({old.name} to {other.name}, "
    assert project.call("clean", "--runs", "-n").out.startswith(f"would remove {told}")
    assert project.call("clean", "--older-than", "1h", "--yes").out == "nothing to remove\n"
    for age in ("x", "30", "30y"):
        refused = project.call("clean-all", "--runs", "--older-than", age, code=2).err
        assert refused == (
            f"run.py: --older-than takes an age with its unit, such as 30d or 12h, not {age!r}\n"
        )
    assert len(project.runs("all")) == 5
    hashes = [digest(folder / "run.json") for folder in (old, other)]
    assert project.call("clean", "--runs", "--yes").out.startswith(f"removed {told}")
    assert project.runs("all") == [made_a, made_b, newest]
    text = (project.outputs("all") / "runs/.removed.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    kept = [[one["id"], one["number"], one["record"], one["by"]] for one in lines]
    assert kept == [
        [folder.name, number, one, "clean"]
        for folder, number, one in zip((old, other), (2, 4), hashes, strict=True)
    ]
    # What stands is up to date as before, and no number is given twice.
    assert project.to_run() == []
    for folder in project.runs("all")[1:]:
        shutil.rmtree(folder)
    project.pretend("-f", "b")
    numbers = [json.loads((one / "run.json").read_text())["number"] for one in project.runs("all")]
    assert numbers == [1, 5]


def test_a_build_that_someone_holds_is_left_alone(project: TemporaryProject) -> None:
    project.stage("a", writes=("a.txt",))
    project.profile("test")
    project.write("outputs/all/a.txt", "")
    path = project.write("outputs/test/a.txt", "")
    before = files(project.root)
    # Such a lock is of an open file, not of a process: it is held for this one, too.
    with lock.hold(project.root / "outputs", "test", "run 7"):
        found = [project.call(*words, code=5) for words in (["clean"], ["clean-test"], ["test-a"])]
        found.append(project.run("test", code=5))
    for done in found:
        assert done.err.startswith("run.py: another run holds outputs/test/: run 7, since ")
        assert f"(process {os.getpid()})" in done.err
    assert path.exists()
    assert {name: one for name, one in files(project.root).items() if name in before} == before


def test_another_profiles_build_may_be_held(project: TemporaryProject) -> None:
    project.write("outputs/all/a.txt", "")
    with lock.hold(project.root / "outputs", "test", "run 7"):
        project.call("clean-all", "--yes")
    assert not project.outputs("all").exists()


def test_a_lock_whose_holder_is_gone_holds_nothing(project: TemporaryProject) -> None:
    project.write("outputs/test/a.txt", "")
    holder = {"what": "run 7", "since": 0, "host": "nowhere", "pid": 1}
    project.write("outputs/.locks/test.json", json.dumps(holder))
    project.write("outputs/.locks/test.lock", "")
    assert project.call("clean-test", "--yes").out == "removed outputs/test/ (0 bytes)\n"


def test_what_is_looked_at_is_a_build_that_is_there(project: TemporaryProject) -> None:
    for name in ("all", "sample", "test"):
        project.profile(name)
    project.stage("a", writes=("a.txt",))
    for built, looked_at in (((), "test"), (("sample",), "sample"), (("test",), "test")):
        for name in built:
            project.pretend(name)
        assert project.call("list").out.startswith(f"profile {looked_at} "), built

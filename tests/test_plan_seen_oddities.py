"""Files of odd kinds, and files that change while a stage uses them."""

import itertools
import os
import threading
from pathlib import Path

import pytest

from runner.execution.watch import Watch
from runner.model import Trace
from tests.project import WAIT, TemporaryProject, wait_for

MANY = 1000
# What a stage of each name does; none of it fails a stage, or makes it run again by itself.
QUIET = {
    "below_a_file": "try:\n    open('../data/a.csv/inner')\nexcept OSError as e:\n    print(e)",
    "loop": "try:\n    open('../data/loop')\nexcept OSError as e:\n    print(e)",
    "long": "try:\n    open('../data/' + 300 * 'x')\nexcept OSError as e:\n    print(e)",
    "mode": "import os\nopen('../data/mode.csv').read()\nos.chmod('../data/mode.csv', 0o444)",
    "pipe": "import os\nos.path.exists('../data/pipe') or os.mkfifo('../data/pipe')",
    "no_text": "open(b'../data/odd-\\xff.csv').read()",
    "many": "for n in range(1100):\n    open(f'../many/{n}.txt').read()",
    "by_a_command": "!echo 1 > ../data/made.csv\nopen('../data/made.csv').read()",
    "linked": "open('../data/linked.csv').read()",
    "hidden": "open('../data/.raw/x.csv').read()",
}


def write(project: TemporaryProject) -> None:
    """Write the files that the stages use."""
    project.profile("all")
    for name in ("data/a.csv", "data/mode.csv", "data/.raw/x.csv", ".store/one", ".store/two"):
        project.write(name, name)
    data = project.root / "data"
    (data / "loop").symlink_to("loop")
    (data / "linked.csv").symlink_to("../.store/one")
    Path(os.fsdecode(os.fsencode(data) + b"/odd-\xff.csv")).write_text("1", "utf-8")
    for number in range(1100):
        project.write(f"many/{number}.txt", "1")
    Path(os.fsdecode(os.fsencode(project.root) + b"/many/odd-\xff")).write_text("1", "utf-8")


@pytest.mark.slow
def test_files_of_odd_kinds_fail_nothing_and_make_nothing_run_by_themselves(
    project: TemporaryProject,
) -> None:
    write(project)
    for name, source in QUIET.items():
        project.notebook(name, source)
    project.run("all")
    assert set(project.states("all").values()) == {"succeeded"}
    assert project.reasons() == {}

    link = project.root / "data/linked.csv"
    link.unlink()
    link.symlink_to("../.store/two")
    project.write("data/.raw/x.csv", "other")
    Path(os.fsdecode(os.fsencode(project.root) + b"/data/odd-\xff.csv")).write_text("2", "utf-8")
    project.write("many/7.txt", "other")
    reasons = project.reasons()
    assert reasons.keys() >= {"hidden", "linked", "many", "no_text"}
    assert "data/linked.csv, which it read, changed" in reasons["linked"]
    assert "odd-\\udcff.csv, which it read, changed" in reasons["no_text"]
    project.run("all")
    assert project.states("all")["long"] == "skipped"


def test_what_changes_after_it_was_read_makes_the_stage_run_again(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    go = WAIT.format(marker=tmp_path / "go")
    for name in ("kept", "saved", "moved", "module"):
        project.write(f"data/{name}.csv", "old")
    project.write("notebooks/helper.py", "x = 1\n")
    read = (
        "import helper\nfor n in ('kept', 'saved', 'moved'):\n    open(f'../data/{n}.csv').read()"
    )
    project.notebook("a", read, f"open('{tmp_path}/on', 'w').close()", go)
    with project.running("all") as process:
        wait_for(tmp_path / "on")
        # As a person does meanwhile, with an editor and with `cp -p`.
        project.write("data/saved.csv", "new")
        moved = project.write("elsewhere.csv", "new")
        os.utime(moved, (1, 1))
        moved.replace(project.root / "data/moved.csv")
        project.write("notebooks/helper.py", "x = 2\n")
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    (reason,) = project.reasons().values()
    for name in ("data/saved.csv, which it read,", "data/moved.csv, which it read,", "helper.py"):
        assert f"{name} changed" in reason
    assert "kept" not in reason
    project.run("all")
    assert project.reasons() == {}


def test_reasons_of_one_kind_are_few(project: TemporaryProject) -> None:
    project.profile("all")
    for number in range(20):
        project.write(f"data/{number}.txt", "1")
    project.notebook("a", "for n in range(20):\n    open(f'../data/{n}.txt').read()")
    project.run("all")
    for number in range(20):
        project.write(f"data/{number}.txt", "2")
    reason = project.reasons()["a"]
    assert reason.count("which it read, changed") == 3
    assert reason.endswith("and 17 more like that")


def test_after_a_failure_silent_notebooks_go_on_if_asked(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("1_a", "1 / 0")
    project.notebook("2_b", "x = 1")
    project.run("all", "-k", code=1)
    assert project.states("all") == {"a": "failed", "b": "succeeded"}


def test_a_module_that_another_notebook_writes_is_no_missing_package(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook("1_make", "%%writefile helpers.py\nx = 1")
    project.notebook("2_use", "import helpers\nassert helpers.x == 1")
    project.run("all")
    assert set(project.states("all").values()) == {"succeeded"}


def test_a_stage_may_end_while_others_open_many_files(tmp_path: Path) -> None:
    watch, over = Watch(tmp_path), threading.Event()

    def write_many() -> None:
        for number in itertools.count():
            (tmp_path / f"{number}.txt").touch()
            if over.is_set():
                return

    busy = threading.Thread(target=write_many)
    try:
        window = watch.open()
        busy.start()
        while len(window.hints(Trace()).perhaps_written) < MANY:
            pass
    finally:
        over.set()
        busy.join()
        watch.close()

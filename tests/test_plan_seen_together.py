"""What follows for other stages from what one was seen to use: at once, before and after it."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.project import WAIT, TemporaryProject, wait_for

MANY = 1100


def meeting(own: Path, other: Path) -> str:
    """Give a cell that waits until another stage is there, too."""
    return f"open({str(own)!r}, 'w').close()\n{WAIT.format(marker=other)}"


def table(path: Path, value: int) -> None:
    """Write a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"x": [value]}).to_parquet(path)


@pytest.mark.slow
def test_what_two_stages_read_at_once_makes_both_run_again(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    table(project.root / "data/x.parquet", 1)
    reads = {
        "by_python": "open('../data/x.parquet', 'rb').read()",
        "in_c": "import pyarrow.parquet as pq\npq.read_table('../data/x.parquet')",
        "too": "import pyarrow as pa\npa.memory_map('../data/x.parquet').read()",
    }
    for name, read in reads.items():
        path = f'output_it = "../outputs/test/{name}.txt"'
        others = [meeting(tmp_path / name, tmp_path / other) for other in reads if other != name]
        write = f"{read}\nopen(output_it, 'w').close()"
        last = [meeting(tmp_path / f"{name}2", tmp_path / f"{other}2") for other in reads]
        project.notebook(name, *others, write, *last, parameters=path)
    project.run("all", "-j", "3")
    assert project.to_run() == []
    for value in (2, 3):
        table(project.root / "data/x.parquet", value)
        assert sorted(project.to_run()) == sorted(reads)
        project.run("all", "-j", "3")
        assert project.to_run() == []


def test_a_notebook_that_moved_to_another_folder_runs_again(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("data/x.txt", "1")
    path = project.notebook("g", "open('../data/x.txt').read()")
    project.run("all")
    moved = project.root / "notebooks/eda/g.ipynb"
    moved.parent.mkdir()
    path.rename(moved)
    assert project.to_run() == ["eda/g"]


@pytest.mark.slow
def test_files_that_a_later_stage_adds_to_very_many_change_nothing(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    (project.root / "d").mkdir()
    project.notebook("1_a", f"for n in range({MANY}):\n    open(f'../d/{{n}}.csv', 'w').write('1')")
    project.notebook(
        "2_b",
        "import glob\ntexts = [open(one).read() for one in sorted(glob.glob('../d/[0-9]*.csv'))]",
        "open('../d/sum.csv', 'w').write(str(len(texts)))",
    )
    project.run("all")
    assert project.to_run() == []
    project.run("all", "--force=a")
    assert project.to_run() == []
    (project.root / "d/1050.csv").write_text("2", "utf-8")
    assert project.to_run()[0] == "a"


@pytest.mark.slow
def test_one_of_very_many_files_that_changes_meanwhile_makes_its_reader_run_again(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    for number in range(MANY):
        project.write(f"d/{number:05}.csv", "1")
    project.notebook(
        "a",
        "import glob\ntexts = [open(one).read() for one in sorted(glob.glob('../d/*.csv'))]",
        meeting(tmp_path / "read", tmp_path / "changed"),
    )
    with project.running("all") as process:
        wait_for(tmp_path / "read")
        project.write(f"d/{MANY - 5:05}.csv", "2")
        (tmp_path / "changed").touch()
        assert process.wait(60) == 0
    assert project.to_run() == ["a"]
    project.run("all")
    assert project.to_run() == []


def test_a_folder_that_a_stage_makes_is_made_again(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("1_setup", "import os\nos.makedirs('../data/p/q', exist_ok=True)")
    project.notebook("2_write", "open('../data/p/q/a.csv', 'w').write('1')")
    project.notebook("3_too", "import os\nos.makedirs('../data/p/q', exist_ok=True)")
    project.run("all")
    assert project.to_run() == []
    shutil.rmtree(project.root / "data")
    project.run("all")
    assert project.states("all") == {
        "setup": "succeeded",
        "write": "succeeded",
        "too": "skipped",
    }
    assert project.to_run() == []


def test_who_links_to_a_file_has_not_written_it(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("raw/a.txt", "1")
    (project.root / "o").mkdir()
    project.notebook("1_copy", "import shutil\nshutil.copy('../raw/a.txt', '../o/c.txt')")
    link = (
        "import os\nif not os.path.islink('../o/latest'):\n    os.symlink('c.txt', '../o/latest')"
    )
    project.notebook("2_link", link)
    project.notebook("3_read", "print(open('../o/latest').read())")
    for text in ("1", "2"):
        project.write("raw/a.txt", text)
        project.run("all")
        assert list(project.states("all")) == ["copy", "link", "read"]
        assert project.to_run() == []
    assert project.states("all")["read"] == "succeeded"


@pytest.mark.slow
def test_without_inotify_a_folder_that_gets_a_file_meanwhile_is_noticed(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.write("d/a.txt", "1")
    os.utime(project.root / "d", (1, 1))
    wait = meeting(tmp_path / "listed", tmp_path / "added")
    project.notebook("a", "import os\nprint(os.listdir('../d'))", wait)
    with project.running("all", env={"RUN_PORTABLE": "1"}) as process:
        wait_for(tmp_path / "listed")
        project.write("d/b.txt", "1")
        (tmp_path / "added").touch()
        assert process.wait(60) == 0
    assert project.to_run() == ["a"]
    project.run("all", env={"RUN_PORTABLE": "1"})
    assert project.to_run() == []

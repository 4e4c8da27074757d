"""`adopt`: notebooks that exist become stages, as they were seen to run; nothing is lost."""

import json
import os
import re
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from tests import existing
from tests.existing import KINDS, RAW, Kind, put
from tests.faults import Faults
from tests.project import TemporaryProject


def tree(project: TemporaryProject) -> dict[str, bytes]:
    """Read all files of a project."""
    files = (one for one in project.root.rglob("*") if one.is_file())
    names = {str(one.relative_to(project.root)): one.read_bytes() for one in files}
    return {name: data for name, data in names.items() if name.partition("/")[0] != "runner"}


def declared(project: TemporaryProject) -> dict[str, dict[str, set[str]]]:
    """Give what the stages declare, by `reads` and `writes`, and by stages."""
    found: dict[str, dict[str, set[str]]] = {"reads": defaultdict(set), "writes": defaultdict(set)}
    stage = ""
    for line in project.call("list", "all").out.splitlines():
        if head := re.match(r"  (\S+)  \(", line):
            stage = head[1]
        elif (one := re.match(r"    (reads|writes) +(\S+)$", line)) is not None:
            found[one[1]][stage].add(Path(one[2]).name)
    return found


@pytest.mark.slow
def test_what_is_proposed_is_shown_and_then_written_and_proved(project: TemporaryProject) -> None:
    existing.classic(project)
    before = tree(project)
    told = project.run("adopt", ".").out
    assert tree(project) == before
    for line in (
        "+++ notebooks/2_model.ipynb",
        '+input_clean = "../outputs/test/clean.csv"',
        '-MODEL = "../models/model.json"',
        "+MODEL = output_model",
        '-os.makedirs("../models", exist_ok=True)',
        "+MIN_X = 3  # smaller ones are noise",
        "-MIN_X = 3  # smaller ones are noise",
        '+Path(output_report).write_text(f"é {model[\'mean\']}\\n")  # "ü"',
        "  app.py, line 1: uses models/model.json, which will be outputs/all/model.json",
        "3 notebooks: 3 inputs, 3 outputs, 2 parameters",
        "nothing was written; --write does it, after trying it in a copy",
    ):
        assert line in told.splitlines()

    told = project.run("adopt", "notebooks", "--write", "--sample", "5").out
    assert "built from nothing in a copy: 3 of 3 files as the notebooks made them" in told
    assert "a second build has nothing to do" in told
    after = tree(project)
    for name, data in before.items():
        assert data == after.get(f"{name}.orig", after[name]), name
    # Nothing was made in the project itself.
    assert not {name for name in after if name.startswith(("data/clean", "models", "figures"))}
    assert after["testdata/raw.csv"].decode().splitlines() == RAW.splitlines()[:6]
    assert b"show that the notebooks run, not" in after["testdata/NOT-MADE-BY-HAND.txt"]
    assert "no mistakes in 3 stages" in project.call("check").out
    found = declared(project)
    assert found == {"reads": KINDS["classic"].reads, "writes": KINDS["classic"].writes}
    project.run("all", "-p", "clean.MIN_X=4")
    rows = project.outputs("all").joinpath("clean.csv").read_text("utf-8").splitlines()
    assert rows[1:3] == ["n4,4,16", "n5,5,25"]
    # Once more there is nothing to adopt.
    assert "all of these are stages already" in project.call("adopt", ".", code=2).err


def test_what_cannot_be_adopted_is_refused_and_nothing_is_changed(
    project: TemporaryProject,
) -> None:
    project.write("notebooks/broken.ipynb", "{")
    project.write("notebooks/plain.py", "1")
    other = project.root.parent / "other"
    other.mkdir()
    for words, said in (
        ([], "adopt takes notebooks"),
        (["."], "there is no notebook to adopt"),
        (["../other"], "lies outside of the project; python run.py new FOLDER --from ../other"),
        (["none.ipynb"], "there is no none.ipynb"),
        ([".", "--sample", "few"], "--sample few: write how many rows"),
    ):
        assert said in project.call("adopt", *words, code=2).err
    # One that fails is named with its cell; the order is found though the names do not say it.
    put(project, "a_last.ipynb", "open('made.txt').read()", "1 / 0")
    put(project, "b_first.ipynb", "open('made.txt', 'w').write('x')")
    before = tree(project)
    done = project.run("adopt", ".", "--write", code=2)
    assert "left out: notebooks/broken.ipynb (is not JSON" in done.out
    assert "a_last.ipynb, cell 2 of 2, In [2] (1 / 0): ZeroDivisionError" in done.err
    assert "b_first" not in done.err
    assert tree(project) == before


def test_the_goal_holds_for_the_kinds_of_projects() -> None:
    # `test_a_project_of_each_kind` counts that it is so.
    shares = {name: kind.declared / kind.files for name, kind in KINDS.items()}
    assert min(shares.values()) > 0.5, shares
    total = sum(kind.declared for kind in KINDS.values()) / sum(k.files for k in KINDS.values())
    assert total > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_project_of_each_kind(project: TemporaryProject, name: str) -> None:
    kind = KINDS[name]
    kind.write(project)
    before = tree(project)
    told = project.run("adopt", ".", "--write").out
    for said in kind.named:
        assert said in told
    after = tree(project)
    for each, data in before.items():
        assert data == after.get(f"{each}.orig", after.get(each)), each
    assert "a second build has nothing to do" in told
    assert re.search(r"copy: (\d+) of \1 files? as the notebooks", told), told
    right, all_found = counts(project, kind)
    # All that it declares is right, and so much of all that there is.
    assert right == all_found == kind.declared
    # Here, too, beside the originals, and with what is named left as it is.
    project.run("test", "all")
    assert project.to_run() == []


def counts(project: TemporaryProject, kind: Kind) -> tuple[int, int]:
    """Count what is declared: what of it is right, and all."""
    found = declared(project)
    pairs = [(kind.reads, found["reads"]), (kind.writes, found["writes"])]
    right = sum(
        len(true.get(one, set()) & names) for true, got in pairs for one, names in got.items()
    )
    return right, sum(len(names) for _, got in pairs for names in got.values())


@pytest.mark.slow
def test_a_new_project_begins_with_notebooks_that_exist(project: TemporaryProject) -> None:
    old = TemporaryProject(project.root.parent / "old")
    (old.root / "run.py").unlink()
    (old.root / "runner").unlink()
    (old.root / "notebooks").rmdir()
    existing.flat(old)
    old.write("requirements.txt", "pandas\n")
    old.write("README.md", "# Ours\n")
    before = tree(old)
    assert "no such folder" in project.call("new", "../new", "--from", "../no", code=2).err
    assert "lie in each other" in project.call("new", "../old/x", "--from", "../old", code=2).err
    assert not (project.root.parent / "new").exists()
    done = project.run("new", "../new", "--from", "../old")
    assert "built from nothing in a copy: 3 of 3 files" in done.out
    assert tree(old) == before
    new = TemporaryProject(project.root.parent / "new")
    assert not [*new.root.rglob("*.orig")]
    assert (new.root / "README.md").read_text("utf-8") == "# Ours\n"
    new.run("test")
    assert (new.outputs("test") / "hist.png").exists()


@pytest.mark.slow
def test_a_notebook_is_added_that_reads_what_stages_have_made(project: TemporaryProject) -> None:
    project.profile("test")
    project.profile("all")
    project.stage("make", writes=("made.txt", "sub/more.txt"))
    project.run("all", "test")
    before = tree(project)
    put(
        project,
        "notebooks/look.ipynb",
        "one = open('../outputs/all/made.txt').read()",
        "two = open('../outputs/test/sub/more.txt').read()",
        "open('../seen.txt', 'w').write(one + two)",
    )
    told = project.run("adopt", "notebooks", "--write").out
    assert "these are stages already, and stay as they are: notebooks/make.ipynb" in told
    assert "1 of 1 file as the notebooks made them" in told
    assert before.items() <= tree(project).items()
    assert declared(project)["reads"] == {"look": {"made.txt", "more.txt"}}
    listed = project.call("list", "all").out
    assert "reads   outputs/all/made.txt" in listed
    assert project.to_run() == ["look"]


@pytest.mark.slow
@pytest.mark.parametrize("at", [2, 8, 14])
def test_a_kill_while_it_is_written_loses_no_notebook(
    project: TemporaryProject, faults: Faults, at: int
) -> None:
    existing.papermilled(project)
    before = tree(project)
    env = faults.environment(project.root, "KILL", at, ".ipynb")
    project.run("adopt", ".", "--write", code=-9, env=env)
    assert faults.struck()
    after = tree(project)
    for name, data in before.items():
        assert data in {after.get(f"{name}.orig"), after.get(name)}, name


def test_a_project_for_whose_copy_there_is_no_room_is_refused_first(
    project: TemporaryProject,
) -> None:
    put(project, "notebooks/a.ipynb", "open('../ran.txt', 'w').write('1')")
    large = project.write("data/large.bin", "")
    # It takes no room itself.
    os.truncate(large, shutil.disk_usage(project.root).free)
    told = project.call("adopt", ".", "--write", code=2).err
    assert "adopt works in a copy of the project, which takes" in told
    assert "have TMPDIR name a folder with more" in told
    # What is left out of the copy does not count.
    large.parent.rename(project.root / ".venv")
    assert "1 notebook: " in project.run("adopt", ".").out


@pytest.mark.slow
def test_what_has_another_answer_when_it_is_built_anew_is_told(project: TemporaryProject) -> None:
    put(
        project,
        "notebooks/a.ipynb",
        "import time\nopen('../time.txt', 'w').write(str(time.time_ns()))",
    )
    told = project.run("adopt", ".", "--write", code=3).out
    assert "differs: outputs/all/time.txt: line 1: expected" in told
    assert "0 of 1 file as the notebooks made them" in told
    made = json.loads((project.root / "notebooks/a.ipynb").read_text("utf-8"))
    assert made["cells"][0]["metadata"] == {"tags": ["parameters"]}

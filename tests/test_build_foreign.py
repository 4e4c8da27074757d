"""Another build is foreign ground, and so are the outputs of another stage."""

import os
from pathlib import Path

import pandas as pd
import pytest

from tests.project import WAIT, TemporaryProject, wait_for

THEIRS = "outputs/test/x.txt"
FOREIGN = {
    "open": ("open('../outputs/test/x.txt').read()", THEIRS),
    "pathlib": (
        "from pathlib import Path\n(Path('..') / 'outputs' / 'test' / 'x.txt').read_text()",
        THEIRS,
    ),
    "parquet": (
        "import pandas as pd\npd.read_parquet('../outputs/test/x.parquet')",
        "outputs/test/x.parquet",
    ),
    "numbered": (
        (
            "import pandas as pd\nfor n in range(2):\n"
            "    pd.read_parquet(f'../outputs/test/part-{n}.parquet')"
        ),
        "outputs/test/part-0.parquet",
    ),
    "found": (
        (
            "import pandas as pd, glob\n"
            "for one in sorted(glob.glob('../outputs/test/*.parquet')):\n"
            "    pd.read_parquet(one)"
        ),
        "outputs/test/part-0.parquet",
    ),
    "cat": ("!cat ../outputs/test/x.txt", THEIRS),
    "bash": ("%%bash\nhead -1 ../outputs/test/x.txt", THEIRS),
    "writes": ("open('../outputs/test/y.txt', 'w').write('1')", "outputs/test/y.txt"),
    "copies": ("!cp ../data/a.txt ../outputs/test/z.txt", "outputs/test/z.txt"),
    "removes": (
        "import os\nopen('../outputs/test/w.txt', 'w').close()\nos.remove('../outputs/test/w.txt')",
        "outputs/test/w.txt",
    ),
    "module": ("%run ../outputs/test/code.py", "outputs/test/code.py"),
    "yaml": (
        (
            "from pathlib import Path\npath = Path('../data/paths.yaml').read_text().split()[1]\n"
            "open('../' + path).read()"
        ),
        THEIRS,
    ),
    "yaml_parquet": (
        (
            "from pathlib import Path\nimport pandas as pd\n"
            "path = Path('../data/paths.yaml').read_text().split()[3]\n"
            "pd.read_parquet('../' + path)"
        ),
        "outputs/test/x.parquet",
    ),
    "child": (
        "import subprocess, sys\nsubprocess.run([sys.executable, '../data/script.py'])",
        THEIRS,
    ),
}


@pytest.fixture
def theirs(project: TemporaryProject) -> TemporaryProject:
    """Give a project with files in the test build."""
    project.profile("all")
    project.profile("test")
    project.write("data/a.txt", "1")
    project.write("data/paths.yaml", "text: outputs/test/x.txt\ntable: outputs/test/x.parquet\n")
    project.write("data/script.py", "open('../outputs/test/x.txt').read()\n")
    project.write(THEIRS, "1")
    project.write("outputs/test/code.py", "x = 1")
    for name in ("x", "part-0", "part-1"):
        pd.DataFrame({"x": [1]}).to_parquet(project.root / f"outputs/test/{name}.parquet")
    return project


def test_a_stage_that_uses_another_build_fails_and_says_the_file(theirs: TemporaryProject) -> None:
    for stage, (cell, _) in FOREIGN.items():
        theirs.stage(stage, cell, writes=(f"{stage}.txt",))
    theirs.run("all", "-k", code=1)
    assert set(theirs.states("all").values()) == {"failed"}
    log = theirs.log("all")
    for stage, (_, file) in FOREIGN.items():
        error = theirs.stage_record("all", stage)["error"]
        if stage in {"writes", "removes"}:
            assert error.startswith(f"it changed {file}, a file of the build test, which")
            assert "`python run.py test` makes again; take the path from an `output_…`" in error
            continue
        assert (stage, error.split(",")[0]) == (stage, f"it used {file}")
        assert "take the path from an `input_…`" in error
        assert f"build:{file.removeprefix('outputs/')} in params/all.yaml" in error
    assert "see the executed notebook" in log


def test_what_other_people_do_meanwhile_fails_nothing(
    theirs: TemporaryProject, tmp_path: Path
) -> None:
    # The stage speaks of outputs, as many do.
    wait = WAIT.format(marker=tmp_path / "go")
    theirs.notebook("a", "# the folder outputs/test\nfolder = '../outputs'", "print('here')", wait)
    with theirs.running("all") as process:
        wait_for(theirs.outputs("all") / "log.txt", "here")
        (theirs.root / THEIRS).read_bytes()
        os.system(f"cat '{theirs.root / THEIRS}' > /dev/null")  # noqa: S605 - our own words
        theirs.write(THEIRS, "2")
        theirs.write("outputs/test/new.txt", "2")
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    theirs.write(THEIRS, "3")
    assert theirs.to_run() == []


def test_a_folder_below_outputs_that_is_no_build_is_the_projects_own(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook(
        "a",
        "from pathlib import Path\nPath('../outputs/figures').mkdir(parents=True, exist_ok=True)\n"
        "Path('../outputs/figures/a.txt').write_text('1')\n"
        "Path('../outputs/b.txt').write_text('1')",
    )
    project.run("all")
    assert project.to_run() == []
    (project.root / "outputs/figures/a.txt").unlink()
    assert project.to_run() == ["a"]


def test_a_stage_that_changes_what_another_one_has_made_fails_at_once(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    harm = {
        "append": "open('../outputs/all/{0}.txt', 'a').write('2')",
        "echo": "!echo 2 >> ../outputs/all/{0}.txt",
        "remove": "import os\nos.remove('../outputs/all/{0}.txt')",
        "shell": "!rm ../outputs/all/{0}.txt",
        "replace": "import os\nopen('../data.txt', 'w').write('2')\n"
        "os.replace('../data.txt', '../outputs/all/{0}.txt')",
        "child": "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'open(\"../outputs/all/{0}.txt\", \"w\")'])",
    }
    for name, cell in harm.items():
        project.stage(f"1_{name}", writes=(f"{name}.txt",))
        project.stage(f"2_{name}_harm", cell.format(name), writes=(f"{name}_harm.txt",))
    # It opens one to write, and leaves it as it was.
    project.stage("1_well", writes=("well.txt",))
    project.stage("2_well_harm", "open('../outputs/all/well.txt', 'r+').read()", writes=("w.txt",))
    project.run("all", "-k", code=1)
    for name in harm:
        failed = project.stage_record("all", f"{name}_harm")
        assert (name, failed["state"]) == (name, "failed")
        assert f"outputs/all/{name}.txt, an output of {name}, changed meanwhile" in failed["error"]
        assert project.states("all")[name] == "succeeded"
    assert project.states("all")["well_harm"] == "succeeded"


def test_two_stages_that_write_one_file_are_told(project: TemporaryProject) -> None:
    project.profile("all")
    (project.root / "data").mkdir()
    for name in ("1_s", "2_t", "3_u"):
        file = "o" if name != "3_u" else "u"
        project.notebook(name, f"open('../data/{file}.txt', 'w').write('{name}')")
    told = "it writes data/o.txt, as s does; give each stage a file of its own"
    assert project.run("all").out.count(told) == 1
    # Once, as long as it is so.
    assert told not in project.run("all", "--force=t").out

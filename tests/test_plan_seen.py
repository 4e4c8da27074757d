"""What a stage was seen to use counts, however it used it; what it did not use does not.

Each form of reading or writing is a stage of one project, which is built once. Then for each
change the plan is asked.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.project import WAIT, TemporaryProject, wait_for

Change = Callable[[Path], object]


class Form(NamedTuple):
    """A way to use files: the cell, the files to begin with, and what is changed of them.

    `{0}` in the cell is the stage's own folder, as seen from `notebooks/`. Names of files are
    relative to it; a change is given the path.
    """

    cell: str
    files: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    changes: dict[str, Change] = {}  # noqa: RUF012 - nor this

    def to_change(self) -> dict[str, Change]:
        """Give the changes; without any, each file gets another text."""
        return self.changes or dict.fromkeys(self.files, edited)


def edited(path: Path) -> None:
    """Change the content of a file."""
    text = path.read_text("utf-8")
    assert "1" in text
    path.write_text(text.replace("1", "2"), "utf-8")


def made(path: Path) -> None:
    """Make a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("new", "utf-8")


def gone(path: Path) -> None:
    """Remove a file."""
    path.unlink()


def spoiled(path: Path) -> None:
    """Write over a file."""
    path.write_text("by hand", "utf-8")


def table(path: Path) -> None:
    """Write a Parquet file."""
    pd.DataFrame({"x": [1, int(path.exists())]}).to_parquet(path)


def numbers(path: Path) -> None:
    """Write numpy's own format."""
    np.save(path, np.arange(3 + path.exists()))


def database(path: Path) -> None:
    """Make a database, or add to one."""
    with sqlite3.connect(path) as opened:
        opened.execute("create table if not exists numbers (x)")
        opened.execute("insert into numbers values (1)")
    opened.close()


TEXT = {"x.txt": "1\n"}
MODULE = {"own_{0}.py": "x = 1\n"}
LISTED = {"in/a.txt": "1", "in/b.txt": "1"}
IN_LIST: dict[str, Change] = {"in/c.txt": made, "in/b.txt": gone}
READ_IN_CHILD = 'def read(path):\n    return open(path).read()\n\n\nmark = "1"\n'

OTHER = nbformat.writes(new_notebook(cells=[new_code_cell("x = 1")]))

READS = {
    "open": Form("open('{0}/x.txt').read()", TEXT),
    "open_bytes": Form("open(b'{0}/x.txt').read()", TEXT),
    "os_open": Form("import os\nos.read(os.open('{0}/x.txt', os.O_RDONLY), 9)", TEXT),
    "read_text": Form("from pathlib import Path\nPath('{0}', 'x.txt').read_text()", TEXT),
    "by_symlink": Form("open('{0}/link/x.txt').read()", {"place/x.txt": "1"}),
    "pandas": Form("import pandas as pd\npd.read_csv('{0}/x.csv')", {"x.csv": "a\n1\n"}),
    "numpy": Form("import numpy as np\nnp.load('{0}/x.npy')", {}, {"x.npy": numbers}),
    "memmap": Form("import numpy as np\nnp.load('{0}/x.npy', 'r')", {}, {"x.npy": numbers}),
    "parquet": Form("import pandas as pd\npd.read_parquet('{0}/x.pq')", {}, {"x.pq": table}),
    "sqlite": Form(
        "import sqlite3\nc = sqlite3.connect('{0}/x.db')\n"
        "c.execute('select * from numbers').fetchall()",
        {},
        {"x.db": database},
    ),
    "sqlite_uri": Form(
        "import sqlite3\nc = sqlite3.connect('file:{0}/x.db?mode=ro', uri=True)\n"
        "c.execute('select * from numbers').fetchall()",
        {},
        {"x.db": database},
    ),
    "cat": Form("!cat {0}/x.txt", TEXT),
    "captured": Form("text = !cat {0}/x.txt", TEXT),
    "bash": Form("%%bash\nhead -1 {0}/x.txt", TEXT),
    "bash_loop": Form(
        "%%bash\nfor f in {0}/in/*.txt; do cat $f; done", LISTED, {**IN_LIST, "in/a.txt": edited}
    ),
    "system": Form("import os\nos.system('cd {0} && cat x.txt > /dev/null')", TEXT),
    "child": Form(
        "import subprocess, sys\nsubprocess.run([sys.executable, '{0}/script.py'], check=True)",
        {
            "script.py": "import helping\nfrom pathlib import Path\n"
            "number = 1\n(Path(__file__).parent / 'x.txt').read_text()\n",
            "helping.py": "x = 1\n",
            **TEXT,
        },
    ),
    "run_script": Form("%run {0}/own_{1}.py", MODULE),
    "run_without_py": Form("%run {0}/own_{1}", MODULE),
    "run_inside": Form("y = 3\n%run -i {0}/own_{1}.py", {"own_{0}.py": "x = 1 + y\n"}),
    "run_that_imports": Form(
        "%run {0}/script.py",
        {"script.py": "import deeper_{0}\nx = 1\n", "deeper_{0}.py": "x = 1\n"},
    ),
    "runpy": Form("import runpy\nrunpy.run_path('{0}/own_{1}.py')", MODULE),
    "exec_open": Form("exec(open('{0}/own_{1}.py').read())", MODULE),
    "append_abspath": Form(
        "import sys, os\nsys.path.append(os.path.abspath('{0}'))\nimport own_{1}", MODULE
    ),
    "insert_path": Form(
        "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path('{0}')))\n"
        "import own_{1}",
        MODULE,
    ),
    "import_module": Form(
        "import sys, importlib\nsys.path.append('{0}')\nimportlib.import_module('pack_{1}.inner')",
        {"pack_{0}/__init__.py": "x = 1", "pack_{0}/inner.py": "y = 1\n"},
    ),
    "by_spec": Form(
        "import importlib.util as u\ns = u.spec_from_file_location('m', '{0}/own_{1}.py')\n"
        "m = u.module_from_spec(s)\ns.loader.exec_module(m)",
        MODULE,
    ),
    "chdir": Form("import os\nos.chdir('..')\nopen('{0}/x.txt'.removeprefix('../')).read()", TEXT),
    "fork": Form(
        "import os\npid = os.fork()\nif not pid:\n    open('{0}/x.txt').read()\n    os._exit(0)\n"
        "os.waitpid(pid, 0)",
        TEXT,
    ),
    "pool": Form(
        "import multiprocessing as m\ndef read(path):\n    return open(path).read()\n"
        "with m.get_context('fork').Pool(1) as pool:\n    pool.map(read, ['{0}/x.txt'])",
        TEXT,
    ),
    "spawn": Form(
        "import sys, multiprocessing as m\nsys.path.append('{0}')\nfrom own_{1} import read\n"
        "p = m.get_context('spawn').Process(target=read, args=('{0}/x.txt',))\np.start()\np.join()",
        {"own_{0}.py": READ_IN_CHILD, **TEXT},
    ),
    "loky": Form(
        "from joblib import Parallel, delayed\ndef read(path):\n    return open(path).read()\n"
        "Parallel(n_jobs=2)(delayed(read)(p) for p in ['{0}/in/a.txt', '{0}/in/b.txt'])",
        LISTED,
    ),
    "thread": Form(
        "import threading\nt = threading.Thread(target=lambda: open('{0}/x.txt').read())\n"
        "t.start()\nt.join()",
        TEXT,
    ),
    "in_vain": Form(
        "try:\n    open('{0}/none.txt')\nexcept FileNotFoundError:\n    pass",
        {},
        {"none.txt": made},
    ),
    "glob": Form("import glob\nglob.glob('{0}/in/*.txt')", LISTED, IN_LIST),
    "glob_of_no_folder": Form("import glob\nglob.glob('{0}/more/*.csv')", {}, {"more/a.csv": made}),
    "hidden": Form("open('{0}/.work/deep/x.txt').read()", {".work/deep/x.txt": "1"}),
    "config": Form("open('{0}/.config/x.yaml').read()", {".config/x.yaml": "x: 1"}),
    "consumed": Form(
        "import os\ntry:\n    open('{0}/in.csv').read()\n    os.remove('{0}/in.csv')\n"
        "except FileNotFoundError:\n    pass",
        {"in.csv": "1"},
        {"in.csv": made},
    ),
    "plugins": Form(
        "import sys, pkgutil\nsys.path.append('{0}')\nimport plug_{1} as p\n"
        "[m.name for m in pkgutil.iter_modules(p.__path__)]",
        {"plug_{0}/__init__.py": "x = 1\n"},
        {"plug_{0}/b.py": made},
    ),
    "namespace": Form(
        "import sys\nsys.path.append('{0}')\n"
        "try:\n    import optional_{1}\nexcept ImportError:\n    pass",
        {},
        {"optional_{0}/x.txt": made},
    ),
    "notebook_in_child": Form("!cat _{1}.ipynb", {"../../notebooks/_{0}.ipynb": OTHER}),
    "listdir": Form("import os\nos.listdir('{0}/in')", LISTED, IN_LIST),
    "iterdir": Form("from pathlib import Path\nlist(Path('{0}/in').iterdir())", LISTED, IN_LIST),
    "walk": Form(
        "import os\nlist(os.walk('{0}'))", LISTED, {**IN_LIST, "deeper/c.txt": made, "in/d/e": made}
    ),
    "ls": Form("names = !ls {0}/in", LISTED, IN_LIST),
    "other_folder": Form(
        "import subprocess\nsubprocess.run(['cat', 'x.txt'], cwd='{0}', capture_output=True)", TEXT
    ),
    "magic_cd": Form("%cd -q {0}\nopen('x.txt').read()", TEXT),
    "url": Form(
        "import pandas as pd\nfrom pathlib import Path\n"
        "pd.read_csv(Path('{0}/x.csv').resolve().as_uri())",
        {"x.csv": "a\n1\n"},
    ),
    "gzip": Form(
        "import gzip, contextlib\nwith contextlib.suppress(OSError):\n"
        "    gzip.open('{0}/x.txt').read()",
        TEXT,
    ),
    "mapped": Form(
        "import mmap, os\nf = os.open('{0}/x.txt', os.O_RDONLY)\n"
        "mmap.mmap(f, 0, prot=mmap.PROT_READ)[:]",
        TEXT,
    ),
    "copied": Form("import shutil\nshutil.copyfile('{0}/x.txt', '/dev/null')", TEXT),
    "import_resources": Form(
        "import sys\nsys.path.append('{0}')\nimport importlib.resources as r\n"
        "r.files('pack_{1}').joinpath('x.txt').read_text()",
        {"pack_{0}/__init__.py": "x = 1", "pack_{0}/x.txt": "1"},
    ),
    "forgotten": Form(
        "import sys\nsys.path.append('{0}')\nimport own_{1}\ndel own_{1}, sys.modules['own_{1}']",
        MODULE,
    ),
    "reloaded": Form(
        "import sys, importlib\nsys.path.append('{0}')\nimport own_{1}\nimportlib.reload(own_{1})",
        MODULE,
    ),
    "own_notebook": Form("%run {0}/other.ipynb", {"other.ipynb": OTHER}),
    "link_outside": Form(
        "open('{0}/outside/x.txt').read()", {}, {"../../../outside/x.txt": edited}
    ),
    "cat_outside": Form("!cat {0}/outside/y.txt", {}, {"../../../outside/y.txt": edited}),
    "executor": Form(
        "from concurrent.futures import ProcessPoolExecutor\ndef read(path):\n"
        "    return open(path).read()\nwith ProcessPoolExecutor(1) as pool:\n"
        "    list(pool.map(read, ['{0}/x.txt']))",
        TEXT,
    ),
    "asynchronous": Form(
        "import asyncio\nasyncio.create_task(asyncio.to_thread(lambda: open('{0}/x.txt').read()))",
        TEXT,
    ),
    "at_exit": Form("import atexit\natexit.register(lambda: open('{0}/x.txt').read())", TEXT),
    "exec_in_place": Form(
        "import os\npid = os.fork()\nif not pid:\n"
        "    os.execvp('cat', ['cat', '{0}/x.txt'])\nos.waitpid(pid, 0)",
        TEXT,
    ),
    "crowd": Form(
        "import os\nfor name in sorted(os.listdir('{0}/in')):\n    open('{0}/in/' + name).read()",
        {f"in/{number}": "1" for number in range(1005)},
        {"in/3": edited, "in/1004": edited, "in/new": made, "in/7": gone},
    ),
}

WRITES = {
    "w_open": Form("open('{0}/y.txt', 'w').write('1')"),
    "w_cell": Form("%%writefile {0}/y.txt\n1"),
    "w_append": Form("open('{0}/y.txt', 'a').write('1')"),
    "w_parquet": Form("import pandas as pd\npd.DataFrame({{'x': [1]}}).to_parquet('{0}/y.pq')"),
    "w_csv": Form("import pandas as pd\npd.DataFrame({{'x': [1]}}).to_csv('{0}/y.csv')"),
    "w_rename": Form("import os\nopen('{0}/t', 'w').write('1')\nos.rename('{0}/t', '{0}/y.txt')"),
    "w_move": Form(
        "import shutil\nopen('{0}/t', 'w').write('1')\nshutil.move('{0}/t', '{0}/y.txt')"
    ),
    "w_copy": Form("!cp {0}/x.txt {0}/y.txt", TEXT),
    "w_copytree": Form(
        "import shutil\nshutil.copytree('{0}/in', '{0}/out', dirs_exist_ok=True)", LISTED
    ),
    "w_new_folder": Form(
        "import os, shutil\nshutil.rmtree('{0}/new', ignore_errors=True)\nos.makedirs('{0}/new')\n"
        "shutil.rmtree('{0}/new')\nos.makedirs('{0}/new')\n"
        "!echo 1 > {0}/new/y.txt"
    ),
    "w_child": Form(
        "import subprocess, sys\n"
        'subprocess.run([sys.executable, \'-c\', \'open("{0}/y.txt", "w").write("1")\'])'
    ),
    "w_sqlite": Form(
        "import sqlite3\nwith sqlite3.connect('{0}/y.db') as c:\n"
        "    c.execute('create table if not exists t (x)')"
    ),
    "w_cache": Form(
        "from pathlib import Path\np = Path('{0}/y.txt')\n"
        "text = p.read_text() if p.exists() else ''\nopen(p, 'w').write('1')"
    ),
    "w_both": Form("f = open('{0}/y.txt', 'a+')\nf.seek(0)\nf.read() or f.write('1')"),
}
WRITTEN = {"w_parquet": ["y.pq"], "w_csv": ["y.csv"], "w_sqlite": ["y.db"]}
WRITTEN["w_new_folder"] = ["new/y.txt"]
WRITTEN["w_copytree"] = ["out/a.txt", "out/b.txt"]

# What uses no file that could change, in all its ways.
NOTHING = {
    "n_metadata": "import importlib.metadata\nlist(importlib.metadata.distributions())",
    "n_modules": "import pkgutil\nlist(pkgutil.iter_modules())",
    "n_plot": "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    "n_removed": "import os\nopen('{0}/t', 'w').write('1')\nopen('{0}/t').read()\n"
    "os.remove('{0}/t')",
    "n_removed_by_shell": "!echo 1 > {0}/t && cat {0}/t && rm {0}/t",
    "n_temporary": "import tempfile\nwith tempfile.TemporaryDirectory(dir='{0}') as d:\n"
    "    open(d + '/t', 'w').write('1')",
}


def folder(project: TemporaryProject, stage: str) -> Path:
    """Give a stage's own folder of data."""
    return project.root / "data" / stage


def write(project: TemporaryProject, stage: str, form: Form) -> None:
    """Write a stage and its files."""
    place = folder(project, stage)
    place.mkdir(parents=True, exist_ok=True)
    for name, text in form.files.items():
        path = place / name.format(stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{0}", stage), "utf-8")
    for name, change in form.changes.items():
        if change in {table, numbers, database}:
            change(place / name)
    if stage == "by_symlink":
        (place / "link").symlink_to(place / "place")
    if stage.endswith("_outside"):
        outside = project.root.parent / "outside"
        outside.mkdir(exist_ok=True)
        for name in ("x.txt", "y.txt"):
            (outside / name).write_text("1")
        (place / "outside").symlink_to(outside)
    project.notebook(stage, form.cell.format(f"../data/{stage}", stage))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """Give a project with a stage of each kind, built."""
    project = TemporaryProject(tmp_path_factory.mktemp("seen") / "project")
    project.profile("all")
    for stage, form in {**READS, **WRITES}.items():
        write(project, stage, form)
    for stage, cell in NOTHING.items():
        write(project, stage, Form(cell))
    project.run("all")
    assert set(project.states("all").values()) == {"succeeded"}
    return project


@contextmanager
def changed(path: Path, change: Change) -> Iterator[None]:
    """Change a file for a while."""
    before = path.read_bytes() if path.exists() else None
    status = path.stat() if before is not None else None
    folders = [one for one in path.parents if not one.exists()]
    change(path)
    yield
    if before is None or status is None:
        path.unlink()
    else:
        path.write_bytes(before)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    for one in folders:
        one.rmdir()


def wrong(
    project: TemporaryProject, stages: Iterable[tuple[str, str, Change]]
) -> dict[str, object]:
    """Ask for each stage, a file of its own and a change what would run then, if not it alone."""
    found: dict[str, object] = {}
    for stage, name, change in stages:
        with changed(folder(project, stage) / name.format(stage), change):
            would = project.to_run()
            if name.endswith(".py"):
                # Another module may do anything, so that those after it are looked at again.
                would = [one for one in would if not one.endswith("?")]
            if would != [stage]:
                found[f"{stage}: {change.__name__} {name}"] = would
    return found


def test_what_has_run_is_up_to_date(built: TemporaryProject) -> None:
    assert built.to_run() == []
    built.run("all")
    assert set(built.states("all").values()) == {"skipped"}


def test_what_a_stage_has_read_makes_it_run_again_and_nothing_else(
    built: TemporaryProject,
) -> None:
    rows = [(stage, *row) for stage, form in READS.items() for row in form.to_change().items()]
    assert wrong(built, rows) == {}
    assert built.to_run() == []


def test_what_a_stage_has_written_is_made_again_if_it_is_not_as_it_left_it(
    built: TemporaryProject,
) -> None:
    names = [(stage, name) for stage in WRITES for name in WRITTEN.get(stage, ["y.txt"])]
    rows = [(stage, name, change) for stage, name in names for change in (gone, spoiled)]
    assert wrong(built, rows) == {}
    assert built.to_run() == []


def test_a_build_runs_what_has_changed_and_nothing_else(
    built: TemporaryProject, tmp_path: Path
) -> None:
    """As planned, so it is done; and afterwards all is up to date."""
    project = built.copy(tmp_path / "project")
    rows = {"open": "x.txt", "child": "helping.py", "parquet": "x.pq"}
    rows |= {"run_script": "own_run_script.py", "glob": "in/c.txt", "in_vain": "none.txt"}
    for stage, name in rows.items():
        change = READS[stage].to_change().get(name.replace(stage, "{0}"), edited)
        change(folder(project, stage) / name)
    for stage in ("w_open", "w_copy", "w_cache"):
        gone(folder(project, stage) / "y.txt")
    project.run("all")
    ran = {name for name, state in project.states("all").items() if state == "succeeded"}
    assert ran == {*rows, "w_open", "w_copy", "w_cache"}
    assert project.to_run() == []


@pytest.mark.slow
def test_what_a_child_reads_is_noticed_whatever_the_runner_has_opened_itself(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.write("x.txt", "0\n")
    project.notebook("a", "print(open('../x.txt').read())")
    project.notebook("b", "!cat ../x.txt")
    for number in range(4):
        # What has changed is hashed when the run is planned, and when stages begin and end.
        project.write("x.txt", f"{number}\n" * (number + 1))
        project.run("all")
        assert "x.txt" in project.stage_record("all", "b")["perhaps"], number


# What is read in a way that the kernel does not witness, then changed by someone else.
DURING = {
    "child": ("r = !cat ../data/x.txt", "data/x.txt"),
    "script": ("r = !python ../data/s.py", "data/s.py"),
    "replaced": ("r = !cat ../data/y.txt", "data/y.txt"),
    "listed": ("import os\n\nr = os.listdir('../data/many')", "data/many/new.txt"),
    "parquet": (
        "import pyarrow.parquet as pq\n\nr = pq.read_table('../data/t.parquet')",
        "data/t.parquet",
    ),
}


def test_what_changes_while_a_stage_runs_makes_it_run_again(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    (project.root / "data/many").mkdir(parents=True)
    for name in ("x.txt", "y.txt", "s.py"):
        project.write(f"data/{name}", "1\n")
    pd.DataFrame({"a": [1]}).to_parquet(project.root / "data/t.parquet")
    for name, (cell, _) in DURING.items():
        wait = WAIT.format(marker=tmp_path / f"{name}.go")
        done = f"open({str(tmp_path / name)!r}, 'w').close()"
        project.notebook(name, cell, done, wait, "print(r)")
    with project.running("all") as process:
        for name, (_, path) in sorted(DURING.items()):
            wait_for(tmp_path / name)
            target = project.root / path
            if name == "parquet":
                pd.DataFrame({"a": [2]}).to_parquet(target)
            elif name == "replaced":
                project.write("data/.y.tmp", "2\n").replace(target)
            else:
                target.write_text("2\n", "utf-8")
            (tmp_path / f"{name}.go").touch()
        assert process.wait(120) == 0
    assert set(DURING) <= set(project.to_run())
    project.run("all")
    assert project.to_run() == []


def test_what_a_stage_changes_itself_each_time_makes_it_run_once_more(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.write("data/own.txt", "1\n")
    project.notebook("a", "!cat ../data/own.txt", "!sleep 0.2; echo 2 >> ../data/own.txt")
    project.run("all")
    assert project.to_run() == ["a"]
    project.run("all")
    assert project.to_run() == []


def test_a_module_that_would_be_found_instead_makes_a_stage_run_again(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name in ("one", "two"):
        project.write(f"src/{name}.py", "x = 1\n")
    path = "import sys\n\nsys.path.append('../src')\n"
    project.notebook("package", f"{path}import one")
    project.notebook("earlier", f"{path}import two")
    project.notebook("optional", f"{path}try:\n    import three\nexcept ImportError:\n    pass")
    project.run("all")
    assert project.to_run() == []
    for made, stage in {
        "src/one/__init__.py": "package",
        "notebooks/two.py": "earlier",
        "src/three.py": "optional",
    }.items():
        file = project.write(made, "x = 2\n")
        assert stage in project.to_run(), made
        file.unlink()
        if file.name == "__init__.py":
            file.parent.rmdir()
    assert project.to_run() == []


def test_a_temporary_file_is_not_taken_for_its_folder(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("data/other.txt", "1\n")
    source = (
        "import os, tempfile\n\nwith tempfile.NamedTemporaryFile("
        "'w', dir='../data', delete=False) as file:\n    file.write('a')\n"
        "os.replace(file.name, '../data/made.txt')"
    )
    project.notebook("a", source)
    project.run("all")
    assert list(project.stage_record("all", "a")["writes"]) == ["data/made.txt"]
    assert project.to_run() == []

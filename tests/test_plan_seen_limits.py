"""Where the trace of a stage ends: it is bounded, says so, and is in the way of no notebook."""

import os
from pathlib import Path

import pytest

from runner.kernels.trace import LOST, MOST, READ, Tracer, records
from tests.project import TemporaryProject

# None of it fails a stage, holds it up, or makes it run again by itself.
QUIET = {
    "module": "import sys, types\n"
    "class Odd(types.ModuleType):\n    def __getattribute__(self, name):\n        raise OSError\n"
    "sys.modules['odd'] = Odd('odd')\nsys.modules['odder'] = object()\nsys.modules['none'] = None",
    "lazy": "import importlib.util, sys\n"
    "spec = importlib.util.spec_from_file_location('lazily', '../lazily.py')\n"
    "spec.loader = importlib.util.LazyLoader(spec.loader)\n"
    "sys.modules['lazily'] = m = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(m)",
    "moved": "import os, tempfile\nos.chdir(tempfile.mkdtemp())\nos.rmdir(os.getcwd())",
    "pool": "import logging, multiprocessing\n"
    "logging.getLogger('own').addHandler(logging.FileHandler('../pool.log'))\n"
    "pool = multiprocessing.Pool(2)\nassert pool.map(abs, [-1, 2]) == [1, 2]",
    "executor": "from concurrent.futures import ProcessPoolExecutor\n"
    "pool = ProcessPoolExecutor(2)\nassert list(pool.map(abs, [-1, 2])) == [1, 2]",
    "loky": "from joblib.externals.loky import get_reusable_executor\n"
    "pool = get_reusable_executor(2)\nassert list(pool.map(abs, [-1, 2])) == [1, 2]",
    "manager": "import multiprocessing\nmanager = multiprocessing.Manager()\nd = manager.dict(a=1)",
    "spawned": "import multiprocessing\npool = multiprocessing.get_context('spawn').Pool(2)\n"
    "assert pool.map(abs, [-1, 2]) == [1, 2]",
    "server": "import subprocess, sys\n"
    "serve = 'import http.server as h; h.HTTPServer((\"127.0.0.1\", 0), None).serve_forever()'\n"
    "log = open('../server.log', 'w')\n"
    "server = subprocess.Popen([sys.executable, '-c', serve], stdout=log, stderr=log)",
}
UNSURE = "it used more files than could be watched"


@pytest.mark.slow
def test_a_trace_is_in_the_way_of_nothing(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("lazily.py", "open('../loaded.txt', 'w').close()\n")
    for name, cell in QUIET.items():
        project.notebook(name, cell)
    project.run("all", "-k")
    assert set(project.states("all").values()) == {"succeeded"}
    assert not (project.root / "loaded.txt").exists()
    assert project.to_run() == []


def test_a_stage_whose_trace_is_not_whole_runs_again(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "import os\nos.closerange(800, 1100)")
    project.run("all")
    assert project.states("all") == {"a": "succeeded"}
    assert UNSURE in project.reasons()["a"]


@pytest.mark.slow
def test_where_not_all_folders_are_watched_what_starts_programs_runs_again(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.notebook("1_a", "!true")
    project.notebook("2_b", "x = 1")
    for number in range(8200):
        (tmp_path / f"many/{number}").mkdir(parents=True)
    (project.root / "data").symlink_to(tmp_path / "many")
    project.write("own/x.txt", "1")
    project.notebook("3_c", "!cat ../own/x.txt")
    project.run("all")
    # What is behind a link does not hide what lies in the project.
    assert "own/x.txt" in project.stage_record("all", "c")["perhaps"]
    lines = [line.split(maxsplit=2) for line in project.call("-n", "all").out.splitlines()[1:]]
    assert [(name, what) for name, what, _ in lines] == [("a", "run"), ("b", "skip"), ("c", "run")]
    assert UNSURE in lines[0][2]


def test_a_trace_is_bounded_however_much_is_opened(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    file = os.open(trace, os.O_WRONLY | os.O_CREAT)
    try:
        tracer = Tracer(file, "/project", "/private")
        for number in range(MOST + 1000):
            tracer.note(READ, f"/project/{number // 900}/{number}")
        end = trace.stat().st_size
        tracer.note(READ, "/project/one/more")
        tracer.started("true")
    finally:
        os.close(file)
    found = list(records(trace.read_bytes()))
    assert [kind for kind, _ in found].count(LOST) == 1
    assert len(found) <= MOST + 2
    assert trace.stat().st_size < end + 10


def test_what_a_stage_does_not_declare_is_told_once(project: TemporaryProject) -> None:
    for profile in ("all", "small"):
        project.profile(profile)
    project.write("data/x.csv", "1")
    cell = "text = open('../data/x.csv').read()\nopen('../data/y.csv', 'w').write(text)"
    project.stage("a", cell, writes=("a.txt",))
    project.notebook("b", "open('../data/z.csv', 'w').write('1')")
    read, wrote, shared = (
        "a: it reads data/x.csv without declaring it; that counts all the same",
        "a: it writes data/y.csv, which is no declared output (`output_…`)",
        "written by the builds small and all alike, so each overwrites what the other made",
    )

    def told(profile: str, *words: str) -> list[int]:
        out = project.run(profile, *words).out
        assert set(project.states(profile).values()) == {"succeeded"}
        return [out.count(one) for one in (read, wrote, shared)]

    assert told("all") == [1, 1, 0]
    # A write is told as long as it happens: the build cannot make it again for itself.
    assert told("all", "-f") == [0, 1, 0]
    assert told("small") == [1, 1, 1]
    assert told("small", "-f") == [0, 1, 0]

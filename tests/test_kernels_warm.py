"""Kernels are forked from warm processes where that cannot be noticed, and only there."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from tests.project import TemporaryProject


class Package(NamedTuple):
    """A module that does something when it is imported, and what the log must say of it."""

    source: str
    reason: str


UNFIT = {
    "prints": Package("print('hello')", "it prints something"),
    "writes": Package("import os\nos.write(1, b'hello\\n')", "it prints something"),
    "warns": Package("import warnings\nwarnings.warn('old')", "it prints something"),
    "starts": Package(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "it starts a thread",
    ),
    "opens": Package("file = open(__file__)", "it keeps a file or a socket open"),
    "draws": Package("import random\nown = random.Random()", "it makes a random generator"),
    "generates": Package(
        "import numpy\nown = numpy.random.default_rng()", "it makes a random generator"
    ),
    "keeps_state": Package(
        "import numpy\nown = numpy.random.RandomState()", "it makes a random generator"
    ),
    "seeds": Package("import random\nrandom.seed(0)", "it seeds random numbers"),
    "seeds_numpy": Package("import numpy\nnumpy.random.seed(0)", "it seeds random numbers"),
    "seeds_once": Package("from numpy.random import seed\nseed(0)", "it seeds random numbers"),
    "stops": Package("import gc\ngc.disable()", "it stops the garbage collection"),
    "spawns": Package(
        "import subprocess\nchild = subprocess.Popen(['sleep', '300'])", "it starts a process"
    ),
    "shares": Package("import mmap\nmemory = mmap.mmap(-1, 4096)", "it shares memory"),
    "waits": Package("import signal\nsignal.alarm(300)", "it changes timers"),
    "keeps": Package("import os\nown = os.getpid()", "`keeps` keeps the number of its process"),
    "hostile": Package("import jax", "it imports jax"),
    "optional": Package(
        "try:\n    import only_here\nexcept ImportError:\n    pass",
        "the notebooks' folder has a module `only_here`",
    ),
    "asks": Package(
        "from IPython import get_ipython\nsession = get_ipython().kernel.session.session",
        "it asks for the kernel's session",
    ),
    "hooks": Package(
        "from IPython import get_ipython\n"
        "get_ipython().events.register('pre_run_cell', lambda info: print('hook'))",
        "it hooks into IPython",
    ),
    "fails": Package("raise OSError('no licence')", "it fails (OSError)"),
    "exits": Package("import os\nos._exit(3)", "it ends the process"),
    "leaves": Package("import sys\nsys.exit()", "it fails (SystemExit)"),
    "handles": Package(
        "import signal\nsignal.signal(signal.SIGINT, lambda *_: print('no'))",
        "it changes signal handlers",
    ),
    "replaces": Package(
        "import io, sys\nsys.stdout = io.StringIO()",
        "it changes sys.stdout",
    ),
    "moves": Package("import os\nos.chdir('..')", "it changes the working directory"),
    "ours": Package(
        "import importlib.util, os\n"
        "spec = importlib.util.spec_from_file_location('far', os.path.abspath('beside.py'))\n"
        "import sys\nsys.modules['far'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(sys.modules['far'])",
        "it imports `far`, a module of the project",
    ),
    "shadowed": Package("import beside", "the notebooks' folder has a module `beside`"),
}


@pytest.fixture
def site(project: TemporaryProject, tmp_path: Path) -> Path:
    """Give a folder of installed modules, and a project with one profile."""
    project.profile("all")
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def installed(folder: Path) -> dict[str, str | None]:
    """Give the change of the environment that installs what is in a folder."""
    return {"PYTHONPATH": str(folder)}


def texts(project: TemporaryProject, stage: str) -> list[str]:
    """Give what an executed notebook shows, but for errors' tracebacks."""
    return [
        output.get("text", output.get("evalue", ""))
        for cell in project.executed("all", stage).cells
        for output in cell.get("outputs", [])
    ]


def shown(project: TemporaryProject, stage: str) -> list[str]:
    """Give what an executed notebook shows, without its own name."""
    found = [text.replace(stage, "it") for text in texts(project, stage)]
    # What is written past the streams comes when it comes.
    return sorted("".join(found).splitlines()) if stage.startswith("writes_") else found


FAILING = {
    "exits": "kernel_died",
    "leaves": "exited_early",
    "fails": "failed",
    "moves": "failed",
}


def look_alike(project: TemporaryProject, site: Path, *kinds: str) -> None:
    """Write a notebook of each kind for each module, with the same cells."""
    for name, module in UNFIT.items():
        (site / f"{name}.py").write_text(module.source, "utf-8")
        cells = (f"import {name}", f"print('done', getattr({name}, 'beside', None) is not None)")
        for stage in (f"{name}_{kind}" for kind in kinds):
            # What it declares makes it independent of the other ones.
            output = f'output_it = "../outputs/test/{stage}.txt"'
            last = "open(output_it, 'w').close()"
            project.notebook(stage, *cells, last, parameters=output)
    (site / "beside.py").write_text("place = 'site'", "utf-8")
    (site / "jax.py").write_text("", "utf-8")
    project.write("notebooks/beside.py", "place = 'project'")
    project.write("notebooks/only_here.py", "print('only here')")


DEBUG = ("--log-level", "DEBUG")


def found(project: TemporaryProject, kind: str, *, warm: bool) -> dict[str, object]:
    """Give how the stages of a kind ended and what they show, for each module."""
    stages = project.record("all")["stages"]
    # One of another kind comes along where what ran beside it may have been read.
    assert {one["warm"] for one in stages if one["name"].endswith(f"_{kind}")} == {warm}
    states = project.states("all")
    assert {name: states[f"{name}_{kind}"] for name in UNFIT} == {
        **dict.fromkeys(UNFIT, "succeeded"),
        **FAILING,
    }
    return {name: (states[f"{name}_{kind}"], shown(project, f"{name}_{kind}")) for name in UNFIT}


def assert_told_once(project: TemporaryProject) -> None:
    """Assert that the log says once of each module why it is not imported ahead."""
    log = project.log("all")
    for name, module in UNFIT.items():
        words = f"`import {name}` is left to each kernel: {module.reason}"
        assert (words, log.count(words)) == (words, 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_a_fork_could_not_hide_is_left_to_the_kernel_and_as_in_one_of_its_own(
    project: TemporaryProject, site: Path
) -> None:
    look_alike(project, site, "a", "b")
    project.run("all", "-k", "-j", "2", *DEBUG, code=1, env=installed(site))
    assert_told_once(project)
    warm = [found(project, kind, warm=True) for kind in ("a", "b")]
    # Fresh kernels have nothing in common: one of each is as good as two.
    ones = [f"{name}_a" for name in UNFIT]
    project.run(*ones, "-f", "-k", "-j", "2", "--cold", code=1, env=installed(site))
    cold = found(project, "a", warm=False)
    assert warm == [cold, cold]


@pytest.mark.slow
def test_the_examples_imports_are_all_done_ahead(example: TemporaryProject) -> None:
    done = example.run("test")
    assert "left to each kernel" not in done.text
    assert all(stage["warm"] for stage in example.record("test")["stages"])


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """Run notebooks that look at what they have been forked with."""
    folder = tmp_path_factory.mktemp("forked")
    project, site = TemporaryProject(folder / "project"), folder / "site"
    site.mkdir()
    project.profile("all")
    for name in ("common", "alpha", "beta"):
        (site / f"{name}.py").write_text("", "utf-8")
    look = "print(sorted({'common', 'alpha', 'beta'} & set(sys.modules)))"
    project.notebook("a", "import sys\nimport common\nimport alpha", look)
    project.notebook("b", "import sys\nimport beta\nimport common", look)
    project.notebook("c", "import sys", look)
    draw = (
        "print(random.random(), np.random.rand(), np.random.default_rng().random(),\n"
        "      uuid.uuid4(), next(tempfile._get_candidate_names()))"
    )
    imports = "import random, tempfile, uuid\nimport numpy as np\nimport numpy.random"
    for stage in ("d", "e", "f"):
        project.notebook(stage, imports, draw)
    # It stands for PyTorch, whose generator is no object of Python's.
    fake = (
        "import os\n\n\nclass _Generator:\n    value = 7\n\n    def seed(self):\n"
        "        self.value = int.from_bytes(os.urandom(4))\n\n\ndefault_generator = _Generator()\n"
    )
    (site / "torch.py").write_text(fake, "utf-8")
    for stage in ("g", "h"):
        project.notebook(stage, "import torch", "print(torch.default_generator.value)")
    quiet = "import logging\nlogging.getLogger().setLevel(logging.ERROR)"
    (site / "quiet.py").write_text(quiet, "utf-8")
    project.notebook("i", "import logging\nimport quiet", "logging.warning('not to be seen')")
    (site / "heavy.py").write_text(f"open({str(site / 'imported')!r}, 'w')", "utf-8")
    path = project.notebook("j", "import heavy", "import numpy")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata["tags"] = ["skip-execution"]
    nbformat.write(notebook, path)
    project.run("all", env=installed(site))
    return project


def are_warm(project: TemporaryProject, stages: str) -> bool:
    """Tell whether the kernels of some stages were forked."""
    return all(project.stage_record("all", stage)["warm"] for stage in stages)


def test_no_notebook_finds_what_another_one_imports(forked: TemporaryProject) -> None:
    assert texts(forked, "a") == ["['alpha', 'common']\n"]
    assert texts(forked, "b") == ["['beta', 'common']\n"]
    assert texts(forked, "c") == ["[]\n"]
    assert are_warm(forked, "abc")


def test_random_numbers_differ_from_kernel_to_kernel(forked: TemporaryProject) -> None:
    assert are_warm(forked, "def")
    drawn = [number for stage in "def" for number in texts(forked, stage)[0].split()]
    assert len(set(drawn)) == 15


def test_a_fork_of_torch_draws_numbers_of_its_own(forked: TemporaryProject) -> None:
    assert are_warm(forked, "gh")
    assert len({7, *(int(texts(forked, stage)[0]) for stage in "gh")}) == 3


def test_what_an_import_does_to_logging_lasts(forked: TemporaryProject) -> None:
    assert are_warm(forked, "i")
    assert texts(forked, "i") == []


def test_skipped_cells_are_not_imported_ahead(forked: TemporaryProject) -> None:
    assert are_warm(forked, "j")
    assert not (forked.root.parent / "site" / "imported").exists()


COLD = {
    "environment": ("import os\nos.environ['N'] = '1'\nimport numpy", {}),
    "magic": ("%env N=1\nimport numpy", {}),
    "no_friend_of_forks": ("import ray", {}),
    "inner_import": ("def later():\n    import tensorflow", {}),
    "metadata": ("import numpy", {"runner": {"warm": False}}),
}


@pytest.mark.slow
def test_some_notebooks_get_a_cold_kernel(project: TemporaryProject, site: Path) -> None:
    (site / "ray.py").write_text("", "utf-8")
    for name, (source, metadata) in COLD.items():
        project.notebook(name, source, metadata=metadata)
    project.notebook("other", "import numpy")
    project.run("all", env=installed(site))
    warm = {stage["name"]: stage["warm"] for stage in project.record("all")["stages"]}
    assert warm == {**dict.fromkeys(COLD, False), "other": True}


def test_a_project_can_do_without_warm_kernels(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "import numpy")
    project.write("pyproject.toml", "[tool.runner]\nwarm = false\n")
    project.run("all")
    assert project.stage_record("all", "a")["warm"] is False


def test_mistakes_in_the_choice_of_a_kernel(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "import numpy", metadata={"runner": {"warm": "no"}})
    done = project.call("all", code=2)
    assert (
        "notebooks/a.ipynb: `warm` in its metadata, below `runner`, takes true or false" in done.err
    )
    project.write("pyproject.toml", '[tool.runner]\nwarm = "no"\n')
    done = project.call("all", code=2)
    assert "pyproject.toml" in done.err
    assert "takes true or false" in done.err


def test_what_a_stage_installs_is_what_the_next_one_imports(
    project: TemporaryProject, site: Path
) -> None:
    (site / "tool.py").write_text("version = 1", "utf-8")
    look = ("import tool", "print(tool.version)")
    project.notebook("a", *look)
    project.notebook("b", f"!echo pip install; echo 'version = 2' > {site}/tool.py")
    project.notebook("c", *look)
    project.run("all", env=installed(site))
    assert (texts(project, "a"), texts(project, "c")) == (["1\n"], ["2\n"])


def test_nothing_to_do_starts_nothing_and_imports_nothing_heavy(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.run("all")
    look = (
        "import runpy, subprocess, sys\n"
        "def refuse(*_, **__):\n    raise AssertionError('a process was started')\n"
        "subprocess.Popen = refuse\n"
        "sys.argv = ['run.py', 'all']\n"
        "try:\n    runpy.run_path('run.py', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "import json\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", look],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": ""},
    )
    found = json.loads(done.stdout.splitlines()[-1])
    heavy = {"papermill", "nbformat", "zmq", "pandas", "numpy", "asyncio", "psutil", "rich.live"}
    assert not heavy & set(found)
    kernel = {name for name in found if name.startswith("runner.kernels.")}
    assert kernel <= {"runner.kernels.forkless"}


def test_a_package_at_fault_is_tried_once_whatever_notebooks_take_from_it(
    project: TemporaryProject, site: Path
) -> None:
    package = site / "noisy"
    package.mkdir()
    log = "import logging, os\nlogging.getLogger('noisy').warning('imported')\n"
    tried = f"{log}open({str(site / 'tried')!r}, 'a').write('x')\n"
    package.joinpath("__init__.py").write_text(f"{tried}a = b = c = 1", "utf-8")
    package.joinpath("inner.py").write_text("", "utf-8")
    takes = "from noisy import a, b, c\nimport noisy.inner\nfrom noisy.inner import __name__"
    for name in ("one", "two"):
        project.notebook(name, takes)
    project.profile("all")
    project.run("all", env=installed(site))
    assert {stage["warm"] for stage in project.record("all")["stages"]} == {True}
    # Ahead, and in each of the two kernels.
    assert (site / "tried").read_text("utf-8") == "xxx"


def test_threads_that_a_package_starts_anew_after_a_fork_are_no_fault(
    project: TemporaryProject, site: Path
) -> None:
    start = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    for name in ("numexpr", "other"):
        (site / f"{name}.py").write_text(start, "utf-8")
        (site / f"uses_{name}.py").write_text(f"import {name}", "utf-8")
        project.notebook(f"a_{name}", f"import uses_{name}", parameters="x = 1")
    project.run("all", "--log-level", "DEBUG", env=installed(site))
    left = [line for line in project.log("all").splitlines() if "left to each kernel" in line]
    assert [line.partition("`")[2] for line in left] == [
        "import uses_other` is left to each kernel: it starts a thread"
    ]


def test_a_try_ends_where_it_meets_a_package_that_is_known_to_be_at_fault(
    project: TemporaryProject, site: Path
) -> None:
    tried = site / "tried"
    note = f"with open({str(tried)!r}, 'a') as file:\n    file.write(__name__ + ' ')\n"
    modules = {
        "culprit": UNFIT["starts"].source,
        "late": f"import culprit\n{note}",
        "ray": note,
        "later": "import ray",
        "fails": UNFIT["fails"].source,
        # What others only look for, or do without, is no fault of theirs.
        "looks": f"import importlib.util\nimportlib.util.find_spec('culprit')\n{note}",
        "copes": f"try:\n    import fails\nexcept OSError:\n    pass\n{note}",
    }
    for name, source in modules.items():
        (site / f"{name}.py").write_text(source, "utf-8")
    project.notebook("a", "import culprit\nimport late\nimport looks")
    project.notebook("b", "import later\nimport fails\nimport copes", parameters="x = 1")
    project.run("all", "-k", *DEBUG, code=1, env=installed(site))
    left = [line for line in project.log("all").splitlines() if "left to each kernel" in line]
    assert sorted(line.partition("`")[2] for line in left) == [
        "import culprit` is left to each kernel: it starts a thread",
        "import fails` is left to each kernel: it fails (OSError)",
        "import late` is left to each kernel: it imports culprit",
        "import later` is left to each kernel: it imports ray",
    ]
    # The first two by the notebooks' kernels, which find the other two done ahead.
    assert sorted(tried.read_text("utf-8").split()) == ["copes", "late", "looks", "ray"]

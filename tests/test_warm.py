"""Kernels are forked from warm processes where that cannot be noticed, and only there."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
import pytest

from tests.project import TemporaryProject, left, wait_for

SEEN = "import json, sys\nfrom pathlib import Path\n"


class Package(NamedTuple):
    """A module that does something when it is imported, and what the log must say of it."""

    source: str
    reason: str


UNFIT = {
    "prints": Package("print('hello')", "it prints something"),
    "writes": Package("import os\nos.write(1, b'hello')", "it prints something"),
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


@pytest.mark.parametrize("name", UNFIT)
def test_what_a_fork_could_not_hide_is_left_to_each_kernel(
    project: TemporaryProject, site: Path, name: str
) -> None:
    module = UNFIT[name]
    (site / f"{name}.py").write_text(module.source, "utf-8")
    (site / "beside.py").write_text("place = 'site'", "utf-8")
    (site / "jax.py").write_text("", "utf-8")
    project.write("notebooks/beside.py", "place = 'project'")
    project.write("notebooks/only_here.py", "print('only here')")
    cells = (f"import {name}", f"print('done', getattr({name}, 'beside', None) is not None)")
    for stage in ("a", "b"):
        # What it declares makes it independent of the other one.
        project.notebook(stage, *cells, parameters=f'output_it = "../outputs/all/{stage}.txt"')
    found = []
    for options in (["-k"], ["-f", "-k", "--cold"]):
        project.run("all", *options, code=None, env=installed(site))
        found.append([project.states("all"), texts(project, "a"), texts(project, "b")])
        if "--cold" not in options:
            log = project.log("all")
            assert log.count(f"`import {name}` is left to each kernel: {module.reason}") == 1, log
    assert found[0] == found[1]


def test_the_examples_imports_are_all_done_ahead(example: TemporaryProject) -> None:
    done = example.run("test")
    assert "left to each kernel" not in done.text
    assert all(stage["warm"] for stage in example.record("test")["stages"])


def test_no_notebook_finds_what_another_one_imports(project: TemporaryProject, site: Path) -> None:
    for name in ("common", "alpha", "beta"):
        (site / f"{name}.py").write_text("", "utf-8")
    look = "print(sorted({'common', 'alpha', 'beta'} & set(sys.modules)))"
    project.notebook("a", "import sys\nimport common\nimport alpha", look)
    project.notebook("b", "import sys\nimport beta\nimport common", look)
    project.notebook("c", "import sys", look)
    project.run("all", env=installed(site))
    assert texts(project, "a") == ["['alpha', 'common']\n"]
    assert texts(project, "b") == ["['beta', 'common']\n"]
    assert texts(project, "c") == ["[]\n"]
    assert all(stage["warm"] for stage in project.record("all")["stages"])


def test_random_numbers_differ_from_kernel_to_kernel(project: TemporaryProject) -> None:
    draw = (
        "print(random.random(), np.random.rand(), np.random.default_rng().random(),\n"
        "      uuid.uuid4(), next(tempfile._get_candidate_names()))"
    )
    imports = "import random, tempfile, uuid\nimport numpy as np\nimport numpy.random"
    project.profile("all")
    for stage in ("a", "b", "c"):
        project.notebook(stage, imports, draw)
    project.run("all")
    assert all(stage["warm"] for stage in project.record("all")["stages"])
    drawn = [number for stage in ("a", "b", "c") for number in texts(project, stage)[0].split()]
    assert len(set(drawn)) == 15


def test_a_fork_of_torch_draws_numbers_of_its_own(project: TemporaryProject, site: Path) -> None:
    # It stands for PyTorch, whose generator is no object of Python's.
    fake = (
        "import os\n\n\nclass _Generator:\n    value = 7\n\n    def seed(self):\n"
        "        self.value = int.from_bytes(os.urandom(4))\n\n\ndefault_generator = _Generator()\n"
    )
    (site / "torch.py").write_text(fake, "utf-8")
    for stage in ("a", "b"):
        project.notebook(stage, "import torch", "print(torch.default_generator.value)")
    project.run("all", env=installed(site))
    assert len({7, *(int(texts(project, stage)[0]) for stage in ("a", "b"))}) == 3


COLD = {
    "environment": ("import os\nos.environ['N'] = '1'\nimport numpy", {}),
    "magic": ("%env N=1\nimport numpy", {}),
    "no friend of forks": ("import ray", {}),
    "inner import": ("def later():\n    import tensorflow", {}),
    "metadata": ("import numpy", {"runner": {"warm": False}}),
}


@pytest.mark.parametrize("how", COLD)
def test_a_notebook_gets_a_cold_kernel(project: TemporaryProject, site: Path, how: str) -> None:
    source, metadata = COLD[how]
    (site / "ray.py").write_text("", "utf-8")
    project.notebook("a", source, metadata=metadata)
    project.notebook("b", "import numpy")
    project.run("all", env=installed(site))
    assert [stage["warm"] for stage in project.record("all")["stages"]] == [False, True]


@pytest.mark.parametrize("how", ["setting", "option"])
def test_a_project_can_do_without_warm_kernels(project: TemporaryProject, how: str) -> None:
    project.profile("all")
    project.notebook("a", "import numpy")
    if how == "setting":
        project.write("pyproject.toml", "[tool.runner]\nwarm = false\n")
    project.run("all", *(["--cold"] if how == "option" else []))
    assert project.stage_record("all", "a")["warm"] is False


def test_mistakes_in_the_choice_of_a_kernel(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "import numpy", metadata={"runner": {"warm": "no"}})
    done = project.run("all", code=2)
    assert (
        "notebooks/a.ipynb: `warm` in its metadata, below `runner`, takes true or false" in done.err
    )
    project.write("pyproject.toml", '[tool.runner]\nwarm = "no"\n')
    done = project.run("all", code=2)
    assert "pyproject.toml" in done.err
    assert "takes true or false" in done.err


def nurseries(below: psutil.Process) -> list[psutil.Process]:
    """Find the warm processes below one: the root first."""
    found = [
        one for one in below.children(recursive=True) if "nursery.py" in " ".join(one.cmdline())
    ]
    return sorted(found, key=lambda one: (one.create_time(), one.pid))


def test_stages_run_cold_once_the_warm_process_is_gone(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    wait = f"import time\nwhile not Path({str(tmp_path / 'go')!r}).exists():\n    time.sleep(0.05)"
    project.notebook(
        "a", "from pathlib import Path", f"Path({str(tmp_path / 'on')!r}).touch()", wait
    )
    for stage in ("b", "c"):
        project.notebook(stage, "import numpy")
    with project.running("all") as process:
        wait_for(tmp_path / "on")
        root = nurseries(psutil.Process(process.pid))[0]
        root.send_signal(signal.SIGKILL)
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert set(project.states("all").values()) == {"succeeded"}
    warm = [stage["warm"] for stage in project.record("all")["stages"]]
    assert warm == [True, False, False]
    assert project.log("all").count("the process that kernels are forked from ended") == 1


def test_an_import_that_takes_too_long_is_left_to_the_kernel(
    project: TemporaryProject, site: Path
) -> None:
    slow = "import os, time\nif 'IPYTHONDIR' not in os.environ:\n    time.sleep(600)"
    (site / "slow.py").write_text(slow, "utf-8")
    project.write("pyproject.toml", "[tool.runner]\nstart-timeout = 3\n")
    project.notebook("a", "import slow")
    project.notebook("b", "import slow")
    began = time.monotonic()
    done = project.run("all", env=installed(site))
    words = "its imports are not done after 3 seconds; its kernel does them"
    assert done.text.count(words) == 1
    assert "`import slow` is left to each kernel: it takes too long" in done.text
    assert [stage["warm"] for stage in project.record("all")["stages"]] == [False, True]
    # The import would take ten minutes.
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("wait", ["time.sleep(600)", "subprocess.run(['sleep', '600'])"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_runner_ends_while_imports_are_done(
    project: TemporaryProject, site: Path, sent: signal.Signals, wait: str
) -> None:
    mark = site / "begun"
    source = f"import subprocess, time\nopen({str(mark)!r}, 'w')\n{wait}"
    (site / "slow.py").write_text(source, "utf-8")
    project.notebook("a", "import slow")
    with project.running("all", env=installed(site)) as process:
        wait_for(mark)
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) >= 2
        process.send_signal(sent)
        expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
        assert process.wait(20) == expected[sent]
        assert left(below, 5) == []
    if sent is not signal.SIGKILL:
        assert project.states("all") == {"a": "cancelled"}


@pytest.mark.parametrize("first", ["root", "grown"])
def test_no_stage_waits_in_vain_when_warm_processes_are_killed(
    project: TemporaryProject, site: Path, first: str
) -> None:
    mark = site / "begun"
    slow = (
        f"import os, time\nopen({str(mark)!r}, 'w')\n"
        "if 'IPYTHONDIR' not in os.environ:\n    time.sleep(600)"
    )
    (site / "slow.py").write_text(slow, "utf-8")
    for stage in ("a", "b"):
        project.notebook(stage, "import numpy\nimport slow")
    with project.running("all", "-j", "2", env=installed(site)) as process:
        wait_for(mark)
        found = nurseries(psutil.Process(process.pid))
        for one in found if first == "root" else reversed(found):
            one.send_signal(signal.SIGKILL)
        assert process.wait(50) == 0
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}
    assert project.log("all").count("the process that kernels are forked from ended") == 1


def test_the_next_kernel_is_forked_while_a_stage_runs(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    wait = f"import time\nwhile not Path({str(tmp_path / 'go')!r}).exists():\n    time.sleep(0.05)"
    on = f"from pathlib import Path\nPath({str(tmp_path / 'on')!r}).touch()"
    project.notebook("a", "import numpy", on, wait)
    project.notebook("b", "import numpy", "import os\nprint(os.getpid())")
    with project.running("all") as process:
        wait_for(tmp_path / "on")
        runner, leaders = psutil.Process(process.pid), set[int]()
        while len(leaders) < 2:
            below = [one.pid for one in runner.children(recursive=True)]
            root = nurseries(runner)[0].pid
            leaders = {pid for pid in below if pid != root and os.getsid(pid) == pid}
            time.sleep(0.05)
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert int(texts(project, "b")[0]) in leaders


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


def test_skipped_cells_are_not_imported_ahead(project: TemporaryProject, site: Path) -> None:
    (site / "heavy.py").write_text(f"open({str(site / 'imported')!r}, 'w')", "utf-8")
    path = project.notebook("a", "import heavy", "import numpy")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata["tags"] = ["skip-execution"]
    nbformat.write(notebook, path)
    project.run("all", env=installed(site))
    assert not (site / "imported").exists()


def test_what_an_import_does_to_logging_lasts(project: TemporaryProject, site: Path) -> None:
    quiet = "import logging\nlogging.getLogger().setLevel(logging.ERROR)"
    (site / "quiet.py").write_text(quiet, "utf-8")
    project.notebook("a", "import logging\nimport quiet", "logging.warning('not to be seen')")
    project.run("all", env=installed(site))
    assert project.stage_record("all", "a")["warm"] is True
    assert texts(project, "a") == []


def test_warm_processes_and_spare_kernels_are_gone_after_a_run(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.notebook("a", "import numpy", "1 / 0")
    project.notebook("b", "import numpy")
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = project.run("all", code=1, env={"TMPDIR": str(folder)})
    assert "b: blocked" in done.text
    assert list(folder.iterdir()) == []
    left = [one.pid for one in psutil.process_iter() if _environ(one) == str(folder)]
    assert left == []


def _environ(process: psutil.Process) -> str:
    try:
        return process.environ().get("TMPDIR", "")
    except psutil.Error:
        return ""


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
    kernel = {name for name in found if name.startswith("runner.kernel.")}
    assert kernel <= {"runner.kernel.forkless"}

"""Kernels come up and are by themselves, wherever and however many they are.

The environment variable ROUNDS makes the longest of these tests longer.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.mistakes import told_once
from tests.project import TemporaryProject, both_ways, environment

STAGES = 20
ROUNDS = int(os.environ.get("ROUNDS", "1"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@both_ways
def test_twenty_kernels_come_up_at_once_again_and_again(project: TemporaryProject) -> None:
    project.profile("all")
    for number in range(STAGES):
        name = f"s{number:02}"
        write = f"open(output_a, 'w').write('{name}')"
        project.notebook(name, write, parameters=f'output_a = "../outputs/test/{name}.txt"')
    for _ in range(ROUNDS):
        out = project.run("all", "-f", "-j", str(STAGES)).out
        assert "the kernel did not start" not in out
        assert set(project.states("all").values()) == {"succeeded"}
    made = sorted(project.outputs("all").glob("s*.txt"))
    assert [path.read_text("utf-8") for path in made] == [path.stem for path in made]
    assert len(made) == STAGES


def test_stages_at_once_have_a_working_directory_each_of_their_own(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    for name, other in (("a", "b"), ("b", "a")):
        folder = tmp_path / name
        source = (
            "import os, pathlib, time\n\n"
            f"made = pathlib.Path(output_{name}).resolve()\n"
            f"os.makedirs('{folder}')\nos.chdir('{folder}')\n"
            f"while not os.path.exists('{tmp_path / other}'):\n    time.sleep(0.05)"
        )
        check = f"assert os.getcwd() == '{folder}'\nmade.touch()"
        parameters = f'output_{name} = "../outputs/test/{name}.txt"'
        project.notebook(name, source, check, parameters=parameters)
    project.run("all", "-j", "2", "--timeout", "60")


@pytest.mark.parametrize(
    "home",
    [
        "read-only",
        pytest.param("absent", marks=pytest.mark.slow),
        pytest.param("missing folder", marks=pytest.mark.slow),
    ],
)
def test_it_works_without_a_home(project: TemporaryProject, tmp_path: Path, home: str) -> None:
    project.profile("all")
    source = "import os\n\nimport matplotlib.pyplot as plt\n\nplt.plot([1, 2]);"
    project.notebook("a", source, "print('user', os.getuid())")
    homes: dict[str, str | None] = {
        "absent": None,
        "read-only": str(tmp_path / "home"),
        "missing folder": str(tmp_path / "nowhere"),
    }
    (tmp_path / "home").mkdir(mode=0o555)
    done = project.run("all", env={"HOME": homes[home], "MPLCONFIGDIR": str(tmp_path / "mpl")})
    assert f"user {os.getuid()}" in done.out
    assert not [*(tmp_path / "home").iterdir()]


def test_it_works_as_a_user_without_a_name(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "import os\n\nprint('user', os.getuid())", "!id -u")
    nameless = ["unshare", "--user", "--map-user=54321", "--map-group=54321"]
    if subprocess.run([*nameless, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace can be made here")
    done = subprocess.run(
        [*nameless, *project.command("all")],
        env=environment({"HOME": None, "USER": None, "LOGNAME": None}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a[1/2]: user 54321" in done.stdout
    assert "a[2/2]: 54321" in done.stdout


@both_ways
def test_sockets_are_private_and_gone_afterwards(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    source = (
        "import json, os, sys\n\n"
        "folder = os.path.dirname(sys.argv[-1])\n"
        "modes = {one.name: one.stat().st_mode for one in os.scandir(folder)}\n"
        f"json.dump([folder, os.stat(folder).st_mode, modes, json.load(open(sys.argv[-1]))], "
        f"open('{tmp_path}/seen', 'w'))"
    )
    project.notebook("a", source)
    project.run("all", env={"TMPDIR": None})
    folder, mode, modes, connection = json.loads((tmp_path / "seen").read_text("utf-8"))
    assert connection["transport"] == "ipc"
    assert mode & 0o777 == 0o700
    assert modes["kernel.json"] & 0o777 == 0o600
    assert len(os.fsencode(connection["ip"])) < 100
    assert not Path(folder).exists()


def test_a_kernel_of_the_users_does_not_take_the_interpreters_place(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    spec = {"argv": ["/bin/false"], "display_name": "Python 3", "language": "python"}
    project.write("jupyter/kernels/python3/kernel.json", json.dumps(spec))
    project.notebook("a", "import sys\n\nprint(sys.executable)")
    environment = {"JUPYTER_PATH": str(project.root / "jupyter")}
    done = project.run("all", env=environment)
    assert f"a[1/1]: {project.command()[0]}" in done.out
    assert project.record("all")["interpreter"] == project.command()[0]
    # Chosen on purpose, it is taken, and tried three times.
    project.write("pyproject.toml", '[tool.runner]\nkernel = "python3"\n')
    done = project.run("all", code=1, env=environment)
    assert done.out.count("the kernel did not start, trying again") == 2
    assert "the kernel did not start in 3 attempts" in done.out
    assert project.states("all") == {"a": "kernel_died"}


def test_a_kernel_that_is_not_installed_is_told_before_anything_runs(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    spec = {"display_name": "R", "language": "R", "name": "ir"}
    project.notebook("a", "1", metadata={"kernelspec": spec, "language_info": {"name": "R"}})
    told = told_once(project, "all")
    assert told.startswith("notebooks/a.ipynb: its kernel, `ir`, is not installed; install it")
    path = project.notebook("a", "1", metadata={"language_info": {"name": "R"}})
    notebook = json.loads(path.read_text("utf-8"))
    del notebook["metadata"]["kernelspec"]
    path.write_text(json.dumps(notebook), "utf-8")
    told = told_once(project, "all")
    assert told == "notebooks/a.ipynb: names no kernel; choose one in Jupyter and save it"


# What a notebook does to the kernel that runs it, a cell after that, and how the stage ends.
BREAKS = {
    "none": ("import sys\nsys.stdout = None", "succeeded"),
    "no-errors": ("import sys\nsys.stderr = None", "succeeded"),
    "junk": ("import sys\nsys.stdout = 3", "succeeded"),
    "handler": ("get_ipython().set_custom_exc((Exception,), lambda *_: 1 / 0)\n1 / 0", "failed"),
    "traceback": ("get_ipython().showtraceback = None\n1 / 0", "failed"),
    "runner": ("get_ipython().run_cell_async = None", "failed"),
    "hook": ("get_ipython().events.register('post_run_cell', lambda *_: 1 / 0)", "succeeded"),
}


def test_a_cell_that_breaks_what_answers_for_it_ends(project: TemporaryProject) -> None:
    project.profile("all")
    for name, (cell, _) in BREAKS.items():
        project.notebook(name, cell, "print('and on')")
    done = project.run("all", "--keep-going", "-j2", code=1)
    assert project.states("all") == {name: state for name, (_, state) in BREAKS.items()}
    for name in ("none", "junk"):
        assert f"{name}[1/2] kernel: sys.stdout could not be flushed" in done.out
        assert f"{name}[2/2]: and on" in done.out
    assert (
        "runner: failed in cell 2 of 2, In [2] (print('and on')): TypeError: what runs the cells"
        in done.out
    )


def test_a_notebook_and_its_programs_know_of_which_run_they_are(project: TemporaryProject) -> None:
    project.profile("all")
    (project.root / "notebooks" / "part").mkdir(parents=True)
    project.notebook("part/a", "!env | grep ^RUN_ | sort")
    for words in ((), ("-f", "--cold")):
        said = project.run("all", *words).out
        found = dict(re.findall(r"part/a\[1/1\]: (RUN_\w+)=(.*)", said))
        assert found == {
            "RUN_ID": project.runs("all")[-1].name,
            "RUN_NOTEBOOK": str(project.root / "notebooks" / "part" / "a.ipynb"),
            "RUN_OUTPUTS": str(project.outputs("all")),
            "RUN_PROFILE": "all",
            "RUN_STAGE": "part/a",
        }
    assert "part/a: skipped" in project.call("all").out


QUIET = """\
import logging

logging.getLogger("lib").info("QUIET")
logging.getLogger("lib").warning("LOUD")
print("and on")"""
CONFIGURED = """\
logging.basicConfig(format="%(message)s")
logging.getLogger("lib").info("NEVER")
logging.getLogger("lib").warning("SEEN")"""


@both_ways
def test_the_log_has_what_libraries_note_and_the_notebook_what_jupyter_would_show(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook("a", QUIET, CONFIGURED)
    said = project.run("all").out
    for line in ("INFO     a[1/2] lib: QUIET", "WARNING  a[1/2] lib: LOUD", "a[2/2]: SEEN"):
        assert line in said
    assert "NEVER" not in said
    outputs = [cell.outputs for cell in project.executed("all", "a").cells]
    shown = [{one.name: one.text for one in each} for each in outputs]
    assert shown == [{"stdout": "and on\n", "stderr": "LOUD\n"}, {"stderr": "SEEN\n"}]


def test_the_order_of_a_set_is_the_same_in_each_kernel(project: TemporaryProject) -> None:
    project.profile("all")
    child = "!{sys.executable} -c 'print(hash(\"a\"))'"
    project.notebook("a", f"import sys\n\nprint(hash('a'))\n{child}")
    found = []
    for words, seed in (((), ""), (("-f", "--cold"), ""), (("-f",), "7")):
        said = project.run("all", *words, env={"PYTHONHASHSEED": seed} if seed else {}).out
        found.append(re.findall(r"a\[1/1\]: (-?\d+)", said))
        assert project.record("all")["determinism"]["hash_seed"] == (seed or "0")
    (own, childs), cold, other = found
    assert own == childs
    assert cold == [own, own]
    assert other[0] == other[1] != own


# What waits for a person, and what is said of it.
WAITS = {
    "asks": ("x = 1\nname = input('who?')", "line 2 (name = input('who?')) waits for a person"),
    "getpass": ("from getpass import getpass\ngetpass()", "line 2 (getpass()) waits for"),
    "inner": ("def ask():\n    return input()\n\n\nask()", "line 2 (return input()) waits for"),
    "breaks": ("1\nbreakpoint()\n2", "line 2 (breakpoint()) waits for a person, and in a run "),
    "pdb": ("import pdb\npdb.set_trace()", "line 2 (pdb.set_trace()) waits for a person, and in"),
    "elsewhere": ("import fileinput, code\ncode.interact()", "line 2 (code.interact()) waits for"),
}


@pytest.mark.slow
def test_what_waits_for_a_person_is_named_with_the_mend(project: TemporaryProject) -> None:
    project.profile("all")
    for name, (cell, _) in WAITS.items():
        project.notebook(name, cell)
    done = project.run("all", "--keep-going", "-j2", code=1)
    for name, (cell, said) in WAITS.items():
        first = cell.splitlines()[0]
        assert f"{name}: failed in cell 1 of 1, In [1] ({first}): {said}" in done.out
    assert done.out.count("nobody answers; remove it") == 2
    assert done.out.count("nobody answers; make it a parameter") == 4

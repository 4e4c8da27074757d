"""What a stage is made from: modules, packages, files that are hard to look at."""

import json
import os
from pathlib import Path

import pytest

from runner.plan.hashes import Hashes
from runner.system.files import digest
from tests.project import TemporaryProject


def plan(project: TemporaryProject, **environment: str) -> dict[str, str]:
    """Ask what would run: for each stage what is said of it."""
    lines = project.run("-n", "all", env=environment).out.splitlines()
    return {name: " ".join(rest) for name, *rest in map(str.split, lines) if rest}


# A stage of each name imports the modules beside it, in its own way; one of them is changed.
FROM_ROOT = "import sys\n\nsys.path[:0] = ['..', '../src']\n"
MODULES = {
    "by_a_helper": ("import helper", "notebooks/bb.py"),
    "with_magics": (
        "%matplotlib inline\nif True:\n    %time import aa\n    import bb",
        "notebooks/bb.py",
    ),
    "by_a_path": ("import sys\n\nsys.path.insert(0, '../lib')\nimport far", "lib/far.py"),
    "as_a_script": ("%run bb.py", "notebooks/bb.py"),
    "beside_run_py": (f"{FROM_ROOT}import beside", "beside.py"),
    "in_src": (f"{FROM_ROOT}from package import inner", "src/package/inner.py"),
}


def test_modules_are_found_wherever_they_lie(project: TemporaryProject) -> None:
    project.profile("all")
    for name in {"notebooks/aa.py", "src/package/__init__.py", *(m for _, m in MODULES.values())}:
        project.write(name, "x = 1\n")
    helper = "import aa, bb\n\n\ndef f():\n    # really?\n    return bb\n"
    project.write("notebooks/helper.py", helper)
    for name, (cell, _) in MODULES.items():
        project.stage(name, cell, writes=(f"{name}.txt",))
    project.run("all")
    assert set(plan(project).values()) == {"skip up to date"}
    for module in {module for _, module in MODULES.values()}:
        project.write(module, "x = 2\n")
    said = {name: f"run module {module} changed" for name, (_, module) in MODULES.items()}
    said["as_a_script"] = "run notebooks/bb.py, which it read, changed"
    assert plan(project) == said


def test_the_packages_of_the_lock_count_by_whatever_name(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.write("requirements.txt", "My_Py.YAML==1\ngone==1\nnumpy==1\n")
    project.stage("a", writes=("a.txt",))
    site = tmp_path / "site"
    for name in ("my_py_yaml-1.0", "gone-1.0", "numpy-998.0", "unrelated-1.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    project.run("all", env={"PYTHONPATH": str(site)})
    (site / "unrelated-1.0.dist-info").rename(site / "unrelated-2.0.dist-info")
    assert plan(project, PYTHONPATH=str(site)) == {"a": "skip up to date"}
    (site / "gone-1.0.dist-info").rmdir()
    (site / "my_py_yaml-1.0.dist-info").rename(site / "My.Py_yaml-2.0.dist-info")
    (site / "numpy-998.0.dist-info").rename(site / "numpy-999.0.dist-info")
    (said,) = plan(project, PYTHONPATH=str(site)).values()
    assert sorted(said.removeprefix("run ").split("; ")) == [
        "package gone 1.0 → none",
        "package my-py-yaml 1.0 → 2.0",
        "package numpy 998.0 → 999.0",
    ]


@pytest.mark.timeout(60)
def test_a_pipe_as_an_input_is_not_waited_for_and_never_up_to_date(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    os.mkfifo(project.root / "pipe")
    project.notebook("a", "x = 1", parameters='input_pipe = "../pipe"')
    for _ in range(2):
        project.pretend("all")
        assert project.states("all") == {"a": "succeeded"}


def test_a_hash_is_remembered_once_a_file_has_settled(tmp_path: Path) -> None:
    settled, path, saved = Path(os.__file__), tmp_path / "file", tmp_path / "hashes.json"
    hashes = Hashes(saved)
    for number in range(200):
        path.write_text(f"{number:03}", "utf-8")
        assert hashes.of(path) == digest(path)
    # The same size, and a time of long ago: it may still change within the clock's grain.
    os.utime(path, (1, 1))
    hashes.of(path)
    assert hashes.of(settled) == digest(settled)
    hashes.save()
    assert [*json.loads(saved.read_text("utf-8"))["files"]] == [str(settled)]

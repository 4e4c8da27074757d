"""Packages that notebooks import and that are not there: told before anything runs."""

import pytest

from tests.mistakes import told, told_once
from tests.project import TemporaryProject

MISSING = "import no_such_package_xyz"


OWN = "if it is a module of the project, add its folder to sys.path; else "


def told_of(name: str = "no_such_package_xyz") -> str:
    """Give the words about a missing package."""
    return f"the package {name} is not installed"


@pytest.mark.parametrize("words", [("all",), ("-n", "all"), ("check",), ("b",), ("all", "-b")])
def test_a_missing_package_is_told_before_anything_runs(
    project: TemporaryProject, words: tuple[str, ...]
) -> None:
    project.profile("all")
    project.stage("a", writes=("x.txt",))
    project.stage("b", "import sys", MISSING, reads=("x.txt",), writes=("y.txt",))
    done = project.run(*words, code=2)
    assert done.out == ""
    assert done.err == (
        "run.py: 1 mistake in the project, nothing was run:\n"
        f"  notebooks/b.ipynb, cell 3 ({MISSING}): {told_of()}; {OWN}pip install "
        "no_such_package_xyz, and add it to requirements.txt\n"
    )
    assert not [*project.outputs("all").glob("*")]


def test_only_stages_that_may_run_count(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("x.txt",))
    project.stage("b", "if True:\n    import sys", reads=("x.txt",), writes=("y.txt",))
    project.pretend("all")
    project.stage("a", MISSING, writes=("x.txt",))
    assert project.call("-n", "b", code=2).err.count(told_of()) == 1
    project.stage("a", writes=("x.txt",))
    project.stage("c", MISSING, writes=("z.txt",))
    assert "up to date" in project.call("-n", "b").out
    project.pretend("b")
    assert project.call("check", code=2).err.count(told_of()) == 1
    assert project.call("list").code == 0
    assert project.call("status").code == 0


def test_every_missing_package_is_told_with_who_imports_it(project: TemporaryProject) -> None:
    project.profile("all")
    project.profile("test")
    project.notebook("a", "import no_such_a.part as x, os, no_such_b", "from no_such_a import y")
    project.notebook("b", "from no_such_b.deep import y", "import no_such_c; import no_such_a")
    first = "import no_such_a.part as x, os, no_such_b"
    also = " (also imported by notebooks/b.ipynb)"
    assert told(project, "-n", "test", "all") == [
        (
            f"notebooks/a.ipynb, cell 1 ({first}): {told_of('no_such_a')}{also}; "
            f"{OWN}pip install no_such_a, and add it to requirements.txt"
        ),
        (
            f"notebooks/a.ipynb, cell 1 ({first}): {told_of('no_such_b')}{also}; "
            f"{OWN}pip install no_such_b, and add it to requirements.txt"
        ),
        (
            "notebooks/b.ipynb, cell 2 (import no_such_c; import no_such_a): "
            f"{told_of('no_such_c')}; {OWN}pip install no_such_c, and add it to requirements.txt"
        ),
    ]


@pytest.mark.parametrize(
    ("cell", "mend"),
    [
        ("import cv2", "pip install opencv-python, and add it to requirements.txt"),
        ("from skimage import io", "pip install scikit-image, and add it to requirements.txt"),
        ("import nupmy", "did you mean `numpy`? Else pip install nupmy, and add it to requiremen"),
        ("import listed_there", "pip install -r requirements.txt"),
    ],
)
def test_the_mend_names_what_to_install(project: TemporaryProject, cell: str, mend: str) -> None:
    project.profile("all")
    project.write("requirements.txt", "# ours\nListed.There==1.0\nnumpy\n")
    project.notebook("a", cell)
    assert f"is not installed; {mend}" in told_once(project, "-n", "all")


@pytest.mark.parametrize(
    "cells",
    [
        [f"import os\n\n{MISSING} as x"],
        ["from no_such_package_xyz.deep import *"],
        [f"%matplotlib inline\n{MISSING}"],
        [f"%%time\n{MISSING}"],
        [f"\n# !pip install no_such_package_xyz\n{MISSING}"],
        ["print('pip install it')", MISSING],
        [MISSING, "%pip install no_such_package_xyz"],
        [f"{MISSING}\n!pip install no_such_package_xyz"],
        ["import sys\nsys.path.append('../lib')", MISSING],
        ["import sys, os\nsys.path.insert(0, os.path.abspath('../lib'))", MISSING],
        ["%cd ..", MISSING],
        ["import os\nos.environ['A'] = '1'", MISSING],
        ["!ls", MISSING],
    ],
)
def test_an_import_that_cannot_work_is_told(project: TemporaryProject, cells: list[str]) -> None:
    project.profile("all")
    project.notebook("a", *cells)
    assert told_of() in told_once(project, "-n", "all")


@pytest.mark.parametrize(
    "cells",
    [
        [f"try:\n    {MISSING}\nexcept ImportError:\n    x = None"],
        [f"if False:\n    {MISSING}"],
        [f"def f():\n    {MISSING}"],
        [f"import contextlib\nwith contextlib.suppress(ImportError):\n    {MISSING}"],
        ["%pip install no_such_package_xyz", MISSING],
        [f"!pip install -q no_such_package_xyz\n{MISSING}"],
        ["!{sys.executable} -m pip install no_such_package_xyz", MISSING],
        ["out = !pip3 install no_such_package_xyz", MISSING],
        ["%%bash\npip install no_such_package_xyz", MISSING],
        ["import sys\nsys.path.insert(0, '../data/lib.zip')", MISSING],
        ["%conda install no_such_package_xyz", MISSING],
        [
            (
                "import subprocess, sys\n"
                "subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'x'])"
            ),
            MISSING,
        ],
        ["import os\nos.system('pip install no_such_package_xyz')", MISSING],
        ["try:\n    import no_such\nexcept ImportError:\n    !pip install no_such", MISSING],
        ["!git clone https://x.org/no_such_package_xyz", MISSING],
        [f"%%writefile no_such_package_xyz.py\n{MISSING}", MISSING],
        [f"%%bash\n{MISSING}"],
        [f"%%javascript\n{MISSING}"],
        ["text = '''\nimport no_such_package_xyz\n'''"],
        ["import sys, types\nsys.modules['no_such_package_xyz'] = types", MISSING],
        ["import os, sys\nsys.path.append(os.environ['LIB'])", MISSING],
        ["import json, __main__, winreg\nfrom __future__ import annotations"],
        ["from . import no_such_package_xyz"],
    ],
)
def test_an_import_that_may_work_is_none_of_our_business(
    project: TemporaryProject, cells: list[str]
) -> None:
    project.profile("all")
    project.notebook("a", *cells)
    assert project.call("-n", "all").code == 0
    assert "no mistakes" in project.call("check").text


@pytest.mark.parametrize("tag", ["skip-execution", "raises-exception"])
def test_a_cell_that_is_skipped_or_expected_to_fail_does_not_count(
    project: TemporaryProject, tag: str
) -> None:
    project.profile("all")
    path = project.notebook("a", parameters=MISSING)
    path.write_text(path.read_text("utf-8").replace('"parameters"', f'"{tag}"'), "utf-8")
    assert project.call("-n", "all").code == 0


def test_after_a_stage_that_installs_packages_nothing_is_told(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("1_setup", "%pip install no_such_package_xyz", MISSING)
    project.notebook("2_use", MISSING)
    assert project.call("-n", "all").code == 0
    project.notebook("0_early", MISSING)
    assert told_of() in told_once(project, "-n", "all")


@pytest.mark.parametrize(
    ("file", "cell"),
    [
        ("notebooks/part/ours_xyz.py", "import ours_xyz"),
        ("notebooks/part/ours_xyz/deep.py", "from ours_xyz import deep"),
        ("notebooks/ours_xyz.py", "import ours_xyz"),
        ("ours_xyz.py", "import ours_xyz"),
        ("src/ours_xyz/__init__.py", "import ours_xyz.x"),
        ("lib/ours_xyz.py", "import sys\nsys.path.append('../../lib')\nimport ours_xyz"),
        ("a/b/ours_xyz.py", "import sys\nsys.path += [ROOT + '/a/b']\nimport ours_xyz"),
        ("a/b/ours_xyz/x.py", "import os\nos.chdir('../../a/b')\nimport ours_xyz"),
        ("a/ours_xyz.py", "%cd ../../a\nimport ours_xyz"),
        (
            "a/ours_xyz.cpython-311-x86_64-linux-gnu.so",
            "import site\nsite.addsitedir(A)\nimport ours_xyz",
        ),
        (
            "../beside/ours_xyz.py",
            "import sys\nsys.path.append(str(UP / 'beside'))\nimport ours_xyz",
        ),
        (
            "../beside/ours_xyz.py",
            "import sys\nsys.path.append('../../../beside')\nimport ours_xyz",
        ),
        ("notebooks/part/ours_xyz.ipynb", "import import_ipynb_of_ours\nimport ours_xyz"),
    ],
)
def test_a_module_of_the_project_is_no_missing_package(
    project: TemporaryProject, file: str, cell: str
) -> None:
    project.profile("all")
    (project.root / "notebooks/part").mkdir()
    project.write("notebooks/part/import_ipynb_of_ours.py", "")
    project.notebook("part/a", cell)
    assert told_of("ours_xyz") in told_once(project, "-n", "part/a")
    project.write(file, json_of(file))
    assert project.call("-n", "part/a").code == 0


def test_a_module_that_is_elsewhere_in_the_project_is_mentioned(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook("a", "import ours_xyz")
    project.write("lib/ours_xyz.py", "")
    assert told_once(project, "-n", "all") == (
        f"notebooks/a.ipynb, cell 1 (import ours_xyz): {told_of('ours_xyz')}; if lib/ours_xyz.py "
        "is meant, add its folder to sys.path; else pip install ours_xyz, and add it to "
        "requirements.txt"
    )


def json_of(file: str) -> str:
    """Give an empty file, or a notebook."""
    return '{"nbformat": 4, "metadata": {}, "cells": []}' if file.endswith("ipynb") else ""


def test_a_module_that_extends_the_path_counts_as_the_notebook_does(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook("a", "import set_paths\nimport ours_xyz")
    project.write("notebooks/set_paths.py", "x = 1")
    project.write("deep/in/it/ours_xyz.py", "")
    assert told_of("ours_xyz") in told_once(project, "-n", "all")
    project.write("notebooks/set_paths.py", "import sys\nsys.path.append(ANYWHERE)")
    assert project.call("-n", "all").code == 0


def test_a_module_of_an_environment_or_of_a_build_is_none_of_the_project(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook("a", "import sys\nsys.path.append(LIB)\nimport ours_xyz")
    project.write("env/pyvenv.cfg", "")
    project.write("env/lib/ours_xyz.py", "")
    project.write(".hidden/ours_xyz.py", "")
    assert told_of("ours_xyz") in told_once(project, "-n", "all")


def test_notebooks_on_another_kernel_or_in_another_language_are_left_alone(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    spec = {"name": "python3", "language": "julia", "display_name": "Julia"}
    metadata = {"kernelspec": spec, "language_info": {"name": "julia"}}
    project.notebook("a", MISSING, metadata=metadata)
    assert project.call("-n", "all").code == 0
    project.notebook("a", MISSING)
    assert told_of() in told_once(project, "-n", "all")
    project.write("pyproject.toml", "[tool.runner]\nkernel = 'python3'\n")
    assert project.call("-n", "all").code == 0


def test_a_package_is_looked_up_and_not_imported(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("prefix/ours_xyz/__init__.py", "raise SystemExit('imported')")
    project.notebook("a", "import ours_xyz")
    project.run("-n", "all", env={"PYTHONPATH": str(project.root / "prefix")})

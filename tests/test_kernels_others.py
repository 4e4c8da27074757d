"""Notebooks run in kernels that are not ours: chosen by name, or in another language."""

import json
import sys

import pytest

from tests.project import TemporaryProject


def kernel(project: TemporaryProject, name: str, **spec: object) -> dict[str, str | None]:
    """Install a kernel in the project's own folder; give the environment that finds it."""
    given = {"display_name": name, "language": "python", **spec}
    project.write(f"jupyter/kernels/{name}/kernel.json", json.dumps(given))
    return {"JUPYTER_PATH": str(project.root / "jupyter")}


def test_python_notebooks_run_in_the_kernel_that_is_chosen_by_name(
    project: TemporaryProject,
) -> None:
    project.profile("all", "a:\n  x: 3\n")
    project.write("pyproject.toml", '[tool.runner]\nkernel = "mine"\n')
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    found = kernel(project, "mine", argv=command, env={"WHOSE": "of my own"})
    project.notebook("a", "import os\n\nprint(os.environ['WHOSE'], x)", parameters="x = 1")
    assert "a[2/2]: of my own 3" in project.run("all", env=found).out
    assert project.stage_record("all", "a")["warm"] is False


def test_what_a_kernel_says_that_does_not_start_is_told(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("pyproject.toml", '[tool.runner]\nkernel = "mine"\n')
    found = kernel(project, "mine", argv=["sh", "-c", "echo no licence >&2; exit 1"])
    project.notebook("a", "x = 1")
    out = project.run("all", code=1, env=found).out
    assert out.count("the kernel did not start, trying again: no licence") == 2
    assert "the kernel did not start in 3 attempts: no licence" in out
    assert project.states("all") == {"a": "kernel_died"}


@pytest.mark.slow
def test_a_notebook_in_another_language_runs_in_its_kernel(project: TemporaryProject) -> None:
    project.profile("all", "a:\n  x: 3\n")
    command = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
    found = kernel(project, "bash", argv=command, language="bash", env={"PS1": "$"})
    spec = {"name": "bash", "display_name": "Bash", "language": "bash"}
    bash = {"kernelspec": spec, "language_info": {"name": "bash"}}
    parameters = 'x=2\noutput_a="../outputs/test/a.txt"'
    cells = ('echo "x is $x"', 'echo $((x * 2)) > "$output_a"')
    project.notebook("a", *cells, parameters=parameters, metadata=bash)
    project.notebook("b", "false", "echo never", metadata=bash)
    project.stage("c", reads=("a.txt",), writes=("c.txt",))
    out = project.run("all", "-k", "-j", "2", code=1, env=found).out
    assert "a[2/3]: x is 3" in out
    assert (project.outputs("all") / "c.txt").read_text("utf-8") == "c\n6\n"
    assert project.states("all") == {"a": "succeeded", "b": "failed", "c": "succeeded"}
    assert "b: failed in cell 1 of 2, In [1] (false): error: 1" in out
    ran = project.executed("all", "b").cells
    assert [cell.metadata.papermill.status for cell in ran] == ["failed", "pending"]
    warm = {stage["name"]: stage["warm"] for stage in project.record("all")["stages"]}
    assert warm == {"a": False, "b": False, "c": True}

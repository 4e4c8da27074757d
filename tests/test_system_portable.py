"""What is done without the means of Linux is recorded as such, and is right.

`.ci/run` has the main tests done so, too.
"""

import psutil

from tests.project import TemporaryProject


def test_the_portable_way_is_chosen_in_the_settings(project: TemporaryProject) -> None:
    project.write("pyproject.toml", "[tool.runner]\nportable = true\n")
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.stage("b", "import numpy", reads=("a.txt",), writes=("b.txt",))
    done = project.run("all")
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}
    record = project.record("all")
    assert record["portable"]
    assert [stage["warm"] for stage in record["stages"]] == [False, False]
    # There is no control group that could allow less.
    assert f"{psutil.virtual_memory().total / 2**30:.1f} GiB of memory" in done.out
    assert project.to_run() == []
    project.write("pyproject.toml", "[tool.runner]\nportable = 'yes'\n")
    assert "portable: takes true or false" in project.call("all", code=2).err

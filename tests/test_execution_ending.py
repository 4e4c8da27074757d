"""A stage has ended when all that its notebook began has ended."""

from typing import NamedTuple

import pytest

from tests.project import TemporaryProject, both_ways, wait_for

SAY = """\
import asyncio, atexit, subprocess, sys, threading, time
from pathlib import Path

go = threading.Event()

def work():
    with open(output_x, "w") as file:
        file.write("begun, ")
        file.flush()
        go.wait()
        time.sleep(0.3)
        print("LATE", flush=True)
        file.write("done")

async def task():
    await asyncio.sleep(0.2)
    await asyncio.to_thread(work)
"""
CHILD = "import sys, time\\nf = open(sys.argv[1], 'w')\\ntime.sleep({0})\\nf.write('begun, done')"
CELLS = {
    "thread": "t = threading.Thread(target=work)\nt.start()",
    "timer": "t = threading.Timer(0.3, work)\nt.start()",
    "task": "t = asyncio.create_task(task())",
    "executor": "from concurrent.futures import ThreadPoolExecutor\n"
    "pool = ThreadPoolExecutor(1)\nfuture = pool.submit(work)",
    "handler": "atexit.register(work);",
    "inner_thread": "begin = lambda: threading.Thread(target=work).start()\n"
    "t = threading.Thread(target=begin)\nt.start()",
}
# How a later cell waits for it.
LATER = {"thread": "t.join()", "task": "await t", "executor": "future.result()"}
# A shell that waits for a command of its script has not ended.
SHELLS = {
    "script": 'subprocess.Popen(f"sleep {0}; printf %s begun, > {{output_x}}; sleep {0}; '
    "printf %s ' done' >> {{output_x}}\", shell=True)",
    "script_list": 'subprocess.Popen(["sh", "-c", f"sleep {0}; printf %s \'begun, done\' > '
    '{{output_x}}; :"])',
}
# A process prints for itself; that it has ended is all that counts.
PROCESS = f'p = subprocess.Popen([sys.executable, "-c", "{CHILD}", output_x])'


class Endless(NamedTuple):
    """What does not end, and how it is named."""

    cell: str
    named: str


ENDLESS = {
    "thread": Endless(
        "threading.Thread(target=time.sleep, args=(600,), name='fetcher').start()", "thread fetcher"
    ),
    "task": Endless(
        "async def forever():\n    while True:\n        await asyncio.sleep(0.1)\n"
        "t = asyncio.create_task(forever())",
        "task forever",
    ),
    "handler": Endless("atexit.register(time.sleep, 600);", "an exit handler"),
    "process": Endless(PROCESS.format(600), "writes outputs/all/process.txt"),
    "script": Endless(f"Path(output_x).touch()\n{SHELLS['script'].format(600)};", "(/bin/sh -c"),
}
DEATHS = {
    "exits": ("import os\natexit.register(os._exit, 3);", "exit status 3"),
    "segfault": ("import ctypes\natexit.register(ctypes.string_at, 0);", "SIGSEGV"),
    "killed": ("import os, signal\natexit.register(os.kill, os.getpid(), 9);", "SIGKILL"),
}
WRITE = "Path(output_x).write_text('x');"


def stage(project: TemporaryProject, name: str, *cells: str) -> None:
    """Write a stage with the output `<name>.txt`."""
    project.notebook(name, SAY, *cells, parameters=f'output_x = "../outputs/test/{name}.txt"')


def texts(project: TemporaryProject, name: str) -> list[str]:
    """Give what each code cell of the executed notebook has shown, but for those that say how."""
    cells = [one for one in project.executed("all", name).cells if one.cell_type == "code"]
    shown = ["".join(each.get("text", "") for each in one.outputs) for one in cells]
    return [text for one, text in zip(cells, shown, strict=True) if one.source != SAY][2:]


@both_ways
def test_what_a_notebook_began_is_waited_for_and_its_text_is_kept(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    for name, cell in CELLS.items():
        stage(project, name, cell, "print('next')\ngo.set()")
    for name, later in LATER.items():
        stage(project, f"{name}_later", CELLS[name], f"go.set()\n{later}\nprint('next')")
    stage(project, "process", PROCESS.format(1), "print('next')")
    for name, cell in SHELLS.items():
        begun = f"Path(output_x).touch()\n{cell.format(0.7)};"
        stage(project, name, begun, "print('next')")
    daemon = "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
    stage(project, "daemon", daemon, WRITE)
    project.run("all", "-k")
    log = project.log("all")
    for name in project.states("all"):
        assert (name, project.states("all")[name]) == (name, "succeeded")
        if name == "daemon":
            continue
        text = (project.outputs("all") / f"{name}.txt").read_text("utf-8")
        assert (name, text) == (name, "begun, done")
        if name in {"process", *SHELLS}:
            continue
        # As in Jupyter, a thread's text stands below the cell that runs, a task's below its own.
        last = "LATE\nnext\n" if name.endswith("_later") else "next\nLATE\n"
        expected = ["LATE\n", "next\n"] if "task" in name else ["", last]
        assert (name, texts(project, name)) == (name, expected)
        assert any(f" {name}[" in line for line in log.splitlines() if line.endswith(": LATE"))
    assert project.to_run() == []


@pytest.mark.slow
@both_ways
def test_what_does_not_end_fails_the_stage_and_is_named(
    project: TemporaryProject, *, cold: bool
) -> None:
    project.profile("all")
    warm = "warm = false\n" if cold else ""
    project.write("pyproject.toml", f'[tool.runner]\nend-timeout = "2s"\n{warm}')
    for name, (cell, _) in ENDLESS.items():
        stage(project, name, cell, WRITE if name not in {"process", "script"} else "")
    for name, (cell, _) in DEATHS.items():
        stage(project, name, cell, WRITE)
    project.run("all", "-k", code=1)
    for name, (_, named) in ENDLESS.items():
        record = project.stage_record("all", name)
        assert (name, record["state"]) == (name, "failed")
        assert "still at work 2.0 s after the last cell" in record["error"]
        assert named in record["error"]
        assert "end-timeout" in record["error"]
    for name, (_, how) in DEATHS.items():
        record = project.stage_record("all", name)
        assert (name, record["state"]) == (name, "kernel_died")
        assert f"the kernel died after the last cell: {how}" in record["error"]
    assert project.to_run() == [*sorted({**ENDLESS, **DEATHS})]


@pytest.mark.slow
def test_a_run_can_be_stopped_while_a_stage_ends(project: TemporaryProject) -> None:
    project.profile("all")
    stage(project, "a", ENDLESS["thread"].cell, WRITE)
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "waits for what is still at work")
        assert "up to 1 min 0 s: thread fetcher" in project.log("all")
        project.run("stop")
        assert process.wait(30) == 143
    assert project.states("all") == {"a": "cancelled"}
    assert project.to_run() == ["a"]


@pytest.mark.parametrize(
    "kind", ["thread", *(pytest.param(one, marks=pytest.mark.slow) for one in ("task", "handler"))]
)
def test_the_limit_of_a_stage_holds_to_its_very_end(project: TemporaryProject, kind: str) -> None:
    project.profile("all")
    stage(project, "a", ENDLESS[kind].cell, WRITE)
    project.run("all", "--timeout", "4", code=1)
    record = project.stage_record("all", "a")
    assert record["state"] == "timed_out"
    assert ENDLESS[kind].named in record["error"]
    assert "timeout" in record["error"]
    assert project.to_run() == ["a"]


@pytest.mark.slow
def test_a_kernel_that_answers_no_more_has_not_succeeded(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("pyproject.toml", "[tool.runner]\nend-timeout = 3\n")
    kill = "import os, subprocess\nstop = f'sleep 1; kill -STOP {os.getpid()}'"
    stage(project, "a", WRITE, f"{kill}\nsubprocess.Popen(['sh', '-c', stop])")
    # It has no time to end before it is stopped.
    stage(project, "b", WRITE, "import atexit, os\natexit.register(os.kill, os.getpid(), 19)")
    project.run("all", "-k", code=1)
    assert project.states("all")["b"] == "failed"
    assert "still at work 3.0 s after the last cell" in project.log("all")

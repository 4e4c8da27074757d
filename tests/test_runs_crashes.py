"""A signal at any moment, to whom it may be: the same command goes on, and gives the same result.

The environment variables CRASHES, SEED and TOGETHER make these tests longer, or the same again.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from runner.runs.journal import read_journal
from tests.project import WAIT, TemporaryProject, none_left

TOGETHER = int(os.environ.get("TOGETHER", "4"))
CRASHES = int(os.environ.get("CRASHES", "3"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(10**6))))


def six_stages(project: TemporaryProject) -> None:
    """Write a build of six stages: two that read nothing, two in between, two at the end.

    Each is at work for a moment, with a process that would go on for long.
    """
    project.profile("all")
    work = (
        "import subprocess, time\n\n"
        '_ = subprocess.Popen(["sleep", "600"], start_new_session=True)\n'
        "time.sleep(0.3)"
    )
    reads = {"a": (), "b": (), "c": ("a",), "d": ("a", "b"), "e": ("c", "d"), "f": ("e",)}
    for name, inputs in reads.items():
        read = tuple(f"{one}.txt" for one in inputs)
        project.stage(name, work, reads=read, writes=(f"{name}.txt",))


def artifacts(project: TemporaryProject) -> dict[str, bytes]:
    """Give the files that the stages have written."""
    written = [path for path in project.outputs("all").glob("*.txt") if path.name != "log.txt"]
    return {path.name: path.read_bytes() for path in written}


def whole(project: TemporaryProject) -> None:
    """Assert that no notebook, no record and nothing else that is read again is torn."""
    for path in project.root.glob("outputs/all/**/*.ipynb"):
        nbformat.read(path, as_version=4)
    for path in project.root.glob("outputs/**/*.json"):
        if not path.name.startswith("."):
            json.loads(path.read_text("utf-8"))


def made_in(run: Path) -> list[str]:
    """Give the stages that a run has finished."""
    return [event["stage"] for event in read_journal(run / "journal.jsonl") if event.get("made")]


# Whom a signal is sent to. What remains is to end, to go on, or to be told truly.
WHOM = ("runner", "group", "runner and kernels", "kernel", "kernels", "guards", "keepers", "warm")
HOW = (
    (signal.SIGKILL,),
    (signal.SIGTERM,),
    (signal.SIGINT,),
    (signal.SIGSTOP, signal.SIGKILL),
)
# Those that nobody may stop go on by themselves.
ALONE = {"guards": [(signal.SIGSTOP,)], "keepers": [(signal.SIGSTOP,)]}


def victims(runner: psutil.Process, who: str) -> list[psutil.Process]:
    """Find those to whom a signal goes, as far as they are there."""
    below = runner.children(recursive=True)
    guards = [one for one in below if _says(one.name) == "kernel-guard"]
    kernels = [one for one in below if _says(one.ppid) in {guard.pid for guard in guards}]
    scripts = {one: _script(one) for one in below if one not in (*guards, *kernels)}
    return {
        "runner": [runner],
        "group": [runner, *(one for one in below if _says(os.getpgid, one.pid) == runner.pid)],
        "runner and kernels": [runner, *kernels],
        "kernel": kernels[:1],
        "kernels": kernels,
        "guards": guards,
        "keepers": [one for one, script in scripts.items() if script == "guard.py"],
        "warm": [one for one, script in scripts.items() if script == "nursery.py"],
    }[who]


def _says(ask: Callable[..., Any], *about: object) -> Any:  # noqa: ANN401
    """Ask something of a process that may have ended: then None."""
    with contextlib.suppress(psutil.Error, OSError):
        return ask(*about)
    return None


def _script(process: psutil.Process) -> str | None:
    words = _says(process.cmdline) or ()
    return next((Path(one).name for one in words[:6] if one.endswith(".py")), None)


def of_run(mark: str) -> list[psutil.Process]:
    """Give all processes of a run, wherever they went, by a variable of its environment."""
    found = psutil.process_iter()
    return [one for one in found if (_says(one.environ) or {}).get("RUN_OF_TEST") == mark]


def struck(
    process: subprocess.Popen[str], who: str, how: tuple[signal.Signals, ...], pause: float
) -> bool:
    """Send signals as soon as there is someone to send them to; tell whether there was."""
    runner = psutil.Process(process.pid)
    while not (found := victims(runner, who)) and process.poll() is None:
        time.sleep(0.01)
    for number, sent in enumerate(how):
        time.sleep(pause if number else 0)
        for one in found:
            _says(one.send_signal, sent)
    return bool(found)


def true_ends(who: str, how: tuple[signal.Signals, ...], code: int) -> set[str]:
    """Give the states in which a run may be whose runner ended with this exit code."""
    if code == 1:
        assert who.startswith(("kernel", "runner and")) or (who, how[-1]) == ("guards", 9)
        return {"kernel_died", "failed"}
    if code < 0:
        # It may have been done already.
        return {"lost", "succeeded"}
    return {{0: "succeeded", 130: "cancelled", 143: "cancelled"}[code]}


@pytest.mark.slow
@pytest.mark.timeout(14400)
def test_a_signal_to_anyone_at_any_moment(project: TemporaryProject) -> None:
    print(f"{CRASHES} crashes, seed {SEED}")  # noqa: T201 - to do the same again
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    six_stages(project)
    longest = []
    for options in ([], ["--cold"]):
        began = time.monotonic()
        project.run("all", "-f", *options)
        longest.append(time.monotonic() - began)
    undisturbed = artifacts(project)
    assert len(undisturbed) == 6
    for crash in range(CRASHES):
        shutil.rmtree(project.outputs("all"))
        who = chance.choice(WHOM)
        how = chance.choice((*HOW, *ALONE.get(who, ())))
        cold = who == "keepers" or (who != "warm" and chance.random() < 0.5)
        words = ["all", "-j", chance.choice(["1", "3"]), *(["--cold"] if cold else [])]
        after, pause = chance.uniform(0.05, longest[cold]), chance.uniform(0, 1)
        mark = f"{os.getpid()}-{crash}"
        with project.running(*words, env={"RUN_OF_TEST": mark}, within=["setsid"]) as process:
            time.sleep(after)
            late = "" if struck(process, who, how, pause) else ", too late"
            out, _ = process.communicate(timeout=120)
        code = process.returncode
        print(crash, words, who, [one.name for one in how], after, pause, code, late)  # noqa: T201
        none_left(of_run(mark))
        whole(project)
        runs = project.runs("all") if (project.outputs("all") / "runs").is_dir() else []
        finished = made_in(runs[0]) if runs else []
        told = f"{out}\n{project.run(*words).out}"
        assert sorted(finished + made_in(project.runs("all")[-1])) == list("abcdef"), told
        assert artifacts(project) == undisturbed
        whole(project)
        if len(project.runs("all")) > 1:
            first = json.loads((runs[0] / "run.json").read_text("utf-8"))
            assert first["state"] in true_ends(who, how, code), told
            assert {stage["state"] for stage in first["stages"]}.isdisjoint({None, "running"}), told


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rounds", [1, pytest.param(TOGETHER, marks=pytest.mark.slow)])
def test_of_two_runs_started_together_one_runs(
    project: TemporaryProject, tmp_path: Path, rounds: int
) -> None:
    project.profile("all")
    go = tmp_path / "go"
    project.stage("a", WAIT.format(marker=go), writes=("a.txt",))
    for count in range(1, rounds + 1):
        with project.running("all", "-f") as one, project.running("all", "-f") as other:
            end = time.monotonic() + 60
            while one.poll() is None and other.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            # One is refused while the other runs, which ends when it is told to.
            assert sorted([str(one.poll()), str(other.poll())]) == ["5", "None"]
            go.touch()
            codes = sorted([one.wait(60), other.wait(60)])
            assert one.stdout is not None
            assert other.stdout is not None
            text = one.stdout.read() + other.stdout.read()
        go.unlink()
        assert codes == [0, 5]
        assert "another run holds outputs/all/: run 20" in text
        assert len(project.runs("all")) == count
        assert (project.outputs("all") / "a.txt").read_text("utf-8") == "a\n"

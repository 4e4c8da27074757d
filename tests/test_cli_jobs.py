"""Runs that nobody watches: in the background, asked after and stopped from elsewhere."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.project import WAIT, TemporaryProject, wait_for
from tests.terminals import end_all, exit_status, on_terminal, seen
from tests.web_hook import web_hook


@pytest.fixture(autouse=True)
def _nothing_left(project: TemporaryProject) -> Iterator[None]:
    yield
    end_all(project)


def ended(project: TemporaryProject, profile: str = "all", seconds: float = 60) -> str:
    """Wait until the newest run has ended; give its state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        (build,) = json.loads(project.call("status", profile, "--json").out)["builds"]
        if build["run"]["state"] != "running":
            return str(build["run"]["state"])
        time.sleep(0.1)
    message = "the run goes on"
    raise AssertionError(message)


def test_a_run_in_the_background_outlives_its_terminal(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    with on_terminal(project.root, project.command("all", "-b")) as (pid, terminal):
        found = seen(terminal, "end it in good order")
        assert exit_status(pid, 60) == 0
    run = re.search(r"run (\S+) goes on in the background on \S+", found)
    assert run is not None
    assert "builds outputs/all/: a, b" in found
    wait_for(project.outputs("all") / "log.txt", "here")
    (tmp_path / "go").touch()
    assert ended(project) == "succeeded"
    assert project.runs("all")[-1].name == run[1]
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}


def test_a_run_on_a_terminal_that_closes_goes_on(project: TemporaryProject, tmp_path: Path) -> None:
    project.waiting(tmp_path / "go")
    with on_terminal(project.root, project.command("all")) as (pid, terminal):
        seen(terminal, "here")
        os.kill(pid, signal.SIGHUP)
        (tmp_path / "go").touch()
        seen(terminal, "all succeeded")
        assert exit_status(pid, 60) == 0


def test_a_job_that_cannot_start_says_so_before_it_returns(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    done = project.run("all", "-b", "-p", "a.nothing=1", code=2)
    assert "nothing" in done.err
    assert "background" not in done.text
    assert not project.outputs("all").exists()
    project.run("all", "-b")
    done = project.run("all", "-b", code=5)
    assert "another run holds outputs/all/" in done.err
    assert "background" not in done.text
    (tmp_path / "go").touch()
    assert ended(project) == "succeeded"


def test_a_run_in_the_background_has_no_terminal_and_its_own_session(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    project.run("all", "-b")
    # A child of it that is about to be another program has the same words still.
    found = {
        one.pid: one
        for one in psutil.process_iter()
        if _words(one)[-2:] == ["all", "-b"] and str(project.root) in " ".join(_words(one))
    }
    (runner,) = {found[os.getsid(pid)] for pid in found}
    assert runner.terminal() is None
    assert [Path(f"/proc/{runner.pid}/fd/{n}").readlink() for n in (0, 1)] == [
        Path("/dev/null")
    ] * 2
    project.run("stop")
    assert ended(project) == "cancelled"


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize(
    ("word", "now"),
    [
        ("nothing", False),
        ("run id", True),
        pytest.param("profile", False, marks=pytest.mark.slow),
    ],
)
def test_stop_ends_a_run_in_good_order(
    project: TemporaryProject, tmp_path: Path, word: str, *, now: bool
) -> None:
    project.waiting(tmp_path / "never")
    project.run("all", "-b")
    wait_for(project.outputs("all") / "log.txt", "here")
    run = project.runs("all")[-1].name
    words = {"profile": ["all"], "run id": [run], "nothing": []}[word]
    done = project.run("stop", *words, *(["--now"] if now else []))
    assert f"asked run {run} on " in done.out
    assert "it has ended: cancelled" in done.out
    record = project.record("all")
    assert (record["state"], record["exit_code"]) == ("cancelled", 143)
    assert project.states("all") == {"a": "cancelled", "b": "cancelled"}
    assert re.search(r"stopped by `run.py stop` on \S+", project.log("all"))
    assert not [*project.runs("all")[-1].glob("stop.json")]
    assert f"run {run} has ended (cancelled)" in project.call("stop", "all").out
    assert "nothing is running" in project.call("stop").out


@pytest.mark.parametrize(
    "end",
    [
        "| true",
        ">&- 2>&- <&-",
        *(pytest.param(one, marks=pytest.mark.slow) for one in (">&-", "2>&-", "<&-")),
    ],
)
def test_a_run_in_the_background_needs_nobody_who_listens(
    project: TemporaryProject, end: str
) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    line = f"{shlex.join(project.command('all', '-b'))} {end}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=project.root, check=False)
    assert done.returncode == 0
    assert ended(project) == "succeeded"


@pytest.mark.slow
def test_what_a_terminal_did_not_take_is_told_when_it_goes_on(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    wait = WAIT.format(marker=tmp_path / "go")
    after = f"print('after')\n{wait}"
    project.stage("a", "print('x' * 200_000)", after, writes=("a.txt",))
    with project.running("all") as process:
        # The next line is in the log when the terminal is waited for no longer.
        wait_for(project.outputs("all") / "log.txt", ": after")
        assert process.stdout is not None
        process.stdout.read(60_000)
        (tmp_path / "go").touch()
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert re.search(r"\n\[[\d,]+ bytes are not shown here; the log has them\]\n", rest)
    assert "run: all succeeded" in rest


@pytest.mark.slow
def test_lines_are_not_lost_on_a_connection_that_is_slow(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", "for n in range(5000):\n    print(n, 'x' * 100)", writes=("a.txt",))
    ours, theirs = socket.socketpair()
    theirs.settimeout(0)
    ours.settimeout(60)
    with ours, ours.makefile(encoding="utf-8") as file:
        with theirs:
            process = subprocess.Popen(
                project.command("all"), cwd=project.root, stdout=theirs.fileno()
            )
        log, size = project.outputs("all") / "log.txt", -1
        wait_for(log, " 20 xxx")
        # The connection is full when nothing more is written.
        while size != (size := log.stat().st_size):
            time.sleep(1)
        text = file.read()
    assert process.wait(30) == 0
    assert text == project.log("all")


def test_a_run_of_the_shell_outlives_its_terminal(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    line = f"{shlex.join(project.command('all'))} & wait"
    with on_terminal(project.root, ["bash", "-mc", line]) as (_, terminal):
        found = seen(terminal, "here")
    # In the background no display is drawn.
    assert "\x1b" not in found
    (tmp_path / "go").touch()
    assert ended(project) == "succeeded"


def test_stop_now_does_not_wait_for_a_cell_that_does_not_listen(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    stubborn = (
        f"import signal, time\nfrom pathlib import Path\nPath({str(tmp_path / 'on')!r}).touch()\n"
        "while True:\n    try:\n        time.sleep(600)\n    except KeyboardInterrupt:\n"
        f"        Path({str(tmp_path / 'interrupted')!r}).touch()"
    )
    project.notebook("a", stubborn)
    project.run("all", "-b")
    wait_for(tmp_path / "on")
    project.run("stop", "--now")
    assert not (tmp_path / "interrupted").exists()


def test_the_log_is_followed_to_the_end_of_the_run(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    project.run("all", "-b")
    with project.running("log", "-f") as whole, project.running("log", "-f", "all", "b") as one:
        wait_for(project.outputs("all") / "log.txt", "here")
        (tmp_path / "go").touch()
        assert (whole.wait(60), one.wait(60)) == (0, 0)
        assert whole.stdout is not None
        assert one.stdout is not None
        lines, of_b = whole.stdout.read(), one.stdout.read().splitlines()
    assert lines == (project.runs("all")[-1] / "log.txt").read_text("utf-8")
    assert lines == project.call("log").out
    assert of_b
    assert all(re.search(r" (INFO|ERROR) +b(\[\d|:)", line) for line in of_b)


@pytest.mark.slow
def test_the_runs_of_one_command_are_followed_one_after_the_other(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    project.profile("other")
    assert ", then the other profiles" in project.run("-b", "all", "other").out
    with project.running("log", "-f") as follower:
        assert follower.stdout is not None
        lines = iter(follower.stdout.readline, "")
        next(line for line in lines if "here" in line)
        (tmp_path / "go").touch()
        rest = "".join(lines)
        assert follower.wait(30) == 0
    assert re.search(r"run: all succeeded(?s:.*)run: other succeeded", rest)


@pytest.mark.slow
def test_a_log_that_is_followed_ends_when_its_run_is_removed(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        with project.running("log", "-f") as follower:
            assert follower.stdout is not None
            next(line for line in follower.stdout if "here" in line)
            process.kill()
            process.wait(10)
            project.run("clean", "--yes")
            assert follower.wait(30) == 1


def test_the_log_ends_with_the_exit_code_of_the_command(project: TemporaryProject) -> None:
    project.profile("all", "a:\n  wrong: 1\n")
    project.profile("other")
    project.stage("a", "assert not wrong", writes=("a.txt",), parameters="wrong = 0")
    project.run("-b", "-k", "all", "other")
    followed = project.run("log", "-f", code=1)
    assert re.search(r"run: all failed(?s:.*)run: other succeeded", followed.out)


@pytest.mark.slow
def test_what_is_stopped_can_be_started_again_at_once(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    with web_hook(delay=3.0) as (url, _):
        project.run("all", "-b", env={"RUN_NOTIFY": url})
        wait_for(project.outputs("all") / "log.txt", "here")
        project.run("stop")
    (tmp_path / "go").touch()
    project.run("all")


def test_a_run_that_waits_for_another_one_is_told_and_stopped_with_it(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    project.profile("other")
    project.run("-b", "all", "other")
    (run,) = project.runs("all")
    assert f"waits for run {run.name} of the same command" in project.call("status", "other").out
    assert "which comes after all" in project.call("other", code=5).err
    assert f"other waits for run {run.name}" in project.run("stop", "other").out
    assert ended(project) == "cancelled"
    assert not (project.outputs("other") / "runs").exists()


def test_a_run_is_asked_after_and_stopped_though_the_project_has_mistakes(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    project.run("-b", "all")
    wait_for(project.outputs("all") / "log.txt", "here")
    project.write("notebooks/b.ipynb", "{")
    (run,) = project.runs("all")
    assert "a: running for" in project.call("status").out
    assert "a: running for" in project.call("status", run.name).out
    assert "here" in project.call("log", "all").out
    assert "it has ended: cancelled" in project.run("stop").out
    done = project.call("status", code=2)
    assert "newest run: " in done.out
    assert "notebooks/b.ipynb: is not JSON" in done.err
    assert "a  cancelled" in project.call("status", run.name).out


# A command line, and what is said of it.
MISTAKES = [
    (["log", "alk"], "log: `alk` is no profile and no run's id; did you mean `all`?"),
    (["log"], "nothing has run yet"),
    (["log", "all", "aa"], "there is no stage `aa`; did you mean `a`?"),
    (["log", "all", "test"], "log takes a profile or a run's id, and one stage"),
    (["stop", "20200101T000000Z-aaaa"], "there is no run 20200101T000000Z-aaaa"),
    (["all", "--now"], "--now goes with stop alone"),
    (["list", "--json"], "list takes no --json"),
]


def test_mistakes(project: TemporaryProject) -> None:
    project.profile("all")
    project.profile("test")
    project.stage("a", writes=("a.txt",))
    for words, message in MISTAKES:
        assert message in project.call(*words, code=2).err, words


def test_the_log_of_an_earlier_run_is_shown_by_its_id(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.stage("b", writes=("b.txt",))
    project.pretend("all")
    project.pretend("all", "-f")
    first, second = project.runs("all")
    of_first, of_second = ((one / "log.txt").read_text("utf-8") for one in (first, second))
    assert of_first != of_second
    assert project.call("log", first.name).out == of_first
    assert project.call("log", second.name).out == project.call("log").out == of_second
    of_a = project.call("log", first.name, "a").out
    assert of_a.splitlines() == [line for line in of_first.splitlines() if " a: " in line] != []


def test_a_run_says_what_it_has(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    size = r"[\d.]+ [KMG]iB"
    assert re.search(
        rf"run: [\d.]+ CPUs?, {size} of memory, {size} of disk free", project.pretend("all").out
    )
    assert project.record("all")["disk_free"] > 0


def test_the_log_is_that_of_the_run_that_failed_or_of_the_last_one(
    project: TemporaryProject,
) -> None:
    for name in ("one", "two", "three"):
        project.profile(name)
    cell = "import pathlib\n\nassert not ('two' in output_a and pathlib.Path('../fails').exists())"
    project.stage("a", cell, writes=("a.txt",))
    for profiles, fails, shown in (
        (["one", "two", "three"], False, "three"),
        (["-k", "one", "two", "three"], True, "two"),
        (["one", "two", "three"], True, "two"),
        (["three", "one"], False, "one"),
    ):
        mark = project.write("fails", "")
        if not fails:
            mark.unlink()
        project.pretend(*profiles, "-f", code=None)
        assert f"builds outputs/{shown}/" in project.call("log").out, profiles
        # Whoever follows sees all of them, from the first.
        first = next(word for word in profiles if word != "-k")
        followed = project.call("log", "-f", code=None).out
        before, _, _ = followed.partition(f"builds outputs/{shown}/")
        assert f"builds outputs/{first}/" in before

"""Every run's record says how it ended, whatever killed it and whatever lies beside it."""

import contextlib
import copy
import itertools
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from runner.model import Job, Result
from runner.runs.journal import journal_of, record_of
from runner.system import lock
from tests.faults import Faults, pretend
from tests.pretended import PretendedExecutor
from tests.project import TemporaryProject

ENDS = {"succeeded", "failed", "lost"}
OLD = "20200101T000000Z-aaaa"


def small(project: TemporaryProject) -> None:
    """Write a stage that does what the variable HOW says."""
    project.profile("all")
    source = "import os, pathlib\n\npathlib.Path(output_a).write_text(os.environ.get('HOW', ''))"
    project.notebook(
        "a",
        source,
        "assert os.environ.get('HOW') != 'fail'",
        parameters='output_a = "../outputs/test/a.txt"',
    )


def run_folder(project: TemporaryProject, name: str = OLD) -> Path:
    """Make the folder of a run."""
    folder = project.outputs("all") / "runs" / name
    folder.mkdir(parents=True)
    return folder


def left_behind(project: TemporaryProject) -> list[str]:
    """Name what a run that goes on has, and one that has ended has not."""
    found = (project.root / "outputs").rglob("*")
    # What others may be writing is swept later.
    names = (path.name for path in found if ".cache" not in path.parts)
    return [one for one in names if one.endswith((".tmp", "reserve", "beat.json", "stop.json"))]


def settled(project: TemporaryProject) -> list[str]:
    """Assert that each run's record says how it ended, and the same as its journal."""
    states = []
    for folder in project.runs("all"):
        written = json.loads((folder / "run.json").read_text("utf-8"))
        assert written["state"] == record_of(folder, journal_of(folder))["state"]
        assert {stage["state"] for stage in written["stages"]} & {None, "running"} == set()
        states.append(written["state"])
    assert left_behind(project) == []
    return states


# How runs end, each a command after the one that is killed: what is killed there, and then.
KILLED = {
    "succeeds": [("-f", "a", "")],
    "fails": [("-f", "a", "fail")],
    "is found lost": [("-f", "a", "killed"), ("-f", "a", "")],
}


# KILL_EVERY=1 kills at each system call; that takes some minutes.
STEP = int(os.environ.get("KILL_EVERY", "23"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("which", KILLED)
def test_a_run_killed_at_any_call_has_a_verdict_after_the_next_command(
    project: TemporaryProject, faults: Faults, which: str
) -> None:
    small(project)
    outputs = project.root / "outputs"
    project.pretend("all")
    for at in itertools.count(STEP, STEP):
        *before, (*words, how) = KILLED[which]
        for *earlier, _ in before:
            # In the middle of its stage: its end is the next one's affair.
            environment = faults.environment(outputs, "KILL", 9, "journal.jsonl")
            pretend(project, *earlier, env=environment, code=-9)
        environment = faults.environment(outputs, "KILL", at) | {"HOW": how}
        killed = pretend(project, *words, env=environment, code=None)
        project.pretend("all")
        states = settled(project)
        assert set(states) <= ENDS
        assert states[-1] == "succeeded"
        (faults.mark).unlink(missing_ok=True)
        if killed.code != -9:
            break
        # One that has said how it ended is never lost.
        ended = [line for line in killed.out.splitlines() if " run: all succeeded in " in line]
        assert not ended or states[-2] == "succeeded"
    assert at > STEP or STEP > 1


def test_what_a_killed_run_could_write_only_into_its_record_counts(
    project: TemporaryProject,
) -> None:
    small(project)
    project.pretend("all")
    (run,) = project.runs("all")
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (run / "journal.jsonl").write_bytes(b"".join(lines[:-1]))
    assert "succeeded" in project.call("status").out
    assert "was lost" not in project.pretend("all", "-f").out
    assert settled(project) == ["succeeded", "succeeded"]


def test_a_clock_that_was_ahead_holds_up_nothing(project: TemporaryProject) -> None:
    small(project)
    project.pretend("all")
    (run,) = project.runs("all")
    future = run.with_name("20991231T235959Z-zzzz")
    run.rename(future)
    for name in ("journal.jsonl", "run.json"):
        text = (future / name).read_text("utf-8")
        (future / name).write_text(text.replace(run.name, future.name), "utf-8")
    assert "a: skipped" in project.pretend("all").out
    project.pretend("-f", "a")
    newest = project.runs("all")[1]
    assert newest.name in project.call("status").out.splitlines()[-1]
    shown = [line.split()[0] for line in project.call("history").out.splitlines() if "Z-" in line]
    assert shown[0] == future.name
    assert shown[-1] in {project.runs("all")[0].name, newest.name}
    assert "builds outputs/all/: a" in project.call("log").out
    assert len(project.record("all")["stages"]) == 1


def link(path: Path, home: Path) -> None:
    path.symlink_to(home)


def pipe(path: Path, home: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path, home: Path) -> None:
    # Its path may have but 107 bytes.
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):
        made.bind(path.name)


COMMANDS = (["status"], ["history"], ["log"], ["stop"], ["check"], ["-n", "all"], ["all"])


@pytest.mark.parametrize("make", [link, pipe, unix_socket])
@pytest.mark.parametrize(
    "name",
    [
        f"all/runs/{OLD}",
        f"all/runs/{OLD}/journal.jsonl",
        f"all/runs/{OLD}/notebooks",
        f"all/runs/{OLD}/heartbeat.json",
        "all/runs",
        "all/notebooks",
        "all/log.txt",
        "all",
        ".locks",
        ".locks/all.lock",
        ".locks/all.json",
        ".cache",
        ".cache/hashes.json",
    ],
)
def test_what_is_no_file_and_no_folder_is_not_followed_and_holds_up_nothing(
    project: TemporaryProject, tmp_path: Path, make: Callable[[Path, Path], None], name: str
) -> None:
    small(project)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("precious", "utf-8")
    (home / ".reserve").write_text("precious", "utf-8")
    path = project.root / "outputs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path, home)
    for words in COMMANDS:
        done = (
            project.pretend(*words, code=None)
            if words == ["all"]
            else project.call(*words, code=None)
        )
        assert "the runner failed" not in done.text
        assert "Traceback" not in done.text
        assert done.code in {0, 2}, (words, done.text)
    # It is told, but for what is replaced or looked at no more.
    told = any(word in done.text for word in ("is a link", "is a pipe", "is a socket", "no file"))
    assert told or done.code == 0
    assert sorted(one.name for one in home.iterdir()) == [".netrc", ".reserve"]


ODD: list[Any] = [None, True, -1, 5, 1e300, 10**30, "x", "\x1b[2J", [], {}, [[]], {"a": 1}]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Give the places of all values in a value."""
    if at:
        yield at
    for key, one in value.items() if isinstance(value, dict) else ():
        yield from places(one, (*at, key))
    for key, one in enumerate(value) if isinstance(value, list) else ():
        yield from places(one, (*at, key))


def changed(value: Any, at: tuple[Any, ...], to: Any) -> Any:  # noqa: ANN401
    """Give a value with another one at a place, or without it where `to` is `...`."""
    copied = found = copy.deepcopy(value)
    for key in at[:-1]:
        found = found[key]
    if to is ...:
        del found[at[-1]]
    else:
        found[at[-1]] = to
    return copied


def plain(text: str) -> bool:
    """Tell whether a text would do nothing to a terminal."""
    return not any(ord(one) < 32 and one not in "\n\t" for one in text)


# ODD_EVERY=1 tries each odd value at each place; that takes some minutes.
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["journal.jsonl", "run.json", "heartbeat.json"])
def test_an_odd_value_stops_no_command(project: TemporaryProject, name: str) -> None:
    small(project)
    project.pretend("all")
    (run,) = project.runs("all")
    beat = {"at": 1.0, "host": "x", "memory": 5, "limit": None}
    whole = (run / "journal.jsonl").read_text("utf-8")
    events = [json.loads(line) for line in whole.splitlines()]
    # With no end in its journal, a run's other files count.
    if name != "journal.jsonl":
        (run / "journal.jsonl").write_text("".join(whole.splitlines(keepends=True)[:-1]), "utf-8")
    about = {"journal.jsonl": events, "heartbeat.json": beat}
    value = about.get(name) or json.loads((run / "run.json").read_text("utf-8"))
    todo = itertools.product(places(value), [..., *ODD])
    for at, to in itertools.islice(todo, 0, None, int(os.environ.get("ODD_EVERY", "97"))):
        odd = changed(value, at, to)
        lines = odd if name == "journal.jsonl" else [odd]
        (run / name).write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
        for words in (["status"], ["history"], ["log"], ["-n", "all"]):
            done = project.call(*words, code=None)
            assert "the runner failed" not in done.text, (at, to, done.text)
            assert plain(done.text), (at, to)
            assert done.code in {0, 2}, (at, to, done.text)


def test_a_journal_that_is_not_ours_is_told_in_a_line_and_left_alone(
    project: TemporaryProject,
) -> None:
    small(project)
    begun = {"v": 1, "at": 1.7e9, "event": "run_started", "id": OLD, "profile": "all"}
    begun |= {"command": ["x"], "targets": ["all"], "jobs": 1}
    deep = "[" * 100_000 + "]" * 100_000
    for text, why in (
        (json.dumps(begun | {"at": "x"}), "line 1 of its journal is not understood"),
        (json.dumps(begun | {"at": 1e18}), "line 1 of its journal is not understood"),
        (json.dumps(begun) + '\n{"v": 1, "at": 1, "event": "stage_planned"}', "line 2 of its"),
        (json.dumps(begun | {"id": "other"}), "its journal is that of another run"),
        (json.dumps({"v": 1, "at": 1, "event": "facts"}), "its journal has no beginning"),
        (json.dumps(begun) + '\n{"v": 1, "at": NaN, "event": "facts"}', "line 2 of its journal"),
        (json.dumps(begun) + f'\n{{"v": 1, "at": 1, "event": "facts", "x": {deep}}}', "line 2"),
    ):
        folder = project.outputs("all") / "runs" / OLD
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "journal.jsonl").write_text(text + "\n", "utf-8")
        line = f"outputs/all/runs/{OLD}: {why}"
        for words in (["status"], ["history"]):
            assert project.call(*words).err.count(line) == 1, words
        assert project.pretend("all").out.count(line) == 1
        assert (folder / "journal.jsonl").read_text("utf-8") == text + "\n"
        assert sorted(one.name for one in folder.iterdir()) == ["journal.jsonl"]


@pytest.mark.parametrize(
    "how",
    ["ENOSYS", *(pytest.param(one, marks=pytest.mark.slow) for one in ("ENOLCK", "EOPNOTSUPP"))],
)
def test_a_disk_without_locks_is_told_before_anything_runs(
    project: TemporaryProject, faults: Faults, how: str
) -> None:
    small(project)
    environment = faults.environment(project.root / "outputs", how)
    done = pretend(project, "all", env=environment, code=2)
    assert "the disk of outputs/ takes no locks (flock: " in done.err
    assert "another run" not in done.text
    assert not project.outputs("all").exists()
    project.pretend("all")
    # Whoever only looks needs none.
    assert "newest run: " in project.run("status", env=environment).out


class Faulty(PretendedExecutor):
    """An executor with a fault of its own, as the runner may have one."""

    def submit(self, job: Job) -> Future[Result]:
        """Fail as code does that was never run before."""
        message = "first\nsecond, with my-token-value"
        raise TypeError(message)


def test_a_fault_of_the_runners_own_ends_the_run_with_a_verdict(
    project: TemporaryProject,
) -> None:
    small(project)
    project.profile("other")
    project.notebook("b", "x = 1")
    environment = {"A_TOKEN": "my-token-value"}
    done = project.call("all", "other", "--cold", executors=Faulty, code=1, env=environment)
    assert "Traceback" not in done.text
    where = r"run: the runner failed: TypeError: first \(runner/build/build.py, line \d+\)"
    assert len(re.findall(where, done.out)) == 1
    assert "other was not started" in done.out
    (run,) = project.runs("all")
    text = (run / "traceback.txt").read_text("utf-8")
    assert f"see outputs/all/runs/{run.name}/traceback.txt" in done.out
    assert "second, with ***" in text
    assert settled(project) == ["failed"]
    record = project.record("all")
    assert record["exit_code"] == 1
    assert record["error"].startswith("the runner failed: TypeError: first (")
    assert project.states("all") == {"a": "cancelled", "b": "cancelled"}
    project.pretend("all")
    assert settled(project) == ["failed", "succeeded"]


def test_what_was_half_written_long_ago_is_removed(project: TemporaryProject) -> None:
    small(project)
    project.pretend("all")
    old = project.write("outputs/.cache/.hashes.json.0123abcd.tmp", "{")
    part = project.write("outputs/.downloads/0123/tmpabcdef", "part")
    new = project.write("outputs/.downloads/0123/tmpfedcba", "part")
    for path in (old, part):
        os.utime(path, (1, 1))
    project.pretend("all")
    assert [path.exists() for path in (old, part, new)] == [False, False, True]


def test_a_run_that_cannot_begin_leaves_nothing(project: TemporaryProject) -> None:
    small(project)
    project.pretend("all")
    log = project.outputs("all") / "log.txt"
    log.unlink()
    log.mkdir()
    assert "Is a directory" in project.pretend("all", code=1).err
    assert len(project.runs("all")) == 1
    assert left_behind(project) == []


def test_a_run_without_an_end_in_its_log_does_not_share_its_last_line(
    project: TemporaryProject,
) -> None:
    small(project)
    project.pretend("all")
    with (project.outputs("all") / "log.txt").open("a", encoding="utf-8") as file:
        file.write("cut off")
    project.pretend("all")
    assert "\ncut off\n2" in project.log("all")


def test_an_executed_notebook_that_cannot_be_begun_leaves_nothing(
    project: TemporaryProject, faults: Faults
) -> None:
    small(project)
    environment = faults.environment(project.root / "outputs", "EIO", 1, "/.a.ipynb.")
    assert "Input/output error" in project.run("all", code=1, env=environment).out
    assert faults.struck()
    assert settled(project) == ["failed"]


def test_a_link_on_the_way_to_an_output_is_not_followed(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.stage("a", writes=("sub/a.txt",))
    project.outputs("all").mkdir(parents=True)
    (tmp_path / "a.txt").write_text("precious", "utf-8")
    (project.outputs("all") / "sub").symlink_to(tmp_path)
    done = project.pretend("all", code=1)
    assert "a: failed: outputs/all/sub is a link; move it away" in done.out
    assert (tmp_path / "a.txt").read_text("utf-8") == "precious"


def test_the_locks_of_several_profiles_are_taken_in_one_order(project: TemporaryProject) -> None:
    small(project)
    project.profile("b")
    project.profile("c")
    outputs = project.root / "outputs"
    with lock.hold(outputs, "b", "run 7"), lock.hold(outputs, "c", "run 8"):
        for words in (["b", "c"], ["c", "b"]):
            assert "holds outputs/b/: run 7" in project.pretend(*words, code=5).err


def test_a_renamed_stage_takes_its_executed_notebook_along(project: TemporaryProject) -> None:
    small(project)
    project.notebook("b", "x = 1")
    project.pretend("all")
    published = project.outputs("all") / "notebooks"
    (project.root / "notebooks/a.ipynb").rename(project.root / "notebooks/c.ipynb")
    (project.root / "notebooks/b.ipynb").unlink()
    (published / ".ipynb_checkpoints").mkdir()
    (published / ".ipynb_checkpoints/b-checkpoint.ipynb").write_text("{}", "utf-8")
    out = project.pretend("-f", "c").out
    assert sorted(path.name for path in published.glob("*.ipynb")) == ["c.ipynb"]
    assert "outputs/all/notebooks/b.ipynb is removed: there is no such stage" in out
    assert (published / ".ipynb_checkpoints/b-checkpoint.ipynb").exists()
    first, *_ = project.runs("all")
    assert sorted(path.name for path in (first / "notebooks").iterdir()) == ["a.ipynb", "b.ipynb"]

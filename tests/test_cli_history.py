"""What is asked after the runs: their history, what is up to date, what is running."""

import itertools
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from runner.runs.made import last_made
from tests.project import WAIT, TemporaryProject, wait_for


def chain(project: TemporaryProject) -> None:
    """Write two stages, of which the second reads the first."""
    project.profile("all")
    project.stage("a", writes=("a.txt",), parameters="n = 1")
    project.stage("b", reads=("a.txt",), writes=("b.txt",))


def events(project: TemporaryProject) -> list[dict[str, Any]]:
    """Read the journal of the newest run."""
    lines = (project.runs("all")[-1] / "journal.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def rewrite(project: TemporaryProject, wanted: list[dict[str, Any]]) -> None:
    """Write another journal for the newest run."""
    text = "".join(json.dumps(event) + "\n" for event in wanted)
    (project.runs("all")[-1] / "journal.jsonl").write_text(text, "utf-8")


def git(project: TemporaryProject, *words: str) -> str:
    """Run git in the project."""
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    command = ["git", *who, *words]
    return subprocess.run(
        command, cwd=project.root, check=True, capture_output=True, text=True
    ).stdout


def test_a_run_looks_at_the_working_copy_and_leaves_gits_index_alone(
    project: TemporaryProject,
) -> None:
    chain(project)
    git(project, "init", "-q")
    git(project, "add", "params")
    git(project, "commit", "-qm", "one")
    # What has another time than git knows makes `git status` write the index, if it may.
    os.utime(project.root / "params/all.yaml", (1, 1))
    before = (project.root / ".git/index").read_bytes()
    project.pretend("all")
    commit = git(project, "rev-parse", "HEAD").strip()
    assert project.record("all")["git"] == {"commit": commit, "dirty": True}
    assert (project.root / ".git/index").read_bytes() == before


def test_history_lists_the_runs(project: TemporaryProject) -> None:
    chain(project)
    assert project.call("history").out == "nothing has run yet\n"
    project.pretend("all")
    project.pretend("all")
    project.stage("b", "1 / 0", reads=("a.txt",), writes=("b.txt",))
    project.pretend("all", code=1)
    first, *lines = project.call("history", "all").out.splitlines()
    assert first == "all:"
    moment = r"\d{8}T\d{6}Z-\w{4}  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +[\d.]+ s  "
    wanted = [r"succeeded +ran a, b", r"succeeded +2 skipped", r"failed +b failed; 1 skipped"]
    assert len(lines) == len(wanted)
    for line, words in zip(lines, wanted, strict=True):
        assert re.fullmatch(rf"  {moment}{words}", line), line
    assert "no profile `al`" in project.call("history", "al", code=2).err


# What a stage writes as JSON, and the metrics in it.
METRICS: list[tuple[Any, dict[str, float | str] | None]] = [
    ({"loss": 0.5, "n": 3}, {"loss": 0.5, "n": 3}),
    (
        {"of": {"train": 1.0, "all": [2, {"x": 3}]}},
        {"of.train": 1.0, "of.all[0]": 2, "of.all[1].x": 3},
    ),
    ({"a": True, "b": None, "c": "1", "d": 10**400, "f": 1}, {"f": 1}),
    # JSON has no such numbers, so the record has their names.
    ({"e": float("nan"), "g": -float("inf"), "h": "nan"}, {"e": "nan", "g": "-inf"}),
    ([1, 2.5], {"[0]": 1, "[1]": 2.5}),
    ({"loss": 1, "rest": "x" * (64 << 10)}, None),
    ({"loss": 1, "rest": list(range(1000))}, None),
]


def test_the_numbers_in_json_outputs_are_metrics_and_stay_in_the_record(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    write = (
        "import json\nfrom pathlib import Path\n\nwhat = json.loads(Path('../what').read_text())\n"
    )
    write += "Path(output_m).write_text(json.dumps(what))"
    project.notebook("m", write, parameters='output_m = "../outputs/test/m.json"')
    for written, found in METRICS:
        project.write("what", json.dumps(written))
        project.pretend("-f", "all")
        named = found and {f"m.json: {name}": value for name, value in found.items()}
        assert project.stage_record("all", "m").get("metrics") == named
        project.pretend("all")
        # It is up to date: what stands has these.
        assert project.stage_record("all", "m").get("metrics") == named


def test_history_says_what_was_set_and_the_metrics(project: TemporaryProject) -> None:
    project.profile("all")
    write = "import json\n\nwith open(output_m, 'w') as file:\n    "
    write += "json.dump({'loss': x / 3, 'n': 2, 'all': [1, 2], 'of': {'y': x}}, file)"
    project.notebook("m", write, parameters='output_m = "../outputs/test/m.json"\nx = 1')
    project.pretend("all")
    project.pretend("all", "-p", "m.x=3", "--parameter", "m.x=6")
    told = project.call("history").out.splitlines()
    assert told[2] == "      m.json: loss 0.333333, n 2, of.y 1, 2 more in run.json"
    assert told[4:] == [
        "      -p m.x=3 -p m.x=6",
        "      m.json: loss 2, n 2, of.y 6, 2 more in run.json",
    ]


def test_status_says_what_is_up_to_date_and_why_not(project: TemporaryProject) -> None:
    chain(project)
    assert project.call("status").out == "nothing has run yet\n"
    project.pretend("all")
    project.profile("all", "a:\n  n: 2\n")
    first, a, b, newest = project.call("status").out.splitlines()
    assert (first, a, b) == (
        "all:",
        "  a  run    parameter n: 1 → 2",
        "  b  maybe  if a writes something else",
    )
    assert newest.startswith(f"  newest run: {project.runs('all')[0].name}")
    assert len(project.runs("all")) == 1


def test_status_says_what_is_running(project: TemporaryProject, tmp_path: Path) -> None:
    chain(project)
    project.stage("c", reads=("b.txt",), writes=("c.txt",))
    project.pretend("all")
    wait = WAIT.format(marker=tmp_path / "go")
    project.stage("b", f'print("here")\n{wait}', reads=("a.txt",), writes=("b.txt",))
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        (beat,) = project.outputs("all").glob("runs/*/heartbeat.json")
        while '"memory": 0' in beat.read_text("utf-8"):
            time.sleep(0.1)
        out = project.call("status").out
        assert re.search(
            r"running for [\d.]+ s on \S+, memory \d+ MiB(?: of \S+ .iB)?: run 20", out
        )
        assert re.search(
            r"  b: running for [\d.]+ s, cell 2 \(print\(\"here\"\)\), usually [\d.]+ s", out
        )
        assert re.search(r"about [\d.]+ s left, by earlier runs", out)
        assert "  done: a (skipped)\n" in out
        assert re.search(r"  to come: c \(usually [\d.]+ s\)\n", out)
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert not [*project.outputs("all").glob("runs/*/heartbeat.json")]


def test_what_is_left_of_a_run_is_told_by_the_newest_successes(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.stage("long", writes=("long.txt",))
    project.stage("short", writes=("short.txt",))
    project.stage("after", reads=("long.txt",), writes=("after.txt",))
    seconds = {"long": 100.0, "short": 10.0, "after": 4.0}
    for times in (5, 1):
        project.pretend("all", "-f")
        ended = events(project)
        for event in ended:
            if event["event"] == "stage_ended":
                event["seconds"] = times * seconds[event["stage"]]
        rewrite(project, ended)
    # The next run is in the middle: two stages have just begun, the third one waits.
    project.pretend("all", "-f")
    soon = time.time() + 9
    planned, begun = (
        [one for one in events(project) if one["event"] == word]
        for word in ("stage_planned", "stage_started")
    )
    begun = [one | {"at": soon} for one in begun if one["stage"] != "after"]
    rewrite(project, [events(project)[0] | {"at": soon, "jobs": 2}, *planned, *begun])
    (project.runs("all")[-1] / "run.json").unlink()
    out = project.call("status").out
    assert "long: running for 0.0 s, usually 1 min 40 s" in out
    assert "short: running for 0.0 s, usually 10.0 s" in out
    # Both together would take 57 s if work could be shared, but a stage is not.
    assert "about 1 min 40 s left, by earlier runs" in out


def test_a_run_that_is_not_heard_of_is_lost_in_the_history(
    project: TemporaryProject, tmp_path: Path
) -> None:
    chain(project)
    project.stage("a", WAIT.format(marker=tmp_path / "never"), writes=("a.txt",))
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "a: started")
        while not [*project.outputs("all").glob("runs/*/heartbeat.json")]:
            time.sleep(0.05)
        process.kill()
        process.wait(10)
    project.silence("all")
    assert "  lost  " in project.call("history").out


def test_keep_removes_old_runs_but_those_that_the_build_stands_on(
    project: TemporaryProject,
) -> None:
    chain(project)
    project.pretend("all")
    made = project.runs("all")[0]
    for _ in range(3):
        project.pretend("all")
    project.pretend("all", "--keep", "2")
    kept = project.runs("all")
    assert len(kept) == 3
    assert kept[0] == made
    project.pretend("all", "--keep", "2")
    assert set(project.states("all").values()) == {"skipped"}


@pytest.mark.slow
def test_a_kernel_that_died_is_tried_again(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    project.write("pyproject.toml", "[tool.runner]\nretries = {a = 2}\n")
    for name in ("a", "b"):
        source = (
            "import os\n\n"
            f"path = '{tmp_path}/{name}'\n"
            "open(path, 'a').write('x')\ncount = os.path.getsize(path) - 1\n"
            "if count < 2:\n    os.kill(os.getpid(), 9)"
        )
        project.stage(name, source, writes=(f"{name}.txt",))
    done = project.run("all", "-k", code=1)
    # The setting is the other stage's.
    assert project.stage_record("all", "b")["attempts"] == 1
    assert "b: attempt" not in done.out
    assert "a: attempt 2 of 3 failed, trying again: the kernel died: SIGKILL" in done.out
    assert project.stage_record("all", "a")["attempts"] == 3
    notebooks = sorted(path.name for path in (project.runs("all")[0] / "notebooks").iterdir())
    assert notebooks == ["a.attempt-1.ipynb", "a.attempt-2.ipynb", "a.ipynb", "b.ipynb"]
    # It was tried once; the option stands for all stages.
    done = project.run("all", "--retries", "1")
    assert "b: attempt 1 of 2 failed, trying again: the kernel died: SIGKILL" in done.out
    assert project.stage_record("all", "b")["attempts"] == 2


@pytest.mark.slow
def test_a_plain_exception_is_not_tried_again_unless_asked(project: TemporaryProject) -> None:
    project.profile("all")
    ends = {
        "a": ("1 / 0", 1),
        "b": ("raise ConnectionError('gone')", 2),
        "c": ("open('/no/such/file')", 1),
        "late": ("import time; time.sleep(600)", 1),
    }
    for name, (source, _) in ends.items():
        project.stage(name, source, writes=(f"{name}.txt",))
    project.write("pyproject.toml", "[tool.runner]\nretries = 1\n")
    limits = ("--cell-timeout", "5")
    project.run("all", "-k", *limits, code=1)
    states = dict.fromkeys(ends, "failed") | {"late": "timed_out"}
    assert project.states("all") == states
    for name, (_, attempts) in ends.items():
        assert project.stage_record("all", name)["attempts"] == attempts, name
    project.write("pyproject.toml", "[tool.runner]\nretries = 1\nretry-exceptions = true\n")
    project.run("all-a", code=1)
    assert project.stage_record("all", "a")["attempts"] == 2


def line_ends(data: bytes) -> list[int]:
    """Give the places behind each line."""
    return [*itertools.accumulate(len(line) for line in data.splitlines(keepends=True))]


def test_a_journal_cut_anywhere_gives_no_false_success(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    project.pretend("all")
    journal = project.runs("all")[0] / "journal.jsonl"
    data = journal.read_bytes()
    ends = [end for end in line_ends(data) if b'"made": true' in data[:end].splitlines()[-1]]
    assert len(ends) == 2
    near = {end + by for end in [*line_ends(data), len(data)] for by in range(-9, 9)}
    for length in sorted({*range(0, len(data), 7), *near} & {*range(len(data) + 1)}):
        journal.write_bytes(data[:length])
        made = last_made(project.outputs("all"), ["a", "b"])
        assert len(made) == sum(length >= end for end in ends)
    for length in (0, 1, ends[0] - 1, ends[0], ends[1] - 1):
        journal.write_bytes(data[:length])
        project.pretend("all")
        assert set(project.states("all").values()) <= {"succeeded", "skipped"}
        shutil.rmtree(project.runs("all")[-1])


def test_a_journal_that_is_not_ours_is_left_alone(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.pretend("all")
    journal = project.runs("all")[0] / "journal.jsonl"
    other = journal.read_bytes().replace(b'{"v": 1,', b'{"v": 2,')
    for text in (other, b'{"v": 1, "at": 1}\n{"v": 1}\n'):
        journal.write_bytes(text)
        project.call("history")
        project.call("status")
        project.pretend("all")
        assert journal.read_bytes() == text
        shutil.rmtree(project.runs("all")[-1])

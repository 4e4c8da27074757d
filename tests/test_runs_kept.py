"""What runs wrote is kept in their folders, where it is small."""

import hashlib
import json
from pathlib import Path

import pytest

from runner.runs.kept import kept
from tests.faults import Faults, pretend
from tests.project import TemporaryProject

# A stage that writes a text as often as it is told.
WRITES = "from pathlib import Path\n\nPath(output_a).write_bytes(text.encode() * times)"
PARAMETERS = 'output_a = "../outputs/test/a.Txt"\ntext = "x"\ntimes = 1'


def one_stage(project: TemporaryProject) -> None:
    """Write a project of one stage."""
    project.profile("all")
    project.notebook("a", WRITES, parameters=PARAMETERS)


def sha(data: bytes) -> str:
    """Give a hash as records have it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def files(project: TemporaryProject) -> list[dict[str, bytes]]:
    """Give what each run keeps, the oldest first."""
    return [
        {one.name: one.read_bytes() for one in sorted((run / "outputs").glob("*"))}
        for run in project.runs("all")
    ]


def name(data: bytes, suffix: str = ".txt") -> str:
    """Give the name under which a file is kept."""
    return sha(data)[7:27] + suffix


def test_a_run_keeps_what_it_wrote_and_the_same_bytes_take_no_space_again(
    project: TemporaryProject,
) -> None:
    one_stage(project)
    for text in ("x", "y", "x"):
        project.pretend("all", "-p", f"a.text={text}")
    project.pretend("all", "-p", "a.text=x")
    x, y = {name(b"x"): b"x"}, {name(b"y"): b"y"}
    # The last run has skipped the stage, and wrote nothing.
    assert files(project) == [x, y, x, {}]
    first, _, third, last = project.runs("all")
    assert (first / "outputs" / name(b"x")).samefile(third / "outputs" / name(b"x"))
    assert not (project.outputs("all") / "a.Txt").samefile(third / "outputs" / name(b"x"))
    build = project.outputs("all")
    assert kept(build, third.name, sha(b"x"), "a.Txt") == third / "outputs" / name(b"x")
    assert kept(build, third.name, sha(b"y"), "a.Txt") is None
    assert kept(build, third.name, None, "a.Txt") is None
    assert kept(build, last.name, sha(b"x"), "a.Txt") is None
    made_by = project.stage_record("all", "a")["made_by"]
    assert kept(build, made_by, sha(b"x"), "a.Txt") == third / "outputs" / name(b"x")
    project.call("clean", "--runs", "--yes")
    # The first run is gone, and what the third one keeps is whole.
    assert project.runs("all") == [third, last]
    assert files(project) == [x, {}]
    assert kept(build, first.name, sha(b"x"), "a.Txt") is None


def test_what_an_earlier_run_keeps_is_not_taken_over_when_it_was_changed(
    project: TemporaryProject,
) -> None:
    one_stage(project)
    project.pretend("all")
    (path,) = (project.runs("all")[0] / "outputs").iterdir()
    path.write_bytes(b"mine")
    project.pretend("-f", "a")
    assert files(project) == [{name(b"x"): b"mine"}, {name(b"x"): b"x"}]


@pytest.mark.parametrize(
    ("size", "times", "number"),
    [("0", 1, 0), ("10", 10, 1), ("10", 11, 0), ("1k", 1024, 1), ("1k", 1025, 0)],
)
def test_how_large_a_file_is_kept_can_be_chosen(
    project: TemporaryProject, size: str, times: int, number: int
) -> None:
    one_stage(project)
    project.pretend("all", "-p", f"a.times={times}", "--keep-outputs", size)
    data = b"x" * times
    assert files(project) == [{name(data): data} if number else {}]


def test_a_run_keeps_ten_times_the_size_of_a_file(project: TemporaryProject) -> None:
    project.write("pyproject.toml", '[tool.runner]\nkeep-outputs = "1k"\n')
    project.profile("all")
    paths = ", ".join(f'"../outputs/test/{n:02}.bin"' for n in range(12))
    write = "from pathlib import Path\n\nfor n, one in enumerate(output_all):\n"
    write += "    Path(one).write_bytes(bytes([n]) * 1000)"
    project.notebook("a", write, parameters=f"output_all = [{paths}]")
    project.pretend("all")
    (found,) = files(project)
    assert found == {name(bytes([n]) * 1000, ".bin"): bytes([n]) * 1000 for n in range(10)}


def test_a_size_that_is_none_is_refused(project: TemporaryProject) -> None:
    one_stage(project)
    told = project.call("all", "--keep-outputs", "much", code=2).err
    assert told == "run.py: --keep-outputs: takes a size such as 500k or 1M, or 0, not 'much'\n"
    project.write("pyproject.toml", "[tool.runner]\nkeep-outputs = true\n")
    assert "keep-outputs: takes a size" in project.call("all", code=2).err


def test_that_nothing_can_be_kept_is_a_warning_and_nothing_half_is_left(
    project: TemporaryProject, faults: Faults
) -> None:
    one_stage(project)
    kept_as = f"/.{name(b'x')}."
    environment = faults.environment(project.root / "outputs", "EIO", 1, kept_as)
    done = pretend(project, "all", env=environment)
    assert faults.struck()
    assert project.states("all") == {"a": "succeeded"}
    (line,) = (line for line in done.out.splitlines() if "WARNING" in line)
    assert "a: outputs/all/a.Txt is not kept with the run: Input/output error" in line
    assert files(project) == [{}]
    assert (project.outputs("all") / "a.Txt").read_text("utf-8") == "x"
    # The next run writes its own copy.
    project.pretend("-f", "a")
    assert files(project) == [{}, {name(b"x"): b"x"}]
    assert not [*Path(project.outputs("all") / "runs").rglob(".*.tmp")]
    events = (project.runs("all")[0] / "journal.jsonl").read_text("utf-8").splitlines()
    assert json.loads(events[-1])["exit_code"] == 0

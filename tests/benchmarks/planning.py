"""What it takes to find that there is nothing to do, as projects grow.

    python -m tests.benchmarks.planning [--stages 100 1000]

The stages are trivial, in chains of ten. They are not executed: the build is written as a
run would have left it, by the runner's own means. Then `run.py -n all` and `run.py all` are
measured, as whole commands.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from runner.errors import Exit
from runner.model import Planned, Result, State
from runner.plan import fingerprint, request
from runner.project import layout
from runner.runs import journal, stage_details, writer
from runner.secrets.mask import Mask
from tests.project import TemporaryProject

_MEASURE = """
import os, sys, time
began = time.monotonic()
pid = os.posix_spawn(
    sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)]
)
_, status, used = os.wait4(pid, 0)
assert status == 0, status
print(time.monotonic() - began, used.ru_maxrss)
"""


class Cost(NamedTuple):
    """Of one command: seconds, and peak memory in MiB."""

    seconds: float
    memory: float


def measure(command: list[str]) -> Cost:
    """Run a command to its good end."""
    # A process begins with the peak of the one that starts it, so that is to be a small one.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _MEASURE, *command],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, kibibytes = done.stdout.split()
    return Cost(float(seconds), int(kibibytes) / 1024)


def built(root: Path, stages: int) -> TemporaryProject:
    """Make a project of so many stages, and its build."""
    made = TemporaryProject(root)
    made.profile("all")
    for number in range(stages):
        reads = (f"s{number - 1}.txt",) if number % 10 else ()
        made.stage(f"s{number}", reads=reads, writes=(f"s{number}.txt",))
    written(made, "all")
    return made


def written(made: TemporaryProject, profile: str) -> None:
    """Write the build of a profile as a run would have left it."""
    loaded = layout.load(made.root)
    (plan,) = request.read(loaded, loaded.settings, [profile]).plans()
    folder, freshness = loaded.build(plan.key), plan.freshness
    for stage in plan.pipeline.stages.values():
        for path in (folder / stage.executed, *(one.path for one in stage.outputs)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(stage.name)
    record = writer.RunWriter(folder, journal.new_run_id(folder), Mask([]))
    words = ["run.py", profile]
    record.run_started(writer.RunStarted(profile, words, [profile], [], 1, freshness.environment))
    for stage in plan.pipeline.stages.values():
        now = freshness.of_stage(stage)
        record.stage_planned(Planned(stage.name, ()), ())
        record.stage_started(stage.name, (), stage_details(stage, loaded.label, now, ""))
        hashes = fingerprint.of_outputs(loaded, stage, freshness.hashes)
        outputs = [{"path": name, "hash": value} for name, value in hashes.items()]
        result = Result(stage.name, State.SUCCEEDED, 0.0, 0.0)
        record.stage_ended(result, {"made": True, "outputs": outputs})
    record.run_ended(State.SUCCEEDED, Exit.OK)
    record.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What finding that there is nothing to do takes.")
    parser.add_argument("--stages", type=int, nargs="+", default=[100, 1000])
    print("stages | command | seconds | MiB")
    for stages in parser.parse_args().stages:
        with tempfile.TemporaryDirectory() as folder:
            made = built(Path(folder) / "project", stages)
            for words in (["-n", "all"], ["all"], ["-n", "all"], ["all"]):
                cost = measure(made.command(*words))
                command = " ".join(words)
                print(f"{stages:6} | {command:7} | {cost.seconds:7.2f} | {cost.memory:3.0f}")


if __name__ == "__main__":
    main()

"""Which options a command has, and what `help` says: the table of commands and options."""

import re
import subprocess
import sys
import tomllib
from dataclasses import fields

import pytest

import runner
from runner.cli.commands import COMMANDS
from runner.cli.options import OPTIONS, parse
from runner.errors import UsageError
from runner.project import Settings
from tests.project import ROOT, TemporaryProject

RUN = {
    *("-k", "-j", "-p", "--keep", "--keep-outputs", "--retries", "--timeout", "--cell-timeout"),
    *("--deadline", "--cold", "--start-late", "--pages", "--log-level", "--where", "--order"),
}
JOB = {"--image", "--name", "--cpu", "--memory", "--gpu", "--claim", "--workdir", "--user"}
# What each command understands; None is a build. The values are words that make it a whole one.
HAVE: dict[str | None, set[str]] = {
    None: {
        *(*RUN, "-n", "-b", "-f", "--notify", "--keep-failed"),
        *("--name", "--sample", "--seed", "--yes"),
    },
    "adopt": {"--write", "--sample"},
    "new": {"--upgrade", "--reads", "--from"},
    "list": {"-p"},
    "status": {"-p", "--json"},
    "history": set(),
    "diff": {"--json", "--html"},
    "table": {"--sort", "--csv", "--last", "--over", "--runs"},
    "log": {"-f"},
    "show": {"--single"},
    "lab": {"-p", "--profile", "--no-lab", "--remove"},
    "debug": {"--profile", "--lab"},
    "watch": RUN - {"--deadline", "--start-late", "--pages"},
    "stop": {"--now"},
    "job": {*RUN, *JOB, "--secret"},
    "graph": {"-p", "--mermaid", "--dot"},
    "check": {"-p", "--log-level"},
    "accept": {"-n", "--yes"},
    "tidy": {"-n", "--install", "--filter"},
    "clean": {"-n", "--yes", "--runs", "--older-than"},
    "help": set(),
}
# Of each option the flag by which it is called here.
FLAGS = {one.flags[0] for one in OPTIONS.values()} - {"-h", "--version"}


def test_an_option_that_means_nothing_to_a_command_is_refused_in_one_line(
    project: TemporaryProject,
) -> None:
    project.stage("a", writes=("a.txt",))
    project.profile("all")
    kept = project.write("outputs/all/a.txt", "")
    assert HAVE.keys() == {None, *COMMANDS}
    for command, flags in HAVE.items():
        for number, flag in enumerate(sorted(FLAGS - flags)):
            words = [command or "all", flag, "1"]
            with pytest.raises(UsageError) as caught:
                parse(words)
            told = str(caught.value)
            assert "\n" not in told, words
            assert flag in told
            if not number:
                assert project.call(*words, code=2).err == f"run.py: {told}\n"
            assert ("goes with" if command is None else f"{command} takes no") in told
    assert kept.exists()
    assert not (project.root / "outputs/all/runs").exists()


WRONG = [["--force=a", "stop"], ["stop", "-n"], ["-j", "3", "clean"], ["stop", "-j3"]]


@pytest.mark.parametrize("words", WRONG)
def test_an_option_is_refused_wherever_it_stands(
    project: TemporaryProject, words: list[str]
) -> None:
    assert " takes no -" in project.call(*words, code=2).err


def test_each_command_says_in_its_help_which_options_it_has(project: TemporaryProject) -> None:
    for command, flags in HAVE.items():
        if command is None or command == "help":
            continue
        told = project.call(command, "--help").out
        assert told == project.call("help", command).out == project.call("-h", command).out
        assert told.startswith(f"usage: python run.py {command}")
        found = set(re.findall(r"^  (--?[a-z-]+)", told, re.MULTILINE))
        assert found == {*flags, "-h", "--version"}, command


def test_help_names_every_command_and_an_unknown_one_is_told(project: TemporaryProject) -> None:
    told = project.call("help").out
    assert told == project.call("--help").out
    for command in COMMANDS:
        assert re.search(rf"^  {command} .*", told, re.MULTILINE), command
    assert "no command `lgo`; did you mean `log`?" in project.call("help", "lgo", code=2).err
    project.profile("all")
    project.stage("a")
    # A command that is misspelt is no target; an option may be misspelt, too.
    assert "did you mean `history`?" in project.call("histroy", code=2).err
    assert "did you mean `--jobs`?" in project.call("--jbos", "3", "all", code=2).err


def test_the_version_is_that_of_the_project() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", "--version"], capture_output=True, text=True, check=True
    )
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert runner.__version__ == settings["project"]["version"]
    assert done.stdout.startswith(f"run.py {runner.__version__} ")


def test_what_can_stand_in_pyproject_is_a_setting() -> None:
    assert {name for name, one in OPTIONS.items() if one.in_pyproject} == {
        name for name in OPTIONS if name in {one.name for one in fields(Settings)}
    }

"""Odd parameters, addresses, times, settings and folders: told in one line before anything runs."""

import subprocess
from pathlib import Path

import pytest

from tests.mistakes import refused, told, told_once
from tests.project import TemporaryProject

_TENFOLD = "".join(f"    a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
_KEY = "0" * 64

# A profile, and what is said of it.
PROFILES = [
    (
        f"s:\n  v:\n    a0: &a0 [1, 2]\n{_TENFOLD}",
        ": its anchors (`&`, `*`) make more than 100,000",
    ),
    ("s:\n  v: &a {b: *a}\n", ":2: contains itself, through its anchor; write the values out"),
    ("s:\n  v: &a\n    ? *a\n    : 1\n", ":2: contains itself, through its anchor"),
    ('s:\n  v: {}\n  w: "\\UFFFFFFFF"\n', ":3: is not YAML: \\UFFFFFFFF is no character"),
    ('s:\n  w: "\\U00110000"\n', ":2: is not YAML: \\U00110000 is no character"),
    (f"s:\n  v: {'[' * 5000}", ": is nested more than 100 deep; write it flatter"),
    (f"s:\n  v: {'[' * 105}{']' * 105}\n", ":2: is nested more than 100 deep"),
    ("s:\n" + "".join("  " * (i + 1) + "a:\n" for i in range(400)), ":100: is nested more than"),
    ("s:\n\tv: {}\n", ":2: is not YAML: a tab stands where only spaces may; use spaces"),
    ("s:\n  v: {}\n\tw: 1\n", ":3: is not YAML: a tab stands where only spaces may; use spaces"),
    ("s:\n  v: {a: 1, a: 2}\n", ":2: `a` stands twice (first on line 2); keep one"),
    (f"s:\n  n: {'9' * 6000}\n", ":2: a number of 6000 digits; put it in quotes if it is a text"),
    (f"s:\n  n: 0x{'f' * 6000}\n", ":2: a number of 6002 digits; put it in quotes"),
    ("s:\n  <<: {v: {}}\n", ":2: `<<` is not understood here; write the values out"),
    ("s:\n  v: {<<: 3}\n", ":2: `v` cannot be read: expected a mapping"),
    ("s:\n  v: !!python/object/apply:os.system [ls]\n", ":2: the tag `python/object/apply:os.syst"),
    ("s:\n  v: !mine {}\n", ":2: the tag `!mine` means nothing here; write the plain value"),
    ("s:\n  v: !!set {a}\n", ":2: the tag `set` means nothing here; write the plain value"),
    ("s:\n  n: !!int one\n", ":2: `n` cannot be read: one is no whole number; put a text in"),
    ("s:\n  n: !!bool one\n", ":2: `n` cannot be read: one is no truth value; put a text in"),
    ("s:\n  w: 2024-02-31\n", ":2: `w` cannot be read: 2024-02-31 is no date; put a text in"),
    ("s:\n  ? [1, 2]\n  : 3\n", ":2: the name of a parameter must be a text"),
    ("? {a: 1}\n: {}\n", ":1: the name of a stage must be a text"),
    ("s: {}\n---\ns: {}\n", ":2: is not YAML: `---` begins a second document; keep one"),
    ("%YAML 1.1\n---\ns: {}\n", ": a line that begins with `%` is not understood; remove it"),
    ("# one\n\n%TAG ! x:\n---\ns: {}\n", ": a line that begins with `%` is not understood"),
    ("s:\n  v: *x\n", ":2: is not YAML: found undefined alias 'x'"),
    ("s:\n  v: \0\n", ": is not YAML: unacceptable character #x0000"),
    ("s: a: b\n", ":1: is not YAML: a second `:` on the line, or wrong indentation before it"),
    ('s:\n  input_f: "a\\0b"\n', ":2: 'a\\x00b' holds a null character, so it is no path"),
    ('s:\n  input_f: "a\\ud800"\n', ":2: 'a\\ud800' holds half a character, so it is no path"),
    (f"s:\n  input_f: {'x' * 256}\n", f":2: {'x' * 40}… is too long for a path"),
    (f"s:\n  input_f: https://[bad#sha256={_KEY}\n", ":2: https://[bad#sha256=0"),
    (f"s:\n  input_f: https://a:b/c#sha256={_KEY}\n", ":2: https://a:b/c#sha256=0"),
    (f"s:\n  input_f: https:///c#sha256={_KEY}\n", ":2: https:///c#sha256=0"),
    ("s:\n  input_f: package:__main__/x\n", ":2: package:__main__/x: the package __main__ is not"),
    (f"s:\n  input_f: package:json/{'x' * 300}\n", ":2: package:json/xxx"),
]

# What stands below [tool.runner], and what is said of it.
SETTINGS = [
    ("retries = {modle = 2}", "retries: there is no stage `modle`; did you mean `model`?"),
    ("retries = {model = -1}", "retries: takes a whole number from 0 up, or one for each stage"),
    ("retries = []", "retries: takes a whole number from 0 up, or one for each stage"),
    ("always = ['modle']", "always: there is no stage `modle`; did you mean `model`?"),
    ("always = 'model'", "always: takes a list of stages in quotes"),
    ("stages = {model = {cpu = 1}}", "unknown setting `stages`"),
    ("retry = 1", "unknown setting `retry`; did you mean `retries`?"),
    ("deadline = '99999999999d'", "deadline: takes a time of at most 3650d, not '99999999999d'"),
    ("timeout = 1e300", "timeout: takes a time such as 90 (seconds)"),
    (f"timeout = {'9' * 400}.0", "timeout: takes a time such as 90 (seconds)"),
    (f"jobs = {'9' * 30}", f"jobs: takes a whole number from 1 up, not '{'9' * 30}'"),
    (f"jobs = 0x{'f' * 9000}", "jobs: takes a whole number from 1 up, not 'a huge number'"),
    ("jobs = 2024-02-29", "jobs: takes a whole number from 1 up, not '2024-02-29'"),
    ("tolerance = inf", "tolerance: takes a number from 0 up"),
    ("secrets = [1]", "secrets: takes a list of names in quotes"),
    ("notify = {}", "notify: takes a URL in quotes, or a list of them"),
    ("log-level = []", "log-level: takes one of DEBUG, INFO, WARNING, ERROR, not []"),
]

# A command line, and what is said of it.
WORDS = [
    (["all", "--deadline", "99999999999d"], "--deadline: takes a time of at most 3650d, not"),
    (["all", "--timeout", "9" * 5000], "--timeout: takes a time of at most 3650d, not '9999"),
    (["all", "-j", "9" * 5000], "--jobs: takes a whole number from 1 up, not '9999"),
    (["all", "--retries", "9" * 5000], "--retries: takes a whole number from 0 up"),
    (["all", "-p", 's.n="\\UFFFFFFFF"'], '-p s.n="\\UFFFFFFFF": the value is not YAML'),
    (["all", "-p", "s.v={a: 1, a: 2}"], "-p s.v={a: 1, a: 2}: the value is not YAML (`"),
    (["all", "-p", "s.v=!x {}"], "-p s.v=!x {}: the value is not YAML (the tag `!x` m"),
    (["all", "-p", f"s.n={'9' * 5000}"], "-p s.n=9999"),
]


@pytest.mark.slow
def test_odd_values_of_a_profile_are_told_where_they_stand(project: TemporaryProject) -> None:
    project.notebook("s", parameters="v = {}\nn = 1\nw = 'a'\ninput_f = '../notebooks/s.ipynb'")
    for text, what in PROFILES:
        project.profile("all", text)
        assert told_once(project, "check").startswith(f"params/all.yaml{what}"), text


def test_odd_settings_are_told(project: TemporaryProject) -> None:
    project.stage("model", writes=("a.txt",))
    project.profile("all")
    for text, what in SETTINGS:
        project.write("pyproject.toml", f"[tool.runner]\n{text}\n")
        assert told_once(project, "check").startswith(f"pyproject.toml [tool.runner]: {what}"), text


def test_odd_words_are_told(project: TemporaryProject) -> None:
    project.notebook("s", parameters="v = {}\nn = 1\nw = 'a'")
    project.profile("all")
    for words, what in WORDS:
        assert refused(project, *words).startswith(what), words


def test_a_lone_surrogate_is_a_text_like_others(project: TemporaryProject) -> None:
    project.notebook("s", "assert len(w) == 1 and w == chr(0xd800)", parameters="w = 'a'")
    project.profile("all", 's:\n  w: "\\ud800"\n')
    project.call("list")
    project.run("all")
    project.call("status")
    project.pretend("all")
    assert project.states("all") == {"s": "skipped"}


def test_defaults_that_python_cannot_write_are_told(project: TemporaryProject) -> None:
    project.profile("all")
    for value in (f"0x{'f' * 6000}", f"[0x{'f' * 6000}]"):
        project.notebook("s", parameters=f"n = {value}")
        assert told_once(project, "check").startswith(
            "notebooks/s.ipynb, cell 1 (parameters): line 1: the value of `n` is too large"
        )


def test_a_stage_that_reads_a_folder_in_which_it_writes_is_told(project: TemporaryProject) -> None:
    project.notebook("a", parameters="output_x = '../outputs/test/both/a.txt'")
    lines = "input_all = '../outputs/test/both'\noutput_x = '../outputs/test/both/b.txt'"
    project.notebook("b", parameters=lines)
    project.profile("all")
    assert told_once(project, "check") == (
        "notebooks/b.ipynb, parameters, line 1: b reads outputs/all/both, in which it writes "
        "itself; use two folders"
    )


def test_a_file_where_a_folder_must_be_is_told_before_anything_runs(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook(
        "a", "open(output_x, 'w').close()", parameters="output_x = '../outputs/test/x'"
    )
    project.pretend("all")
    project.stage("a", writes=("x/y/z.txt",))
    said = project.call("all", code=2).err.splitlines()
    assert said[0] == "run.py: 1 mistake in the project, nothing was run:"
    what = "is a file, where outputs/all/x/y/z.txt needs a folder"
    assert said[1:] == [f"  outputs/all/x: {what}; remove it, or build from nothing: -f all"]
    assert project.states("all") == {"a": "succeeded"}
    project.pretend("-f", "all")
    assert (project.outputs("all") / "x/y/z.txt").is_file()


def test_outputs_that_are_no_folder_are_told(project: TemporaryProject, tmp_path: Path) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.write("outputs", "")
    for words in (("all",), ("-n", "all")):
        assert told(project, *words) == ["outputs: is no folder; move it away"]
    (project.root / "outputs").unlink()
    (project.root / "outputs").mkdir()
    (project.root / "outputs/all").symlink_to(tmp_path / "nowhere")
    for words in (("all",), ("-n", "all")):
        assert told(project, *words) == ["outputs/all: is a link; move it away"]


@pytest.mark.parametrize(("limit", "hard", "code"), [("24", True, 2), ("64", False, 0)])
def test_too_few_open_files_are_told_and_more_are_asked_for(
    project: TemporaryProject, limit: str, code: int, *, hard: bool
) -> None:
    project.profile("all")
    for name in ("a", "b"):
        project.stage(name, writes=(f"{name}.txt",))
    which = "-n" if hard else "-S -n"
    command = ["sh", "-c", f'ulimit {which} {limit} && exec "$@"', "sh", *project.command("all")]
    done = subprocess.run(
        [*command, "-j", "2"], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    if hard:
        assert done.stderr == (
            "run.py: a process may open 24 files here, this run needs 160; raise the limit "
            "(ulimit -n), or run fewer stages at once (-j)\n"
        )

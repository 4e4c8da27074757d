"""Values of secret-looking environment variables are in nothing that we write."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from runner.runs.journal import read_journal
from runner.secrets.mask import Mask, MaskedStream
from tests.project import TemporaryProject

SECRET = 's3cr3t/"quoted"\'\\pa ss'  # noqa: S105 - to be hidden
KEY = "-----BEGIN KEY-----\nMIIBVgIBADAN\n-----END KEY-----"


def test_a_secret_is_hidden_wherever_we_write(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook(
        "a",
        f"# # About {KEY.splitlines()[1]}",
        "import os\n\nsecret = os.environ['DATABASE_PASSWORD']\nprint('it is', secret)",
        "import sys, time\nfor letter in secret:\n"
        "    print(letter, end='', flush=True)\n    time.sleep(0.05)",
        "secret",
        "print(os.environ['SSH_PRIVATE_KEY'], file=sys.stderr)",
        "display({'text/html': f'<b>{secret}</b>', 'application/json': {'k': secret}}, raw=True)",
        "!echo $DATABASE_PASSWORD",
        "from ipywidgets import Text\n\nText(value=f'<{secret}>', description='shown')",
        "print(('y' * 300 + secret) * 2000)",
        f"literal = {SECRET!r}\nraise ValueError(secret)",
    )
    environment = {"DATABASE_PASSWORD": SECRET, "SSH_PRIVATE_KEY": KEY, "PLAIN": "visible"}
    done = project.run("all", code=1, env=environment)
    written = [done.text.encode()]
    files = [path for path in project.root.glob("outputs/**/*") if path.is_file()]
    written += [path.read_bytes() for path in files]
    assert len(written) > 5
    parts = [SECRET, SECRET[:8], 's3cr3t/\\"quoted', "MIIBVgIBADAN"]
    for data in written:
        for part in parts:
            assert part.encode() not in data
    assert "a[1/9]: it is ***" in done.out
    assert "ValueError: ***" in done.out
    assert "ValueError: ***" in project.stage_record("all", "a")["error"]
    widgets = project.executed("all", "a").metadata.widgets[
        "application/vnd.jupyter.widget-state+json"
    ]
    assert ("<***>", "shown") in [
        (one["state"].get("value"), one["state"].get("description"))
        for one in widgets["state"].values()
    ]


def written(*folders: Path) -> str:
    """Give all that stands in the files of folders, hidden ones too."""
    files = [path for one in folders for path in one.rglob("*") if path.is_file()]
    assert files
    return "\n".join(path.read_text("utf-8") for path in files)


def test_a_secret_given_as_a_parameter_is_in_nothing_that_a_run_leaves(
    project: TemporaryProject,
) -> None:
    project.profile("all", "a:\n  x: hunter22\n  y: {inner: [hunter22]}\n")
    project.notebook("a", "print('it is', x)", parameters="x: str = 'none'\ny: dict = {}")
    done = project.run("all", env={"A_TOKEN": "hunter22"})
    assert "a[2/2]: it is ***" in done.out
    text = written(project.root / "outputs")
    assert "hunter22" not in text + done.text
    parameters = {"x": "***", "y": {"inner": ["***"]}}
    executed = project.executed("all", "a")
    assert executed.metadata.papermill.parameters == parameters
    assert 'x = "***"' in executed.cells[1].source
    shown = project.stage_record("all", "a")["parameters"]
    assert {name: one["value"] for name, one in shown.items()} == parameters
    (journal,) = project.root.glob("outputs/all/runs/*/journal.jsonl")
    (began,) = [one for one in read_journal(journal) if one["event"] == "stage_started"]
    assert began["parameters"]["x"]["value"] == "***"
    assert began["basis"]["parameters"]["x"].keys() == {"***"}


def test_a_secret_is_in_no_reason_command_or_error(project: TemporaryProject) -> None:
    project.profile("all")
    source = "if x.startswith('bad'):\n    raise ValueError(x)"
    project.notebook("a", source, parameters="x: str = 'none'")
    # These are no secrets yet, and stand in the journal.
    project.pretend("all", "-p", "a.x=hunter22")
    environment = {"A_TOKEN": "hunter22", "B_TOKEN": "badh0und"}
    for words, change in (
        ([], "parameter x: '***' → 'none'"),
        (["-p", "a.x=hunter22"], "parameter x: 'none' → '***'"),
    ):
        plan = project.call("-n", "all", *words, env=environment)
        done = project.pretend("all", *words, env=environment)
        assert "hunter22" not in written(project.runs("all")[-1]) + done.text + plan.text
        (reason,) = project.stage_record("all", "a")["reasons"]
        assert reason["text"] == change
        assert change in plan.out
    assert "a.x=***" in project.record("all")["command"]
    # Another secret is another value, though both are hidden.
    done = project.pretend("all", "-p", "a.x=badh0und", code=1, env=environment)
    assert "parameter x: '***' → '***'" in done.out
    assert "badh0und" not in written(project.runs("all")[-1]) + done.text
    assert project.stage_record("all", "a")["error"] == "ValueError: ***"


def test_a_secret_is_hidden_in_what_commands_answer(project: TemporaryProject) -> None:
    project.profile("all", "a:\n  x: hunter22\n")
    project.notebook("a", "x", parameters="x: str = 'a'")
    environment = {"A_TOKEN": "hunter22"}
    done = project.call("list", "all", env=environment)
    assert "x = '***'" in done.out
    project.profile("all", "a:\n  y: hunter22\n  x: [hunter22]\n")
    done = project.call("all", code=2, env=environment)
    assert "***" in done.err
    assert "hunter22" not in done.text


@pytest.mark.parametrize(
    ("name", "value", "patterns", "hidden"),
    [
        ("GITHUB_TOKEN", "abcd1234", (), True),
        ("my_api_key", "abcd1234", (), True),
        ("MYSECRETS", "abcd1234", (), True),
        ("PATH_TO_IT", "abcd1234", (), False),
        ("MY_PIN", "abcd1234", ("MY_P*",), True),
        ("GITHUB_TOKEN", "abcd1234", ("!GITHUB_*",), False),
        ("TOKENIZERS_PARALLELISM", "false", (), False),
        ("MAX_TOKENS", "4096", (), False),
        ("PIN_SECRET", "a", (), False),
        ("PIN_SECRET", "abc", (), False),
        ("PIN_SECRET", "abcd", (), True),
        ("PIN_SECRET", "12345", (), False),
        ("PIN_SECRET", "123456", (), True),
        ("AWS_ACCESS_KEY_ID", "abcd1234", (), True),
        ("ACCESS_KEY", "abcd1234", (), True),
        ("DB_PASSWD", "abcd1234", (), True),
        ("PGPASSWORD", "abcd1234", (), True),
        ("KEY_PASSPHRASE", "abcd1234", (), True),
        ("OPENAI_APIKEY", "abcd1234", (), True),
        ("SSH_PRIVATE_KEY", "abcd1234", (), True),
        ("GOOGLE_CREDENTIALS", "abcd1234", (), True),
        ("RUN_NOTIFY", "json://abcd1234", (), True),
        ("MY_KEY", "abcd1234", (), False),
    ],
)
def test_which_values_are_hidden(
    name: str, value: str, patterns: tuple[str, ...], *, hidden: bool
) -> None:
    mask = Mask.of({name: value}, patterns)
    assert mask(f"<{value}>") == ("<***>" if hidden else f"<{value}>")


def test_the_password_in_each_url_to_notify_is_hidden_by_itself() -> None:
    urls = "mailtos://me:hunter22@one.example json://[ mailtos://me:badh0und@two.example"
    mask = Mask.of({"RUN_NOTIFY": urls})
    assert mask("hunter22, badh0und, one.example") == "***, ***, one.example"


def test_of_secrets_that_begin_alike_the_longest_is_hidden() -> None:
    for values in (["abcd", "abcdefgh"], ["abcdefgh", "abcd"]):
        assert Mask(values)("<abcdefgh> <abcdefg> <abcd>") == "<***> <***efg> <***>"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_secret_that_begins_with_another_is_hidden_though_cut_in_pieces(size: int) -> None:
    stream = MaskedStream(Mask(["abcd", "abcdefgh", "xxab", "efgi"]))
    text = "abcdefgh abcdefgi xxabcdef abcdxxabcdefg abcd"
    shown = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
    hidden = "*** ****** ***cdef ******cdefg ***"
    assert "".join([*shown, stream.finish()]) == hidden


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_secret_cut_in_pieces_is_hidden(size: int) -> None:
    stream = MaskedStream(Mask(["abcabd", "abcd"]))
    text = "ab abc abcabcabd, abcd; abca"
    shown = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
    assert "".join([*shown, stream.finish()]) == "ab abc abc***, ***; abca"


def test_secrets_that_are_words_of_ours_break_nothing(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", "print('hello')\ndisplay({'text/plain': 'x'}, raw=True)", writes=("a.txt",))
    words = ["data", "text", "code", "name", "stdout", "output_type", "cells", "state", "all"]
    environment = {f"PASSWORD_{number}": word for number, word in enumerate(words)}
    project.run("all", env=environment)
    nbformat.validate(project.executed("all", "a"))
    project.call("all", env=environment)
    assert project.states("all") == {"a": "skipped"}
    (build,) = json.loads(project.call("status", "--json", env=environment).out)["builds"]
    assert build.keys() >= {"profile", "run", "plan"}
    assert build["run"]["stages"][0].keys() >= {"name", "state"}


def test_escaped_forms_and_named_secrets_are_hidden_in_what_is_printed(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.write("pyproject.toml", '[tool.runner]\nsecrets = ["MY_PIN", "!A_TOKEN"]\n')
    project.notebook(
        "a",
        "import html, json, os, urllib.parse\n\ns = os.environ['DB_PASSWORD']\n"
        "print('1', html.escape(s), html.escape(s, quote=False))\n"
        "print('2', urllib.parse.quote(s), urllib.parse.quote(s, safe=''))\n"
        "print('3', urllib.parse.urlencode({'p': s}))\n"
        "print('4', json.dumps([s]), json.dumps([s], ensure_ascii=False))\n"
        "print('5', repr(s))\n"
        "print('6', os.environ['MY_PIN'], os.environ['A_TOKEN'])",
    )
    secret = "p&ss <w/rd\\'ü\t9"  # noqa: S105 - to be hidden
    environment = {"DB_PASSWORD": secret, "MY_PIN": "p1nn", "A_TOKEN": "visible"}
    out = project.run("all", env=environment).out
    printed = re.findall(r"a\[1/1\]: (.*)", out)
    hidden = ["1 *** ***", "2 *** ***", "3 p=***", '4 ["***"] ["***"]', "5 '***'", "6 *** visible"]
    assert [
        line.replace('"***"', "'***'") if line[0] == "5" else line for line in printed
    ] == hidden


def test_a_plan_hides_a_secret_and_it_stays_up_to_date(project: TemporaryProject) -> None:
    secret = "p&ss<w@rd9"  # noqa: S105 - to be hidden
    environment = {"DB_PASSWORD": secret}
    project.notebook("a", "url", parameters="url = 'none'")
    project.profile("all")
    project.pretend("all", env=environment)
    project.profile("all", f"a:\n  url: {secret!r}\n")
    for words in (("-n", "all"), ("status",), ("list", "all")):
        out = project.call(*words, env=environment).out
        assert secret not in out
        assert "***" in out
    project.pretend("all", env=environment)
    project.pretend("all", env=environment)
    assert project.states("all") == {"a": "skipped"}

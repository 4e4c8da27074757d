"""Values of secret-looking environment variables are in nothing that we write."""

import nbformat
import pytest

from runner.secrets import Mask, MaskedStream
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
    assert "a[1/8]: it is ***" in done.out
    assert "ValueError: ***" in done.out
    assert "ValueError: ***" in project.stage_record("all", "a")["error"]


def test_a_secret_is_hidden_in_what_commands_answer(project: TemporaryProject) -> None:
    project.profile("all", "a:\n  x: hunter22\n")
    project.notebook("a", "x", parameters="x: str = 'a'")
    environment = {"A_TOKEN": "hunter22"}
    done = project.run("list", "all", env=environment)
    assert "x = '***'" in done.out
    project.profile("all", "a:\n  y: hunter22\n  x: [hunter22]\n")
    done = project.run("all", code=2, env=environment)
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
    ],
)
def test_which_values_are_hidden(
    name: str, value: str, patterns: tuple[str, ...], *, hidden: bool
) -> None:
    mask = Mask.of({name: value}, patterns)
    assert mask(f"<{value}>") == ("<***>" if hidden else f"<{value}>")


def test_the_setting_adds_and_leaves_out_names(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("pyproject.toml", '[tool.runner]\nsecrets = ["MY_PIN", "!A_TOKEN"]\n')
    project.notebook("a", "import os\n\nprint(os.environ['MY_PIN'], os.environ['A_TOKEN'])")
    out = project.run("all", env={"MY_PIN": "p1nn", "A_TOKEN": "visible"}).out
    assert "a[1/1]: *** visible" in out


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_secret_cut_in_pieces_is_hidden(size: int) -> None:
    stream = MaskedStream(Mask(["abcabd", "abcd"]))
    text = "ab abc abcabcabd, abcd; abca"
    shown = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
    assert "".join([*shown, stream.finish()]) == "ab abc abc***, ***; abca"


@pytest.mark.parametrize("word", ["data", "text", "code", "name", "stdout", "output_type", "all"])
def test_a_secret_that_is_a_word_of_ours_breaks_nothing(
    project: TemporaryProject, word: str
) -> None:
    project.profile("all")
    project.stage("a", "print('hello')\ndisplay({'text/plain': 'x'}, raw=True)", writes=("a.txt",))
    environment = {"DB_PASSWORD": word}
    project.run("all", env=environment)
    nbformat.validate(project.executed("all", "a"))
    project.run("all", env=environment)
    assert project.states("all") == {"a": "skipped"}


def test_escaped_forms_and_plans_are_hidden(project: TemporaryProject) -> None:
    secret = "p&ss<w@rd9"  # noqa: S105 - to be hidden
    environment = {"DB_PASSWORD": secret}
    source = (
        "import html, os, urllib.parse\n\ns = os.environ['DB_PASSWORD']\n"
        "print(html.escape(s), urllib.parse.quote(s))"
    )
    project.notebook("a", source, parameters="url = 'none'")
    project.profile("all")
    assert "a[2/2]: *** ***" in project.run("all", env=environment).out
    project.profile("all", f"a:\n  url: {secret!r}\n")
    for words in (("-n", "all"), ("status",), ("list", "all")):
        out = project.run(*words, env=environment).out
        assert secret not in out
        assert "***" in out
    project.run("all", env=environment)
    project.run("all", env=environment)
    assert project.states("all") == {"a": "skipped"}

"""Secrets are hidden however they are escaped, wrapped or cut; and those that a run learns of."""

import base64
import html
import json
import pprint
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from runner.project.dotenv import mask
from runner.secrets.forms import normal, placed
from runner.secrets.mask import Mask, MaskedStream
from tests.project import TemporaryProject

ODD = 's3cr3t/"quoted"\'\\pa ss&<ü>\U0001f511'
LONG = "ghp_5e8f1c9a77deadbeef5e8f1c9a77deadbeef5e8f1c9a77deadbeef"


def lower_quote(text: str) -> str:
    """Quote for a URL in lower-case digits."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def wrapped(text: str) -> str:
    """Break a text into lines of a few characters, indented."""
    return "\n".join(f"    {text[at : at + 7]}" for at in range(0, len(text), 7))


ESCAPES: list[Callable[[str], str]] = [
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(text).replace("/", r"\/"),
    repr,
    lambda text: repr(text.encode()),
    ascii,
    html.escape,
    lambda text: html.escape(text, quote=False),
    lambda text: str(escape(text)),
    quote,
    lambda text: quote(text, safe=""),
    quote_plus,
    lower_quote,
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.urlsafe_b64encode(f"user:{text}".encode()).decode(),
    lambda text: base64.encodebytes(f"a{text}z".encode()).decode(),
]


def coloured(text: str) -> str:
    """Show a text in red."""
    return f"\x1b[31m{text}\x1b[0m"


AROUND: list[Callable[[str], str]] = [str, *ESCAPES[:13], wrapped, coloured]


@pytest.mark.parametrize("secret", [ODD, LONG, "p&ss <w/rd\\'ü\t9", "C:\\new\\users\\12345"])
def test_a_secret_is_hidden_in_each_form_and_in_each_form_of_that(secret: str) -> None:
    hide = Mask([secret])
    for inner in ESCAPES:
        for outer in AROUND:
            text = outer(f"<{inner(secret)}>")
            assert "***" in hide(text), text
            assert normal(secret) not in normal(hide(text))


def test_a_secret_is_hidden_in_what_displays_make_of_it() -> None:
    frame = pd.DataFrame({"url": [f"https://{LONG}@host/path", LONG, "plain"]})
    lines = pprint.pformat(
        {"text": f"some words before it {LONG} and many words after it"}, width=30
    )
    shown = [
        frame.to_string(),
        repr(frame),
        frame.to_html(),
        lines,
        f"{LONG[:20]}…",
        LONG[:30] + "...",
    ]
    shown += [f"{LONG[:12]}...{LONG[-12:]}"]
    for text in shown:
        hidden = Mask([LONG])(text)
        assert "***" in hidden
        for start in range(len(LONG) - 8):
            assert LONG[start : start + 8] not in hidden, hidden


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("here", "the rest of it; th ere"),
        ("123456", "12 34 56; 123 456"),
        ("password1", "pass...; passw..."),
        ("abcd", "ab'c'd, a+bcd"),
        (LONG, "ghp_5... ghp_"),
        ("a" * 20, "a" * 19),
        ("%41%42%43", "A B C"),
    ],
)
def test_what_is_no_secret_stays(secret: str, text: str) -> None:
    assert Mask([secret])(text) == text


TEXTS = st.text(
    st.sampled_from("ab1 \n\t\\\"'%&;#+x\x1b[mu0n5cCüé\U0001f511") | st.characters(), max_size=30
)


@settings(deadline=None, database=None, derandomize=True)
@given(TEXTS)
def test_a_normal_form_knows_where_its_parts_stand(text: str) -> None:
    found, places = placed(text)
    assert found == normal(text)
    assert len(places) == len(found)
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)


@settings(deadline=None, database=None, derandomize=True)
@given(
    st.text(st.sampled_from("abcXYZ019 /\"'<-_:@ü\t"), min_size=12, max_size=40),
    st.sampled_from(AROUND),
    st.integers(1, 40),
)
def test_no_piece_of_a_stream_shows_a_secret(
    secret: str, way: Callable[[str], str], size: int
) -> None:
    needle = normal(secret)
    if len(needle) < 12 or needle.isdecimal():
        # Shorter ones are not looked for across gaps: they would be found by chance.
        return
    text = way(f"before {secret} after")
    stream = MaskedStream(Mask([secret]))
    pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    shown = "".join([*pieces, stream.finish()])
    if needle in normal(text):
        assert needle not in normal(Mask([secret])(text))
        assert needle not in normal(shown)


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("A_TOKEN=hunter22", True),
        ("export A_TOKEN='hunter22'", True),
        ('  A_TOKEN = "hunter22"  # why', True),
        ("A_TOKEN=hunter22 # why", True),
        ("A_TOKEN: hunter22", True),
        ("X=1\r\nA_TOKEN=hunter22\r\n", True),
        ("# A_TOKEN=hunter22", False),
        ("REGION=hunter22", False),
        ("MY_PIN=hunter22", True),
        ("A_TOKEN_LEFT_OUT=hunter22", False),
    ],
)
def test_which_values_of_an_env_file_are_hidden(tmp_path: Path, line: str, *, hidden: bool) -> None:
    (tmp_path / ".env").write_text(f"FIRST=1\n{line}\nLAST=2\n", "utf-8")
    (tmp_path / ".env.example").write_text("A_TOKEN=insert-it-here\n", "utf-8")
    (tmp_path / ".envs").mkdir()
    found = mask(tmp_path, {}, ["MY_PIN", "!*_LEFT_OUT"])
    assert (
        found("<hunter22> insert-it-here") == f"<{'***' if hidden else 'hunter22'}> insert-it-here"
    )


def test_secrets_of_an_env_file_are_hidden_from_the_beginning(project: TemporaryProject) -> None:
    project.profile("all", "a:\n  x: hunter22\n")
    project.notebook("a", "raise ValueError(x)", parameters="x = 'a'")
    project.write(".env", "A_TOKEN=hunter22\n")
    project.write("notebooks/.env.local", "B_TOKEN=badh0und\n")
    for words in (("list", "all"), ("-n", "all")):
        assert "hunter22" not in project.call(*words).text
    done = project.pretend("all", "-p", "a.x=badh0und", code=1)
    assert "ValueError: ***" in done.text
    files = [
        path.read_text("utf-8")
        for path in (project.root / "outputs").rglob("*.*")
        if path.is_file()
    ]
    assert not any("badh0und" in text for text in (*files, done.text))


def test_a_secret_that_a_notebook_sets_is_hidden_from_then_on(project: TemporaryProject) -> None:
    project.profile("all")
    ways = {
        "A_TOKEN": "os.environ['A_TOKEN'] = {}",
        "B_TOKEN": "os.environ.update(B_TOKEN={})",
        "C_TOKEN": "os.putenv('C_TOKEN', {})",
        "D_TOKEN": "%env D_TOKEN={}",
        "E_TOKEN": "t = threading.Thread(target=os.putenv, args=('E_TOKEN', {}))\n"
        "t.start(); t.join()",
        "F_TOKEN": "os.environb[b'F_TOKEN'] = {}.encode()",
        "G_VALUE": "os.environ['G_VALUE'] = {}",
    }
    cells = ["import os, threading"]
    for name, way in ways.items():
        value = f"hunter-{name}"
        cells.append(
            f"part = '{value}'\n{way.format('part' if '%' not in way else value)}\nprint(part)"
        )
    cells.append("!echo $A_TOKEN")
    cells.append("display({'text/plain': part}, raw=True, metadata={part: 1, 'hunter-A_TOKEN': 2})")
    cells.append("os.environ['Z_TOKEN'] = 'hunter-last'\nraise ValueError('hunter-last')")
    project.notebook("a", *cells)
    done = project.run("all", code=1)
    assert "a[8/11]: hunter-G_VALUE" in done.out
    assert "a[9/11]: ***" in done.out
    assert "ValueError: ***" in project.stage_record("all", "a")["error"]
    run = project.runs("all")[-1]
    texts = [path.read_text("utf-8") for path in [*run.rglob("*.ipynb"), run / "log.txt"]]
    for text in (*texts, done.text):
        for name in (*[one for one in ways if one != "G_VALUE"], "last"):
            assert f"hunter-{name}" not in text, name

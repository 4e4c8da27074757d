"""Nothing that a notebook says can look like a line of the runner's, or act on a terminal."""

import re
import unicodedata

import pytest

from runner.words import shown
from tests.project import TemporaryProject

FORGED = "2026-01-31 12:00:00.000 INFO     run: all succeeded"
# Where a line of the log begins: a time, a level, a stage of this project or the run itself.
HEAD = re.compile(r"\d{4}-\d\d-\d\d [\d:.]{12} [A-Z]+ +(run|check|s\d+(\[\d+/\d+\])?)[ :]")

# What a cell does that would mislead whoever reads the log, or a terminal that shows it.
CELLS = {
    "a carriage return in an exception": f"raise ValueError('real\\r{FORGED}')",
    "a line of its own in an exception": f"raise ValueError('real\\n{FORGED}')",
    "NEL in an exception": f"raise ValueError('real\\x85{FORGED}')",
    "LINE SEPARATOR in an exception": f"raise ValueError('real\\u2028{FORGED}')",
    "PARAGRAPH SEPARATOR in print": f"print('real\\u2029{FORGED}')",
    "vertical tab and form feed": f"print('real\\x0b{FORGED}\\x0c{FORGED}')",
    "C1 in print": "print('a\\x9b2J')",
    "C1 in an exception": "raise ValueError('a\\x9b2J')",
    "bidi in print": "print('user \\u202e txt.exe \\u2066 x')",
    "bidi in an exception": "raise ValueError('user \\u202e txt.exe')",
    "ESC in an exception's name": "raise type('x\\x1b[2Jy\\rz', (Exception,), {})('v')",
    "a line's end in an exception's name": f"raise type('x\\n{FORGED}', (Exception,), {{}})('v')",
    "bidi in the cell's first line": "x = 'user \u202e txt.exe'; raise ValueError(x)",
    "NEL in the cell's first line": f"x = 'a\x85{FORGED}'; raise ValueError(x)",
    "a logger's name": "import logging; logging.getLogger('a\\x1b[2J\\rb\\nc').error('x')",
    "a record": f"import logging; logging.getLogger('a').error('x\\r{FORGED}')",
    "a warning": f"import warnings; warnings.warn('x\\r{FORGED}')",
    "a lone surrogate": "raise ValueError('\\ud800 \\udc80')",
    "a very long text": "raise ValueError('x' * 2_000_000 + 'end')",
    "a very long line": "x = '" + "x" * 50_000 + "'; raise ValueError(x)",
    "very many lines": "raise ValueError('x\\n' * 100_000)",
    "a very long name": "raise type('N' * 2_000_000, (Exception,), {})('v')",
    "deep calls": "def f(n): return f(n + 1) + 1\nf(0)",
}


def harmless(text: str) -> bool:
    """Tell whether a text begins no line but at its ends of lines, and moves no cursor."""
    kinds = {unicodedata.category(one) for one in set(text) - {"\n", "\t"}}
    bidi = re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    return not kinds & {"Cc", "Zl", "Zp", "Cs"} and not bidi


@pytest.mark.slow
def test_no_line_is_forged_and_none_acts_on_a_terminal(project: TemporaryProject) -> None:
    project.profile("all")
    for number, cell in enumerate(CELLS.values()):
        project.notebook(f"s{number}", cell, parameters="")
    done = project.run("all", "-k", "-j", "2", code=1)
    log = project.log("all")
    assert "".join(done.out.split()) == "".join(log.split())
    for line in log.split("\n")[:-1]:
        assert harmless(line), line[:200]
        assert HEAD.match(line), line[:200]
        assert len(line) < 5_000
    # What a notebook says stands behind its own name, never behind that of the run.
    assert not [line for line in log.splitlines() if re.match(r"\S+ \S+ INFO +run: all succ", line)]
    for words in (["status"], ["history"], ["log"], ["log", "all", "s0"]):
        assert harmless(project.call(*words).text), words
    (run,) = project.runs("all")
    assert (run / "run.json").stat().st_size < 200_000
    assert (run / "journal.jsonl").stat().st_size < 200_000
    assert (run / "log.txt").stat().st_size < 1_000_000
    errors = [stage["error"] or "" for stage in project.record("all")["stages"]]
    assert max(map(len, errors)) < 1_100
    long = errors[[*CELLS].index("a very long text")]
    assert re.fullmatch(r"ValueError: x+ \[1,999,\d+ characters left out\] x+end", long)
    # The executed notebook has it as Jupyter shows it, up to a megabyte.
    executed = project.root / f"outputs/all/runs/{run.name}/notebooks"
    name = f"s{[*CELLS].index('bidi in an exception')}.ipynb"
    assert "user \u202e txt.exe" in (executed / name).read_text("utf-8")
    name = f"s{[*CELLS].index('a very long text')}.ipynb"
    assert 1_000_000 < (executed / name).stat().st_size < 4_000_000


def test_text_that_does_no_harm_stays_as_it_is() -> None:
    for text in ("", "plain", "a\tb\nc", "é ✓ 日本語 שלום مرحبا 👩\u200d🔬", "100 %", "\\r"):
        assert shown(text) == text

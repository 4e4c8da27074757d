"""Progress bars in the log: information, now and then, whatever they are made with."""

import re

import pytest

from tests.project import TemporaryProject

LINE = re.compile(r"^\S+ \S+ (\w+) +a\[\d+/\d+\]: (.*)$", re.MULTILINE)


@pytest.fixture
def bars(project: TemporaryProject) -> list[tuple[str, str]]:
    """Give level and text of what cells with bars log."""
    project.profile("all")
    project.notebook(
        "a",
        "import sys\n\nfrom tqdm import tqdm\n\nfor _ in tqdm(range(30), desc='plain'):\n    pass",
        "from tqdm.notebook import tqdm as widget\n\n"
        "for _ in widget(range(40), desc='as a <b>widget'):\n    pass",
        "from ipywidgets import IntProgress\n\nbar = IntProgress(max=50, description='own')\n"
        "display(bar)\nbar.value = 50",
        "print('no bar', file=sys.stderr)\nprint('half a line\\rERROR in it', file=sys.stderr)",
    )
    project.run("all")
    return LINE.findall(project.log("all"))


def test_a_bar_is_information_and_a_widget_is_told_too(bars: list[tuple[str, str]]) -> None:
    (plain,) = ((level, text) for level, text in bars if text.startswith("plain"))
    assert plain[0] == "INFO"
    assert "30/30" in plain[1]
    (widget,) = ((level, text) for level, text in bars if "widget" in text)
    assert widget[0] == "INFO"
    assert re.fullmatch(r"as a <b>widget: 100% 40/40 \[.*\]", widget[1])
    assert ("INFO", "own 50/50") in bars
    assert ("WARNING", "no bar") in bars
    assert ("ERROR", "ERROR in it") in bars

"""Messages to somebody that a run has ended."""

import json
import re

import pytest

from tests.project import TemporaryProject
from tests.web_hook import web_hook


@pytest.mark.parametrize("how", ["option", "variable", "setting"])
def test_someone_is_told_how_a_run_ended(project: TemporaryProject, how: str) -> None:
    project.profile("all")
    project.notebook("good", "x = 1", parameters='output_g = "../outputs/all/g.txt"')
    project.notebook("bad", "x = 1", "1 / 0", parameters='output_b = "../outputs/all/b.txt"')
    with web_hook() as (url, got):
        if how == "setting":
            project.write("pyproject.toml", f'[tool.runner]\nnotify = "{url}"\n')
        words = ["--notify", url] if how == "option" else []
        variables = {"RUN_NOTIFY": url if how == "variable" else None}
        done = project.run("all", "-k", *words, code=1, env=variables)
        (message,) = map(json.loads, got)
    assert message["title"] == "all failed"
    run = project.runs("all")[-1].name
    assert re.match(rf"project, run {run} on \S+, after [\d.]+ s\n", message["message"])
    assert "bad: failed in cell 3 of 3 (1 / 0): ZeroDivisionError" in message["message"]
    kept = "".join(
        path.read_text() for path in project.outputs("all").rglob("*.*") if path.is_file()
    )
    for text in (done.text, kept):
        assert "pass-word" not in text
        assert url not in text


def test_a_message_that_does_not_arrive_fails_nothing(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    with web_hook(answer=500) as (url, got):
        done = project.run("all", "--notify", url)
        assert got
    assert "not everyone was told" in done.text
    done = project.run("all", "-f", "--notify", "json://127.0.0.1:9/nobody")
    assert "told" in done.text
    done = project.run("all", "--notify", "nonsense://pass-word", code=2)
    assert "--notify: URL cannot be used" in done.err
    assert "pass-word" not in done.err

"""Messages to somebody that a run has ended."""

import json
import re
import signal
import time

import pytest

from tests.project import TemporaryProject
from tests.web_hook import web_hook

# What apprise imports tells of itself.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.mark.parametrize("how", ["option", "variable", "setting"])
def test_someone_is_told_how_a_run_ended(project: TemporaryProject, how: str) -> None:
    project.profile("all")
    project.stage("good", writes=("g.txt",))
    project.notebook("bad", "x = 1", "1 / 0", parameters='output_b = "../outputs/test/b.txt"')
    with web_hook() as (url, got):
        if how == "setting":
            project.write("pyproject.toml", f'[tool.runner]\nnotify = "{url}"\n')
        words = ["--notify", url] if how == "option" else []
        variables = {"RUN_NOTIFY": url if how == "variable" else None}
        done = project.pretend("all", "-k", *words, code=1, env=variables)
        (message,) = map(json.loads, got)
    assert message["title"] == "all failed"
    run = project.runs("all")[-1].name
    assert re.match(rf"project, run {run} on \S+, after [\d.]+ s\n", message["message"])
    assert "bad: failed in cell 3 of 3 (1 / 0): ZeroDivisionError" in message["message"]
    assert "good" not in message["message"]
    kept = "".join(
        path.read_text() for path in project.outputs("all").rglob("*.*") if path.is_file()
    )
    for text in (done.text, kept):
        assert "pass-word" not in text
        assert url not in text


@pytest.mark.parametrize(
    ("words", "source", "code", "title"),
    [
        (["all"], "x = 1", 0, "all succeeded"),
        (["test"], "x = 1", 3, "test built, but not as expected"),
    ],
)
def test_each_end_is_told(
    project: TemporaryProject, words: list[str], source: str, code: int, title: str
) -> None:
    project.profile(words[0])
    project.stage("a", source, writes=("a.txt",))
    project.write("testdata/expected/a.txt", "other")
    with web_hook() as (url, got):
        project.pretend(*words, code=code, env={"RUN_NOTIFY": url})
        (message,) = map(json.loads, got)
    assert message["title"] == title


def test_who_interrupts_a_run_that_has_ended_changes_nothing_of_its_end(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    # The verdict is recorded before it is told.
    with (
        web_hook(delay=1.0) as (url, got),
        project.running("all", env={"RUN_NOTIFY": url}) as process,
    ):
        while not got and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert project.record("all")["state"] == "succeeded"


@pytest.mark.slow
def test_that_a_run_is_out_of_time_is_told_after_that(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", "import time\ntime.sleep(60)", writes=("a.txt",))
    with web_hook() as (url, got):
        project.run("all", "--deadline", "2", code=4, env={"RUN_NOTIFY": url})
        (message,) = map(json.loads, got)
    assert message["title"] == "all timed out"


@pytest.mark.slow
def test_each_of_several_urls_is_hidden_in_what_a_notebook_shows(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    shows = "import os\nurls = os.environ['RUN_NOTIFY'].split()\nprint(urls[0])\nurls[1]"
    project.stage("a", shows, "print('pass-' + 'word')", writes=("a.txt",))
    with web_hook() as (one, _), web_hook() as (two, _):
        project.run("all", env={"RUN_NOTIFY": f"{one} {two}"})
    texts = [path.read_text() for path in project.outputs("all").rglob("*.*") if path.is_file()]
    kept = "".join(texts)
    assert one not in kept
    assert two not in kept
    assert "pass-word" not in kept


def test_a_message_that_does_not_arrive_fails_nothing(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    with web_hook(answer=500) as (url, got):
        done = project.pretend("all", "--notify", url)
        assert got
    assert "not everyone was told" in done.text
    done = project.pretend("all", "-f", "--notify", "json://127.0.0.1:9/nobody")
    assert "told" in done.text
    done = project.call("all", "--notify", "nonsense://pass-word", code=2)
    assert "--notify: URL cannot be used" in done.err
    assert "pass-word" not in done.err

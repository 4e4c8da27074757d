"""`watch`: a round for each save, with everything still warm, until somebody ends it."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.project import WAIT, TemporaryProject, below_it, needs_linux, none_left, wait_for

POLLING = {"WATCHFILES_FORCE_POLLING": "1", "WATCHFILES_POLL_DELAY_MS": "100"}


class Watching:
    """A `watch` that goes on; `lines` is what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._read = 0
        self._news = threading.Condition()
        self.reader = threading.Thread(target=self._listen)
        self.reader.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self.lines.append("end of output")
            self._news.notify_all()

    def next(self) -> str:
        """Wait for the next line, and give it without the time of day."""
        with self._news:
            told = self._news.wait_for(lambda: len(self.lines) > self._read, 60)
            assert told, self.lines
            line = self.lines[self._read]
        self._read += 1
        return re.sub(r"^\d\d:\d\d:\d\d  ", "", line)

    def round(self) -> str:
        """Wait for the next line that sums up a round; give it without the seconds."""
        while not re.search(r"(, \d+\.\d s(; log: \S+)?|nothing was run)$", line := self.next()):
            assert line != "end of output", self.lines
        return re.sub(r", \d+\.\d s(; log: \S+)?$", "", line)

    def ends(self, number: signal.Signals, code: int) -> list[str]:
        """Send a signal; expect the exit code, and that nothing is left."""
        below = below_it(self.process)
        self.process.send_signal(number)
        assert self.process.wait(30) == code, self.lines
        none_left(below)
        self.reader.join()
        return self.lines[self._read : -1]


@contextmanager
def watching(
    project: TemporaryProject, *words: str, env: Mapping[str, str] | None = None
) -> Iterator[Watching]:
    with project.running("watch", *words, env=env) as process:
        found = Watching(process)
        try:
            yield found
        finally:
            below = below_it(process)
            if process.poll() is None:
                process.kill()
            found.reader.join()
            none_left(below)


@pytest.fixture
def two(project: TemporaryProject) -> TemporaryProject:
    """Give a project of two stages, of which the second one uses a module and a file."""
    project.profile("test")
    project.write("notebooks/helper.py", "WORD = 'one'\n")
    project.write("data/words.txt", "data\n")
    project.stage("a", writes=("a.txt",))
    told = "import helper\n\nprint(helper.WORD, open('../data/words.txt').read())"
    project.stage("b", told, reads=("a.txt",), writes=("b.txt",), parameters="n = 1")
    return project


def words_of(project: TemporaryProject, stage: str) -> str:
    cells = project.executed("test", stage).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


def edited(path: Path, old: str, new: str) -> str:
    text = path.read_text("utf-8")
    assert old in text
    return text.replace(old, new)


@needs_linux
def test_each_save_makes_a_round_of_what_it_changes_and_nothing_else(
    two: TemporaryProject,
) -> None:
    b, helper = two.root / "notebooks/b.ipynb", two.root / "notebooks/helper.py"
    with watching(two) as seen:
        assert seen.next().startswith("building test, and again whenever a source is saved in ")
        assert "nothing was checked" in seen.next()
        assert seen.round() == "test succeeded, 2 of 2 stages ran"
        b.write_text(edited(b, "import helper", "import helper  # edited"), "utf-8")
        assert seen.round() == "b.ipynb saved: test succeeded, 1 of 2 stages ran"
        # A module is imported anew, though for Python it has the time and the size that it had.
        for tenth, word in enumerate(("two", "six")):
            helper.write_text(f"WORD = '{word}'\n", "utf-8")
            os.utime(helper, ns=(10**18 + tenth * 10**8,) * 2)
            told = "notebooks/helper.py saved: test succeeded, 1 of 2 stages ran"
            assert seen.round() == told
            assert words_of(two, "b").startswith(f"{word} data")
        # What was seen to be read, and a parameter.
        two.write("data/words.txt", "others\n")
        assert seen.round() == "data/words.txt saved: test succeeded, 1 of 2 stages ran"
        two.profile("test", "b:\n  n: 2\n")
        assert seen.round() == "params/test.yaml saved: test succeeded, 1 of 2 stages ran"
        runs = len(two.runs("test"))
        # To run it in Jupyter and save it changes no cell; other files are no sources.
        notebook = json.loads(b.read_text("utf-8"))
        output = {"output_type": "stream", "name": "stdout", "text": ["x"]}
        notebook["cells"][1] |= {"outputs": [output], "execution_count": 3}
        for name in ("outputs/x.txt", "notebooks/.b.ipynb.swp", "notebooks/__pycache__/x.py"):
            two.write(name, "")
        b.write_text(json.dumps(notebook), "utf-8")
        assert seen.round() == "b.ipynb saved: nothing to do, test is up to date"
        assert len(two.runs("test")) == runs == 6
        # New, renamed, gone.
        two.stage("c", reads=("b.txt",), writes=("c.txt",))
        assert seen.round() == "c.ipynb saved: test succeeded, 1 of 3 stages ran"
        (two.root / "notebooks/c.ipynb").rename(two.root / "notebooks/d.ipynb")
        assert "c.ipynb, d.ipynb saved: test succeeded, 0 of 3" in seen.round()
        (two.root / "notebooks/d.ipynb").unlink()
        assert "d.ipynb saved: test succeeded, 0 of 2" in seen.round()
        assert seen.ends(signal.SIGINT, 130) == ["watch has ended: interrupted (SIGINT)"]
    states = [json.loads((run / "run.json").read_text())["state"] for run in two.runs("test")]
    assert {*states} == {"succeeded"}
    # What a round without the watch would do.
    assert two.to_run("test-a", "test-b") == []


def test_a_mistake_is_told_in_a_line_and_a_half_written_file_is_none(
    two: TemporaryProject,
) -> None:
    b = two.root / "notebooks/b.ipynb"
    good = b.read_text("utf-8")
    with watching(two, "test") as seen:
        seen.round()
        two.profile("test", "b:\n  m: 2\n")
        told = "params/test.yaml saved: params/test.yaml:2: b has no parameter `m`"
        assert seen.round().startswith(told)
        two.profile("test", "")
        assert "nothing to do" in seen.round()
        failing = good.replace("import helper", "1 / 0\\nimport helper")
        # In three parts, as something slow would write it.
        parts = [failing[:300], failing[:900], failing]
        for part in parts:
            b.write_text(part, "utf-8")
            time.sleep(0.15)
        lines = []
        while "saved: test failed (b), 1 of 2 stages ran" not in (line := seen.next()):
            lines.append(line)
        # The failure in full, and no word of parts.
        assert [line for line in lines if "ZeroDivisionError: division by zero" in line]
        assert [line for line in lines if "see the executed notebook: outputs/test/runs/" in line]
        assert "JSON" not in "".join(lines)
        b.write_text(good, "utf-8")
        assert seen.round() == "b.ipynb saved: test succeeded, 1 of 2 stages ran"
        for name, half, whole in (
            ("notebooks/helper.py", "WORD = (", "WORD = 'more'"),
            ("params/test.yaml", "b:\n  n", "b:\n  n: 3\n"),
        ):
            two.write(name, half)
            time.sleep(0.4)
            two.write(name, whole)
            assert seen.next().startswith(f"{name} saved: test succeeded, 1 of 2")
        assert seen.ends(signal.SIGTERM, 143) == ["watch has ended: terminated (SIGTERM)"]


def test_a_save_that_matters_ends_the_run_and_it_begins_anew(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.waiting(tmp_path / "go")
    a = project.root / "notebooks/a.ipynb"
    with watching(project, "all") as seen:
        wait_for(project.outputs("all") / "log.txt", "here")
        # No stage of it uses that.
        project.write("notebooks/unused.py", "")
        two = edited(a, 'print(\\"here\\")', 'print(\\"there\\")')
        a.write_text(two, "utf-8")
        wait_for(project.outputs("all") / "log.txt", "there")
        (tmp_path / "go").touch()
        assert seen.next().startswith("building all")
        told = seen.next()
        assert re.fullmatch(r".*a\.ipynb.* saved: all succeeded, 2 of 2 stages ran.*", told)
        ended, record = project.runs("all")
        stopped = json.loads((ended / "run.json").read_text("utf-8"))
        assert stopped["state"] == "cancelled"
        reason = "notebooks/a.ipynb was saved, so it begins anew"
        assert [one["error"] for one in stopped["stages"]] == [reason, reason]
        assert json.loads((record / "run.json").read_text("utf-8"))["state"] == "succeeded"
        # A burst, and Ctrl-C while it runs.
        (tmp_path / "go").unlink()
        for n in range(5):
            a.write_text(two.replace("there", f"there {n}"), "utf-8")
        wait_for(project.outputs("all") / "log.txt", "there 4")
        told_at_the_end = seen.ends(signal.SIGINT, 130)
        assert "what runs is ended and saved" in told_at_the_end[0]
        assert told_at_the_end[-1] == "watch has ended: interrupted (SIGINT)"
    assert len(project.runs("all")) <= 2 + 5
    assert project.record("all")["state"] == "cancelled"


@pytest.mark.slow
def test_where_the_system_tells_nothing_it_looks_by_itself(two: TemporaryProject) -> None:
    helper = two.root / "notebooks/helper.py"
    with watching(two, "test-a", "b", "--cold", env=POLLING) as seen:
        assert "looked at each second (WATCHFILES_FORCE_POLLING is set)" in seen.next()
        assert seen.round() == "test-a, b succeeded, 2 of 2 stages ran"
        # Twice within a second.
        for word in ("two", "three"):
            helper.write_text(f"WORD = '{word}'\n", "utf-8")
            assert "helper.py saved: test-a, b succeeded, 1 of 2" in seen.round()
        new = two.root / "src/inner/module.py"
        new.parent.mkdir(parents=True)
        new.write_text("", "utf-8")
        assert "src/inner/module.py saved: nothing to do" in seen.round()


@pytest.mark.slow
def test_another_run_may_have_the_build_between_rounds(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.stage("b", writes=("b.txt",))
    project.stage("a", WAIT.format(marker=tmp_path / "go"), writes=("a.txt",))
    with watching(project, "all-b") as seen, ExitStack() as held:
        seen.round()
        other = held.enter_context(project.running("all-a"))
        wait_for(project.root / "outputs/.locks/all.json", "run")
        project.write("requirements.txt", "pandas\n")
        assert seen.next().startswith("another run holds outputs/all/: run ")
        (tmp_path / "go").touch()
        assert "requirements.txt saved: all-b succeeded" in seen.round()
        assert other.wait(30) == 0


def test_what_test_expects_is_compared_again_when_it_is_saved(two: TemporaryProject) -> None:
    two.write("testdata/expected/b.txt", "b\na\n")
    with watching(two) as seen:
        assert seen.round() == "test succeeded, 2 of 2 stages ran"
        two.write("testdata/expected/b.txt", "b\nc\n")
        told = "testdata/expected/b.txt saved: test is built, but not as expected, 0 of 2"
        assert seen.round().startswith(told)
        two.write("testdata/expected/b.txt", "b\na\n")
        assert "saved: test succeeded, 0 of 2 stages ran" in seen.round()


def test_a_project_that_goes_away_ends_it_with_a_word(two: TemporaryProject) -> None:
    with watching(two) as seen:
        seen.round()
        shutil.rmtree(two.root, ignore_errors=True)
        while (line := seen.next()) != "end of output":
            last = line
        assert last == f"run.py: {two.root} is gone, and watch has ended"
        assert seen.process.wait(30) == 2


@pytest.mark.slow
@needs_linux
def test_a_runner_that_was_saved_begins_anew(two: TemporaryProject) -> None:
    with watching(two) as seen:
        assert seen.round() == "test succeeded, 2 of 2 stages ran"
        below = below_it(seen.process)
        with (two.root / "run.py").open("a", encoding="utf-8") as file:
            file.write("# newer\n")
        assert seen.next() == "the runner itself was saved: watch begins anew"
        assert seen.round() == "test succeeded, 2 of 2 stages ran"
        none_left(below)
        seen.ends(signal.SIGINT, 130)


@pytest.mark.slow
@needs_linux
def test_a_module_elsewhere_that_was_edited_is_imported_anew(
    project: TemporaryProject, tmp_path: Path
) -> None:
    module = tmp_path / "elsewhere/mine.py"
    (module.parent / "__pycache__").mkdir(parents=True)
    module.write_text("WORD = 'one'\n", "utf-8")
    project.profile("test")
    # What it writes itself makes no round.
    project.write("notebooks/made.py", "")
    a = project.notebook("a", "import mine", "print(mine.WORD)", "open('made.py', 'w').close()")
    with watching(project, env={"PYTHONPATH": str(module.parent)}) as seen:
        seen.round()
        assert words_of(project, "a") == "one\n"
        assert project.stage_record("test", "a")["warm"]
        module.write_text("WORD = 'three'\n", "utf-8")
        a.write_text(edited(a, "import mine", "import mine  # edited"), "utf-8")
        assert seen.round() == "a.ipynb saved: test succeeded, 1 of 1 stage ran"
        assert words_of(project, "a") == "three\n"


@pytest.mark.slow
@needs_linux
def test_rounds_leave_nothing_open(two: TemporaryProject) -> None:
    helper = two.root / "notebooks/helper.py"
    with watching(two) as seen:
        process = psutil.Process(seen.process.pid)
        counts = []
        for n in range(12):
            seen.round()
            counts.append((process.num_fds(), process.num_threads()))
            helper.write_text(f"WORD = '{n}'\n", "utf-8")
        # The first ones make what stays; a kernel or two may be at the ready, or not yet.
        (files, threads), (most_files, most_threads) = counts[2], counts[-1]
        assert (most_files <= files + 2, most_threads <= threads + 1) == (True, True), counts


def test_a_target_that_is_none_is_refused(two: TemporaryProject) -> None:
    assert "there is no target `c`" in two.run("watch", "c", code=2).err
    assert "--force" in two.run("watch", "--force", code=2).err

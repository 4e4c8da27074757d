"""`show`, `--pages`, and what of a run is on its pages; without a browser."""

import base64
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import TemporaryProject
from tests.sites import png

SECRET = "k3y-of-the-data-base"  # noqa: S105 - to be hidden


def chain(project: TemporaryProject) -> None:
    """Write three stages, of which the last two need the first."""
    project.profile("all")
    project.stage("a", "print('said by a')", writes=("a.txt",), parameters="n = 1")
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    project.stage("c", reads=("b.txt",), writes=("c.txt",))


def page(project: TemporaryProject, profile: str = "all", run: int | None = None) -> str:
    """Read the page of a build, or of one of its runs."""
    folder = project.outputs(profile) / "pages"
    folder = folder if run is None else folder / project.runs(profile)[run].name
    return (folder / "index.html").read_text("utf-8")


def test_bad_words_are_told_in_a_line(project: TemporaryProject) -> None:
    chain(project)
    (project.root / "there").mkdir()
    told = {
        ("nothing",): "show: `nothing` is no profile and no run's id",
        ("al",): "did you mean `all`?",
        ("20200101T000000Z-abcd",): "20200101T000000Z-abcd",
        ("all", "all"): "show",
        ("--single", "x.html"): "nothing has run yet",
        (): "nothing has run yet",
    }
    for words, text in told.items():
        done = project.call("show", *words, code=2)
        assert done.err.startswith("run.py: ")
        assert text in done.err, words
        assert len(done.err.splitlines()) == 1, done.err
    project.pretend("all")
    told = {
        ("--single", "x.pdf"): "--single x.pdf: a page is a file that ends in .html",
        ("--single", "none/x.html"): "--single none/x.html: there is no folder none",
        ("all", "b"): "show",
        ("--jobs", "2"): "--jobs",
    }
    for words, text in told.items():
        done = project.call("show", *words, code=2)
        assert text in done.err, words
        assert len(done.err.splitlines()) == 1, done.err
    shutil.move(project.root / "there", project.root / "there.html")
    assert "there.html" in project.call("show", "--single", "there.html", code=2).err
    assert not [*project.root.glob("*.tmp")]


def test_each_end_of_a_run_has_its_page(project: TemporaryProject) -> None:
    chain(project)
    done = project.call("show", "all")
    assert done.out == "the pages are made: outputs/all/pages/index.html\n"
    text = page(project)
    assert "all has not run" in text
    assert "python run.py all" in text
    for stage in "abc":
        assert f"<td>{stage}</td>" in text
    project.pretend("all")
    project.call("show")
    assert "all succeeded in" in page(project, run=-1)
    assert "up to date" in page(project)
    project.pretend("all")
    project.call("show")
    assert "all was up to date" in page(project, run=-1)
    assert "made by" in page(project, run=-1)
    project.stage("b", "this_one = 1 / 0", reads=("a.txt",), writes=("b.txt",))
    project.pretend("all", code=1)
    project.call("show")
    for text in (page(project, run=-1), page(project)):
        for one in ("at b", "ZeroDivisionError: division by zero", "python run.py all"):
            assert one in text, one
    assert "this_one" in page(project, run=-1)
    assert re.search(r"blocked", page(project, run=-1))
    name = project.runs("all")[0].name
    assert project.call("show", name).out.endswith(f"outputs/all/pages/{name}/index.html\n")


@pytest.mark.slow
def test_runs_that_are_gone_or_damaged_and_mistakes_stop_no_page(project: TemporaryProject) -> None:
    chain(project)
    for n in range(4):
        project.pretend("all", "-p", f"a.n={n}")
    project.call("show")
    first, second, third, last = (one.name for one in project.runs("all"))
    shutil.rmtree(project.outputs("all") / "runs" / first)
    (project.outputs("all") / "runs" / second / "run.json").write_text("{", "utf-8")
    (project.outputs("all") / "runs" / third / "notebooks/a.ipynb").write_text("{", "utf-8")
    (project.outputs("all") / "runs" / last / "log.txt").unlink()
    for name in (third, last):
        shutil.rmtree(project.outputs("all") / "pages" / name)
    project.write("params/all.yaml", "a: [\n")
    project.call("show")
    text = page(project)
    assert "The project has mistakes" in text
    assert "params/all.yaml:" in text
    assert first not in text
    assert not (project.outputs("all") / "pages" / first).exists()
    assert last in text
    assert "all succeeded in" in page(project, run=-1)
    # What cannot be read has no page, but its run has.
    assert not (project.outputs("all") / "pages" / third / "a.html").exists()
    assert (project.outputs("all") / "pages" / third / "index.html").exists()


@pytest.mark.slow
def test_looking_at_a_run_that_goes_on_changes_nothing_of_it(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    with project.running("all") as process:
        log = project.outputs("all") / "log.txt"
        while not (log.exists() and "here" in log.read_text("utf-8")):
            assert process.poll() is None
            time.sleep(0.05)
        project.call("show")
        assert (project.root / "outputs/index.html").exists()
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert "index.html" not in (project.runs("all")[-1] / "run.json").read_text("utf-8")
    assert project.call("-n", "all").out.count("up to date") == 2


def test_nothing_is_written_or_removed_through_a_link(
    project: TemporaryProject, tmp_path: Path
) -> None:
    chain(project)
    project.pretend("all")
    project.call("show")
    (run,) = project.runs("all")
    kept = tmp_path / "elsewhere/thesis.txt"
    kept.parent.mkdir()
    kept.write_text("of years", "utf-8")
    for place in (f"pages/{run.name}/files", f"pages/{run.name}", "pages"):
        folder = project.outputs("all") / place
        shutil.rmtree(folder, ignore_errors=True)
        (project.outputs("all") / "pages" / run.name / "index.html").unlink(missing_ok=True)
        folder.symlink_to(kept.parent)
        told = project.call("show", run.name, code=2).err
        assert f"it is a link, not a folder ({folder})" in told
        assert [*kept.parent.iterdir()] == [kept]
        hub = project.call("show", code=None, env={"JUPYTERHUB_SERVICE_PREFIX": "/"})
        assert [*kept.parent.iterdir()] == [kept], hub
        folder.unlink()


def test_what_a_person_wrote_and_what_went_wrong_stand_whole(project: TemporaryProject) -> None:
    chain(project)
    project.pretend("all", "-p", "a.n=2")
    (run,) = project.runs("all")
    path = run / "notebooks/a.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    text = "".join(f"word{n} " for n in range(20_000))
    steps = [f"step {n} of many" for n in range(120)]
    notebook["cells"][-1]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"application/json": [1, 2, 3]}},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": steps},
    ]
    notebook["cells"].insert(0, {"cell_type": "markdown", "metadata": {}, "source": [text]})
    path.write_text(json.dumps(notebook, indent=1, sort_keys=True) + "\n", "utf-8")
    project.call("show")
    shown = (project.outputs("all") / "pages" / run.name / "a.html").read_text("utf-8")
    assert text.strip() in shown
    assert "[\n  1,\n  2,\n  3\n]" in shown
    # The line that counts may be anywhere in it.
    assert "\n".join(steps) in shown
    assert "more lines" not in shown


def test_under_a_hub_one_page_that_stands_alone_is_the_default(project: TemporaryProject) -> None:
    chain(project)
    project.pretend("all")
    done = project.call("show", env={"JUPYTERHUB_SERVICE_PREFIX": "/user/x/"})
    assert done.out.startswith("the page is made: outputs/all/pages/single.html\n")
    assert "Trust HTML" in done.out
    text = (project.outputs("all") / "pages/single.html").read_text("utf-8")
    links = re.findall(r' (?:href|src)="([^"]*)"', text)
    assert links
    assert all(one.startswith(("#", "data:")) for one in links), links
    assert "<style>" in text
    assert not (project.root / "outputs/index.html").exists()


@pytest.mark.parametrize("way", ["option", "setting"])
def test_pages_are_made_at_the_end_and_change_no_verdict(
    project: TemporaryProject, way: str
) -> None:
    chain(project)
    words = ["--pages"] if way == "option" else []
    if way == "setting":
        project.write("pyproject.toml", "[tool.runner]\npages = true\n")
    done = project.pretend("all", *words)
    assert done.out.endswith("pages: outputs/index.html\n")
    assert "all succeeded in" in page(project, run=-1)
    project.stage("c", "1 / 0", reads=("b.txt",), writes=("c.txt",))
    project.pretend("all", *words, code=1)
    assert "at c" in page(project, run=-1)
    # Where there can be none.
    shutil.rmtree(project.outputs("all") / "pages")
    (project.outputs("all") / "pages").write_text("", "utf-8")
    done = project.pretend("all", *words, code=1)
    told = [one for one in done.err.splitlines() if "pages" in one]
    assert len(told) == 1
    assert told[0].startswith("run.py: the pages could not be made: ")
    assert project.states("all") == {"a": "skipped", "b": "skipped", "c": "failed"}
    project.stage("c", reads=("b.txt",), writes=("c.txt",))
    done = project.pretend("all", *words)
    assert project.record("all")["state"] == "succeeded"
    assert "the pages could not be made" in done.err
    assert "pages: " not in done.out
    assert "outputs/all/pages" in project.call("show", code=2).err


def test_without_pages_nothing_of_them_is_imported(project: TemporaryProject) -> None:
    chain(project)
    heavy = {"nbconvert", "nh3", "latex2mathml", "mistune", "runner.pages"}
    for words in (["all"], ["all"], ["list"], ["-n", "all"], ["status"], ["all", "--pages"]):
        python, *command = project.command(*words)
        done = subprocess.run(
            [python, "-X", "importtime", *command],
            cwd=project.root,
            capture_output=True,
            text=True,
            check=True,
        )
        lines = [line.split("|") for line in done.stderr.splitlines() if line.count("|") == 2]
        imported = {name.strip() for *_, name in lines}
        assert "runner" in imported
        # The last one shows that this test would see them.
        assert imported & heavy == (heavy if "--pages" in words else set()), words


def test_a_secret_is_on_no_page(project: TemporaryProject) -> None:
    project.profile("all")
    parameters = "text = ''\nfail = True\n"
    for kind in ("csv", "txt", "json", "tsv"):
        parameters += f"output_{kind} = '../outputs/test/o.{kind}'\n"
    project.notebook(
        "a",
        "import json\nimport os\nfrom pathlib import Path\n\nsecret = os.environ['DATA_PASSWORD']\n"
        "print(secret, text)\n"
        # Where a cell, or a text, is cut.
        "long = 'x' * 50 + secret\n"
        "for path, by in ((output_csv, ','), (output_tsv, '\\t')):\n"
        "    Path(path).write_text(f'{secret}{by}b\\n{secret}{by}{long}\\n')\n"
        "Path(output_txt).write_text('y' * 1990 + secret + '\\n' + secret)\n"
        "found = {secret: 1.5, 'b': [secret, 'z' * 1970, secret]}\n"
        "Path(output_json).write_text(json.dumps(found))",
        "display({'text/html': f'<b title=\"{secret}\">{secret}</b>', 'text/plain': ''}, raw=True)",
        "if fail:\n    raise type(secret, (Exception,), {})(secret)",
        parameters=parameters,
    )
    env = {"DATA_PASSWORD": SECRET}
    project.run("all", "-p", f"a.text={SECRET}", "--pages", code=1, env=env)
    project.run("all", "-p", "a.fail=false", "--pages", env=env)
    project.call("show", "--single", "one.html", env=env)
    pages = [*project.outputs("all").glob("pages/**/*.*"), project.root / "one.html"]
    pages = [one for one in pages if one.is_file()]
    shown = ""
    assert len(pages) > 6
    for path in pages:
        text = path.read_text("utf-8")
        assert SECRET[:6] not in text, path
        shown += text
    for path in project.outputs("all").glob("runs/*/*.json*"):
        assert SECRET not in path.read_text("utf-8"), path
    for one in ("o.csv", "o.tsv", "o.txt", "o.json", "***", "yyyy", "xxxx", "zzzz"):
        assert one in shown, one


def _figures(write: Callable[[str], object], size: int) -> None:
    picture = json.dumps(base64.b64encode(png(noise=b"p" * 600_000)).decode())
    for number in range(size // len(picture)):
        write(f"{',' if number else ''}\n    {_display('image/png', picture)}")


def _one_page(write: Callable[[str], object], size: int) -> None:
    write('\n    {\n     "data": {\n      "text/html": [\n       "<script>1</script>"')
    for number in range(size // 1000):
        write(f',\n       "<p>{number:06} {"h" * 980}</p>"')
    write('\n      ]\n     },\n     "metadata": {},\n     "output_type": "display_data"\n    }')


def _one_stream(write: Callable[[str], object], size: int) -> None:
    write('\n    {\n     "name": "stdout",\n     "output_type": "stream",\n     "text": [')
    for number in range(size // 100):
        write(f'{"," if number else ""}\n      "{number:06} {"s" * 80}\\n"')
    write("\n     ]\n    }")


def _one_picture(write: Callable[[str], object], size: int) -> None:
    data = base64.b64encode(png(noise=b"p" * (size * 3 // 4))).decode()
    write(f"\n    {_display('image/png', json.dumps(data))}")


def _many_small(write: Callable[[str], object], size: int) -> None:
    for number in range(40_000):
        text = json.dumps(f"{number} " + "t" * (size // 40_000))
        write(f"{',' if number else ''}\n    {_display('text/plain', text)}")


def _many_cells(write: Callable[[str], object], size: int) -> None:
    for number in range(2000):
        text = json.dumps(f"{number} " + "t" * (size // 2000))
        write(f"\n    {_display('text/plain', text)}")
        if number < 1999:
            write("\n   ],\n" + _END + "  },\n" + _BEGIN.replace("ID", f"c{number}"))


def _many_in_many(write: Callable[[str], object], size: int) -> None:
    for cell in range(200):
        for number in range(500):
            text = json.dumps(f"{cell} {number} " + "t" * (size // 100_000))
            write(f"{',' if number else ''}\n    {_display('text/plain', text)}")
        if cell < 199:
            write("\n   ],\n" + _END + "  },\n" + _BEGIN.replace("ID", f"c{cell}"))


def _display(kind: str, value: str) -> str:
    return (
        f'{{\n     "data": {{\n      "{kind}": {value}\n     }},\n'
        '     "metadata": {},\n     "output_type": "display_data"\n    }'
    )


_BEGIN = """\
  {
   "cell_type": "code",
   "execution_count": 1,
   "id": "ID",
   "metadata": {},
   "outputs": ["""
_END = '   "source": [\n    "1"\n   ]\n'
LARGE = [_figures, _one_page, _one_stream, _one_picture, _many_small, _many_cells, _many_in_many]


def large(path: Path, fill: Callable[[Callable[[str], object], int], None], size: int) -> None:
    """Write a notebook of so many bytes as nbformat writes it, piece by piece."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{\n "cells": [\n' + _BEGIN.replace("ID", "a"))
        fill(file.write, size)
        file.write("\n   ],\n" + _END + '  }\n ],\n "metadata": {},\n')
        file.write(' "nbformat": 4,\n "nbformat_minor": 5\n}\n')


_MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
print(used.ru_maxrss * 1024, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def memory(project: TemporaryProject, *words: str) -> int:
    """Carry out a command; give the most memory that it had, in bytes."""
    # A process begins with the peak of the one that starts it, so that is to be a small one.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _MEASURE, *project.command(*words)],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stderr.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("fill", LARGE)
def test_a_notebook_of_200_megabytes_has_small_pages_and_takes_little_memory(
    project: TemporaryProject, fill: Callable[[Callable[[str], object], int], None]
) -> None:
    project.profile("all")
    project.notebook("a", "1")
    project.pretend("all")
    tiny = memory(project, "show", "all")
    executed = project.runs("all")[-1] / "notebooks/a.ipynb"
    large(executed, fill, 200 << 20)
    size = executed.stat().st_size
    assert size > 190 << 20
    shutil.rmtree(project.outputs("all") / "pages")
    used = memory(project, "show", "all") - tiny
    (stage,) = project.outputs("all").glob("pages/*/a.html")
    assert stage.stat().st_size < 5 << 20
    assert "cell 1 of" in stage.read_text("utf-8")
    assert used <= 2 * size, f"{used / size:.2f}"
    shutil.rmtree(project.outputs("all") / "pages")
    shutil.rmtree(project.outputs("all") / "runs")

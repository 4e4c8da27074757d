"""`diff`: what differs between two runs, and what does not."""

import base64
import io
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image

from tests.project import TemporaryProject
from tests.terminals import exit_status, on_terminal, seen

# What a stage writes: numbers, a table, a picture, bytes, a text; `n` changes all but the last.
WRITES = """\
import json
from pathlib import Path

import pandas as pd
from PIL import Image

numbers = {"loss": n / 3, "same": 1, "all": [0] * 30 if n == 1 else [n] * 30}
Path(output_numbers).write_text(json.dumps(numbers))
Path(output_table).write_text(f"x,y\\n1,\\n{n},nan\\n")
pd.DataFrame({"x": [1.0, float("nan"), float(n)]}).to_parquet(output_parquet)
picture = Image.new("RGB", (10, 10 if n < 3 else 12))
picture.putpixel((n, 0), (255, 0, 0))
picture.save(output_picture)
Path(output_bytes).write_bytes(bytes([0, n]))
Path(output_text).write_text(str(1.0))"""
OUTPUTS = ("numbers.json", "table.csv", "parquet.parquet", "picture.png", "bytes.bin", "text.txt")
PARAMETERS = "\n".join(f'output_{Path(one).stem} = "../outputs/test/{one}"' for one in OUTPUTS)
PARAMETERS += '\ninput_outside = "../outside.txt"\nn = 1\ntext = "x"'


def first(project: TemporaryProject, *cells: str) -> None:
    """Write the stage that comes first."""
    project.notebook("a", *cells, WRITES, parameters=PARAMETERS)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """Give a project with runs of two profiles; a test that changes it takes a copy."""
    project = TemporaryProject(tmp_path_factory.mktemp("compared") / "project")
    project.profile("all")
    project.profile("small", "a:\n  n: 2\n")
    project.write("outside.txt", "one")
    first(project, "one = 1", "two = 2\nthree = 3", "four = 4")
    project.stage("b", reads=("numbers.json",), writes=("b.txt",))
    project.pretend("all")
    project.pretend("all", "-p", "a.n=2")
    project.pretend("all", "-p", "a.n=2")
    # Other code, another input; what is written is as it was.
    project.write("outside.txt", "two")
    first(project, "two = 2\nthree = 33", "four = 4", "one = 1", "five = 5")
    project.pretend("all", "-p", "a.n=2")
    project.pretend("all", "-p", "a.n=3")
    project.pretend("small")
    return project


def copy(project: TemporaryProject, tmp_path: Path) -> TemporaryProject:
    """Give a copy of a project that may be changed."""
    return project.copy(tmp_path / "copy")


def diff(
    project: TemporaryProject, *words: str, code: int = 1, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Compare two runs for programs."""
    told = project.call("diff", "--json", *words, code=code, env=env).out
    found: dict[str, Any] = json.loads(told)
    assert found["version"] == 1
    assert found["different"] == bool(code)
    return found


def ids(project: TemporaryProject, *numbers: int) -> list[str]:
    """Give the ids of runs of all, by their numbers from 0."""
    runs = project.runs("all")
    return [runs[number].name for number in numbers]


def same(found: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Give how many of each kind of thing are the same, and of how many."""
    return {one["kind"]: (one["same"], one["all"]) for one in found["same"]}


def test_other_parameters_metrics_and_outputs_by_value(compared: TemporaryProject) -> None:
    found = diff(compared, *ids(compared, 0, 1))
    assert found["parameters"] == [
        {
            "stage": "a",
            "name": "n",
            "old": {"value": 1, "origin": "notebook"},
            "new": {"value": 2, "origin": "-p a.n"},
        }
    ]
    loss = found["metrics"][0]
    assert (loss["name"], loss["old"], loss["new"]) == ("numbers.json: loss", 1 / 3, 2 / 3)
    assert loss["percent"] == pytest.approx(100)
    # Nothing times something is no per cent.
    assert [one["percent"] for one in found["metrics"][1:]] == [None] * 30
    outputs = {(one["old"] or one["new"])["name"]: one for one in found["outputs"]}
    assert [*outputs] == [*OUTPUTS[:5], "b.txt"]
    numbers = outputs["numbers.json"]
    assert numbers["places"][0] == ["loss", "0.3333333333333333", "0.6666666666666666"]
    assert (len(numbers["places"]), numbers["more"]) == (10, 21)
    assert outputs["table.csv"]["places"] == [["row 2, column x", "1", "2"]]
    assert outputs["parquet.parquet"]["places"] == [["row 3, column x", "1.0", "2.0"]]
    picture = outputs["picture.png"]["pictures"]
    assert picture == {
        "old": [10, 10],
        "new": [10, 10],
        "share": pytest.approx(0.02),
        "box": [1, 0, 3, 1],
    }
    assert outputs["bytes.bin"]["places"] == [["byte 2", "2 bytes", "2 other ones"]]
    for one in outputs.values():
        for side, number in (("old", 0), ("new", 1)):
            assert one[side]["path"].startswith(f"outputs/all/runs/{ids(compared, number)[0]}/")
            assert (compared.root / one[side]["path"]).is_file()
    assert (found["verdict"], found["code"], found["packages"], found["inputs"]) == ([],) * 4
    count = len(OUTPUTS) + 3 + 2
    assert same(found)["parameters"] == (count - 1, count)
    assert same(found)["stages' code"] == (2, 2)
    assert same(found)["metrics"] == (1, 32)
    assert same(found)["outputs"] == (1, 7)


def test_nothing_differs_but_times(compared: TemporaryProject) -> None:
    # The third run has skipped all; what the second one made stands for it.
    found = diff(compared, *ids(compared, 1, 2), code=0)
    assert [one["stage"] for one in found["times"]] == [None, "a", "b"]
    assert [one["new"] is None for one in found["times"]] == [False, True, True]
    assert all(one["same"] == one["all"] for one in found["same"])
    assert same(found)["stages' code"] == (2, 2)
    told = compared.call("diff", *ids(compared, 1, 2), code=0).out.splitlines()
    assert told[-2] == "nothing differs but times"
    kinds = "verdict, parameters, stages' code, packages, inputs, metrics, outputs"
    assert told[-1] == f"the same: {kinds}"
    assert re.fullmatch(r"  a        [\d.]+ s → did not run", told[-4 - 1])


def test_other_code_and_another_input(compared: TemporaryProject) -> None:
    # The notebook has its ids anew: the sources tell which cell is which.
    found = diff(compared, *ids(compared, 2, 3))
    (code,) = found["code"]
    told = [(one["kind"], one["old"], one["new"], one["title"]) for one in code["cells"]]
    assert told == [
        ("changed", 3, 2, "two = 2"),
        ("moved", 2, 4, "one = 1"),
        ("added", None, 5, "five = 5"),
    ]
    assert code["cells"][0]["lines"] == ["@@ -1,2 +1,2 @@", " two = 2", "-three = 3", "+three = 33"]
    (outside,) = found["inputs"]
    assert (outside["stages"], outside["old"]["name"]) == (["a"], "outside.txt")
    assert outside["old"]["hash"] != outside["new"]["hash"]
    assert (found["parameters"], found["metrics"], found["outputs"]) == ([], [], [])
    assert same(found)["stages' code"] == (1, 2)
    text = compared.call("diff", *ids(compared, 2, 3), code=1).out
    assert (
        "code\n"
        "  a, cell 3 → 2 changed: two = 2\n"
        "      …\n"
        "        two = 2\n"
        "      - three = 3\n"
        "      + three = 33\n"
        "  a, cell 2 → 4 moved: one = 1\n"
        "  a, cell 5 added: five = 5\n"
        "      + five = 5\n"
    ) in text
    assert re.search(r"\ninputs\n  outside.txt \(a\)  [0-9a-f]{12} → [0-9a-f]{12}\n", text)
    assert text.splitlines()[-1] == (
        "the same: verdict, parameters, 1 of 2 stages' code, packages, metrics, outputs"
    )


def test_a_page_of_what_differs_stands_alone(compared: TemporaryProject, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    one, two, three = ids(compared, 0, 1, 3)
    done = compared.call("diff", one, two, "--html", str(path), code=1)
    assert done.out == f"the page is made: {path}\n"
    text = path.read_text("utf-8")
    for told in ("These runs differ", "a.n", "numbers.json: loss", "what differs, in red"):
        assert told in text, told
    # The old picture, the new one, and the one that marks where they differ.
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == 3
    marked = Image.open(io.BytesIO(base64.b64decode(pictures[2]))).convert("RGB")
    red = [x for x in range(10) if marked.getpixel((x, 0)) == (200, 20, 20)]
    assert red == [1, 2]
    assert not re.findall(r'(?:href|src)="(?!data:|#)', text)
    compared.call("diff", two, three, "--html", str(path), code=1)
    assert "three = 33" in path.read_text("utf-8")
    told = compared.call("diff", one, two, "--html", "x.txt", code=2).err
    assert told == "run.py: --html x.txt: a page is a file that ends in .html\n"


def test_a_picture_of_another_size(compared: TemporaryProject) -> None:
    found = diff(compared, *ids(compared, 3, 4))
    (picture,) = (one["pictures"] for one in found["outputs"] if one["pictures"])
    assert picture == {"old": [10, 10], "new": [10, 12], "share": None, "box": None}
    text = compared.call("diff", *ids(compared, 3, 4), code=1).out
    assert "\n  picture.png: 10 x 10 → 10 x 12 pixels\n" in text
    assert "\n    row 2, column x  2 → 3\n" in text
    assert "\n  numbers.json:\n    loss    0.6666666666666666 → 1.0\n" in text
    assert "\n    … 21 more places\n" in text
    assert "\n  numbers.json: loss     0.666667 → 1  +50 %\n" in text
    assert "\n  … 11 more metrics; --json has all\n" in text


def test_a_profile_is_its_newest_run_and_one_alone_is_compared_with_the_run_before(
    compared: TemporaryProject,
) -> None:
    fourth, fifth = ids(compared, 3, 4)
    for words in (["all"], [fifth], [fourth, "all"]):
        found = diff(compared, *words)
        assert (found["old"]["id"], found["new"]["id"]) == (fourth, fifth), words
    two = diff(compared, "small", "all")
    assert (two["old"]["profile"], two["new"]["profile"]) == ("small", "all")
    # Paths into the two builds are the same, and files go by their names in them.
    assert [(one["stage"], one["name"]) for one in two["parameters"]] == [("a", "n")]
    assert two["parameters"][0]["old"] == {"value": 2, "origin": "params/small.yaml:2"}
    assert (two["inputs"], two["code"]) == ([], [])
    assert {one["old"]["name"] for one in two["outputs"]} == {*OUTPUTS[:5], "b.txt"}


WRONG = [
    (["al"], "diff: `al` is no profile and no run's id; did you mean `all`?"),
    (["all", "all", "all"], "diff takes two words, each a profile or a run's id, not 3"),
    (["20260131T120000Z-h3k9"], "there is no run 20260131T120000Z-h3k9; python run.py history"),
    (["small"], "is the first run of small that there is; name the two that are to be compared"),
    (["none"], "diff: no run of none has ended yet; python run.py history shows the runs"),
]


def test_a_run_that_is_not_there_is_told_in_a_line(
    compared: TemporaryProject, tmp_path: Path
) -> None:
    project = copy(compared, tmp_path)
    project.profile("none")
    for words, text in WRONG:
        done = project.call("diff", *words, code=2)
        assert text in done.err
        assert (done.out, done.err.count("\n")) == ("", 1)
    shutil.rmtree(project.root / "outputs")
    assert "no run has ended yet" in project.call("diff", code=2).err


def test_mistakes_in_the_project_do_not_matter(compared: TemporaryProject, tmp_path: Path) -> None:
    project = copy(compared, tmp_path)
    project.write("notebooks/a.ipynb", "{")
    project.write("pyproject.toml", "[tool.runner]\njobs = 'x'\nsecrets = ['PIN']\n")
    # The secrets that are named there are hidden all the same.
    text = project.call("diff", *ids(project, 3, 4), code=1, env={"PIN": "0.6666666666666666"}).out
    assert "loss    *** → 1.0" in text
    found = diff(project, *ids(project, 3, 4), env={"PIN": "0.6666666666666666"})
    assert found["outputs"][0]["places"][0] == ["loss", "***", "1.0"]


def test_a_run_that_is_gone_is_said_to_be_and_what_is_known_is_compared(
    compared: TemporaryProject, tmp_path: Path
) -> None:
    project = copy(compared, tmp_path)
    first_run, second, third = ids(project, 0, 1, 2)
    shutil.rmtree(project.outputs("all") / "runs" / second)
    found = diff(project, first_run, third)
    assert found["notes"] == [
        f"{name}: run {second}, which made it, is gone: how it was made is not compared"
        for name in ("a", "b")
    ]
    assert (found["code"], found["outputs"]) == ([], [])
    # These a run has of what it skipped, too.
    assert found["metrics"][0]["name"] == "numbers.json: loss"
    assert "stages' code" not in same(found)
    text = project.call("diff", first_run, third, code=1).out
    assert f"\nnot compared: a: run {second}, which made it, is gone" in text


def test_what_is_not_kept_is_compared_as_it_stands_or_by_its_hash(
    compared: TemporaryProject, tmp_path: Path
) -> None:
    project = copy(compared, tmp_path)
    for run in ids(project, 3, 4):
        shutil.rmtree(project.outputs("all") / "runs" / run / "outputs")
    found = {one["new"]["name"]: one for one in diff(project, *ids(project, 3, 4))["outputs"]}
    table = found["table.csv"]
    assert table["note"] == "the old run does not keep it: the hashes differ"
    assert (table["old"]["path"], table["new"]["path"]) == (None, "outputs/all/table.csv")
    both = {one["new"]["name"]: one for one in diff(project, "small", "all")["outputs"]}
    assert both["table.csv"]["places"] == [["row 2, column x", "2", "3"]]
    (project.outputs("all") / "table.csv").write_text("other", "utf-8")
    text = project.call("diff", *ids(project, 3, 4), code=1).out
    hashes = "[0-9a-f]{12} → [0-9a-f]{12}"
    told = rf"\n  table.csv: {hashes}, neither run keeps it: the hashes differ\n"
    assert re.search(told, text)


def test_a_run_that_is_under_way_is_compared_as_far_as_it_is(
    compared: TemporaryProject, tmp_path: Path
) -> None:
    project = copy(compared, tmp_path)
    run = project.runs("all")[-1]
    lines = (run / "journal.jsonl").read_text("utf-8").splitlines(keepends=True)
    started = [json.loads(line)["event"] for line in lines].index("stage_started")
    (run / "journal.jsonl").write_text("".join(lines[: started + 1]), "utf-8")
    (run / "run.json").unlink()
    found = diff(project, *ids(project, 3, 4))
    states = {(one["stage"], one["name"]): (one["old"], one["new"]) for one in found["verdict"]}
    assert states[None, "state"][1] in {"running", "lost"}
    assert states[None, "exit code"] == ("0", None)
    assert states["b", "state"] == ("skipped", "not started")
    assert [one["name"] for one in found["parameters"]] == ["n"]
    assert (found["metrics"], found["outputs"]) == ([], [])
    # It has not ended, so a profile alone means the one before.
    if states[None, "state"][1] == "running":
        # After ten seconds, on a busy machine, it is lost.
        again = diff(project, "all", ids(project, 3)[0], code=0)
        assert again["old"]["id"] in ids(project, 3, 4)


HOSTILE = "\x1b[31mred\x1b]0;title\x07 \u202eright\u202c\r\n\x08x"


def test_nothing_that_would_mislead_reaches_the_terminal(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("what", HOSTILE)
    write = "import json\nfrom pathlib import Path\n\n"
    write += "what = Path('../what').read_bytes().decode()\n"
    write += "Path(output_a).write_text(json.dumps({what: n}))"
    project.notebook("a", write, parameters='output_a = "../outputs/test/a.json"\nn = 1')
    project.pretend("all")
    project.notebook(
        "a",
        f"# {HOSTILE}",
        f"'''{HOSTILE}'''",
        write,
        parameters='output_a = "../outputs/test/a.json"\nn = 1',
    )
    project.profile("all", "a:\n  n: 2\n")
    project.pretend("all")
    for words in (["diff", "all"], ["table"], ["table", "--csv"]):
        text = project.call(*words, code=None).out
        assert "red" in text or words[0] == "diff", words
        assert not set(text) & {"\x1b", "\u202e", "\r", "\x08", "\x07"}, words
    told = project.call("diff", "all", code=1).out
    # A line stays a line.
    assert [line for line in told.splitlines() if "title" in line or "right" in line]
    assert not [line for line in told.splitlines() if line.startswith(("x", "\u202e"))]


def test_real_kernels_leave_what_is_compared_and_the_runners_own_cells_are_left_out(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.write("notebooks/helper.py", "VALUE = 1\n")
    write = "from pathlib import Path\n\nPath(output_a).write_text(str(helper.VALUE))"
    parameters = 'output_a = "../outputs/test/a.txt"\nn = 1'
    project.notebook("a", "import helper", write, parameters=parameters)
    project.run("all")
    source = nbformat.read(project.root / "notebooks/a.ipynb", as_version=4)
    project.write(
        "notebooks/helper.py", "VALUE = 22\n"
    )  # of another size: times of modules are in seconds
    project.run("all", "-p", "a.n=2")
    source.cells.insert(1, nbformat.v4.new_code_cell("1 / n"))
    source.cells[2].source += "  # the same cell"
    nbformat.write(source, project.root / "notebooks/a.ipynb")
    project.run("all", "-p", "a.n=0", code=1)
    # What `-p` puts into the notebook is no code that differs.
    found = diff(project, *ids(project, 0, 1))
    (code,) = found["code"]
    assert code["cells"] == []
    (module,) = code["modules"]
    assert module["name"] == "notebooks/helper.py"
    assert found["outputs"][0]["places"] == [["line 1", "'1'", "'22'"]]
    # Neither is what stands first in that of a stage that failed; the numbers are the log's.
    found = diff(project, *ids(project, 1, 2))
    (code,) = found["code"]
    assert [(one["kind"], one["old"], one["new"]) for one in code["cells"]] == [
        ("added", None, 2),
        ("changed", 2, 3),
    ]
    told = {(one["stage"], one["name"]): one["new"] for one in found["verdict"]}
    assert told == {
        (None, "state"): "failed",
        (None, "exit code"): "1",
        ("a", "state"): "failed",
        ("a", "error"): "cell 2 (1 / n): ZeroDivisionError: division by zero",
    }
    assert found["outputs"] == []


def test_colours_are_for_a_terminal_that_has_them(compared: TemporaryProject) -> None:
    runs = ids(compared, 2, 3)
    for variables, coloured in (([], True), (["NO_COLOR=1"], False), (["TERM=dumb"], False)):
        command = ["env", *variables, *compared.command("diff", *runs)]
        with on_terminal(compared.root, command) as (pid, terminal):
            text = seen(terminal, "the same: ")
            assert exit_status(pid) == 1
        assert ("\x1b[1mcode\x1b[0m" in text) == coloured, variables
        assert ("\x1b[31m      - three = 3\x1b[0m" in text) == coloured, variables
        assert "      - three = 3" in text, variables
    assert "\x1b" not in compared.call("diff", *runs, code=1, env={"TERM": "xterm"}).out

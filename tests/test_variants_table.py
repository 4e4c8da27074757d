"""What came of points: `variants.csv`, `table`, `--over`, and the page of a build."""

import csv
import html
import io
import json
import re

import pytest

from runner.runs import points
from tests.project import TemporaryProject

RESULT = (
    "import json, math\nfrom pathlib import Path\n"
    "assert alpha < 3, 'too large'\n"
    "loss = alpha * 10 + seed\n"
    "text = json.dumps({'loss': loss, 'odd': math.nan if seed == 2 else 1.5, 'list': [seed]})\n"
    "Path(output_model).write_text(text)"
)
DEFAULTS = 'output_model = "../outputs/test/model.json"\nalpha = 1\nseed = 1\nmore = "x"'


def swept(project: TemporaryProject, grid: str, code: int = 0) -> None:
    """Build a stage at some points, and one that reads a path of it."""
    project.notebook("fit", RESULT, parameters=DEFAULTS)
    after = 'input_model = "../outputs/test/model.json"\noutput_n = "../outputs/test/n.json"'
    project.notebook(
        "after",
        "from pathlib import Path\nPath(output_n).write_text('{\"n\": 1}')",
        parameters=after,
    )
    project.profile("test")
    project.profile("grid", f"fit:\n{grid}")
    project.pretend("grid", code=code)


TWO = "  alpha: {each: [1, 2]}\n  seed: {each: [1, 2, 3]}\n"


def rows(text: str) -> list[dict[str, str]]:
    """Read CSV."""
    return list(csv.DictReader(io.StringIO(text)))


def test_the_points_of_a_build_stand_in_a_file(project: TemporaryProject) -> None:
    odd = ["a,b", "1", "", "true", "ä", "null", '"q"', "line\nline"]
    swept(project, f"  more: {{each: {json.dumps(odd)}}}\n  seed: {{each: [1, 4]}}\n")
    found = points.read(project.outputs("grid"))
    assert [one.values["fit.more"] for one in found[::2]] == odd
    assert {one.values["fit.seed"] for one in found} == {1, 4}
    variants = project.outputs("grid") / "variants"
    assert {one.label for one in found} >= {one.name for one in variants.iterdir()}
    assert all(row["stages"] == "fit after" for row in rows(_text(project)))
    for stage in project.record("grid")["stages"]:
        assert stage["point"].keys() == {"fit.more", "fit.seed"}
    project.profile("grid")
    project.pretend("grid")
    assert not (project.outputs("grid") / "variants.csv").exists()


def _text(project: TemporaryProject) -> str:
    return (project.outputs("grid") / "variants.csv").read_text("utf-8")


def test_a_line_for_each_point(project: TemporaryProject) -> None:
    swept(project, TWO.replace("[1, 2]", "[1, 2, 3]"), code=1)
    told = project.call("table", "grid").out.splitlines()
    assert told[0].split() == ["alpha", "seed", "loss", "odd", "n", "list[0]", "state", "duration"]
    assert told[2].split()[:6] == ["1", "2", "12", "nan", "1", "2"]
    assert re.fullmatch(r"3 +1 +failed: AssertionError: too lar… +0\.0 s", told[7])
    best = project.call("table", "grid", "--sort", "-loss").out.splitlines()
    assert [line.split()[2] for line in best[1:7]] == ["23", "22", "21", "13", "12", "11"]
    assert "failed" in best[7]
    whole = rows(project.call("table", "grid", "--csv").out)
    assert [row["model.json: loss"] for row in whole] == ["11", "12", "13", "21", "22", "23"] + [
        ""
    ] * 3
    assert whole[0]["model.json: list[0]"] == "1"
    assert whole[-1]["error"] == "AssertionError: too large"
    # What was skipped has what the run that made it says.
    project.pretend("grid", code=1)
    again = rows(project.call("table", "grid", "--csv").out)
    keys = whole[0].keys() - {"seconds", "error"}
    assert [{key: row[key] for key in keys} for row in again] == [
        {key: row[key] for key in keys} for row in whole
    ]
    # One that has not run yet is a line, too.
    project.profile("grid", f"fit:\n{TWO}  more: {{each: [x, y]}}\n")
    project.pretend("grid", "--where", "more=x")
    text = project.call("table", "grid").out
    assert text.count("not run") == 6
    assert text.count("succeeded") == 6
    of_runs = project.call("table", "grid", "--runs").out.splitlines()
    assert [line.split()[0] for line in of_runs[1:4]] == [run.name for run in project.runs("grid")]


def test_mean_and_spread_over_an_axis(project: TemporaryProject) -> None:
    swept(project, TWO.replace("[1, 2]", "[1, 3]"), code=1)
    told = project.call("table", "grid", "--over", "seed").out.splitlines()
    # 11, 12, 13: mean 12, deviation 1, and 4.30265 / √3 = 2.4841 for the mean.
    assert told[0].split() == ["alpha", "loss", "odd", "n", "list[0]", "points"]
    assert told[1].split()[:6] == ["1", "12", "±", "2.5", "(1)", "1.5"]
    assert "(0, n = 2)" in told[1]
    assert told[2].split() == ["3", "3,", "3", "without", "result"]
    (one, other) = rows(project.call("table", "grid", "--over", "seed", "--csv").out)
    assert float(one["model.json: loss: ±95 %"]) == pytest.approx(2.484138, abs=1e-5)
    assert one["model.json: loss: n"] == "3"
    assert one["model.json: odd: n"] == "2"
    assert (other["points"], other["without result"]) == ("3", "3")
    (all_of_them,) = rows(project.call("table", "grid", "--over", "seed,alpha", "--csv").out)
    assert all_of_them["points"] == "6"
    for words, what in {
        ("grid", "--over", "sed"): "--over sed: there is no such axis; did you mean `seed`?",
        ("grid", "--sort", "los"): "--sort: no point has `los`; did you mean `loss`?",
        ("--over", "seed"): "--over goes with one profile that has points",
    }.items():
        assert what in project.call("table", *words, code=2).err


@pytest.mark.parametrize(
    ("freedom", "value"),
    [(1, 12.7062), (2, 4.3027), (9, 2.2622), (10, 2.2281), (30, 2.0423), (120, 1.9799)],
)
def test_students_t(freedom: int, value: float) -> None:
    assert points.quantile(freedom) == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(
    ("grid", "drawn"),
    [
        ("  seed: {each: [1, 2, 5]}\n", ["<polyline", "2: 12", ">seed</text>"]),
        (TWO, ["<rect", "1, 3: 13", ">alpha</text>", ">seed</text>"]),
        (TWO + "  more: {each: [x, y]}\n", ["<polyline", "alpha 2, seed 3, more x, loss 23"]),
    ],
)
def test_the_page_draws_what_came_of_points(
    project: TemporaryProject, grid: str, drawn: list[str]
) -> None:
    swept(project, grid)
    project.call("show", "grid")
    page = (project.outputs("grid") / "pages/index.html").read_text("utf-8")
    section = page.partition('<h2 id="points">')[2].partition("</section>")[0]
    for part in drawn:
        assert part in html.unescape(section), part
    assert section.count("✓") == len(points.read(project.outputs("grid")))
    # Of many points the page of a run shows one node.
    run = project.runs("grid")[-1].name
    page = (project.outputs("grid") / "pages" / run / "index.html").read_text("utf-8")
    assert f"fit × {section.count('✓')}" in page


def test_a_point_has_the_metrics_of_what_has_some_of_its_values(project: TemporaryProject) -> None:
    head = "import json\nfrom pathlib import Path\n"
    write = head + "Path(output_one).write_text(json.dumps({'x': n}))"
    project.notebook("one", write, parameters='output_one = "../outputs/test/one.json"\nn = 1')
    paths = 'input_one = "../outputs/test/one.json"\noutput_two = "../outputs/test/two.json"'
    write = head + "Path(output_two).write_text(json.dumps({'y': m}))"
    project.notebook("two", write, parameters=f"{paths}\nm = 1")
    project.profile("grid", "one:\n  n: {each: [1, 2]}\ntwo:\n  m: {each: [5, 6]}\n")
    project.pretend("grid")
    told = [line.split()[:4] for line in project.call("table", "grid").out.splitlines()]
    assert told == [
        ["n", "m", "x", "y"],
        *(["1", "5", "1", "5"], ["1", "6", "1", "6"], ["2", "5", "2", "5"], ["2", "6", "2", "6"]),
    ]

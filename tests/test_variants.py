"""Stages with several points: their axes, names and places, what is gathered, what runs again."""

import json
import random
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.runs.journal import read_journal
from tests.project import TemporaryProject

HEAD = "import json\nfrom pathlib import Path\n"
FEATURES = HEAD + "Path(output_features).write_text(json.dumps(10 * degree))"
MODEL = HEAD + (
    "x = json.loads(Path(input_features).read_text())\n"
    "Path(output_model).write_text(json.dumps({'loss': x * alpha, 'name': name}))"
)
COMPARE = HEAD + (
    "found = [json.loads(Path(path).read_text())['loss'] for path in input_models]\n"
    "Path(output_best).write_text(json.dumps([found, axes_models]))"
)


def sweep(project: TemporaryProject, grid: str) -> None:
    """Write three notebooks, features -> model -> compare, and `params/grid.yaml`."""
    features = 'output_features = "../outputs/test/features.json"'
    model = 'input_features = "../outputs/test/features.json"\n'
    model += 'output_model = "../outputs/test/model.json"\nalpha = 0.5\nname = "x"\nmore = {}'
    compare = 'input_models = ["../outputs/test/model.json"]\naxes_models = []\n'
    compare += 'output_best = "../outputs/test/best.json"'
    project.notebook("features", FEATURES, parameters=f"{features}\ndegree = 1")
    project.notebook("model", MODEL, parameters=model)
    project.notebook("compare", COMPARE, parameters=compare)
    project.profile("test")
    project.profile("all")
    project.profile("grid", grid)


def best(
    project: TemporaryProject, build: str = "grid"
) -> tuple[list[float], list[dict[str, object]]]:
    """Read what `compare` has gathered: the losses, and the points."""
    losses, points = json.loads((project.outputs(build) / "best.json").read_text("utf-8"))
    return losses, points


def succeeded(
    project: TemporaryProject, build: str = "grid", state: str = "succeeded"
) -> list[str]:
    """Name the stages of the newest run that ended so."""
    return [name for name, found in project.states(build).items() if found == state]


def places(project: TemporaryProject, build: str = "grid") -> set[str]:
    """Name the points that have a folder."""
    return {path.name for path in (project.outputs(build) / "variants").iterdir()}


TWO = "features:\n  degree: {each: [1, 2]}\nmodel:\n  alpha: {each: [0.5, 1.0]}\n"


def test_points_are_inherited_and_gathered_in_order(project: TemporaryProject) -> None:
    sweep(project, f"from: all\n{TWO}")
    project.pretend("grid")
    points = [{"degree": d, "alpha": a} for d in (1, 2) for a in (0.5, 1.0)]
    assert best(project) == ([5.0, 10.0, 10.0, 20.0], points)
    names = {f"degree={d},alpha={a}" for d in (1, 2) for a in (0.5, 1.0)}
    assert places(project) == {*names, "degree=1", "degree=2"}
    variants = project.outputs("grid") / "variants"
    for name in names:
        assert (variants / name / "notebooks/model.ipynb").is_file()
        assert not (variants / name / "features.json").exists()
    assert (project.outputs("grid") / "notebooks/compare.ipynb").is_file()
    assert not (project.outputs("grid") / "notebooks/model.ipynb").exists()
    project.pretend("grid")
    assert set(project.states("grid").values()) == {"skipped"}
    # Without axes nothing is elsewhere than before.
    project.pretend("all")
    assert best(project, "all") == ([5.0], [])
    assert not (project.outputs("all") / "variants").exists()


def test_stages_that_inherit_an_axis_meet_point_by_point(project: TemporaryProject) -> None:
    sweep(project, TWO)
    both = HEAD + (
        "Path(output_both).write_text(Path(input_features).read_text() + "
        "Path(input_model).read_text())"
    )
    paths = [f'input_{name} = "../outputs/test/{name}.json"' for name in ("features", "model")]
    paths += ['output_both = "../outputs/test/both.txt"']
    project.notebook("both", both, parameters="\n".join(paths))
    # What has an axis by itself gathers the others for each of its points.
    grouped = HEAD + "Path(output_group).write_text(json.dumps([len(input_models), axes_models]))"
    paths = [paths[0], 'input_models = ["../outputs/test/model.json"]', "axes_models = []"]
    paths += ['output_group = "../outputs/test/group.json"']
    project.notebook("group", grouped, parameters="\n".join(paths))
    project.pretend("grid")
    variants = project.outputs("grid") / "variants"
    for degree in (1, 2):
        for alpha in (0.5, 1.0):
            found = (variants / f"degree={degree},alpha={alpha}/both.txt").read_text("utf-8")
            assert found == f'{10 * degree}{{"loss": {10 * degree * alpha}, "name": "x"}}'
        group = json.loads((variants / f"degree={degree}/group.json").read_text("utf-8"))
        assert group == [2, [{"alpha": 0.5}, {"alpha": 1.0}]]
    assert len(project.states("grid")) == 2 + 4 + 1 + 4 + 2


def test_a_value_more_or_less_runs_just_that(project: TemporaryProject) -> None:
    sweep(project, TWO)
    project.pretend("grid")
    project.profile("grid", TWO.replace("[1, 2]", "[2, 3]"))
    done = project.pretend("grid")
    new = ["features[degree=3]", "model[degree=3,alpha=0.5]", "model[degree=3,alpha=1.0]"]
    assert sorted(succeeded(project)) == sorted([*new, "compare"])
    assert [point["degree"] for point in best(project)[1]] == [2, 2, 3, 3]
    assert "also has 3 points of earlier runs (degree=1, degree=1,alpha=0.5, " in done.out
    # What was left out was made already, and stands there.
    project.profile("grid", TWO.replace("[1, 2]", "[1, 2, 3]"))
    project.pretend("grid")
    assert succeeded(project) == ["compare"]
    project.notebook("model", MODEL.replace("x * alpha", "x - alpha"), parameters=_cell(project))
    project.pretend("grid")
    assert len(succeeded(project)) == 7


def _cell(project: TemporaryProject) -> str:
    cells = json.loads((project.root / "notebooks/model.ipynb").read_text("utf-8"))["cells"]
    return "".join(cells[0]["source"])


def test_a_point_that_fails_holds_up_only_its_own_chain(project: TemporaryProject) -> None:
    sweep(project, TWO)
    failing = MODEL + "\nassert x * alpha != 10, 'ten'"
    project.notebook("model", failing, parameters=_cell(project))
    after = 'input_model = "../outputs/test/model.json"\noutput_after = "../outputs/test/a.txt"'
    project.notebook("after", HEAD + "Path(output_after).write_text('x')", parameters=after)
    project.pretend("grid", code=1)
    states = project.states("grid")
    failed = ["degree=1,alpha=1.0", "degree=2,alpha=0.5"]
    assert [name for name, state in states.items() if state == "failed"] == [
        f"model[{name}]" for name in failed
    ]
    blocked = {name for name, state in states.items() if state == "blocked"}
    assert blocked == {"compare", *(f"after[{name}]" for name in failed)}
    assert states["after[degree=2,alpha=1.0]"] == "succeeded"
    # The same command tries again what failed, and nothing else.
    project.pretend("grid", code=1)
    assert len(succeeded(project, state="skipped")) == len(states) - 5


NAMES = ["a/b", "a b", "a_b", "ä", "x" * 300, "x" * 299 + "y", "true", "1", "", ".", "[=],", "A"]


def test_names_are_readable_short_and_unique(project: TemporaryProject) -> None:
    values = json.dumps(NAMES, ensure_ascii=False)
    sweep(project, f"model:\n  name: {{each: {values}}}\n")
    project.pretend("grid")
    found = places(project)
    assert len(found) == len(NAMES)
    assert {"name=ä", "name=a_b", "name=A"} <= found
    assert all(len(name.encode()) <= 80 and not {*'/[] "'} & {*name} for name in found)
    got = [point["name"] for point in best(project)[1]]
    assert got == NAMES
    # They do not depend on what other values there are.
    project.profile("grid", "model:\n  name: {each: ['1', 'a/b']}\n")
    project.pretend("grid")
    assert places(project) == found


def test_an_axis_of_the_same_name_in_two_stages_is_told_apart(project: TemporaryProject) -> None:
    sweep(project, "model:\n  alpha: {each: [1.0, 2.0]}\nother:\n  alpha: {each: [3]}\n")
    paths = 'input_model = "../outputs/test/model.json"\noutput_o = "../outputs/test/o.txt"'
    project.notebook(
        "other", HEAD + "Path(output_o).write_text('')", parameters=f"{paths}\nalpha=1"
    )
    project.pretend("grid")
    assert places(project) == {
        *("model.alpha=1.0", "model.alpha=2.0"),
        *("model.alpha=1.0,other.alpha=3", "model.alpha=2.0,other.alpha=3"),
    }


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("{each: {range: [1, 4]}}", [1, 2, 3, 4]),
        ("{each: {range: [0, 1, 0.25]}}", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("{each: {range: [0, 0.3, 0.1]}}", [0.0, 0.1, 0.2, 0.3]),
        ("{each: {range: [3, 1, -1]}}", [3, 2, 1]),
        ("{each: [1, null]}", [1, None]),
    ],
)
def test_the_values_of_an_axis(
    project: TemporaryProject, written: str, values: Sequence[object]
) -> None:
    sweep(project, f"compare:\n  axes_models: []\nmodel:\n  more: {{}}\nsee:\n  n: {written}\n")
    see = HEAD + "Path(output_n).write_text(json.dumps(n))"
    project.notebook("see", see, parameters='output_n = "../outputs/test/n"\nn = None')
    project.pretend("grid-see")
    made = project.outputs("grid").glob("variants/*/n")
    assert sorted(path.read_text("utf-8") for path in made) == sorted(map(json.dumps, values))


def test_combinations_and_a_table_of_them(project: TemporaryProject) -> None:
    sweep(project, "model:\n  each: [{alpha: 0.1, name: a}, {alpha: 1, name: b}]\n")
    project.pretend("grid")
    points: list[dict[str, object]] = [{"alpha": 0.1, "name": "a"}, {"alpha": 1.0, "name": "b"}]
    assert best(project) == ([1.0, 10.0], points)
    assert "model × 2 (alpha, name)" in project.call("-n", "grid").out
    project.write("params/points.csv", "alpha,name\n0.1,a\n1,01\n")
    project.profile("grid", "model:\n  each: points.csv\n")
    project.pretend("grid")
    # What stands in a file is read as the parameter's kind: a text stays as it is.
    assert best(project)[1] == [points[0], {"alpha": 1.0, "name": "01"}]
    assert succeeded(project, state="skipped")[1] == "model[alpha=0.1,name=a]"
    project.profile(
        "mine", "from: grid\nmodel:\n  each: [{alpha: 3, name: c}]\nfeatures:\n  degree: 2\n"
    )
    project.pretend("mine")
    assert best(project, "mine") == ([60.0], [{"alpha": 3.0, "name": "c"}])


MISTAKES = {
    "features: {degree: {each: []}}": "`degree`: an axis needs a value at least",
    "features: {degree: {each: [1, 2, 1]}}": "`degree`: 1 stands there twice; keep one",
    "model: {alpha: {each: [0.1, 1e-1]}}": "`alpha`: 0.1 stands there twice",
    "features: {degree: {each: [1, x]}}": "`degree` takes a whole number, not a text ('x')",
    "features: {degre: {each: [1]}}": "has no parameter `degre`; did you mean `degree`?",
    "features: {output_features: {each: [a, b]}}": "an output has no axis",
    "features: {degree: {each: 3}}": "write a list, {range: [FIRST, LAST]} or {from: FILE.json}",
    "features: {degree: {each: {range: [1]}}}": "a range is [FIRST, LAST] or",
    "features: {degree: {each: {range: [1, 5, 0]}}}": "give finite numbers, and a step that",
    "features: {degree: {each: {range: [5, 1]}}}": "makes 0 values; correct the bounds",
    "features: {degree: {each: {range: [1, 1e300]}}}": "correct the bounds or the step",
    "features: {degree: {each: {range: [1, 10001]}}}": "--yes says that it is meant",
    "features: {degree: {each: {from: no.json}}}": "no stage writes outputs/grid/no.json",
    "features: {degree: {each: {from: no.txt}}}": "`from` names a JSON file of the build",
    "model: {more: {each: [1]}}": "it is a mapping, which has no axis of its own; below the stage",
    "model: {each: [1]}": "write a list of combinations, such as",
    "model: {each: [{alpha: 1}, {name: a}]}": "all have the same names",
    "model: {each: none.csv}": "params/none.csv cannot be read: No such file",
    "model: {each: odd.csv}": "params/odd.csv, row 3 has 1 values, not 2",
    "model: {each: [{alpha: 1.0, name: a}], alpha: 3.0}": "`alpha` and `name` have their values",
    "from: al": "`from` names the profile that this one begins with, such as `from: all`; did you",
    "from: grid": "these profiles begin with each other: grid -> grid",
}


@pytest.mark.parametrize("written", MISTAKES)
def test_a_mistake_in_an_axis_is_told_before_anything_runs(
    project: TemporaryProject, written: str
) -> None:
    sweep(project, written)
    project.write("params/odd.csv", "alpha,name\n1,a\n2\n")
    told = project.call("grid", code=2).err
    (line,) = told.splitlines()[1:]
    assert line.startswith("  params/grid.yaml:1: ")
    assert MISTAKES[written] in line
    assert not project.outputs("grid").exists()


def test_many_points_need_a_word(project: TemporaryProject) -> None:
    sweep(project, "features: {degree: {each: {range: [1, 5001]}}}\n")
    told = project.call("grid", "-n", code=2).err
    assert "params/grid.yaml:1: this makes 10,003 stages; --yes says that it is meant" in told


@pytest.mark.slow
def test_many_points_are_planned_with_a_word(project: TemporaryProject) -> None:
    sweep(project, "features: {degree: {each: {range: [1, 5001]}}}\n")
    assert "features × 5001 (degree)" in project.call("grid", "-n", "--yes").out


@pytest.mark.parametrize(
    ("given", "name", "values"),
    [
        ("features.degree=each:1,2,3", "degree", [1, 2, 3]),
        ("features.degree=each:[4, 5]", "degree", [4, 5]),
        ("features.degree=each:{range: [1, 3]}", "degree", [1, 2, 3]),
        ("model.name=each:01,@home,a: b", "name", ["01", "@home", "a: b"]),
        ("model.name=each:'a,b',\"c,d\",e", "name", ["a,b", "c,d", "e"]),
        ("model.each=each:[{alpha: 1, name: x}, {alpha: 2, name: y}]", "model", [1.0, 2.0]),
        ("model.alpha=each:1e-1", "alpha", [0.1]),
    ],
)
def test_several_values_on_the_command_line(
    project: TemporaryProject, given: str, name: str, values: Sequence[object]
) -> None:
    sweep(project, "")
    project.pretend("all", "-p", given)
    assert not project.outputs("all").exists()
    parameter = given.partition("=")[0].rpartition(".")[2]
    points = [
        point["alpha" if parameter == "each" else parameter]
        for point in best(project, f"all+{name}")[1]
    ]
    assert points == values
    project.pretend("all", "-p", given, "--name", "mine")
    assert best(project, "all+mine") == best(project, f"all+{name}")
    # The build is known by its name, with the parameters that it was given.
    told = project.call("status", f"all+{name}").out
    assert told.count("up to date") == 3
    assert f"-p {shlex.quote(given)}" in project.call("history", f"all+{name}").out
    again = project.call(f"all+{name}", code=2).err
    assert f"`all+{name}` is a build beside `all`: give the same command again" in again


WRONG = {
    "features.degree=each:": "a value is missing between two commas, or at the end",
    "features.degree=each:1,,2": "a value is missing between two commas",
    "features.degree=each:1,x": "`degree` takes a whole number, not a text ('x')",
    "features.degree=each:{a: 1}": "write a list, {range: [FIRST, LAST]}",
    "features.degree=each:[1": "is not YAML",
    "features.degree=each:1, 1": "`degree`: 1 stands there twice",
}


@pytest.mark.parametrize("given", WRONG)
def test_a_mistake_in_several_values_is_told(project: TemporaryProject, given: str) -> None:
    sweep(project, "")
    told = project.call("all", "-p", given, code=2).err
    assert WRONG[given] in told
    assert "-p features.degree: " in told
    assert not (project.root / "outputs").exists()


def test_a_text_that_begins_like_an_axis(project: TemporaryProject) -> None:
    sweep(project, "")
    project.pretend("all", "-p", "model.name=text:each:1,2")
    made = json.loads((project.outputs("all") / "model.json").read_text("utf-8"))
    assert made["name"] == "each:1,2"


def test_a_build_of_its_own_takes_no_name_of_a_profile(project: TemporaryProject) -> None:
    sweep(project, "")
    project.profile("all+degree")
    words = ("all", "-p", "features.degree=each:1,2")
    told = project.call(*words, code=2).err
    assert "params/all+degree.yaml: has the name of the build all+degree; give another" in told
    project.pretend(*words, "--name", "d")
    for name in ("a/b", "", ".x", "x" * 41):
        assert "--name" in project.call(*words, "--name", name, code=2).err


def test_some_of_the_points(project: TemporaryProject) -> None:
    sweep(project, TWO)
    project.pretend("grid-model[degree=2]")
    assert sorted(project.states("grid")) == [
        "features[degree=2]",
        "model[degree=2,alpha=0.5]",
        "model[degree=2,alpha=1.0]",
    ]
    project.pretend("grid", "--where", "alpha=1", "--where", "degree=1")
    assert succeeded(project) == ["features[degree=1]", "model[degree=1,alpha=1.0]"]
    project.pretend("grid-model[degree=2,alpha=1.0]", "-f")
    assert succeeded(project) == ["model[degree=2,alpha=1.0]"]
    told = project.call("grid", "-n", "--sample", "2", "--seed", "5").out
    assert "compare" not in told
    assert told == project.call("grid", "-n", "--sample", "2", "--seed", "5").out
    assert {
        project.call("grid", "-n", "--sample", "1", "--seed", str(n)).out for n in range(9)
    } != {told}
    for words, what in {
        ("grid-model[degre=2]",): "there is no axis `degre`; did you mean `degree`?",
        ("grid-model[degree=7]",): "[degree=7]: there is no such point",
        ("grid-compare[degree=2]",): "[degree=2]: compare has no axes here",
        ("grid", "--where", "beta=2"): "--where beta=2: write AXIS=VALUE; there is no `beta`",
        ("grid", "--where", "degree=9"): "nothing of it is left; there are the axes degree, alpha",
        ("grid-compare", "--where", "degree=1"): "nothing of it is left",
        ("grid", "--sample", "0"): "--sample 0: write a whole number, at least 1",
        ("grid", "--seed", "1"): "--seed goes with --sample N",
        ("grid", "--order", "up"): "--order up: write depth or breadth",
    }.items():
        assert what in project.call(*words, code=2).err


def test_many_points_are_one_line(project: TemporaryProject) -> None:
    sweep(project, TWO)
    told = project.call("grid", "-n").out
    lines = [line.split("  ")[1] for line in told.splitlines()[1:]]
    assert lines == ["features × 2 (degree)", "model × 4 (degree × alpha)", "compare"]
    assert project.call("graph", "grid").out.splitlines() == [
        "features × 2 (degree)",
        "└── model × 4 (degree × alpha)",
        "    └── compare",
    ]
    assert "model × 4 (degree × alpha)  (notebooks/model.ipynb)" in project.call("list", "grid").out
    project.pretend("grid", "--where", "degree=1")
    told = project.call("log", "grid", "model[alpha=1]").out
    assert {line.split()[3] for line in told.splitlines()} == {"model[degree=1,alpha=1.0]:"}
    assert project.call("log", "grid", "model").out.count("succeeded") == 2
    assert "model × 2 of 4      skip   up to date" in project.call("grid", "-n").out


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("depth", ["features[degree=1]", "model[degree=1,alpha=0.5]"]),
        ("breadth", ["features[degree=1]", "features[degree=2]"]),
    ],
)
def test_each_chain_is_run_to_its_end_or_all_points_of_a_stage_at_once(
    project: TemporaryProject, order: str, first: list[str]
) -> None:
    sweep(project, TWO)
    project.pretend("grid", "--order", order)
    assert list(project.states("grid"))[:2] == first


def test_the_values_of_an_axis_come_from_a_stage(project: TemporaryProject) -> None:
    sweep(project, "features:\n  degree: {each: {from: degrees.json}}\n")
    lists = HEAD + (
        "found = [int(word) for word in Path(input_list).read_text().split()]\n"
        "Path(output_degrees).write_text(json.dumps(found))"
    )
    paths = 'input_list = "../list.txt"\noutput_degrees = "../outputs/test/degrees.json"'
    project.notebook("degrees", lists, parameters=paths)
    project.write("list.txt", "1 2")
    told = project.call("grid", "-n").out
    assert "features × ?" in told
    assert "compare × ?" in told
    project.pretend("grid")
    assert best(project)[1] == [{"degree": 1}, {"degree": 2}]
    assert len(project.runs("grid")) == 2
    project.pretend("grid")
    assert len(project.runs("grid")) == 3
    assert set(project.states("grid").values()) == {"skipped"}
    project.write("list.txt", "2 3")
    told = project.call("grid", "-n").out
    assert "the rest is planned when these have run" in told
    project.pretend("grid-compare")
    assert best(project)[1] == [{"degree": 2}, {"degree": 3}]
    assert sorted(succeeded(project)) == ["compare", "features[degree=3]", "model[degree=3]"]
    # While the values are not known, nothing of the points is taken for someone else's.
    (project.outputs("grid") / "degrees.json").unlink()
    done = project.pretend("grid")
    assert "is no stage's output" not in done.out
    assert "is removed" not in done.out
    assert set(project.states("grid").values()) == {"skipped"}
    project.write("list.txt", "2 2")
    done = project.pretend("grid", code=1)
    assert "params/grid.yaml:2: `degree`: 2 stands there twice; keep one" in done.out
    project.write("list.txt", "7")
    project.pretend("grid", "-f")
    assert set(project.states("grid").values()) == {"skipped", "succeeded"}
    assert succeeded(project, state="skipped") == ["degrees"]


def test_what_a_test_makes_at_points_is_expected(project: TemporaryProject) -> None:
    sweep(project, "")
    project.profile("test", TWO)
    project.pretend("test")
    project.call("accept", "--yes")
    expected = project.root / "testdata/expected"
    assert (expected / "variants/degree=1,alpha=0.5/model.json").is_file()
    assert not list(expected.rglob("*.ipynb"))
    assert "(7 of 7 outputs compared)" in project.pretend("test").out
    (expected / "variants/degree=1/features.json").write_text("11", "utf-8")
    done = project.pretend("test", code=3)
    assert "variants/degree=1/features.json: expected 11, got 10" in done.out


def _made(project: TemporaryProject) -> dict[str, bytes]:
    """Give what the stages of the grid have written."""
    build = project.outputs("grid")
    found = [*build.glob("*.json"), *build.glob("variants/*/*.json")]
    return {path.relative_to(build).as_posix(): path.read_bytes() for path in found}


@pytest.mark.slow
def test_a_sweep_that_is_killed_again_and_again_gives_the_same(
    project: TemporaryProject, tmp_path: Path
) -> None:
    sweep(project, TWO.replace("[1, 2]", "{range: [1, 6]}"))
    other = project.copy(tmp_path / "other")
    project.run("grid", "-j", "2")
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)  # noqa: S311 - no secret
    kills = 0
    while True:
        with other.running("grid", "-j", "2") as process:
            try:
                code = process.wait(timeout=chance.uniform(0.8, 2.5))
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
                continue
        assert code == 0, seed
        break
    assert kills, seed
    assert _made(other) == _made(project), seed
    done = [name for run in other.runs("grid") for name in _finished(run)]
    # What a run has finished, no later one makes again.
    assert len(done) == len({*done}) == len(other.states("grid")), seed


def _finished(run: Path) -> list[str]:
    return [event["stage"] for event in read_journal(run / "journal.jsonl") if event.get("made")]

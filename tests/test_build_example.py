"""The example, built by the commands of the README."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.project import BuiltExample, TemporaryProject


def model(project: TemporaryProject, profile: str) -> dict[str, Any]:
    """Read the model of a build."""
    found: dict[str, Any] = json.loads((project.outputs(profile) / "model.json").read_text("utf-8"))
    return found


def test_the_weights_on_the_test_data_are_those_worked_out_by_hand(
    built_example: BuiltExample,
) -> None:
    found = model(built_example.project, "test")
    assert found["weights"] == pytest.approx({"w0": 1, "w1": 2, "w2": 1}, abs=1e-9)
    assert found["loss"] == pytest.approx(0, abs=1e-9)


def test_the_real_data_has_400_cars_that_can_be_used(built_example: BuiltExample) -> None:
    assert model(built_example.project, "all")["cars"] == 400


def test_the_check_is_told_once_for_the_test_profile(built_example: BuiltExample) -> None:
    out = built_example.done.out
    assert out.count("7 files as expected in testdata/expected/") == 1
    assert "run: test succeeded" in out
    assert "run: all succeeded" in out


def test_the_record_says_what_a_reader_of_the_audit_trail_asks(
    built_example: BuiltExample,
) -> None:
    project = built_example.project
    record = project.record("all")
    assert record["version"] == 1
    assert record["id"] == project.runs("all")[-1].name
    assert re.fullmatch(r"\d{8}T\d{6}Z-[a-z0-9]{4}", record["id"])
    assert record["command"] == ["run.py", "test", "all"]
    assert (record["profile"], record["state"]) == ("all", "succeeded")
    assert record["targets"] == ["test", "all"]
    assert {"host", "python", "packages", "git", "limits"} <= record.keys()
    assert record["packages"]["papermill"]
    assert record["limits"]["cpus"] > 0
    assert [stage["name"] for stage in record["stages"]] == [
        "data",
        "features",
        "model",
        "compare",
        "report",
    ]
    for stage in record["stages"]:
        assert stage["state"] == "succeeded"
        assert stage["reasons"]
        assert stage["cpu_seconds"] > 0
        assert stage["peak_memory"] > 10_000_000
        assert stage["seconds"] > 0
        assert stage["started"]
        assert stage["notebook"]["hash"].startswith("sha256:")
        assert all(one["hash"].startswith("sha256:") for one in stage["inputs"])
        assert all(one["hash"].startswith("sha256:") for one in stage["outputs"])
    source = record["stages"][0]["inputs"][0]
    assert source["source"] == "package:vega_datasets/_data/cars.json"
    degree = record["stages"][1]["parameters"]["degree"]
    assert degree == {"value": 2, "from": "notebook"}


def test_the_record_says_what_the_notebook_was_given(built_example: BuiltExample) -> None:
    project = built_example.project
    parameters = project.stage_record("all", "data")["parameters"]
    assert parameters["output_cars"]["value"] == "../outputs/all/cars.csv"
    text = (project.runs("all")[0] / "run.json").read_text("utf-8")
    assert "site-packages/vega_datasets" not in text.replace(
        parameters["input_source"]["value"], ""
    )


def test_every_run_keeps_its_executed_notebooks_and_the_build_the_last_ones(
    built_example: BuiltExample,
) -> None:
    project = built_example.project
    names = [f"{name}.ipynb" for name in ("compare", "data", "features", "model", "report")]
    for folder in (project.runs("all")[-1], project.outputs("all")):
        assert sorted(path.name for path in (folder / "notebooks").iterdir()) == names
        assert (folder / "log.txt").stat().st_size > 1000


@pytest.mark.slow
def test_a_parameter_on_the_command_line_fits_a_line_instead(
    built_example: BuiltExample, tmp_path: Path
) -> None:
    project = built_example.project.copy(tmp_path / "example")
    project.run("-p", "features.degree=1", "all")
    weights = model(project, "all")["weights"]
    assert set(weights) == {"w0", "w1"}
    assert (round(weights["w0"], 2), round(weights["w1"], 4)) == (20.79, -0.0504)
    origin = project.stage_record("all", "features")["parameters"]["degree"]
    assert origin == {"value": 1, "from": "-p features.degree"}


@pytest.mark.slow
def test_notebooks_dropped_in_run_in_the_right_place(example: TemporaryProject) -> None:
    example.stage("centred", reads=("features.csv",), writes=("centred.csv",))
    source = example.root / "notebooks/model.ipynb"
    text = source.read_text("utf-8")
    assert "outputs/test/features.csv" in text
    passed = "import shutil\n\nshutil.copy(input_features, output_checked)"
    example.notebook(
        "checked",
        passed,
        parameters=(
            'input_features = "../outputs/test/features.csv"\n'
            'output_checked = "../outputs/test/checked.csv"'
        ),
    )
    source.write_text(text.replace("test/features.csv", "test/checked.csv"), "utf-8")
    example.run("test")
    order = [stage["name"] for stage in example.record("test")["stages"]]
    assert order.index("features") < order.index("checked") < order.index("model")
    assert order.index("features") < order.index("centred")
    assert set(example.states("test").values()) == {"succeeded"}


def test_run_py_works_from_any_folder(built_example: BuiltExample, tmp_path: Path) -> None:
    project = built_example.project.copy(tmp_path / "example")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shown = project.run("test-data", cwd=elsewhere).out
    assert "data: skipped, it is up to date" in shown
    assert list(elsewhere.iterdir()) == []


def test_the_sample_is_fifty_cars_and_always_the_same(example: TemporaryProject) -> None:
    cars = []
    for build in (example.run, example.pretend):
        build("-f", "sample-data")
        cars.append((example.outputs("sample") / "cars.csv").read_text("utf-8"))
    assert cars[0] == cars[1]
    assert len(cars[0].splitlines()) == 51

"""The example project: its notebooks as source, its test data, and Run All in Jupyter."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.project import BuiltExample

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STAGES = ("data", "features", "model", "compare", "report")
TESTDATA = ROOT / "testdata"
POINTS = [(-2, 1), (2, 9), (3, 16)]


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is anything
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file, one mapping per row."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook as it stands, without converting it to another format."""
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    return notebook


def png_size(path: Path) -> tuple[int, int]:
    """Give the width and height in pixels, from the header of a PNG file."""
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


@pytest.fixture(scope="module")
def built(built_example: BuiltExample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the built example, as a user has it before opening Jupyter."""
    return built_example.project.copy(tmp_path_factory.mktemp("copy") / "example").root


def test_there_is_a_notebook_for_each_stage() -> None:
    """The example has the four stages that it speaks of."""
    assert {path.stem for path in NOTEBOOKS} == set(STAGES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_in_git_is_source(path: Path) -> None:
    """A notebook is valid, and holds neither outputs nor execution counts."""
    notebook = read_notebook(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert not [cell.id for cell in code if cell.outputs or cell.execution_count is not None]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_one_parameters_cell_and_asserts(path: Path) -> None:
    """One cell is tagged `parameters`, and at least one cell asserts a conclusion."""
    cells = read_notebook(path).cells
    assert [cell.id for cell in cells if "parameters" in cell.metadata.get("tags", [])] == [
        "parameters"
    ]
    assert any("assert " in cell.source for cell in cells if cell.cell_type == "code")


@pytest.mark.parametrize(
    "stage",
    [pytest.param(one, marks=[] if one == "features" else pytest.mark.slow) for one in STAGES],
)
def test_run_all_in_jupyter_works_after_the_test_build(built: Path, stage: str) -> None:
    """Each notebook runs from top to bottom in its own folder, on what `test` left behind."""
    folder = built / "notebooks"
    notebook = read_notebook(folder / f"{stage}.ipynb")
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.output_type == "error"]


def test_the_test_data_holds_the_six_kinds_of_records() -> None:
    """Three points, a car without each needed field, a duplicate, and an mpg that is missing."""
    cars = read_json(TESTDATA / "cars.json")
    pairs = Counter((car["Horsepower"], car["Acceleration"]) for car in cars)
    assert pairs == {(-2, 1): 1, (None, 500): 1, (2, 9): 2, (500, None): 1, (3, 16): 1}
    first, again = (car for car in cars if car["Horsepower"] == 2)
    assert first == again
    assert [car["Horsepower"] for car in cars if car["Miles_per_Gallon"] is None] == [-2]


def test_the_expected_tables_hold_the_points_and_their_squares() -> None:
    """The clean cars are the three points in order; the features add x times x."""
    cars = read_csv(TESTDATA / "expected" / "cars.csv")
    assert [(float(car["Horsepower"]), float(car["Acceleration"])) for car in cars] == POINTS
    features = read_csv(TESTDATA / "expected" / "features.csv")
    assert [[float(value) for value in row.values()] for row in features] == [
        [x, x * x, y] for x, y in POINTS
    ]


def test_the_expected_model_is_the_square_of_one_plus_x() -> None:
    """The weights are 1, 2, 1, which pass through all the points, so that the loss is 0."""
    model = read_json(TESTDATA / "expected" / "model.json")
    assert model == {"weights": {"w0": 1, "w1": 2, "w2": 1}, "loss": 0, "cars": 3, "degree": 2}
    weights = model["weights"]
    fitted = [weights["w0"] + weights["w1"] * x + weights["w2"] * x * x for x, _ in POINTS]
    assert fitted == [y for _, y in POINTS]


def test_the_test_build_gives_what_was_worked_out_by_hand(built: Path) -> None:
    """The build has the weights and the loss within 1e-9, and pictures of the expected size."""
    model = read_json(built / "outputs" / "test" / "model.json")
    expected = read_json(TESTDATA / "expected" / "model.json")
    assert model.pop("weights") == pytest.approx(expected.pop("weights"), rel=1e-9, abs=1e-9)
    assert model == pytest.approx(expected, rel=1e-9, abs=1e-9)
    for name in ("fit.png", "residuals.png"):
        wanted = png_size(TESTDATA / "expected" / name)
        assert png_size(built / "outputs" / "test" / name) == wanted

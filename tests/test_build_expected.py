"""The comparison of what was built with what was expected."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from runner.build.expected import compare, files
from runner.runs.contents import equal

NAN = float("nan")
HUGE = 10**400  # beyond any float


def differences(
    folder: Path, expected: Mapping[str, str], built: Mapping[str, str], tolerance: float = 1e-9
) -> list[str]:
    """Write both sides, compare them, and give the lines that a user reads."""
    for side, texts in (("expected", expected), ("built", built)):
        (folder / side).mkdir(exist_ok=True)
        for name, text in texts.items():
            path = folder / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return [str(one) for one in compare(folder / "expected", folder / "built", tolerance)]


@pytest.mark.parametrize(
    ("expected", "built", "lines"),
    [
        ('{"a": 1, "b": 2}', '{ "b": 2.0, "a": 1 }', []),
        ("1", "1.0000000001", []),
        ("1", "1.00000001", ["x.json: expected 1, got 1.00000001"]),
        ("0", "1e-10", []),
        ("1e20", "1.00000000001e20", []),
        ('{"a": 1}', '{"a": 2}', ["x.json, a: expected 1, got 2"]),
        ('{"a": [1, {"b": 2}]}', '{"a": [1, {"b": 3}]}', ["x.json, a[1].b: expected 2, got 3"]),
        (
            '{"a": 1}',
            '{"b": 1}',
            ["x.json, a: expected 1, got nothing", "x.json, b: expected nothing, got 1"],
        ),
        ("[1, 2]", "[1]", ["x.json: expected 2 items, got 1 items"]),
        (
            "[1]",
            "[2, 2]",
            ["x.json: expected 1 items, got 2 items", "x.json, [0]: expected 1, got 2"],
        ),
        ("[NaN]", "[NaN]", []),
        ("[1]", "[NaN]", ["x.json, [0]: expected 1, got nan"]),
        ("[Infinity]", "[Infinity]", []),
        ("[1]", "[Infinity]", ["x.json, [0]: expected 1, got inf"]),
        ("1", "true", ["x.json: expected 1, got True"]),
        ("true", "1", ["x.json: expected True, got 1"]),
        ("null", "0", ["x.json: expected None, got 0"]),
        ('"1"', "1", ["x.json: expected '1', got 1"]),
        ("{}", "[]", ["x.json: expected {}, got []"]),
    ],
)
def test_json_is_compared_by_value(
    tmp_path: Path, expected: str, built: str, lines: list[str]
) -> None:
    assert differences(tmp_path, {"x.json": expected}, {"x.json": built}) == lines


@pytest.mark.parametrize(
    ("expected", "built", "lines"),
    [
        ("a,b\n1,x\n", "a,b\n1.0,x\n", []),
        ("a\n1\n2\n", "a\n1\n2.00000000001\n", []),
        ("a\n1\n2\n", "a\n1\n2.1\n", ["x.csv, row 2, column a: expected 2, got 2.1"]),
        ("a,b\n1,x\n", "a,b\n1,y\n", ["x.csv, row 1, column b: expected 'x', got 'y'"]),
        ("a,b\n1,2\n", "b,a\n2,1\n", ["x.csv, columns: expected a, b, got b, a"]),
        ("a\n1\n", "a,b\n1,2\n", ["x.csv, columns: expected a, got a, b"]),
        ("a\n1\n2\n", "a\n1\n", ["x.csv, rows: expected 2, got 1"]),
        ("a\n1\n", "a\n1\n2\n", ["x.csv, rows: expected 1, got 2"]),
        ("a,b\n1,\n", "a,b\n1,\n", []),
        ("a,b\n1,\n2,3\n", "a,b\n1,0\n2,3\n", ["x.csv, row 1, column b: expected nan, got 0"]),
        (
            "a\n1\n",
            "",
            ["x.csv: expected a file that can be read, got No columns to parse from file"],
        ),
    ],
)
def test_tables_are_compared_by_value(
    tmp_path: Path, expected: str, built: str, lines: list[str]
) -> None:
    assert differences(tmp_path, {"x.csv": expected}, {"x.csv": built}) == lines


def test_a_tsv_is_cut_at_tabs(tmp_path: Path) -> None:
    lines = differences(tmp_path, {"x.tsv": "a,\tb\n1\t2\n"}, {"x.tsv": "a,\tb\n1\t3\n"})
    assert lines == ["x.tsv, row 1, column b: expected 2, got 3"]


@pytest.mark.parametrize(
    ("expected", "built", "lines"),
    [
        ({"a": [1, 2], "b": ["x", None]}, {"a": [1.0, 2.0], "b": ["x", None]}, []),
        ({"a": [1.0, NAN]}, {"a": [1.0 + 1e-12, NAN]}, []),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["x.parquet, row 2, column a: expected 2, got 3"]),
        ({"a": [1, 2]}, {"b": [1, 2]}, ["x.parquet, columns: expected a, got b"]),
    ],
)
def test_parquet_is_compared_by_value(
    tmp_path: Path,
    expected: dict[str, list[object]],
    built: dict[str, list[object]],
    lines: list[str],
) -> None:
    for side, values in (("expected", expected), ("built", built)):
        (tmp_path / side).mkdir()
        pd.DataFrame(values).to_parquet(tmp_path / side / "x.parquet")
    assert differences(tmp_path, {}, {}) == lines


@pytest.mark.parametrize(
    ("expected", "built", "lines"),
    [
        ((3, 2, "red"), (3, 2, "blue"), []),
        ((3, 2, "red"), (2, 3, "red"), ["x.png, size: expected 3 x 2 pixels, got 2 x 3 pixels"]),
    ],
)
def test_images_are_compared_by_size(
    tmp_path: Path, expected: tuple[int, int, str], built: tuple[int, int, str], lines: list[str]
) -> None:
    for side, (width, height, colour) in (("expected", expected), ("built", built)):
        (tmp_path / side).mkdir()
        Image.new("RGB", (width, height), colour).save(tmp_path / side / "x.png")
    assert differences(tmp_path, {}, {}) == lines


@pytest.mark.parametrize("text", ["", "no image"])
def test_a_file_that_is_no_image_differs(tmp_path: Path, text: str) -> None:
    (tmp_path / "expected").mkdir()
    Image.new("RGB", (1, 1)).save(tmp_path / "expected" / "x.png")
    assert differences(tmp_path, {}, {"x.png": text}) == [
        "x.png: expected a file that can be read, got x.png is not an image"
    ]


@pytest.mark.parametrize("name", ["x.svg", "x.PDF"])
def test_a_drawing_without_pixels_must_only_hold_something(tmp_path: Path, name: str) -> None:
    assert differences(tmp_path, {name: "<svg/>"}, {name: "<svg></svg>"}) == []
    assert differences(tmp_path, {}, {name: ""}) == [
        f"{name}: expected an image, got an empty file"
    ]


@pytest.mark.parametrize(
    ("expected", "built", "lines"),
    [
        ("one\ntwo\n", "one\ntwo\n", []),
        ("one\ntwo\n", "one\ntoo\n", ["x.txt, line 2: expected 'two', got 'too'"]),
        ("one\n", "one\ntwo\n", ["x.txt: expected 4 bytes, got 8 bytes"]),
        ("\0\1ab", "\0\1ac\n", ["x.txt, byte 4: expected 4 bytes, got 5 other ones"]),
        ("1.0\n", "1.00\n", ["x.txt, line 1: expected '1.0', got '1.00'"]),
    ],
)
def test_other_files_are_compared_by_their_bytes(
    tmp_path: Path, expected: str, built: str, lines: list[str]
) -> None:
    assert differences(tmp_path, {"x.txt": expected}, {"x.txt": built}) == lines


def test_every_expected_file_is_compared_and_no_other(tmp_path: Path) -> None:
    expected = {"a.txt": "a", "deep/b.json": "1", "deep/c.json": "1", ".hidden": "", ".h/x": ""}
    built = {"deep/c.json": "2", "more.txt": ""}
    assert differences(tmp_path, expected, built) == [
        "a.txt: expected a file, got no file",
        "deep/b.json: expected a file, got no file",
        "deep/c.json: expected 1, got 2",
    ]
    assert files(tmp_path / "built") == [Path("deep/c.json"), Path("more.txt")]


# The column as it is expected and as it was built, and the rows that differ.
MISSING = {
    "NA": (pd.array([1, None], "Int64"), pd.array([2, None], "Int64"), [1]),
    "NA and a number": (pd.array([1, None], "Int64"), pd.array([None, 5], "Int64"), [1, 2]),
    "NaT": (
        pd.to_datetime(pd.Series(["2024-01-01", None])),
        pd.to_datetime(pd.Series(["2024-01-02", None])),
        [1],
    ),
    "arrays": (pd.Series([[1.0, 2.0], [3.0]]), pd.Series([[1.0, 2.0], [4.0]]), [2]),
    "objects": (pd.Series([{"a": [1]}, None]), pd.Series([{"a": [2]}, None]), [1]),
}


@pytest.mark.parametrize("which", MISSING)
def test_what_is_missing_in_a_table_equals_what_is_missing(tmp_path: Path, which: str) -> None:
    wanted, built, rows = MISSING[which]
    for side, column in (("expected", wanted), ("built", built)):
        (tmp_path / side).mkdir()
        pd.DataFrame({"x": column}).to_parquet(tmp_path / side / "t.parquet")
    found = [*compare(tmp_path / "expected", tmp_path / "built", 1e-9)]
    assert [one.where for one in found] == [f"row {row}, column x" for row in rows]


def test_a_picture_that_is_very_large_is_compared_by_its_size(tmp_path: Path) -> None:
    for side, width in (("expected", 20_000), ("built", 20_001)):
        (tmp_path / side).mkdir()
        Image.new("1", (width, 10_000)).save(tmp_path / side / "x.png")
    (found,) = compare(tmp_path / "expected", tmp_path / "built", 1e-9)
    assert str(found) == ("x.png, size: expected 20000 x 10000 pixels, got 20001 x 10000 pixels")


def test_a_value_that_cannot_be_compared_is_a_difference(tmp_path: Path) -> None:
    deep = "[" * 50_000 + "]" * 50_000
    (found,) = differences(tmp_path, {"x.json": "1"}, {"x.json": deep})
    assert found.startswith("x.json: expected a file that can be read, got maximum recursion")


def test_a_folder_in_the_place_of_a_file_is_no_file(tmp_path: Path) -> None:
    lines = differences(tmp_path, {"a.txt": ""}, {"a.txt/b": ""})
    assert lines == ["a.txt: expected a file, got no file"]


@pytest.mark.parametrize("broken", ["{", "", '"\xff'])
def test_a_built_file_that_cannot_be_read_differs(tmp_path: Path, broken: str) -> None:
    (line,) = differences(tmp_path, {"a.json": "1"}, {"a.json": broken})
    assert line.startswith("a.json: expected a file that can be read, got ")


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "same"),
    [
        (1, 1.05, 0.1, True),
        (1, 1.25, 0.1, False),
        (0, 0.05, 0.1, True),
        (1000, 1050, 0.1, True),
        (1, 1.0, 0, True),
        (1, 1 + 1e-15, 0, False),
        (NAN, NAN, 0, True),
        (NAN, 1, 0.1, False),
        (1, True, 1, False),
        (None, None, 0, True),
        ("a", "a", 0, True),
        (HUGE, HUGE, 0, True),
        (HUGE, HUGE + 1, 0, False),
        (HUGE, 1.0, 1e-9, False),
    ],
    ids=lambda value: str(value)[:9],
)
def test_numbers_are_the_same_within_the_tolerance(
    one: object, other: object, tolerance: float, *, same: bool
) -> None:
    assert equal(one, other, tolerance) is same
    assert equal(other, one, tolerance) is same

"""Values, settings, names of files and sources: tables."""

from pathlib import Path

import pytest

from runner.project import naming
from runner.project.literals import converted, fits, unwritable
from runner.project.settings import SettingError, Settings, duration, level, whole_number
from runner.project.sources import SourceError, is_outside, locate


@pytest.mark.parametrize(
    ("value", "annotation", "default", "wanted"),
    [
        # Without an annotation the default's type decides.
        (1, None, 2, None),
        (1, None, 2.0, None),
        (1.0, None, 2, "a whole number"),
        (True, None, 2, "a whole number"),
        (True, None, 2.0, "a number"),
        (1, None, False, "true or false"),
        (True, None, False, None),
        ("1", None, 2, "a whole number"),
        (1, None, "a", "a text"),
        (None, None, "a", "a text"),
        ([], None, [1], None),
        ({}, None, [1], "a list"),
        ([], None, {}, "a mapping"),
        ("x", None, None, None),
        # An annotation decides alone.
        (1, "float", 1, None),
        (1.5, "float", 1, None),
        (1.5, "int", 1, "`int`"),
        (True, "int", 1, "`int`"),
        (None, "int | None", 1, None),
        ("a", "int | None", None, "`int | None`"),
        (None, "Optional[int]", 1, None),
        ("a", "Optional[int]", None, "`Optional[int]`"),
        ("a", "Union[int, str]", 1, None),
        (1.5, "Union[int, str]", 1, "`Union[int, str]`"),
        (1.5, "typing.Union[int, str]", 1, "`typing.Union[int, str]`"),
        ("a", "Literal['a', 'b']", "b", None),
        ("c", "Literal['a', 'b']", "b", "`Literal['a', 'b']`"),
        (True, "Literal[1]", 1, "`Literal[1]`"),
        ([1, 2], "list[int]", [], None),
        ([1, "a"], "list[int]", [], "`list[int]`"),
        ([[1], ["a"]], "list[list[int]]", [], "`list[list[int]]`"),
        ([1, None], "Sequence[int | None]", [], None),
        ({"a": 1}, "dict[str, float]", {}, None),
        ({"a": "b"}, "dict[str, float]", {}, "`dict[str, float]`"),
        ({"a": "b"}, "dict", {}, None),
        ("a", "'int'", 1, "`'int'`"),
        ([], "Any", 1, None),
        # One that says nothing about plain values leaves it to the default.
        ("a", "Path", "b", None),
        (1, "Path", "b", "a text"),
        (1, "list[Path]", ["b"], "a list"),
    ],
)
def test_a_value_fits_its_annotation_or_its_default(
    value: object, annotation: str | None, default: object, wanted: str | None
) -> None:
    assert fits(value, annotation, default) == wanted


@pytest.mark.parametrize(
    ("value", "annotation", "default", "result"),
    [
        (1, None, 2.0, 1.0),
        (1, "float", 2, 1.0),
        (1, None, 2, 1),
        (1, "int", 2.0, 1),
        (1, "float | None", 2.0, 1),
        (True, None, None, True),
        ("1", None, "a", "1"),
    ],
)
def test_a_whole_number_becomes_a_float_where_one_is_wanted(
    value: object, annotation: str | None, default: object, result: object
) -> None:
    found = converted(value, annotation, default)
    assert (type(found), found) == (type(result), result)


@pytest.mark.parametrize(
    "value", [None, True, 1, 10**30, -1.5, "", "\0\r\n\u2028'\"\\", [], [[1]], {"a": {"b": None}}]
)
def test_plain_values_can_be_written(value: object) -> None:
    assert unwritable(value) is None


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), b"", (1,), {1}, 1j, Path(), [float("nan")], {"a": [(1,)]}, {1: 2}],
)
def test_other_values_cannot_be_written(value: object) -> None:
    assert unwritable(value) is not None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, None),
        ("0", None),
        ("0s", None),
        (90, 90.0),
        (1.5, 1.5),
        ("90", 90.0),
        (" 10M ", 600.0),
        ("5h45m", 20700.0),
        ("1d1h1m1s", 90061.0),
        ("1.5h", 5400.0),
    ],
)
def test_a_time_is_read_in_seconds(value: object, seconds: float | None) -> None:
    assert duration(value) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "-1", -1, "5 h", "5h45", "h", "1e3", "5:45", True, [1], float("nan")]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(SettingError, match="takes a time such as"):
        duration(value)


@pytest.mark.parametrize("value", [0, -1, 1.5, "", "two", True, None, "1.0"])
def test_what_is_no_number_of_jobs_is_refused(value: object) -> None:
    with pytest.raises(SettingError, match="takes a whole number from 1 up"):
        whole_number(value)


def test_settings_are_brought_into_their_form() -> None:
    assert (whole_number("3"), level("debug")) == (3, "DEBUG")
    assert Settings(timeout="1m").timeout == 60.0  # type: ignore[arg-type]
    assert Settings(log_level="error").log_level == "ERROR"


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("data", "data"),
        ("01_data", "data"),
        ("1-data", "data"),
        ("1. data", "data"),
        ("10_2_data", "2_data"),
        ("2d_plot", "2d_plot"),
        ("2024", "2024"),
        ("1_", "1_"),
        ("data_2", "data_2"),
    ],
)
def test_a_leading_number_is_no_part_of_a_stages_name(file: str, stage: str) -> None:
    assert naming.stage_name(Path(f"notebooks/{file}.ipynb")) == stage


def test_numbers_in_names_sort_as_numbers() -> None:
    names = ["b", "a10", "A2", "a1", "10_d", "2_c", "02_b", "1_a"]
    in_order = ["1_a", "02_b", "2_c", "10_d", "a1", "A2", "a10", "b"]
    assert sorted(names, key=lambda name: (naming.natural_key(name), name)) == in_order


def test_a_packages_file_is_found_and_a_url_is_kept_under_its_checksum(tmp_path: Path) -> None:
    import json  # noqa: PLC0415 - the package that is looked for

    assert locate("package:json/decoder.py", tmp_path) == Path(json.__file__).parent / "decoder.py"
    digest = "0123456789abcdef" * 4
    for url in (f"https://x.org/a%20b.csv#sha256={digest}", "http://x.org/a b.csv?q=/c#sha256="):
        text = url if url.endswith(digest) else url + digest.upper()
        assert locate(text, tmp_path) == tmp_path / digest / "a_b.csv"
    assert locate(f"https://x.org#sha256={digest}", tmp_path) == tmp_path / digest / "download"
    with pytest.raises(SourceError, match="needs its checksum"):
        locate(f"https://x.org/a#sha256={digest}0", tmp_path)


@pytest.mark.parametrize(
    ("text", "outside"),
    [("package:a/b", True), ("https://a/b", True), ("http://a/b", True), ("../a", False)],
)
def test_packages_and_urls_are_outside(text: str, *, outside: bool) -> None:
    assert is_outside(text) is outside

"""Tables for the small parts: values, orders, times, streams."""

import itertools
import logging
from concurrent.futures import Future
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import graph
from runner.build import scheduler
from runner.execution import preload, streams
from runner.model import Result, State
from runner.project import naming
from runner.project.literals import converted, fits, unwritable
from runner.project.settings import SettingError, Settings, duration, level, whole_number
from runner.project.sources import SourceError, is_outside, locate
from runner.stop import Stop
from runner.words import shown

Needs = dict[str, set[str]]


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
    ("needs", "order"),
    [
        ({}, ()),
        ({"b": set(), "a": set()}, ("b", "a")),
        ({"a": {"b"}, "b": set()}, ("b", "a")),
        ({"a": {"d"}, "b": set(), "c": set(), "d": set()}, ("b", "c", "d", "a")),
        ({"a": {"c"}, "b": set(), "c": {"b"}, "d": set()}, ("b", "c", "a", "d")),
    ],
)
def test_names_come_after_what_they_need_else_as_they_stand(
    needs: Needs, order: tuple[str, ...]
) -> None:
    assert graph.order(needs) == order


@pytest.mark.parametrize(
    ("needs", "paths"),
    [
        ({"a": {"a"}}, {"a a"}),
        ({"a": {"b"}, "b": {"a"}}, {"a b a", "b a b"}),
        ({"x": set(), "a": {"c", "x"}, "b": {"a"}, "c": {"b"}, "y": {"a"}}, {"a b c a"}),
    ],
)
def test_a_cycle_is_given_from_each_name_to_what_needs_it(needs: Needs, paths: set[str]) -> None:
    with pytest.raises(graph.Cycle) as caught:
        graph.order(needs)
    path = caught.value.path
    assert path[0] == path[-1]
    assert all(one in needs[other] for one, other in itertools.pairwise(path))
    assert {frozenset(path)} == {frozenset(one.split()) for one in paths}


acyclic = st.integers(0, 8).flatmap(
    lambda size: st.tuples(
        *(st.frozensets(st.sampled_from(range(n)) if n else st.nothing()) for n in range(size))
    )
)


@given(acyclic, st.randoms(use_true_random=False))
def test_every_order_holds_each_name_once_after_its_needs(
    needed: tuple[frozenset[int], ...], random: Random
) -> None:
    names = [f"n{number}" for number in range(len(needed))]
    needs = {names[n]: {names[one] for one in ones} for n, ones in enumerate(needed)}
    shuffled = dict(random.sample(sorted(needs.items()), len(needs)))
    order = graph.order(shuffled)
    assert sorted(order) == sorted(names)
    assert all(order.index(one) < order.index(name) for name in names for one in needs[name])
    for name in names:
        reached = graph.closure((name,), needs)
        assert {name} | {each for one in needs[name] for each in graph.closure((one,), needs)} == (
            reached
        )
        assert graph.readers(name, needs) == {
            other for other in names if other != name and name in graph.closure((other,), needs)
        }


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


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", ""),
        ("plain\n", "plain\n"),
        ("10%\r20%\r30%", "30%"),
        ("10%\r20%\r", "20%\r"),
        ("10%\r20%\r\nnext", "20%\nnext"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\rb\nc\rd", "b\nd"),
        ("a\r\r", "a\r"),
        ("\r", "\r"),
        ("a\rb\r\r\nc", "b\nc"),
    ],
)
def test_what_a_carriage_return_overwrote_is_not_seen(text: str, seen: str) -> None:
    assert streams.overwritten(text) == seen


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("a\x1b[2Kb\x08\x07\x00c\td", "abc\td"),
        ("é ✓\n", "é ✓\n"),
    ],
)
def test_colours_and_control_characters_are_removed(text: str, plain: str) -> None:
    assert shown(text) == plain


@pytest.mark.parametrize(
    ("text", "stream", "record"),
    [
        ("hello", "stdout", (logging.INFO, None, "hello")),
        ("hello", "stderr", (logging.WARNING, None, "hello")),
        ("INFO:my.log:said: so", "stderr", (logging.INFO, "my.log", "said: so")),
        ("ERROR:root:", "stdout", (logging.ERROR, "root", "")),
        ("DEBUG:a:two\nlines", "stderr", (logging.DEBUG, "a", "two\nlines")),
        ("an ERROR here", "stderr", (logging.ERROR, None, "an ERROR here")),
        ("an ERROR here", "stdout", (logging.INFO, None, "an ERROR here")),
        ("ERRORS", "stderr", (logging.WARNING, None, "ERRORS")),
        ("x INFO:a:b", "stdout", (logging.INFO, None, "x INFO:a:b")),
        ("NOTE:a:b", "stdout", (logging.INFO, None, "NOTE:a:b")),
    ],
)
def test_level_and_logger_are_read_off_a_line(
    text: str, stream: str, record: tuple[int, str | None, str]
) -> None:
    assert streams.record(text, stream, is_bar=False) == record


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["a\nb\n"], ["a", "b"]),
        (["a", "b\nc", "\n"], ["ab", "c"]),
        (["a\r", "\nb\n"], ["a", "b"]),
        (["1%", "\r2%", "\r3%\n"], ["3%"]),
        (["1%\r", "2%\r"], ["2%"]),
        (["rest"], ["rest"]),
        (["a\n\nb\n"], ["a", "", "b"]),
        (["  \n", " "], ["  "]),
    ],
)
def test_a_stream_is_cut_into_lines(pieces: list[str], lines: list[str]) -> None:
    shown: list[str] = []
    cut = streams.Lines(lambda line, _: shown.append(line), lambda: None)
    for piece in pieces:
        cut.feed(piece)
    cut.finish()
    assert shown == lines


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


@pytest.mark.parametrize(
    ("state", "order"),
    [
        (State.SUCCEEDED, ["start a", "start b", "end a", "end b", "start c", "end c"]),
        (State.FAILED, ["start a", "end a", "end c", "end b"]),
    ],
    ids=["good", "bad"],
)
def test_what_does_not_wait_for_a_result_starts_before_it_is_committed(
    state: State, order: list[str]
) -> None:
    said: list[str] = []

    def start(name: str) -> Future[Result]:
        said.append(f"start {name}")
        future: Future[Result] = Future()
        future.set_result(Result(name, state, 0.0, 0.0))
        return future

    def commit(result: Result) -> Result:
        said.append(f"end {result.stage}")
        return result

    rules = scheduler.Rules(jobs=1, keep_going=False, stop=Stop())
    needs = {"a": [], "b": [], "c": ["a", "b"]}
    scheduler.run(needs, after={}, start=start, commit=commit, rules=rules)
    assert said == order


def test_what_only_comes_after_another_one_waits_for_it_and_not_for_its_success() -> None:
    said: list[str] = []
    waiting: dict[str, Future[Result]] = {}

    def start(name: str) -> Future[Result]:
        said.append(name)
        waiting[name] = Future()
        if name == "b":
            waiting["a"].set_result(Result("a", State.FAILED, 0.0, 0.0))
        if name != "a":
            waiting[name].set_result(Result(name, State.SUCCEEDED, 0.0, 0.0))
        return waiting[name]

    def commit(result: Result) -> Result:
        said.append(f"{result.stage} {result.state}")
        return result

    rules = scheduler.Rules(jobs=2, keep_going=True, stop=Stop())
    needs = {"a": [], "b": [], "c": [], "d": ["a"]}
    after = {"c": ["a"]}
    scheduler.run(needs, after=after, start=start, commit=commit, rules=rules)
    assert said[:2] == ["a", "b"]
    assert said.index("c") > said.index("a failed")
    assert "d blocked" in said
    assert "c succeeded" in said


NUMPY = ("import numpy",)
ENVIRONMENT = "it sets environment variables before it imports numpy"


@pytest.mark.parametrize(
    ("cells", "imports", "cold"),
    [
        (["import numpy as np"], NUMPY, None),
        (["import json, numpy, os.path"], NUMPY, None),
        (
            ["from a.b import C, d as e"],
            ("import a.b", "from a.b import C", "from a.b import d"),
            None,
        ),
        (["from a import *"], ("import a",), None),
        (["from __future__ import annotations", "from . import x"], (), None),
        (
            ["%matplotlib inline\nimport numpy", "x = 1", "import pandas"],
            (*NUMPY, "import pandas"),
            None,
        ),
        # Code decides whether these are carried out.
        (["if x:\n    import numpy"], (), None),
        (["try:\n    import numpy\nexcept ImportError:\n    numpy = None"], (), None),
        (["def f():\n    import numpy"], (), None),
        # What comes before them decides what they find, or do.
        (["import sys\nsys.path.insert(0, 'x')\nimport numpy"], (), None),
        (["!pip install numpy", "import numpy"], (), None),
        (["%pip install numpy\nimport numpy"], (), None),
        (["%%bash\nexport A=1", "import numpy"], (), None),
        (["import os\nos.chdir('x')", "import numpy"], (), None),
        (["import numpy", "import random\nrandom.seed(1)", "import pandas"], NUMPY, None),
        (["this is no Python", "import numpy"], (), None),
        (["import logging\nlogging.basicConfig(level='DEBUG')", "import numpy"], (), None),
        (["import warnings\nwarnings.simplefilter('always')", "import numpy"], (), None),
        (["import sys\nsys.argv = ['x']", "import numpy"], (), None),
        (["import a\na.b = 1", "import numpy"], ("import a",), None),
        (["import a\na.b['c'] = 1", "import numpy"], ("import a",), None),
        (["raise SystemExit", "import numpy"], (), None),
        (["exit()", "import numpy"], (), None),
        (["@register\ndef f():\n    pass", "import numpy"], (), None),
        (["def f(x=change()):\n    pass", "import numpy"], (), None),
        # These are without influence.
        (["x: int = 1\ny, z = 2, [3]\n'text'\nx", "import numpy"], NUMPY, None),
        (
            ["from pathlib import Path\nhere = Path('x') / 'y'\nprint('a')", "import numpy"],
            NUMPY,
            None,
        ),
        (["import logging\nlog = logging.getLogger('x')", "import numpy"], NUMPY, None),
        (["def f(x, y=1):\n    change()", "import numpy"], NUMPY, None),
        (
            [
                "@dataclass\nclass C(B):\n    x: int = 1",
                "class D:\n    @property\n    def y(self):\n        change()",
                "import numpy",
            ],
            NUMPY,
            None,
        ),
        # A module of the project is not imported ahead, but read.
        (["import helper"], NUMPY, None),
        (["import helper", "import chooser", "import pandas"], NUMPY, None),
        (["from conf import threads", "import numpy"], (), ENVIRONMENT),
        (["import conf.relative", "import numpy"], (), ENVIRONMENT),
        (["from conf import nothing", "import numpy"], NUMPY, None),
        (["import names.helper", "import numpy"], NUMPY, None),
        (["from os import environ as e\ne['A'] = '1'", "import numpy"], (), ENVIRONMENT),
        # The environment is read by many packages as they are imported.
        (["import os\nos.environ['A'] = '1'", "import numpy"], (), ENVIRONMENT),
        (["import os\nos.environ |= {'A': '1'}\nimport numpy"], (), ENVIRONMENT),
        (["from os import environ\nenviron.setdefault('A', '1')\nimport numpy"], (), ENVIRONMENT),
        (["import os\ndel os.environ['A']\nimport numpy"], (), ENVIRONMENT),
        (["import os\nchange(os.environ)\nimport numpy"], (), ENVIRONMENT),
        (["import os\nx = os.environ\nimport numpy"], (), ENVIRONMENT),
        (["%env A=1\nimport numpy"], (), ENVIRONMENT),
        (["from dotenv import load_dotenv\nload_dotenv()\nimport numpy"], (), ENVIRONMENT),
        (["import os\nos.putenv('A', '1')\nimport numpy"], (), ENVIRONMENT),
        (["import numpy", "import os\nos.environ['A'] = '1'"], NUMPY, None),
        (["import os\nprint(os.environ['A'], os.environ.get('B'))\nimport numpy"], NUMPY, None),
        (["import os\nprint(dict(os.environ))\nimport numpy"], NUMPY, None),
        (["import os\nif 'A' in os.environ:\n    x = len(os.environ)\nimport numpy"], (), None),
        # These do not bear a fork, wherever they are imported.
        (["import numpy", "def f():\n    import tensorflow.keras"], (), "it imports tensorflow"),
        (["from polars import DataFrame"], (), "it imports polars"),
    ],
)
def test_what_is_imported_ahead(
    tmp_path: Path, cells: list[str], imports: tuple[str, ...], cold: str | None
) -> None:
    (tmp_path / "helper.py").write_text("import json\nimport numpy\n", "utf-8")
    for folder in ("conf", "names"):
        (tmp_path / folder).mkdir()
    (tmp_path / "conf/__init__.py").touch()
    (tmp_path / "conf/threads.py").write_text("import os\nos.environ['A'] = '1'\n", "utf-8")
    (tmp_path / "conf/relative.py").write_text("from . import threads\n", "utf-8")
    (tmp_path / "chooser.py").write_text("import sys\nsys.path.append('x')\n", "utf-8")
    found = preload.of_cells(cells, (tmp_path,))
    assert (found.imports, found.cold) == (imports, cold)

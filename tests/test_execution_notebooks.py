"""Notebooks of many kinds, and the values that they are given."""

import json
from pathlib import Path

import nbformat
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from nbformat.v3 import new_code_cell, new_notebook, new_worksheet

from tests.mistakes import told_once
from tests.project import TemporaryProject

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


def drawn(count: int) -> list[object]:
    """Draw values of all kinds."""
    found: list[object] = []

    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate])
    @given(values)
    def draw(value: object) -> None:
        found.append(value)

    draw()
    return found


def test_injected_values_read_back_equal(project: TemporaryProject) -> None:
    given_values = drawn(300)
    assert len(given_values) > 100
    project.notebook(
        "a",
        "import json",
        "json.dump(values, open(output_a, 'w'), ensure_ascii=True)",
        parameters='output_a = "../outputs/test/a.json"\nvalues: list = []',
    )
    # JSON is YAML 1.2, if no character of it has to be escaped by two codes.
    text = json.dumps(given_values, ensure_ascii=False)
    for code in (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF):
        text = text.replace(chr(code), f"\\u{code:04x}")
    project.profile("all", f"a:\n  values: {text}\n")
    project.run("all")
    read = (project.outputs("all") / "a.json").read_text("utf-8")
    assert read == json.dumps(given_values)


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "[1, {a: .nan}]"])
def test_values_that_json_does_not_know_are_refused(project: TemporaryProject, value: str) -> None:
    project.notebook("a", "x", parameters="x: object = 1")
    project.profile("all", f"a:\n  x: {value}\n")
    told = told_once(project, "all")
    assert told.startswith("params/all.yaml:2: `x`: ")
    assert "is not a number that can be stored; leave it out or use null" in told


def test_a_notebook_of_format_3_runs_and_stays_as_it_is(project: TemporaryProject) -> None:
    project.profile("all")
    cells = [new_code_cell("x = 20"), new_code_cell("print('it is', x + 3)")]
    path = project.root / "notebooks/old.ipynb"
    nbformat.write(new_notebook(worksheets=[new_worksheet(cells=cells)]), path, version=3)
    before = path.read_bytes()
    assert "old[2/2]: it is 23" in project.run("all").out
    assert path.read_bytes() == before
    executed = json.loads((project.outputs("all") / "notebooks/old.ipynb").read_text("utf-8"))
    assert executed["nbformat"] == 4


def test_an_executed_notebook_is_refused_as_a_source(project: TemporaryProject) -> None:
    project.profile("all", "a:\n  x: 2\n")
    project.notebook("a", "print(x)", parameters="x = 1")
    project.run("all")
    executed = project.outputs("all") / "notebooks/a.ipynb"
    (project.root / "notebooks/a.ipynb").write_bytes(executed.read_bytes())
    done = project.call("all", code=2)
    assert "notebooks/a.ipynb: is an executed notebook with the parameters of an old" in done.err


def test_a_project_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "-dash {braces} with space, ümläut and 'quote\"")
    project.profile("all", "a:\n  x: 2\n")
    project.notebook(
        "a",
        "open(output_a, 'w').write(str(x))",
        parameters='output_a = "../outputs/test/a.txt"\nx = 1',
    )
    project.run("all")
    assert (project.outputs("all") / "a.txt").read_text("utf-8") == "2"


ENDS = [
    ("raise KeyboardInterrupt", "failed", "KeyboardInterrupt"),
    ("raise ValueError", "failed", "ValueError"),
    ("raise ValueError('first\\nsecond')", "failed", "ValueError: first"),
    ("raise ValueError('\\x1b[31mred\\x1b[0m')", "failed", "ValueError: red"),
    ("raise ValueError('é ✓ \\ud800')", "failed", r"ValueError: é ✓ \ud800"),
    ("raise BaseException('base')", "failed", "BaseException: base"),
    ("%no_such_magic", "failed", "UsageError: Line magic function `%no_such_magic` not found"),
    ("return 1", "failed", "SyntaxError: 'return' outside function"),
    ("import sys\nsys.exit('words')", "failed", "SystemExit: words"),
    ("await __import__('asyncio').sleep(0)", "succeeded", None),
    ("def f(n):\n    return f(n + 1)\nf(0)", "failed", "RecursionError: maximum recursion"),
    ("", "succeeded", None),
    ("# only a comment", "succeeded", None),
]


def test_cells_of_all_kinds_end_as_they_should(project: TemporaryProject) -> None:
    project.profile("all")
    for number, (source, *_) in enumerate(ENDS):
        cells = ("x = 1", source if source[:1] != "#" else f"\n{source}", "y = x + 1")
        project.stage(f"s{number}", *cells, writes=(f"{number}.txt",))
    done = project.run("all", "-k", code=1)
    assert "the runner failed" not in done.text
    assert project.states("all") == {f"s{number}": one[1] for number, one in enumerate(ENDS)}
    found = 0
    for number, (source, state, error) in enumerate(ENDS):
        told = project.stage_record("all", f"s{number}")["error"]
        assert told is None if error is None else told.startswith(error), source
        lines = [line for line in done.out.splitlines() if f" s{number}[" in line]
        tracebacks = sum("Traceback (most recent call last)" in line for line in lines)
        assert tracebacks <= (state == "failed"), source
        found += tracebacks
    assert project.log("all").count("Traceback (most recent call last)") == found > 0


def test_markdown_alone_is_a_notebook(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("a", "# # Only words")
    project.run("all")
    assert project.states("all") == {"a": "succeeded"}

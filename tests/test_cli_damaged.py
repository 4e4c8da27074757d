"""Files that were damaged, by chance or by hand, are told in a line: no traceback, and no hang.

FUZZ_EXAMPLES=100000 looks for as long as one likes, each time elsewhere.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.project import TemporaryProject

MANY = int(os.environ.get("FUZZ_EXAMPLES", "0"))
COMMANDS = ["check", "list", "status", "status --json", "history", "log", "-n all"]
COMMANDS += ["diff all", "diff --json all", "table", "table --csv --sort duration"]

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "\0", "../..", "a\x1b[2Ja", "\u202e", "\ud800", "2024-02-30", "1" * 5000]),
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Give the ways to all values inside a value."""
    keys = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    )
    return [at] * bool(at) + [way for key, one in keys for way in places(one, (*at, key))]


@st.composite
def damaged_value(draw: st.DrawFn, value: object) -> object:
    """Put something else, or nothing, at some places of a value; or have it twice."""
    whole = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        ways = places(whole)
        if not ways:
            break
        *way, last = draw(st.sampled_from(ways))
        holder = whole
        for key in way:
            holder = holder[key]
        if draw(st.booleans()):
            holder[last] = draw(_VALUES)
        elif isinstance(holder, list) and draw(st.booleans()):
            holder.append(holder[last])
        else:
            del holder[last]
    return whole


@st.composite
def damaged_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Cut, double or replace some bytes."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        new = draw(st.sampled_from([b"", data[start:end] * 2]) | st.binary(max_size=4))
        data = data[:start] + new + data[end:]
    return data


def dumped(value: object) -> bytes:
    """Write JSON as a damaged program may: also what is no number, and halves of characters."""
    return json.dumps(value).encode()


def of_json(path: Path) -> st.SearchStrategy[bytes]:
    """Damage a file of JSON."""
    data = path.read_bytes()
    return damaged_value(json.loads(data)).map(dumped) | damaged_bytes(data)


def of_lines(path: Path) -> st.SearchStrategy[bytes]:
    """Damage a file with JSON in each line."""
    data = path.read_bytes()
    lines = [json.loads(line) for line in data.splitlines()]

    def joined(values: object) -> bytes:
        some = values if isinstance(values, list) else [values]
        return b"".join(dumped(value) + b"\n" for value in some)

    return damaged_value(lines).map(joined) | damaged_bytes(data)


def of_text(path: Path) -> st.SearchStrategy[bytes]:
    """Damage a text."""
    return damaged_bytes(path.read_bytes())


@pytest.fixture
def built(project: TemporaryProject) -> TemporaryProject:
    """Give a project with two stages, built twice."""
    project.write(
        "pyproject.toml",
        '[tool.runner]\nretries = {a = 1}\ndeadline = "5h"\nsecrets = ["A_PIN"]\nalways = ["a"]\n',
    )
    project.profile(
        "all",
        "a:\n  limits: {low: 1, high: [2, 3]}\n  name: x\n",
    )
    project.notebook(
        "a",
        "import json, pathlib\n\npathlib.Path(output_a).write_text(json.dumps([limits, name]))",
        parameters='output_a = "../outputs/test/a.json"\nlimits = {}\nname: str = "x"',
    )
    project.notebook(
        "b",
        "import pathlib\n\nprint(pathlib.Path(input_a).read_text())",
        parameters='input_a = "../outputs/test/a.json"',
    )
    project.pretend("all")
    # Another one, to be compared.
    project.pretend("all", "-p", "a.name=y")
    return project


FILES: list[tuple[str, Callable[[Path], st.SearchStrategy[bytes]]]] = [
    ("notebooks/*a.ipynb", of_json),
    ("params/all.yaml", of_text),
    ("pyproject.toml", of_text),
    ("outputs/all/runs/*/journal.jsonl", of_lines),
    ("outputs/all/runs/*/run.json", of_json),
    ("outputs/all/runs/*/notebooks/a.ipynb", of_json),
    ("outputs/all/runs/*/outputs/*.json", of_json),
]


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "damage"), FILES, ids=[name for name, _ in FILES])
def test_what_is_damaged_is_told_in_a_line(
    built: TemporaryProject,
    pattern: str,
    damage: Callable[[Path], st.SearchStrategy[bytes]],
) -> None:
    path = next(iter(built.root.glob(pattern)), built.root / pattern.replace("*", "x"))
    good = path.read_bytes()

    @settings(
        deadline=None,
        database=None,
        derandomize=not MANY,
        max_examples=MANY or 60,
        suppress_health_check=list(HealthCheck),
    )
    @given(damage(path))
    def look(data: bytes) -> None:
        path.write_bytes(data)
        try:
            for words in COMMANDS:
                done = built.call(*words.split(), code=None)
                assert done.code in {0, 1, 2}, (words, done)
                for sign in ("Traceback", "the runner failed", "Error:"):
                    assert sign not in done.text, (words, done.text)
                lines = done.err.splitlines()
                assert all(len(line) < 1000 for line in lines), words
                assert all(line.isprintable() for line in lines), (words, lines)
        finally:
            path.write_bytes(good)

    look()

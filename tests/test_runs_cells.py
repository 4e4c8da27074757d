"""Which cells of two notebooks belong together."""

import pytest

from runner.runs.cells import Cell, changes

Told = tuple[str, int | None, int | None]


def cells(text: str) -> list[Cell]:
    """Make cells of words such as `id:source`; without an id it is just the source."""
    made = []
    for number, word in enumerate(text.split(), 1):
        key, colon, source = word.rpartition(":")
        made.append(Cell(key if colon else None, number, source.replace("_", "\n")))
    return made


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("a:x b:y", "a:x b:y", []),
        ("a:x b:y", "c:x d:y", []),
        ("x y", "x y", []),
        # The id tells, however different the source is.
        ("a:x b:y", "a:x b:123456", [("changed", 2, 2)]),
        ("a:x", "a:x b:y", [("added", None, 2)]),
        ("a:x b:y", "b:y", [("removed", 1, None)]),
        ("a:x b:y c:z", "b:y c:z a:x", [("moved", 1, 3)]),
        ("a:x b:y c:z", "b:y c:z a:xx", [("changed", 1, 3)]),
        # Ids that are made up go by the places of cells.
        ("1:x 2:y", "1:new 2:x 3:y", [("added", None, 1)]),
        ("1:x 2:y 3:z", "1:y 2:z", [("removed", 1, None)]),
        # The same source in several cells.
        ("x x y", "x y x", [("moved", 1, 3)]),
        ("a:x b:x", "b:x a:x", [("moved", 2, 1)]),
        ("x y", "x x y", [("added", None, 1)]),
        # Without ids what is alike is the same cell.
        ("a=1_b=2_c=3 z", "a=1_b=2_c=4 z", [("changed", 1, 1)]),
        ("abc xyz", "xyz def", [("removed", 1, None), ("added", None, 2)]),
    ],
)
def test_cells_are_paired(old: str, new: str, told: list[Told]) -> None:
    found = [(one.kind, one.old, one.new) for one in changes(cells(old), cells(new))]
    assert found == told


def test_what_changed_is_told_line_by_line() -> None:
    old, new = cells("a:1_2_3_4_5_6_7"), cells("a:1_2_3_4_55_6_7")
    (change,) = changes(old, new)
    assert change.lines == ("@@ -3,5 +3,5 @@", " 3", " 4", "-5", "+55", " 6", " 7")

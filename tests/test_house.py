"""Rooms are entered by their faces: of a package, others import what that exports, or a module."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.project import ROOT

RUNNER = ROOT / "runner"
ROOMS = {path.parent.name for path in RUNNER.glob("*/__init__.py")}
# What loads Jupyter or starts processes is not in the face, which all commands load.
BACK_DOORS = {
    *("kernels.ending", "kernels.forkserver", "kernels.launch", "kernels.manager"),
    *(
        "kernels.keeping",
        "kernels.lasting",
        "kernels.stacks",
        "kernels.trace",
        "kernels.warm",
        "build.command",
        "system.cgroups",
    ),
}


def imported(path: Path) -> Iterator[str]:
    """Give what a module imports of the runner, as absolute names of modules."""
    here = path.relative_to(RUNNER).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = here[: len(here) - node.level + 1]
            yield ".".join([*above, *filter(None, [node.module])])


def test_a_room_is_entered_by_its_face() -> None:
    looked_at = 0
    for path in RUNNER.rglob("*.py"):
        own = path.relative_to(RUNNER).parts[0]
        for name in imported(path):
            room, _, inner = name.partition(".")
            looked_at += room in ROOMS
            if inner and room in ROOMS and room != own:
                assert name in BACK_DOORS, f"{path.relative_to(ROOT)} imports from {name}"
    assert looked_at > 100

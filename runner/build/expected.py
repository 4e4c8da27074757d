"""The test check: what was built against `testdata/expected/`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..runs import contents

_NO_FILE = "no file"


@dataclass(frozen=True)
class Difference:
    """One place where a file is not as expected."""

    file: str
    where: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Give the line that the user reads."""
        place = f"{self.file}, {self.where}" if self.where else self.file
        return f"{place}: expected {self.expected}, got {self.got}"


def files(expected: Path) -> list[Path]:
    """List what is to be compared, relative to `expected`; hidden files are left out."""
    found = (path.relative_to(expected) for path in sorted(expected.rglob("*")) if path.is_file())
    return [path for path in found if not any(part.startswith(".") for part in path.parts)]


def compare(
    expected: Path, built: Path, tolerance: float, names: Iterable[Path] | None = None
) -> Iterator[Difference]:
    """Compare files below `expected`, all or those that are named, with their twins in `built`.

    JSON, CSV and Parquet are compared by value, numbers within `tolerance`, relative and
    absolute; images by existence and size; other files by their bytes.
    """
    for name in files(expected) if names is None else names:
        wanted, got = expected / name, built / name
        if not got.is_file():
            yield Difference(str(name), "", "a file", _NO_FILE)
            continue
        try:
            for where, one, other in contents.differences(wanted, got, tolerance):
                yield Difference(str(name), where, one, other)
        except Exception as error:  # noqa: BLE001 - whatever a library makes of what was built
            said = [*str(error).splitlines(), type(error).__name__][0]
            yield Difference(str(name), "", "a file that can be read", said)

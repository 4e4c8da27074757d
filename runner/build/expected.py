"""The test check: what was built against `testdata/expected/`."""

import filecmp
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..words import shortened

if TYPE_CHECKING:
    import pandas as pd

_TABLES = {".csv", ".tsv", ".parquet"}
_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".webp"}
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
            for where, one, other in _differences(wanted, got, tolerance):
                yield Difference(str(name), where, one, other)
        except Exception as error:  # noqa: BLE001 - whatever a library makes of what was built
            said = [*str(error).splitlines(), type(error).__name__][0]
            yield Difference(str(name), "", "a file that can be read", said)


_Place = tuple[str, str, str]
# So much of a line of a text is shown.
_LINE = 200


def _differences(wanted: Path, got: Path, tolerance: float) -> Iterator[_Place]:
    suffix = wanted.suffix.lower()
    if filecmp.cmp(wanted, got, shallow=False):
        return
    if suffix == ".json":
        yield from _values(_json(wanted), _json(got), "", tolerance)
    elif suffix in _TABLES:
        yield from _tables(_table(wanted), _table(got), tolerance)
    elif suffix in _IMAGES:
        yield from _images(wanted, got)
    else:
        one, other = wanted.read_bytes(), got.read_bytes()
        at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
        if at is None:
            yield "", f"{len(one)} bytes", f"{len(other)} bytes"
        elif b"\0" in one or b"\0" in other:
            # No text, such as a pickle, whose bytes say nothing to a person.
            yield f"byte {at + 1}", f"{len(one)} bytes", f"{len(other)} other ones"
        else:
            line = one.count(b"\n", 0, at)
            wanted_line, got_line = (repr(_line(each, line)) for each in (one, other))
            yield f"line {line + 1}", shortened(wanted_line, _LINE), shortened(got_line, _LINE)


def _line(data: bytes, number: int) -> str:
    return data.split(b"\n")[number].decode("utf-8", "replace")


def _json(path: Path) -> Any:  # noqa: ANN401
    return json.loads(path.read_text(encoding="utf-8"))


def _values(wanted: Any, got: Any, where: str, tolerance: float) -> Iterator[_Place]:  # noqa: ANN401
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in [*wanted, *(key for key in got if key not in wanted)]:
            inner = f"{where}.{key}" if where else str(key)
            if key not in got:
                yield inner, repr(wanted[key]), "nothing"
            elif key not in wanted:
                yield inner, "nothing", repr(got[key])
            else:
                yield from _values(wanted[key], got[key], inner, tolerance)
    elif isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            yield where, f"{len(wanted)} items", f"{len(got)} items"
        for number, (one, other) in enumerate(zip(wanted, got, strict=False)):
            yield from _values(one, other, f"{where}[{number}]", tolerance)
    elif not equal(wanted, got, tolerance):
        yield where, repr(wanted), repr(got)


def equal(wanted: Any, got: Any, tolerance: float) -> bool:  # noqa: ANN401
    """Tell whether two values are the same; what is missing equals another of its kind."""
    if hasattr(wanted, "tolist") and hasattr(got, "tolist"):
        # A cell of a table may hold an array.
        return not [*_values(wanted.tolist(), got.tolist(), "", tolerance)]
    truths = isinstance(wanted, bool) or isinstance(got, bool)
    if isinstance(wanted, int | float) and isinstance(got, int | float) and not truths:
        try:
            if math.isnan(wanted) or math.isnan(got):
                return math.isnan(wanted) and math.isnan(got)
            return math.isclose(wanted, got, rel_tol=tolerance, abs_tol=tolerance)
        except OverflowError:  # a whole number beyond any float
            return wanted == got
    if _is_missing(wanted) or _is_missing(got):
        return type(wanted) is type(got)
    return type(wanted) is type(got) and bool(wanted == got)


def _is_missing(value: object) -> bool:
    """Tell a value of pandas' for one that is missing, which equals none: NaT, NA."""
    return type(value).__name__ in {"NaTType", "NAType"}


def _table(path: Path) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - slow to import, and only some builds have tables

    if path.suffix.lower() == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")


def _tables(wanted: "pd.DataFrame", got: "pd.DataFrame", tolerance: float) -> Iterator[_Place]:
    names, others = [str(name) for name in wanted.columns], [str(name) for name in got.columns]
    if names != others:
        yield "columns", ", ".join(names), ", ".join(others)
        return
    if len(wanted) != len(got):
        yield "rows", str(len(wanted)), str(len(got))
    for position, name in enumerate(names):
        pairs = zip(wanted.iloc[:, position].tolist(), got.iloc[:, position].tolist(), strict=False)
        for row, (one, other) in enumerate(pairs, 1):
            if not equal(one, other, tolerance):
                yield f"row {row}, column {name}", repr(one), repr(other)


def _images(wanted: Path, got: Path) -> Iterator[_Place]:
    one, other = _size(wanted), _size(got)
    if one and other and one != other:
        yield "size", one, other
    elif got.stat().st_size == 0:
        yield "", "an image", "an empty file"


def _size(path: Path) -> str | None:
    """Give an image's width and height in pixels, or None for a drawing without pixels."""
    if path.suffix.lower() in {".svg", ".pdf"}:
        return None
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only with images

    # It is not decoded, so that it may be large is no danger.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path) as image:
            return f"{image.width} x {image.height} pixels"
    except UnidentifiedImageError:
        message = f"{path.name} is not an image"
        raise ValueError(message) from None

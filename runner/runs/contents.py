"""Two files compared by value: JSON, tables, pictures by their size, others by their bytes."""

import filecmp
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..words import shortened

if TYPE_CHECKING:
    import pandas as pd

TABLES = frozenset({".csv", ".tsv", ".parquet"})
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".webp"})
# Where in a file, what the first one has there, and what the other one.
Place = tuple[str, str, str]
# So much of a line of a text is shown.
_LINE = 200


def differences(wanted: Path, got: Path, tolerance: float) -> Iterator[Place]:
    """Give each place in which two files differ.

    JSON, CSV and Parquet are compared by value, numbers within `tolerance`, relative and
    absolute; images by existence and size; other files by their bytes.

    Raises:
        Exception: one cannot be read; whatever a library makes of that.
    """
    suffix = wanted.suffix.lower()
    if filecmp.cmp(wanted, got, shallow=False):
        return
    if suffix == ".json":
        yield from _values(_json(wanted), _json(got), "", tolerance)
    elif suffix in TABLES:
        yield from _tables(_table(wanted), _table(got), tolerance)
    elif suffix in IMAGES:
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


def _values(wanted: Any, got: Any, where: str, tolerance: float) -> Iterator[Place]:  # noqa: ANN401
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


def _tables(wanted: "pd.DataFrame", got: "pd.DataFrame", tolerance: float) -> Iterator[Place]:
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


def _images(wanted: Path, got: Path) -> Iterator[Place]:
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

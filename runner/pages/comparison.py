"""The page of a comparison of two runs, which stands alone."""

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..runs import compare, differences
from . import views
from .files import as_url
from .inside import PICTURES
from .render import Renderer
from .views import Mark

# A larger picture is not put into the page.
_LARGEST = 2 << 20


class _Pair(NamedTuple):
    """Two pictures as URLs, and one that marks where they differ; empty if there is none."""

    old: str
    new: str
    marked: str


def page(found: compare.Diff, renderer: Renderer) -> str:
    """Write what differs between two runs, and what does not."""
    return renderer.page(
        "diff.html.j2",
        inline=True,
        found=found,
        sides=[(side, Mark.of(side.state)) for side in (found.old, found.new)],
        pictures={change.name: pair for change, pair in _pictures(found)},
        when=views.when,
        same=[one.kind for one in found.same if one.same == one.all],
        partly=[one for one in found.same if 0 < one.same < one.all],
    )


def _pictures(found: compare.Diff) -> Iterator[tuple[differences.OutputChange, _Pair]]:
    for change in found.outputs:
        if Path(change.name).suffix.lower() in PICTURES:
            old, new = _url(change.old), _url(change.new)
            yield change, _Pair(old, new, _marked(change) if old and new else "")


def _url(side: differences.FileSide | None) -> str:
    try:
        if side is None or side.path is None or side.path.stat().st_size > _LARGEST:
            return ""
        return as_url(side.path.read_bytes(), side.path.suffix)
    except OSError:
        return ""


def _marked(change: differences.OutputChange) -> str:
    """Draw the new picture faintly, with what differs in full red."""
    found = change.pictures
    if found is None or found.share is None or change.old is None or change.new is None:
        return ""
    from PIL import Image, ImageChops  # noqa: PLC0415 - only with pictures

    try:
        with Image.open(_path(change.old)) as one, Image.open(_path(change.new)) as other:
            old, new = one.convert("RGBA"), other.convert("RGBA")
        bands = ImageChops.difference(old, new).split()
        most = functools.reduce(ImageChops.lighter, bands)
        mask: Any = most.point([0, *[255] * 255])
        new = new.convert("RGB")
        faint = Image.blend(new, Image.new("RGB", new.size, "white"), 0.75)
        faint.paste(Image.new("RGB", new.size, (200, 20, 20)), mask=mask)
        data = io.BytesIO()
        faint.save(data, "PNG", optimize=True)
    except Exception:  # noqa: BLE001 - whatever Pillow makes of a picture
        return ""
    return as_url(data.getvalue(), ".png")


def _path(side: differences.FileSide) -> Path:
    return side.path or Path()

"""Two pictures: their sizes, and how many of their pixels differ."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

# Larger ones are not looked into: a small file may hold very many pixels.
_MOST = 10_000_000
KINDS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})


@dataclass(frozen=True)
class Pictures:
    """Two pictures: width and height of each, in pixels.

    `share` is the part of the pixels that differs, from 0 to 1, and `box` where these are: left,
    upper, right and lower edge. None where that is not known: they have not the same size, or
    are too large, or of a kind that cannot be compared.
    """

    old: tuple[int, int]
    new: tuple[int, int]
    share: float | None = None
    box: tuple[int, int, int, int] | None = None


def compared(old: Path, new: Path) -> Pictures:
    """Compare two pictures.

    Raises:
        Exception: one is none; whatever Pillow makes of that.
    """
    from PIL import Image  # noqa: PLC0415 - slow to import, and only with pictures

    # What is too large is not decoded.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(old) as one, Image.open(new) as other:
        sizes = Pictures(one.size, other.size)
        frames = {getattr(one, "n_frames", 1), getattr(other, "n_frames", 1)}
        if one.size != other.size or one.width * one.height > _MOST or frames != {1}:
            return sizes
        return _pixels(sizes, one, other)


def _pixels(sizes: Pictures, one: "Image", other: "Image") -> Pictures:
    from PIL import ImageChops  # noqa: PLC0415 - as above

    deep = {"I", "F"} & {one.mode[:1], other.mode[:1]}
    if deep:
        # More than Pillow compares: these are the same, or not.
        same = one.mode == other.mode and one.tobytes() == other.tobytes()
        return Pictures(sizes.old, sizes.new, 0.0 if same else None)
    bands = ImageChops.difference(one.convert("RGBA"), other.convert("RGBA")).split()
    most = bands[0]
    for band in bands[1:]:
        most = ImageChops.lighter(most, band)
    share = 1 - most.histogram()[0] / (one.width * one.height)
    return Pictures(sizes.old, sizes.new, share, most.getbbox())

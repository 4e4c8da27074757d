"""What a page may hold of foreign HTML; formulas as MathML."""

import base64
import re
from functools import cache
from html import escape

import nh3
from latex2mathml.converter import convert
from pygments.token import STANDARD_TYPES

# Names and anchors of a notebook's own begin so: none is that of the page.
PREFIX = "n-"
_TEXT = {
    "abbr", "b", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd",
    "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3",
    "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s",
    "samp", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot",
    "th", "thead", "tr", "tt", "u", "ul", "var", "a",
}  # fmt: skip
_MATHML = {
    "math", "menclose", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded", "mphantom",
    "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup",
    "mtable", "mtd", "mtext", "mtr", "munder", "munderover", "none",
}  # fmt: skip
_OF_MATHML = {
    "accent", "accentunder", "columnalign", "columnlines", "columnspacing", "depth", "display",
    "displaystyle", "fence", "form", "height", "largeop", "linethickness", "lspace", "mathvariant",
    "maxsize", "minsize", "movablelimits", "notation", "rowlines", "rowspacing", "rspace",
    "scriptlevel", "separator", "stretchy", "symmetric", "width", "xmlns",
}  # fmt: skip
_ATTRIBUTES = {
    **{tag: {*_OF_MATHML} for tag in _MATHML},
    **{f"h{level}": {"id"} for level in range(1, 7)},
    "a": {"href", "title", "id"},
    "code": {"class"},
    "col": {"span"},
    "colgroup": {"span"},
    "div": {"class", "id"},
    "figure": {"class"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "pre": {"class"},
    "span": {"class", "title", "id"},
    "table": {"class"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
}
# The colours of code, and what the style sheet knows of tables.
_HEADING = re.compile(r"(</?h)([1-6])\b")
_CLASSES = re.compile(r"highlight|hl-\w+|dataframe|tex|ansi-[\w-]+")
_SVG = re.compile(r"<svg\b.*?</svg\s*>", re.DOTALL | re.IGNORECASE)
_XMLNS = 'xmlns="http://www.w3.org/2000/svg"'
_NO_PICTURE = re.compile(r"<img(?![^>]*\ssrc=)[^>]*>")
# What numbers a line of a formula, and environments that are set as this one is.
_NUMBERED = re.compile(r"\\(?:label|tag)\{[^}]*\}|\\(?:nonumber|notag)\b")
_ALIGNED = ("aligned", "gather", "gather*", "gathered", "eqnarray", "eqnarray*", "split", "align")
_OF_CODE = {*STANDARD_TYPES.values()}


def clean(html: str, prefix: str = PREFIX) -> str:
    """Give what a page may hold of foreign HTML: no script, no style, nothing from elsewhere.

    Args:
        html: whatever it is.
        prefix: begins its names and anchors.
    """
    html = _SVG.sub(_as_picture, html)
    found = _cleaner(prefix).clean(html).replace("<th></th>", "<td></td>")
    found = _NO_PICTURE.sub(r'<span class="note">[a picture that is not here]</span>', found)
    # The page's own heading stands above all others.
    return _HEADING.sub(lambda tag: f"{tag[1]}{min(int(tag[2]) + 1, 6)}", found)


def _as_picture(svg: re.Match[str]) -> str:
    """Turn a drawing into a picture, in which no script runs."""
    text = svg[0] if "xmlns" in svg[0] else svg[0].replace("<svg", f"<svg {_XMLNS}", 1)
    data = base64.b64encode(text.encode("utf-8", "backslashreplace")).decode("ascii")
    return f'<img alt="a drawing" src="data:image/svg+xml;base64,{data}">'


def formula(source: str, *, block: bool) -> str:
    """Write a formula of LaTeX as MathML, or as its source where that cannot be read.

    What comes out may hold HTML of the formula's author: see `clean`.
    """
    source = _NUMBERED.sub("", source)
    for one in _ALIGNED:
        source = source.replace(f"{{{one}}}", "{align*}")
    try:
        found = convert(source, display="block" if block else "inline")
    except Exception:  # noqa: BLE001 - it raises whatever it comes to
        found = ""
    # A command that it does not know stays as it is.
    if not found or re.search(r"<m[iot][^>]*>(\\|&#x00026;|&amp;)", found):
        tag = "pre" if block else "code"
        return f'<{tag} class="tex">{escape(source)}</{tag}>'
    return f'<figure class="tex">{found}</figure>' if block else found


def _attribute(_: str, name: str, value: str) -> str | None:
    if name == "class":
        known = (one for one in value.split() if one in _OF_CODE or _CLASSES.fullmatch(one))
        return " ".join(known) or None
    if name == "src":
        return value if value.startswith("data:image/") else None
    if name == "href":
        return None if re.sub(r"[\x00-\x20]", "", value).lower().startswith("data:") else value
    return value


@cache
def _cleaner(prefix: str) -> nh3.Cleaner:
    def relative(url: str) -> str | None:
        """Keep what leads to a place on the page; a file beside the notebook is none beside it."""
        return f"#{prefix}{url[1:]}" if url.startswith("#") else None

    return nh3.Cleaner(
        tags=_TEXT | _MATHML,
        clean_content_tags={"script", "style", "template", "noscript", "iframe", "object", "svg"},
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        # What may be wider than the window is scrolled, by the keyboard, too.
        set_tag_attribute_values={tag: {"tabindex": "0"} for tag in ("figure", "pre", "table")},
        url_schemes={"http", "https", "mailto", "data"},
        url_relative=relative,
        id_prefix=prefix,
    )

"""What of an output is shown in which way: a picture, text, or foreign scripts in a frame.

A frame is a document of its own, without any right to the page around it. It asks nothing of the
network, so the libraries that an earlier output of the notebook brought are put into it.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..words import size_in_words
from .files import Files
from .large import Large

_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_SCRIPTED = re.compile(r"<script\b|<iframe\b", re.IGNORECASE)
_STYLED = re.compile(r"<style\b(?! scoped>\s*\.dataframe)", re.IGNORECASE)
_HEIGHT = re.compile(r"height[\"']?\s*[:=]\s*[\"']?(\d{2,4})(?!\d)")
_REMOTE = re.compile(r"https?://[\w.-]*(?:cdn|unpkg|googleapis|cdnjs)[\w.-]*/")
_PLOTLY = "application/vnd.plotly.v1+json"
# Names by which a figure and the library that it needs know each other.
_LIBRARIES = ("plotly", "bokeh", "vega", "echarts", "highcharts", "leaflet", "jquery")
# A longer document is a file beside the page; so much all those of a notebook may take.
_SMALL, _MOST = 64 << 10, 256 << 20
# One that is longer than this is no figure: it is shown as text, without being read as a whole.
_LARGEST = 64 << 20
_DEFAULT, _LOWEST, _HIGHEST, _EDGE, _ROW = 420, 72, 1200, 24, 32
_TINY = 1000
_POLICY = (
    "default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)
_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="color-scheme" content="light">'
    '<meta http-equiv="Content-Security-Policy" content="{policy}">'
    "<style>body{{font:14px/1.5 system-ui,sans-serif;margin:8px}}table{{border-collapse:collapse}}"
    "td,th{{padding:.2em .6em}}</style></head><body>"
)


@dataclass
class Frames:
    """The frames of one notebook, in the order of its outputs.

    `hashes` are those of the scripts in documents that stand in the page itself.
    """

    files: Files
    hashes: set[str] = field(default_factory=set)
    _libraries: list[tuple[str, str | None]] = field(default_factory=list)
    _size: int = 0

    def of_cell(self, outputs: list[dict[str, Any]], title: str) -> Iterator[dict[str, Any]]:
        """Give the outputs of a cell; those that need a frame stand together in one.

        A frame's output has the kind `frame`, and its HTML as data.
        """
        parts: list[str] = []
        before = len(self._libraries)
        for output in outputs:
            data = output.get("data", {})
            found = None if _picture(data) else self._document(data)
            if found is None:
                yield output
            elif _is_library(found):
                self._libraries.append((found, _named(found)))
            else:
                parts.append(found)
        # What says that a library is there now, says nothing here.
        said = len(self._libraries) > before and not _SCRIPT.search("".join(parts))
        if parts and not said:
            yield {"output_type": "frame", "html": self._frame("\n".join(parts), title)}

    def _document(self, data: Mapping[str, Any]) -> str | None:
        """Give the HTML of an output that must be in a frame, or None."""
        large = Large.of(data.get("text/html"))
        if large and large.size > _LARGEST:
            return None
        if "text/html" in data:
            html = self._text(data["text/html"])
            if Large.of(data["text/html"]) or _SCRIPTED.search(html) or _STYLED.search(html):
                return html
            return None
        if _PLOTLY in data:
            return _plotly(self._text(data[_PLOTLY]))
        if "application/javascript" in data:
            code = self._text(data["application/javascript"]).replace("</script", r"<\/script")
            return f"<script>var element = document.body;\n{code}</script>"
        return None

    def _text(self, value: object) -> str:
        if isinstance(value, dict) and Large.of(value) is None:
            return json.dumps(value)
        if large := Large.of(value):
            return self.files.read(large.name).decode("utf-8", "replace")
        return "".join(value) if isinstance(value, list) else str(value)

    def _frame(self, html: str, title: str) -> str:
        lower = html.lower()
        needed = [text for text, name in self._libraries if name is None or name in lower]
        whole = "\n".join([*needed, html]).replace("\r\n", "\n").replace("\r", "\n")
        hashes = sorted({_hash(script) for script in _SCRIPT.findall(whole)})
        if self._size + len(whole) > _MOST:
            return _note("The interactive figures before it take all the room; see the notebook.")
        if "vega" in lower and not needed:
            return _note(
                "A chart of Vega, which loads scripts from the network; a page does not."
                ' With alt.renderers.enable("png") Altair gives a picture.'
            )
        height = _height(html)
        sandbox = "allow-scripts" if hashes else ""
        about = f'sandbox="{sandbox}" title="{escape(title)}" height="{height}" loading="lazy"'
        policy = _POLICY.format(hashes=" ".join(f"'{one}'" for one in hashes) or "'none'")
        document = f"{_HEAD.format(title=escape(title), policy=policy)}{whole}</body></html>"
        note = ""
        if _REMOTE.search(html) and not needed:
            note = _note(
                "If it stays empty: it loads scripts from the network, which a page does not do."
                " Open the executed notebook in Jupyter."
            )
        if len(document) <= _SMALL or self.files.single:
            if self.files.single and not self.files.fits(len(document)):
                return _note(f"An interactive figure of {size_in_words(len(document))}.")
            self.hashes |= {*hashes}
            return f'<iframe {about} srcdoc="{escape(document)}"></iframe>{note}'
        self._size += len(document)
        name = self.files.put(
            ".html", lambda file: file.write(document.encode("utf-8", "backslashreplace"))
        )
        return f'<iframe {about} src="{self.files.url(name)}"></iframe>{note}'


def _is_library(html: str) -> bool:
    """Tell an output that shows nothing, and is there for those that follow."""
    return len(html) > _SMALL and not re.search(r"<\w", _SCRIPT.sub("", html))


def _named(library: str) -> str | None:
    """Give the name that a library says most often."""
    lower = library.lower()
    count, name = max((lower.count(name), name) for name in _LIBRARIES)
    return name if count else None


def _plotly(spec: str) -> str | None:
    """Draw a figure that came as data alone, with the library that is installed here."""
    found = find_spec("plotly")
    if found is None or found.origin is None:
        return None
    script = Path(found.origin).parent / "package_data" / "plotly.min.js"
    try:
        library = script.read_text("utf-8")
    except OSError:
        return None
    data = spec.replace("</", r"<\/")
    return (
        f'<div id="figure" style="height:450px"></div><script>{library}</script>'
        f"<script>const f = {data}; Plotly.newPlot('figure', f.data, f.layout, f.config);</script>"
    )


def _height(html: str) -> int:
    """Guess the height of a document, in pixels; a person can change it."""
    head = html[: 4 * _SMALL]
    rows = len(re.findall(r"<tr\b", head)) * _ROW
    usual = rows or (_LOWEST if len(html) < _TINY else _DEFAULT)
    found = max(map(int, _HEIGHT.findall(head)), default=usual)
    return min(_HIGHEST, max(_LOWEST, found + _EDGE))


def _picture(data: Mapping[str, Any]) -> bool:
    return any(kind.startswith("image/") for kind in data)


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _hash(script: str) -> str:
    """Name a script in a policy: https://www.w3.org/TR/CSP3/#match-element-to-source-list."""
    found = hashlib.sha256(script.encode("utf-8", "backslashreplace")).digest()
    return f"sha256-{base64.b64encode(found).decode()}"


def widget(model: str, state: Mapping[str, Any], depth: int = 0) -> str | None:
    """Write a widget as it stood at the end, as HTML that is still to be cleaned.

    None if it is of no kind that can be shown without a kernel.
    """
    found = state.get(model, {}) if depth < 10 else {}  # noqa: PLR2004 - boxes in boxes
    about, kind = found.get("state", {}), found.get("model_name", "")
    label = escape(str(about.get("description") or ""))
    value = about.get("value")
    if "children" in about:
        names = [str(one).removeprefix("IPY_MODEL_") for one in about["children"]]
        inner = [text for name in names if (text := widget(name, state, depth + 1))]
        across = kind == "HBoxModel"
        return (" " if across else "").join(inner) if across else _blocks(inner)
    if kind in {"HTMLModel", "HTMLMathModel"}:
        return f"<span>{label} {value}</span>"
    if "Progress" in kind:
        return f"<span>{label} {_share(about)}</span>"
    if value is not None and not isinstance(value, list | dict):
        return f"<span>{label} <b>{escape(str(value))}</b></span>"
    if label:
        return f"<span>[{label}]</span>"
    return None


def _blocks(inner: list[str]) -> str:
    return "".join(f"<div>{one}</div>" for one in inner)


def _share(about: Mapping[str, Any]) -> str:
    least, most, value = (about.get(name) for name in ("min", "max", "value"))
    numbers = [float(one) for one in (least or 0, most or 0, value or 0)]
    span = numbers[1] - numbers[0]
    return f"{100 * (numbers[2] - numbers[0]) / span:.0f} %" if span > 0 else ""

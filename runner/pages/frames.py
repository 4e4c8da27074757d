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
_HEIGHT = re.compile(r"height[\"']?\s*[:=]\s*[\"']?(\d{2,4})(?!\d|\s*%)")
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


# The frame in a file fills the window.
_FULL = "<style>body{margin:0}iframe{border:0;width:100%;height:100vh;display:block}</style>"


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
        shown: list[dict[str, Any]] = []
        parts: list[str] = []
        before, place = len(self._libraries), 0
        # A script fills what HTML of the same cell has prepared.
        scripted = any("application/javascript" in one.get("data", {}) for one in outputs)
        for output in outputs:
            data = output.get("data", {})
            if (drawn := _drawn(data)) is not None:
                shown.append({**output, "data": {"image/svg+xml": drawn}})
                continue
            found = None if _picture(data) else self._document(data, whole=scripted)
            if found is None:
                shown.append(output)
                continue
            if library := _library(found):
                self._libraries.append((library, _named(library)))
            if not library or _does(found):
                place = place if parts else len(shown)
                parts.append(found)
        # What says that a library is there now, says nothing here.
        said = len(self._libraries) > before and not _SCRIPT.search("".join(parts))
        if parts and not said:
            html = self._frame("\n".join(parts), title)
            shown.insert(place, {"output_type": "frame", "html": html})
        yield from shown

    def _document(self, data: Mapping[str, Any], *, whole: bool) -> str | None:
        """Give the HTML of an output that must be in a frame, or None; `whole` is any HTML."""
        large = Large.of(data.get("text/html"))
        if large and large.size > _LARGEST:
            return None
        known = {name for _, name in self._libraries}
        if _PLOTLY in data and ("plotly" not in known or "text/html" not in data):
            return _plotly(self._text(data[_PLOTLY]))
        if "text/html" in data:
            html = self._text(data["text/html"])
            if (
                whole
                or Large.of(data["text/html"])
                or _SCRIPTED.search(html)
                or _STYLED.search(html)
            ):
                return html
            return None
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
        needed = [
            text
            for text, name in self._libraries
            if (name is None or name in lower) and text not in html
        ]
        whole = "\n".join([*needed, html]).replace("\r\n", "\n").replace("\r", "\n")
        hashes = sorted({_hash(script) for script in _SCRIPT.findall(whole)})
        if self._size + len(whole) > _MOST:
            return _note("The interactive figures before it take all the room; see the notebook.")
        if "vega" in lower and not needed:
            return _note(
                "A chart of Vega, which loads scripts from the network; a page does not."
                " With the package vl-convert-python installed, it is drawn here."
            )
        height = _height(html)
        sandbox = "allow-scripts" if hashes else ""
        about = f'sandbox="{sandbox}" title="{escape(title)}" height="{height}" loading="lazy"'
        policy = _POLICY.format(hashes=" ".join(f"'{one}'" for one in hashes) or "'none'")
        document = f"{_HEAD.format(title=escape(title), policy=policy)}{whole}</body></html>"
        note = ""
        if _REMOTE.search(html) and not needed and not _library(html):
            note = _note(
                "If it stays empty: it loads scripts from the network, which a page does not do."
                " Open the executed notebook in Jupyter."
            )
        if len(document) <= _SMALL or self.files.single:
            if self.files.single and not self.files.fits(len(document)):
                return _note(f"An interactive figure of {size_in_words(len(document))}.")
            # Its styles need a word in the page's policy, though it has no script.
            self.hashes |= {*hashes} or {_hash("")}
            return f'<iframe {about} srcdoc="{escape(document)}"></iframe>{note}'
        self._size += len(document)
        # Who opens the file itself is to be as safe as who opens the page.
        whole = (
            f"{_HEAD.format(title=escape(title), policy=policy)}{_FULL}"
            f'<iframe sandbox="{sandbox}" title="{escape(title)}" srcdoc="{escape(document)}">'
            "</iframe></body></html>"
        )
        name = self.files.put(
            ".html", lambda file: file.write(whole.encode("utf-8", "backslashreplace"))
        )
        return f'<iframe {about} src="{self.files.url(name)}"></iframe>{note}'


def _library(html: str) -> str:
    """Give the scripts of an output that are so long that others will use them."""
    if len(html) < _SMALL:
        return ""
    return "\n".join(one[0] for one in _SCRIPT.finditer(html) if len(one[1]) > _SMALL)


def _does(html: str) -> bool:
    """Tell whether an output with a library does something itself, with it."""
    return any(one[1].strip() and len(one[1]) <= _SMALL for one in _SCRIPT.finditer(html)) and (
        re.search(r"<\w", _SCRIPT.sub("", html)) is not None
    )


def _drawn(data: Mapping[str, Any]) -> str | None:
    """Draw a chart of Vega, if the library for that is installed here."""
    if _picture(data) or find_spec("vl_convert") is None:
        return None
    spec = next(
        (one for kind, one in data.items() if kind.startswith("application/vnd.vegalite")), None
    )
    html = data.get("text/html")
    try:
        if spec is None and html is not None and Large.of(html) is None:
            text = "".join(html)
            if "vega" in text and "})({" in text:
                spec, _ = json.JSONDecoder().raw_decode(text, text.rindex("})({") + 3)
        if not isinstance(spec, dict) or Large.of(spec):
            return None
        import vl_convert  # type: ignore[import-not-found]  # noqa: PLC0415 - few projects have it

        return str(vl_convert.vegalite_to_svg(spec))
    except Exception:  # noqa: BLE001 - whatever the library makes of a chart
        return None


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
    if "children" in about:
        names = [str(one).removeprefix("IPY_MODEL_") for one in about["children"]]
        inner = [text for name in names if (text := widget(name, state, depth + 1))]
        across = kind == "HBoxModel"
        return (" " if across else "").join(inner) if across else _blocks(inner)
    shown = _value(kind, about)
    if shown is None:
        return f"<span>[{label}]</span>" if label else None
    return f"<span>{label} {shown}</span>"


def _value(kind: str, about: Mapping[str, Any]) -> str | None:
    """Write what a widget holds, as HTML; None if that cannot be shown."""
    value, labels, index = (about.get(name) for name in ("value", "_options_labels", "index"))
    if kind == "OutputModel":
        text = "".join("".join(one.get("text", "")) for one in about.get("outputs", []))
        return f"<pre>{escape(text)}</pre>" if text else None
    if kind in {"HTMLModel", "HTMLMathModel"}:
        return str(value)
    if "Progress" in kind:
        return _share(about)
    if isinstance(labels, list) and isinstance(index, int) and 0 <= index < len(labels):
        value = labels[index]
    if value is None or isinstance(value, list | dict):
        return None
    return f"<b>{'***' if kind == 'PasswordModel' else escape(str(value))}</b>"


def _blocks(inner: list[str]) -> str:
    return "".join(f"<div>{one}</div>" for one in inner)


def _share(about: Mapping[str, Any]) -> str:
    least, most, value = (about.get(name) for name in ("min", "max", "value"))
    numbers = [float(one) for one in (least or 0, most or 0, value or 0)]
    span = numbers[1] - numbers[0]
    return f"{100 * (numbers[2] - numbers[0]) / span:.0f} %" if span > 0 else ""

"""An executed notebook as part of a page: nbconvert's exporter with a template of our own."""

import contextlib
import json
import mimetypes
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape, unescape
from pathlib import Path
from typing import Any

from ..system import without

# For formats of text that notebooks do not hold: it compiles a grammar for a second.
with without("rfc3987_syntax", "isoduration"):
    import nbformat
    from markupsafe import Markup
    from nbconvert.exporters import HTMLExporter, TemplateExporter
    from nbconvert.filters.ansi import ansi2html
    from nbconvert.filters.highlight import Highlight2HTML
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

from ..execution import banner
from ..model import INJECTED_CELL, MEMORY
from ..words import seconds_in_words, shown, size_in_words
from .clean import PREFIX, clean, formula
from .files import Files, as_url
from .frames import Frames, widget
from .large import PICTURE, Large, reduced

TEMPLATES = Path(__file__).parent / "templates"
# Of a longer text so many lines stand open.
_LINES, _FOLDED, _END = 20, 40, 8
# The outline shows headings down to this level.
_DEEPEST = 3
_KINDS = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")
# What is shown of an output that has several forms, the best first.
_PRIORITY = [*_KINDS, "text/html", "text/markdown", "text/latex", "application/json", "text/plain"]
# What widgets hold is read up to so many bytes.
_MOST_STATE = 8 << 20
_WIDGET = "application/vnd.jupyter.widget-view+json"
_FORMULA = re.compile(r"\s*(\$\$?)(.*)\1\s*", re.DOTALL)
_HIDDEN = {
    "cell": {"remove-cell", "remove_cell", banner.TAG},
    "input": {"remove-input", "remove_input"},
    "outputs": {"remove-output", "remove_output"},
}
_FOLDED_TAGS = {
    "input": {"hide-input", "hide_input", "hide-cell"},
    "outputs": {"hide-output", "hide_output", "hide-cell"},
}


@dataclass(frozen=True)
class Heading:
    """A heading in a notebook, for the outline; `level` is from 1 to 3."""

    level: int
    id: str
    text: str


@dataclass(frozen=True)
class Shown:
    """An executed notebook as HTML.

    `failed` is the cell at fault alone, `hashes` are those of the scripts that its frames hold.
    """

    html: Markup
    outline: tuple[Heading, ...]
    failed: Markup | None
    hashes: frozenset[str]


def show(path: Path, stage: str, files: Files, at: str | None = None) -> Shown:
    """Write an executed notebook.

    Args:
        path: its file.
        stage: the stage's name.
        files: takes what is large.
        at: the id of the cell at fault.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no notebook.
    """
    found = reduced(path.read_bytes(), files.put)
    frames = Frames(files)
    notebook = nbformat.from_dict(_Prepared(found, stage, frames, at).notebook)
    exporter = _Exporter(files, stage)
    html, _ = exporter.from_notebook_node(notebook)
    outline = tuple(exporter.outline)
    failed = [cell for cell in notebook.cells if cell.view["failed"]]
    alone = None
    if failed:
        failed[0].view["id"] = f"at-fault-{files.name}"
        notebook.cells = failed[:1]
        alone = Markup(exporter.from_notebook_node(notebook)[0])  # noqa: S704 - it is clean
    files.clear()
    return Shown(Markup(html), outline, alone, frozenset(frames.hashes))  # noqa: S704


class _Prepared:
    """A notebook whose cells say how they are to be shown, in `view`."""

    def __init__(self, found: dict[str, Any], stage: str, frames: Frames, at: str | None) -> None:
        self._stage, self._frames, self._at = stage, frames, at
        self._heading = ""
        # A page that stands alone has the cells of all notebooks.
        self._prefix = f"{frames.files.name}-" if frames.files.single else ""
        metadata = found.get("metadata", {})
        widgets = metadata.pop("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
        if large := Large.of(widgets):
            fits = large.size <= _MOST_STATE
            widgets = json.loads(frames.files.read(large.name)) if fits else {}
        self._widgets = widgets.get("state", {})
        cells = found["cells"]
        runs = [one for one in cells if one["cell_type"] == "code" and _source(one).strip()]
        self._count = sum(INJECTED_CELL not in _tags(one) for one in runs)
        self._number = 0
        found["cells"] = [one for cell in cells if (one := self._cell(cell)) is not None]
        # nbconvert warns of ids that are missing, or stand twice.
        found |= {"nbformat": 4, "nbformat_minor": 5}
        for number, cell in enumerate(found["cells"]):
            cell["id"] = f"cell-{number}"
        self.notebook = found

    def _cell(self, cell: dict[str, Any]) -> dict[str, Any] | None:
        tags = _tags(cell)
        cell["source"] = _source(cell)
        if cell["cell_type"] != "code":
            if headings := re.findall(r"^#{1,6}\s+(.+)$", cell["source"], re.MULTILINE):
                self._heading = headings[-1].strip()
            cell["view"] = {"failed": False}
            return None if tags & _HIDDEN["cell"] else cell
        injected = INJECTED_CELL in tags
        if cell["source"].strip():
            self._number += not injected
        number = max(self._number, 1)
        failed = bool(self._at) and cell.get("id") == self._at
        if (tags & _HIDDEN["cell"] and not failed) or not cell["source"].strip():
            return None
        name = "the parameters of this run" if injected else f"cell {number} of {self._count}"
        outputs = [] if tags & _HIDDEN["outputs"] and not failed else cell.get("outputs", [])
        about = self._heading and f", under “{self._heading}”"
        cell["view"] = {
            "failed": failed,
            "name": name,
            "place": f"{self._stage}, {name}{about}",
            "id": f"{self._prefix}{'injected' if injected else 'cell'}-{number}",
            "used": _used(cell),
            "tags": sorted(tags - {INJECTED_CELL}),
            "input": _how(tags, "input", failed=failed),
            "folded": bool(tags & _FOLDED_TAGS["outputs"]) and not failed,
        }
        title = f"Interactive figure: {self._stage}, {name}"
        cell["outputs"] = [
            {"output_type": "display_data", "metadata": {}, "data": {"frame": one["html"]}}
            if one["output_type"] == "frame"
            else self._output(one)
            for one in self._frames.of_cell(outputs, title)
        ]
        return cell

    def _output(self, output: dict[str, Any]) -> dict[str, Any]:
        """Bring an output into a form that the template knows."""
        kind = output["output_type"]
        data = output.get("data", {})
        if kind == "left_out":
            text = f"{output['count']:,} more outputs: see the executed notebook"
            return _display({"text/plain": text})
        if kind == "stream":
            return {**output, "text": _joined(output.get("text", ""))}
        if kind == "error":
            lines = output.get("traceback", [])
            text = "\n".join(map(str, lines)) if not Large.of(lines) else _joined(lines)
            return {**output, "text": text or f"{output.get('ename')}: {output.get('evalue')}"}
        if (found := data.get(_WIDGET)) and isinstance(found, dict):
            html = None
            # Anyone may have written its state.
            with contextlib.suppress(AttributeError, TypeError, ValueError, LookupError):
                html = widget(str(found.get("model_id")), self._widgets)
            if html is not None:
                return _display({"text/html": html})
        best = next((one for one in _PRIORITY if one in data), None)
        if best is None:
            kinds = ", ".join(sorted(map(str, data))) or "nothing"
            return _display({"text/plain": f"an output that only Jupyter shows: {kinds}"})
        value = data[best] if best == "application/json" else _joined(data[best])
        # What is large, or is no text, is shown as text.
        other = best in _KINDS or (best == "application/json" and not Large.of(value))
        return _display({best if other or isinstance(value, str) else "text/plain": value})


def _display(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _tags(cell: Mapping[str, Any]) -> set[str]:
    found = cell.get("metadata", {}).get("tags")
    return {str(one) for one in found} if isinstance(found, list) else set()


def _how(tags: set[str], what: str, *, failed: bool) -> str:
    if failed:
        return "open"
    return "none" if tags & _HIDDEN[what] else "folded" if tags & _FOLDED_TAGS[what] else "open"


def _source(cell: Mapping[str, Any]) -> str:
    value = cell.get("source", "")
    large = Large.of(value)
    return large.head if large else str(_joined(value))


def _joined(value: Any) -> Any:  # noqa: ANN401 - a text, or what stands for a large one
    return "".join(map(str, value)) if isinstance(value, list) else value


def _used(cell: Mapping[str, Any]) -> str:
    """Say how long a cell took, and how much memory its kernel had then."""
    memory = cell.get("metadata", {}).get(MEMORY)
    size = size_in_words(memory) if isinstance(memory, int) and memory > 0 else ""
    return " · ".join(filter(None, [size, _seconds(cell)]))


def _seconds(cell: Mapping[str, Any]) -> str:
    """Say how long a cell took, by the times of its messages."""
    times = cell.get("metadata", {}).get("execution", {})
    ends = [times.get("iopub.status.busy"), times.get("shell.execute_reply")]
    try:
        began, ended = (datetime.fromisoformat(str(one)).timestamp() for one in ends)
    except ValueError:
        return ""
    seconds = max(0.0, ended - began)
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else seconds_in_words(seconds)


class _Exporter(HTMLExporter):
    """nbconvert's, with a template and with filters that let nothing foreign through."""

    def __init__(self, files: Files, stage: str) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            template_name="base",
            extra_template_paths=[str(TEMPLATES)],
            template_file="cells.html.j2",
            default_preprocessors=[],
        )
        self.outline: list[Heading] = []
        self._files, self._stage = files, stage
        self._ids: set[str] = set()
        self._prefix = f"{files.name}-{PREFIX}" if files.single else PREFIX

    def default_filters(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Give the filters of the template."""
        yield from super().default_filters()  # type: ignore[no-untyped-call]
        yield "clean_html", self._clean
        yield "plain", shown
        yield "markdown", self._markdown
        yield "formula", self._formula
        yield "picture", self._picture
        yield "lines", self._lines
        yield "in_json", _in_json

    def from_notebook_node(  # type: ignore[override]
        self, nb: nbformat.NotebookNode, resources: dict[str, Any] | None = None, **kw: object
    ) -> tuple[str, dict[str, Any]]:
        """Convert a notebook; what the base class does with the result, the template has done."""
        language = nb.metadata.get("language_info", {}).get("pygments_lexer", "ipython3")
        highlight = Highlight2HTML(pygments_lexer=_lexer(str(language)), parent=self)
        self.register_filter("highlight_code", highlight)  # type: ignore[no-untyped-call]
        found: tuple[str, dict[str, Any]] = TemplateExporter.from_notebook_node(
            self, nb, resources, **kw
        )
        return found

    def _markdown(self, source: str, cell: Mapping[str, Any] | None = None) -> str:
        attachments = cell.get("attachments", {}) if cell else {}
        renderer = _Renderer(attachments, self._files, self._headed if cell else None)
        return self._clean(MarkdownWithMath(renderer=renderer).render(source))

    def _formula(self, source: str) -> str:
        """Write LaTeX that an output has: a formula, or text with some in it."""
        found = _FORMULA.fullmatch(source)
        if found is None and "$" in source:
            return self._markdown(source)
        body = found[2] if found else source
        return clean(formula(body.replace(r"\displaystyle", ""), block=True))

    def _clean(self, html: str) -> str:
        return clean(html, self._prefix)

    def _headed(self, html: str, level: int) -> str:
        """Give a heading its place in the outline."""
        text = unescape(re.sub(r"<[^>]*>", "", re.sub(r"<math.*?</math>", "…", html)))
        name = base = text.replace(" ", "-")
        number = 1
        while name in self._ids:
            number += 1
            name = f"{base}-{number}"
        self._ids.add(name)
        if level <= _DEEPEST:
            self.outline.append(Heading(level, self._prefix + name, text))
        return f'<h{level} id="{escape(name)}">{html}</h{level}>\n'

    def _picture(self, value: Any, kind: str, alt: str) -> str:  # noqa: ANN401
        """Write a picture, which stands in a file if it is large."""
        suffix = mimetypes.guess_extension(kind) or ""
        if large := Large.of(value):
            url = self._files.url(large.name)
        elif kind == "image/svg+xml":
            url = as_url(str(value).encode("utf-8", "backslashreplace"), suffix)
        else:
            url = f"data:{kind};base64,{re.sub(r'[^A-Za-z0-9+/=]', '', str(value))}"
        if not url:
            return f'<p class="note">A picture is left out here: {escape(alt)}</p>'
        lazy = "" if url.startswith("data:") else ' loading="lazy"'
        return f'<img src="{url}" alt="{escape(alt)}"{lazy}>'

    def _lines(self, value: Any, after: int = _END) -> str:  # noqa: ANN401 - or what stands for it
        """Write text as a terminal shows it; a long one is folded, but for its beginning and end.

        Args:
            value: a text, or what stands for a large one.
            after: so many lines of its end stand open.
        """
        large = Large.of(value)
        text = large.head if large else str(value)
        # As on a terminal: a carriage return begins the line anew.
        lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.rstrip("\n").split("\n")]
        if large:
            size = size_in_words(large.size)
            url = "" if self._files.single else self._files.url(large.name)
            link = f'<a href="{url}">the whole text ({size})</a>' if url else f"{size} in all"
            return f'{_pre(lines[:_LINES])}<p class="note">… {link}</p>'
        middle = lines[_LINES : max(_LINES, len(lines) - after)]
        if len(lines) <= _FOLDED or len(middle) < _END:
            return _pre(lines)
        more = f"{len(middle):,} more lines"
        folded = f"<details><summary>{more}</summary>{_pre(middle)}</details>"
        return f"{_pre(lines[:_LINES])}{folded}{_pre(lines[len(lines) - after :])}"


class _Renderer(IPythonRenderer):
    """nbconvert's, with formulas as MathML and headings that have a place."""

    def __init__(
        self,
        attachments: dict[str, Any],
        files: Files,
        headed: Callable[[str, int], str] | None,
    ) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        self._attached, self._files, self._headed = attachments, files, headed

    def heading(self, text: str, level: int, **attrs: Any) -> str:  # noqa: ANN401, ARG002
        """Write a heading."""
        return self._headed(text, level) if self._headed else f"<p><b>{text}</b></p>\n"

    def block_math(self, body: str) -> str:
        """Write a formula that stands alone."""
        return formula(body, block=True)

    def inline_math(self, body: str) -> str:
        """Write a formula in a line."""
        return formula(body, block=False)

    def latex_environment(self, name: str, body: str) -> str:
        """Write an environment, such as `align`."""
        return formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    def _embed_image_or_attachment(self, src: str) -> str:
        """Give the place of a picture; one that is not attached is not beside the page."""
        if not src.startswith("attachment:"):
            return src if src.startswith("data:") else ""
        bundle = self._attached.get(src.removeprefix("attachment:"), {})
        for kind in _KINDS:
            if large := Large.of(bundle.get(kind)):
                fits = large.size <= PICTURE
                return as_url(self._files.read(large.name), Path(large.name).suffix) if fits else ""
            if kind in bundle:
                return f"data:{kind};base64,{_joined(bundle[kind])}"
        return ""


def _lexer(language: str) -> str:
    """Give a language by a name that Pygments knows: nbconvert warns of others."""
    if language.startswith("ipython"):
        return language
    try:
        get_lexer_by_name(language)
    except ClassNotFound:
        return "text"
    return language


def _in_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _pre(lines: list[str]) -> str:
    # Of colours only the sixteen of a terminal: the page's policy allows no style in a tag.
    html = shown(re.sub(r' style="[^"]*"', "", ansi2html("\n".join(lines))))
    return f'<pre tabindex="0">{html}</pre>'

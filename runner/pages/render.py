"""The templates of the pages, and the policy that each page has."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from .. import __version__
from ..words import (
    counted,
    numbers_in_words,
    one_line,
    percent_in_words,
    seconds_in_words,
    share_in_words,
    shortened,
    shown,
    size_in_words,
)
from . import views
from .notebook import TEMPLATES

_VALUE = 200
_DATA = re.compile(r"data:image/[\w+.-]+;base64,[A-Za-z0-9+/=]+")


class Renderer:
    """Fills the templates of a project's pages."""

    def __init__(self, project: str, mask: Callable[[str], str]) -> None:
        """Have the project's name, and what hides its secrets."""
        self._project = project
        self._mask = mask

    def page(
        self,
        template: str,
        hashes: Iterable[str] = (),
        *,
        inline: bool = False,
        **about: Any,  # noqa: ANN401 - what the template takes
    ) -> str:
        """Make a page.

        Args:
            template: the template's name.
            hashes: those of the foreign scripts that its frames hold.
            inline: the style sheet stands in the page.
            **about: what the template takes.
        """
        framed = {*hashes}
        scripts = " ".join(f"'{one}'" for one in sorted({*framed, self._script_hash}))
        # Frames that stand in the page have its policy, and styles of their own.
        styles = "'self' file: 'unsafe-inline'" if framed else "'self' file:"
        if inline and not framed:
            styles = f"'{_hash(self.style)}'"
        policy = (
            f"default-src 'none'; script-src {scripts}; style-src {styles}; "
            "img-src 'self' file: data:; font-src data:; frame-src 'self' file:; "
            "base-uri 'none'; form-action 'none'"
        )
        text = self._templates.get_template(template).render(
            project=self._project,
            policy=policy,
            style=self.style if inline else "",
            script=self._script,
            version=__version__,
            **about,
        )
        # Secrets that became known after the run; pictures are none.
        parts = _DATA.split(text)
        data = [*_DATA.findall(text), ""]
        return "".join(self._mask(one) + other for one, other in zip(parts, data, strict=True))

    @cached_property
    def style(self) -> str:
        """The style sheet."""
        return (TEMPLATES / "style.css").read_text("utf-8")

    @cached_property
    def made_from(self) -> str:
        """Name the code that makes the pages: they are made anew when it is another."""
        found = hashlib.sha256(__version__.encode())
        for path in sorted([*Path(__file__).parent.glob("*.py"), *TEMPLATES.iterdir()]):
            found.update(path.read_bytes())
        return found.hexdigest()

    @cached_property
    def _script(self) -> str:
        return (TEMPLATES / "log.js").read_text("utf-8")

    @cached_property
    def _script_hash(self) -> str:
        return _hash(self._script)

    @cached_property
    def _templates(self) -> jinja2.Environment:
        found = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            finalize=_plain,
        )
        found.filters |= {
            "seconds": seconds_in_words,
            "size": size_in_words,
            "memory": views.memory,
            "when": views.when,
            "number": views.number,
            "percent": percent_in_words,
            "share": share_in_words,
            "link": quote,
            "mark": views.Mark.of_stage,
            "short": self._short,
            "counted": counted,
        }
        found.globals |= {
            "pair": numbers_in_words,
            "has_run": views.has_run,
            "counts": views.counts,
        }
        return found

    def _short(self, value: object) -> str:
        text = value if isinstance(value, str) else repr(value)
        return shortened(one_line(self._mask(text)), _VALUE)


def _plain(value: object) -> object:
    """Let no control character and nothing misleading into a page, whoever wrote it."""
    return shown(value) if type(value) is str else value


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"

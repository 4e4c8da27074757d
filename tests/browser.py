"""A headless Chromium that opens pages and tells what they did; a web server for them."""

import functools
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

_CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(
    _CHROMIUM is None and "CI" not in os.environ,
    reason="there is no Chromium here: apt-get install chromium",
)

# The pages are read on telephones, on laptops and on large screens.
WIDTHS = (390, 1280, 1920)

# What a page shows only when it is scrolled to, at once; and whether all of it came.
_PICTURES = """async () => {
  const found = [];
  for (const one of document.querySelectorAll('img[src]')) {
    one.loading = 'eager';
    for (let box = one.closest('details'); box; box = box.parentElement.closest('details'))
      box.open = true;
    try { await one.decode(); } catch { found.push(one.src.slice(0, 200)); continue; }
    if (!one.naturalWidth) found.push(one.src.slice(0, 200));
  }
  return found;
}"""
# Anchors as they stand in the page, and what else it asks for.
_LINKS = """() => [...document.querySelectorAll('[href], [src], [data], [poster], [action]')]
  .flatMap(one => ['href', 'src', 'data', 'poster', 'action'].map(name => one.getAttribute(name)))
  .filter(value => value !== null)"""


@dataclass
class Tab:
    """A page that is open, and what it did that none may do.

    `left` are the addresses that it asked for beyond files and the web server; what its policy
    stops is none of them. `said` is what its scripts said or asked, and what they failed at.
    """

    page: "Page"
    left: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Give the text that can be seen, and that in what is folded."""
        return str(self.page.evaluate("document.body.textContent"))

    def broken_pictures(self) -> list[str]:
        """Load all pictures; give those that are none."""
        return [*self.page.evaluate(_PICTURES)]

    def links(self) -> set[str]:
        """Give what the page leads to or asks for, as it is written there."""
        return {*self.page.evaluate(_LINKS)}

    def ids(self) -> list[str]:
        """Give the names of places in the page."""
        return [*self.page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")]

    def overflow(self) -> list[str]:
        """Give what is wider than the window, if the page scrolls sideways."""
        return [
            *self.page.evaluate(
                """() => document.documentElement.scrollWidth <= innerWidth ? [] :
                [...document.querySelectorAll('body *')]
                  .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
                  .slice(0, 5).map(one => one.outerHTML.slice(0, 200))"""
            )
        ]


class Looker:
    """Opens pages in a Chromium."""

    def __init__(self, browser: "Browser") -> None:
        """Use a browser that runs."""
        self._browser = browser

    @contextmanager
    def opened(
        self,
        page: Path | str,
        *,
        width: int = 1280,
        dark: bool = False,
        javascript: bool = True,
        wait: str = "load",
    ) -> Iterator[Tab]:
        """Open a file, or an address of a web server here, as a person would."""
        address = page.absolute().as_uri() if isinstance(page, Path) else page
        context = self._browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
        )
        # Without JavaScript the pages are looked into by the browser's own tools all the same.
        try:
            # A busy machine is no fault of a page.
            context.set_default_timeout(120_000)
            tab = Tab(context.new_page())

            def stop(route: "Route") -> None:
                tab.left.append(route.request.url)
                route.abort()

            context.route(re.compile(r"^(?!file:|data:|blob:|about:|http://127\.0\.0\.1:)"), stop)

            def refuse(dialog: Any) -> None:  # noqa: ANN401 - playwright's
                tab.said.append(f"dialog: {dialog.message}")
                dialog.dismiss()

            context.on("dialog", refuse)
            context.on("console", lambda one: tab.said.append(f"{one.type}: {one.text}"))
            context.on("page", lambda one: tab.said.append(f"another page: {one.url}"))
            tab.page.goto(address, wait_until=wait)  # type: ignore[arg-type]
            yield tab
        finally:
            context.close()


@contextmanager
def chromium() -> Iterator[Looker]:
    """Start a Chromium."""
    # It takes more than a second to import.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    assert _CHROMIUM is not None, "there is no Chromium here, and this is CI"
    # It writes into its home, too, which may be read-only.
    with tempfile.TemporaryDirectory(prefix="c-") as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox"], env={**os.environ, "HOME": home}
        )
        try:
            yield Looker(browser)
        finally:
            browser.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder, and nothing above it; give the address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def mistakes_of_access(tab: Tab, *rules: str) -> list[str]:
    """Ask axe what keeps people from reading the page: all its rules, or some."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - as above

    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = {"type": "rule", "values": [*rules]}
    found = Axe().run(tab.page, options=options).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found
        for node in one["nodes"][:3]
    ]

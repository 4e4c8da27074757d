"""The pages as a whole: what they lead to, who can read them, where, and what they ask for."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit
from urllib.request import urlopen

import pytest

from tests.browser import WIDTHS, Looker, chromium, mistakes_of_access, needs_browser, served
from tests.project import WAIT, TemporaryProject, wait_for
from tests.sites import LONG, places

pytestmark = needs_browser


@pytest.fixture(scope="module")
def looker() -> Iterator[Looker]:
    """Give a browser."""
    with chromium() as found:
        yield found


def walk(looker: Looker, start: str) -> tuple[dict[str, list[str]], set[str]]:
    """Follow all links from a page; give the places in each page, and all that was linked."""
    pages: dict[str, list[str]] = {}
    linked: set[str] = set()
    todo = [start]
    while todo:
        address = todo.pop()
        if address in pages:
            continue
        with looker.opened(address) as tab:
            pages[address] = tab.ids()
            assert len({*pages[address]}) == len(pages[address]), address
            found = {urljoin(address, one) for one in tab.links()}
            assert tab.broken_pictures() == [], address
            assert (tab.left, tab.said) == ([], []), address
            # What the style sheet says, and the browser does not.
            assert tab.page.evaluate("getComputedStyle(document.body).marginTop") == "0px", address
        linked |= found
        todo += [
            page
            for one in found
            if (page := urldefrag(one)[0]).endswith(".html") and not _foreign(page)
        ]
    return pages, linked


def _foreign(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme not in {"file", "http"} or parts.hostname not in {None, "127.0.0.1"}


def test_all_links_and_pictures_load_from_files(site: TemporaryProject, looker: Looker) -> None:
    outputs = site.root / "outputs"
    start = outputs.absolute().as_uri()
    pages, linked = walk(looker, f"{start}/index.html")
    # The documents in frames are among them.
    there = {str(one.relative_to(outputs)) for one in outputs.rglob("*.html")}
    assert {unquote(one.removeprefix(f"{start}/")) for one in pages} == there
    assert {one.split("/")[0] for one in there} == {"index.html", "all", "bad", "late", "never"}
    outside = {one for one in linked if _foreign(one) and not one.startswith("data:")}
    assert outside == {"https://example.org/"}
    for one in linked - outside:
        page, place = urldefrag(one)
        if place:
            assert unquote(place) in pages[page], one
        if not one.startswith("data:"):
            assert Path(unquote(urlsplit(page).path)).is_file(), one
    kinds = {Path(urlsplit(one).path).suffix for one in linked}
    assert kinds >= {".css", ".html", ".ipynb", ".json", ".png", ".txt"}


@pytest.mark.slow
def test_all_links_and_pictures_load_from_a_web_server(
    site: TemporaryProject, looker: Looker
) -> None:
    outputs = site.root / "outputs"
    asked = set()
    with served(outputs) as address:
        for path in places(site).values():
            page = f"{address}/{quote(str(path.relative_to(outputs)))}"
            with looker.opened(page) as tab:
                assert tab.broken_pictures() == [], page
                assert (tab.left, tab.said) == ([], []), page
                margin = tab.page.evaluate("getComputedStyle(document.body).marginTop")
                assert margin == "0px", page
                asked |= {urldefrag(urljoin(page, one))[0] for one in tab.links()}
        asked = {one for one in asked if not _foreign(one)}
        assert len(asked) > 20
        for one in asked:
            with urlopen(one) as answer:  # noqa: S310 - it is the server above
                assert answer.status == 200, one


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*places()])
def test_a_page_is_read_by_all_and_everywhere(
    site: TemporaryProject, looker: Looker, kind: str
) -> None:
    with looker.opened(places(site)[kind], width=WIDTHS[0]) as tab:
        for width in WIDTHS:
            tab.page.set_viewport_size({"width": width, "height": 900})
            assert tab.overflow() == [], width
        assert mistakes_of_access(tab) == []
        tab.page.emulate_media(color_scheme="dark")
        assert mistakes_of_access(tab, "color-contrast") == []
        assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") != (
            "rgb(255, 255, 255)"
        )
        tab.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        for width in WIDTHS:
            tab.page.set_viewport_size({"width": width, "height": 900})
            assert tab.overflow() == [], width
        assert (tab.left, tab.said) == ([], [])


def test_without_scripts_all_content_is_there(site: TemporaryProject, looker: Looker) -> None:
    found = places(site)
    with looker.opened(found["run"], javascript=False) as tab:
        lines = (site.runs("all")[-1] / "log.txt").read_text("utf-8").splitlines()
        assert len(lines) > 5
        shown = tab.page.locator(".log > div")
        assert shown.count() == len(lines)
        assert tab.page.locator(".log > div:visible").count() == len(lines)
        assert all(one.split(": ", 1)[1] in tab.text() for one in lines if ": " in one)
        assert not tab.page.locator("form.filter").is_visible()
        for text in (LONG, "0.25", "car 0", "line 0 of the text", "-p", "data.n=2"):
            assert text in tab.text(), text
    with looker.opened(found["failed run"], javascript=False) as tab:
        fault = tab.page.locator("#wrong ~ .fault")
        for text in ("ZeroDivisionError", "inner(0)", "return 1 / value", "python run.py bad"):
            assert text in fault.inner_text(), text


def test_the_log_is_filtered_by_stage_and_level_with_the_keyboard_too(
    site: TemporaryProject, looker: Looker
) -> None:
    lines = (site.runs("bad")[-1] / "log.txt").read_text("utf-8").splitlines()
    with looker.opened(places(site)["failed run"]) as tab:
        seen = tab.page.locator(".log > div:visible")
        whole = seen.count()
        # Lines for debugging are there only when they are asked for.
        assert 0 < whole <= len(lines)
        stage, level = (tab.page.locator(f"select[name={one}]") for one in ("stage", "level"))
        stage.select_option("data")
        assert {*seen.evaluate_all("all => all.map(one => one.dataset.stage)")} == {"data"}
        assert seen.count() < whole
        stage.select_option("")
        assert seen.count() == whole
        level.focus()
        tab.page.keyboard.press("E")
        assert {*seen.evaluate_all("all => all.map(one => one.className)")} <= {
            *("error", "critical")
        }
        assert 0 < seen.count() < whole
        # From there back with Tab, and by the arrow keys to the last stage.
        tab.page.keyboard.press("Shift+Tab")
        tab.page.keyboard.press("End")
        names = stage.locator("option").all_inner_texts()
        assert stage.input_value() == names[-1]
        tab.page.keyboard.press("Home")
        assert stage.input_value() == ""


@pytest.mark.slow
def test_a_run_that_goes_on_has_a_page_that_renews_itself_and_one_that_is_lost_says_so(
    project: TemporaryProject, looker: Looker, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    project.waiting(go)
    with project.running("all"):
        (log := project.outputs("all")).mkdir(parents=True, exist_ok=True)
        wait_for(log / "log.txt", "here")
        done = project.call("show")
        (run,) = project.runs("all")
        assert "the run is going on" in done.out
        page = log / "pages" / run.name / "index.html"
        assert f"outputs/all/pages/{run.name}/index.html" in done.out
        # As it is now; that it renews itself is what it is for.
        still = page.with_name("still.html")
        text = page.read_text("utf-8")
        renewal = '<meta http-equiv="refresh" content="3">'
        assert renewal in text
        still.write_text(text.replace(renewal, ""), "utf-8")
        with looker.opened(still) as tab:
            assert "all is running" in tab.page.locator("h1").inner_text()
            assert "here" in tab.text()
            assert mistakes_of_access(tab) == []
            tab.page.set_viewport_size({"width": 390, "height": 900})
            assert tab.overflow() == []
        with looker.opened(page) as tab:
            # It comes again by itself, with what there is by then.
            page.write_text(text.replace("all is running", "all is still running"), "utf-8")
            tab.page.get_by_text("all is still running").wait_for()
            assert (tab.left, tab.said) == ([], [])
        with looker.opened(log / "pages/index.html") as tab:
            assert "it is being built" in tab.text()
    project.silence("all")
    project.call("show")
    with looker.opened(page) as tab:
        assert "all was lost" in tab.page.locator("h1").inner_text()
        assert tab.page.locator("meta[http-equiv=refresh]").count() == 0
        assert re.search(r"To go on,? run\s+python run.py all", tab.text())
    project.stage("a", 'print("again")', WAIT.format(marker=go), writes=("a.txt",))
    with project.running("all") as process:
        wait_for(log / "log.txt", ": again")
        process.terminate()
        process.wait(60)
    project.call("show")
    with looker.opened(log / "pages" / project.runs("all")[-1].name / "index.html") as tab:
        assert "all cancelled in" in tab.page.locator("h1").inner_text()
        assert re.search(r"To go on,? run\s+python run.py all", tab.text())
        assert mistakes_of_access(tab) == []


def test_the_same_run_has_the_same_pages_byte_for_byte(
    site: TemporaryProject, tmp_path: Path
) -> None:
    copy = site.copy(tmp_path / site.root.name)
    before = contents(copy)
    assert len(before) > 20
    for one in copy.root.glob("outputs/*/pages"):
        for path in sorted(one.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    for name in ("all", "bad", "late", "never"):
        copy.call("show", name)
    again = contents(copy)
    assert again.keys() == before.keys()
    assert [name for name in before if before[name] != again[name]] == []


def contents(project: TemporaryProject) -> dict[str, bytes]:
    """Read all pages and what is beside them."""
    outputs = project.root / "outputs"
    found = [outputs / "index.html", *outputs.glob("*/pages/**/*")]
    return {str(one.relative_to(outputs)): one.read_bytes() for one in found if one.is_file()}

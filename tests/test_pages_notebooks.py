"""Executed notebooks as pages: what a reader finds, and figures that are drawn in their frames."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Looker, Tab, chromium, needs_browser
from tests.project import TemporaryProject
from tests.sites import places

pytestmark = needs_browser


@pytest.fixture(scope="module")
def looker() -> Iterator[Looker]:
    """Give a browser."""
    with chromium() as found:
        yield found


@pytest.fixture
def stage(site: TemporaryProject, looker: Looker) -> Iterator[Tab]:
    """Open the page of the notebook that has everything."""
    with looker.opened(places(site)["stage"]) as tab:
        yield tab


def test_cells_have_the_numbers_of_the_log(site: TemporaryProject, stage: Tab) -> None:
    log = (site.runs("all")[0] / "log.txt").read_text("utf-8")
    found = re.findall(r" everything\[(\d+)/(\d+)\][^:]*: (.+)", log)
    checked = 0
    for number, count, text in found:
        cell = stage.page.locator(f"#cell-{number}")
        # Of two cells the outputs, or all, are not to be shown.
        if "no trace of this cell" in text or "the output is not there" in text:
            continue
        assert f"cell {number} of {count}" in str(cell.text_content())
        if not text.startswith("…"):
            assert text in str(cell.text_content()), text
            checked += 1
    assert checked > 60


def test_tags_say_what_is_hidden(stage: Tab) -> None:
    text = stage.text()
    for one in ("no trace of this cell", "'the code is ' + 'not there'", "the output is not there"):
        assert one not in text, one
    for one in ("the code is not there", "'the output is ' + 'not there'"):
        assert one in text, one
    folded = stage.page.get_by_text("print('the code is folded')")
    assert not folded.is_visible()
    stage.page.get_by_text("the code", exact=True).click()
    assert folded.is_visible()
    output = stage.page.get_by_text("the output is folded")
    assert not output.is_visible()
    stage.page.get_by_text("the outputs", exact=True).click()
    assert output.is_visible()
    names = stage.page.locator(".tag").all_inner_texts()
    assert {*names} >= {"hide-input", "remove-input", "remove-output", "hide-output", "parameters"}


def test_long_outputs_are_folded_and_cells_tell_their_time(stage: Tab) -> None:
    first, middle, last = (stage.page.get_by_text(f"printed {n}").last for n in (0, 30, 59))
    assert first.is_visible()
    assert not middle.is_visible()
    assert last.is_visible()
    more = stage.page.get_by_text(re.compile(r"^\d+ more lines$"))
    # The fold is opened without a mouse, too.
    more.focus()
    stage.page.keyboard.press("Enter")
    assert middle.is_visible()
    times = stage.page.locator(".cell .cell-time").all_inner_texts()
    cells = stage.page.locator(".cell").count()
    assert len(times) == cells > 15
    assert all(re.search(r"\d (ms|s)$", one) for one in times), times


def test_the_outline_leads_to_the_headings(stage: Tab) -> None:
    links = stage.page.locator("nav.outline a")
    assert links.all_inner_texts() == ["Everything that there is", "Its data", "Its rows"]
    for link in links.all():
        link.click()
        place = str(link.get_attribute("href")).removeprefix("#")
        heading = stage.page.locator(f"[id='{place}']")
        assert heading.inner_text() == link.inner_text()
        assert 0 <= heading.bounding_box()["y"] < 900  # type: ignore[index]
    # A link of the notebook itself.
    stage.page.get_by_text("a place").click()
    assert stage.page.evaluate("document.querySelector(':target').textContent") == "Its data"


def test_formulas_are_mathml_and_others_their_source(stage: Tab) -> None:
    maths = "math => [...math.querySelectorAll('mi, mn, mo')].map(one => one.textContent).join('')"
    square = stage.page.locator(".prose math:has(msup)").first
    assert square.evaluate(maths) == "x2"
    assert stage.page.locator("figure.tex math mtable mtr").count() == 2
    assert stage.page.locator("code.tex").all_inner_texts() == [r"\unknown{x}"]
    # Drawn as a formula: the exponent is smaller than its base.
    size = "one => parseFloat(getComputedStyle(one).fontSize)"
    assert square.locator("mn").evaluate(size) < square.locator("mi").evaluate(size)


def test_outputs_of_each_kind_are_shown(stage: Tab) -> None:
    table = stage.page.locator("table.dataframe")
    assert table.locator("tbody tr").count() >= 10
    assert table.locator("thead th").first.inner_text() == "name;not a comma"
    text = stage.text()
    for one in ("in HTML bold", "how many 7", "<__main__.Odd", '"a"', "red", "was logged"):
        assert one in text, one
    assert stage.page.locator(".ansi-red-fg").inner_text() == "red"
    alt = str(stage.page.locator(".outputs img").first.get_attribute("alt"))
    assert re.fullmatch(r"Picture from everything, cell \d+ of \d+, under “.+”", alt)
    assert stage.page.frame_locator("iframe").last.get_by_text("drawn").is_visible()


def test_a_failed_cell_stands_open_with_its_traceback(
    site: TemporaryProject, looker: Looker
) -> None:
    found = places(site)
    with looker.opened(found["failed stage"]) as tab:
        cell = tab.page.locator(".failed-cell")
        for one in ("if fail:", "ZeroDivisionError: division by zero", "return 1 / value"):
            assert one in cell.inner_text(), one
        tab.page.get_by_text("the failed cell").click()
        assert 0 <= cell.bounding_box()["y"] < 900  # type: ignore[index]
    with looker.opened(found["failed run"]) as tab:
        assert "failed after" in tab.page.locator("h1").inner_text()
        fault = tab.page.locator(".fault").inner_text()
        for one in ("inner(0)", "ZeroDivisionError", "notebooks/everything.ipynb", "run.py bad"):
            assert one in fault, one
    with looker.opened(found["late run"]) as tab:
        assert "timed out" in tab.page.locator("h1").inner_text()


@pytest.mark.slow
def test_a_figure_is_drawn_in_its_frame_and_other_scripts_are_stopped(
    project: TemporaryProject, looker: Looker, tmp_path: Path
) -> None:
    project.profile("all")
    project.notebook(
        "a",
        "import plotly.graph_objects as go\n\n"
        "figure = go.Figure(go.Scatter(x=[1, 2, 3], y=[1, 4, 9], mode='markers'))",
        "figure.show('notebook')",
        "figure.show('plotly_mimetype')",
        "figure.show('notebook')",
    )
    project.run("all", "--pages")
    alone = tmp_path / "alone"
    alone.mkdir()
    project.call("show", "all", "--single", str(alone / "one.html"))
    # Where nothing else is.
    moved = tmp_path / "elsewhere"
    shutil.move(alone, moved)
    (page,) = project.outputs("all").glob("pages/*/a.html")
    assert page.stat().st_size < 5 << 20
    for path, frames in ((page, 3), (moved / "one.html", None)):
        with looker.opened(path) as tab:
            tab.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            there = tab.page.locator("iframe")
            assert there.count() == frames or frames is None
            assert there.count() >= 1
            for number in range(there.count()):
                there.nth(number).scroll_into_view_if_needed()
                # A frame in a file is a frame in that.
                drawn: list[int] = []
                for _ in range(600):
                    points = ".scatterlayer .point"
                    drawn = [one.locator(points).count() for one in tab.page.frames]
                    if drawn.count(3) > number:
                        break
                    tab.page.wait_for_timeout(100)
                assert drawn.count(3) > number, drawn
            tab.page.evaluate(
                """() => {
                  const one = document.createElement('script');
                  one.textContent = 'window.injected = 1';
                  document.body.append(one);
                  document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="injected=2">');
                }"""
            )
            tab.page.wait_for_timeout(200)
            assert tab.page.evaluate("window.injected ?? null") is None
            assert tab.left == []


def test_a_page_that_stands_alone_needs_nothing_beside_it(
    site: TemporaryProject, looker: Looker, tmp_path: Path
) -> None:
    for profile in ("all", "bad"):
        site.call("show", profile, "--single", str(tmp_path / f"{profile}.html"))
    for profile, texts in (
        ("all", ("figure.png", "car 0", "0.25", "everything: skipped")),
        ("bad", ("inner(0)", "ZeroDivisionError", "printed 59", "the code is folded")),
    ):
        with looker.opened(tmp_path / f"{profile}.html") as tab:
            links = {one for one in tab.links() if not one.startswith(("#", "data:"))}
            # Where the notebook itself leads to.
            assert links <= {"https://example.org/"}
            assert tab.broken_pictures() == []
            assert tab.page.locator("img[src^='data:']").count() > 0
            assert {one[1:] for one in tab.links() if one.startswith("#")} <= {*tab.ids()}
            assert len(tab.ids()) == len({*tab.ids()})
            assert tab.page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
            for one in texts:
                assert one in tab.text(), one
            assert (tab.left, tab.said) == ([], [])
            tab.page.set_viewport_size({"width": 390, "height": 900})
            assert tab.overflow() == []

"""`debug --lab`: JupyterLab has the kernel of a failed stage, and leaves the source as it is."""

import json
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.project import TemporaryProject, below_it, needs_linux, none_left, opened
from tests.terminals import end_all
from tests.test_jupyter_debug import temporary
from tests.test_jupyter_keep import kept, notes
from tests.test_jupyter_lab import browser, saved, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["temporary"]
pytestmark = [pytest.mark.slow, needs_linux]

# JupyterLab would write the name for people that its own kernel has.
SPEC = {"display_name": "Python of mine", "language": "python", "name": "python3"}


@pytest.fixture
def shop(project: TemporaryProject) -> Iterator[TemporaryProject]:
    """Give a project with a stage that fails in its third cell; the fourth shows what it has."""
    project.profile("all", "model:\n  alpha: 2.5\n")
    project.notebook(
        "model",
        "import uuid\n\nonce = str(uuid.uuid4())\nprint('once', once)\ninner = alpha * 4",
        "1 / 0",
        "print('inner is', inner, output_model, once)",
        "import time\nprint('sl' + 'eeps')\ntime.sleep(600)",
        parameters='output_model = "../outputs/test/model.json"\nalpha = 1.0',
        metadata={"kernelspec": SPEC},
    )
    yield project
    end_all(project)


def shown(page: "Page", address: str, path: Path) -> Any:  # noqa: ANN401 - a notebook has no types
    """Run cells in JupyterLab, with a look at each; save, and give the notebook."""
    page.goto(address)
    page.get_by_text("Python of mine | Idle").wait_for(timeout=60_000)
    page.get_by_text("print('inner is'").click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("inner is 10.0 ../outputs/all/").wait_for(timeout=60_000)

    # The cell after it runs until it is interrupted, which is not for the server to do.
    page.keyboard.press("Control+Enter")
    page.get_by_text("sleeps", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    page.keyboard.press("i")
    page.get_by_text("KeyboardInterrupt").first.wait_for(timeout=60_000)

    # The parameters cell gives what it gives in `lab`, not the values of the test build.
    page.get_by_text("alpha = 1.0").click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("model in the profile all").wait_for(timeout=60_000)
    page.get_by_text("print('inner is'").click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("inner is 10.0 ../outputs/all/edit/model.json").wait_for(timeout=60_000)
    page.keyboard.press("Control+s")
    return saved(path, "model in the profile all")


def is_as_it_was(after: Any, before: Any) -> None:  # noqa: ANN401 - as above
    """See that nothing of a notebook is other but what its cells show."""
    assert [(one["id"], one["source"], one["metadata"]) for one in after["cells"]] == [
        (one["id"], one["source"], one["metadata"]) for one in before["cells"]
    ]
    assert after["metadata"]["kernelspec"] == before["metadata"]["kernelspec"]


def test_in_jupyterlab_the_notebook_has_the_kernel_of_the_stage_that_failed(
    shop: TemporaryProject, temporary: Path
) -> None:
    path = shop.root / "notebooks" / "model.ipynb"
    before = json.loads(path.read_text("utf-8"))
    shop.run("all", code=1)
    with served(shop, "debug", "--lab") as (process, address), browser() as page:
        after = shown(page, address, path)
        (folder,) = temporary.glob("lab-*")
        (connection,) = (folder / "external").iterdir()
        assert stat.S_IMODE(connection.stat().st_mode) == 0o600
        assert stat.S_IMODE(connection.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        below = below_it(process)
        assert opened(below) == {"127.0.0.1"}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        none_left(below)
    assert [*temporary.iterdir()] == []
    is_as_it_was(after, before)


def test_a_kernel_that_was_kept_stays_when_jupyterlab_ends(
    shop: TemporaryProject, temporary: Path
) -> None:
    path = shop.root / "notebooks" / "model.ipynb"
    before = json.loads(path.read_text("utf-8"))
    done = shop.run("all", "--keep-failed", "1h", code=1)
    (once,) = [line.split()[-1] for line in done.out.splitlines() if ": once " in line]
    (note,), there = notes(shop), kept(shop)
    with served(shop, "debug", "--lab") as (process, address), browser() as page:
        after = shown(page, address, path)
        assert page.get_by_text(once).count()
        below = below_it(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        none_left(below)
    assert [*temporary.glob("lab-*")] == []
    is_as_it_was(after, before)
    assert notes(shop) == [note]
    assert kept(shop) == there
    shop.call("stop")
    none_left(there)
    assert [*temporary.iterdir()] == []

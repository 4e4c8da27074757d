"""Makes the pictures of pages in docs/: `python -m tests.pictures`.

The example is run as a stranger would, with several degrees, and looked at with Chromium.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.project import ROOT

CHROMIUM = "/usr/bin/chromium"
_SIZE = (1180, 820)


def main() -> None:
    """Run the example and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "cars"
        subprocess.run([ROOT / ".ci" / "copy", root], check=True)
        for words in (
            ("test", "all"),
            ("all", "-p", "features.degree=1"),
            ("degrees",),
            ("show", "degrees"),
            ("show", "all"),
        ):
            run = [sys.executable, "run.py", *words]
            subprocess.run(run, cwd=root, check=True, stdout=subprocess.DEVNULL)
        pages = root / "outputs" / "all" / "pages"
        newest = max(
            path for path in pages.iterdir() if path.is_dir() and (path / "report.html").exists()
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--hide-scrollbars"]
            )
            width, height = _SIZE
            page = browser.new_page(viewport={"width": width, "height": height})
            _take(page, pages / "index.html", "page-build")
            _take(page, newest / "index.html", "page-run")
            _take(page, newest / "report.html", "page-notebook")
            _take(page, root / "outputs" / "degrees" / "pages" / "index.html", "page-points")
            browser.close()


def _take(page: Page, path: Path, name: str) -> None:
    page.goto(path.as_uri())
    page.wait_for_timeout(500)
    page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main()

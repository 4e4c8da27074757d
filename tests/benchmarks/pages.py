"""What pages cost: in a long history, beside a run without them, and of a large notebook.

    python -m tests.benchmarks.pages [--stages 100] [--runs 1000] [--rounds 5] [ROW…]

A row is one of history, ratio, memory. The runs of the history are copies of one, as the runner
writes it, under other ids and with other numbers; the newest one has its executed notebooks.
The ratio is that of whole commands on the example, in turn, as medians. The memory is the peak of
`show` less that for a tiny notebook, against the size of the notebook.
"""

import argparse
import base64
import json
import shutil
import statistics
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.benchmarks.planning import built, measure
from tests.browser import chromium
from tests.project import TemporaryProject
from tests.sites import png
from tests.test_cli_show import LARGE, large

if TYPE_CHECKING:
    from collections.abc import Callable

_SIZE = 200 << 20


def notebook() -> str:
    """Give an executed notebook of some cells, with a table, a picture and a formula."""
    rows = "".join(f"<tr><th>{n}</th><td>{n * 1.5}</td></tr>" for n in range(10))
    picture = base64.b64encode(png(640, 480)).decode()
    outputs = [
        new_output("display_data", data={"text/html": f"<table>{rows}</table>"}),
        new_output("display_data", data={"image/png": picture}),
        new_output("stream", text="".join(f"line {n}\n" for n in range(100))),
    ]
    cells = [new_markdown_cell("# A stage\n\nIt fits $y = x^2$.\n\n## Its data")]
    cells += [new_code_cell("import math\n\nmath.sqrt(2)", outputs=[one]) for one in outputs * 3]
    return str(nbformat.writes(new_notebook(cells=cells)))


def history(stages: int, runs: int, folder: Path) -> TemporaryProject:
    """Make a project of so many stages with so many runs."""
    made = built(folder / "project", stages)
    (first,) = made.runs("all")
    texts = {one: (first / one).read_text("utf-8") for one in ("journal.jsonl", "run.json")}
    began = datetime.now(UTC)
    for number in range(1, runs):
        moment = began + timedelta(minutes=number - runs)
        name = f"{moment:%Y%m%dT%H%M%SZ}-{number:04}"
        (copy := first.parent / name).mkdir()
        for file, text in texts.items():
            (copy / file).write_text(text.replace(first.name, name), "utf-8")
        record = json.loads((copy / "run.json").read_text("utf-8"))
        for stage in record["stages"][:5]:
            stage["metrics"] = {f"{stage['name']}.json: loss": 1 / number}
        (copy / "run.json").write_text(json.dumps(record), "utf-8")
    text = notebook()
    for number in range(stages):
        path = first / "notebooks" / f"s{number}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return made


def of_history(stages: int, runs: int, folder: Path) -> None:
    """Print how long `show` takes, the first time and the second, and pages take to open."""
    made = history(stages, runs, folder)
    for what in ("from nothing", "again"):
        cost = measure(made.command("show", "all"))
        print(f"{stages} stages, {runs} runs: show, {what}: {cost.seconds:.1f} s")
    pages = made.outputs("all") / "pages"
    newest = pages / made.runs("all")[-1].name
    with chromium() as looker:
        for page in (pages / "index.html", newest / "index.html", newest / "s0.html"):
            taken = []
            for _ in range(5):
                with looker.opened(page) as tab:
                    taken.append(float(tab.page.evaluate("performance.now()")))
            size = page.stat().st_size / 1024
            where = page.relative_to(made.outputs("all"))
            print(f"{where}, {size:.0f} KiB, opens in {statistics.median(taken) / 1000:.2f} s")


def ratio(rounds: int, folder: Path) -> None:
    """Print how much longer a run with pages takes."""
    made = TemporaryProject.example(folder / "example")
    made.run("test")
    ratios = []
    for _ in range(rounds):
        without = measure(made.command("test")).seconds
        with_pages = measure(made.command("test", "--pages")).seconds
        ratios.append((with_pages / without, without, with_pages))
    middle = [statistics.median(each) for each in zip(*ratios, strict=True)]
    print(
        f"example, test: {middle[1]:.2f} s without pages, {middle[2]:.2f} s with: "
        f"{middle[0]:.2f} times (median of {rounds} ratios, {min(ratios)[0]:.2f} to "
        f"{max(ratios)[0]:.2f})"
    )


def memory(folder: Path) -> None:
    """Print the memory that pages of a large notebook take, and their size."""
    made = TemporaryProject(folder / "large")
    made.profile("all")
    made.notebook("a", "1")
    made.pretend("all")
    tiny = measure(made.command("show", "all")).memory
    executed = made.runs("all")[-1] / "notebooks/a.ipynb"
    for fill in LARGE:
        large(executed, fill, _SIZE)
        size = executed.stat().st_size / (1 << 20)
        shutil.rmtree(made.outputs("all") / "pages")
        cost = measure(made.command("show", "all"))
        (page,) = made.outputs("all").glob("pages/*/a.html")
        print(
            f"{fill.__name__.strip('_')}: {size:.0f} MiB: memory {(cost.memory - tiny) / size:.2f} "
            f"times that, {cost.seconds:.1f} s, page of {page.stat().st_size / 1024:.0f} KiB"
        )


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description="What pages cost.")
    parser.add_argument("--stages", type=int, default=100)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    chosen = parser.parse_args()
    rows: dict[str, Callable[[Path], None]] = {
        "history": lambda folder: of_history(chosen.stages, chosen.runs, folder),
        "ratio": lambda folder: ratio(chosen.rounds, folder),
        "memory": memory,
    }
    for name in chosen.rows or rows:
        with tempfile.TemporaryDirectory() as folder:
            rows[name](Path(folder))


if __name__ == "__main__":
    main()

"""Projects whose runs the tests of the pages look at, and pictures made by hand."""

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.project import TemporaryProject

LONG = "a_name_that_is_longer_than_the_window_of_a_telephone_and_has_no_place_to_break"

_DATA = r"""
import base64
import json
from pathlib import Path

Path(output_table).write_text(
    ",".join(["name;not a comma", "horsepower", *(f"column_{i}" for i in range(12))])
    + "".join(f"\ncar {row},{row * 1.5}" + ",0.123456789" * 12 for row in range(30))
)
numbers = {"loss": n / 8, "weights": {"w0": 1.0, "w1": n * 2.0}}
Path(output_numbers).write_text(json.dumps(numbers))
Path(output_text).write_text("\n".join(f"line {line} of the text" for line in range(100)))
Path(output_figure).write_bytes(base64.b64decode("{picture}"))
print("wrote four files, n is", n)
"""

PARAMETERS = f"""\
output_table = "../outputs/test/table.csv"
output_numbers = "../outputs/test/numbers.json"
output_text = "../outputs/test/{LONG}.txt"
output_figure = "../outputs/test/figure.png"
n = 1
label = 'short'"""


def png(width: int = 64, height: int = 48, *, noise: bytes = b"") -> bytes:
    """Make a picture, which `noise` makes as large as it is."""
    rows = b"".join(b"\0" + bytes([200, 40, 40] * width) for _ in range(height))

    def part(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [part(b"IHDR", head), part(b"IDAT", zlib.compress(rows))]
    parts += [part(b"teSt", noise)] if noise else []
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + part(b"IEND", b"")


def _everything() -> Any:  # noqa: ANN401 - a notebook has no types
    """Give a notebook with what notebooks have."""
    picture = base64.b64encode(png()).decode()
    text = new_markdown_cell(
        "# Everything that there is\n\nA line with $x^2$ and $\\unknown{x}$, "
        "[a link](https://example.org/), [a place](#Its-data) and `code`.\n\n"
        "\\begin{align}\ny &= w_0 + w_1 x \\\\\n  &= 2\n\\end{align}\n\n"
        f"$$\\sum_{{i=1}}^{{n}} {' + '.join(f'x_{{{i}}}' for i in range(60))}$$\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        f"![](attachment:a.png) ![beside](figure.png)\n\n{LONG}\n\n- [ ] to do\n\n> said\n\n"
        '<table><tr><td>without a head</td></tr></table>\n\n<h1 id="mine">Mine</h1>\n'
    )
    text["attachments"] = {"a.png": {"image/png": picture}}

    def code(source: str, *tags: str) -> Any:  # noqa: ANN401 - as above
        return new_code_cell(source, metadata={"tags": [*tags]} if tags else {})

    show = "from IPython.display import HTML, JSON, SVG, Image, Latex, Markdown, display\n"
    cells = [
        code(
            'input_table = "../outputs/test/table.csv"\noutput_end = "../outputs/test/end.txt"\n'
            "fail = False\nwait = 0",
            "parameters",
        ),
        text,
        new_markdown_cell("## Its data\n\n### Its rows\n\n#### Too deep for the outline"),
        code("import pandas as pd\n\ntable = pd.read_csv(input_table)\ntable"),
        code("table.style.highlight_max()"),
        code("import logging\nimport sys\nimport warnings"),
        code(
            "for number in range(60):\n    print('printed', number)\n"
            "print('\\x1b[31mred\\x1b[0m and \\x1b[1;38;5;208mbold\\x1b[0m', file=sys.stderr)"
        ),
        code("logging.getLogger('mine').error('an error that was logged')"),
        code("warnings.warn('a warning')\nlogging.getLogger('mine').warning('was logged')"),
        code(f"{show}display(Markdown('**bold** $y^2$'), Latex('$z^2$'), JSON({{'a': [1]}}))"),
        code(
            f"import base64\n\ndisplay(Image(base64.b64decode('{picture}')))\n"
            'SVG(\'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">'
            '<circle cx="20" cy="20" r="15" fill="teal"/></svg>\')'
        ),
        code("HTML('<p>in HTML <b>bold</b></p>' + '<h3>a heading</h3>')"),
        code("HTML('<p id=p>before</p><script>document.body.append(\"drawn\")</script>')"),
        code("import ipywidgets\n\nipywidgets.IntSlider(7, description='how many')"),
        code("print('the code is folded')", "hide-input"),
        code("print('no trace of this cell')", "remove-cell"),
        code("print('the code is ' + 'not there')", "remove-input"),
        code("print('the output is ' + 'not there')", "remove-output"),
        code("print('the output is ' + 'folded')", "hide-output"),
        code(f"{LONG} = {list(range(100))}"),
        code("  "),
        code("class Odd:\n    pass\n\n\nOdd()"),
        code("import time\n\ntime.sleep(wait)"),
        code("def inner(value):\n    return 1 / value\n\n\nif fail:\n    inner(0)"),
        code("from pathlib import Path\n\nPath(output_end).write_text('after it')"),
    ]
    made = new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    for number, cell in enumerate(made.cells):
        cell["id"] = f"c{number}"
    return made


def make_site(root: Path) -> TemporaryProject:
    """Make a project with runs of each kind, and its pages.

    `all` was built twice, with other values; in `bad` a stage fails, and another one was
    not run; `late` took too long; `never` has not run.
    """
    project = TemporaryProject(root)
    project.write("pyproject.toml", "[tool.runner]\npages = true\n")
    picture = base64.b64encode(png()).decode()
    project.notebook("data", _DATA.replace("{picture}", picture), parameters=PARAMETERS)
    nbformat.write(_everything(), project.root / "notebooks/everything.ipynb")
    project.stage("last", reads=("end.txt",), writes=("last.txt",))
    project.profile("all")
    project.profile("bad", "everything:\n  fail: true\n")
    project.profile("late", "everything:\n  wait: 600\n")
    project.profile("never", "data:\n  n: 7\n")
    project.run("all")
    project.run("all", "-p", "data.n=2", "-p", f"data.label={LONG}")
    project.run("bad", code=1)
    project.run("late", "--cell-timeout", "2", code=1)
    project.call("show", "never")
    return project


def places(project: TemporaryProject | None = None) -> dict[str, Path]:
    """Give a page of each kind, by what it is."""
    outputs = (project.root if project else Path()) / "outputs"

    def of_run(profile: str) -> Path:
        return outputs / profile / "pages" / (project.runs(profile)[-1].name if project else "")

    first = project.runs("all")[0].name if project else ""
    return {
        "index": outputs / "index.html",
        "profile": outputs / "all/pages/index.html",
        "profile that failed": outputs / "bad/pages/index.html",
        "profile that never ran": outputs / "never/pages/index.html",
        "run": of_run("all") / "index.html",
        "failed run": of_run("bad") / "index.html",
        "late run": of_run("late") / "index.html",
        "stage": outputs / "all/pages" / first / "everything.html",
        "failed stage": of_run("bad") / "everything.html",
    }

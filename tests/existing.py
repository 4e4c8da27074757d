"""Six projects of the kinds that people have before they know of stages, and the truth of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.project import TemporaryProject


@dataclass(frozen=True)
class Kind:
    """A project: how it is written, and what each notebook reads and writes, by basename.

    `named` are what `adopt` has to name, as a part of a line; those files are left as they are.
    """

    write: Callable[[TemporaryProject], None]
    reads: dict[str, set[str]]
    writes: dict[str, set[str]]
    named: tuple[str, ...] = field(default=())


def put(project: TemporaryProject, name: str, *cells: str, tagged: str = "") -> Path:
    """Write a notebook anywhere in the project; `# ` begins Markdown."""
    made = [new_code_cell(tagged, metadata={"tags": ["parameters"]})] if tagged else []
    for one in cells:
        is_text = one.startswith("# ")
        made.append(new_markdown_cell(one) if is_text else new_code_cell(one))
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path = project.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": spec}), path)
    return path


RAW = "name,x,y\n" + "".join(f"n{n},{n},{n * n}\n" for n in range(20))


def classic(project: TemporaryProject) -> None:
    """`notebooks/` beside `data/`, `models/` and `figures/`; each path is a text where it is used."""
    project.write("data/raw.csv", RAW)
    project.write("app.py", 'MODEL = "models/model.json"\n')
    project.write("README.md", "The table is in data/clean.csv.\n")
    put(
        project,
        "notebooks/1_clean.ipynb",
        "# Clean",
        "import csv\nMIN_X = 3  # smaller ones are noise",
        'with open("../data/raw.csv") as file:\n    rows = [*csv.DictReader(file)]',
        'kept = [row for row in rows if int(row["x"]) >= MIN_X]\n'
        'with open("../data/clean.csv", "w") as file:\n'
        '    out = csv.DictWriter(file, ["name", "x", "y"])\n'
        "    out.writeheader()\n"
        "    out.writerows(kept)",
    )
    put(
        project,
        "notebooks/2_model.ipynb",
        'import csv, json, os\nMODEL = "../models/model.json"\nseed = 3\nfactor = 2',
        'os.makedirs("../models", exist_ok=True)',
        'rows = [*csv.DictReader(open("../data/clean.csv"))]',
        'model = {"mean": sum(int(r["y"]) for r in rows) / len(rows) * factor, "seed": seed}',
        'with open(MODEL, "w") as file:\n    json.dump(model, file)',
        "with open(MODEL) as file:\n    assert json.load(file) == model",
    )
    put(
        project,
        "notebooks/3_report.ipynb",
        "import json\nfrom pathlib import Path",
        'model = json.loads(Path("../models/model.json").read_text())',
        'Path("../figures").mkdir(exist_ok=True)\n'
        'Path("../figures/report.txt").write_text(f"é {model[\'mean\']}\\n")  # "ü"',
    )

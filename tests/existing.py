"""Seven projects of the kinds that people have before they know of stages, and their truth."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.project import TemporaryProject


@dataclass(frozen=True)
class Kind:
    """A project: how it is written, and what each notebook reads and writes, by basename.

    `named` are what `adopt` has to say, as parts of lines; `declared` is of how many of all those
    files it makes parameters. The others stay where they are, and are named.
    """

    write: Callable[[TemporaryProject], None]
    reads: dict[str, set[str]]
    writes: dict[str, set[str]]
    declared: int
    named: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        """Count what the notebooks read and write."""
        return sum(len(names) for each in (self.reads, self.writes) for names in each.values())


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
    """`notebooks/` beside `data/`, `models/` and `figures/`; paths as texts where they are used."""
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


def flat(project: TemporaryProject) -> None:
    """All in one folder, the order in a script, an executed copy, scratch, a module beside."""
    project.write("raw.csv", RAW)
    project.write("helpers.py", "def double(x):\n    return 2 * x\n")
    project.write(
        "run_all.sh", "papermill prepare.ipynb out.ipynb\npapermill analyse.ipynb out.ipynb\n"
    )
    put(project, "Untitled.ipynb", "1 / 0")
    executed = put(project, "out.ipynb", "1 / 0")
    content = json.loads(executed.read_text("utf-8"))
    content["metadata"]["papermill"] = {"start_time": "2026-01-01T00:00:00"}
    executed.write_text(json.dumps(content), "utf-8")
    put(
        project,
        "prepare.ipynb",
        "import pandas as pd\nfrom helpers import double",
        '%time table = pd.read_csv("raw.csv")',
        'table = pd.read_csv("raw.csv")\ntable["x"] = table["x"].map(double)\n'
        'table.to_csv("tidy.csv", index=False)',
    )
    put(
        project,
        "analyse.ipynb",
        "import pandas as pd\nimport matplotlib.pyplot as plt",
        'table = pd.read_csv("tidy.csv")',
        "n_bins = 5\ntitle = 'all of them'",
        'plt.hist(table["x"], bins=n_bins)\nplt.savefig("hist.png")',
        'table.describe().to_csv("describe.csv")',
    )


def joined(project: TemporaryProject) -> None:
    """Folders in constants, paths joined from them in all the ways that people have."""
    project.write("data/raw/points.csv", RAW)
    project.write("data/raw/2020.csv", RAW)
    put(
        project,
        "notebooks/a_load.ipynb",
        "import os\nfrom pathlib import Path\nimport pandas as pd",
        'DATA = Path("../data")\nRAW_DIR = DATA / "raw"\nINTERIM = DATA / "interim"\nYEAR = 2020',
        "INTERIM.mkdir(parents=True, exist_ok=True)",
        'points = pd.read_csv(RAW_DIR / "points.csv")\nold = pd.read_csv(RAW_DIR / f"{YEAR}.csv")',
        'both = pd.concat([points, old])\nboth.to_csv(INTERIM / "both.csv", index=False)',
        'assert len(pd.read_csv(INTERIM / "both.csv")) == 40',
    )
    put(
        project,
        "notebooks/b_fit.ipynb",
        "import os, pickle\nimport pandas as pd\nimport numpy as np",
        'DATA_DIR = "../data/interim"\nMODEL_DIR = os.path.join("..", "models")\nDEGREE: int = 2',
        "if not os.path.exists(MODEL_DIR):\n    os.makedirs(MODEL_DIR)",
        'table = pd.read_csv(f"{DATA_DIR}/both.csv")',
        'fit = np.polyfit(table["x"], table["y"], DEGREE)\n'
        'with open(os.path.join(MODEL_DIR, "fit.pkl"), "wb") as f:\n    pickle.dump(fit, f)',
    )
    put(
        project,
        "notebooks/c_use.ipynb",
        "import pickle\nfrom pathlib import Path",
        'ROOT = Path.cwd().parent\nOUT = ROOT / "results"\nOUT.mkdir(exist_ok=True)',
        'fit = pickle.loads((ROOT / "models" / "fit.pkl").read_bytes())',
        '(OUT / "fit.txt").write_text(str(fit.round(3)))',
    )


def papermilled(project: TemporaryProject) -> None:
    """Notebooks with tagged cells that papermill was run on, in another folder."""
    project.write("input/raw.csv", RAW)
    project.write(
        "pipeline.py",
        "import papermill as pm\nfor name in ('nb/split.ipynb', 'nb/score.ipynb'):\n"
        "    pm.execute_notebook(name, name)\n",
    )
    put(
        project,
        "nb/score.ipynb",
        "import json",
        'train = open(train_path).read().splitlines()\ntest = open("../work/test.csv").readlines()',
        'with open(report_path, "w") as f:\n    json.dump([len(train), len(test), scale], f)',
        tagged='train_path = "../work/train.csv"\nreport_path = "../work/score.json"\nscale = 1.5',
    )
    put(
        project,
        "nb/split.ipynb",
        "lines = open(source).read().splitlines()[1:]",
        'import os\nos.makedirs("../work", exist_ok=True)\ncut = int(len(lines) * share)',
        'open("../work/train.csv", "w").write("\\n".join(lines[:cut]))\n'
        'open("../work/test.csv", "w").write("\\n".join(lines[cut:]))',
        tagged='source = "../input/raw.csv"\nshare = 0.5',
    )


def indirect(project: TemporaryProject) -> None:
    """Paths in `src/`, in a configuration, behind `os.chdir`, and made up in a loop."""
    project.write("data/raw.csv", RAW)
    project.write("config.yaml", "data:\n  source: ../data/raw.csv\nlimit: 7\n")
    project.write(
        "src/store.py",
        "from pathlib import Path\n\nROOT = Path(__file__).resolve().parent.parent\n\n\n"
        'def save(text):\n    (ROOT / "data/saved.txt").write_text(text)\n\n\n'
        'def load():\n    return (ROOT / "data/saved.txt").read_text()\n',
    )
    path = "import sys\nsys.path.append('../src')"
    put(
        project,
        "notebooks/1_start.ipynb",
        f"{path}\nimport store\nfrom ruamel.yaml import YAML",
        'with open("../config.yaml") as f:\n    config = YAML(typ="safe").load(f)',
        'lines = open(config["data"]["source"]).read().splitlines()[: config["limit"]]',
        'store.save("\\n".join(lines))',
    )
    put(
        project,
        "notebooks/2_parts.ipynb",
        f"{path}\nimport os\nimport store",
        "lines = store.load().splitlines()",
        'os.makedirs("../parts", exist_ok=True)\n'
        'for n, line in enumerate(lines[1:]):\n    open(f"../parts/{n}.txt", "w").write(line)',
        'open("../data/count.txt", "w").write(str(len(lines)))',
    )
    put(
        project,
        "notebooks/3_sum.ipynb",
        "import glob\ntexts = [open(one).read() for one in sorted(glob.glob('../parts/*.txt'))]",
        'count = int(open("../data/count.txt").read())\nassert len(texts) == count - 1',
        'open("../data/sum.txt", "w").write("".join(texts))',
    )
    put(
        project,
        "notebooks/4_moved.ipynb",
        "import os\nos.chdir('..')",
        'text = open("data/raw.csv").read()\nopen("data/moved.txt", "w").write(text)',
    )


def percent(project: TemporaryProject) -> None:
    """Scripts in percent format, a table that is added to, a shell's command."""
    project.write("data/raw.csv", RAW)
    project.write(
        "scripts/01_first.py",
        "# ---\n# jupyter:\n#   jupytext:\n#     format: percent\n# ---\n\n"
        "# %% [markdown]\n# # First\n# It reads.\n\n# %%\nimport pandas as pd\nROWS = 5\n\n# %%\n"
        'table = pd.read_csv("../data/raw.csv").head(ROWS)\n'
        'table.to_json("../data/first.json", orient="records")\n',
    )
    project.write(
        "scripts/02_second.py",
        '# %% [markdown]\n"""\n# Second\n"""\n# %%\nimport json\n'
        'found = json.load(open("../data/first.json"))\n'
        "# %%\n# !cp ../data/first.json ../data/copy.json\n"
        '# %%\nopen("../data/second.txt", "w").write(str(len(found)))\n',
    )
    project.write("data/log.txt", "begun\n")
    project.write(
        "scripts/03_third.py",
        '# %%\nwith open("../data/log.txt", "a") as file:\n    file.write("once more\\n")\n',
    )
    project.write("scripts/plain.py", "print('no notebook')\n")


def filled(project: TemporaryProject) -> None:
    """All in one folder, a Makefile that names the last first, folders that loops fill."""
    project.write("data/raw.csv", RAW)
    run = "\tjupyter nbconvert --execute {0}\n"
    project.write(
        "Makefile",
        "all: plot.ipynb\n" + run.format("plot.ipynb") + "plot.ipynb: split.ipynb table.ipynb\n",
    )
    put(
        project,
        "table.ipynb",
        "import pandas as pd\nfrom pathlib import Path",
        "BASE_DIR = Path.cwd()\nPROCESSED = BASE_DIR / 'data' / 'processed'\n"
        "PROCESSED.mkdir(exist_ok=True, parents=True)",
        "table = pd.read_csv(BASE_DIR / 'data' / 'raw.csv')\n"
        "table.to_parquet(PROCESSED / 'table.parquet')\n"
        "table.to_csv(PROCESSED.joinpath('table.csv'))",
    )
    put(
        project,
        "split.ipynb",
        "import json, os\nimport numpy as np\nimport pandas as pd",
        "table = pd.read_parquet('data/processed/table.parquet')\n"
        "os.makedirs('arrays', exist_ok=True)\nfor name in ['x', 'y']:\n"
        "    np.save(os.path.join('arrays', name + '.npy'), table[name].values)",
        "json.dump({'a': 1}, open('model.json', 'w'))",
    )
    put(
        project,
        "plot.ipynb",
        "import json, os\nimport numpy as np",
        "n_parts = 2\nCONFIG = {'arrays': 1, 'data': [1, 2]}",
        "FIGURES = './figures'\nos.makedirs(FIGURES, exist_ok=True)",
        "model = json.load(open('model.json'))\nx = np.load('arrays/x.npy')",
        "open(f'{FIGURES}/x.txt', 'w').write(str(x))\nfor i in range(n_parts):\n"
        "    open(f'{FIGURES}/part_{i}.txt', 'w').write(str(x[i::n_parts]))",
    )


KINDS = {
    "classic": Kind(
        classic,
        {"clean": {"raw.csv"}, "model": {"clean.csv"}, "report": {"model.json"}},
        {"clean": {"clean.csv"}, "model": {"model.json"}, "report": {"report.txt"}},
        6,
        ("app.py, line 1: uses models/model.json", "README.md, line 1: uses data/clean.csv"),
    ),
    "flat": Kind(
        flat,
        {"prepare": {"raw.csv"}, "analyse": {"tidy.csv"}},
        {"prepare": {"tidy.csv"}, "analyse": {"hist.png", "describe.csv"}},
        5,
        ("order is that of run_all.sh", "out.ipynb (an executed copy)"),
    ),
    "joined": Kind(
        joined,
        {"a_load": {"points.csv", "2020.csv"}, "b_fit": {"both.csv"}, "c_use": {"fit.pkl"}},
        {"a_load": {"both.csv"}, "b_fit": {"fit.pkl"}, "c_use": {"fit.txt"}},
        7,
    ),
    "papermilled": Kind(
        papermilled,
        {"split": {"raw.csv"}, "score": {"train.csv", "test.csv"}},
        {"split": {"train.csv", "test.csv"}, "score": {"score.json"}},
        6,
        ("order is that of pipeline.py",),
    ),
    "indirect": Kind(
        indirect,
        {
            "start": {"config.yaml", "raw.csv"},
            "parts": {"saved.txt"},
            "sum": {"parts", "count.txt"},
            "moved": {"raw.csv"},
        },
        {
            "start": {"saved.txt"},
            "parts": {"parts", "count.txt"},
            "sum": {"sum.txt"},
            "moved": {"moved.txt"},
        },
        6,
        (
            "src/store.py, line 7: names data/saved.txt",
            "config.yaml, line 2: names data/raw.csv",
            "4_moved.ipynb, cell 1, line 2: os.chdir('..')",
        ),
    ),
    "percent": Kind(
        percent,
        {"first": {"raw.csv"}, "second": {"first.json"}, "third": {"log.txt"}},
        {"first": {"first.json"}, "second": {"second.txt", "copy.json"}, "third": {"log.txt"}},
        5,
        ("data/log.txt: is read and then changed in its place by scripts/03_third.py",),
    ),
    "filled": Kind(
        filled,
        {"table": {"raw.csv"}, "split": {"table.parquet"}, "plot": {"x.npy", "model.json"}},
        {
            "table": {"table.parquet", "table.csv"},
            "split": {"arrays", "model.json"},
            "plot": {"figures"},
        },
        9,
        ("order is that of Makefile",),
    ),
}

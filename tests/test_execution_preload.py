"""What is imported ahead of a kernel."""

from pathlib import Path

import pytest

from runner.execution import preload

NUMPY = ("import numpy",)

ENVIRONMENT = "it sets environment variables before it imports numpy"


@pytest.mark.parametrize(
    ("cells", "imports", "cold"),
    [
        (["import numpy as np"], NUMPY, None),
        (["import json, numpy, os.path"], NUMPY, None),
        (
            ["from a.b import C, d as e"],
            ("import a.b", "from a.b import C", "from a.b import d"),
            None,
        ),
        (["from a import *"], ("import a",), None),
        (["from __future__ import annotations", "from . import x"], (), None),
        (
            ["%matplotlib inline\nimport numpy", "x = 1", "import pandas"],
            (*NUMPY, "import pandas"),
            None,
        ),
        # Code decides whether these are carried out.
        (["if x:\n    import numpy"], (), None),
        (["try:\n    import numpy\nexcept ImportError:\n    numpy = None"], (), None),
        (["def f():\n    import numpy"], (), None),
        # What comes before them decides what they find, or do.
        (["import sys\nsys.path.insert(0, 'x')\nimport numpy"], (), None),
        (["!pip install numpy", "import numpy"], (), None),
        (["%pip install numpy\nimport numpy"], (), None),
        (["%%bash\nexport A=1", "import numpy"], (), None),
        (["import os\nos.chdir('x')", "import numpy"], (), None),
        (["import numpy", "import random\nrandom.seed(1)", "import pandas"], NUMPY, None),
        (["this is no Python", "import numpy"], (), None),
        (["import logging\nlogging.basicConfig(level='DEBUG')", "import numpy"], (), None),
        (["import warnings\nwarnings.simplefilter('always')", "import numpy"], (), None),
        (["import sys\nsys.argv = ['x']", "import numpy"], (), None),
        (["import a\na.b = 1", "import numpy"], ("import a",), None),
        (["import a\na.b['c'] = 1", "import numpy"], ("import a",), None),
        (["raise SystemExit", "import numpy"], (), None),
        (["exit()", "import numpy"], (), None),
        (["@register\ndef f():\n    pass", "import numpy"], (), None),
        (["def f(x=change()):\n    pass", "import numpy"], (), None),
        # These are without influence.
        (["x: int = 1\ny, z = 2, [3]\n'text'\nx", "import numpy"], NUMPY, None),
        (
            ["from pathlib import Path\nhere = Path('x') / 'y'\nprint('a')", "import numpy"],
            NUMPY,
            None,
        ),
        (["import logging\nlog = logging.getLogger('x')", "import numpy"], NUMPY, None),
        (["def f(x, y=1):\n    change()", "import numpy"], NUMPY, None),
        (
            [
                "@dataclass\nclass C(B):\n    x: int = 1",
                "class D:\n    @property\n    def y(self):\n        change()",
                "import numpy",
            ],
            NUMPY,
            None,
        ),
        # A module of the project is not imported ahead, but read.
        (["import helper"], NUMPY, None),
        (["import helper", "import chooser", "import pandas"], NUMPY, None),
        (["from conf import threads", "import numpy"], (), ENVIRONMENT),
        (["import conf.relative", "import numpy"], (), ENVIRONMENT),
        (["from conf import nothing", "import numpy"], NUMPY, None),
        (["import names.helper", "import numpy"], NUMPY, None),
        (["from os import environ as e\ne['A'] = '1'", "import numpy"], (), ENVIRONMENT),
        # The environment is read by many packages as they are imported.
        (["import os\nos.environ['A'] = '1'", "import numpy"], (), ENVIRONMENT),
        (["import os\nos.environ |= {'A': '1'}\nimport numpy"], (), ENVIRONMENT),
        (["from os import environ\nenviron.setdefault('A', '1')\nimport numpy"], (), ENVIRONMENT),
        (["import os\ndel os.environ['A']\nimport numpy"], (), ENVIRONMENT),
        (["import os\nchange(os.environ)\nimport numpy"], (), ENVIRONMENT),
        (["import os\nx = os.environ\nimport numpy"], (), ENVIRONMENT),
        (["%env A=1\nimport numpy"], (), ENVIRONMENT),
        (["from dotenv import load_dotenv\nload_dotenv()\nimport numpy"], (), ENVIRONMENT),
        (["import os\nos.putenv('A', '1')\nimport numpy"], (), ENVIRONMENT),
        (["import numpy", "import os\nos.environ['A'] = '1'"], NUMPY, None),
        (["import os\nprint(os.environ['A'], os.environ.get('B'))\nimport numpy"], NUMPY, None),
        (["import os\nprint(dict(os.environ))\nimport numpy"], NUMPY, None),
        (["import os\nif 'A' in os.environ:\n    x = len(os.environ)\nimport numpy"], (), None),
        # These do not bear a fork, wherever they are imported.
        (["import numpy", "def f():\n    import tensorflow.keras"], (), "it imports tensorflow"),
        (["from polars import DataFrame"], (), "it imports polars"),
    ],
)
def test_what_is_imported_ahead(
    tmp_path: Path, cells: list[str], imports: tuple[str, ...], cold: str | None
) -> None:
    (tmp_path / "helper.py").write_text("import json\nimport numpy\n", "utf-8")
    for folder in ("conf", "names"):
        (tmp_path / folder).mkdir()
    (tmp_path / "conf/__init__.py").touch()
    (tmp_path / "conf/threads.py").write_text("import os\nos.environ['A'] = '1'\n", "utf-8")
    (tmp_path / "conf/relative.py").write_text("from . import threads\n", "utf-8")
    (tmp_path / "chooser.py").write_text("import sys\nsys.path.append('x')\n", "utf-8")
    found = preload.of_cells(cells, (tmp_path,))
    assert (found.imports, found.cold) == (imports, cold)

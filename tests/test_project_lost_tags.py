"""A notebook whose parameters cell has lost its tag, and kernels that are not used."""

import pytest

from tests.mistakes import told, told_once
from tests.project import TemporaryProject

HOW = ("Property Inspector (gear icon, top right)", "Cell Tags", "VS Code", "Add Cell Tag")


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("input_x = '../outputs/test/x.txt'", "`input_x`"),
        ("n = 1\noutput_y = '../outputs/test/y.txt'", "`output_y`"),
        ("input_x: str = '../data/x.csv'", "`input_x`"),
        ("input_x = ['../a.csv', '../b.csv']", "`input_x`"),
        ("output_y = input_x = 'x.csv'", "`output_y` and `input_x`"),
        ("input_x, output_y = 'x.csv', 'y.csv'", "`input_x` and `output_y`"),
        ("%matplotlib inline\ninput_x = 'x.csv'\nprint(input_x)", "`input_x`"),
        ("import os\ninput_x = 'package:vega_datasets/_data/cars.json'", "`input_x`"),
        ("input_x = 'https://x.org/x'", "`input_x`"),
    ],
)
def test_paths_of_inputs_and_outputs_without_the_tag_are_a_mistake(
    project: TemporaryProject, cell: str, names: str
) -> None:
    project.notebook("make", "import sys", cell)
    project.profile("test")
    project.profile("all")
    first = cell.split("\n", maxsplit=1)[0]
    for words in (("check",), ("test",), ("-n", "all"), ("list",)):
        line = told_once(project, *words)
        assert line.startswith(
            f"notebooks/make.ipynb, cell 2 ({first}): assigns {names}, but no cell has the tag "
            "`parameters`; "
        )
        assert all(how in line for how in HOW)


def test_a_tag_that_is_spelt_otherwise_is_mentioned(project: TemporaryProject) -> None:
    path = project.notebook("make", parameters="input_x = 'make.ipynb'")
    path.write_text(path.read_text("utf-8").replace('"parameters"', '"Parameters"'), "utf-8")
    project.profile("test")
    assert "no cell has the tag `parameters` (one has `Parameters`); " in told_once(project, "test")


def test_every_notebook_that_lost_its_tag_is_told_once(project: TemporaryProject) -> None:
    for name in ("a", "b"):
        project.notebook(name, "input_x = 'x.csv'", "output_y = 'y.csv'")
    project.profile("test")
    project.profile("all")
    assert [line.split(",")[0] for line in told(project, "test", "all")] == [
        "notebooks/a.ipynb",
        "notebooks/b.ipynb",
    ]


def test_a_notebook_in_another_language_may_have_lost_its_tag_too(
    project: TemporaryProject,
) -> None:
    project.notebook("make", 'input_x <- "../x.csv"', metadata=kernelspec("python3", "R"))
    project.profile("test")
    assert told_once(project, "test").startswith(
        'notebooks/make.ipynb, cell 1 (input_x <- "../x.csv"): assigns `input_x`, but no cell'
    )


@pytest.mark.parametrize(
    "cell",
    [
        "input_dim = 784\noutput_size: int = 10\ninput_shape = (28, 28)",
        "output_format = 'png'\ninput_text = 'hello world'\ninput_ids = ['a', 'b']",
        "input_x = None\noutput_y = ''\noutput_z = []",
        "def f():\n    input_x = 'x.csv'\n    return input_x",
        "my_input_x = 'x.csv'",
        "names = {'input_x': 'x.csv'}",
        "# input_x = 'x.csv'",
        "input_x == 'x.csv' if False else 1",
    ],
)
def test_other_names_and_values_are_no_lost_parameters(
    project: TemporaryProject, cell: str
) -> None:
    project.notebook("make", cell)
    project.profile("all")
    project.pretend("all")
    assert "WARNING" not in project.log("all")


def test_other_assignments_of_a_notebook_with_the_tag_are_its_own(
    project: TemporaryProject,
) -> None:
    project.notebook("make", "input_x = 'x.csv'\ny = '../outputs/test/x'", parameters="n = 1")
    project.profile("all")
    project.pretend("all")
    assert "WARNING" not in project.log("all")


@pytest.mark.parametrize(
    "cell",
    [
        "x = '../outputs/test/x.txt'",
        "x = f'../outputs/test/{1}.txt'",
        "input_x = '../outputs/test/' + 'x.txt'",
        "from pathlib import Path\nx = Path('..') / 'outputs' / 'test' / 'x.txt'",
        "import os\nx = os.path.join('..', 'outputs', 'test')",
        "def f():\n    return '../outputs/test/x.txt'",
        "x = 'outputs\\\\test\\\\x.txt'",
    ],
)
def test_the_test_build_in_a_text_of_a_notebook_without_the_tag_is_warned_of_once(
    project: TemporaryProject, cell: str
) -> None:
    project.notebook("make", "import sys", cell)
    project.profile("test")
    project.profile("all")
    first = cell.split("\n", maxsplit=1)[0]
    words = f"notebooks/make.ipynb, cell 2 ({first}): names outputs/test/, in every profile"
    done = project.call("check")
    assert f"WARNING  check: {words}" in done.text
    assert all(how in done.text for how in HOW)
    done = project.pretend("all", "test")
    assert f"WARNING  run: {words}" in done.text
    assert (done.text.count(words), project.log("all").count(words)) == (1, 1)


@pytest.mark.parametrize("cell", ["!cat ../outputs/test/x.txt", "%%bash\ncat ../outputs/test/x"])
def test_the_test_build_in_a_command_is_warned_of(project: TemporaryProject, cell: str) -> None:
    project.notebook("make", cell)
    project.profile("all")
    assert "names outputs/test/, in every profile" in project.call("check").text


@pytest.mark.parametrize(
    "cell",
    ["x = '../outputs/testing/x'", "# ../outputs/test/x", "x = '../outputs/all/test'", "test = 1"],
)
def test_another_text_is_not_warned_of(project: TemporaryProject, cell: str) -> None:
    project.notebook("make", cell)
    project.profile("all")
    assert "WARNING" not in project.call("check").text


def test_who_may_write_a_missing_input_is_mentioned(project: TemporaryProject) -> None:
    project.notebook("prep", "import os", "open('../outputs/' + where + '/x.csv', 'w')")
    project.notebook("other", "open('big_x.csv'); open('x.csv.gz')")
    project.notebook("use", "'x.csv'", parameters="input_x = '../outputs/test/x.csv'")
    project.profile("test")
    assert told_once(project, "test") == (
        "notebooks/use.ipynb, parameters, line 1: input_x: no stage writes outputs/test/x.csv, "
        "but notebooks/prep.ipynb, cell 2 (open('../outputs/' + where + '/x.csv', 'w')) names "
        "x.csv: if it writes it, declare it as `output_…` in a cell with the tag `parameters`"
    )


def kernelspec(name: str, language: str = "python") -> dict[str, object]:
    """Give a notebook's metadata that name a kernel."""
    spec = {"name": name, "language": language, "display_name": name}
    return {"kernelspec": spec, "language_info": {"name": language}}


def test_kernels_of_other_environments_that_are_not_used_are_told_once(
    project: TemporaryProject,
) -> None:
    for number in range(5):
        project.notebook(f"n{number}", "1", metadata=kernelspec("conda-env-stats-py"))
    project.notebook("other", "1", metadata=kernelspec("my_env"))
    project.notebook("usual", "1", metadata=kernelspec("python3"))
    project.profile("all")
    words = (
        "notebooks/n0.ipynb, notebooks/n1.ipynb, notebooks/n2.ipynb and 3 more: kernel "
        "`conda-env-stats-py`, `my_env` are not used; "
    )
    assert f"WARNING  check: {words}" in project.call("check").text
    project.pretend("all")
    assert project.log("all").count(words) == 1
    assert project.log("all").count("WARNING") == 1


def test_a_kernel_that_the_settings_choose_is_not_told_of(project: TemporaryProject) -> None:
    project.notebook("a", "1", metadata=kernelspec("conda-env-stats-py"))
    project.profile("all")
    project.write("pyproject.toml", "[tool.runner]\nkernel = 'python3'\n")
    assert "WARNING" not in project.call("check").text.replace("nothing was checked", "")

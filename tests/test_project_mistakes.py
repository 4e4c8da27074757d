"""A project with mistakes: each is told with its place, and nothing runs."""

from tests.mistakes import told, told_once
from tests.project import TemporaryProject

# A profile, the line of its mistake, and what is said of it.
IN_A_PROFILE = [
    ("maek:\n  count: 1\n  on: true\n", 1, "there is no stage `maek`; did you mean `make`?"),
    ("maek:\n", 1, "there is no stage `maek`; did you mean `make`?"),
    ("zzz:\n  count: 1\n", 1, "there is no stage `zzz`; known: make"),
    ("make:\n  cuont: 2\n", 2, "make has no parameter `cuont`; did you mean `count`?"),
    ("make:\n\n  count: two\n", 3, "`count` takes a whole number, not a text ('two')"),
    ("make:\n  count: 2.0\n", 2, "`count` takes a whole number, not a number (2.0)"),
    ("make:\n  count: true\n", 2, "`count` takes a whole number, not true or false (True)"),
    ("make:\n  count:\n", 2, "`count` takes a whole number, not null"),
    ("make:\n  on: 1\n", 2, "`on` takes true or false, not a whole number (1)"),
    ("make:\n  on: yes\n", 2, "`on` takes true or false, not a text ('yes')"),
    ("make:\n  names: a\n", 2, "`names` takes a list, not a text ('a')"),
    ("make:\n  rate: one\n", 2, "`rate` takes `float | None`, not a text ('one')"),
    ("make:\n  sizes: [1, x]\n", 2, "`sizes` takes `list[int]`, not a list ([1, 'x'])"),
    ("make:\n  kind: c\n", 2, "`kind` takes `Literal['a', 'b']`, not a text ('c')"),
    ("make:\n  free: .nan\n", 2, "`free`: nan is not a number that can be stored"),
    ("make:\n  free: -.inf\n", 2, "`free`: -inf is not a number that can be stored"),
    ("make:\n  free: [1, [.inf]]\n", 2, "`free`: inf is not a number that can be stored"),
    ("make:\n  free: 2020-01-01\n", 2, "`free`: a date"),
    ("make:\n  free: 2020-01-01 10:00:00\n", 2, "`free`: a datetime"),
    ("make:\n  free: !!binary aGk=\n", 2, "the tag `binary` means nothing here"),
    ("make:\n  free: {1: a}\n", 2, "`free`: the key 1 is a whole number (1)"),
    ("make:\n  free: !!int x\n", 2, "`free` cannot be read: x is no whole number"),
    ("make:\n  free: &a [*a]\n", 2, "contains itself, through its anchor"),
    ("make:\n  count: 1\n  count: 2\n", 3, "`count` stands twice (first on line 2)"),
    ("make:\n  count: 1\nmake:\n  on: true\n", 3, "`make` stands twice (first on line 1)"),
    ("make:\n  free: {a: 1,\n   a: 2}\n", 3, "`a` stands twice (first on line 2)"),
    ("make:\n  free: [{a: 1, a: 2}]\n", 2, "`a` stands twice (first on line 2)"),
    ("make: 3\n", 1, "`make` is a stage's section"),
    ("make:\n  count: [1\n", 3, "is not YAML: "),
    ("make:\n  count: 1\n on: true\n", 3, "is not YAML: "),
    ("---\nmake:\n---\nmake:\n", 3, "is not YAML: `---` begins a second document"),
]

# What stands after `-p`, and what is said of it.
ON_THE_COMMAND_LINE = [
    ("make.cuont=2", "-p make.cuont: make has no parameter `cuont`; did you mean `count`?"),
    ("make.count=two", "-p make.count: `count` takes a whole number, not a text ('two')"),
    ("make.count=.nan", "-p make.count: `count`: nan is not a number that can be stored"),
    ("make.output_a=3", "-p make.output_a: `output_a` must be a path in outputs/test/, not n"),
    ("make.output_a=", "-p make.output_a: an input or output is a path"),
    ("make.output_a=../a.txt", "-p make.output_a: `output_a` must be a path in outputs/test/"),
]

# The second line of a parameters cell, and what is said of it.
IN_A_NOTEBOOK = [
    ("count: int = 'a'", "`count` is annotated `int`, but its value is a text ('a')"),
    ("rate: float = None", "`rate` is annotated `float`, but its value is null"),
    ("model = '../outputs/test/x'", "`model` points into outputs/; call it `input_model`"),
    ("model = ['a', '../outputs/x']", "`model` points into outputs/; call it `input_model`"),
    ("model = {'a': ['../outputs/x']}", "`model` points into outputs/; call it `input_model`"),
    ("output_b = '../b.txt'", "`output_b` must be a path in outputs/test/, not b.txt"),
    ("output_b = '/b.txt'", "`output_b` must be a path in outputs/test/, not /b.txt"),
    ("output_b = '../outputs/test/../b'", "`output_b` must be a path in outputs/test/, not o"),
    ("output_b = '../outputs/all/b'", "`output_b` must be a path in outputs/test/, not outpu"),
    ("output_b = 'https://x.org/b'", "`output_b`: an output is a local path"),
    ("output_b = 3", "an input or output is a path (a text) or a list of paths"),
    ("output_b = ['../outputs/test/b', 3]", "an input or output is a path (a text) or a list"),
    ("output_b = ''", "an input or output is a path (a text) or a list of paths"),
    ("output_b = '../outputs/test/runs'", "`output_b`: outputs/test/runs is where the runner"),
    ("output_b = '../outputs/test/runs/b'", "`output_b`: outputs/test/runs is where the run"),
    ("output_b = '../outputs/test/notebooks/b'", "`output_b`: outputs/test/notebooks is whe"),
    ("output_b = '../outputs/test/log.txt'", "`output_b`: outputs/test/log.txt is where the"),
    ("output_b = '../outputs/test/a.txt'", "outputs/test/a.txt is written twice"),
    ("output_b = '../outputs/test/a.txt/b'", "outputs/test/a.txt/b lies in outputs/test/a.t"),
    ("input_b = '../outputs/test/a.txt'", "make reads outputs/test/a.txt, which it writes"),
    ("input_b = '../outputs/test/a.tx'", "input_b: no stage writes outputs/test/a.tx; did y"),
    ("input_b = '../data/b.csv'", "input_b: data/b.csv is missing; put it there or correct"),
    ("input_b = ['make.ipynb', 'b']", "input_b: notebooks/b is missing; put it there or corr"),
    ("input_b = 'package:no_such_one/b'", "package:no_such_one/b: the package no_such_one is"),
    ("input_b = 'package:json/b'", "package:json/b: the package json has no b"),
    ("input_b = 'package:json'", "package:json: write package:NAME/path/of/the/file"),
    ("input_b = 'package:json/../b'", "package:json/../b: write package:NAME/path/of/the/fi"),
    ("input_b = 'https://x.org/b'", "https://x.org/b: a URL needs its checksum"),
    ("input_b = 'https://x.org/b#sha256=12'", "https://x.org/b#sha256=12: a URL needs its c"),
    ("input_b = 'https://x.org/b#md5=12'", "https://x.org/b#md5=12: a URL needs its checksum"),
]


def test_all_mistakes_are_told_at_once(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",), parameters="count = 1\nname = 'x'")
    project.stage("also", writes=("a.txt",), parameters="api_key = ''")
    project.stage("read", reads=("nowhere.txt",), writes=("b.txt",))
    project.profile(
        "test",
        "make:\n  cuont: 2\n  count: many\n  name: .nan\nmaek:\n  x: 1\nmake:\n  name: y\n",
    )
    lines = told(project, "test")
    assert [line.split(": ")[0] for line in lines] == [
        "params/test.yaml:7",
        "notebooks/also.ipynb, parameters, line 2",
        "params/test.yaml:2",
        "params/test.yaml:3",
        "params/test.yaml:4",
        "params/test.yaml:5",
        "notebooks/make.ipynb, parameters, line 1",
        "notebooks/read.ipynb, parameters, line 1",
    ]
    assert project.run("test", code=2) == project.call("test", code=2)


def test_mistakes_of_all_profiles_on_the_line_are_told_and_of_no_other(
    project: TemporaryProject,
) -> None:
    project.stage("make", writes=("a.txt",), parameters="count = 1")
    for name in ("test", "all", "sample"):
        project.profile(name, "make:\n  cuont: 2\n")
    lines = told(project, "test", "sample")
    assert [line.split(": ")[0] for line in lines] == ["params/test.yaml:2", "params/sample.yaml:2"]


def test_a_mistake_in_a_profile_is_told_with_its_line(project: TemporaryProject) -> None:
    project.stage(
        "make",
        writes=("a.txt",),
        parameters="count = 1\non = False\nnames = ['a']\nrate: float | None = None\n"
        "sizes: list[int] = []\nkind: Literal['a', 'b'] = 'a'\nfree = None",
    )
    for yaml, where, what in IN_A_PROFILE:
        project.profile("test", yaml)
        line = told_once(project, "test")
        assert line.startswith(f"params/test.yaml:{where}: {what}"), yaml


def test_a_profile_that_is_no_mapping_is_a_mistake(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",))
    for yaml in ("- make\n", "just words\n", "7\n"):
        project.profile("test", yaml)
        line = told_once(project, "test")
        assert line.startswith("params/test.yaml: must hold a section per stage"), yaml


def test_a_profile_that_is_not_utf8_is_a_mistake(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",))
    project.profile("test").write_bytes(b"make:\n  name: \xff\n")
    assert told_once(project, "test").startswith("params/test.yaml: is not UTF-8; ")


def test_a_mistake_in_a_value_on_the_command_line_is_told(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",), parameters="count = 1")
    project.profile("test")
    for value, what in ON_THE_COMMAND_LINE:
        assert told_once(project, "test", "-p", value).startswith(what), value


def test_a_parameter_whose_name_looks_like_a_secret_is_a_mistake(project: TemporaryProject) -> None:
    names = [
        "password",
        "db_password",
        "api_key",
        "apikey",
        "apiKey",
        "TOKEN",
        "access_token",
        "secret",
    ]
    for number, name in enumerate(names):
        project.stage(f"s{number}", writes=(f"{number}.txt",), parameters=f"{name} = ''")
    project.profile("test")
    lines = told(project, "test")
    assert len(lines) == len(names)
    for number, (line, name) in enumerate(zip(lines, names, strict=True)):
        place = f"notebooks/s{number}.ipynb, parameters, line 2"
        assert line.startswith(f"{place}: `{name}` looks like a secret")


def test_a_name_that_is_said_to_be_no_secret_may_be_a_parameters(project: TemporaryProject) -> None:
    project.profile("test")
    project.stage("a", writes=("a.txt",), parameters="token_col = 'token'")
    (line,) = told(project, "test")
    assert line.endswith('secrets = ["!token_col"] under [tool.runner] says so')
    project.write("pyproject.toml", '[tool.runner]\nsecrets = ["!token_col"]\n')
    assert project.to_run("test") == ["a"]


def test_a_parameter_whose_name_only_resembles_a_secret_is_none(project: TemporaryProject) -> None:
    names = ("max_tokens", "tokenizer", "secretary", "keys", "monkey")
    parameters = "\n".join(f"{name} = 1" for name in names)
    project.stage("make", writes=("a.txt",), parameters=parameters)
    project.profile("test")
    shown = project.call("list").out
    for name in names:
        assert f" {name} = 1\n" in shown


def test_a_mistake_in_a_notebooks_parameter_is_told_with_its_line(
    project: TemporaryProject,
) -> None:
    project.profile("test")
    place = "notebooks/make.ipynb, parameters, line 2"
    for parameter, what in IN_A_NOTEBOOK:
        project.stage("make", writes=("a.txt",), parameters=parameter)
        assert told_once(project, "test").startswith(f"{place}: {what}"), parameter


def test_two_stages_that_write_one_file_are_a_mistake(project: TemporaryProject) -> None:
    project.stage("one", writes=("a.txt",))
    project.stage("two", writes=("b.txt", "a.txt"))
    project.profile("test")
    assert told_once(project, "test") == (
        "notebooks/two.ipynb, parameters, line 2: outputs/test/a.txt is written by one and by "
        "two; give each output its own path"
    )


def test_an_output_inside_another_stages_folder_is_a_mistake(project: TemporaryProject) -> None:
    project.notebook("one", parameters="output_all = '../outputs/test/folder/'")
    project.notebook("two", parameters="output_b = '../outputs/test/folder/b.txt'")
    project.profile("test")
    assert told_once(project, "test") == (
        "notebooks/two.ipynb, parameters, line 1: outputs/test/folder/b.txt lies in "
        "outputs/test/folder, an output of one; give each output its own path"
    )


def test_an_output_that_is_the_build_itself_is_a_mistake(project: TemporaryProject) -> None:
    project.notebook("make", parameters="output_all = '../outputs/test/'")
    project.profile("test")
    assert told_once(project, "test").startswith(
        "notebooks/make.ipynb, parameters, line 1: `output_all` must be a path in outputs/test/"
    )


def test_a_cycle_of_three_is_told_as_a_path(project: TemporaryProject) -> None:
    project.stage("first", writes=("0.txt",))
    project.stage("a", reads=("3.txt", "0.txt"), writes=("1.txt",))
    project.stage("b", reads=("1.txt",), writes=("2.txt",))
    project.stage("c", reads=("2.txt",), writes=("3.txt",))
    project.profile("test")
    line = told_once(project, "test")
    path = line.partition("these stages need each other: ")[2].partition(";")[0]
    assert path in {"a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"}


def test_a_path_of_another_build_in_a_profile_is_a_mistake(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",))
    project.profile("all", "make:\n  output_a: ../outputs/test/a.txt\n")
    line = told_once(project, "all")
    assert line.startswith(
        "params/all.yaml:2: `output_a` must be a path in outputs/all/, not outputs/test/a.txt; "
        "leave it out"
    )


def test_a_missing_input_that_a_profile_names_is_told_with_the_profiles_line(
    project: TemporaryProject,
) -> None:
    project.notebook("make", parameters="input_b = 'make.ipynb'")
    project.profile("test", "make:\n  input_b: ../data/b.csv\n")
    assert told_once(project, "test").startswith(
        "params/test.yaml:2: input_b: data/b.csv is missing"
    )


def test_a_value_for_a_notebook_without_parameters_cell_is_a_mistake(
    project: TemporaryProject,
) -> None:
    project.notebook("make", "x = 1")
    project.profile("test", "make:\n  x: 2\n")
    assert told_once(project, "test") == (
        "params/test.yaml:2: notebooks/make.ipynb has no cell tagged `parameters`; "
        "add one with `x = …`"
    )


NO_PYTHON = {
    "def f(:": "invalid syntax, line 1 (def f(:)",
    "x = 1\nprint(x": "'(' was never closed, line 2 (print(x)",
    "async def f():\n    await x\nx = = 2": "invalid syntax, line 3 (x = = 2)",
}
PYTHON = [
    "await x",
    "async for y in z():\n    pass",
    "%time x = 1 +",
    "!ls (",
    "x = !ls (",
    "x = %who (",
    "open?",
    "%%bash\nif (",
    "/print 1",
    ">>> x = 1",
    "    indented = 1",
    "for x in y:\n    %time f(",
]


def test_a_cell_that_is_no_python_is_told_before_anything_runs(project: TemporaryProject) -> None:
    project.profile("test")
    project.notebook("z", "x = 1", *NO_PYTHON)
    project.notebook("b", "x = 1")
    for words in (("test",), ("check",), ("-n", "test")):
        lines = project.call(*words, code=2).err.splitlines()[1:]
        assert len(lines) == len(NO_PYTHON)
        for line, what in zip(lines, NO_PYTHON.values(), strict=True):
            assert line.endswith(f"is no Python: {what}")
    assert project.to_run("test-b") == ["b"]


def test_what_ipython_makes_python_of_is_no_mistake(project: TemporaryProject) -> None:
    project.profile("test")
    project.notebook("a", *PYTHON)
    project.notebook("b", "get_ipython().input_transformers_cleanup.append(f)", "def f(:")
    assert project.to_run("test") == ["a", "b"]

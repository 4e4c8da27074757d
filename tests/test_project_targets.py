"""Words on the command line, the stages that they mean, and the order of these."""

import re

import pytest

from runner.cli.commands import COMMANDS
from runner.project.layout import load
from runner.project.targets import Selection, select
from tests.project import TemporaryProject

EVERYTHING = ("compare", "data", "features", "model", "report")


def planned(project: TemporaryProject, *words: str) -> dict[str, dict[str, str]]:
    """Ask what would run: for each profile the stages in order, each with `run` or `skip`."""
    found: dict[str, dict[str, str]] = {}
    for line in project.call("-n", *words).out.splitlines():
        if line.endswith(":"):
            found[line.removesuffix(":")] = {}
        else:
            stage, what, *_ = line.split()
            found[[*found][-1]][stage] = what
    return found


# Words, and the stages that they name in each profile.
MEANINGS: list[tuple[str, dict[str, tuple[str, ...]]]] = [
    ("test", {"test": EVERYTHING}),
    ("all", {"all": EVERYTHING}),
    ("data", {"all": ("data",)}),
    ("report data", {"all": ("report", "data")}),
    ("test-data", {"test": ("data",)}),
    ("test-data features model", {"test": ("data", "features", "model")}),
    ("test data", {"test": EVERYTHING}),
    ("data test-data", {"all": ("data",), "test": ("data",)}),
    ("test-data all-data features", {"test": ("data",), "all": ("data", "features")}),
    ("sample-data test-model data", {"sample": ("data",), "test": ("model", "data")}),
    ("test-data test-data data", {"test": ("data",)}),
    ("test-model data", {"test": ("model", "data")}),
    ("test all", {"test": EVERYTHING, "all": EVERYTHING}),
    ("all test", {"all": EVERYTHING, "test": EVERYTHING}),
    ("test-data test", {"test": EVERYTHING}),
]


def test_words_mean_stages_of_profiles(example: TemporaryProject) -> None:
    loaded = load(example.root)
    for words, selected in MEANINGS:
        found = select(words.split(), loaded)
        assert [(one.profile, one.named) for one in found] == [*selected.items()], words


@pytest.mark.parametrize(
    ("word", "whole", "from_scratch"),
    [("test", True, True), ("all", True, False), ("test-data", False, False)],
)
def test_only_the_whole_test_profile_starts_from_scratch(
    example: TemporaryProject, word: str, *, whole: bool, from_scratch: bool
) -> None:
    (found,) = select([word], load(example.root))
    assert isinstance(found, Selection)
    assert (found.whole, found.from_scratch) == (whole, from_scratch)


# In the order in which they run.
ORDER = ("data", "features", "model", "compare", "report")
# Words, and what they make run, in order.
PLANS: list[tuple[str, dict[str, dict[str, str]]]] = [
    ("test", {"test": dict.fromkeys(ORDER, "run")}),
    ("test-data", {"test": {"data": "run"}}),
    ("test-model", {"test": dict.fromkeys(ORDER[:3], "run")}),
    ("test-data features model", {"test": dict.fromkeys(ORDER[:3], "run")}),
    ("model", {"all": dict.fromkeys(ORDER[:3], "run")}),
    ("sample-data test-data", {"sample": {"data": "run"}, "test": {"data": "run"}}),
]


def test_a_target_brings_along_what_it_needs(example: TemporaryProject) -> None:
    for words, plan in PLANS:
        found = planned(example, *words.split())
        assert [(name, [*one.items()]) for name, one in found.items()] == [
            (name, [*one.items()]) for name, one in plan.items()
        ], words
    assert not (example.root / "outputs").exists()
    done = example.run("-n", "test-data", "features", "model")
    assert done == example.call("-n", "test-data", "features", "model")


def test_what_no_run_has_made_is_not_taken_for_made(example: TemporaryProject) -> None:
    example.write("outputs/all/cars.csv", "")
    assert planned(example, "all-features")["all"] == {"data": "run", "features": "run"}


def test_numbers_in_front_of_names_give_the_order_and_are_dropped(
    project: TemporaryProject,
) -> None:
    for name in ("10_c", "2_b", "1_a", "03-x y", "2b.d", "2"):
        project.notebook(name, "1")
    project.profile("test")
    assert [*planned(project, "test")["test"]] == ["a", "2", "b", "2b.d", "x", "c"]


def test_notebooks_that_declare_nothing_come_one_after_the_other(
    project: TemporaryProject,
) -> None:
    for name in ("1_a", "2_b", "10_c"):
        project.notebook(name, "1")
    project.profile("test")
    assert [*planned(project, "test-b")["test"]] == ["a", "b"]
    assert [*planned(project, "test-c")["test"]] == ["a", "b", "c"]


def test_what_stages_read_and_write_goes_before_numbers(project: TemporaryProject) -> None:
    project.stage("1_last", reads=("b.txt",), writes=("c.txt",))
    project.stage("2_middle", reads=("a.txt",), writes=("b.txt",))
    project.stage("3_first", writes=("a.txt",))
    project.profile("test")
    assert [*planned(project, "test")["test"]] == ["first", "middle", "last"]


def test_a_stage_comes_after_those_that_write_into_a_folder_that_it_reads(
    project: TemporaryProject,
) -> None:
    project.notebook("a", parameters="input_all = '../outputs/test/parts/'")
    project.notebook("b", parameters="input_one = '../outputs/test/whole/1.txt'")
    project.notebook("c", parameters="output_one = '../outputs/test/parts/1.txt'")
    project.notebook("d", parameters="output_two = ['../outputs/test/parts/2.txt']")
    project.notebook("e", parameters="output_all = '../outputs/test/whole'")
    project.profile("test")
    assert [*planned(project, "test-a")["test"]] == ["c", "d", "a"]
    assert [*planned(project, "test-b")["test"]] == ["e", "b"]


def test_notebooks_dropped_in_find_their_place(example: TemporaryProject) -> None:
    example.notebook(
        "a_scaling",
        parameters=(
            'input_features = "../outputs/test/features.csv"\n'
            'output_scaled = "../outputs/test/scaled.csv"'
        ),
    )
    model = example.root / "notebooks" / "model.ipynb"
    text = model.read_text("utf-8")
    model.write_text(text.replace("outputs/test/features.csv", "outputs/test/scaled.csv"), "utf-8")
    example.notebook("appendix", parameters='input_model = "../outputs/test/model.json"')
    assert [*planned(example, "test")["test"]] == [
        *("data", "features", "a_scaling", "model", "appendix", "compare", "report")
    ]
    assert [*planned(example, "all-model")["all"]] == ["data", "features", "a_scaling", "model"]


def test_paths_of_the_test_build_are_moved_into_that_of_the_profile(
    project: TemporaryProject,
) -> None:
    project.notebook(
        "make",
        parameters=(
            'output_one = "../outputs/test/deep/one.txt"\n'
            'output_many = ["../outputs/test/two.txt", "../outputs/test/three/"]\n'
            'input_own = "make.ipynb"'
        ),
    )
    project.notebook("read", parameters='input_one = "../outputs/test/deep/one.txt"')
    for name in ("test", "all"):
        project.profile(name)
    for name in ("test", "all"):
        lines = [line.split()[:2] for line in project.call("list", name).out.splitlines()]
        assert [line for line in lines if line[:1] in (["reads"], ["writes"])] == [
            ["reads", "notebooks/make.ipynb"],
            ["writes", f"outputs/{name}/deep/one.txt"],
            ["writes", f"outputs/{name}/two.txt"],
            ["writes", f"outputs/{name}/three"],
            ["reads", f"outputs/{name}/deep/one.txt"],
        ]


def test_a_path_that_a_profile_names_is_not_moved(project: TemporaryProject) -> None:
    project.stage("make", writes=("a.txt",))
    project.notebook("read", parameters='input_a = "../outputs/test/a.txt"')
    project.profile("all", "read:\n  input_a: build:test/a.txt\n")
    project.write("outputs/test/a.txt", "")
    assert "    reads   build:test/a.txt\n" in project.call("list", "all").out


def test_the_layers_of_a_parameter_are_listed_with_where_the_value_came_from(
    project: TemporaryProject,
) -> None:
    project.notebook("make", parameters="a = 1\nb = 1\nc = 1\nd = 1.5\ne = None\nf = 'x'")
    project.profile("test", "make:\n  b: 2\n  c: 2\n  d: 3\n\n  f: yes\n")
    done = project.call("list", "-p", "make.c=3", "-p", "make.e=[1, {a: null}]")
    assert [line.strip() for line in done.out.splitlines() if " = " in line] == [
        "a = 1",
        "b = 2  (params/test.yaml:2)",
        "c = 3  (-p make.c)",
        "d = 3.0  (params/test.yaml:4)",
        "e = [1, {'a': None}]  (-p make.e)",
        "f = 'yes'  (params/test.yaml:6)",
    ]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        *(
            (text, text)
            for text in ("01234", "2024-02-29", "@home", "a: b", "on", "null", "", "'q'")
        ),
        ("- [", "- ["),
        ("a=b", "a=b"),
        ("text:each:1", "each:1"),
        ("text:a", "text:a"),
    ],
)
def test_a_parameter_that_is_a_text_takes_a_value_as_it_stands(
    project: TemporaryProject, given: str, taken: str
) -> None:
    project.notebook("make", parameters="a = 'x'\nb: str = 'y'\nc = None")
    project.profile("test")
    said = project.call("list", "-p", f"make.a={given}", "-p", f"make.b={given}").out
    assert f"    a = {taken!r}  (-p make.a)\n" in said
    assert f"    b = {taken!r}  (-p make.b)\n" in said


def test_of_two_values_on_the_command_line_the_last_counts(project: TemporaryProject) -> None:
    project.notebook("make", parameters="a = 1")
    project.profile("test")
    words = ("-p", "make.a=2", "-p", "make.a=3")
    assert "    a = 3  (-p make.a)\n" in project.call("list", *words).out
    project.pretend("test", *words)
    (stage,) = project.record("test")["stages"]
    assert stage["parameters"]["a"] == {"value": 3, "from": "-p make.a"}


def test_a_value_on_the_command_line_may_be_for_a_stage_with_dots_in_its_name(
    project: TemporaryProject,
) -> None:
    for name in ("fit", "fit.v2", "fit.v2.1"):
        project.notebook(name, parameters="a = 1\nb = 1.5")
    project.profile("test")
    words = ("-p", "fit.v2.a=2", "-p", "fit.v2.1.b=3.5", "-p", "fit.v2.1.a=4")
    shown = project.call("list", *words).out
    taken = {part.split()[0]: re.findall(r" = (\S+)", part) for part in shown.split("\n\n  ")[1:]}
    assert taken == {"fit": ["1", "1.5"], "fit.v2": ["2", "1.5"], "fit.v2.1": ["4", "3.5"]}
    done = project.call("list", "-p", "fit.v3.a=2", code=2)
    assert "there is no stage `fit.v3`; did you mean `fit.v2`?" in done.err


def test_an_empty_profile_changes_nothing(project: TemporaryProject) -> None:
    project.notebook("make", parameters="a = 1")
    for name, text in (("test", ""), ("one", "# nothing\n"), ("two", "make:\n"), ("all", "{}\n")):
        project.profile(name, text)
        assert "    a = 1\n" in project.call("list", name).out


def test_a_stage_may_have_the_name_of_a_command(project: TemporaryProject) -> None:
    names = [*COMMANDS, "clean-all"]
    for number, name in enumerate(names):
        project.stage(f"{number:02}_{name}", "print(1)", writes=(f"{number}.txt",))
    project.profile("all")
    project.pretend("all")
    assert [*project.states("all")] == names
    built = {path: path.read_bytes() for path in project.outputs("all").glob("[0-9]*.txt")}
    for name in names:
        project.pretend("-f", f"all-{name}")
        assert project.states("all")[name] == "succeeded"
        if name == "help":
            continue
        # Its word alone is the command; one that changes something is not guessed.
        changes = name in {"accept", "clean", "clean-all", "stop", "tidy"}
        # Of the runs before, each has built something else.
        refused = changes or name in {"adopt", "debug", "job", "lab", "new", "watch"}
        done = project.call(name, code=2 if refused else int(name == "diff"))
        assert f"the stage is all-{name}, or its notebook's path" in done.err
        assert (done.out == "") is refused
    assert built == {path: path.read_bytes() for path in built}
    # With more than that the command is meant.
    project.call("tidy", "notebooks/00_list.ipynb")
    told = project.call("clean-all", "-n").out
    assert told.startswith(f"would remove outputs/all/ ({len(project.runs('all'))} runs, ")


def test_a_stage_that_is_forced_must_be_needed(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    project.stage("b", reads=("a.txt",), writes=("b.txt",))
    project.pretend("all")
    for words in (["-n", "a"], ["a"]):
        done = project.call("--force=b", *words, code=2)
        assert done.err == ("run.py: --force=b: `a` does not need b; make it a target, too\n")
    assert project.to_run("--force=a", "b") == ["a", "b?"]


def test_a_notebooks_name_with_its_number_is_near_its_stage(project: TemporaryProject) -> None:
    project.profile("all")
    for name in ("01_data", "02_clean"):
        project.notebook(name, "x = 1")
    # Not the command that destroys.
    for word, meant in {"02_clean": "all-clean", "01_data": "data", "data.py": "data"}.items():
        told = project.call(word, code=2).err
        assert f"there is no target `{word}`; did you mean `{meant}`?" in told
    assert "`clean-all` is a command; it must be" in project.call("all", "clean-all", code=2).err

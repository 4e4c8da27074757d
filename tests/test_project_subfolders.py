"""Notebooks in folders below `notebooks/`, what is no stage, the order, and what always runs."""

import json
from pathlib import Path

import pytest

from runner.project.naming import natural_key, stage_name
from tests.mistakes import refused, told_once
from tests.project import TemporaryProject, both_ways, wait_for


def nested(project: TemporaryProject) -> None:
    """Write a stage beside a folder with two, which read it and each other."""
    project.profile("test")
    project.profile("all", "eda/look:\n  n: 2\n")
    project.stage("01_data", writes=("data.txt",))
    (project.root / "notebooks/02_eda").mkdir()
    project.notebook(
        "02_eda/01_look",
        "from pathlib import Path",
        "Path(output_look).write_text(Path(input_data).read_text() * n)",
        parameters='input_data = "../../outputs/test/data.txt"\n'
        'output_look = "../../outputs/test/look.txt"\nn = 1',
    )
    project.notebook(
        "02_eda/02_plot",
        "from pathlib import Path",
        "Path(output_plot).write_text(Path(input_look).read_text() + 'plot')",
        parameters='input_look = "../../outputs/test/look.txt"\n'
        'output_plot = "../../outputs/test/plot.txt"',
    )


def stages(project: TemporaryProject, profile: str = "all") -> list[str]:
    """Give the stages of a profile in their order, as `-n` tells it."""
    lines = project.call("-n", profile).out.splitlines()[1:]
    return [line.removeprefix("  ").partition("  ")[0] for line in lines]


def test_notebooks_in_folders_are_stages_with_their_paths_as_names(
    project: TemporaryProject,
) -> None:
    nested(project)
    assert stages(project) == ["data", "eda/look", "eda/plot"]
    project.pretend("all")
    assert (project.outputs("all") / "plot.txt").read_text("utf-8") == "01_data\n01_data\nplot"
    for folder in (project.outputs("all"), project.runs("all")[-1]):
        found = sorted(path.relative_to(folder) for path in folder.glob("notebooks/**/*.ipynb"))
        names = ("data.ipynb", "eda/look.ipynb", "eda/plot.ipynb")
        assert found == [Path("notebooks", name) for name in names]
    assert stages(project) == ["data", "eda/look", "eda/plot"]
    assert project.call("-n", "all").out.count("up to date") == 3
    assert "  eda/look  (notebooks/02_eda/01_look.ipynb)" in project.call("list").out


@pytest.mark.parametrize(
    "word",
    [
        *("eda/look", "all-eda/look", "notebooks/02_eda/01_look.ipynb"),
        *("./notebooks/02_eda/01_look.ipynb", "all-notebooks/02_eda/01_look.ipynb"),
    ],
)
def test_a_stage_in_a_folder_is_a_target_by_its_name_and_by_its_path(
    project: TemporaryProject, word: str
) -> None:
    nested(project)
    assert stages(project, word) == ["data", "eda/look"]


def test_a_notebooks_path_may_be_that_from_where_the_command_is_given(
    project: TemporaryProject,
) -> None:
    nested(project)
    done = project.run("-n", "01_look.ipynb", cwd=project.root / "notebooks/02_eda")
    assert "  eda/look  run" in done.out
    assert refused(project, "03_look.ipynb").startswith("there is no target `03_look.ipynb`")


def test_a_parameter_of_a_stage_in_a_folder_is_set_everywhere(project: TemporaryProject) -> None:
    nested(project)
    assert "n = 2  (params/all.yaml:2)" in project.call("list", "all").out
    done = project.call("list", "all", "-p", "eda/look.n=3")
    assert "n = 3  (-p eda/look.n)" in done.out
    assert "  eda/plot  run    forced" in project.call("-n", "all", "--force=eda/plot").out
    project.profile("all", "eda/lok:\n  n: 2\n")
    assert told_once(project, "all") == (
        "params/all.yaml:1: there is no stage `eda/lok`; did you mean `eda/look`?"
    )


def test_the_log_of_a_stage_in_a_folder_can_be_told_from_the_others(
    project: TemporaryProject,
) -> None:
    nested(project)
    project.pretend("all")
    lines = project.call("log", "all", "eda/look").out.splitlines()
    assert lines
    assert all(" eda/look: " in line for line in lines)


def test_a_failure_in_a_folder_names_the_notebook_to_open(project: TemporaryProject) -> None:
    project.profile("all")
    (project.root / "notebooks/02_eda").mkdir()
    project.notebook("02_eda/01_look", "1 / 0")
    done = project.pretend("eda/look", code=1)
    name = f"outputs/all/runs/{project.runs('all')[-1].name}/notebooks/eda/look.ipynb"
    assert f"see the executed notebook: {name}" in done.text
    assert (project.root / name).exists()


@both_ways
def test_a_notebook_in_a_folder_runs_in_that_folder(
    project: TemporaryProject, *, cold: bool
) -> None:
    project.profile("all")
    (project.root / "notebooks/part/deep").mkdir(parents=True)
    project.write("notebooks/part/deep/numbers_of_ours.py", "x = 'deep'")
    project.write("notebooks/numbers_of_ours.py", "x = 'top'")
    look = "import os, numpy, numbers_of_ours"
    for name in ("top", "part/inner", "part/deep/innermost"):
        up = "../" * (name.count("/") + 1)
        wanted = Path("notebooks", name).parent
        project.notebook(
            name,
            look if name != "part/inner" else "import os, numpy",
            f"assert os.getcwd().endswith({str(wanted)!r}), os.getcwd()",
            f"open({up!r} + 'outputs/all/x', 'a').close()",
            "print('x' * 600_000)" if "deep" in name else "1",
            "assert numbers_of_ours.x == ('deep' if 'deep' in os.getcwd() else 'top')"
            if name != "part/inner"
            else "1",
        )
    project.run("all", "-j", "2")
    assert project.states("all") == dict.fromkeys(
        ["part/deep/innermost", "part/inner", "top"], "succeeded"
    )
    warm = {project.stage_record("all", name)["warm"] for name in project.states("all")}
    assert warm == {not cold}
    run = project.runs("all")[-1]
    assert (run / "printed/part/deep/innermost-4-stdout.txt").stat().st_size == 600_001
    shown = project.executed("all", "part/deep/innermost").cells[3].outputs
    assert "printed/part/deep/innermost-4-stdout.txt" in json.dumps(shown)
    assert [*run.rglob("notebooks/**/.*")] == []


def test_what_lies_beside_a_notebook_in_a_folder_is_not_imported_ahead_of_another(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    (project.root / "notebooks/part").mkdir()
    # What the package that is installed imports.
    project.write("notebooks/part/certifi.py", "raise ImportError('ours')")
    project.notebook("part/inner", "import requests")
    project.notebook("other", "import requests")
    project.run("all", code=1)
    assert project.states("all") == {"other": "succeeded", "part/inner": "failed"}
    assert project.stage_record("all", "part/inner")["error"] == "ImportError: ours"


def test_a_further_attempt_of_a_stage_in_a_folder_leaves_the_first_ones_notebook(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    (project.root / "notebooks/part").mkdir()
    project.notebook("part/a.b", "import os; os._exit(3)")
    project.run("all", "--retries", "1", code=1)
    found = sorted(path.name for path in project.runs("all")[-1].glob("notebooks/part/*"))
    assert found == ["a.b.attempt-1.ipynb", "a.b.ipynb"]


def test_a_run_that_was_lost_leaves_no_hidden_file_in_a_folder(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    (project.root / "notebooks/part").mkdir()
    here = tmp_path / "here"
    project.notebook(
        "part/inner", f"import time\nopen({str(here)!r}, 'w').close()\ntime.sleep(600)"
    )
    with project.running("all") as process:
        wait_for(here)
        process.kill()
        process.wait(30)
    (lost,) = project.runs("all")
    assert [path.name for path in lost.glob("notebooks/part/.*")] == [".inner.reserve"]
    kept = lost / "notebooks/part/.ipynb_checkpoints/.mine"
    kept.parent.mkdir()
    kept.write_text("x")
    project.notebook("part/inner", "1")
    done = project.pretend("all")
    assert f"run {lost.name} was lost in part/inner, cell 1" in done.text
    assert [path.name for path in lost.glob("notebooks/part/.*")] == [".ipynb_checkpoints"]
    assert kept.exists()


def test_a_module_beside_a_notebook_in_a_folder_counts_for_up_to_date(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    (project.root / "notebooks/part").mkdir()
    project.write("notebooks/part/ours_only.py", "x = 1")
    project.notebook("part/inner", "import sys; sys.path[:0] = ['']\nimport ours_only")
    project.pretend("all")
    assert "up to date" in project.call("-n", "all").out
    project.write("notebooks/part/ours_only.py", "x = 2")
    assert "notebooks/part/ours_only.py changed" in project.call("-n", "all").out


def test_scratch_is_no_stage_and_that_is_said(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("make", "1")
    (project.root / "notebooks/_old/deep").mkdir(parents=True)
    (project.root / "notebooks/_empty").mkdir()
    for name in ("Untitled", "Untitled3", "make-Copy1", "_draft", "_old/deep/x"):
        project.notebook(name, "1 / 0")
    for name in (".hidden", ".ipynb_checkpoints/make-checkpoint", ".git/x"):
        project.write(f"notebooks/{name}.ipynb", "")
    assert stages(project) == ["make"]
    names = ", ".join(
        f"notebooks/{name}"
        for name in ("Untitled.ipynb", "Untitled3.ipynb", "_draft.ipynb", "_old/", "make-Copy1")
    )
    words = f"left out: {names}.ipynb (names such as Untitled, x-Copy1 and _x are no stages')"
    assert words in project.call("list").out
    assert words in project.call("check").text
    for word in ("notebooks/_draft.ipynb", "_draft", "notebooks/_old/deep/x.ipynb"):
        assert refused(project, word) == f"`{word}` is no stage; {words}"
    project.pretend("all")
    assert project.log("all").count(words) == 1


def test_a_folder_that_is_a_link_or_an_environment_is_told_of_where_it_has_notebooks(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.notebook("make", "1")
    (tmp_path / "other/in").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "other/in/x.ipynb").write_text("")
    (project.root / "notebooks/linked").symlink_to(tmp_path / "other")
    (project.root / "notebooks/data").symlink_to(tmp_path / "data")
    (project.root / "notebooks/again").symlink_to(project.root / "notebooks")
    project.write("notebooks/env/pyvenv.cfg", "")
    project.write("notebooks/env/lib/x.ipynb", "")
    done = project.call("check")
    assert (
        "left out: notebooks/again/ (a link; put the folder itself there), notebooks/env/ "
        "(an environment), notebooks/linked/ (a link; put the folder itself there) (names"
    ) in done.text
    assert stages(project) == ["make"]


def test_with_nothing_but_scratch_it_is_said_what_was_left_out(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("Untitled", "1")
    assert told_once(project, "all").startswith(
        "notebooks/: holds no notebook; put the stages there; left out: notebooks/Untitled.ipynb"
    )


def test_two_notebooks_of_one_stage_in_folders_are_a_mistake(project: TemporaryProject) -> None:
    project.profile("all")
    for folder in ("1_eda", "02_eda"):
        (project.root / "notebooks" / folder).mkdir()
        project.notebook(f"{folder}/look", "1")
    assert told_once(project, "all") == (
        "notebooks/02_eda/look.ipynb: is the stage `eda/look` as notebooks/1_eda/look.ipynb is; "
        "rename one"
    )


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("01_eda/02-look", "eda/look"),
        ("1.5_prep", "prep"),
        ("1.10 prep", "prep"),
        ("3.1.2_prep", "prep"),
        ("007_bond", "bond"),
        ("1.5", "1.5"),
        ("01/02", "01/02"),
        ("100_days", "100_days"),
        ("2024-01-15 eda", "2024-01-15 eda"),
        ("24-01-15 eda", "24-01-15 eda"),
        ("15.01.2024_eda", "15.01.2024_eda"),
        ("1-2-2024 eda", "1-2-2024 eda"),
        ("01-2024 eda", "01-2024 eda"),
        ("2024/01_look", "2024/look"),
        ("20240115_eda", "20240115_eda"),
        ("3D plot", "3D plot"),
    ],
)
def test_a_date_or_a_long_number_is_a_part_of_a_stages_name(name: str, stage: str) -> None:
    assert stage_name(Path(f"notebooks/{name}.ipynb")) == stage


@pytest.mark.parametrize(
    "names",
    [
        ["01_w", "1.5_x", "02_y", "10_z", "a", "a2", "a10"],
        ["1", "1.25_x", "1.3_y", "1.5", "2"],
        ["1.9.1_y", "1.10.1_x"],
        ["01_a", "02_b/01_z", "02_b/02_a", "03_c"],
        ["eda", "eda/a", "eda2/a"],
        ["2023-12-31 x", "2024-01-15 x", "2024-02-01 x"],
        ["v1.9", "v1.10"],
    ],
)
def test_stages_that_declare_nothing_come_in_the_natural_order_of_their_paths(
    project: TemporaryProject, names: list[str]
) -> None:
    project.profile("all")
    for name in reversed(names):
        (project.root / "notebooks" / name).parent.mkdir(exist_ok=True)
        project.notebook(name, "1")
    assert sorted(names, key=natural_key) == names
    found = stages(project)
    assert found == list(dict.fromkeys(stage_name(Path(f"n/{one}.x")) for one in names))


def test_a_stage_that_always_runs_is_never_up_to_date(project: TemporaryProject) -> None:
    project.profile("all")
    fetch = "from pathlib import Path\nPath(output_x).write_text(Path('../now.txt').read_text())"
    project.write("now.txt", "1")
    (project.root / "notebooks/db").mkdir()
    fetched = "output_x = '../../outputs/test/x.txt'"
    always = {"runner": {"always": True}}
    project.notebook(
        "db/fetch", fetch.replace("../now", "../../now"), parameters=fetched, metadata=always
    )
    project.stage("use", reads=("x.txt",), writes=("y.txt",))
    project.pretend("all")
    for _ in range(2):
        lines = project.call("-n", "all").out.splitlines()
        assert lines[1:] == [
            "  db/fetch  run    it always runs",
            "  use       maybe  if db/fetch writes something else",
        ]
        project.pretend("all")
        assert project.states("all") == {"db/fetch": "succeeded", "use": "skipped"}
        reasons = project.stage_record("all", "db/fetch")["reasons"]
        assert reasons == [{"kind": "always", "text": "it always runs"}]
    project.write("now.txt", "2")
    project.pretend("use")
    assert project.states("all") == {"db/fetch": "succeeded", "use": "succeeded"}


@pytest.mark.parametrize("word", ["fetch", "notebooks/1_fetch.ipynb"])
def test_a_stage_that_always_runs_may_be_named_in_the_settings(
    project: TemporaryProject, word: str
) -> None:
    project.profile("all")
    project.notebook("1_fetch", "1")
    project.notebook("2_use", "1")
    project.pretend("all")
    assert "it always runs" not in project.call("-n", "all").out
    project.write("pyproject.toml", f"[tool.runner]\nalways = ['{word}']\n")
    assert "  fetch  run    it always runs" in project.call("-n", "all").out
    assert "fetch.ipynb; it always runs)" in project.call("list").out
    assert "  fetch  run    it always runs" in project.call("status").out


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("['fetc']", "there is no stage `fetc`; did you mean `fetch`?"),
        ("'fetch'", 'takes a list of stages in quotes, such as ["fetch"]'),
        ("true", 'takes a list of stages in quotes, such as ["fetch"]'),
        ("[1]", 'takes a list of stages in quotes, such as ["fetch"]'),
    ],
)
def test_a_wrong_setting_of_what_always_runs_is_a_mistake(
    project: TemporaryProject, value: str, what: str
) -> None:
    project.profile("all")
    project.notebook("fetch", "1")
    project.write("pyproject.toml", f"[tool.runner]\nalways = {value}\n")
    assert told_once(project, "all") == f"pyproject.toml [tool.runner]: always: {what}"


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({"always": "yes"}, "`always` in its metadata, below `runner`, takes true or false"),
        ({"always": 1}, "`always` in its metadata, below `runner`, takes true or false"),
        ({"alway": True}, "`alway` in its metadata, below `runner`, is unknown; known: `always` a"),
        ("always", "`runner` in its metadata takes a mapping, such as"),
    ],
)
def test_wrong_metadata_of_what_always_runs_are_a_mistake(
    project: TemporaryProject, metadata: object, what: str
) -> None:
    project.profile("all")
    project.notebook("fetch", "1", metadata={"runner": metadata})
    assert told_once(project, "all").startswith(f"notebooks/fetch.ipynb: {what}")


def test_a_broken_notebook_that_always_runs_is_told_once(project: TemporaryProject) -> None:
    project.profile("all")
    project.write("notebooks/fetch.ipynb", "")
    project.write("pyproject.toml", "[tool.runner]\nalways = ['fetch']\n")
    assert told_once(project, "all").startswith("notebooks/fetch.ipynb: is empty")

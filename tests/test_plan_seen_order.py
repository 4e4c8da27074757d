"""The order of notebooks that declare nothing, and what else follows from what was seen."""

from pathlib import Path

import pytest

from tests.project import WAIT, TemporaryProject

READ = "from pathlib import Path\ndata = Path('../data')\n"
# What people come with: raw data, made into others, and figures of these.
NINE = {
    "01_load_a": ("raw/a.csv", "processed/a.csv"),
    "02_load_b": ("raw/b.csv", "processed/b.csv"),
    "03_clean_a": ("processed/a.csv", "processed/clean_a.csv"),
    "04_clean_b": ("processed/b.csv", "processed/clean_b.csv"),
    "05_join": ("processed/clean_a.csv processed/clean_b.csv", "processed/joined.csv"),
    "06_fit": ("processed/joined.csv raw/settings.csv", "processed/model.csv"),
    "07_plot_a": ("processed/clean_a.csv", "figures/a.svg"),
    "08_plot_model": ("processed/model.csv", "figures/model.svg"),
    "10_report": ("processed/model.csv figures/a.svg", "figures/report.html"),
}
NAMES = [name.partition("_")[2] for name in NINE]


def nine(project: TemporaryProject) -> None:
    """Write nine notebooks that declare nothing."""
    project.profile("all")
    for name in ("a", "b", "settings"):
        project.write(f"data/raw/{name}.csv", f"{name}\n")
    for name, (reads, writes) in NINE.items():
        cells = f"text = ''.join((data / one).read_text() for one in {reads.split()})"
        write = f"path = data / {writes!r}\npath.parent.mkdir(parents=True, exist_ok=True)\n"
        project.notebook(name, READ + cells, write + f"path.write_text(text + '{name}\\n')")


def made(project: TemporaryProject) -> dict[str, str]:
    """Read all that is in `data/`."""
    files = [one for one in (project.root / "data").rglob("*") if one.is_file()]
    return {str(one.relative_to(project.root)): one.read_text("utf-8") for one in sorted(files)}


def ran(project: TemporaryProject) -> list[str]:
    """Give the stages that the newest run has run, in alphabetical order."""
    return sorted(name for name, state in project.states("all").items() if state != "skipped")


@pytest.mark.slow
def test_nine_notebooks_that_declare_nothing(project: TemporaryProject, tmp_path: Path) -> None:
    nine(project)
    (project.root / "data/processed").mkdir()
    assert project.to_run() == [NAMES[0], *[f"{name}" for name in NAMES[1:]]]
    project.run("all", "-j", "2")
    first = made(project)
    assert ran(project) == sorted(NAMES)
    assert len(first) == 12
    assert project.to_run() == []
    listed = project.call("list", "all").out
    assert "reads   data/raw/a.csv  (seen)" in listed
    assert "writes  data/processed/a.csv  (seen)" in listed
    assert "up to date (seen)" in project.call("-n", "all").out
    assert "up to date (seen)" in project.call("status").out

    # Of a changed file, what reads it runs, and what follows if that differs.
    project.write("data/raw/settings.csv", "other\n")
    assert project.to_run() == ["fit", "plot_model?", "report?"]
    project.run("all")
    assert ran(project) == ["fit", "plot_model", "report"]
    assert "other" in made(project)["data/figures/report.html"]
    project.write("data/raw/settings.csv", "settings\n")
    project.run("all", "-j", "2")
    assert made(project) == first

    # One that was deleted is made again; it is as before, so nothing else runs.
    (project.root / "data/processed/clean_a.csv").unlink()
    would = project.to_run()
    assert [one for one in would if not one.endswith("?")] == ["clean_a"]
    project.run("all")
    assert ran(project) == ["clean_a"]
    assert made(project) == first
    assert project.to_run() == []

    # A new name, and with it another place among the others, changes nothing.
    old = project.root / "notebooks/03_clean_a.ipynb"
    old.rename(old.with_name("99_tidy.ipynb"))
    assert project.to_run() == []
    project.run("all")
    assert ran(project) == []
    assert (project.outputs("all") / "notebooks/tidy.ipynb").exists()
    project.write("data/raw/a.csv", "another\n")
    project.run("all", "-j", "2")
    assert ran(project) == sorted(["load_a", "tidy", "join", "fit", *NAMES[6:]])
    assert "another" in made(project)["data/figures/report.html"]


def test_a_known_project_runs_independent_notebooks_at_once(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    go = tmp_path / "go"
    for name, other in (("a", "b"), ("b", "a")):
        project.write(f"data/{name}.txt", "1")
        # Each waits for the other one, from the second time on.
        waits = meeting(tmp_path / f"meet_{name}", tmp_path / f"meet_{other}")
        wait = "\n".join(f"    {line}" for line in waits.splitlines())
        project.notebook(
            name,
            f"from pathlib import Path\nif Path({str(go)!r}).exists():\n{wait}",
            f"text = open('../data/{name}.txt').read()\nopen('../{name}.out', 'w').write(text)",
        )
    project.run("all", "-j", "2")
    go.touch()
    for name in ("a", "b"):
        project.write(f"data/{name}.txt", "2")
    project.run("all", "-j", "2", "--timeout", "60")
    assert ran(project) == ["a", "b"]
    assert project.to_run() == []


@pytest.mark.slow
def test_names_against_the_order_of_the_data_are_put_right_by_the_second_run(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.write("data/raw.txt", "1\n")
    # 1_report reads what 2_prepare writes, which an earlier life of the project left.
    project.write("data/clean.txt", "old\n")
    text = "text = (data / {0!r}).read_text()\n(data / {1!r}).write_text(text)"
    project.notebook("1_report", READ + text.format("clean.txt", "report.txt"))
    project.notebook("2_prepare", READ + text.format("raw.txt", "clean.txt"))
    project.run("all")
    assert project.to_run() == ["report"]
    project.run("all")
    assert made(project)["data/report.txt"] == "1\n"
    assert project.to_run() == []
    project.write("data/raw.txt", "2\n")
    assert project.to_run() == ["prepare", "report?"]
    project.run("all")
    assert made(project)["data/report.txt"] == "2\n"
    assert project.to_run() == []


def test_declared_and_silent_notebooks_keep_their_places(project: TemporaryProject) -> None:
    project.profile("all")
    slow = "import time\ntime.sleep(1)"
    project.stage("1_a", slow, writes=("a.txt",))
    project.notebook(
        "2_b", READ + "a = '../b.txt'\nPath(a).write_text(open('../outputs/all/a.txt').read())"
    )
    project.notebook(
        "3_c",
        "from pathlib import Path\nPath(output_c).write_text(Path(input_b).read_text() + '3')",
        parameters='input_b = "../b.txt"\noutput_c = "../outputs/test/c.txt"',
    )
    project.notebook(
        "4_d", READ + "Path('../d.txt').write_text(\n    open('../outputs/all/c.txt').read())"
    )
    project.run("all", "-j", "2")
    assert set(project.states("all").values()) == {"succeeded"}
    assert (project.root / "d.txt").read_text("utf-8") == "1_a\n3"
    assert project.to_run() == []
    (project.root / "b.txt").write_text("by hand")
    project.run("all", "-j", "2")
    assert (project.root / "d.txt").read_text("utf-8") == "1_a\n3"
    assert project.to_run() == []


def meeting(own: Path, other: Path) -> str:
    """Give a cell that waits until another stage is there, too."""
    return f"open({str(own)!r}, 'w').close()\n{WAIT.format(marker=other)}"


def test_stages_that_run_at_once_do_not_get_each_others_files(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    for name, other in (("a", "b"), ("b", "a")):
        project.write(f"{name}.txt", "1")
        project.write(f"seen_{name}.txt", "1")
        project.notebook(
            name,
            meeting(tmp_path / f"{name}1", tmp_path / f"{other}1"),
            f"text = open(input_x).read() + open('../seen_{name}.txt').read()\n"
            "open(output_y, 'w').write(text)\n"
            f"open('../wrote_{name}.txt', 'w').write(text)",
            meeting(tmp_path / f"{name}2", tmp_path / f"{other}2"),
            parameters=f"input_x = '../{name}.txt'\noutput_y = '../outputs/test/{name}.txt'",
        )
    project.run("all", "-j", "2")
    for name in ("a", "b"):
        record = project.stage_record("all", name)
        assert (record["alone"], list(record["reads"])) == (False, [f"seen_{name}.txt"])
    assert project.to_run() == []
    for name in ("a", "b"):
        for file in (f"{name}.txt", f"seen_{name}.txt", f"wrote_{name}.txt"):
            path = project.root / file
            path.write_text("2")
            assert (file, project.to_run()) == (file, [name])
            path.write_text("1" * (1 + file.startswith("wrote")))
            assert project.to_run() == []
    project.write("a.txt", "2")
    project.run("all")
    assert project.states("all") == {"a": "succeeded", "b": "skipped"}
    assert project.to_run() == []

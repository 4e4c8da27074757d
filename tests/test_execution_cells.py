"""What a running cell shows stands in the log at once, and in the saved notebook as it is."""

from pathlib import Path

from tests.project import TemporaryProject

# Gives the run's own folder; a cell of the build `all` waits for what stands in it.
LOOK = """\
import time
from pathlib import Path

(run,) = Path("../outputs/all/runs").iterdir()


def wait_for(path, text):
    while text not in path.read_text("utf-8"):
        time.sleep(0.05)"""
# No cell waits for ever; this limit decides nothing where all is well.
LIMIT = ("--cell-timeout", "100")


def shown(project: TemporaryProject, stage: str) -> list[object]:
    """Give the outputs of an executed notebook's cells: each a text, or the text of a display."""
    return [
        [output.get("text") or output.data["text/plain"] for output in cell.outputs]
        for cell in project.executed("all", stage).cells
    ]


def test_an_unfinished_line_is_shown_while_it_stands(project: TemporaryProject) -> None:
    project.profile("all")
    stands = (
        'print("half of it", end="", flush=True)\nwait_for(run / "log.txt", "]: half of it\\n")'
    )
    project.notebook("a", LOOK, f'{stands}\nprint(" and the rest")')
    project.run("all", *LIMIT)
    lines = [
        line.partition("]: ")[2] for line in project.log("all").splitlines() if "a[2/2]" in line
    ]
    assert lines == ["half of it", " and the rest"]
    assert shown(project, "a")[-1] == ["half of it and the rest\n"]


def test_the_cells_after_a_talkative_one_are_logged_as_ever(project: TemporaryProject) -> None:
    project.profile("all")
    much = 'for _ in range(180):\n    print("x" * 50_000)'
    project.notebook("a", much, 'for n in range(20):\n    print("line", n, flush=True)')
    project.run("all")
    log = project.log("all")
    assert log.count("a[1/2]: this cell prints very much") == 1
    assert [line for line in log.splitlines() if "a[2/2]" in line][-1].endswith("]: line 19")
    assert log.count("a[2/2]: line ") == 20
    assert "a[2/2]: this cell prints very much" not in log


def test_a_display_that_a_later_cell_updates_is_saved_as_it_is_then(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    # The sources of the cells do not hold what is waited for.
    shows = 'shown = display({"text/plain": "fir" "st"}, raw=True, display_id="one")'
    saved = 'wait_for(run / "notebooks/a.ipynb", "fir" "st")'
    project.notebook(
        "a",
        LOOK,
        shows,
        saved,
        'shown.update({"text/plain": "sec" "ond"}, raw=True)',
        'wait_for(run / "notebooks/a.ipynb", "sec" "ond")',
    )
    project.run("all", *LIMIT)
    assert shown(project, "a") == [[], ["second"], [], [], []]


def test_a_save_that_fails_is_told_and_the_next_one_is_made(project: TemporaryProject) -> None:
    project.profile("all")
    fails = (
        'folder = run / "notebooks"\naside = folder.rename(run / "aside")\n'
        'wait_for(run / "log.txt", "the notebook could not be saved: No such file")\n'
        "aside.rename(folder)"
    )
    goes_on = 'print("it goes", "on", flush=True)\nwait_for(folder / "a.ipynb", "it goes on")'
    project.notebook("a", LOOK, fails, goes_on)
    project.run("all", *LIMIT)
    assert project.states("all") == {"a": "succeeded"}
    assert shown(project, "a")[-1] == ["it goes on\n"]
    made = sorted(path.name for path in Path(project.runs("all")[-1] / "notebooks").iterdir())
    assert made == ["a.ipynb"]


def test_a_widget_that_is_cleared_leaves_the_text_of_its_cell(project: TemporaryProject) -> None:
    project.profile("all")
    show = "import ipywidgets\nfrom IPython.display import clear_output\n\no = ipywidgets.Output()"
    inner = "print('KEPT')\nwith o:\n    print('inner')\n    clear_output({})\n    {}\nprint('{}')"
    project.notebook(
        "a",
        show,
        inner.format("", "pass", "at once"),
        inner.format("wait=True", "print('new')", "later"),
        "print('gone')\nclear_output()\nprint('stays')",
    )
    project.run("all")
    _, *cells = project.executed("all", "a").cells
    shown = ["".join(one.get("text", "") for one in cell.outputs) for cell in cells]
    assert shown == ["KEPT\nat once\n", "KEPT\nlater\n", "stays\n"]

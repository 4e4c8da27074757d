"""The order of notebooks that declare nothing, and what else follows from what was seen."""

from pathlib import Path

from tests.project import WAIT, TemporaryProject


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

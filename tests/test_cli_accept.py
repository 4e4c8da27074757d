"""`accept`: what `test` built becomes what is expected; how much of it is compared."""

import pytest

from tests.project import TemporaryProject
from tests.terminals import exit_status, on_terminal, seen

EXPECTED = "testdata/expected"


@pytest.fixture
def built(project: TemporaryProject) -> TemporaryProject:
    """Give a project whose test build has three outputs."""
    project.profile("test")
    write = (
        "import json\nfrom pathlib import Path\n\n"
        "Path(output_m).write_text(json.dumps({'loss': x, 'n': 3}))\n"
        "Path(output_t).write_text('text')\n"
        "Path(output_c).write_text('a,b\\n1,2\\n')"
    )
    names = [
        f'output_{name[0]} = "../outputs/test/{name}"' for name in ("m.json", "t.txt", "c.csv")
    ]
    project.notebook("m", write, parameters="\n".join([*names, "x = 1.0"]))
    project.pretend("test")
    return project


def expected(project: TemporaryProject) -> dict[str, str]:
    """Give what is expected."""
    top = project.root / EXPECTED
    found = sorted(path for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(top)): path.read_text("utf-8") for path in found}


def test_accept_shows_the_difference_and_takes_what_was_built(built: TemporaryProject) -> None:
    built.write(f"{EXPECTED}/m.json", '{"loss": 2.0, "n": 3}')
    built.write(f"{EXPECTED}/c.csv", "a,b\n1,2.0\n")
    before = expected(built)
    shown = "m.json, loss: expected 2.0, got 1.0\n"
    assert built.call("accept", "-n").out == f"{shown}would take 1 file into {EXPECTED}/\n"
    assert "give --yes" in built.call("accept", code=2).err
    assert expected(built) == before
    told = built.call("accept", "--yes").out
    assert told.startswith(f"{shown}took 1 file into {EXPECTED}/")
    # What is as expected, but for how it is written, stays.
    assert expected(built) == {"m.json": '{"loss": 1.0, "n": 3}', "c.csv": "a,b\n1,2.0\n"}
    assert built.call("accept", "--yes").out.startswith("nothing to accept")
    # A file that is named is taken though it was not compared.
    told = built.call("accept", "--yes", "outputs/test/t.txt").out
    assert told.startswith("t.txt: new, it was not compared so far\ntook 1 file")
    assert expected(built)["t.txt"] == "text"


def test_the_first_time_all_that_stages_declare_is_taken(built: TemporaryProject) -> None:
    built.write("outputs/test/stray.txt", "")
    built.call("accept", "--yes")
    assert [*expected(built)] == ["c.csv", "m.json", "t.txt"]
    assert "3 of 3 outputs compared)" in built.pretend("test").out


def test_accept_refuses_what_cannot_be_right(built: TemporaryProject) -> None:
    for word in ("none.txt", "params/test.yaml", "/etc/passwd", "log.txt", "notebooks/m.ipynb"):
        assert f"there is no {word} in outputs/test/" in built.call("accept", word, code=2).err
    gone = built.write(f"{EXPECTED}/gone.txt", "by hand")
    told = built.call("accept", "--yes").out
    assert told.startswith(f"gone.txt: test does not build it; delete {EXPECTED}/gone.txt if")
    assert gone.exists()
    built.notebook("m", "1 / 0", parameters='output_m = "../outputs/test/m.json"')
    built.pretend("test", code=1)
    assert "did not succeed" in built.call("accept", "--yes", code=2).err
    built.call("clean-test", "--yes")
    assert "there is no test build" in built.call("accept", "--yes", code=2).err


def test_on_a_terminal_accept_asks(built: TemporaryProject) -> None:
    for answer, code, taken in (("n", 1, 0), ("y", 0, 3)):
        with on_terminal(built.root, built.command("accept")) as (pid, terminal):
            seen(terminal, f"take 3 files into {EXPECTED}/? [y/N]")
            with open(terminal, "w", closefd=False) as keys:
                keys.write(f"{answer}\n")
            seen(terminal, "took" if taken else "nothing was taken")
            assert exit_status(pid) == code
        assert len(expected(built)) == taken


def test_check_and_test_say_how_many_of_the_outputs_are_compared(
    built: TemporaryProject,
) -> None:
    built.write(f"{EXPECTED}/m.json", '{"loss": 1, "n": 3}')
    words = f"1 file as expected in {EXPECTED}/ (1 of 3 outputs compared; not t.txt, c.csv)"
    assert words in built.call("check").out
    assert words in built.pretend("test").out


def test_accept_takes_only_what_test_would_make(built: TemporaryProject) -> None:
    def refused() -> str:
        return built.call("accept", "--yes", code=2).err

    again = "; python run.py test first\n"
    start = "run.py: the test build is not as `test` makes it (m: "
    built.write("outputs/test/m.json", '{"loss": 9}')
    assert refused().startswith(f"{start}output outputs/test/m.json is not as the stage left it")
    built.pretend("test", "-p", "m.x=100")
    assert refused() == f"{start}parameter x: 100.0 → 1.0){again}"
    assert not (built.root / EXPECTED).exists()
    built.pretend("test")
    built.call("accept", "--yes")
    assert len(expected(built)) == 3


def test_where_nothing_is_declared_there_is_nothing_to_accept(project: TemporaryProject) -> None:
    project.profile("test")
    project.notebook("a", "x = 1")
    project.pretend("test")
    told = "nothing to accept: no stage declares an `output_…`\n"
    assert project.call("accept", "--yes").out == told

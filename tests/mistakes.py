"""What `run.py` says about a project with mistakes, in parts."""

from tests.project import TemporaryProject


def told(project: TemporaryProject, *words: str) -> list[str]:
    """Run a command that is to be refused, and give the mistakes that it names, one a line.

    Nothing has run then: there is no record of a run, and nothing on standard output.
    """
    done = project.call(*words, code=2)
    assert done.out == ""
    assert not [*project.root.glob("outputs/*/*")], "something was built"
    head, *lines = done.err.splitlines()
    count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    assert head == f"run.py: {count} in the project, nothing was run:"
    return [line.removeprefix("  ") for line in lines]


def told_once(project: TemporaryProject, *words: str) -> str:
    """Run a command that is to be refused for one mistake, and give that."""
    (line,) = told(project, *words)
    return line


def refused(project: TemporaryProject, *words: str) -> str:
    """Run a command line that cannot be carried out, and give the one line that says why."""
    done = project.call(*words, code=2)
    assert not [*project.root.glob("outputs/*/*")], "something was built"
    (line,) = done.err.splitlines()
    return line.removeprefix("run.py: ")

"""`graph`: the stages as a tree, and for programs that draw."""

from tests.project import TemporaryProject

TREE = """\\
data
├── features
│   ├── a
│   │   └── report  (and data)
│   └── b
└── other
""".replace("\\\n", "")


def test_the_stages_are_drawn_below_what_they_need(project: TemporaryProject) -> None:
    project.profile("test")
    project.stage("data", writes=("d.txt",))
    project.stage("features", reads=("d.txt",), writes=("f.txt",))
    project.stage("a", reads=("f.txt",), writes=("a.txt",))
    project.stage("b", reads=("f.txt",), writes=("b.txt",))
    project.stage("other", reads=("d.txt",), writes=("o.txt",))
    project.stage("report", reads=("a.txt", "d.txt"), writes=("r.txt",))
    assert project.call("graph").out == TREE
    assert project.call("graph", "test").out == TREE
    dot = project.call("graph", "--dot").out
    assert '    "a" -> "report";\n' in dot
    assert dot.count("->") == 6
    mermaid = project.call("graph", "--mermaid").out
    assert mermaid.startswith("flowchart TD\n")
    assert mermaid.count("-->") == 6
    assert "one profile" in project.call("graph", "--mermaid", "--dot", code=2).err
    assert "no profile `al`" in project.call("graph", "al", code=2).err


def test_a_stage_that_only_waits_for_another_is_dashed(project: TemporaryProject) -> None:
    project.profile("all")
    project.notebook("1_one", "1")
    project.notebook('2_t"wo', "1")
    assert project.call("graph").out == 'one\n└── t"wo\n'
    assert '    "one" -> "t\\"wo" [style=dashed];\n' in project.call("graph", "--dot").out
    told = project.call("graph", "--mermaid").out
    assert '    n1["t#quot;wo"]\n    n0 -.-> n1\n' in told

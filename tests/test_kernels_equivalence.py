"""A kernel that is forked from a warm process is in nothing different from a fresh one."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.corpus import CORPUS, FILES, without_chance
from tests.project import TemporaryProject


def outputs(project: TemporaryProject, stage: str) -> list[Any]:
    """Give a notebook's outputs without what no two runs have in common."""
    kept = []
    for cell in project.executed("all", stage).cells:
        for output in cell.get("outputs", []):
            text = without_chance(json.dumps(output, sort_keys=True))
            kept.append((cell.source, json.loads(text)))
    return kept


# What each test run looks at; the slow tests look at all.
A_FEW = ("process", "messages", "at_exit")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, TemporaryProject]:
    """Run the whole corpus twice."""
    return run_twice(tmp_path_factory, CORPUS)


def run_twice(
    tmp_path_factory: pytest.TempPathFactory, stages: Iterable[str]
) -> Mapping[str, TemporaryProject]:
    """Run notebooks of the corpus twice: in warm kernels and in cold ones."""
    found = {}
    for how, options in {"warm": (), "cold": ("--cold",)}.items():
        # Of the same length and nearly the same name, for it is in some outputs.
        project = TemporaryProject(tmp_path_factory.mktemp("corpus") / "project")
        for name, text in FILES.items():
            project.write(name, text)
        for stage in stages:
            done = f'output_done = "../outputs/test/{stage}.txt"'
            last = "from pathlib import Path\n_ = Path(output_done).write_text('')"
            project.notebook(stage, *CORPUS[stage], last, parameters=done)
        project.profile("all")
        (project.root / "outputs").mkdir()
        changes = {"PWD": str(project.root), "CORPUS": how}
        project.run("all", "-k", "-j", "2", *options, code=None, env=changes)
        found[how] = project
    return found


@pytest.mark.slow
def test_a_few_notebooks_are_the_same_in_a_warm_kernel(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    both = run_twice(tmp_path_factory, A_FEW)
    for stage in A_FEW:
        assert_same(both, stage)
    assert_ended(both)


@pytest.mark.slow
@pytest.mark.parametrize("stage", CORPUS)
def test_a_warm_kernel_gives_the_same_outputs(
    both: Mapping[str, TemporaryProject], stage: str
) -> None:
    assert_same(both, stage)


@pytest.mark.slow
def test_every_kernel_ends_as_it_is_asked_and_does_the_same(
    both: Mapping[str, TemporaryProject],
) -> None:
    assert_ended(both)


def assert_same(both: Mapping[str, TemporaryProject], stage: str) -> None:
    """Assert that a stage ended well twice, with the same outputs."""
    assert both["cold"].states("all")[stage] == "succeeded", both["cold"].log("all")
    assert both["warm"].states("all")[stage] == "succeeded", both["warm"].log("all")
    assert both["warm"].stage_record("all", stage)["warm"] is True
    assert both["cold"].stage_record("all", stage)["warm"] is False
    roots = {how: str(project.root) for how, project in both.items()}
    cold = outputs(both["cold"], stage)
    warm = json.loads(
        json.dumps(outputs(both["warm"], stage)).replace(roots["warm"], roots["cold"])
    )
    assert len(warm) == len(cold)
    for (source, one), (_, other) in zip(warm, cold, strict=True):
        assert one == other, source


def assert_ended(both: Mapping[str, TemporaryProject]) -> None:
    """Assert that all kernels ended when they were asked, and did what they do as they end."""
    for project in both.values():
        # Helper processes of joblib's do not listen to SIGTERM; a warning may be an error.
        assert "the kernel did not end when asked" not in project.log("all")
        assert (project.root / "outputs/at_exit.txt").read_text() == "the end"
        assert (project.root / "outputs/kept_open.txt").read_text() == "not closed"

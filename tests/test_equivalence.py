"""A kernel that is forked from a warm process is in nothing different from a fresh one."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.corpus import CORPUS, FILES
from tests.project import TemporaryProject


def outputs(project: TemporaryProject, stage: str) -> list[Any]:
    """Give a notebook's outputs without what no two runs have in common."""
    kept = []
    for cell in project.executed("all", stage).cells:
        for output in cell.get("outputs", []):
            text = json.dumps(output, sort_keys=True)
            text = re.sub(r"ipykernel_\d+/\d+", "ipykernel_N/N", text)
            text = re.sub(r"(IPY_MODEL_|\"model_id\": \")[0-9a-f]{32}", r"\1N", text)
            text = re.sub(r"0x[0-9a-f]{6,}", "0xN", text)
            text = re.sub(r"(CPU times|Wall time).*?\\n", "times", text)
            text = re.sub(r"<dc:date>[^<]*", "", text)
            kept.append((cell.source, json.loads(text)))
    return kept


# What each test run looks at; the slow tests look at all.
A_FEW = ("process", "messages", "at_exit")
a_few_and_all = pytest.mark.parametrize(
    "both", ["few", pytest.param("all", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture(scope="module")
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, TemporaryProject]:
    """Run the corpus, or a few of it, twice: in warm kernels and in cold ones."""
    found = {}
    chosen = {stage: CORPUS[stage] for stage in (A_FEW if request.param == "few" else CORPUS)}
    for how, options in {"warm": (), "cold": ("--cold",)}.items():
        # Of the same length and nearly the same name, for it is in some outputs.
        project = TemporaryProject(tmp_path_factory.mktemp("corpus") / "project")
        for name, text in FILES.items():
            project.write(name, text)
        for stage, cells in chosen.items():
            done = f'output_done = "../outputs/all/{stage}.txt"'
            last = "from pathlib import Path\n_ = Path(output_done).write_text('')"
            project.notebook(stage, *cells, last, parameters=done)
        project.profile("all")
        (project.root / "outputs").mkdir()
        changes = {"PWD": str(project.root), "CORPUS": how}
        project.run("all", "-k", "-j", "2", *options, code=None, env=changes)
        found[how] = project
    return found


@pytest.mark.parametrize(
    ("both", "stage"),
    [
        *(("few", stage) for stage in A_FEW),
        *(pytest.param("all", stage, marks=pytest.mark.slow) for stage in CORPUS),
    ],
    indirect=["both"],
)
def test_a_warm_kernel_gives_the_same_outputs(
    both: Mapping[str, TemporaryProject], stage: str
) -> None:
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


@a_few_and_all
def test_every_kernel_ends_when_it_is_asked(both: Mapping[str, TemporaryProject]) -> None:
    # Helper processes of joblib's do not listen to SIGTERM; a warning may be an error.
    for project in both.values():
        assert "the kernel did not end when asked" not in project.log("all")


@a_few_and_all
def test_what_a_kernel_does_as_it_ends_is_the_same(both: Mapping[str, TemporaryProject]) -> None:
    for project in both.values():
        assert (project.root / "outputs/at_exit.txt").read_text() == "the end"
        assert (project.root / "outputs/kept_open.txt").read_text() == "not closed"

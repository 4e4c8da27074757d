"""A kernel that is forked from a warm process is in nothing different from a fresh one."""

import json
from collections.abc import Mapping
from pathlib import Path
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
            kept.append((cell.source, json.loads(text.replace(str(project.root), "ROOT"))))
    return kept


def run_twice(tmp_path: Path) -> Mapping[str, TemporaryProject]:
    """Run the corpus twice: in warm kernels and in cold ones."""
    found = {}
    for how, options in {"warm": (), "cold": ("--cold",)}.items():
        # Of the same length and nearly the same name, for it is in some outputs.
        project = TemporaryProject(tmp_path / how / "project")
        for name, text in FILES.items():
            project.write(name, text)
        for stage in CORPUS:
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
def test_a_warm_kernel_gives_the_same_outputs_and_ends_as_it_is_asked(tmp_path: Path) -> None:
    both = run_twice(tmp_path)
    for how, project in both.items():
        stages = {
            one["name"]: (one["state"], one["warm"]) for one in project.record("all")["stages"]
        }
        assert stages == dict.fromkeys(CORPUS, ("succeeded", how == "warm")), project.log("all")
    for stage in CORPUS:
        assert outputs(both["warm"], stage) == outputs(both["cold"], stage), stage
    for project in both.values():
        # Helper processes of joblib's do not listen to SIGTERM; a warning may be an error.
        assert "the kernel did not end when asked" not in project.log("all")
        assert (project.root / "outputs/at_exit.txt").read_text() == "the end"
        assert (project.root / "outputs/kept_open.txt").read_text() == "not closed"

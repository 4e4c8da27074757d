"""Notebooks as people have them, run here and by plain papermill: the same ends, the same outputs?

    python -m tests.benchmarks.fidelity FOLDER [--at-most 100] [--seconds 120]

Takes the notebooks in FOLDER and below it, with all files that lie there. Each is run once by
papermill and once by `run.py all -k`; those that differ are run by papermill again, so that what
differs by itself (times, random numbers) is left out. Prints those that end otherwise or show
something else.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from tests.corpus import without_chance
from tests.project import TemporaryProject

# How long something took is printed in many ways.
TIME = re.compile(r'\d+(\.\d+)? ?(ns|µs|us|ms|s)\b( ± [^"\\]*)?')
Shown = dict[int, list[Any]]
ENVIRONMENT = {**os.environ, "PYTHONHASHSEED": "0", "MPLBACKEND": ""}


def shown(path: Path) -> Shown | None:
    """Give what each cell of an executed notebook shows; None where there is none."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        return None
    found: Shown = {}
    cells = [
        one
        for one in notebook.cells
        if one.cell_type == "code" and not {*one.metadata.get("tags", ())} & {"injected-parameters"}
    ]
    for number, cell in enumerate(cells, 1):
        outputs: list[Any] = []
        for output in cell.outputs:
            last = outputs[-1] if outputs else None
            if output.output_type == "stream" and last and last["name"] == output.name:
                last["text"] += output.text
            elif output.output_type == "stream":
                outputs.append({"name": output.name, "text": output.text})
            elif output.output_type == "error":
                outputs.append({"name": output.ename, "text": output.evalue})
            else:
                data = dict(output.data)
                data.pop("application/vnd.jupyter.widget-view+json", None)
                outputs.append({"name": output.output_type, "data": data})
        text = json.dumps(outputs, sort_keys=True, ensure_ascii=False)
        if outputs:
            found[number] = json.loads(TIME.sub("TIME", without_chance(text)))
    return found


def by_papermill(folder: Path, names: list[str], out: Path, seconds: int) -> dict[str, bool]:
    """Run notebooks of a folder by papermill; give which of them succeeded."""
    good = {}
    for name in names:
        path = folder / name
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        words = ["--cwd", str(path.parent), "--no-progress-bar", "-k", "python3"]
        limit = ["--execution-timeout", str(seconds)]
        command = [sys.executable, "-m", "papermill", str(path), str(target), *words, *limit]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False)
        good[name] = done.returncode == 0
    return good


def refused(project: TemporaryProject) -> set[str]:
    """Take out the notebooks of which `check` says that they cannot run, and give their names."""
    found: set[str] = set()
    while True:
        lines = project.run("check", code=None).text.splitlines()
        text = "\n".join(one for one in lines if " INFO " not in one)  # remarks name some, too
        names = set(re.findall(r"notebooks/(.+?\.ipynb)(?=[,:)])", text))
        names = {one for one in names if (project.root / "notebooks" / one).exists()}
        if not names:
            return found
        found |= names
        for name in names:
            (project.root / "notebooks" / name).unlink()


def by_us(
    project: TemporaryProject, seconds: int
) -> tuple[dict[str, bool], Mapping[str, Shown | None]]:
    """Run a project; give which notebooks succeeded, and what they show."""
    limits = ("--cell-timeout", f"{seconds}s")
    chosen = {"PYTHONHASHSEED": "0", "MPLBACKEND": ""}
    with project.running("all", "-k", *limits, env=chosen) as process:
        process.communicate()  # without `project.run`'s limit: many notebooks take long
    good, outputs = {}, {}
    (folder,) = (project.outputs("all") / "runs").iterdir()
    run = json.loads((folder / "run.json").read_text("utf-8"))
    for record in run["stages"]:
        name = str(record["notebook"]["path"]).removeprefix("notebooks/")
        good[name] = record["state"] == "succeeded"
        outputs[name] = shown(folder / "notebooks" / f"{record['name']}.ipynb")
    return good, outputs


def told(name: str, one: Shown, other: Shown | None, own: Shown | None) -> bool:
    """Print cells that papermill shows alike twice and we do not; give whether there are any."""
    other, own = other or {}, own or {}
    differ = [
        number
        for number in sorted({*one, *own})
        if one.get(number) == other.get(number) != own.get(number)
    ]
    for number in differ[:3]:
        print(f"{name}, cell {number}:")
        print(f"  there {json.dumps(one.get(number))[:400]}")
        print(f"  here  {json.dumps(own.get(number))[:400]}")
    return bool(differ)


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--at-most", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=120)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / name for name in ("first", "again")]
        project = TemporaryProject(Path(place) / "ours")
        for target in (*folders, project.root / "notebooks"):
            shutil.copytree(given.folder, target, dirs_exist_ok=True)
        project.profile("all")
        out = refused(project)
        here = project.root / "notebooks"
        names = sorted(str(one.relative_to(here)) for one in here.rglob("*.ipynb"))
        for name in names[given.at_most :]:
            (here / name).unlink()
        names = names[: given.at_most]
        theirs = by_papermill(folders[0], [*names, *out], Path(place) / "out", given.seconds)
        ours, outputs = by_us(project, given.seconds)
        once = {name: shown(Path(place) / "out" / name) or {} for name in names}
        same = {
            name
            for name in names
            if ours.get(name) == theirs[name] and (outputs[name] or {}) == once[name]
        }
        others = [name for name in names if name in ours and name not in same]
        again = by_papermill(folders[1], others, Path(place) / "out-again", given.seconds)
        count: Counter[str] = Counter()
        for name in sorted(out):
            count["refused, and papermill fails"] += not theirs[name]
            if theirs[name]:
                print(f"{name}: refused, but papermill succeeds")
        for name in names:
            if name not in ours:
                count["no stage"] += 1
                continue
            if name in again and not ours[name] == theirs[name] == again[name]:
                print(f"{name}: succeeded here {ours[name]}, there {theirs[name]}, {again[name]}")
                count["another end"] += 1
                continue
            differ = name in again and told(
                name, once[name], shown(Path(place) / "out-again" / name), outputs[name]
            )
            end = "succeeds" if ours[name] else "fails"
            count[f"{end} in both, {'other' if differ else 'the same'} outputs"] += 1
        for what, number in sorted(count.items()):
            print(f"{number:4}  {what}")


if __name__ == "__main__":
    main()

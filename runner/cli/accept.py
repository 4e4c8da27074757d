"""`accept`: what `test` built becomes what it is expected to build."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..build import expected
from ..console import agreed
from ..errors import Exit, UsageError
from ..model import VARIANTS, BuildKey, State
from ..plan import request
from ..project import RESERVED_OUTPUTS, TEST_PROFILE, Project, Settings, bind, dotenv
from ..runs import store
from ..system import copy_whole, lock
from ..words import counted
from .options import Options

# So many differences of one file are shown; the others are counted.
_SHOWN = 10


def accept(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Show how the test build differs from `testdata/expected/`, ask, and copy what was built.

    Without words that is what stands in `testdata/expected/` and differs, or, as long as
    nothing stands there, all that the stages declare.

    Raises:
        UsageError: a word names no file of the test build, or nobody can be asked.
    """
    build, folder = loaded.build(BuildKey(TEST_PROFILE)), loaded.label(loaded.expected)
    with lock.hold(loaded.outputs, TEST_PROFILE, "accept"):
        _refuse_unbuilt(build)
        _refuse_stale(loaded, settings)
        there = expected.files(loaded.expected)
        names = list(_named(loaded, chosen.rest, build))
        if not chosen.rest:
            names = there or _declared(loaded, build)
        mask, wanted = dotenv.mask(loaded.root, os.environ, settings.secrets), []
        for name in names:
            if not (build / name).is_file():
                print(f"{name}: test does not build it; delete {folder}/{name} if that is right")
                continue
            told = list(_told(loaded.expected, build, name, settings.tolerance))
            wanted += [name] if told else []
            for line in told[:_SHOWN]:
                print(mask(line))
            if len(told) > _SHOWN:
                print(f"{name}: {len(told) - _SHOWN} more differences")
        if not wanted:
            why = f"what test built is as expected in {folder}/"
            print(f"nothing to accept: {why if names else 'no stage declares an `output_…`'}")
            return Exit.OK
        what = f"{counted(len(wanted), 'file')} into {folder}/"
        if chosen.has("dry_run"):
            print(f"would take {what}")
            return Exit.OK
        if not chosen.has("yes") and not agreed(f"take {what}?", "accept", "writes"):
            print("nothing was taken")
            return Exit.FAILED
        for name in wanted:
            (loaded.expected / name).parent.mkdir(parents=True, exist_ok=True)
            copy_whole(build / name, loaded.expected / name)
        print(f"took {what}; look at the numbers before you commit them")
    return Exit.OK


def _refuse_unbuilt(build: Path) -> None:
    newest = next(store.of_build(build), None)
    if newest is None:
        message = "there is no test build; python run.py test makes it"
        raise UsageError(message)
    if newest.state != State.SUCCEEDED:
        message = "the newest run of test did not succeed; mend that, then python run.py test"
        raise UsageError(message)


def _refuse_stale(loaded: Project, settings: Settings) -> None:
    """Refuse a build that `test` would not leave as it is: another one's numbers are no measure.

    Raises:
        UsageError: a stage would run, for another reason than that it always does.
    """
    (plan,) = request.read(loaded, replace(settings, force=False), [TEST_PROFILE]).plans(anew=False)
    for planned in plan.planned:
        reasons = [one for one in planned.reasons if one.kind != "always"]
        if reasons:
            message = (
                f"the test build is not as `test` makes it ({planned.stage}: {reasons[0].text}); "
                "python run.py test first"
            )
            raise UsageError(message)


def _named(loaded: Project, words: Sequence[str], build: Path) -> Iterator[Path]:
    """Give the files that words name: by their place in the build, or by their path."""
    for word in words:
        paths = [folder / word for folder in (build, loaded.root, Path.cwd())]
        inside = [
            path.resolve().relative_to(top.resolve())
            for path in paths
            for top in (build, loaded.expected)
            if path.resolve().is_relative_to(top.resolve())
        ]
        found = [name for name in inside if (build / name).exists() and not _is_ours(name)]
        if not found:
            message = f"accept: there is no {word} in {loaded.label(build)}/"
            raise UsageError(message)
        whole = build / found[0]
        inner = expected.files(whole) if whole.is_dir() else [Path()]
        yield from (found[0] / one for one in inner)


def _is_ours(name: Path) -> bool:
    """Tell whether the runner writes a file of a build, by its name."""
    at_point = name.parts[:1] == (VARIANTS,) and name.parts[2:3] not in {(), ("notebooks",)}
    return name.parts[:1] in {(one,) for one in RESERVED_OUTPUTS} and not at_point


def _declared(loaded: Project, build: Path) -> list[Path]:
    """Give the files that the stages declare to write."""
    paths = bind(loaded, [TEST_PROFILE])[TEST_PROFILE].outputs
    return [name for path in paths for name in _named(loaded, [loaded.label(path)], build)]


def _told(folder: Path, build: Path, name: Path, tolerance: float) -> Iterator[str]:
    if not (folder / name).is_file():
        yield f"{name}: new, it was not compared so far"
        return
    yield from map(str, expected.compare(folder, build, tolerance, [name]))

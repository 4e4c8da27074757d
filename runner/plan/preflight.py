"""What a run needs of the system, looked at before anything of an old build is touched."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from ..errors import Problem, ProjectError, UsageError
from ..project import Project, packages, syntax
from ..system import is_full, reserve
from .request import BuildPlan

# Open files: what the runner has, and what each stage takes that runs at once.
_OURS, _EACH = 96, 32
# In bytes: the record's beginning and an executed notebook.
_ROOM = 2 << 20


def refuse_too_little(project: Project, plans: Sequence[BuildPlan], jobs: int) -> None:
    """See that there is room on the disk, that files can be opened, and nothing is in the way.

    The caller holds the builds' locks.

    Raises:
        ProjectError: a file is where an output's folder must be.
        UsageError: there is too little of something.
    """
    count = sum(one.may_run for plan in plans for one in plan.planned)
    if not count:
        return
    problems = [problem for plan in plans for problem in _in_the_way(project, plan)]
    if problems:
        raise ProjectError(problems)
    _open_files(_OURS + _EACH * min(count, jobs))
    if not any(plan.fresh or not project.build(plan.key).exists() for plan in plans):
        # What runs again makes room first: it removes its own old outputs.
        return
    aside = project.outputs / f".room-{os.getpid()}"
    try:
        reserve(aside, _ROOM)
    except OSError as error:
        if not is_full(error):
            raise
        message = (
            "the disk is full, nothing was run and the old build is as it was; free some space, "
            "or let python run.py clean remove builds"
        )
        raise UsageError(message) from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def refuse_what_cannot_run(project: Project, plans: Iterable[BuildPlan]) -> None:
    """See that the stages which may run are Python, and what they surely import is installed.

    Raises:
        ProjectError: something is not so.
    """
    problems: list[Problem] = []
    for plan in plans:
        stages = plan.pipeline.stages
        coming = [stages[one.stage].notebook for one in plan.planned if one.may_run]
        found = [*syntax.mistakes(project, coming), *packages.missing(project, coming)]
        problems += [one for one in found if one not in problems]
    if problems:
        raise ProjectError(problems)


def _in_the_way(project: Project, plan: BuildPlan) -> Iterator[Problem]:
    """Find files, or links to nothing, where the folders of outputs must be."""
    build = project.build(plan.key)
    for planned in plan.planned:
        stage = plan.pipeline.stages[planned.stage]
        for output in stage.outputs if planned.may_run and not plan.fresh else ():
            inside = takewhile(
                lambda one: one != build and one.is_relative_to(build), output.path.parents
            )
            for place in inside:
                if os.path.lexists(place) and not place.is_dir():
                    what = f"is a file, where {project.label(output.path)} needs a folder; "
                    what += f"remove it, or build from nothing: -f {plan.key.folder}"
                    yield Problem(project.label(place), what)


def _open_files(wanted: int) -> None:
    """Have this process, and its kernels, be allowed to open so many files."""
    try:
        import resource  # noqa: PLC0415 - only where there is such a limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        message = (
            f"a process may open {hard} files here, this run needs {wanted}; "
            "raise the limit (ulimit -n), or run fewer stages at once (-j)"
        )
        raise UsageError(message)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

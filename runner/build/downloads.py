"""What stages read that lies elsewhere: brought before the first of them runs."""

import threading
from collections.abc import Collection

from ..console import Log
from ..errors import Problem, ProjectError
from ..plan import request
from ..project import sources
from ..stop import Stop
from ..system import why


def fetch(todo: Collection[request.BuildPlan], log: Log, stop: Stop) -> None:
    """Bring what stages that run read from a URL; a request to stop ends the wait.

    Raises:
        ProjectError: some of it cannot be had; all of that is told.
    """
    problems: list[Problem] = []

    def work() -> None:
        for plan in todo:
            for planned in plan.planned:
                if planned.may_run:
                    _fetch_for(plan, planned.stage, log, problems)

    # A download cannot be interrupted, so it is left to itself when the command ends.
    worker = threading.Thread(target=work, daemon=True)
    over = threading.Event()
    with stop.subscribed(over.set):
        worker.start()
        while worker.is_alive() and not over.is_set():
            worker.join(0.05)
    if problems and not stop.asked():
        raise ProjectError(problems)


def _fetch_for(plan: request.BuildPlan, name: str, log: Log, problems: list[Problem]) -> None:
    stage = plan.pipeline.stages[name]
    for one in stage.inputs:
        digest = sources.digest_of(one.source)
        if one.source is None or digest is None:
            continue
        try:
            if plan.freshness.hashes.of(one.path) == digest:
                continue
            log.say(f"fetching {one.source.partition('#sha256=')[0]}", stage.name)
            sources.fetch(one.source, one.path)
        except (sources.SourceError, OSError) as error:
            origin = stage.values[one.parameter].origin
            where = stage.notebook.label if origin == "notebook" else origin
            what = why(error) if isinstance(error, OSError) else str(error)
            problems.append(Problem(where, what))

"""Ready -> submit -> wait -> commit. Knows stages by name only."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from . import graph
from .model import Result, State
from .stop import Stop


def run(
    names: Sequence[str],
    needs: Mapping[str, Collection[str]],
    *,
    start: Callable[[str], Future[Result]],
    commit: Callable[[Result], Result],
    jobs: int,
    keep_going: bool,
    stop: Stop,
) -> dict[str, Result]:
    """Run stages, each once all that it needs has ended well.

    Args:
        names: the stages to run, in order.
        needs: what each of them needs; what is not in `names` is there already.
        start: starts a stage.
        commit: makes a result last, and gives it back as it counts. It is called for
            every stage, here and in order of their ends.
        jobs: how many run at once.
        keep_going: after a failure, start what does not need the failed stage.
        stop: once requested, nothing more is started.
    """
    within = {name: [one for one in needs[name] if one in names] for name in names}
    waiting = list(names)
    running: dict[Future[Result], str] = {}
    results: dict[str, Result] = {}

    def end(result: Result) -> None:
        results[result.stage] = commit(result)
        if not results[result.stage].good:
            for reader in graph.readers(result.stage, within):
                if reader in waiting:
                    waiting.remove(reader)
                    why = f"it needs {result.stage}"
                    results[reader] = commit(never_ran(reader, State.BLOCKED, why))

    while waiting or running:
        failed = [result.stage for result in results.values() if not result.good]
        if stop.reason is not None or (failed and not keep_going):
            why = stop.reason or f"{failed[0]} failed; -k goes on with what does not need it"
            for name in waiting:
                results[name] = commit(never_ran(name, State.CANCELLED, why))
            waiting.clear()
        for name in list(waiting):
            if len(running) >= jobs:
                break
            if all(one in results for one in within[name]):
                waiting.remove(name)
                running[start(name)] = name
        if running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                end(_result(future, running.pop(future)))
    return results


def never_ran(stage: str, state: State, why: str) -> Result:
    """Give the result of a stage that was not started."""
    return Result(stage, state, time.time(), 0.0, error=why)


def _result(future: Future[Result], stage: str) -> Result:
    """Give a future's result; a bug in what ran the stage is that stage's failure."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - the other stages must end well
        what = f"the runner failed: {type(error).__name__}: {error}"
        return Result(stage, State.FAILED, time.time(), 0.0, error=what)

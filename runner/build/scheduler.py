"""Ready -> submit -> wait -> commit. Knows stages by name only."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from .. import graph
from ..errors import in_a_line
from ..model import Result, State
from ..stop import Stop

# What was not run is no failure that holds up the rest.
_NOT_RUN = {State.BLOCKED, State.CANCELLED}


@dataclass(frozen=True)
class Rules:
    """How stages are run.

    `jobs` of them at once; with `keep_going`, a failure holds up only what needs the
    failed stage, and so does that of one of many `points`; once `stop` is requested, nothing
    more is started.
    """

    jobs: int
    keep_going: bool
    stop: Stop
    points: Collection[str] = ()


def run(
    needs: Mapping[str, Collection[str]],
    *,
    after: Mapping[str, Collection[str]],
    start: Callable[[str], Future[Result]],
    commit: Callable[[Result], Result],
    rules: Rules,
) -> dict[str, Result]:
    """Run stages, each once all that it needs has ended well.

    Args:
        needs: the stages to run, in order, and what each needs; what is not among them
            is there already.
        after: what each only waits for, however that ends.
        start: starts a stage.
        commit: makes a result last, and gives it back as it counts. It is called for
            every stage, here and in order of their ends.
        rules: how.
    """
    within = {name: [one for one in needed if one in needs] for name, needed in needs.items()}
    waits = {name: [one for one in after.get(name, ()) if one in needs] for name in needs}
    work = _Work(within, waits, commit, rules.stop)
    running: dict[Future[Result], str] = {}
    while work.waiting or running:
        if (why := _held_up(work, rules)) is not None:
            work.cancel(why)
        for name in work.ready(rules.jobs - len(running)):
            running[start(name)] = name
        if running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            ended = [_result(future, running.pop(future)) for future in done]
            # Hashes and copies take a while; what does not wait for them starts before.
            if all(result.good for result in ended) and _held_up(work, rules) is None:
                for name in work.ready(rules.jobs - len(running)):
                    running[start(name)] = name
            for result in ended:
                work.end(result)
    return work.results


def _held_up(work: "_Work", rules: Rules) -> str | None:
    """Say why nothing more is to be started, if so."""
    if rules.stop.reason is not None or rules.keep_going:
        return rules.stop.reason
    results = work.results.items()
    bad = (
        name
        for name, one in results
        if not one.good and one.state not in _NOT_RUN and name not in rules.points
    )
    failed = next(bad, None)
    return failed and f"{failed} failed; -k goes on with what does not need it"


class _Work:
    """What waits, and what has ended."""

    def __init__(
        self,
        needs: Mapping[str, Sequence[str]],
        after: Mapping[str, Sequence[str]],
        commit: Callable[[Result], Result],
        stop: Stop,
    ) -> None:
        self._needs = needs
        self._after = after
        self._commit = commit
        self._stop = stop
        self.waiting = list(needs)
        self.results: dict[str, Result] = {}

    def ready(self, most: int) -> list[str]:
        """Take up to `most` stages that can start."""
        found = [
            name
            for name in self.waiting
            if all(one in self.results and self.results[one].good for one in self._needs[name])
            and all(one in self.results for one in self._after[name])
        ][:most]
        self.waiting = [name for name in self.waiting if name not in found]
        return found

    def end(self, result: Result) -> None:
        """Commit a result; block what needs a stage that failed or was not started."""
        self.results[result.stage] = self._commit(result)
        stopped = result.state is State.CANCELLED and self._stop.asked()
        if self.results[result.stage].good or stopped:
            return
        for reader in graph.readers(result.stage, self._needs):
            if reader in self.waiting:
                self._never(reader, State.BLOCKED, f"it needs {result.stage}")

    def cancel(self, why: str) -> None:
        """End what waits without having run."""
        for name in list(self.waiting):
            self._never(name, State.CANCELLED, why)

    def _never(self, name: str, state: State, why: str) -> None:
        self.waiting.remove(name)
        result = Result(name, state, time.time(), 0.0, error=why)
        self.results[name] = self._commit(result)


def _result(future: Future[Result], stage: str) -> Result:
    """Give a future's result; a bug in what ran the stage is that stage's failure."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - the other stages must end well
        what = f"the runner failed: {in_a_line(error)}"
        return Result(stage, State.FAILED, time.time(), 0.0, error=what)

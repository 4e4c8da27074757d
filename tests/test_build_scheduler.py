"""When stages start, by made-up results."""

from concurrent.futures import Future

import pytest

from runner.build import scheduler
from runner.model import Result, State
from runner.stop import Stop


@pytest.mark.parametrize(
    ("state", "order"),
    [
        (State.SUCCEEDED, ["start a", "start b", "end a", "end b", "start c", "end c"]),
        (State.FAILED, ["start a", "end a", "end c", "end b"]),
    ],
    ids=["good", "bad"],
)
def test_what_does_not_wait_for_a_result_starts_before_it_is_committed(
    state: State, order: list[str]
) -> None:
    said: list[str] = []

    def start(name: str) -> Future[Result]:
        said.append(f"start {name}")
        future: Future[Result] = Future()
        future.set_result(Result(name, state, 0.0, 0.0))
        return future

    def commit(result: Result) -> Result:
        said.append(f"end {result.stage}")
        return result

    rules = scheduler.Rules(jobs=1, keep_going=False, stop=Stop())
    needs = {"a": [], "b": [], "c": ["a", "b"]}
    scheduler.run(needs, after={}, start=start, commit=commit, rules=rules)
    assert said == order


def test_what_only_comes_after_another_one_waits_for_it_and_not_for_its_success() -> None:
    said: list[str] = []
    waiting: dict[str, Future[Result]] = {}

    def start(name: str) -> Future[Result]:
        said.append(name)
        waiting[name] = Future()
        if name == "b":
            waiting["a"].set_result(Result("a", State.FAILED, 0.0, 0.0))
        if name != "a":
            waiting[name].set_result(Result(name, State.SUCCEEDED, 0.0, 0.0))
        return waiting[name]

    def commit(result: Result) -> Result:
        said.append(f"{result.stage} {result.state}")
        return result

    rules = scheduler.Rules(jobs=2, keep_going=True, stop=Stop())
    needs = {"a": [], "b": [], "c": [], "d": ["a"]}
    after = {"c": ["a"]}
    scheduler.run(needs, after=after, start=start, commit=commit, rules=rules)
    assert said[:2] == ["a", "b"]
    assert said.index("c") > said.index("a failed")
    assert "d blocked" in said
    assert "c succeeded" in said

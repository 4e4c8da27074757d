"""The seam between deciding and doing, and who does it here: threads, each with a kernel."""

from collections.abc import Callable, Sequence
from concurrent import futures
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from ..model import Event, Job, Preload, Result
from ..stop import Stop

if TYPE_CHECKING:
    from ..kernels.warm import Spare, Warm
    from .watch import Watch


class Executor(Protocol):
    """The seam between deciding and doing; `Job` and `Result` are all that passes."""

    def submit(self, job: Job) -> Future[Result]:
        """Have a job done."""
        ...

    def expect(self, coming: Sequence[Preload]) -> None:
        """Say what jobs to come import, in their order, so that it can be done ahead."""
        ...

    def forget(self) -> None:
        """Say that packages may be others than those that were imported ahead."""
        ...


class Executors(Protocol):
    """Makes an executor for a build."""

    def __call__(
        self, jobs: int, emit: Callable[[Event], None], stop: Stop, warm: "Warm | None" = None
    ) -> AbstractContextManager[Executor]:
        """Make one that runs up to `jobs` stages at once and tells `emit`, from any thread."""
        ...


class LocalExecutor:
    """Runs up to `jobs` stages at once; events go to `emit`, from any thread.

    Kernels are taken from `warm` where there is one.
    """

    def __init__(
        self, jobs: int, emit: Callable[[Event], None], stop: Stop, warm: "Warm | None" = None
    ) -> None:
        """Make the threads; nothing starts yet."""
        # Named so, it is loaded here and not by commands that only look.
        self._pool = futures.ThreadPoolExecutor(jobs, thread_name_prefix="stage")
        self._emit = emit
        self._stop = stop
        self._warm = warm
        self._watch: Watch | None = None

    def __enter__(self) -> Self:
        """Give the executor."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for what runs; after an error, ask it to end first."""
        if error is not None:
            self._stop.request("the runner failed")
        self._pool.shutdown(cancel_futures=True)
        if self._watch is not None:
            self._watch.close()

    def submit(self, job: Job) -> Future[Result]:
        """Have a job done as soon as a thread is free."""
        if self._watch is None:
            from .watch import Watch  # noqa: PLC0415 - a build with nothing to do never gets here

            self._watch = Watch(job.root)
        if self._warm is None or job.preload.cold is not None:
            return self._pool.submit(self._run, job, None)
        spare = self._warm.take(job.preload.wanted, self._stop.asked)
        return self._pool.submit(self._run, job, spare)

    def expect(self, coming: Sequence[Preload]) -> None:
        """Have imports done, and kernels forked, ahead."""
        if self._warm is not None:
            self._warm.expect([one.wanted for one in coming if one.cold is None])

    def forget(self) -> None:
        """Have nothing forked from what was imported so far."""
        if self._warm is not None:
            self._warm.forget()

    def _run(self, job: Job, spare: "Future[Spare | None] | None") -> Result:
        # papermill takes a moment to import; a build with nothing to do never does.
        from . import engine  # noqa: PLC0415

        window = self._watch.open() if self._watch is not None else None
        try:
            result = engine.run(job, self._emit, self._stop, spare)
            if window is None or result.trace is None:
                return result
            return replace(result, trace=window.hints(result.trace))
        finally:
            if window is not None:
                window.close()
            if spare is not None:
                self._give_back(spare)

    def _give_back(self, spare: "Future[Spare | None]") -> None:
        """Return a kernel that was not used after all; one that was used has ended."""
        if not spare.cancel() and (found := spare.result()) and self._warm is not None:
            self._warm.drop(found)

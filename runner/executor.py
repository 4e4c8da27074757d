"""Runs jobs on this machine, in threads: each thread waits for a kernel of its own."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from .model import Event, Job, Result
from .stop import Stop


class Executor(Protocol):
    """The seam between deciding and doing; `Job` and `Result` are all that passes."""

    def submit(self, job: Job) -> Future[Result]:
        """Have a job done."""
        ...


class LocalExecutor:
    """Runs up to `jobs` stages at once; events go to `emit`, from any thread."""

    def __init__(self, jobs: int, emit: Callable[[Event], None], stop: Stop) -> None:
        """Make the threads; nothing starts yet."""
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="stage")
        self._emit = emit
        self._stop = stop

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

    def submit(self, job: Job) -> Future[Result]:
        """Have a job done as soon as a thread is free."""
        return self._pool.submit(self._run, job)

    def _run(self, job: Job) -> Result:
        # papermill takes a moment to import; a build with nothing to do never does.
        from . import engine  # noqa: PLC0415

        return engine.run(job, self._emit, self._stop)

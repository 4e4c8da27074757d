"""How far a build is: for who watches it, and for what is still to be decided."""

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ..runs import store
from . import sentences


class Progress:
    """Takes note of when stages begin and end; asked from any thread."""

    def __init__(self, build: Path, stages: Sequence[str], jobs: int) -> None:
        """Begin.

        Args:
            build: the folder of the build.
            stages: those that may run, in order.
            jobs: how many run at once.
        """
        self._build = build
        self._stages = stages
        self._jobs = jobs
        self._began = time.monotonic()
        self._since: dict[str, float] = {}
        self._ended: set[str] = set()
        # The bytes that all processes of the run use, 0 while that is not known.
        self.memory = 0

    @property
    def seconds(self) -> float:
        """How long the build has taken."""
        return time.monotonic() - self._began

    @cached_property
    def usual(self) -> Mapping[str, float]:
        """The seconds that stages took in earlier runs."""
        return store.durations(store.of_build(self._build), self._stages)

    def start(self, stage: str) -> None:
        """Take note that a stage has begun."""
        self._since[stage] = time.monotonic()

    def end(self, stage: str) -> None:
        """Take note that a stage has ended, or will not begin."""
        self._ended.add(stage)

    def has_run(self, stage: str) -> bool:
        """Tell whether a stage has begun."""
        return stage in self._since

    def words(self) -> str:
        """Say how far the build is, for how long it will go on, and its memory."""
        now = time.monotonic()
        left = [stage for stage in self._stages if stage not in self._ended]
        running = {one: now - began for one, began in [*self._since.items()] if one in left}
        waiting = [stage for stage in left if stage not in running]
        rest = store.estimate(self.usual, running, waiting, self._jobs)
        return sentences.situation(
            len(self._stages) - len(left),
            len(self._stages),
            self.seconds,
            rest=rest,
            memory=self.memory,
        )

"""Fixtures that tests of several modules use."""

import signal
from pathlib import Path

import pytest

from tests.faults import Faults
from tests.project import TemporaryProject


def pytest_configure() -> None:
    """Have commands start with the system's own signal handling, whatever ours was given.

    Where a signal is ignored, as under `nohup`, whatever we start would ignore it, too. A
    handler is not handed on, and ours does nothing.
    """
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.fixture
def cold() -> bool:
    """Say how kernels start; `both_ways` takes its place."""
    return False


@pytest.fixture
def project(tmp_path: Path, *, cold: bool) -> TemporaryProject:
    """Give an empty project."""
    return TemporaryProject(tmp_path / "project", cold=cold)


@pytest.fixture
def example(tmp_path: Path) -> TemporaryProject:
    """Give a copy of the example project, with nothing built."""
    return TemporaryProject.example(tmp_path / "example")


@pytest.fixture(scope="session")
def fault_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library that makes writing fail."""
    return Faults.build(tmp_path_factory.mktemp("faults")).library


@pytest.fixture
def faults(fault_library: Path, tmp_path: Path) -> Faults:
    """Give failing writes."""
    return Faults(fault_library, tmp_path / "struck")

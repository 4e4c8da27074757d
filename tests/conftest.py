"""Fixtures that tests of several modules use."""

import gc
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from tests.faults import Faults
from tests.project import BuiltExample, Done, TemporaryProject
from tests.sites import make_site

# A busy machine is no fault of a test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure() -> None:
    """Have commands start with the system's own signal handling, whatever ours was given.

    Where a signal is ignored, as under `nohup`, whatever we start would ignore it, too. A
    handler is not handed on, and ours does nothing. Compiled modules are kept, as a user's are:
    each of hundreds of commands would compile the runner anew.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.fixture(autouse=True, scope="module")
def _nothing_unclosed() -> Iterator[None]:
    """Have what was left unclosed fail the module's last test, not a later one, or none.

    An event loop is part of a cycle: only a collection finds it.
    """
    yield
    gc.collect()


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
def built_example(tmp_path_factory: pytest.TempPathFactory) -> BuiltExample:
    """Give the example, built once for all tests: to look at, or to copy.

    Tests that run at once, in several processes, share it.
    """
    folder = _common(tmp_path_factory, "built_example")
    said = folder / "said.json"
    with FileLock(folder / "lock"):
        if not said.exists():
            made = TemporaryProject.example(folder / "example")
            done = made.run("test", "all")
            said.write_text(json.dumps(asdict(done)), "utf-8")
    done = Done(**json.loads(said.read_text("utf-8")))
    return BuiltExample(TemporaryProject(folder / "example"), done)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> TemporaryProject:
    """Give a project with runs of each kind and their pages, made once: to look at, or to copy."""
    folder = _common(tmp_path_factory, "site")
    with FileLock(folder / "lock"):
        if not (folder / "made").exists():
            make_site(folder / "site")
            (folder / "made").touch()
    return TemporaryProject(folder / "site")


def _common(factory: pytest.TempPathFactory, name: str) -> Path:
    """Give a folder that is one for all processes of the tests."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder /= name
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def fault_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library that makes writing fail."""
    return Faults.build(tmp_path_factory.mktemp("faults")).library


@pytest.fixture
def faults(fault_library: Path, tmp_path: Path) -> Faults:
    """Give failing writes."""
    return Faults(fault_library, tmp_path / "struck")

"""Fixtures that tests of several modules use."""

from pathlib import Path

import pytest

from tests.project import TemporaryProject


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

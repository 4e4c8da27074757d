"""Fixtures that tests of several modules use."""

from pathlib import Path

import pytest

from tests.project import TemporaryProject


@pytest.fixture
def project(tmp_path: Path) -> TemporaryProject:
    """Give an empty project."""
    return TemporaryProject(tmp_path / "project")


@pytest.fixture
def example(tmp_path: Path) -> TemporaryProject:
    """Give a copy of the example project, with nothing built."""
    return TemporaryProject.example(tmp_path / "example")

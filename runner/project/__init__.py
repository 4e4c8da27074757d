"""What a project's files declare; looks at no build."""

from .binding import Variation, bind
from .document import NotebookError
from .imports import files_of, imported_from, modules, parsed
from .layout import (
    CACHE,
    DEFAULT_PROFILE,
    INDEX,
    PAGES,
    RESERVED_OUTPUTS,
    TEST_PROFILE,
    Outline,
    Project,
)
from .notebooks import PYTHON, first_line
from .requirements import installed, required
from .settings import SettingError, Settings, duration, whole_number
from .sources import DOWNLOADS
from .targets import Selection

__all__ = [
    "CACHE",
    "DEFAULT_PROFILE",
    "DOWNLOADS",
    "INDEX",
    "PAGES",
    "PYTHON",
    "RESERVED_OUTPUTS",
    "TEST_PROFILE",
    "NotebookError",
    "Outline",
    "Project",
    "Selection",
    "SettingError",
    "Settings",
    "Variation",
    "bind",
    "duration",
    "files_of",
    "first_line",
    "imported_from",
    "installed",
    "modules",
    "parsed",
    "required",
    "whole_number",
]

"""Which stages must run, and why."""

from .freshness import Freshness, Task, written_by
from .request import Request

__all__ = ["Freshness", "Request", "Task", "written_by"]

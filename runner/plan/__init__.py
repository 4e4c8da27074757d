"""Which stages must run, and why; what is asked for (`request`) is no affair of all commands."""

from .freshness import Freshness, written_by

__all__ = ["Freshness", "written_by"]

"""What a person sees of a run, and its log."""

from .choice import agreed, console
from .logfile import Log

__all__ = ["Log", "agreed", "console"]

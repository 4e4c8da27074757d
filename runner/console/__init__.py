"""What a person sees of a run, and its log."""

from .choice import agreed, console
from .logfile import Console, Log

__all__ = ["Console", "Log", "agreed", "console"]

"""What a person sees of a run, and its log."""

from .choice import agreed, console
from .held import HeldConsole
from .logfile import Console, Log

__all__ = ["Console", "HeldConsole", "Log", "agreed", "console"]

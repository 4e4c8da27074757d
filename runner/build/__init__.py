"""The deciding side: one command, its builds, their verdicts."""

from .deadline import less_margin

__all__ = ["less_margin"]

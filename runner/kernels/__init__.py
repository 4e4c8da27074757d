"""Processes that are kernels, and those around them; nothing of stages."""

from .forkless import NO_FORK

__all__ = ["NO_FORK"]

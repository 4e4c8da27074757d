"""The doing side: a job in, a result out."""

from .executor import Executor, Executors, LocalExecutor

__all__ = ["Executor", "Executors", "LocalExecutor"]

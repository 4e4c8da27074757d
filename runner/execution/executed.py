"""The executed notebook on disk: whole at every moment, and cheap to keep so."""

import copy
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.jsonutil import json_clean
from nbformat import NotebookNode
from nbformat.v4.rwbase import split_lines, strip_transient

from ..secrets import Mask
from ..system import write_whole

_SMALL = 1 << 20


class ExecutedNotebook:
    """Saves a notebook while it runs.

    A finished cell is serialised once. How often the file is written depends on the time
    and bytes that it takes: the pause grows with the run and with the cost of a save,
    and past a megabyte all saves together stay below 4 times the file's size, plus the
    last one.
    """

    _PAUSE = 2.0
    _SHARE_OF_RUN = 0.25
    _COST = 50.0
    _BUDGET = 4

    def __init__(self, notebook: NotebookNode, path: Path, mask: Mask) -> None:
        """Keep `notebook`, which others fill, at `path`, without the secrets in it."""
        self.notebook = notebook
        self.path = path
        self.mask = mask
        self._finished: dict[int, bytes] = {}
        self._began = self._last = time.monotonic()
        self._cost = 0.0
        self._written = 0

    def cell_finished(self, index: int) -> None:
        """Take a cell as it is; it must not change any more (see `cell_changed`)."""
        self._finished[index] = self._cell(self.notebook.cells[index])

    def cell_changed(self, index: int) -> None:
        """A later cell updated a display of a finished one: look at it again."""
        self._finished.pop(index, None)

    def mask_changed(self) -> None:
        """More is to be hidden: look at all cells again."""
        self._finished.clear()

    def due(self) -> bytes | None:
        """Give the file's new content if it is time to save it."""
        now = time.monotonic()
        pause = max(
            self._PAUSE, self._SHARE_OF_RUN * (self._last - self._began), self._COST * self._cost
        )
        if now - self._last < pause:
            return None
        data = self.content()
        if len(data) > _SMALL and self._written + len(data) > self._BUDGET * len(data):
            self._last = now
            return None
        return data

    def save(self, data: bytes) -> None:
        """Write content that `due` or `content` gave; any thread may do it.

        Raises:
            OSError: the disk would not take it; the last good version stands.
        """
        began = time.monotonic()
        write_whole(self.path, data)
        self._last = time.monotonic()
        self._cost = self._last - began
        self._written += len(data)

    def content(self) -> bytes:
        """Serialise the notebook as nbformat does, cells that are finished only once."""
        cells = [
            self._finished.get(index) or self._cell(cell)
            for index, cell in enumerate(self.notebook.cells)
        ]
        rest = {key: value for key, value in self.notebook.items() if key != "cells"}
        if self.mask:
            rest["metadata"] = self._metadata(rest["metadata"])
        tail = _dumps(rest).removeprefix(b"{")
        listed = b",\n  ".join(cells)
        return b'{\n "cells": [\n  ' + listed + b"\n ]," + tail + b"\n"

    def _cell(self, cell: NotebookNode) -> bytes:
        shown = copy.deepcopy(cell)
        if self.mask:
            shown.source = self.mask(shown.source)
            shown.outputs = [hidden(self.mask, output) for output in shown.get("outputs", [])]
        holder = strip_transient(split_lines(NotebookNode(cells=[shown], metadata={})))
        return _dumps(holder.cells[0]).replace(b"\n", b"\n  ")

    def _metadata(self, metadata: NotebookNode) -> NotebookNode:
        """Hide secrets where values of the notebook's stand: parameters and widgets."""
        shown = copy.deepcopy(metadata)
        about = shown.get("papermill", {})
        if "parameters" in about:
            about["parameters"] = self.mask.values(about["parameters"])
        for widgets in shown.get("widgets", {}).values():
            for one in widgets.get("state", {}).values():
                one["state"] = self.mask.values(one.get("state", {}))
        return shown


# What of an output, or of a message that becomes one, the notebook's author has made.
_TEXTS = ("text", "ename", "evalue", "traceback", "metadata")
# Its keys are the kinds of what it holds.
_BUNDLE = "data"


def hidden(mask: Mask, content: dict[str, Any]) -> dict[str, Any]:
    """Hide secrets in an output, but not in the words that make it one."""
    shown = type(content)(content)
    for key in _TEXTS:
        if key in shown:
            shown[key] = mask.deep(shown[key])
    if isinstance(shown.get(_BUNDLE), Mapping):
        shown[_BUNDLE] = type(shown[_BUNDLE])(mask.values(shown[_BUNDLE]))
    return shown


def _dumps(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON takes
    try:
        text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except ValueError:
        # A kernel of another language may send NaN, which is no JSON; it becomes a text.
        text = json.dumps(
            json_clean(value), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False
        )
    # A lone surrogate becomes its JSON escape, so that the file is UTF-8 and nothing is lost.
    return text.encode("utf-8", "backslashreplace")


def now() -> str:
    """Write the time as papermill does in a notebook's metadata."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "+00:00"

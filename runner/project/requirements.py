"""The packages that `requirements.txt` names, and which of them are installed."""

import importlib
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from re import findall, sub


def required(root: Path) -> set[str]:
    """Give the packages that `requirements.txt` names, as PEP 503 writes them."""
    try:
        text = (root / "requirements.txt").read_text("utf-8", "replace")
    except OSError:
        return set()
    return {canonical(name) for name in findall(r"(?m)^([A-Za-z0-9][\w.-]*)", text)}


@cache
def installed() -> Mapping[str, str]:
    """Give the installed packages' versions, from the names of their folders: it is quick."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = [entry.name for entry in os.scandir(folder or ".")]
        except OSError:
            continue
        for entry in names:
            name, _, version = entry.removesuffix(".dist-info").rpartition("-")
            if entry.endswith(".dist-info") and name:
                found.setdefault(canonical(name), version)
    return found


def forget() -> None:
    """Look anew what is installed: while a command goes on, that may change."""
    installed.cache_clear()
    importlib.invalidate_caches()


def canonical(name: str) -> str:
    """Write a package's name as PEP 503 has it."""
    return sub(r"[-_.]+", "-", name).lower()

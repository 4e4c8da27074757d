"""What a stage is made from: all that, changed, makes it run again."""

import contextlib
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from re import findall, sub
from typing import Any

from .files import read_plain
from .hashes import Hashes
from .imports import modules
from .model import SKIP_CELL, Input, Stage
from .notebooks import PYTHON
from .project import Project
from .secrets import MASK, Mask

# Tags that change how a cell runs; other metadata do not count.
_TAGS = ("raises-exception", SKIP_CELL)


@dataclass(frozen=True)
class Basis:
    """Plain values, as they stand in the journal.

    `code` has a hash for each code cell but the parameters', by its number; `inputs` and
    `modules` have one for each file, None where it is missing. `paths` says to which files
    the names of inputs and outputs are bound.
    """

    code: Mapping[str, str]
    paths: Mapping[str, list[str]]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str | None]
    modules: Mapping[str, str | None]
    kernel: str | None


@dataclass(frozen=True)
class Environment:
    """The interpreter and the packages of the lock, for all stages of a run."""

    python: str
    packages: Mapping[str, str]


def of_stage(project: Project, stage: Stage, hashes: Hashes) -> Basis:
    """Look at what a stage is made from now.

    Raises:
        OSError: some of it cannot be read.
    """
    notebook = stage.notebook
    folders = project.module_folders(notebook)
    sources = [cell.source for cell in notebook.cells]
    own = modules(sources, folders) if notebook.language == PYTHON else frozenset()
    runner = project.root / "runner"
    return Basis(
        code={
            str(cell.number): _code(cell.source, cell.tags)
            for cell in notebook.cells
            if not cell.parameters
        },
        paths=_paths(project, stage),
        parameters={
            name: storable(value.value)
            for name, value in stage.values.items()
            if not name.startswith(("input_", "output_"))
        },
        inputs={one.source or project.label(one.path): _hash(one, hashes) for one in stage.inputs},
        modules={
            project.label(path): hashes.of(path)
            for path in sorted(own)
            if not path.is_relative_to(runner)
        },
        kernel=project.settings.kernel or notebook.kernel_to_use,
    )


def without_secrets(basis: Basis, mask: Mask, key: bytes) -> Basis:
    """Have a parameter that holds a secret be told by a keyed hash, which says nothing of it.

    So another secret is another value, and the same one is the same.
    """

    def shown(value: object) -> object:
        if mask.values({"": value}) == {"": value}:
            return value
        text = json.dumps(value, sort_keys=True).encode()
        return {MASK: hmac.new(key, text, "sha256").hexdigest()[:32]}

    return replace(
        basis, parameters={name: shown(value) for name, value in basis.parameters.items()}
    )


def secrets_key(path: Path) -> bytes:
    """Give the key for hashes of secrets, made once; without one they are never the same."""
    key = os.urandom(32).hex().encode()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open
                file.write(key)
        key = read_plain(path)
    return key


def of_outputs(project: Project, stage: Stage, hashes: Hashes) -> dict[str, str | None]:
    """Give the hashes of a stage's outputs by name, None where one is missing."""
    return {project.label(one.path): hashes.of(one.path) for one in stage.outputs}


def _paths(project: Project, stage: Stage) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in stage.inputs:
        found.setdefault(one.parameter, []).append(one.source or project.label(one.path))
    for output in stage.outputs:
        found.setdefault(output.parameter, []).append(project.label(output.path))
    return found


def _hash(one: Input, hashes: Hashes) -> str | None:
    """Give an input's hash; that of a URL stands in it, and is verified when it is fetched."""
    if one.source is not None and "#sha256=" in one.source:
        return f"sha256:{one.source.partition('#sha256=')[2].lower()}"
    return hashes.of(one.path)


def _code(source: str, tags: tuple[str, ...]) -> str:
    lines = "\n".join(line.rstrip() for line in source.strip().splitlines())
    marked = [tag for tag in _TAGS if tag in tags]
    return hashlib.sha256(json.dumps([lines, marked]).encode()).hexdigest()[:32]


def storable(value: object) -> object:
    """Give a value that JSON does not keep as it is (a tuple, a set) as Python writes it."""
    try:
        kept = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return repr(value)
    return value if repr(kept) == repr(value) else repr(value)


def required(root: Path) -> set[str]:
    """Give the packages that `requirements.txt` names, as PEP 503 writes them."""
    try:
        text = (root / "requirements.txt").read_text("utf-8", "replace")
    except OSError:
        return set()
    return {canonical(name) for name in findall(r"(?m)^([A-Za-z0-9][\w.-]*)", text)}


def environment(root: Path) -> Environment:
    """Look at the interpreter and at the packages that `requirements.txt` names."""
    python = ".".join(map(str, sys.version_info[:3]))
    wanted = required(root)
    found = {name: version for name, version in _installed().items() if name in wanted}
    return Environment(python, found)


@cache
def _installed() -> Mapping[str, str]:
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


def canonical(name: str) -> str:
    """Write a package's name as PEP 503 has it."""
    return sub(r"[-_.]+", "-", name).lower()

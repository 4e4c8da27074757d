"""What a stage is made from: all that, changed, makes it run again."""

import contextlib
import hashlib
import hmac
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from ..model import RUN_TAGS, Input, Stage
from ..project import PYTHON, Project, installed, modules, required, sources
from ..runs import Environment, Fingerprint, storable
from ..secrets import MASK, Mask
from ..system import read_plain
from .hashes import Hashes


def of_stage(project: Project, stage: Stage, hashes: Hashes) -> Fingerprint:
    """Look at what a stage is made from now.

    Raises:
        OSError: some of it cannot be read.
    """
    notebook = stage.notebook
    folders = project.module_folders(notebook)
    texts = [cell.source for cell in notebook.cells]
    own = modules(texts, folders) if notebook.language == PYTHON else frozenset()
    runner = project.root / "runner"
    return Fingerprint(
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


def without_secrets(basis: Fingerprint, mask: Mask, key: bytes) -> Fingerprint:
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
    return sources.digest_of(one.source) or hashes.of(one.path)


def _code(source: str, tags: tuple[str, ...]) -> str:
    lines = "\n".join(line.rstrip() for line in source.strip().splitlines())
    # Other metadata do not count.
    marked = [tag for tag in RUN_TAGS if tag in tags]
    return hashlib.sha256(json.dumps([lines, marked]).encode()).hexdigest()[:32]


def environment(root: Path) -> Environment:
    """Look at the interpreter and at the packages that `requirements.txt` names."""
    python = ".".join(map(str, sys.version_info[:3]))
    wanted = required(root)
    found = {name: version for name, version in installed().items() if name in wanted}
    return Environment(python, found)

"""Taking over what a build has made already: copied, verified, and told."""

import fcntl
import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..model import Result, Stage, State
from ..plan import elsewhere
from ..system import looked_at, portable, remove, replacing, why
from ..words import counted, size_in_words
from .turn import Running

# The system's call to have two files share their blocks (linux/fs.h).
_FICLONE = 0x40049409
_BLOCK = 1 << 20


class ChangedError(Exception):
    """A file is not as its hash says."""


def take(run: Running, stage: Stage, source: elsewhere.Source) -> Result | None:
    """Copy a stage's outputs and its executed notebook to where this build has them.

    Returns:
        How the stage ended; None if something was not as the record says: then it runs.
    """
    began, clock = time.time(), time.monotonic()
    executed = run.record.notebooks / f"{stage.name}.ipynb"
    size = 0
    try:
        for output, (path, value) in zip(stage.outputs, source.files, strict=True):
            if path != output.path:
                size += _copy(path, output.path, value, run.plan.freshness.hashes.of)
        executed.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(source.executed, executed)
    except (OSError, ChangedError) as error:
        said = why(error) if isinstance(error, OSError) else f"{error} changed meanwhile"
        text = f"what {source.build} has made cannot be taken over: {said}"
        run.log.say(text, stage.name, logging.WARNING)
        return None
    files = counted(len(stage.outputs), "output")
    copied = f", {size_in_words(size)}" if size else ""
    text = f"taken over from {source.build}, run {source.run}: {files}{copied}"
    run.log.say(text, stage.name, state=State.TAKEN_OVER)
    return Result(stage.name, State.TAKEN_OVER, began, time.monotonic() - clock)


def _copy(path: Path, target: Path, value: str, hash_of: Callable[[Path], str | None]) -> int:
    """Put a copy of a file or a folder in the place of what was there; give its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_dir():
        if target.is_dir():
            remove(target)
        return _copy_file(path, target, value)
    aside = target.with_name(f".{target.name}.tmp")
    remove(aside)
    try:
        shutil.copytree(path, aside, symlinks=True, copy_function=_copy_file)
        if hash_of(aside) != value:
            raise ChangedError(path)
        remove(target)
        aside.rename(target)
    finally:
        remove(aside)
    return sum(one.stat().st_size for one in target.rglob("*") if one.is_file())


def _copy_file(path: Path | str, target: Path | str, value: str | None = None) -> int:
    """Copy a file whole, verified if its hash is known; give its size in bytes."""
    total, size = hashlib.sha256(), 0
    with looked_at(Path(path)) as reader, replacing(Path(target), lasting=False) as writer:
        shared = _share(reader, writer)
        while block := reader.read(_BLOCK):
            total.update(block)
            size += len(block)
            if not shared:
                writer.write(block)
        if value not in {None, f"sha256:{total.hexdigest()}"}:
            raise ChangedError(path)
    return size


def _share(reader: BinaryIO, writer: BinaryIO) -> bool:
    """Have the copy share the blocks of the file, where the disk can do that."""
    if not portable.on_linux():
        return False
    try:
        fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
    except OSError:
        return False
    return True

"""The runner in a project: where it came from, what of it was edited, a newer one in its place."""

import contextlib
import ctypes
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from .. import __version__
from ..errors import UsageError
from ..system import copy_whole, digest, lock, on_linux, remove, sync, to_json, write_whole
from ..words import first_few

PACKAGE = "runner"
# What a project has of the runner beside the package itself; of these a user edits the last two.
_BESIDE = ("run.py", "requirements.txt", "Dockerfile", ".dockerignore")
_EDITED_BY_USERS = _BESIDE[1:]
_FORMAT = 1
# Hidden, so that a copy of the package leaves it behind.
_RECORD = ".origin.json"
_STAGED, _ASIDE = ".runner.new", ".runner.aside"
_KEPT = "runner.old"
_HERE, _EXCHANGE = -100, 2


@dataclass(frozen=True)
class Origin:
    """A runner as it was copied: its version, and the hash of each file by its name."""

    version: str
    files: dict[str, str]

    @property
    def label(self) -> str:
        """Name it for a person: one version may have several contents as it grows."""
        own = {name: value for name, value in self.files.items() if name not in _EDITED_BY_USERS}
        return f"{self.version} ({sha256(to_json(own)).hexdigest()[:8]})"


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade has changed; `edited` were other ones than had been copied."""

    before: str
    after: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    edited: tuple[str, ...]
    kept_in: str | None
    left: tuple[str, ...]


def ours(folder: Path) -> set[str]:
    """Give the names that a project has of the runner."""
    return {PACKAGE, *_BESIDE} & {one.name for one in folder.iterdir()}


def copy(root: Path, folder: Path) -> list[str]:
    """Copy the running runner and what belongs to it into a new project.

    Returns:
        The names of what the project of the running one does not have.
    """
    missing = []
    for name in _BESIDE:
        if (root / name).is_file():
            copy_whole(root / name, folder / name)
        else:
            missing.append(name)
    _stage(root, folder / PACKAGE)
    return missing


def _running() -> Path:
    return Path(__file__).resolve().parent.parent


def _stage(root: Path, target: Path) -> Origin:
    """Write a copy of the running package, with a record of what it is."""
    source = _running()
    shutil.copytree(source, target, ignore=_no_source)
    made = Origin(__version__, _hashes(root, source))
    record = {"format": _FORMAT, "version": made.version, "files": made.files}
    write_whole(target / _RECORD, to_json(record))
    return made


def _no_source(_: str, names: list[str]) -> set[str]:
    return {one for one in names if one[:1] == "." or one == "__pycache__" or one[-4:] == ".pyc"}


def _hashes(root: Path, package: Path) -> dict[str, str]:
    """Give the hashes of a runner's files by their names in the project."""
    found = {name: digest(root / name) for name in _BESIDE if (root / name).is_file()}
    for path, folders, names in os.walk(package):
        left_out = _no_source(path, [*folders, *names])
        folders[:] = [one for one in folders if one not in left_out]
        for name in set(names) - left_out:
            inner = (Path(path) / name).relative_to(package).as_posix()
            found[f"{PACKAGE}/{inner}"] = digest(Path(path) / name)
    return dict(sorted(found.items()))


def _recorded(folder: Path) -> Origin | None:
    """Read what a project's runner was when it was copied; None if nothing says it."""
    try:
        found = json.loads((folder / PACKAGE / _RECORD).read_text("utf-8"))
        if found["format"] == _FORMAT:
            return Origin(str(found["version"]), {**found["files"]})
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def upgrade(root: Path, folder: Path) -> Upgrade:
    """Put the running runner in the place of a project's own.

    The package is exchanged as a whole, at once; what was edited in it is copied before.

    Raises:
        UsageError: there is no runner that could be replaced.
        BuildLockedError: it runs.
        OSError: a file cannot be written; the old runner or the new one stands.
    """
    _put_back(folder)
    _refuse_other(folder)
    with contextlib.ExitStack() as held:
        for name in sorted(_builds(folder)):
            held.enter_context(lock.hold(folder / "outputs", name, "new --upgrade"))
        for name in (_STAGED, _ASIDE):
            remove(folder / name)
        now = _hashes(folder, folder / PACKAGE)
        before = _recorded(folder)
        after = _stage(root, folder / _STAGED)
        edited = {name for name in now if _is_edited(name, now, before, after)}
        left = edited.intersection(_EDITED_BY_USERS)
        kept = _keep(folder, sorted(edited - left))
        sync(folder / _STAGED)
        _exchange(folder / _STAGED, folder / PACKAGE)
        for name in after.files.keys() & {*_BESIDE} - left:
            if after.files[name] != now.get(name):
                copy_whole(root / name, folder / name)
        remove(folder / _STAGED)
    return Upgrade(
        before.label if before else "one that was copied by hand",
        after.label,
        added=tuple(sorted(after.files.keys() - now.keys())),
        removed=tuple(sorted(now.keys() - after.files.keys() - left - {*_BESIDE})),
        changed=tuple(
            sorted(one for one in now.keys() & after.files if now[one] != after.files[one])
        ),
        edited=tuple(sorted(edited - left)),
        kept_in=kept,
        left=tuple(sorted(one for one in left if after.files.get(one) != now[one])),
    )


def _put_back(folder: Path) -> None:
    """Give a project its runner back, if an upgrade was killed between two renames."""
    if (folder / _ASIDE).is_dir() and not (folder / PACKAGE).exists():
        (folder / _ASIDE).rename(folder / PACKAGE)


def _refuse_other(folder: Path) -> None:
    package = folder / PACKAGE
    if package.resolve() == _running():
        message = f"{folder} has the runner that runs now; call the run.py of the newer one"
        raise UsageError(message)
    if package.is_symlink():
        message = f"{package} is a link; upgrade the project to which it leads"
        raise UsageError(message)
    if not (folder / "run.py").is_file() or not (package / "__init__.py").is_file():
        message = f"{folder} has no run.py with a runner/ to upgrade; name a project's folder"
        raise UsageError(message)


def _builds(folder: Path) -> set[str]:
    """Give the names of the builds that must not run meanwhile."""
    from ..project import layout  # noqa: PLC0415 - not for a copy alone

    return {layout.TEST_PROFILE, layout.DEFAULT_PROFILE, *layout.outline(folder).profiles}


def _is_edited(name: str, now: dict[str, str], before: Origin | None, after: Origin) -> bool:
    """Tell whether a file may be the user's own; without a record, any that differs may be."""
    if now[name] == after.files.get(name):
        return False
    return before is None or now[name] != before.files.get(name)


def _keep(folder: Path, names: list[str]) -> str | None:
    """Copy files that are about to be replaced; say where to."""
    if not names:
        return None
    free: Iterator[str] = (f"{_KEPT}.{n}" if n else _KEPT for n in range(1000))
    kept = next(one for one in free if not (folder / one).exists())
    for name in names:
        (folder / kept / name).parent.mkdir(parents=True, exist_ok=True)
        copy_whole(folder / name, folder / kept / name)
    return kept


def _exchange(new: Path, old: Path) -> None:
    """Let two folders change places: at once where the system can, else by three renames."""
    if on_linux():
        with contextlib.suppress(AttributeError):
            names = os.fsencode(new), os.fsencode(old)
            libc = ctypes.CDLL(None, use_errno=True)
            if not libc.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE):
                return
    aside = new.with_name(_ASIDE)
    old.rename(aside)
    new.rename(old)
    aside.rename(new)


def in_words(done: Upgrade, folder: str) -> Iterator[str]:
    """Say what an upgrade has done, in a few lines."""
    if done.before == done.after and not (done.edited or done.left):
        yield f"{folder} has this runner already: {done.after}"
        return
    yield f"upgraded {folder}: the runner was {done.before}, and is {done.after}"
    for word in ("added", "removed", "changed"):
        if names := getattr(done, word):
            yield f"  {word}: {len(names)} ({first_few(names)})"
    if done.edited:
        yield f"  edited here, kept in {done.kept_in}/: {first_few(done.edited, 10)}"
    for name in done.left:
        yield f"  edited here, so it stays: {name}; compare it with that of this version"

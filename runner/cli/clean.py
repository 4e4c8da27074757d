"""`clean`: removes builds, or their old runs alone, after it has said what goes."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..console import agreed
from ..errors import Exit, UsageError
from ..model import BuildKey
from ..project import Outline, SettingError, duration
from ..runs import last_made, run_folders, store
from ..system import is_folder, lock, remove
from ..words import counted, did_you_mean, size_in_words
from .options import Options


def clean(known: Outline, chosen: Options) -> int:
    """Remove builds, or some of their runs; it needs no project without mistakes.

    Raises:
        UsageError: a word names no build, or nobody can be asked.
    """
    names, age = _named(known, chosen.words), _age(chosen)
    alone, dry = chosen.has("runs") or age is not None, chosen.has("dry_run")
    with contextlib.ExitStack() as held:
        for name in sorted(names) if not dry else ():
            held.enter_context(lock.hold(known.outputs, name, "clean"))
        found = {name: _old(known, name, age or 0.0) if alone else None for name in names}
        lines = [
            _line(known.build(BuildKey(name)), old) for name, old in found.items() if old != []
        ]
        if not lines:
            print("nothing to remove")
            return Exit.OK
        if dry:
            print("\n".join(f"would remove {line}" for line in lines))
            return Exit.OK
        if not chosen.has("yes"):
            print("\n".join(lines))
            if not agreed("remove this for good?", "clean", "removes"):
                print("nothing was removed")
                return Exit.FAILED
        for name, old in found.items():
            if old is None:
                remove(known.build(BuildKey(name)))
                # It leads there; the next `show` makes it anew.
                (known.outputs / "index.html").unlink(missing_ok=True)
            else:
                store.remove(known.build(BuildKey(name)), old, " ".join(chosen.words))
        print("\n".join(f"removed {line}" for line in lines))
    return Exit.OK


def _age(chosen: Options) -> float | None:
    """Give the seconds of `--older-than`.

    Raises:
        UsageError: it is no time.
    """
    if not chosen.has("older_than"):
        return None
    text = str(chosen.given["older_than"])
    with contextlib.suppress(SettingError):
        if text[-1:].isalpha():
            return duration(text) or 0.0
    message = f"--older-than takes an age with its unit, such as 30d or 12h, not {text[:40]!r}"
    raise UsageError(message)


def _named(known: Outline, words: Sequence[str]) -> list[str]:
    # `clean` leaves what is no build, such as a disk's `lost+found`; it may be named, though.
    there = {folder.name for folder in known.outputs.glob("[!.]*/") if is_folder(folder)}
    names: list[str] = []
    for word in words:
        profile = word.removeprefix("clean-")
        if word == "clean":
            names += [name for name in known.profiles if name in there]
        elif profile == word:
            message = f"`clean` stands alone; write clean-{word} to remove one build"
            raise UsageError(message)
        elif profile not in {*known.profiles, *there}:
            message = f"there is no build `{profile}`{did_you_mean(profile, sorted(there))}"
            raise UsageError(message)
        elif profile in there:
            names.append(profile)
    return list(dict.fromkeys(names))


def _old(known: Outline, name: str, age: float) -> list[Path]:
    """Give the runs that can go: not the newest one, nor one that made what stands."""
    build = known.build(BuildKey(name))
    needed = {one.run for one in last_made(build, known.stages).values()}
    before = time.time() - age
    found = (store.of_folder(folder) for folder in run_folders(build)[:-1])
    return [
        one.folder
        for one in found
        if one is not None and one.folder.name not in needed and one.started <= before
    ]


def _line(build: Path, old: Sequence[Path] | None) -> str:
    label = f"outputs/{build.name}/"
    if old is None:
        about = [counted(len(run_folders(build)), "run")] if run_folders(build) else []
        size = size_in_words(sum(_sizes(build)))
        return f"{label} ({', '.join([*about, size])})"
    size = size_in_words(sum(size for folder in old for size in _sizes(folder)))
    return f"{counted(len(old), 'run')} of {label} ({old[0].name} to {old[-1].name}, {size})"


def _sizes(folder: Path) -> Iterator[int]:
    """Give the sizes of the files below a folder; links are not followed."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                yield Path(parent, name).lstat().st_size

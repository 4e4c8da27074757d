"""`tidy`: takes what a run leaves in a notebook out of the source notebooks, as git wants them."""

import contextlib
import json
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import Exit, UsageError
from ..project import Outline, naming
from ..system import why, write_whole
from ..words import did_you_mean
from .options import Options

_FILTER = "run-tidy"
# What Jupyter notes of a cell as it runs, or is looked at: the same that nbstripout takes out.
_NOTES = ("execution", "ExecuteTime", "collapsed", "scrolled", "hidden", "heading_collapsed")
_KEPT = "keep_output"


def tidy(known: Outline, chosen: Options) -> int:
    """Take outputs and execution counts out of notebooks: of those that are named, or of all.

    A cell with the tag `keep_output` keeps its own, as with nbstripout.

    Raises:
        UsageError: a word is no notebook.
    """
    if chosen.has("filter"):
        data = sys.stdin.buffer.read()
        # What is no notebook passes through as it is.
        with contextlib.suppress(UnicodeDecodeError):
            data = (without(data.decode()) or data.decode()).encode()
        sys.stdout.buffer.write(data)
        return Exit.OK
    if chosen.has("install"):
        return _install(known.root)
    code, count = Exit.OK, 0
    for path in _chosen(known, chosen):
        label = path.relative_to(known.root)
        try:
            text = without(path.read_text("utf-8"))
            if text is None:
                continue
            count += 1
            if not chosen.has("dry_run"):
                # The file itself, not a link to it, gets the new content, and keeps its mode.
                mode = path.stat().st_mode
                write_whole(path.resolve(), text.encode())
                path.chmod(stat.S_IMODE(mode))
        except (OSError, UnicodeDecodeError) as error:
            what = why(error) if isinstance(error, OSError) else "it is not UTF-8"
            print(f"run.py: {label}: {what}", file=sys.stderr)
            code = Exit.FAILED
            continue
        print(f"{'would tidy' if chosen.has('dry_run') else 'tidied'} {label}")
    if not count and not code:
        print("no notebook holds outputs")
    return code


def _chosen(known: Outline, chosen: Options) -> Iterator[Path]:
    paths = {
        naming.stage_name(naming.FOLDER / one): known.root / naming.FOLDER / one
        for one in naming.listing(known.root).paths
    }
    for word in chosen.rest or paths:
        if word in paths:
            yield paths[word]
            continue
        places = {(folder / word).resolve(): None for folder in (known.root, Path.cwd())}
        found = [one for one in paths.values() if one.resolve() in places]
        if not found:
            message = f"tidy: `{word}` is no stage and no notebook of one"
            raise UsageError(message + did_you_mean(word, paths))
        yield found[0]


def without(text: str) -> str | None:
    """Give a notebook's text without what a run left in it; None if there is nothing of it.

    What is no notebook of format 4 stays as it is.
    """
    try:
        notebook = json.loads(text)
        cells = notebook["cells"]
        changed = [_clear(cell) for cell in cells if isinstance(cell, dict)]
        state = notebook.get("metadata", {}).pop("widgets", None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not any(changed) and state is None:
        return None
    tidied = json.dumps(notebook, indent=1, ensure_ascii=False)
    if not tidied.isascii() and any("\ud800" <= each <= "\udfff" for each in tidied):
        # Half a character has no bytes of its own.
        tidied = json.dumps(notebook, indent=1)
    return f"{tidied}\n"


def _clear(cell: dict[str, Any]) -> bool:
    """Clear a cell; tell whether there was something."""
    metadata = cell.get("metadata")
    found = False
    if isinstance(metadata, dict):
        if metadata.get(_KEPT) or _KEPT in (metadata.get("tags") or ()):
            return False
        for name in _NOTES:
            found |= metadata.pop(name, None) is not None
    if cell.get("cell_type") == "code":
        found |= bool(cell.get("outputs")) or cell.get("execution_count") is not None
        cell["outputs"], cell["execution_count"] = [], None
    return found


def _install(root: Path) -> int:
    """Have git see the notebooks without outputs: what stands on disk keeps them.

    Raises:
        UsageError: this is no clone.
    """
    prefix = _git(root, "rev-parse", "--show-prefix")
    attributes = root / _git(root, "rev-parse", "--git-path", "info/attributes")
    command = f"{shlex.join([sys.executable, f'{prefix}run.py'])} tidy --filter"
    _git(root, "config", f"filter.{_FILTER}.clean", command)
    line = f'"/{prefix}{naming.FOLDER}/**/*.ipynb" filter={_FILTER}\n'
    attributes.parent.mkdir(parents=True, exist_ok=True)
    before = attributes.read_text("utf-8") if attributes.exists() else ""
    if line not in before:
        lines = [*before.splitlines(), line]
        attributes.write_text("\n".join(lines), "utf-8")
    print(f"in this clone, git add takes notebooks below {prefix}{naming.FOLDER}/ without outputs")
    return Exit.OK


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(root), *words],  # noqa: S607 - the user's git
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        message = f"tidy --install: git cannot be started: {why(error)}"
        raise UsageError(message) from None
    if done.returncode:
        message = f"tidy --install: {done.stderr.strip() or 'git has failed'}"
        raise UsageError(message)
    return done.stdout.rstrip("\n")

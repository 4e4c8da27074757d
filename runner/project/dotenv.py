"""The secrets that a run knows of from its beginning: in the environment, and in `.env` files."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..secrets import Mask
from ..system import looked_at
from .naming import FOLDER

# A name and its value: in quotes, or up to the end of the line or a comment.
_LINE = re.compile(
    r"""^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*[=:][^\S\n]*"""
    r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|(.*?)(?:\s\#.*)?$)""",
    re.MULTILINE,
)
_EXAMPLES = (".example", ".sample", ".template", ".dist")
# No such file is larger.
_MOST = 1 << 20


def mask(root: Path, environment: Mapping[str, str], patterns: Iterable[str] = ()) -> Mask:
    """Hide the secrets in an environment, and in the `.env` files of the project at `root`."""
    made = Mask.of(environment, patterns)
    for name, value in _written(root):
        made.learn({name: value})
    return made


def _written(root: Path) -> Iterator[tuple[str, str]]:
    for folder in (root, root / FOLDER):
        for path in sorted(folder.glob(".env*")):
            if path.name.endswith(_EXAMPLES) or not path.is_file():
                continue
            try:
                with looked_at(path) as file:
                    text = file.read(_MOST).decode("utf-8", "replace")
            except OSError:
                continue
            for name, *values in _LINE.findall(text):
                yield name, next((value for value in values if value), "").strip()

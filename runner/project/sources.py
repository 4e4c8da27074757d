"""Inputs from outside the project: files of installed packages, and URLs."""

import os
import re
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

DOWNLOADS = ".downloads"


class SourceError(Exception):
    """An outside input that cannot be had; the text says why and what to do."""


def is_outside(text: str) -> bool:
    """Tell whether a value names a package's file or a URL rather than a path."""
    return text.startswith(("package:", "http://", "https://"))


def locate(text: str, downloads: Path) -> Path:
    """Give the local path of an outside input; a URL's file may not be there yet.

    Args:
        text: `package:NAME/path/in/it` or `https://…#sha256=…`.
        downloads: the folder that keeps what was fetched.

    Raises:
        SourceError: it cannot be used.
    """
    if text.startswith("package:"):
        return _in_package(text)
    url, digest = _split(text)
    name = PurePosixPath(unquote(urlsplit(url).path)).name or "download"
    return downloads / digest / re.sub(r"[^\w.-]", "_", name)[-100:]


def _in_package(text: str) -> Path:
    name, _, inner = text.removeprefix("package:").partition("/")
    if not re.fullmatch(r"\w+", name) or not inner or ".." in PurePosixPath(inner).parts:
        message = f"{text}: write package:NAME/path/of/the/file"
        raise SourceError(message)
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        spec = None
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        message = f"{text}: the package {name} is not installed; add it to the requirements"
        raise SourceError(message)
    for folder in folders:
        path = Path(folder) / inner
        # `Path.exists` fails on what can be no path.
        if os.path.exists(path):  # noqa: PTH110
            return path
    message = f"{text}: the package {name} has no {inner}"
    raise SourceError(message)


def _split(text: str) -> tuple[str, str]:
    url, _, fragment = text.partition("#")
    digest = fragment.removeprefix("sha256=").lower()
    if not fragment.startswith("sha256=") or not re.fullmatch(r"[0-9a-f]{64}", digest):
        message = (
            f"{text}: a URL needs its checksum, as URL#sha256=<64 hex digits>; "
            "`sha256sum FILE` gives it for a file that you trust"
        )
        raise SourceError(message)
    try:
        if not urlsplit(url).hostname or (urlsplit(url).port or 0) < 0:
            message = f"{text}: the address names no host"
            raise SourceError(message)
    except ValueError as error:
        message = f"{text}: this is no address: {error}"
        raise SourceError(message) from None
    return url, digest


def fetch(text: str, path: Path) -> bool:
    """Bring a URL's file to `path`, unless it is there already, and verify it.

    Returns:
        Whether it was downloaded now.

    Raises:
        SourceError: it cannot be had, or it is not what the checksum says. Nothing is
            left at `path` then.
    """
    # Only a project with URLs pays for these imports.
    import pooch  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    url, digest = _split(text)
    pooch.get_logger().setLevel("ERROR")
    cached = path.exists()
    keeper = pooch.create(
        path=path.parent,
        base_url="",
        registry={path.name: f"sha256:{digest}"},
        urls={path.name: url},
        retry_if_failed=2,
    )
    try:
        keeper.fetch(path.name)
    except ValueError as error:
        got = re.search(r"got '?([0-9a-f]{64})", str(error), re.IGNORECASE)
        found = f"its sha256 is {got[1]}" if got else str(error)
        message = f"{url}: not the expected file, {found}; expected {digest}"
        raise SourceError(message) from None
    except (RequestException, OSError) as error:
        message = f"{url}: cannot be fetched: {_reason(error)}; check the address and the network"
        raise SourceError(message) from None
    return not cached


def _reason(error: Exception) -> str:
    """Give the innermost cause in one line, without the wrappings of three libraries."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    text = str(cause).strip().splitlines()
    return text[0] if text else type(cause).__name__


def digest_of(source: str | None) -> str | None:
    """Give the checksum that stands in a source, as hashes are written; None if there is none."""
    _, mark, digest = (source or "").partition("#sha256=")
    return f"sha256:{digest.lower()}" if mark else None

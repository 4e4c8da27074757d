"""What is told of a project that is no mistake, but may not be meant."""

import logging
from collections.abc import Iterator

from . import kernelspecs, lost_tags
from .layout import Project


def of_project(project: Project) -> Iterator[tuple[int, str]]:
    """Give each remark with its level in the log."""
    if project.listing.left_out:
        yield logging.INFO, project.listing.words
    for one in project.notebooks.values():
        if one.repairs:
            first, *more = one.repairs
            also = f" (and {len(more)} more)" if more else ""
            yield (
                logging.WARNING,
                f"{one.label}: {first}{also}; open it in Jupyter and save it again",
            )
    for text in (*lost_tags.suspicious(project), *kernelspecs.unused(project)):
        yield logging.WARNING, text

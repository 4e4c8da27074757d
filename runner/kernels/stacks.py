"""What faulthandler wrote about a kernel, cut to what the notebook's author knows.

The format is that of CPython's `faulthandler`: a head, then for each thread a line that
ends in "(most recent call first):" and a line for each frame.
"""

import re

_THREAD = re.compile(r"^(?:Current thread|Thread) .*\(most recent call first\):$")
_CELL = re.compile(r'File "[^"]*[/\\]ipykernel_\d+[/\\]\d+\.py", line (\d+)')


def readable(text: str, where: str) -> str:
    """Keep the head and the frames of the notebook's own code.

    Args:
        text: what faulthandler wrote.
        where: how the cell is called that was running.

    Returns:
        The head, and of each thread that runs the notebook's code the frames down to the
        cell; the whole text where there is no such thread.
    """
    head: list[str] = []
    threads: list[list[str]] = []
    for line in text.splitlines():
        if _THREAD.match(line):
            threads.append([line])
        elif threads and line.startswith("  "):
            threads[-1].append(line)
        elif line.strip() and not line.startswith("Extension modules:"):
            head.append(line)
    own = [kept for thread in threads if (kept := _own(thread, where))]
    return "\n".join([*head, *(line for thread in own for line in thread)]) if own else text


def _own(thread: list[str], where: str) -> list[str]:
    """Cut a thread's frames after the outermost one in a cell; none if it runs no cell."""
    cells = [number for number, line in enumerate(thread) if _CELL.search(line)]
    if not cells:
        return []
    kept = thread[: cells[-1] + 1]
    kept[-1] = _CELL.sub(rf"{where}, line \1", kept[-1])
    return kept

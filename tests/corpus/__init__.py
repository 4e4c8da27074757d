"""Notebooks that look at everything in which a forked kernel could differ from a fresh one.

Each file here is a notebook in percent format; `files_…` are scripts and modules beside them.
What must differ from kernel to kernel (numbers of processes, names of temporary folders,
times) is left out or made neutral by the cells themselves, so that outputs can be compared
as they are.
"""

import re
from pathlib import Path

_TEXTS = {path.stem: path.read_text("utf-8") for path in Path(__file__).parent.glob("[a-z]*.py")}
_BESIDE = "files_"
CORPUS = {
    name: tuple(cell.strip() for cell in text.split("# %%\n"))
    for name, text in _TEXTS.items()
    if not name.startswith(_BESIDE)
}
FILES = {
    f"notebooks/{name.removeprefix(_BESIDE)}.py": text
    for name, text in _TEXTS.items()
    if name.startswith(_BESIDE)
}

# What no two runs have in common in what a notebook shows, as JSON, and what to read instead.
_VARIES = (
    (r"ipykernel_\d+/\d+", "ipykernel_N/N"),
    (r"(IPY_MODEL_|\"model_id\": \")[0-9a-f]{32}", r"\1N"),
    (r"0x[0-9a-f]{6,}", "0xN"),
    (r"pipe:\[\d+\]", "pipe:[N]"),
    (r"(CPU times|Wall time)[^\"]*?\\n", "times"),
    (r"<dc:date>[^<]*", ""),
)


def without_chance(text: str) -> str:
    """Take out of outputs, written as JSON, what no two runs have in common."""
    for pattern, instead in _VARIES:
        text = re.sub(pattern, instead, text)
    return text

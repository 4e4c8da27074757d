"""Progress bars that are widgets, such as those of `tqdm.auto`, in words for the log."""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

# State of widgets by their ids, as kernels send it:
# https://github.com/jupyter-widgets/ipywidgets/blob/main/packages/schema/messages.md
States = Mapping[str, Mapping[str, Any]]

_MODEL = "IPY_MODEL_"
_BARS = {"FloatProgressModel", "IntProgressModel"}
_TAG = re.compile(r"<[^>]*>")


class Bars:
    """Remembers what was told of each bar."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._told: dict[str, str] = {}

    def news(self, states: States) -> list[str]:
        """Give a line for each bar that is not as it was last told, oldest first."""
        lines = dict(_lines(states))
        found = [text for bar, text in lines.items() if self._told.get(bar) != text]
        self._told = lines
        return found


def _lines(states: States) -> Iterator[tuple[str, str]]:
    """Give each bar's id and words, with those of the texts that stand beside it in a box."""
    boxes = [
        [one.removeprefix(_MODEL) for one in state["children"] if isinstance(one, str)]
        for state in states.values()
        if isinstance(state.get("children"), list | tuple)
    ]
    for name, state in states.items():
        if state.get("_model_name") in _BARS:
            beside = next((box for box in boxes if name in box), [])
            texts = (states.get(one, {}).get("value") for one in beside if one != name)
            words = " ".join(filter(None, map(_plain, texts)))
            how_far = f"{state.get('value', 0):g}/{state.get('max', 0):g}"
            yield name, words or f"{_plain(state.get('description'))} {how_far}".strip()


def _plain(text: object) -> str:
    """Give a text without its HTML."""
    plain = html.unescape(_TAG.sub("", text)) if isinstance(text, str) else ""
    return " ".join(plain.strip("| ").split())

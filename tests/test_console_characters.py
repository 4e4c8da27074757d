"""What a line may hold that a person reads."""

import pytest

from runner.words import shown


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("a\x1b[2Kb\x08\x07\x00c\td", "abc\td"),
        ("é ✓\n", "é ✓\n"),
    ],
)
def test_colours_and_control_characters_are_removed(text: str, plain: str) -> None:
    assert shown(text) == plain

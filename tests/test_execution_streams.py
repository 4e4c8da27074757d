"""How what a notebook prints is cut into lines."""

import logging

import pytest

from runner.execution import streams


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", ""),
        ("plain\n", "plain\n"),
        ("10%\r20%\r30%", "30%"),
        ("10%\r20%\r", "20%\r"),
        ("10%\r20%\r\nnext", "20%\nnext"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\rb\nc\rd", "b\nd"),
        ("a\r\r", "a\r"),
        ("\r", "\r"),
        ("a\rb\r\r\nc", "b\nc"),
    ],
)
def test_what_a_carriage_return_overwrote_is_not_seen(text: str, seen: str) -> None:
    assert streams.overwritten(text) == seen


@pytest.mark.parametrize(
    ("text", "stream", "record"),
    [
        ("hello", "stdout", (logging.INFO, None, "hello")),
        ("hello", "stderr", (logging.WARNING, None, "hello")),
        ("INFO:my.log:said: so", "stderr", (logging.INFO, "my.log", "said: so")),
        ("ERROR:root:", "stdout", (logging.ERROR, "root", "")),
        ("DEBUG:a:two\nlines", "stderr", (logging.DEBUG, "a", "two\nlines")),
        ("an ERROR here", "stderr", (logging.ERROR, None, "an ERROR here")),
        ("an ERROR here", "stdout", (logging.INFO, None, "an ERROR here")),
        ("ERRORS", "stderr", (logging.WARNING, None, "ERRORS")),
        ("x INFO:a:b", "stdout", (logging.INFO, None, "x INFO:a:b")),
        ("NOTE:a:b", "stdout", (logging.INFO, None, "NOTE:a:b")),
    ],
)
def test_level_and_logger_are_read_off_a_line(
    text: str, stream: str, record: tuple[int, str | None, str]
) -> None:
    assert streams.record(text, stream, is_bar=False) == record


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["a\nb\n"], ["a", "b"]),
        (["a", "b\nc", "\n"], ["ab", "c"]),
        (["a\r", "\nb\n"], ["a", "b"]),
        (["1%", "\r2%", "\r3%\n"], ["3%"]),
        (["1%\r", "2%\r"], ["2%"]),
        (["rest"], ["rest"]),
        (["a\n\nb\n"], ["a", "", "b"]),
        (["  \n", " "], ["  "]),
    ],
)
def test_a_stream_is_cut_into_lines(pieces: list[str], lines: list[str]) -> None:
    shown: list[str] = []
    cut = streams.Lines(lambda line, _: shown.append(line), lambda: None)
    for piece in pieces:
        cut.feed(piece)
    cut.finish()
    assert shown == lines

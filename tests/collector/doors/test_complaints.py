"""What the collector says of trouble: briefly, in one line, and not over and over."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest

from collector.doors.complaints import KINDS, OneLine, OneObject, Sparing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def heard() -> Iterator[tuple[logging.Logger, io.StringIO, Sparing]]:
    stream, sparing = io.StringIO(), Sparing(every_s=3600)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine(debug=False))
    handler.addFilter(sparing)
    log = logging.getLogger("test.complaints")
    log.propagate = False
    log.addHandler(handler)
    yield log, stream, sparing
    log.removeHandler(handler)


def test_the_same_trouble_is_said_once(heard: tuple[logging.Logger, io.StringIO, Sparing]) -> None:
    log, stream, sparing = heard
    for number in range(1000):
        log.error("a commit of %d requests failed", number)
    assert stream.getvalue() == "seamscope: a commit of 0 requests failed\n"
    sparing._every_s = 0
    log.error("a commit of %d requests failed", 7)
    assert stream.getvalue().endswith("seamscope: a commit of 7 requests failed (999 more like this)\n")


def test_an_error_is_one_line(heard: tuple[logging.Logger, io.StringIO, Sparing]) -> None:
    log, stream, _ = heard
    try:
        int("two\nlines")
    except ValueError:
        log.exception("a batch failed")
    assert stream.getvalue().startswith("seamscope: a batch failed: ValueError: invalid literal")
    assert stream.getvalue().count("\n") == 1


def test_what_senders_wrote_moves_no_terminal(heard: tuple[logging.Logger, io.StringIO, Sparing]) -> None:
    log, stream, _ = heard
    log.error("pages of %s may not send", "\x1b]0;title\x07\u202e", exc_info=ValueError("\x9b2J"))
    assert stream.getvalue() == ("seamscope: pages of \\x1b]0;title\\x07\\u202e may not send: ValueError: \\x9b2J\n")


def test_endless_kinds_take_no_endless_memory(heard: tuple[logging.Logger, io.StringIO, Sparing]) -> None:
    log, stream, sparing = heard
    for number in range(3 * KINDS):
        log.error(f"trouble {number}")  # noqa: G004 - as a careless caller would
    assert len(sparing._last) <= KINDS + 1
    assert stream.getvalue().count("\n") == KINDS + 1


def test_whoever_debugs_sees_the_traceback() -> None:
    try:
        raise ValueError("\x1b[2J")  # noqa: TRY301 - as a library would with what was sent
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", None, (type(error), error, error.__traceback__))
    assert "Traceback" in OneLine(debug=True).format(record)
    assert "\x1b" not in OneLine(debug=True).format(record)
    assert "Traceback" not in OneLine(debug=False).format(record)


def test_as_json_a_complaint_is_an_object_a_line(heard: tuple[logging.Logger, io.StringIO, Sparing]) -> None:
    log, stream, _ = heard
    log.handlers[0].setFormatter(OneObject())
    log.error("broken: %s", "\x1b[2J", exc_info=ValueError("two\nlines"))
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line
    found = json.loads(line)
    assert found.pop("at").endswith("+00:00")
    assert found == {
        "level": "error",
        "logger": "test.complaints",
        "message": "broken: \x1b[2J",
        "error": {"type": "ValueError", "message": "two\nlines"},
        "kept_back": 0,
    }

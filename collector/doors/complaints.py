"""What a running collector says on stderr: one line per trouble, and the same trouble not over and over."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from seamscope.text.safe import safe

if TYPE_CHECKING:
    from typing import TextIO

EVERY_S: Final = 10.0
"""The same complaint comes at most this often, with how many were kept back."""

KINDS: Final = 1000
"""Complaints told apart; beyond these all others count as one."""


class Sparing(logging.Filter):
    """Lets a complaint (its words before the details) through once in `EVERY_S`."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        super().__init__()
        self._every_s = every_s
        self._last: dict[tuple[str, object], float] = {}
        self._kept_back: dict[tuple[str, object], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is said; one that is carries the number of those that were not."""
        kind = (record.name, record.msg)
        if kind not in self._last and len(self._last) >= KINDS:
            kind = ("", "")
        now = time.monotonic()
        if now - self._last.get(kind, -self._every_s) < self._every_s:
            self._kept_back[kind] = self._kept_back.get(kind, 0) + 1
            return False
        self._last[kind] = now
        record.kept_back = self._kept_back.pop(kind, 0)
        return True


class OneLine(logging.Formatter):
    """A record as one line; the traceback only where somebody debugs."""

    def __init__(self, *, debug: bool) -> None:
        super().__init__()
        self._debug = debug

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = _one_line(record.getMessage())
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text += f": {type(error).__name__}: {_one_line(str(error))[:300]}"
        kept_back = getattr(record, "kept_back", 0)
        line = f"seamscope: {text}" + (f" ({kept_back} more like this)" if kept_back else "")
        traceback = self.formatException(record.exc_info) if self._debug and record.exc_info else ""
        return "\n".join((line, *map(safe, traceback.splitlines())))


def _one_line(text: str) -> str:
    """Give words, which may be a sender's, without what ends a line or is obeyed by a terminal."""
    return safe(" ".join(text.split()))


class OneObject(logging.Formatter):
    """A record as one JSON object in one line: `at`, `level`, `logger`, `message`, `error`, `kept_back`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        error = record.exc_info[1] if record.exc_info else None
        return json.dumps(
            {
                "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": record.getMessage(),
                **({"error": {"type": type(error).__name__, "message": str(error)[:300]}} if error else {}),
                "kept_back": getattr(record, "kept_back", 0),
            }
        )


def complain_to(stream: TextIO, *, debug: bool = False, as_json: bool = False) -> None:
    """Send the program's warnings and errors to a stream, sparingly; `as_json`: as an object a line."""
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(OneObject() if as_json else OneLine(debug=debug))
    handler.addFilter(Sparing())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)

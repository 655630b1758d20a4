"""The log records of a request as text: a line each, what others wrote made harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seamscope.text.figures import duration, plural
from seamscope.text.paper import line, name

if TYPE_CHECKING:
    from rich.text import Text

    from seamscope.results import LogLine, RequestLogs

LINES_SHOWN: Final = 20
_BODY_SHOWN: Final = 400
_OFFSET_CELLS: Final = 9
LEVEL_STYLES: Final = {"fatal": "bold red", "error": "red", "warn": "yellow", "debug": "dim", "trace": "dim"}


def log_lines(logs: RequestLogs, *, shown: int = LINES_SHOWN) -> list[Text]:
    """Draw the first `shown` records (0: all that were read), and say how many more there are; nothing for none."""
    if not logs.total:
        return []
    drawn = logs.lines[: shown or None]
    services = max((len(entry.service or "") for entry in drawn), default=0)
    lines = [line(("logs", "bold"), *_how_many(logs, len(drawn)))]
    return [*lines, *(_line(entry, min(services, 24)) for entry in drawn)]


def _how_many(logs: RequestLogs, drawn: int) -> list[tuple[str, str]]:
    if drawn == logs.total:
        return [(f"  {plural(logs.total, 'record')}", "dim")]
    more = f"; --logs 0 shows {len(logs.lines):,}" if drawn < len(logs.lines) else "; seamscope sql has the rest"
    return [(f"  the first {drawn:,} of {plural(logs.total, 'record')}{more}", "yellow")]


def _line(entry: LogLine, services: int) -> Text:
    at = duration(entry.offset_ns) if entry.offset_ns < 0 else f"+{duration(entry.offset_ns)}"
    level = name(entry.level[:5], LEVEL_STYLES.get(entry.level, ""))
    level.pad_right(5 - level.cell_len)
    service = name(entry.service, "dim")
    service.truncate(services, overflow="ellipsis", pad=True)
    body = name(_said(entry)[:_BODY_SHOWN])
    joined = "" if entry.joined_by == "trace_context" else f"  by {entry.joined_by.replace('_', ' ')}"
    return line("  ", at.rjust(_OFFSET_CELLS), "  ", level, "  ", service, "  ", body, (joined, "dim"))


def _said(entry: LogLine) -> str:
    return entry.body or entry.event_name or "(no text)"

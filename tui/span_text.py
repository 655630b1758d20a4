"""Everything known of a span as lines of labels and values, wrapped to a width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seamscope.text.instruments_text import VERDICTS
from seamscope.text.safe import safe
from tui import formats
from tui.lines import cells, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from seamscope.results import Hop, LogLine, Segment, SpanDetail, Testimony, WaterfallRow
    from tui.glyphs import Glyphs

LABELS: Final = 13
"""Cells of the column of labels."""
LONGEST_VALUE: Final = 4_000
"""Characters of a value that are shown; the rest is counted."""
MOST_LINES: Final = 2_000
"""Lines from which on what is left is counted: wrapping them takes 0.1 s of CPU, 5,000 stack traces 10 s."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A label and its value before wrapping."""

    label: str
    value: str
    kind: str = "fact"
    """`title`, `heading`, `fact`, `attribute`, `cause`, `error`, `note` or `gap`."""


@dataclass(frozen=True, slots=True)
class PaneLine:
    """A line of the pane: a label (or nothing, where a value goes on) and a piece of value; both clean."""

    label: str
    value: str
    kind: str


def entries(
    row: WaterfallRow,
    span: SpanDetail | None,
    path: Sequence[Segment],
    glyphs: Glyphs,
    told: Sequence[Testimony] = (),
) -> Iterator[Entry]:
    """Give what is known of a row of the waterfall; `span` is None while it is read, and for a seam.

    `told` is what instruments said of the waits of its call.
    """
    yield Entry("", glyphs.words(row.name), "title")
    if row.kind == "seam" and row.hop is not None:
        yield Entry("", "what the client saw and the server did not", "note")
    else:
        yield from _facts(row)
    yield from _times(row, span)
    yield from _on_path(path)
    if row.hop is not None:
        yield from _hop(row.hop, glyphs)
        yield from _told(told)
    yield from (Entry("note", note, "note") for note in row.notes)
    if span is not None:
        yield from _sent(span)


def record_entries(record: LogLine) -> Iterator[Entry]:
    """Give a log record whole: its text, and what was sent with it."""
    body = record.body or record.event_name or "(no text)"
    yield from (Entry("", part, "title") for part in body[:LONGEST_VALUE].splitlines())
    if record.left_out_characters:
        yield Entry("", f"{formats.count(record.left_out_characters)} more characters were not read", "note")
    yield Entry("level", record.level, "error" if record.level in {"error", "fatal"} else "fact")
    yield Entry("from", record.service or "unknown")
    yield Entry("at", f"{formats.date(record.at_ns)} {formats.clock(record.at_ns, 9)}Z")
    for label, value in (("event", record.event_name), ("logger", record.scope)):
        if value and value != record.body:
            yield Entry(label, value)
    yield Entry("joined by", record.joined_by.replace("_", " "))
    if record.attributes:
        yield Entry("attributes", str(len(record.attributes)), "heading")
    for key, value in sorted(record.attributes):
        first, *more = value[:LONGEST_VALUE].splitlines() or [""]
        yield Entry(key, first, "attribute")
        yield from (Entry("", part, "attribute") for part in more)


def _facts(row: WaterfallRow) -> Iterator[Entry]:
    yield Entry("service", f"{row.tier}:{row.service or 'unknown'}")
    yield Entry("kind", row.span_kind + (", asynchronous: nobody waits for it" if row.is_async else ""))
    yield Entry("status", row.status, "error" if row.status == "error" else "fact")


def _times(row: WaterfallRow, span: SpanDetail | None) -> Iterator[Entry]:
    yield Entry("took", formats.duration(row.duration_ns))
    yield Entry("starts", f"{formats.offset(row.start_ns)}")
    if span is not None:
        yield Entry("at", f"{formats.date(span.start_ns)} {formats.clock(span.start_ns, 9)}Z")
    yield Entry("span", row.span_id or f"between {row.parent_span_id} and its server")
    if row.parent_span_id and row.span_id:
        yield Entry("parent", row.parent_span_id)
    yield Entry("trace", row.trace_id)


def _on_path(path: Sequence[Segment]) -> Iterator[Entry]:
    if path:
        yield Entry("on the critical path", str(len(path)), "heading")
    for segment in path:
        took = formats.duration(segment.end_ns - segment.start_ns)
        yield Entry(segment.cause, f"{took} at {formats.offset(segment.start_ns)}, {segment.evidence}", "cause")


def _hop(hop: Hop, glyphs: Glyphs) -> Iterator[Entry]:
    yield Entry("hop", glyphs.words(hop.seam), "heading")
    error = "" if hop.leg_error_ns is None else f" ± {formats.duration(hop.leg_error_ns)}"
    legs = (hop.request_leg_ns, hop.response_leg_ns)
    for label, value in (
        ("operation", hop.operation),
        ("peer", hop.peer),
        ("caller", hop.caller_instance),
        ("callee", hop.callee_instance),
        ("client saw", formats.duration(hop.duration_ns)),
        ("server saw", formats.duration(hop.server_ns)),
        ("gap", f"{formats.duration(hop.gap_ns)}, {hop.gap_kind.replace('_', ' ')}"),
        ("there", None if legs[0] is None else formats.duration(legs[0]) + error),
        ("back", None if legs[1] is None else formats.duration(legs[1]) + error),
        ("connection", None if hop.reused is None else "reused" if hop.reused else "opened for this call"),
        ("attempts", str(hop.attempts) if hop.attempts > 1 else None),
        ("joined by", hop.joined_by.replace("_", " ")),
    ):
        if value is not None:
            yield Entry(label, value)
    for phase, ns in hop.phases.items():
        if ns is not None:
            yield Entry(phase, formats.duration(ns), "cause")


def _told(told: Sequence[Testimony]) -> Iterator[Entry]:
    for each in told:
        pool = f" of {each.pool}" if each.pool else ""
        yield Entry(each.cause, f"{VERDICTS[each.verdict]} by {each.instrument}{pool}: {each.sentence}", "cause")


def _sent(span: SpanDetail) -> Iterator[Entry]:
    if span.status_message:
        yield Entry("message", span.status_message, "error")
    yield from _section("attributes", span.attributes)
    if span.events:
        yield Entry("events", str(len(span.events)), "heading")
    for at_ns, name, attributes in span.events:
        yield Entry(formats.offset(at_ns - span.start_ns), name)
        yield from (Entry(f"  {key}", value, "attribute") for key, value in attributes)
    if span.links:
        yield Entry("links", str(len(span.links)), "heading")
    yield from (Entry("span", f"{span_id} of trace {trace_id}") for trace_id, span_id in span.links)
    yield from _section("resource", span.resource)
    if span.scope:
        yield Entry("scope", span.scope)


def _section(title: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Entry]:
    if pairs:
        yield Entry(title, str(len(pairs)), "heading")
    yield from (Entry(key, value, "attribute") for key, value in sorted(pairs))


def matching(found: Iterable[Entry], needle: str) -> list[Entry]:
    """Keep the entries whose label or value holds a text; headings stay where something is left below them."""
    if not needle:
        return list(found)
    kept: list[Entry] = []
    heading: Entry | None = None
    for entry in found:
        if entry.kind == "heading":
            heading = entry
        elif needle.lower() in entry.label.lower() or needle.lower() in entry.value.lower():
            kept.extend([heading] if heading else [])
            heading = None
            kept.append(entry)
    return kept


def lines(found: Iterable[Entry], width: int) -> list[PaneLine]:
    """Wrap entries to a width: facts in two columns, attributes as running text; what goes too far is counted."""
    drawn: list[PaneLine] = []
    rest = iter(found)
    for entry in rest:
        drawn += _lines(entry, width)
        if len(drawn) >= MOST_LINES:
            break
    left = sum(entry.kind != "heading" for entry in rest)
    return [*drawn, PaneLine("", f"and {formats.count(left)} more: / finds them", "note")] if left else drawn


def _lines(entry: Entry, width: int) -> Iterator[PaneLine]:
    label, value = safe(entry.label, 200), _value(entry.value)
    if entry.kind == "heading":
        yield PaneLine("", "", "gap")
        yield PaneLine(label, value, "heading")
    elif entry.kind in {"title", "note"}:
        yield from (PaneLine("", piece, entry.kind) for piece in wrap(value, width))
    elif entry.kind == "attribute":
        yield from _running(label, value, width)
    else:
        pieces = wrap(value, width - LABELS)
        yield from (PaneLine("" if place else label, piece, entry.kind) for place, piece in enumerate(pieces))


def _running(label: str, value: str, width: int) -> Iterator[PaneLine]:
    """A key, its value behind it; where that does not fit, the value goes on below, indented."""
    first = width - cells(label) - 1
    if first < 12 and cells(value) > first:
        yield PaneLine(label, "", "attribute")
        rest = value
    else:
        head = cut_at(value, first)
        yield PaneLine(label, head, "attribute")
        rest = value[len(head) :]
    if rest:
        yield from (PaneLine("", f"  {piece}", "attribute") for piece in wrap(rest, width - 2))


def cut_at(text: str, width: int) -> str:
    """Give as much of a clean text's beginning as fits a width."""
    return wrap(text, max(width, 1))[0]


def _value(text: str) -> str:
    over = len(text) - LONGEST_VALUE
    return safe(text) if over <= 0 else f"{safe(text[:LONGEST_VALUE])} … {formats.count(over)} more characters"

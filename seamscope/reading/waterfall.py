"""The waterfall: a request's spans in display order, the seam drawn between a client span and its server span.

Depth first, children by start, iterative (a chain of ten thousand spans is a chain, not a stack overflow). Times are
as sent, counted from the request's start on its entry's clock; those years off are drawn within the others', or nobody
would see these.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from seamscope.hexadecimal import span_hex, trace_hex
from seamscope.reading.request_parts import boundary, word
from seamscope.results import WaterfallRow
from seamscope.schema.words import SPAN_KINDS, STATUSES, TIERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seamscope.results import AsyncWork, Hop, RequestRow, Segment, TraceWarning

    SpanRow = Mapping[str, Any]
    Node = tuple[str, str, int]
    """(trace id, span id, kind): client and server may share a span id."""

_SERVER: Final = SPAN_KINDS.index("server")
_CLIENT: Final = SPAN_KINDS.index("client")
_YEARS_OFF: Final = "time_out_of_range:"


@dataclass
class _Tree:
    """Spans of one request as nodes; `children` are in time order."""

    spans: dict[Node, SpanRow] = field(default_factory=dict)
    by_id: dict[tuple[str, str], list[Node]] = field(default_factory=lambda: defaultdict(list))
    children: dict[Node, list[Node]] = field(default_factory=lambda: defaultdict(list))
    parents: dict[Node, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class _Marks:
    """What is drawn onto spans: hops by both ends, stretches of the path, notes, asynchronous work."""

    start_ns: int
    hop_of_server: Mapping[str, Hop]
    hop_of_client: Mapping[str, Hop]
    stretches: Mapping[str | None, Sequence[Segment]]
    notes: Mapping[tuple[str, str | None], Sequence[str]]
    started_async: frozenset[str]
    tiers: Mapping[str, str]


def waterfall(
    row: RequestRow,
    span_rows: Iterable[SpanRow],
    other_entries: Iterable[tuple[str, str]],
    hops: Sequence[Hop],
    segments: Sequence[Segment],
    warnings: Iterable[TraceWarning],
    async_work: Iterable[AsyncWork],
) -> tuple[WaterfallRow, ...]:
    """Put a request's spans in display order.

    Args:
        row: The request.
        span_rows: Rows of `request/spans.sql`, in time order.
        other_entries: (trace id, span id) of the entries of other requests in the same traces, and of their calls;
            their spans are drawn only where they hang below this request's.
        hops: Its hops, starts counted from the request's start.
        segments: Its critical path to the horizon that is drawn.
        warnings: Odd things; those of a span become its notes.
        async_work: Spans that start work nobody waits for.
    """
    tree = _grow(span_rows, hops)
    marks = _marks(row, hops, segments, warnings, async_work)
    entry = (row.trace_id, row.request_id.rpartition("-")[2])
    roots = _roots(tree, entry, list(other_entries))
    rows: list[WaterfallRow] = []
    seen: set[Node] = set()
    stack = [(node, 0, False) for node in reversed(roots)]
    while stack:
        node, depth, is_async = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        is_async = is_async or node[1] in marks.started_async
        drawn = _rows(tree.spans[node], node, depth, is_async=is_async, marks=marks)
        rows.extend(drawn)
        below = drawn[-1].depth + 1
        stack.extend((child, below, is_async) for child in reversed(tree.children[node]))
    return _within(rows, row)


def _within(rows: Sequence[WaterfallRow], request: RequestRow) -> tuple[WaterfallRow, ...]:
    """Hold spans whose times are years off (`time_out_of_range`) within what the others take up."""
    odd = [any(note.startswith(_YEARS_OFF) for note in row.notes) for row in rows]
    if not any(odd):
        return tuple(rows)
    sure = [row for row, is_odd in zip(rows, odd, strict=True) if not is_odd]
    low = min((row.start_ns for row in sure), default=0)
    high = max((row.start_ns + row.duration_ns for row in sure), default=request.complete_ns or 0)
    return tuple(_held(row, low, high) if is_odd else row for row, is_odd in zip(rows, odd, strict=True))


def _held(row: WaterfallRow, low: int, high: int) -> WaterfallRow:
    start, end = (min(max(moment, low), high) for moment in (row.start_ns, row.start_ns + row.duration_ns))
    return replace(row, start_ns=start, duration_ns=end - start)


def _grow(span_rows: Iterable[SpanRow], hops: Sequence[Hop]) -> _Tree:
    tree = _Tree()
    for span in span_rows:
        node = (trace_hex(span["trace_hi"], span["trace_lo"]), span_hex(span["span_id"]) or "", span["kind"])
        tree.spans[node] = span
        tree.by_id[node[:2]].append(node)
    called_by = {hop.server_span_id: hop for hop in hops if hop.server_span_id}
    for node, span in tree.spans.items():
        parent = _parent(tree, node, span) or _caller(tree, node, called_by.get(node[1]))
        if parent is not None and parent != node:
            tree.parents[node] = parent
            tree.children[parent].append(node)
    return tree


def _parent(tree: _Tree, node: Node, span: SpanRow) -> Node | None:
    """Find the parent; under an id that client and server share, a server hangs below its client."""
    twins = tree.by_id[node[:2]]
    if len(twins) > 1 and node[2] == _SERVER:
        client = (*node[:2], _CLIENT)
        if client in tree.spans:
            return client
    parent_id = span_hex(span["parent_id"])
    found = tree.by_id.get((node[0], parent_id), []) if parent_id else []
    servers = [candidate for candidate in found if candidate[2] == _SERVER]
    return next(iter(servers or found), None)


def _caller(tree: _Tree, node: Node, hop: Hop | None) -> Node | None:
    if hop is None:
        return None
    found = [twin for twin in tree.by_id.get((hop.trace_id, hop.client_span_id), []) if twin != node]
    return found[0] if found else None


def _roots(tree: _Tree, entry: tuple[str, str], others: list[tuple[str, str]]) -> list[Node]:
    """Give the entry first, then what hangs nowhere and belongs to no other request (lost parents, cut cycles)."""
    own = sorted(tree.by_id.get(entry, []), key=lambda node: node[2] != _CLIENT)[:1]
    below = _below(tree, own)
    foreign = {node for other in others if other != entry for node in tree.by_id.get(other, [])} - below
    taken = below | _below(tree, sorted(foreign)) | _above(tree, [*own, *foreign])
    loose = [node for node in tree.spans if node not in taken and node not in tree.parents]
    taken |= _below(tree, loose)
    return own + loose + ([] if foreign else [node for node in tree.spans if node not in taken])


def _below(tree: _Tree, nodes: Iterable[Node]) -> set[Node]:
    found: set[Node] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(tree.children[node])
    return found


def _above(tree: _Tree, nodes: Iterable[Node]) -> set[Node]:
    found: set[Node] = set()
    for start in nodes:
        node = tree.parents.get(start)
        while node is not None and node not in found:
            found.add(node)
            node = tree.parents.get(node)
    return found


def _marks(
    row: RequestRow,
    hops: Sequence[Hop],
    segments: Sequence[Segment],
    warnings: Iterable[TraceWarning],
    async_work: Iterable[AsyncWork],
) -> _Marks:
    stretches: dict[str | None, list[Segment]] = defaultdict(list)
    for segment in segments:
        stretches[segment.span_id].append(segment)
    notes: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for warning in warnings:
        notes[warning.trace_id, warning.span_id].append(f"{warning.code}: {warning.detail}".rstrip(": "))
    return _Marks(
        start_ns=row.start_ns,
        hop_of_server={hop.server_span_id: hop for hop in reversed(hops) if hop.server_span_id},
        hop_of_client={hop.client_span_id: hop for hop in hops},
        stretches=stretches,
        notes=notes,
        started_async=frozenset(
            {work.span_id for work in async_work} | {hop.client_span_id for hop in hops if hop.is_async}
        ),
        tiers={s.service: s.tier for s in segments if s.service and s.tier},
    )


def _rows(span: SpanRow, node: Node, depth: int, *, is_async: bool, marks: _Marks) -> list[WaterfallRow]:
    """Give a span's row, under its seam's where it is the server of a hop."""
    hop = marks.hop_of_server.get(node[1]) if node[2] != _CLIENT else None
    if hop is None:
        return [_span_row(span, node, depth, is_async=is_async, marks=marks)]
    return [
        _seam_row(hop, depth, is_async=is_async, marks=marks),
        _span_row(span, node, depth + 1, is_async=is_async, marks=marks),
    ]


def _span_row(span: SpanRow, node: Node, depth: int, *, is_async: bool, marks: _Marks) -> WaterfallRow:
    calls = marks.hop_of_client.get(node[1]) if node[2] != _SERVER else None
    drawn_apart = calls is not None and calls.server_span_id is not None
    own = [s for s in marks.stretches.get(node[1], ()) if not (drawn_apart and s.seam)]
    if node[2] == _SERVER and node[1] in marks.hop_of_client:  # an id shared with its client: the client has them
        own = [s for s in own if not s.seam]
    return WaterfallRow(
        kind="span",
        depth=depth,
        name=span["name"] or "",
        span_id=node[1],
        trace_id=node[0],
        parent_span_id=span_hex(span["parent_id"]),
        service=span["service"],
        tier=_tier(span, marks),
        span_kind=word(SPAN_KINDS, span["kind"]) or "unspecified",
        start_ns=span["start_ns"] - marks.start_ns,
        duration_ns=max(0, span["end_ns"] - span["start_ns"]),
        status=word(STATUSES, span["status"]) or "unset",
        critical=tuple((s.start_ns, s.end_ns) for s in own),
        is_async=is_async,
        hop=None if drawn_apart else calls,
        notes=tuple(marks.notes.get((node[0], node[1]), ())),
        causes=tuple(s.cause for s in own),
    )


def _tier(span: SpanRow, marks: _Marks) -> str:
    told = word(TIERS, span["tier"]) or "unknown"
    return marks.tiers.get(span["service"] or "", told) if told == "unknown" else told


def _seam_row(hop: Hop, depth: int, *, is_async: bool, marks: _Marks) -> WaterfallRow:
    own = [s for s in marks.stretches.get(hop.client_span_id, ()) if s.seam]
    return WaterfallRow(
        kind="seam",
        depth=depth,
        name=hop.seam,
        span_id=None,
        trace_id=hop.trace_id,
        parent_span_id=hop.client_span_id,
        service=None,
        tier=boundary(hop.seam).rpartition("→")[2],
        span_kind="seam",
        start_ns=hop.start_ns,
        duration_ns=hop.duration_ns,
        status="error" if hop.error else "unset",
        critical=tuple((s.start_ns, s.end_ns) for s in own),
        is_async=is_async,
        hop=hop,
        causes=tuple(s.cause for s in own),
    )

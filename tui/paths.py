"""Where a request's critical path runs through its waterfall: stretches by row, and rows by segment."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seamscope.results import RequestDetail, Segment, WaterfallRow


class Path:
    """The path to one horizon of one request, as its waterfall draws it."""

    def __init__(self, detail: RequestDetail, horizon: str) -> None:
        self.segments: tuple[Segment, ...] = detail.segments.get(horizon, ())
        self._of_span: dict[str | None, list[Segment]] = defaultdict(list)
        for segment in self.segments:
            self._of_span[segment.span_id].append(segment)
        self._callers = {hop.client_span_id for hop in detail.hops}
        self._drawn_apart = {hop.client_span_id for hop in detail.hops if hop.server_span_id}
        self._rows: dict[tuple[str | None, bool], int] = {}
        for place, row in enumerate(detail.waterfall):
            for segment in self.stretches(row):
                self._rows.setdefault((segment.span_id, segment.seam is not None), place)

    def stretches(self, row: WaterfallRow) -> list[Segment]:
        """Give the segments that a row shows: a hop's own on its seam row where it has one, all others on the span."""
        if row.kind == "seam":
            return [segment for segment in self._of_span.get(row.parent_span_id, ()) if segment.seam]
        own = self._of_span.get(row.span_id, [])
        if row.span_kind == "server":
            return [s for s in own if not s.seam] if row.span_id in self._callers else own
        return [s for s in own if not s.seam] if row.span_id in self._drawn_apart else own

    def row_of(self, segment: Segment) -> int | None:
        """Give the waterfall row that shows a segment; None for a stretch without a span."""
        return self._rows.get((segment.span_id, segment.seam is not None))

    @property
    def rows(self) -> list[int]:
        """Give the rows on the path, in display order."""
        return sorted(set(self._rows.values()))

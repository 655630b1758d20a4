"""One selection, seen from all its sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seamscope.results.reports import Report
    from seamscope.results.requests import RequestDetail, RequestRow
    from seamscope.results.seams import SeamRow


@dataclass(frozen=True, slots=True)
class Boundary:
    """Everything that the static pages draw: one selection, seen from all its sides."""

    report: Report
    """By route, totals over all requests."""
    typical: Report
    """By route, the typical p95 request."""
    seams: tuple[SeamRow, ...]
    slowest: dict[str, tuple[RequestRow, ...]]
    """Route → its slowest requests, slowest first."""
    slowest_by_seam: dict[str, tuple[tuple[RequestRow, int], ...]]
    """Seam → requests with its widest gaps and that gap in ns, widest first."""
    details: tuple[RequestDetail, ...]
    """The requests that get a page of their own."""
    first_start_ns: int | None
    last_start_ns: int | None
    coverage: dict[str, int]
    """`hops`, `matched`, `gap_known`, `reuse_known`, `gap_ns`, `gap_explained_ns` over all seams."""

"""What would tell the time of one request that nobody explains, seam by seam."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from seamscope.reading.coverage import lacking, seam_rows, sides
from seamscope.results import Remainder
from seamscope.selection.predicate import Predicate
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.results import Segment
    from seamscope.store import Reader

WORTH: Final = 0.1
"""Part of the horizon, from which on a seam's unexplained time is worth an instrument."""
WORTH_NS: Final = 1_000_000
MOST: Final = 3
"""Seams that are named, those with most of it first."""
_OF_REQUEST: Final = "r.request_no = $request_no"


def remainders(reader: Reader, request_no: int, path: Sequence[Segment]) -> tuple[Remainder, ...]:
    """Give the seams on which much of a path is unexplained, and the instrumentation that would tell it."""
    open_ns: Counter[str] = Counter()
    for stretch in path:
        if stretch.seam and stretch.cause == "unexplained":
            open_ns[stretch.seam] += stretch.end_ns - stretch.start_ns
    least = max(WORTH_NS, WORTH * (path[-1].end_ns if path else 0))
    worth = [(seam, ns) for seam, ns in open_ns.most_common(MOST) if ns >= least]
    if not worth:
        return ()
    key: dict[str, object] = {"request_no": request_no}
    rows = {row["seam"]: row for row in seam_rows(reader, Predicate(_OF_REQUEST, key))}
    senders = sides(reader.query(statement("report/seam_emitters", where=_OF_REQUEST), key).iter_rows(named=True))
    return tuple(
        Remainder(seam, ns, lacking(rows[seam], senders.get(seam, {})) if seam in rows else ()) for seam, ns in worth
    )

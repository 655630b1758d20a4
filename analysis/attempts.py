"""Attempts that were given up: a call that failed and that its caller sent again, to the same callee, for the same.

What such a call took beyond what its own spans tell is the caller's, who retried: no phase of the seam, and not the
callee's. Semantic conventions give `http.request.resend_count` only where one instrumentation sees all attempts; an
application's own loop sends siblings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from seamscope.schema import words

if TYPE_CHECKING:
    from analysis.arrays import Int64s, Mask
    from analysis.calls import Calls
    from analysis.forest import Forest
    from analysis.journeys import Seams

ERROR = words.code(words.STATUSES, "error")


def given_up(forest: Forest, calls: Calls, seams: Seams, start: Int64s, end: Int64s) -> Mask:
    """Mark calls that failed and were sent again: the next alike call of the same span began when it had ended."""
    failed = forest.padded(forest.spans.column("status", np.uint8, 0), 0)[calls.outer] == ERROR
    marks: Mask = np.zeros(calls.count, np.bool_)
    sought = failed & (calls.headless == 0)
    if not sought.any():
        return marks
    parent = forest.parent[calls.outer]
    under = np.flatnonzero(np.isin(parent, np.unique(parent[sought])) & (parent >= 0) & (calls.headless == 0))
    outer = calls.outer[under]
    told = pl.DataFrame(
        {
            "call": under,
            "parent": parent[under],
            "seam": seams.seam[under],
            "operation": forest.spans.gather("operation", calls.named[under]),
            "failed": failed[under],
            "start": start[outer],
            "end": end[outer] - forest.grain[outer],
        }
    ).sort("parent", "seam", "operation", "start", "call")
    sent_again = (pl.col("start").shift(-1) >= pl.col("end")).over("parent", "seam", "operation").fill_null(value=False)
    marks[told.filter(pl.col("failed") & sent_again).get_column("call").to_numpy()] = True
    return marks

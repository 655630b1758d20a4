"""Results as people see them: frozen, typed, numbers already computed; terminal, page and JSON draw nothing else.

Times are integer nanoseconds unless a name says otherwise; a number that cannot be known is None, never 0.
"""

from seamscope.results.boundary import Boundary
from seamscope.results.differences import Difference, DifferenceRow, SetOfRequests, ValueApart
from seamscope.results.instruments import Testimony
from seamscope.results.logs import LogLine, RequestLogs
from seamscope.results.reports import Group, HeldBy, Metric, Percentiles, Report, Selection
from seamscope.results.requests import (
    AsyncWork,
    Finding,
    FindingRequest,
    Hop,
    Inference,
    RequestDetail,
    RequestFinding,
    RequestRow,
    Segment,
    Share,
    SpanDetail,
    TraceWarning,
    WaterfallRow,
)
from seamscope.results.seams import Lacking, Remainder, SeamRow

__all__ = [
    "AsyncWork",
    "Boundary",
    "Difference",
    "DifferenceRow",
    "Finding",
    "FindingRequest",
    "Group",
    "HeldBy",
    "Hop",
    "Inference",
    "Lacking",
    "LogLine",
    "Metric",
    "Percentiles",
    "Remainder",
    "Report",
    "RequestDetail",
    "RequestFinding",
    "RequestLogs",
    "RequestRow",
    "SeamRow",
    "Segment",
    "Selection",
    "SetOfRequests",
    "Share",
    "SpanDetail",
    "Testimony",
    "TraceWarning",
    "ValueApart",
    "WaterfallRow",
]

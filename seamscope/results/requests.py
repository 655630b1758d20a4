"""One request as people see it: its path, its calls, its spans, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seamscope.results.logs import RequestLogs

if TYPE_CHECKING:
    from seamscope.results.instruments import Testimony
    from seamscope.results.seams import Remainder


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a request's critical path with one owner and one cause; times count from the request's start."""

    start_ns: int
    end_ns: int
    span_id: str | None
    owner: str
    tier: str | None
    service: str | None
    seam: str | None
    cause: str
    evidence: str
    call_id: str | None = None
    """Outermost call of the entry that this stretch lies in (a client span's id)."""


@dataclass(frozen=True, slots=True)
class Share:
    """Time of one owner, cause and evidence."""

    owner: str
    cause: str
    evidence: str
    ns: int
    """Sum over the requests it was taken from (weighted mean × requests is not taken: integers that add up)."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One call from one process to another; field names are those of the `hops` view."""

    client_span_id: str
    server_span_id: str | None
    trace_id: str
    seam: str
    boundary: str
    operation: str | None
    peer: str | None
    status: int | None
    attempts: int
    start_ns: int
    """From the request's start, on the client's clock."""
    duration_ns: int
    server_ns: int | None
    gap_ns: int | None
    gap_kind: str
    request_leg_ns: int | None
    response_leg_ns: int | None
    leg_error_ns: int | None
    phases: dict[str, int | None]
    """`setup dns connect tls pool_wait send network server_queue transfer retry unexplained` → ns."""
    reused: bool | None
    joined_by: str
    is_async: bool
    error: bool = False
    caller_instance: str | None = None
    callee_instance: str | None = None
    header_ns: int | None = None
    """Of the gap's explained part, what a header told; what was bounded and what was inferred follow."""
    bounded_ns: int | None = None
    inferred_ns: int | None = None


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """A line of the waterfall in display order: a span, or the seam drawn between a client span and its server."""

    kind: str
    """`span` or `seam`."""
    depth: int
    name: str
    span_id: str | None
    trace_id: str
    parent_span_id: str | None
    service: str | None
    tier: str
    span_kind: str
    start_ns: int
    """From the request's start; may be negative where a clock is off."""
    duration_ns: int
    status: str
    critical: tuple[tuple[int, int], ...] = ()
    """Stretches of this span on the critical path of `complete` (of `shell` where complete is not known)."""
    is_async: bool = False
    hop: Hop | None = None
    """The hop of a seam row; on a client span's row the hop that has no server span (it gets no seam row)."""
    notes: tuple[str, ...] = ()
    """Warnings about this span, in words."""
    causes: tuple[str, ...] = ()
    """The cause of each stretch of `critical`, in the same order."""


@dataclass(frozen=True, slots=True)
class SpanDetail:
    """Everything the store knows of one span."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    service: str
    tier: str
    scope: str | None
    start_ns: int
    """Absolute, as sent."""
    end_ns: int
    status: str
    status_message: str | None
    attributes: tuple[tuple[str, str], ...]
    resource: tuple[tuple[str, str], ...]
    events: tuple[tuple[int, str, tuple[tuple[str, str], ...]], ...]
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TraceWarning:
    """Something odd in the data, named."""

    code: str
    trace_id: str
    span_id: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class AsyncWork:
    """Work that the request caused and did not wait for."""

    trace_id: str
    span_id: str
    queue_wait_ns: int | None
    link: str


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A line of the request list."""

    request_id: str
    trace_id: str
    kind: str
    service: str
    route: str
    method: str | None
    status: int | None
    environment: str | None
    place: str | None
    start_ns: int
    shell_ns: int | None
    complete_ns: int | None
    dominant_owner: str | None
    dominant_cause: str | None
    spans: int
    final: bool
    revision: int
    correlation_id: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should act on, over the requests of a selection."""

    finding_id: str
    rule: str
    """A word of `FINDINGS`."""
    route: str | None
    seam: str | None
    since_ns: int
    """Start of the first of its requests."""
    until_ns: int
    requests: int
    cost_ns: int
    """Summed over its requests; re-timed one finding at a time, so costs of several do not add up."""
    confidence: float
    message: str
    """Of all requests that it holds for, in the selection or not."""
    next_step: str
    requests_in_all: int
    instruments: tuple[str, ...] = ()
    """What the pool's or server's own instruments said meanwhile, a sentence each."""

    @property
    def said(self) -> str:
        """The message, and of whom it speaks where that is not the selection."""
        return self.message if self.requests == self.requests_in_all else f"over all requests: {self.message}"


@dataclass(frozen=True, slots=True)
class FindingRequest:
    """A request behind a finding."""

    request_id: str
    route: str | None
    start_ns: int
    shell_ns: int | None
    complete_ns: int | None
    cost_ns: int
    span_ids: tuple[str, ...]
    """The spans that prove it."""


@dataclass(frozen=True, slots=True)
class RequestFinding:
    """A finding as one of its requests has it."""

    finding_id: str
    rule: str
    route: str | None
    seam: str | None
    cost_ns: int
    """Of this request."""
    requests: int
    """Requests that have it, this one among them."""
    confidence: float
    message: str
    """Of all those requests."""
    next_step: str
    span_ids: tuple[str, ...]

    @property
    def said(self) -> str:
        """The message, and of whom it speaks where that is not this request alone."""
        return self.message if self.requests == 1 else f"over all requests: {self.message}"


@dataclass(frozen=True, slots=True)
class Inference:
    """A cause that no span of a call says, and the statistic over many calls that carries it."""

    client_span_id: str
    operation: str | None
    cause: str
    ns: int
    confidence: float
    """From 0 to 1."""
    statistic: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class RequestDetail:
    """One request, whole: what `trace ID`, the explorer's request view and a request's page draw."""

    row: RequestRow
    trace_ids: tuple[str, ...]
    shell_evidence: str | None
    complete_evidence: str | None
    segments: dict[str, tuple[Segment, ...]]
    """`shell` and `complete` → contiguous segments that sum to the horizon; a null horizon has none."""
    by_cause: dict[str, tuple[Share, ...]]
    """Same keys; largest first."""
    hops: tuple[Hop, ...]
    waterfall: tuple[WaterfallRow, ...]
    warnings: tuple[TraceWarning, ...]
    async_work: tuple[AsyncWork, ...]
    findings: tuple[RequestFinding, ...] = ()
    inferences: tuple[Inference, ...] = ()
    """Most time first."""
    logs: RequestLogs = field(default_factory=RequestLogs)
    testimonies: tuple[Testimony, ...] = ()
    """What pools' and servers' own instruments said of its waits, the longest wait first."""
    remainders: tuple[Remainder, ...] = ()
    """Seams on which much of it is unexplained, and what would tell it; most time first."""

"""Results as people see them: frozen, typed, numbers already computed; terminal, page and JSON draw nothing else.

Times are integer nanoseconds unless a name says otherwise; a number that cannot be known is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
class Percentiles:
    """Exact percentiles of a horizon or a gap, and the number of values behind them."""

    count: int
    mean_ns: int | None
    p50_ns: int | None
    p95_ns: int | None
    p99_ns: int | None
    max_ns: int | None


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
    next_step: str


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
    next_step: str
    span_ids: tuple[str, ...]


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
class LogLine:
    """A log record of a request."""

    at_ns: int
    """Absolute, as sent; when it was observed, or else received, where its own time is not."""
    offset_ns: int
    """From the request's start; the clock is its sender's."""
    level: str
    """`trace debug info warn error fatal`, else the sender's own word, else nothing."""
    service: str | None
    body: str
    left_out_characters: int
    """Of the body."""
    event_name: str | None
    trace_id: str | None
    span_id: str | None
    correlation_id: str | None
    scope: str | None
    attributes: tuple[tuple[str, str], ...]
    joined_by: str
    """`trace_context`, or `request_id` and `platform_id`: it carries an id of the request, and no trace of it."""


@dataclass(frozen=True, slots=True)
class RequestLogs:
    """The log records of a request in time order: the first of them, and how many there are."""

    lines: tuple[LogLine, ...] = ()
    total: int = 0


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


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A call that held the horizon of a group's requests: its stretches on the critical path."""

    operation: str
    seam: str | None
    requests: int
    """Requests whose critical path runs through this call."""
    mean_ns: int
    """Mean stretch on the path over those requests."""
    order: int
    """Its usual place among the calls of the path (0 = first), by mean start."""
    mean_start_ns: int
    mean_end_ns: int
    calls: int = 0
    """Calls over those requests; more than `requests` where a request makes the call several times."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A boundary metric of some requests."""

    name: str
    """Ends in its unit: `_ns`, `_ratio`; else a number."""
    label: str | None
    """Which database, seam, tier or cache scope it is of; None where it is of all."""
    value: float | int | None
    """None: nobody tells what it is made of."""
    count: int
    """Requests, calls or spans that it is made of."""
    definition: str


@dataclass(frozen=True, slots=True)
class Group:
    """The requests of one route, seam, boundary, service, place or attribute value, and what held them."""

    key: str
    requests: int
    weight: float
    errors: int
    shell: Percentiles
    complete: Percentiles
    shares: dict[str, tuple[Share, ...]]
    """`shell`, `complete` → totals; they sum to the summed horizon of the `requests_in` requests."""
    requests_in: dict[str, int]
    """`shell`, `complete` → how many requests the shares are totals of."""
    held_by: dict[str, tuple[HeldBy, ...]] = field(default_factory=dict)
    dominant: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    """`shell`, `complete` → (owner, cause) with the largest total."""
    led_by: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """`shell`, `complete` → (cause, requests in which this cause is the largest), over the `requests_in` requests."""
    examples: dict[str, dict[str, str]] = field(default_factory=dict)
    """`shell`, `complete` → `p50`, `p95`, `p99`, `max` → the request id that stands exactly there."""
    metrics: tuple[Metric, ...] = ()
    """The boundary metrics, where they were asked for."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """Something that nobody tells of a seam's calls, and the instrumentation that would."""

    tells: tuple[str, ...]
    """The phases that it would tell apart, or `server_span`, or `gap`."""
    side: str
    """Where it is to be set: `caller` or `callee`."""
    emitter: str | None
    """The instrumentation scope that sends the spans of that side now."""
    step: str
    hops: int
    """Hops on which it would tell more."""
    ns: int | None
    """Time of those hops that it could explain at most (of several that could, each is given all); None: not known."""


@dataclass(frozen=True, slots=True)
class SeamRow:
    """A line of `seams`."""

    seam: str
    boundary: str
    hops: int
    matched: int
    """Hops with a server span."""
    gap: Percentiles
    phases: dict[str, int]
    """Phase → summed ns over the hops where it is known."""
    gap_sum_ns: int
    explained_ns: int
    cold: int | None
    """Hops known to have opened a connection; None where no emitter says."""
    reused_known: int
    """Hops of which it is known whether their connection was reused."""
    requests: int = 0
    errors: int = 0
    gap_kinds: dict[str, int] = field(default_factory=dict)
    """Why a gap is known or null (`words.GAP_KINDS`) → hops."""
    phase_hops: dict[str, int] = field(default_factory=dict)
    """Phase → hops where it is known."""
    retried: int = 0
    """Hops with more than one attempt."""
    examples: dict[str, str] = field(default_factory=dict)
    """`p50`, `p95`, `p99`, `max` of the gap → the id of a request with that gap."""
    explained_by: dict[str, int] = field(default_factory=dict)
    """Evidence → ns of the gap that is known by it; with `unexplained` they sum to `gap_sum_ns`."""
    lacking: tuple[Lacking, ...] = ()
    """What would explain the rest, what may lie behind most time first."""
    clock_interval_ns: tuple[int, int] | None = None
    """How far the callee's clock may still be off the caller's, of the two instances with most calls; None where no
    call tells."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a report was asked for."""

    filter: str = ""
    since: str | None = None
    until: str | None = None
    environment: str | None = None
    """The environment that was taken; set also where several exist and one was taken by default."""


@dataclass(frozen=True, slots=True)
class Report:
    """Owner × cause × evidence totals of a selection, by groups."""

    selection: Selection
    by: str
    at: str
    """`mean`, `p50`, `p95` or `p99`: which requests the shares are taken from."""
    horizons: tuple[str, ...]
    total: Group
    groups: tuple[Group, ...]
    left_out: dict[str, int]
    """Requests of kind `other`, not final, … that the figures leave out, counted."""
    warnings: dict[str, int]
    """Warning code → count in the selection."""
    notes: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class SetOfRequests:
    """One side of a comparison."""

    name: str
    requests: int
    mean_ns: int
    """Of the horizon, rounded down."""


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """What one owner and cause take per request in either set; the rows' times sum to the sets' means."""

    owner: str
    cause: str
    first_ns: int
    second_ns: int
    delta_ns: int
    mix_ns: int
    """Of it, what the routes' shares moved."""
    rate_ns: int
    """Of it, what the routes' own means moved; mix and rate sum to the difference, within rounding."""
    low_ns: int
    high_ns: int
    """95 % bootstrap interval of the difference."""


@dataclass(frozen=True, slots=True)
class ValueApart:
    """A value that the two sets carry in shares that are apart."""

    key: str
    value: str
    first_requests: int
    second_requests: int
    first_share: float
    second_share: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The second set of requests held against the first."""

    horizon: str
    first: SetOfRequests
    second: SetOfRequests
    delta_ns: int
    """Of the means; the rows' differences sum to it exactly."""
    low_ns: int
    high_ns: int
    mix_ns: int
    rate_ns: int
    rows: tuple[DifferenceRow, ...]
    values: tuple[ValueApart, ...]
    notes: tuple[str, ...] = ()

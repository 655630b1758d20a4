"""The boundary metrics (contract §5): each with its count, not known where no emitter says what it is made of."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from seamscope.results import Metric
from seamscope.schema.words import CAUSES, FINDINGS, REQUEST_KINDS, ROLES, WARNINGS
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from seamscope.selection.predicate import Predicate
    from seamscope.store import Reader


class Definition(NamedTuple):
    """A metric: its name ends in its unit (`_ns`, `_ratio`, or a plain number)."""

    name: str
    of: str
    """The values it is made of (`report/metrics.sql`)."""
    statistic: str
    """`mean`, `sum`, `count`, `p50`, `p95`, `p99` or `max` of those values."""
    says: str


def _percentiles(name: str, of: str, says: str) -> Iterator[Definition]:
    for point in ("p50", "p95", "p99"):
        yield Definition(f"{name}_{point}_ns", of, point, says)


_TIMEOUT: Final = "of them, answered 408 or 504, or failed with a timeout or a passed deadline"
DEFINITIONS: Final = (
    Definition("edge_redirect_ratio", "edge_redirect", "mean", "of requests that enter at the edge or tell its "
               "decision (seamscope.edge.decision), those it redirected: its word, else a status of 3xx but 304"),
    Definition("edge_answered_ratio", "edge_answered", "mean", "of the same, those answered wholly at the edge: its "
               "word (answer, redirect, block), else no call to a renderer or an origin"),
    Definition("middleware_auth_failure_ratio", "middleware_auth_failure", "mean", "of spans with "
               "seamscope.auth.outcome, those that are not ok"),
    Definition("middleware_auth_failures", "middleware_auth_failure", "sum", "how many those are"),
    *_percentiles("shell_ttfb", "shell_ttfb", "from the request's start to its first byte"),
    *_percentiles("backend_first_byte", "backend_first_byte", "of calls from edge or renderer to an origin: from the "
                  "client's start to the response's first byte, where the client tells it or ends there"),
    *_percentiles("edge_handler", "edge_handler", "of middleware, and of server spans at the "
                  "edge that a request or a call entered by"),
    Definition("edge_handler_error_ratio", "edge_handler_error", "mean", "of them, in error or answered 5xx"),
    Definition("edge_handler_timeout_ratio", "edge_handler_timeout", "mean", _TIMEOUT),
    *_percentiles("regional_handler", "regional_handler", "of server spans of renderers and origins, likewise"),
    Definition("regional_handler_error_ratio", "regional_handler_error", "mean", "of them, in error or answered 5xx"),
    Definition("regional_handler_timeout_ratio", "regional_handler_timeout", "mean", _TIMEOUT),
    Definition("fan_out_mean", "fan_out", "mean", "calls to origins per request, asynchronous ones left out"),
    Definition("fan_out_p95", "fan_out", "p95", "likewise"),
    Definition("fan_out_max", "fan_out", "max", "likewise"),
    Definition("cache_hit_ratio", "cache_hit", "mean", "of spans that tell of a cache, hits; by seamscope.cache.scope "
               "(public, personalised) where it is told"),
    Definition("nonessential_block_requests", "nonessential_block", "count", "requests with the finding "
               "nonessential_block (findings look at the latest requests)"),
    Definition("nonessential_block_mean_ns", "nonessential_block", "mean", "how much sooner those would be done "
               "without it"),
    Definition("pool_wait_mean_ns", "pool_wait", "mean", "of calls to a database whose wait for a connection is "
               "known, by database"),
    Definition("pool_wait_p95_ns", "pool_wait", "p95", "likewise"),
    Definition("query_mean_ns", "query", "mean", "of calls to a database, as their clients saw them, by database"),
    Definition("query_p95_ns", "query", "p95", "likewise"),
    Definition("cold_connection_ratio", "cold_connection", "mean", "of calls whose connection is known to be new or "
               "not, those on a new one, by seam"),
    Definition("cold_connections", "cold_connection", "sum", "how many those are"),
    Definition("cold_starts", "cold_start", "count", "requests that waited for something to start, by tier"),
    Definition("cold_start_mean_ns", "cold_start", "mean", "how long they waited for it"),
    Definition("flag_service_mean_ns", "flag_service", "mean", "of spans at the edge with seamscope.flag.outcome"),
    Definition("flag_service_p95_ns", "flag_service", "p95", "likewise"),
    Definition("flag_default_ratio", "flag_default", "mean", "of spans with seamscope.flag.outcome, those that timed "
               "out or took the default"),
    Definition("queue_wait_mean_ns", "queue_wait", "mean", "of work that requests caused and did not wait for: from "
               "sent to taken up"),
    Definition("queue_wait_p95_ns", "queue_wait", "p95", "likewise"),
    Definition("retries", "retry", "sum", "attempts beyond the first"),
    Definition("retries_per_call", "retry", "mean", "the same, per call"),
)  # fmt: skip
"""All of them, in the order of contract §5."""


def metrics(
    reader: Reader,
    chosen: Predicate,
    keys: str,
    keys_params: Mapping[str, object],
) -> tuple[tuple[Metric, ...], dict[str, tuple[Metric, ...]]]:
    """Give the metrics of a selection, and of each of its groups (`keys` as for `report/groups.sql`)."""
    params = {
        **chosen.params, **keys_params, "other": REQUEST_KINDS.index("other"), "cold_start": CAUSES.index("cold_start"),
        "nonessential": FINDINGS.index("nonessential_block"), "middleware": ROLES.index("middleware"),
        "unmeasurable": WARNINGS.index("unmeasurable_edge_time"),
    }  # fmt: skip
    rows = reader.query(statement("report/metrics", where=chosen.where, keys=keys), params)
    whole: dict[str, list[dict[str, Any]]] = defaultdict(list)
    groups: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows.iter_rows(named=True):
        (whole if row["whole"] else groups[row["key"] or ""])[row["metric"]].append(row)
    return _all_of(whole), {key: _all_of(found) for key, found in groups.items()}


def _all_of(found: Mapping[str, list[dict[str, Any]]]) -> tuple[Metric, ...]:
    return tuple(
        _metric(definition, row) for definition in DEFINITIONS for row in found.get(definition.of) or ({"count": 0},)
    )


def _metric(definition: Definition, row: Mapping[str, Any]) -> Metric:
    value = row.get(definition.statistic) if row["count"] else None
    if value is not None and not definition.name.endswith(("_ratio", "_mean", "_per_call")):
        value = round(value)
    return Metric(definition.name, row.get("label") or None, value, row["count"], definition.says)

"""Results as JSON documents: the forms that scripts and other tools rely on, each with its `schema` name."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from seamscope.text.safe import safe_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.results import (
        Group,
        Hop,
        LogLine,
        Metric,
        Percentiles,
        Report,
        RequestDetail,
        SeamRow,
        Segment,
        Share,
    )


def written(document: object) -> str:
    """Give a document as text that any JSON reader takes, and no terminal obeys: one value, ends in a newline."""
    return safe_json(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def request_document(detail: RequestDetail) -> dict[str, Any]:
    """Give one request in the form `seamscope.request/1`; the segments of a known horizon sum to it."""
    row = detail.row
    return {
        "schema": "seamscope.request/1",
        "request_id": row.request_id,
        "trace_ids": list(detail.trace_ids),
        "kind": row.kind,
        "route": row.route,
        "status": row.status,
        "final": row.final,
        "start_ns": row.start_ns,
        "horizons": {"shell_ns": row.shell_ns, "complete_ns": row.complete_ns},
        "segments": {name: [_segment(stretch) for stretch in path] for name, path in detail.segments.items()},
        "by_cause": {name: [_share(share) for share in shares] for name, shares in detail.by_cause.items()},
        "hops": [_hop(hop, row.request_id, row.start_ns) for hop in detail.hops],
        "findings": [dataclasses.asdict(finding) for finding in detail.findings],
        "warnings": [dataclasses.asdict(warning) for warning in detail.warnings],
        "async": [dataclasses.asdict(work) for work in detail.async_work],
        "unexplained": [dataclasses.asdict(one) for one in detail.remainders],
        "instruments": [dataclasses.asdict(told) for told in detail.testimonies],
        "logs": [_log(line) for line in detail.logs.lines],
        "logs_total": detail.logs.total,
    }


def _log(line: LogLine) -> dict[str, Any]:
    return {**dataclasses.asdict(line), "attributes": [{"key": key, "value": text} for key, text in line.attributes]}


def _segment(stretch: Segment) -> dict[str, Any]:
    names = ("start_ns", "end_ns", "span_id", "owner", "tier", "service", "seam", "cause", "evidence")
    return {name: getattr(stretch, name) for name in names}


def _share(share: Share) -> dict[str, Any]:
    return {"owner": share.owner, "cause": share.cause, "evidence": share.evidence, "ns": share.ns}


def _hop(hop: Hop, request_id: str, request_start_ns: int) -> dict[str, Any]:
    """Give a hop as a row of the `hops` view: absolute start, a column per phase."""
    found = dataclasses.asdict(hop)
    phases = {f"{phase}_ns": ns for phase, ns in found.pop("phases").items()}
    found["async"] = found.pop("is_async")
    found["start_ns"] += request_start_ns
    return {"request_id": request_id, **found, **phases}


def report_document(report: Report) -> dict[str, Any]:
    """Give a report in the form `seamscope.report/1`; shares sum to `sum_ns`, integer nanoseconds."""
    return {
        "schema": "seamscope.report/1",
        "selection": dataclasses.asdict(report.selection),
        "by": report.by,
        "at": report.at,
        "left_out": report.left_out,
        "warnings": report.warnings,
        "notes": list(report.notes),
        "metrics": {metric.name: metric.definition for metric in report.total.metrics},
        "total": _group(report.total, report.horizons),
        "groups": [_group(group, report.horizons) for group in report.groups],
    }


def _group(group: Group, horizons: Sequence[str]) -> dict[str, Any]:
    return {
        "key": group.key,
        "requests": group.requests,
        "weight": group.weight,
        "errors": group.errors,
        "horizons": {name: _horizon(group, name) for name in horizons},
        "metrics": [_metric(metric) for metric in group.metrics],
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {"name": metric.name, "label": metric.label, "value": metric.value, "count": metric.count}


def _horizon(group: Group, name: str) -> dict[str, Any]:
    found: Percentiles = getattr(group, name)
    dominant = group.dominant.get(name)
    return {
        **dataclasses.asdict(found),
        "requests_in": group.requests_in[name],
        "sum_ns": sum(share.ns for share in group.shares[name]),
        "dominant": None if dominant is None else {"owner": dominant[0], "cause": dominant[1]},
        "shares": [_share(share) for share in group.shares[name]],
        "held_by": [dataclasses.asdict(call) for call in group.held_by.get(name, ())],
        "led_by": [{"cause": cause, "requests": requests} for cause, requests in group.led_by.get(name, ())],
        "examples": group.examples.get(name, {}),
    }


def seams_document(rows: Sequence[SeamRow], notes: Sequence[str] = ()) -> dict[str, Any]:
    """Give the seams in the form `seamscope.seams/1`."""
    return {"schema": "seamscope.seams/1", "notes": list(notes), "seams": [dataclasses.asdict(row) for row in rows]}

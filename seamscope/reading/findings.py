"""Findings as people look at them: the list, and one with the requests behind it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from seamscope.errors import DataError, UsageError
from seamscope.reading.instruments import with_proof
from seamscope.results import Finding, FindingRequest, RequestFinding, Selection
from seamscope.schema.words import FINDINGS
from seamscope.selection.predicate import predicate
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seamscope.store import Reader


def list_findings(
    reader: Reader,
    selection: Selection | None = None,
    *,
    rule: str | None = None,
    finding_id: str | None = None,
    now_ns: int | None = None,
) -> list[Finding]:
    """Give findings that hold for requests of a selection, costliest first; requests and cost are the selection's.

    `finding_id` may be the beginning of an id. A rule that is none raises `UsageError`.
    """
    if rule is not None and rule not in FINDINGS:
        raise UsageError(f"{rule!r} is no rule", f"known: {' '.join(FINDINGS)}")
    chosen = predicate(selection or Selection(), time.time_ns() if now_ns is None else now_ns)
    params = {**chosen.params, "rule": rule, "finding_id": finding_id}
    rows = reader.query(statement("finding/list", where=chosen.where), params)
    return with_proof(reader, [Finding(**row) for row in rows.iter_rows(named=True)])


def find_finding(reader: Reader, finding_id: str, selection: Selection | None = None) -> Finding:
    """Give one finding by its id or the beginning of one; `DataError` where there is none, or more than one."""
    found = list_findings(reader, selection, finding_id=finding_id.lower())
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{len(found)} findings begin with {finding_id!r}", "give more of the id")
    raise DataError(f"no finding {finding_id!r}", "seamscope findings lists them")


def finding_requests(
    reader: Reader, finding: Finding, selection: Selection | None = None, *, limit: int, now_ns: int | None = None
) -> list[FindingRequest]:
    """Give the requests of a finding that are in a selection, costliest first, at most `limit`."""
    chosen = predicate(selection or Selection(), time.time_ns() if now_ns is None else now_ns)
    params = {**chosen.params, "finding_id": finding.finding_id, "limit": limit}
    rows = reader.query(statement("finding/requests", where=chosen.where), params)
    return [FindingRequest(**_tuple_of_ids(row)) for row in rows.iter_rows(named=True)]


def findings_of_request(rows: Iterable[Mapping[str, Any]]) -> tuple[RequestFinding, ...]:
    """Make a request's findings from rows of `request/findings.sql`."""
    return tuple(RequestFinding(**_tuple_of_ids(row)) for row in rows)


def _tuple_of_ids(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "span_ids": tuple(row["span_ids"] or ())}

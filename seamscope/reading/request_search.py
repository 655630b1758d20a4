"""From what a person has in hand (a trace id, its beginning, a request, correlation or span id) to a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from seamscope.errors import DataError, UsageError
from seamscope.reading.request_parts import request_row
from seamscope.selection.keys import Bound, condition
from seamscope.selection.line import Term
from seamscope.statements import statement
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from seamscope.results import RequestRow
    from seamscope.store import Reader

CANDIDATES: Final = 10
"""How many candidates an ambiguous id's message names."""

_NAME_SHOWN: Final = 60
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")
_ASIDE: Final = frozenset({"job", "other"})


def find_requests(reader: Reader, text: str, *, limit: int = 200) -> list[RequestRow]:
    """Give the requests that `text` may mean, newest first.

    It is a trace id or its first four hex digits or more, a request id, a correlation or platform id, or the id of a
    span inside the request.
    """
    wanted = text.strip()
    if not wanted:
        return []
    bound = Bound()
    found = _page(reader, condition(Term("id", ":", wanted), bound), bound.params, limit)
    if found:
        return found
    span_id = int(wanted, 16) if _SPAN_ID.fullmatch(wanted.lower()) else 0
    found = _page(reader, statement("request/by_span"), {"span_id": span_id, "text": wanted}, limit)
    return _around(reader, found, span_id) if span_id and len(found) > 1 else found


def find_request(reader: Reader, text: str) -> str:
    """Give the id of the one request that `text` means.

    Jobs and module loads beside one page or API request do not make it ambiguous. Several requests: `UsageError`
    that names them; none: `DataError`.
    """
    found = find_requests(reader, text)
    served = [row for row in found if row.kind not in _ASIDE]
    several = served or found
    if not several:
        raise DataError(f"no request with the id {text!r} in the store", "seamscope report shows what it holds")
    if len(several) > 1:
        raise UsageError(f"{text!r} may mean {len(several)} requests", f"name one of: {_listed(several)}")
    return several[0].request_id


def _listed(rows: list[RequestRow]) -> str:
    named = ", ".join(f"{row.request_id} ({safe(row.route or row.service, _NAME_SHOWN)})" for row in rows[:CANDIDATES])
    more = len(rows) - CANDIDATES
    return f"{named} and {more} more" if more > 0 else named


def _page(reader: Reader, where: str, params: dict[str, object], limit: int) -> list[RequestRow]:
    text = statement("request/page", where=where, rank="r.start_ns")
    return [request_row(row) for row in reader.query(text, {**params, "limit": limit}).iter_rows(named=True)]


def _around(reader: Reader, found: list[RequestRow], span_id: int) -> list[RequestRow]:
    """Of several requests in one trace, take the one whose entry is the span's nearest ancestor."""
    entries = {int(row.request_id.rpartition("-")[2], 16): row for row in found}
    spans = reader.query(statement("request/parents"), {"span_id": span_id})
    parents = dict(zip(spans["span_id"], spans["parent_id"], strict=True))
    seen: set[int] = set()
    while span_id and span_id not in seen:
        if span_id in entries:
            return [entries[span_id]]
        seen.add(span_id)
        span_id = parents.get(span_id, 0)
    return found

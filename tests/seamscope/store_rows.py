"""Rows for a store, as the door and the desk would bring them: ids count up, times are whole seconds apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from seamscope.schema.tables import INGESTED, OWNERS, RESULTS
from seamscope.schema.words import TIERS

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
SCHEMAS = {**INGESTED, **RESULTS, "owners": OWNERS}
STAMPS = ("commit_no", "ingested_ns")


def rows(name: str, *given: dict[str, Any]) -> pa.Table:
    """Give a table of the store's; columns that a row does not name are null."""
    schema = pa.schema([column for column in SCHEMAS[name] if column.name not in STAMPS])
    return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in given], schema)


def attributes(**said: str) -> list[dict[str, str]]:
    return [{"key": key.replace("__", "."), "value": value} for key, value in said.items()]


def span(number: int, **said: Any) -> dict[str, Any]:
    """Give span `number` of trace (7, number // 10)."""
    start = START_NS + number * SECOND
    return {
        "trace_hi": 7,
        "trace_lo": number // 10 + 1,
        "span_id": number + 1,
        "parent_id": 0 if number % 10 == 0 else number,
        "kind": 2,
        "flags": 257,
        "start_ns": start,
        "end_ns": start + SECOND // 2,
        "status": 0,
        "name": f"GET /{number}",
        "weight": 1.0,
        "resource_id": 1,
        "scope": "test",
        "role": 0,
        "extent": 0,
        "tier_hint": 0,
        "grain_ns": 1,
        "attributes": attributes(http__route="/x", number=str(number)),
        "dropped_attributes": 0,
        **said,
    }


def spans(count: int, first: int = 0) -> pa.Table:
    return rows("spans", *(span(number) for number in range(first, first + count)))


BULK = 8_192


def bulk(number: int) -> dict[str, pa.Table]:
    """Give commit `number` of as many spans as a row group has, each a trace, with texts that do not compress."""
    dice = np.random.default_rng(number)
    ids = pa.array(dice.integers(1, 1 << 62, BULK, dtype=np.uint64))
    texts = pa.array([dice.bytes(60).hex() for _ in range(BULK)])
    given = rows("spans", span(0)).take(pa.array(np.zeros(BULK, np.int64)))
    columns = {"trace_hi": pa.array(np.full(BULK, number, np.uint64)), "trace_lo": ids, "span_id": ids, "name": texts}
    for name, column in {**columns, "db_statement": texts}.items():
        given = given.set_column(given.schema.get_field_index(name), name, column)
    return {"spans": given}


def resource(number: int = 1, service: str = "web", tier: str = "origin", **said: Any) -> dict[str, Any]:
    return {
        "resource_id": number,
        "service": service,
        "service_version": "1.0",
        "environment": "production",
        "instance": f"{service}-1",
        "pooled": False,
        "place": "fra1",
        "tier": TIERS.index(tier),
        "attributes": attributes(service__name=service),
        **said,
    }


def event(number: int, name: str = "exception", **said: Any) -> dict[str, Any]:
    whose = span(number)
    key = {column: whose[column] for column in ("trace_hi", "trace_lo", "span_id", "kind")}
    return {**key, "at_ns": whose["start_ns"] + 1, "name": name, "attributes": attributes(), **said}


def owner(number: int, text: str) -> dict[str, Any]:
    if "→" in text:
        return {"owner_no": number, "owner": text, "tier": 255, "seam": text}
    tier, _, service = text.partition(":")
    return {"owner_no": number, "owner": text, "tier": TIERS.index(tier), "service": service}


def request(number: int, **said: Any) -> dict[str, Any]:
    """Give the request whose entry is span `number` of `span`."""
    entry = span(number)
    return {
        "request_no": 0,
        "trace_hi": entry["trace_hi"],
        "trace_lo": entry["trace_lo"],
        "entry_span_id": entry["span_id"],
        "kind": 0,
        "service": "web",
        "route": "GET /dash",
        "method": "GET",
        "status": 200,
        "start_ns": entry["start_ns"],
        "shell_ns": 100,
        "shell_evidence": 1,
        "complete_evidence": 255,
        "weight": 1.0,
        "spans": 3,
        "final": True,
        "revision": 0,
        "settled_ns": entry["end_ns"],
        **said,
    }

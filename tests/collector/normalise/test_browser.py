"""The browser: document load, fetch and XHR with their resource timing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[dict[str, Any], dict[str, Any]], None]

WEB = {"service.name": "shop-web", "telemetry.sdk.language": "webjs"}
LOAD = "@opentelemetry/instrumentation-document-load"
MS = 1_000_000

NEW_CONNECTION = [
    ("fetchStart", 1 * MS),
    ("domainLookupStart", 4 * MS),
    ("domainLookupEnd", 10 * MS),
    ("connectStart", 10 * MS),
    ("secureConnectionStart", 25 * MS),
    ("connectEnd", 45 * MS),
    ("requestStart", 46 * MS),
    ("responseStart", 90 * MS),
    ("responseEnd", 97 * MS),
]


def test_a_new_connection(check: Check) -> None:
    given = {
        "scope": "@opentelemetry/instrumentation-fetch",
        "name": "GET",
        "kind": "client",
        "resource": WEB,
        "attributes": {"http.method": "GET", "http.url": "https://shop.example.com/api/me"},
        "events": NEW_CONNECTION,
    }
    expected = {
        "extent": "body",
        "grain_ns": MS,
        "pool_wait_ns": 3 * MS,
        "dns_ns": 6 * MS,
        "connect_ns": 15 * MS,
        "tls_ns": 20 * MS,
        "first_byte_ns": 90 * MS,
        "transfer_ns": 7 * MS,
        "reused": False,
        "peer": "shop.example.com",
        "operation": "GET /api/me",
    }
    check(given, expected)


def test_a_connection_without_tls(check: Check) -> None:
    events = [(name, at) for name, at in NEW_CONNECTION if name != "secureConnectionStart"]
    check({"events": events}, {"connect_ns": 35 * MS, "tls_ns": None, "reused": False})


def test_a_reused_connection(check: Check) -> None:
    marks = (
        "fetchStart",
        "domainLookupStart",
        "domainLookupEnd",
        "connectStart",
        "secureConnectionStart",
        "connectEnd",
    )
    events = [*((name, 1 * MS) for name in marks), ("requestStart", 9 * MS), ("responseStart", 30 * MS)]
    expected = {
        "pool_wait_ns": 8 * MS,
        "dns_ns": 0,
        "connect_ns": 0,
        "tls_ns": None,
        "first_byte_ns": 30 * MS,
        "transfer_ns": None,
        "reused": True,
    }
    check({"events": events}, expected)


def test_another_origin_that_does_not_allow_timing(check: Check) -> None:
    events = [("fetchStart", 1 * MS), ("responseEnd", 80 * MS)]
    expected = {"pool_wait_ns": None, "dns_ns": None, "first_byte_ns": None, "transfer_ns": None, "reused": None}
    check({"events": events}, expected)


def test_document_load(check: Check) -> None:
    check(
        {"scope": LOAD, "name": "documentLoad", "resource": WEB, "events": [("firstPaint", 5)]},
        {"role": "none", "extent": "unknown", "grain_ns": MS},
    )
    check({"scope": LOAD, "name": "documentFetch", "resource": WEB}, {"role": "fetch", "extent": "body"})
    check({"scope": LOAD, "name": "resourceFetch", "resource": WEB}, {"role": "fetch", "extent": "body"})


def test_xhr(check: Check) -> None:
    scope = "@opentelemetry/instrumentation-xml-http-request"
    check({"scope": scope, "name": "GET", "kind": "client", "resource": WEB}, {"extent": "body"})

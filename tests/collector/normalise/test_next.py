"""Next.js 14 to 16 and @vercel/otel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[dict[str, Any], dict[str, Any]], None]

NEXT = {"scope": "next.js", "version": "16.4.6"}
OLD = {"scope": "next.js", "version": "0.0.1"}
NODE = {"service.name": "web", "cloud.provider": "vercel", "vercel.runtime": "nodejs", "process.runtime.name": "nodejs"}
EDGE = NODE | {"vercel.runtime": "edge", "process.runtime.name": "edge"}


def _typed(span_type: str, **more: object) -> dict[str, Any]:
    return {"next.span_name": span_type, "next.span_type": span_type, "next.span_category": "nextjs", **more}


INTERNAL = [
    ("AppRouteRouteHandlers.runHandler", "executing api route (app) /api/me", "handler", "handler"),
    ("Node.runHandler", "executing api route (pages) /api/me", "handler", "handler"),
    ("Render.getServerSideProps", "getServerSideProps /r", "render", "unknown"),
    ("Render.getStaticProps", "getStaticProps /r", "render", "unknown"),
    ("Render.renderDocument", "render route (pages) /r", "render", "unknown"),
    ("ResolveMetadata.generateMetadata", "generateMetadata /r/page", "render", "unknown"),
    ("ResolveMetadata.generateViewport", "generateViewport /r/page", "render", "unknown"),
    ("NextNodeServer.findPageComponents", "resolve page components", "module_load", "unknown"),
    ("NextNodeServer.getLayoutOrPageModule", "resolve segment modules", "module_load", "unknown"),
    ("NextNodeServer.createComponentTree", "build component tree", "render", "unknown"),
    ("NextNodeServer.startResponse", "start response", "first_byte", "unknown"),
    ("NextNodeServer.clientComponentLoading", "NextNodeServer.clientComponentLoading", "module_load", "unknown"),
    ("LoadComponents.loadRouteModule", "load route module", "module_load", "unknown"),
    ("AppRouteRouteModule.loadUserland", "load app route module", "module_load", "unknown"),
    ("RouteModule.prepare", "prepare route module", "module_load", "unknown"),
    ("Instrumentation.loadModule", "load instrumentation module", "module_load", "unknown"),
    ("Instrumentation.register", "register instrumentation", "module_load", "unknown"),
]


@pytest.mark.parametrize(("span_type", "name", "role", "extent"), INTERNAL)
def test_internal_spans(check: Check, span_type: str, name: str, role: str, extent: str) -> None:
    given = NEXT | {"name": name, "attributes": _typed(span_type), "resource": NODE}
    expected = {"role": role, "extent": extent, "tier_hint": "render", "operation": name, "grain_ns": 1_000_000}
    check(given, expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # the page
        (
            NEXT
            | {
                "name": "GET /dash",
                "kind": "server",
                "attributes": _typed(
                    "BaseServer.handleRequest",
                    **{
                        "http.method": "GET",
                        "http.target": "/dash?tab=1",
                        "http.status_code": 200,
                        "http.route": "/dash",
                        "next.route": "/dash",
                        "next.rsc": False,
                    },
                ),
            },
            {
                "role": "request",
                "extent": "body",
                "tier_hint": "render",
                "operation": "GET /dash",
                "route": "/dash",
                "method": "GET",
                "http_status": 200,
                "url_path": "/dash",
            },
        ),
        # its component tree, asked for by the router in the browser
        (
            NEXT
            | {
                "name": "RSC GET /dash",
                "kind": "server",
                "attributes": _typed(
                    "BaseServer.handleRequest",
                    **{"http.method": "GET", "http.target": "/dash?_rsc=x", "http.route": "/dash", "next.rsc": True},
                ),
            },
            {"role": "request", "extent": "body", "operation": "RSC GET /dash", "route": "/dash"},
        ),
        # the pass that only ran the middleware: no route, and over before the page is rendered
        (
            NEXT
            | {
                "name": "GET",
                "kind": "server",
                "attributes": _typed(
                    "BaseServer.handleRequest", **{"http.method": "GET", "http.target": "/orders/17?tab=1"}
                ),
            },
            {"role": "request", "extent": "handler", "tier_hint": "render", "route": "/orders/{id}"},
        ),
        (
            NEXT | {"name": "GET", "kind": "server", "attributes": _typed("Next.request")},
            {"role": "request", "extent": "handler", "tier_hint": "edge"},
        ),
        (
            NEXT
            | {
                "name": "middleware GET",
                "attributes": _typed("Middleware.execute", **{"http.target": "/dash", "http.method": "GET"}),
            },
            {"role": "middleware", "tier_hint": "edge", "operation": "middleware GET", "route": None},
        ),
        # 14 and 15 put raw paths into names
        (
            OLD
            | {
                "name": "middleware GET /orders/8f14e45f-ceea-467a-9575-0123456789ab?x=1",
                "attributes": {"next.span_type": "Middleware.execute", "http.method": "GET"},
            },
            {"role": "middleware", "tier_hint": "edge", "operation": "middleware GET /orders/{id}"},
        ),
        (
            OLD
            | {
                "name": "GET /orders/17?tab=1",
                "kind": "server",
                "attributes": {
                    "next.span_type": "BaseServer.handleRequest",
                    "http.method": "GET",
                    "http.target": "/orders/17?tab=1",
                },
            },
            {"role": "request", "route": "/orders/{id}", "operation": "GET /orders/{id}"},
        ),
        # the same span type ends at the shell in 15, and with the last byte in 16
        (
            OLD | {"name": "render route (app) /dash", "attributes": {"next.span_type": "AppRender.getBodyResult"}},
            {"role": "render", "extent": "headers", "tier_hint": "render"},
        ),
        (
            NEXT | {"name": "render route (app) /dash", "attributes": _typed("AppRender.getBodyResult")},
            {"role": "render", "extent": "body"},
        ),
        (
            {
                "scope": "next.js",
                "name": "render route (app) /dash",
                "attributes": {"next.span_type": "AppRender.getBodyResult", "next.span_category": "nextjs"},
            },
            {"role": "render", "extent": "body"},
        ),
        (
            {"scope": "next.js", "name": "render", "attributes": {"next.span_type": "AppRender.getBodyResult"}},
            {"role": "render", "extent": "unknown"},
        ),
        (
            NEXT
            | {
                "name": "prerender route (app) /dash",
                "attributes": _typed("AppRender.getBodyResult", **{"next.route": "/dash"}),
            },
            {"role": "render", "route": "/dash", "operation": "prerender route (app) /dash"},
        ),
        # its own fetch span, with the cache's word (16)
        (
            NEXT
            | {
                "name": "fetch GET https://api.internal/v1/me?x=1",
                "kind": "client",
                "attributes": _typed(
                    "AppRender.fetch",
                    **{
                        "http.url": "https://api.internal/v1/me?x=1",
                        "http.method": "GET",
                        "net.peer.name": "api.internal",
                        "http.status_code": 200,
                        "next.fetch.idx": 1,
                        "next.fetch.cache_status": "miss",
                        "next.fetch.cache_reason": "auto no cache",
                    },
                ),
            },
            {
                "role": "fetch",
                "extent": "headers",
                "tier_hint": "render",
                "operation": "GET /v1/me",
                "peer": "api.internal",
                "peer_port": 443,
                "cache_status": "miss",
                "cache_reason": "auto no cache",
                "route": None,
            },
        ),
        # SSR at the edge
        (
            NEXT
            | {
                "name": "GET /src/page",
                "kind": "server",
                "resource": EDGE,
                "attributes": _typed("BaseServer.handleRequest", **{"http.route": "/src/page"}),
            },
            {"role": "request", "extent": "body", "tier_hint": "edge", "route": "/src/page"},
        ),
        # what Next only emits in its verbose mode
        (
            NEXT | {"name": "rendering page", "attributes": _typed("BaseServer.renderToResponse")},
            {"role": "none", "tier_hint": "render"},
        ),
    ],
)
def test_next(check: Check, given: dict[str, Any], expected: dict[str, Any]) -> None:
    check(given, expected)


def test_vercel_otel_fetch(check: Check) -> None:
    given = {
        "scope": "@vercel/otel/fetch",
        "version": "1.0.0",
        "name": "fetch GET https://api.internal/v1/orders/42?x=1",
        "kind": "client",
        "resource": NODE,
        "attributes": {
            "http.method": "GET",
            "http.url": "https://api.internal/v1/orders/42?x=1",
            "http.host": "api.internal",
            "http.scheme": "https",
            "net.peer.name": "api.internal",
            "net.peer.port": "",
            "http.status_code": 200,
            "http.response_time": 33,
            "operation.name": "fetch.GET",
            "resource.name": "https://api.internal/v1/orders/42",
        },
    }
    expected = {
        "role": "fetch",
        "extent": "body",
        "tier_hint": "unknown",
        "operation": "GET /v1/orders/{id}",
        "peer": "api.internal",
        "peer_port": 443,
        "first_byte_ns": 33_000_000,
        "grain_ns": 1_000_000,
        "http_status": 200,
    }
    check(given, expected)


def test_root_span_on_vercel(check: Check) -> None:
    attributes = _typed(
        "BaseServer.handleRequest",
        **{
            "http.method": "GET",
            "http.host": "shop.example.com",
            "vercel.request_id": "abc12-1700000000000-0123456789ab",
            "vercel.matched_path": "/orders/[id]",
            "vercel.edge_region": "iad1",
        },
    )
    expected = {
        "platform_id": "abc12-1700000000000-0123456789ab",
        "place": "iad1",
        "route": "/orders/[id]",
        "peer": "shop.example.com",
    }
    check(NEXT | {"name": "GET", "kind": "server", "attributes": attributes}, expected)


def test_infrastructure_spans_of_vercel(check: Check) -> None:
    check({"scope": "vercel", "name": "GET", "kind": "server"}, {"tier_hint": "edge"})
    check({"scope": "vercel", "name": "invoke"}, {"tier_hint": "unknown"})

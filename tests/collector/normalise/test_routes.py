"""Learned routes and cleaned names: what is an id, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from collector.normalise.routes import NAMES, PATHS, templates
from collector.normalise.texts import Texts

Emit = Callable[..., dict[str, Any]]


def _template(text: str, kind: int = PATHS) -> str | None:
    made: str | None = templates(Texts.of(pa.array([text])).slices(), kind)[0].as_py()
    return made


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/v1/me", "/v1/me"),
        ("/v1/orders/17", "/v1/orders/{id}"),
        ("/1", "/{id}"),
        ("/1/2/3", "/{id}/{id}/{id}"),
        ("/orders/8f14e45f-ceea-467a-9575-aaa111bbb222", "/orders/{id}"),
        ("/orders/8F14E45F-CEEA-467A-9575-AAA111BBB222/items", "/orders/{id}/items"),
        ("/commit/4f3a2b1c", "/commit/{id}"),
        ("/commit/da39a3ee5e6b4b0d3255bfef95601890afd80709", "/commit/{id}"),
        ("/doc/507f1f77bcf86cd799439011", "/doc/{id}"),
        ("/e/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/e/{id}"),
        ("/e/ckl2x9f0a0000qzrmn831i7rn", "/e/{id}"),
        ("/e/V1StGXR8Z5jdHi6B", "/e/{id}"),
        ("/e/dQwKjWgXcQabZpLmNrTs", "/e/{id}"),
        ("/customers/cus_9s6XKzkNRiz8i3", "/customers/cus_{id}"),
        ("/orders/order-12345", "/orders/order-{id}"),
        ("/day/2026-03-01", "/day/{id}"),
        ("/at/-12.5,33.25", "/at/{id}"),
        ("/users/ann@example.com", "/users/{id}"),
        ("/users/ann%40example.com", "/users/{id}"),
        ("/files/main-4f3a2b1c.js", "/files/main-{id}.js"),
        ("/_next/static/chunks/app/page-0a1b2c.js", "/_next/static/*"),
        ("/_next/data/xYzBuild/orders.json", "/_next/data/{id}/orders.json"),
        ("/a/b/c/d/e/f/g/h/i/j/k/l", "/a/b/c/d/e/f/g/h/i/j/*"),
        ("/orders/", "/orders"),
        ("//", "/"),
        ("/" + "x" * 65, "/{id}"),
        # words stay
        ("/api/v2/oauth2/token", "/api/v2/oauth2/token"),
        ("/api/2.1/search", "/api/2.1/search"),
        ("/blog/a-long-title-about-nothing", "/blog/a-long-title-about-nothing"),
        ("/facade/deadbeef", "/facade/deadbeef"),
        ("/CreateInvitationForOrganizationMember", "/CreateInvitationForOrganizationMember"),
        ("/top-10", "/top-10"),
        ("/i18n/de-DE/h264", "/i18n/de-DE/h264"),
        ("/straße/größe", "/straße/größe"),
        ("/.well-known/openid-configuration", "/.well-known/openid-configuration"),
        # templates stay
        ("/v1/{name}", "/v1/{name}"),
        ("/blog/[slug]", "/blog/[slug]"),
        ("/v1/orders/<int:pk>", "/v1/orders/<int:pk>"),
        ("/users/:id", "/users/:id"),
    ],
)
def test_paths(path: str, route: str) -> None:
    assert _template(path) == route
    assert _template(route) == route.removesuffix("/") or route == "/"


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("start response", "start response"),
        ("render route (app) /orders/[id]", "render route (app) /orders/[id]"),
        ("middleware GET /orders/17?x=1&y=2", "middleware GET /orders/{id}"),
        ("fetch GET https://api.internal/v1/orders/17?x=1", "fetch GET https://api.internal/v1/orders/{id}"),
        ("job 8f14e45f-ceea-467a-9575-aaa111bbb222", "job {id}"),
        ("GET", "GET"),
        ("", None),
        ("HTTP wait_for_connection api.internal:443", "HTTP wait_for_connection api.internal:{id}"),
    ],
)
def test_names(name: str, cleaned: str | None) -> None:
    assert _template(name, NAMES) == cleaned


@pytest.mark.parametrize(
    ("given", "route", "operation"),
    [
        # sent routes are kept, with a slash before them
        ({"http.route": "/v1/{id}", "url.path": "/v1/7"}, "/v1/{id}", "GET /v1/{id}"),
        ({"http.route": "api/orders/{id}"}, "/api/orders/{id}", "GET /api/orders/{id}"),
        ({"http.route": "/dash?tab=1", "url.path": "/dash"}, "/dash", "GET /dash"),
        # a URL is not a route
        ({"http.route": "https://a.b/orders/7", "url.path": "/orders/7"}, "/orders/{id}", "GET /orders/{id}"),
        ({"http.url": "https://a.b/orders/7?x=1"}, "/orders/{id}", "GET /orders/{id}"),
        ({"http.url": "https://a.b"}, None, "GET"),
        ({"http.target": "https://a.b/orders/7"}, "/orders/{id}", "GET /orders/{id}"),
        ({"url.path": "*"}, None, "GET"),
        ({}, None, "GET"),
    ],
)
def test_routes_of_servers(emit: Emit, given: dict[str, Any], route: str | None, operation: str) -> None:
    row = emit(kind="server", name="GET", attributes={"http.request.method": "GET"} | given)
    assert (row["route"], row["operation"]) == (route, operation)


def test_only_servers_learn_routes(emit: Emit) -> None:
    attributes = {"http.request.method": "GET", "url.full": "https://a.b/orders/7"}
    for kind in ("client", "internal", "producer", "consumer", "unspecified"):
        row = emit(kind=kind, name="GET", attributes=attributes)
        assert (row["route"], row["operation"]) == (None, "GET /orders/{id}")


def test_a_template_that_a_client_sends(emit: Emit) -> None:
    attributes = {"http.request.method": "GET", "url.full": "https://a.b/x/y", "url.template": "/{tenant}/y"}
    assert emit(kind="client", attributes=attributes)["operation"] == "GET /{tenant}/y"


def test_a_name_that_is_a_route(emit: Emit) -> None:
    assert emit(kind="server", name="GET /orders/17?x=1")["route"] == "/orders/{id}"
    assert emit(kind="server", name="RSC GET /orders/{id}")["route"] == "/orders/{id}"
    assert emit(kind="server", name="GET orders")["route"] is None
    assert emit(kind="server", name="do GET /orders")["route"] is None
    assert emit(kind="server", name="GET /orders/{id} http send")["route"] is None

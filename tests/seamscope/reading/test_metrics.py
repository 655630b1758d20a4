"""Boundary metrics of hand-made requests: what each is made of, and that nobody's silence counts as 0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seamscope.reading.metrics import DEFINITIONS
from seamscope.reading.reports import report
from seamscope.results import Selection
from seamscope.schema.words import EXTENTS, ROLES, TIERS, WARNINGS

if TYPE_CHECKING:
    from seamscope.results import Group, Metric
    from seamscope.store import Store

MS = 1_000_000
EDGE = TIERS.index("edge")
DOCS = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def said(**words: str) -> list[dict[str, str]]:
    return [{"key": f"seamscope.{key.replace('_', '.', 1)}", "value": value} for key, value in words.items()]


def page(
    scene: Any, number: int, *, status: int = 200, passes: bool = True, route: str = "GET /a", **more: Any
) -> None:
    """A request of 10 ms that enters at the edge; one that passes calls an origin for 6 ms."""
    scene.request(number, 0, route, 10, 10, status=status)
    scene.span(number, 1, 0, "web", "server", "GET", 0, 10, **{"tier_hint": EDGE, **more})
    if passes:
        scene.span(number, 2, 1, "web", "client", "GET", 1, 7)
        scene.span(number, 3, 2, "orders", "server", "GET", 2, 6, http_status=504 if status == 504 else 200)
        scene.hop(number, 2, 3, "edge:web→origin:orders", "GET", 1, 6, 4)


def of(group: Group, name: str, label: str | None = None) -> Metric:
    return next(one for one in group.metrics if one.name == name and one.label == label)


@pytest.fixture
def store(scene: Any, tmp_path: Path) -> Any:
    """Open the scene's store when it is all there."""
    opened: list[Store] = []

    def build() -> Store:
        opened.append(scene.store(tmp_path / "metrics.duckdb"))
        return opened[-1]

    yield build
    for one in opened:
        one.close()


def test_nobodys_silence_is_0(example: Store) -> None:
    found = report(example, measured=True).total
    assert len({one.name for one in found.metrics}) == len(DEFINITIONS)
    silent = ["edge_redirect_ratio", "edge_handler_p50_ns", "cache_hit_ratio", "flag_default_ratio", "cold_starts"]
    assert [(of(found, name).value, of(found, name).count) for name in silent] == [(None, 0)] * len(silent)
    assert (of(found, "queue_wait_mean_ns").value, of(found, "queue_wait_mean_ns").count) == (5 * MS, 1)


def test_what_is_asked_for_is_measured_only_then(example: Store) -> None:
    assert report(example).total.metrics == ()


def test_connections_pools_and_calls(example: Store) -> None:
    found = report(example, measured=True)
    assert of(found.total, "cold_connection_ratio", "render:web→origin:auth").value == 1
    assert of(found.total, "cold_connection_ratio", "render:web→origin:orders").value == 0
    pages = next(group for group in found.groups if group.key == "GET /dash")
    waits = of(pages, "pool_wait_mean_ns", "data:postgres/app")
    assert (waits.value, waits.count) == (round(20.5 * MS), 40)
    assert of(pages, "fan_out_mean").value == 2
    assert (of(pages, "retries").value, of(pages, "retries").count) == (0, 120)


def test_the_edges_decisions(scene: Any, store: Any) -> None:
    page(scene, 1)
    page(scene, 2, passes=False)  # answered there, by what it did
    page(scene, 3, passes=False, status=307)  # sent elsewhere, by its status
    page(scene, 4, status=302, attributes=said(edge_decision="pass"))  # its word goes over both
    found = report(store(), measured=True).total
    assert (of(found, "edge_redirect_ratio").value, of(found, "edge_redirect_ratio").count) == (0.25, 4)
    assert of(found, "edge_answered_ratio").value == 0.5


def test_handlers_at_the_edge_and_behind_it_are_apart(scene: Any, store: Any) -> None:
    page(scene, 1)
    page(scene, 2, status=504, http_status=504)
    scene.span(1, 4, 1, "web", "internal", "middleware GET", 0, 2, tier_hint=EDGE, role=ROLES.index("middleware"))
    found = report(store(), measured=True).total
    assert (of(found, "edge_handler_p50_ns").value, of(found, "edge_handler_p50_ns").count) == (10 * MS, 3)
    assert of(found, "edge_handler_error_ratio").value == pytest.approx(1 / 3)
    assert (of(found, "regional_handler_p50_ns").value, of(found, "regional_handler_p50_ns").count) == (4 * MS, 2)
    assert of(found, "regional_handler_timeout_ratio").value == 0.5


def test_a_handler_whose_clock_stood_still_took_nobody_knows_how_long(scene: Any, store: Any) -> None:
    page(scene, 1)
    page(scene, 2, passes=False)
    code = WARNINGS.index("unmeasurable_edge_time")
    odd = {"request_no": 2, **scene.trace(2), "span_id": 201, "code": code, "detail": "zero length"}
    scene.rows["warnings"].append(odd)
    found = report(store(), measured=True).total
    assert (of(found, "edge_handler_p50_ns").value, of(found, "edge_handler_p50_ns").count) == (10 * MS, 1)
    assert of(found, "edge_handler_error_ratio").count == 2


def test_what_users_say_themselves(scene: Any, store: Any) -> None:
    page(scene, 1, attributes=said(auth_outcome="expired", flag_outcome="default"))
    page(scene, 2, attributes=said(auth_outcome="ok", flag_outcome="ok"), route="GET /b")
    found = report(store(), measured=True)
    assert of(found.total, "middleware_auth_failure_ratio").value == 0.5
    assert of(found.total, "middleware_auth_failures").value == 1
    assert of(found.total, "flag_default_ratio").value == 0.5
    assert of(found.total, "flag_service_mean_ns").value == 10 * MS
    each = {group.key: of(group, "middleware_auth_failures").value for group in found.groups}
    assert each == {"GET /a": 1, "GET /b": 0}


def test_a_span_is_of_the_same_request_whatever_is_asked_for(scene: Any, store: Any) -> None:
    """In a trace of two requests: of the one that began last before it, and not of whichever is picked."""
    middleware = ROLES.index("middleware")
    page(scene, 1, attributes=said(auth_outcome="missing"), cache_status="hit")
    scene.span(1, 4, 1, "web", "internal", "middleware", -1, 2, tier_hint=EDGE, role=middleware)
    page(scene, 2, attributes=said(auth_outcome="ok"), route="GET /b", passes=False, **scene.trace(1))
    scene.span(2, 4, 1, "web", "internal", "middleware", 1, 5, tier_hint=EDGE, role=middleware, **scene.trace(1))
    for name in ("requests", "request_traces"):
        scene.rows[name][-1].update(scene.trace(1))
    opened = store()
    whole = {group.key: group.metrics for group in report(opened, measured=True).groups}
    assert len(whole) == 2
    for route, failures, hits in (("GET /a", 1, 1), ("GET /b", 0, 0)):
        found = report(opened, Selection(f"route:'{route}'"), measured=True).total
        assert found.metrics == whole[route]
        failed = of(found, "middleware_auth_failures")
        assert (failed.value, failed.count) == (failures, 1)
        assert of(found, "cache_hit_ratio").count == hits
        assert of(found, "edge_handler_p50_ns").count == 2  # itself and its own middleware


def test_caches_of_the_public_and_of_one_apart(scene: Any, store: Any) -> None:
    page(scene, 1, cache_status="HIT", attributes=said(cache_scope="public"))
    page(scene, 2, cache_status="miss", attributes=said(cache_scope="personalised"))
    page(scene, 3, cache_status="hit", attributes=[])
    found = report(store(), measured=True).total
    assert [of(found, "cache_hit_ratio", label).value for label in ("public", "personalised", None)] == [1, 0, 1]


def test_the_first_byte_of_calls_where_a_client_tells_it(scene: Any, store: Any) -> None:
    page(scene, 1)
    page(scene, 2)
    page(scene, 3)
    clients = [row for row in scene.rows["spans"] if row["span_id"] % 100 == 2]
    clients[0]["first_byte_ns"], clients[1]["extent"] = 3 * MS, EXTENTS.index("headers")
    found = report(store(), measured=True).total
    assert (of(found, "backend_first_byte_p50_ns").value, of(found, "backend_first_byte_p99_ns").value) == (
        3 * MS,
        6 * MS,
    )
    assert of(found, "backend_first_byte_p50_ns").count == 2


def test_the_docs_name_every_metric() -> None:
    rows = [f"| `{one.name}` | {one.says} |" for one in DEFINITIONS]
    table = DOCS.read_text(encoding="utf-8").split("\n## ")[0]  # the instruments that are heard come later
    assert [line for line in table.splitlines() if line.startswith("| `")] == rows

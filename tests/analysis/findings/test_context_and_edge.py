"""What spans lack, what the edge should not do, and first requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.analysis.findings.conftest import Scene

MS = 1_000_000


def http(path: str, **more: Any) -> dict[str, Any]:
    return {"url_full": f"http://orders:8080{path}", "method": "GET", **more}


def test_a_callee_joined_by_an_id_got_no_context(scene: Scene) -> None:
    for _ in range(3):
        scene.request(end=100)
        scene.call(
            0, 80, served=(10, 70), joined_by="request_id", span={"scope": "@vercel/otel/fetch"}, peer="api.x.io"
        )
    (finding,) = scene.found()["broken_context"]
    assert finding["requests"] == 3
    assert r"propagateContextUrls: [/api\.x\.io/]" in finding["next_step"]


@pytest.mark.parametrize(("linked", "told"), [(0, 6), (1, 4)])
def test_where_context_never_comes_silent_calls_lost_it_too(scene: Scene, linked: int, told: int) -> None:
    """Three calls share the request's id, and nothing says which of them a server answered."""
    for number in range(4):
        scene.request(end=100)
        scene.call(0, 20, served=(1, 19), joined_by="request_id")
        if number < 2:
            scene.request(end=100)
            scene.call(30, 90, span=http("/v1/panel"))
    for _ in range(linked):
        scene.request(end=100)
        scene.call(0, 20, served=(1, 19))
    (finding,) = scene.found()["broken_context"]
    assert finding["requests"] == told


def test_a_silent_call_is_found_by_the_innermost_of_its_spans(scene: Scene) -> None:
    """The path names undici's span, the call is the fetch around it."""
    for _ in range(4):
        scene.request(end=100)
        client, _ = scene.call(0, 80, span=http("/v1/report"))
        inner = scene.span(client, 1, 79, "client")
        scene.stretch(1, 79, inner, "origin:orders", "unobserved")
    (finding,) = scene.found()["missing_instrumentation"]
    assert finding["requests"] == 4


def silent(scene: Any, answered: int, asked: int) -> dict[str, Any]:
    """Calls without a server span; for some, a lone trace of the same path began and ended meanwhile."""
    for number in range(asked):
        scene.request(end=100)
        client, _ = scene.call(0, 80, span=http("/v1/report"))
        scene.stretch(0, 80, client, "origin:orders", "unobserved")
        if number < answered:
            scene.trace += 100_000
            scene.span(None, 10, 70, "server", service="orders", url_path="/v1/report", method="GET")
    found: dict[str, Any] = scene.found()
    return found


def test_a_callee_that_starts_traces_of_its_own(scene: Scene) -> None:
    found = silent(scene, 4, 4)
    assert found["broken_context"][0]["requests"] == 4
    assert "missing_instrumentation" not in found


def test_a_callee_that_says_nothing(scene: Scene) -> None:
    found = silent(scene, 0, 4)
    assert "broken_context" not in found
    (finding,) = found["missing_instrumentation"]
    assert "of 4 calls over this seam 0 have one" in finding["message"]
    assert finding["cost_ns"] == 0


def test_ids_that_a_tier_replaces(scene: Scene) -> None:
    for _ in range(3):
        scene.request(end=100, correlation_id="mine")
        scene.call(0, 80, served=(1, 79), server={"correlation_id": "other"})
        scene.call(80, 90, "render:web→origin:good", served=(81, 89), server={"correlation_id": "mine"})
    (finding,) = scene.found()["request_id_lost"]
    assert finding["seam"] == "render:web→origin:orders"


def test_clocks_that_do_not_agree(scene: Scene) -> None:
    for _ in range(3):
        scene.request(end=100)
        client, _ = scene.call(0, 80, served=(1, 79))
        scene.rows["warnings"].append({"trace_id": scene.trace, "span_id": client, "code": "clock_interval_empty"})
    (finding,) = scene.found()["clock_conflict"]
    assert (finding["seam"], finding["requests"]) == ("render:web→origin:orders", 3)


def start(scene: Any, at: float, loading: float) -> None:
    scene.request(end=100, at=at)
    span = scene.span(scene.entry, 0, loading, role="module_load")
    scene.stretch(0, loading, span, "render:web", "cold_start")


def test_the_first_request_of_a_route_starts_things(scene: Scene) -> None:
    start(scene, 0, 60)
    start(scene, 50, 40)  # it came while the first was still being answered
    start(scene, 5_000, 40)  # long after: a look-up that the machine was slow at
    (finding,) = scene.found()["cold_start"]
    assert finding["costs"] == {0: 60, 1: 40}


def test_a_look_up_is_no_start(scene: Scene) -> None:
    start(scene, 0, 8)
    assert scene.found() == {}


def test_a_call_that_waits_for_a_function_to_start_is_one_every_time(scene: Scene) -> None:
    for at in (0, 5_000):
        scene.request(end=100, at=at)
        client, _ = scene.call(0, 80, served=(60, 79))
        scene.stretch(0, 60, client, "origin:orders", "cold_start")
    (finding,) = scene.found()["cold_start"]
    assert finding["costs"] == {0: 60, 1: 60}


def test_flags_asked_for_before_routing(scene: Scene) -> None:
    for _ in range(3):
        scene.request(end=100)
        scene.call(0, 60, "edge:web→external:cdn.growthbook.io", peer="cdn.growthbook.io")
        scene.call(60, 90, "edge:web→external:fonts.example", peer="fonts.example")
    (finding,) = scene.found()["blocking_flag_service"]
    assert finding["costs"] == dict.fromkeys(range(3), 60)


@pytest.mark.parametrize(("seam", "is_found"), [
    ("edge:web→data:postgresql/app", True),
    ("edge:web→data:Cloudflare KV/flags", False),
    ("origin:orders→data:postgresql/app", False),
])  # fmt: skip
def test_a_database_asked_from_the_edge(scene: Scene, seam: str, is_found: bool) -> None:
    for _ in range(3):
        scene.request(end=100)
        scene.call(0, 60, seam)
    assert ("edge_database" in scene.found()) is is_found


def test_many_calls_from_the_edge(scene: Scene) -> None:
    for _ in range(3):
        scene.request(end=100)
        for number in range(4):
            scene.call(0, 60, "edge:web→origin:orders", operation=f"GET /{number}")
    assert scene.found()["edge_fanout"][0]["requests"] == 3


def test_an_edge_that_computes(scene: Scene) -> None:
    for _ in range(3):
        scene.request(end=100)
        scene.stretch(0, 70, scene.span(scene.entry, 0, 70, role="middleware"), "edge:web", "middleware")
    assert scene.found()["edge_over_budget"][0]["costs"] == dict.fromkeys(range(3), 70)


def test_middleware_for_files(scene: Scene) -> None:
    for path in ("/_next/static/app.js", "/logo.svg", "/fonts/a.woff2", "/page"):
        scene.request(end=10)
        scene.rows["spans"][-1]["url_path"] = path
        scene.span(scene.entry, 1, 3, role="middleware")
    (finding,) = scene.found()["middleware_on_static"]
    assert set(finding["costs"]) == {0, 1, 2}
    assert "matcher" in finding["next_step"]


def test_one_persons_answer_in_everybodys_cache(scene: Scene) -> None:
    scene.request(end=10, span={"cache_scope": "personalised", "cache_control": "public, s-maxage=60"})
    scene.request(end=10, span={"cache_scope": "personalised", "cache_control": "private"})
    scene.request(end=10, span={"cache_scope": "public", "cache_control": "public"})
    (finding,) = scene.found()["public_cache_of_personal"]
    assert set(finding["costs"]) == {0}


def test_nothing_to_look_at(scene: Scene) -> None:
    assert scene.found() == {}


def test_names_stay_from_run_to_run(scene: Scene) -> None:
    scene.request(end=10, span={"cache_scope": "personalised", "cache_control": "public"})
    (first,), (second,) = scene.found().values(), scene.found().values()
    assert first[0]["finding_id"] == second[0]["finding_id"]

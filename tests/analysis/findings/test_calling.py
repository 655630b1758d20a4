"""Which calls a request makes, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.analysis.findings.conftest import Scene

MS = 1_000_000
DATA = "origin:orders→data:postgres/app"
OTHER = "render:web→origin:stock"


def http(path: str, **more: Any) -> dict[str, Any]:
    return {"url_full": f"http://orders:8080{path}", "method": "GET", **more}


def test_a_statement_in_each_of_many_calls_is_the_callers_affair(scene: Scene) -> None:
    """Six panels, each of which asks the database once: nobody there has a loop."""
    scene.request(end=130)
    for number in range(6):
        _, panel = scene.call(20 * number, 20 * number + 20, served=(20 * number, 20 * number + 20), operation="GET /p")
        scene.call(20 * number, 20 * number + 15, DATA, parent=panel, operation="SELECT count")
    assert {one["seam"] for one in scene.found().get("n_plus_one", ())} == {"render:web→origin:orders"}


def test_pages_of_a_list_are_no_elements(scene: Scene) -> None:
    """Each address holds the cursor that the answer before it gave."""
    scene.request(end=130)
    for number in range(6):
        cursor = {"url_full": f"http://orders/panels?cursor={'x' * (number + 1)}", "method": "GET"}
        scene.call(20 * number, 20 * number + 20, operation="GET /panels", span=cursor)
    assert "n_plus_one" not in scene.found()


@pytest.mark.parametrize(("times", "is_loop"), [(6, True), (4, False)])
def test_a_statement_per_element(scene: Scene, times: int, is_loop: bool) -> None:
    scene.request(end=100)
    for number in range(times):
        scene.call(10 * number, 10 * number + 10, DATA, operation="SELECT reviews")
    found = scene.found()
    assert ("n_plus_one" in found) is is_loop
    if is_loop:
        (finding,) = found["n_plus_one"]
        assert finding["costs"] == {0: 50}
        assert len(finding["proof"][0]) == 5
        assert "for SELECT reviews some 6 times per request" in finding["message"]


def test_a_transactions_commands_are_no_loop(scene: Scene) -> None:
    scene.request(end=100)
    for number in range(6):
        scene.call(10 * number, 10 * number + 10, DATA, operation="SAVEPOINT")
    assert "n_plus_one" not in scene.found()


def test_a_pages_parts_are_no_loop(scene: Scene) -> None:
    """Five panels, the same in every request; five products, others each time."""
    for visit in range(3):
        scene.request(end=100)
        for number in range(5):
            scene.call(10 * number, 10 * number + 10, operation="GET /panel/{name}", span=http(f"/panel/{number}"))
        for number in range(5):
            path = f"/products/{100 * visit + number}"
            scene.call(50 + 10 * number, 60 + 10 * number, operation="GET /products/{id}", span=http(path))
    assert [one["message"].split(" for ")[1].split(" some")[0] for one in scene.found()["n_plus_one"]] == [
        "GET /products/{id}"
    ]


def test_the_same_resource_asked_for_by_two_tiers(scene: Scene) -> None:
    scene.request(end=100)
    scene.call(0, 30, "edge:web→origin:orders", served=(1, 29), span=http("/v1/me"), operation="GET /v1/me")
    scene.call(40, 80, served=(41, 79), span=http("/v1/me"), operation="GET /v1/me")
    scene.call(80, 90, served=(81, 89), span=http("/v1/me?full=1"), operation="GET /v1/me")
    (finding,) = scene.found()["duplicate_call"]
    assert finding["costs"] == {0: 40}
    assert finding["message"].startswith("edge:web and render:web both ask origin:orders for the same GET /v1/me")


def test_a_second_try_is_no_duplicate(scene: Scene) -> None:
    scene.request(end=100)
    scene.call(0, 30, span=http("/v1/me"), error=True)
    scene.call(40, 80, span=http("/v1/me"))
    assert "duplicate_call" not in scene.found()


def test_two_writes_are_no_duplicate(scene: Scene) -> None:
    scene.request(end=100)
    scene.call(0, 30, span=http("/v1/log", method="POST"))
    scene.call(40, 80, span=http("/v1/log", method="POST"))
    assert "duplicate_call" not in scene.found()


def uncached(scene: Any, *, urls: int, **span: Any) -> bool:
    for number in range(12):
        scene.request(end=100)
        path = f"/v1/list/{number % urls}"
        server = {"cache_scope": span.pop("scope", None)} if "scope" in span else span.get("server", {})
        facts = {name: value for name, value in span.items() if name != "server"}
        scene.call(0, 80, served=(5, 75), span=http(path, **facts), server=server)
    return "uncached_fetch" in scene.found()


def test_a_public_answer_fetched_anew(scene: Scene) -> None:
    assert uncached(scene, urls=1, cache_status="skip", cache_reason="auto no cache")


def test_an_answer_that_says_it_is_public(scene: Scene) -> None:
    assert uncached(scene, urls=2, server={"cache_scope": "public"})


def test_panels_side_by_side_are_one_thing_to_cache(scene: Scene) -> None:
    """One of them kept would save nothing: the others are waited for all the same."""
    for _ in range(6):
        scene.request(end=100)
        for panel in range(3):
            public = {"cache_scope": "public"}
            path = f"/v1/panels/{panel}"
            scene.call(10, 80 + panel, span=http(path), operation=f"GET {path}", served=(12, 78), server=public)
    (finding,) = scene.found()["uncached_fetch"]
    assert finding["costs"][0] == 72
    assert "GET /v1/panels/0, GET /v1/panels/1, GET /v1/panels/2" in finding["message"]


def test_whose_an_answer_is_may_be_said_where_its_trace_context_was_lost(scene: Scene) -> None:
    for number in range(6):
        scene.request(end=100)
        scene.call(10, 80, span=http("/v1/list?page=all"))
        scope = "personalised" if number == 5 else "public"
        scene.span(None, 12, 78, "server", service="orders", method="GET", url_path="/v1/list", cache_scope="public")
        scene.span(None, 12, 78, "server", service="orders", method="GET", url_path="/v1/me", cache_scope=scope)
        scene.call(80, 99, span=http("/v1/me"), operation="GET /v1/me")
    (finding,) = scene.found()["uncached_fetch"]
    assert finding["costs"][0] == 70


def test_a_personal_answer_is_rightly_not_cached(scene: Scene) -> None:
    assert not uncached(scene, urls=1, cache_status="skip", server={"cache_scope": "personalised"})


def test_answers_that_hardly_repeat_are_rightly_not_cached(scene: Scene) -> None:
    assert not uncached(scene, urls=12, cache_status="skip")


def test_an_answer_of_which_nothing_is_said_is_left_alone(scene: Scene) -> None:
    assert not uncached(scene, urls=1)


def test_a_call_declared_nonessential_holds_the_first_byte(scene: Scene) -> None:
    for _ in range(2):
        scene.request(end=200)
        scene.call(0, 30, operation="GET /v1/page")
        scene.call(30, 90, span={"essential": False}, operation="GET /v1/banner")
        scene.shell(100)
    (finding,) = scene.found()["nonessential_block"]
    assert finding["costs"] == {0: 60, 1: 60}
    assert "Suspense" in finding["next_step"]


def test_one_that_is_open_at_the_first_byte_did_not_hold_it(scene: Scene) -> None:
    """Whatever ended meanwhile, the render span too: the page went out without its answer."""
    for _ in range(4):
        scene.request(end=200)
        page = scene.span(scene.entry, 5, 90, service="web")
        scene.call(10, 40, parent=page, operation="GET /v1/page")
        scene.call(45, 120, parent=page, span={"essential": False}, operation="GET /v1/banner")
        scene.shell(110)
    assert "nonessential_block" not in scene.found()


def test_what_is_said_on_a_span_within_the_call_is_said_of_the_call(scene: Scene) -> None:
    """Next.js wraps each fetch in a span of its own: users reach the one that the HTTP client makes below it."""
    for _ in range(2):
        scene.request(end=200)
        page, _ = scene.call(0, 30, operation="GET /v1/page")
        scene.span(page, 1, 29, "client", service="web", essential=True)
        outer, _ = scene.call(30, 90, operation="GET /v1/banner")
        inner = scene.span(outer, 31, 89, "client", service="web", essential=False)
        answer = scene.span(inner, 35, 85, "server", service="orders")
        scene.span(answer, 40, 80, "client", service="orders", essential=True)
        scene.shell(100)
    (finding,) = scene.found()["nonessential_block"]
    assert finding["costs"] == {0: 60, 1: 60}
    assert "GET /v1/banner" in finding["message"]


def test_one_that_streams_after_the_first_byte_holds_nobody(scene: Scene) -> None:
    for _ in range(2):
        scene.request(end=200)
        scene.call(0, 30)
        scene.shell(50)
        scene.call(60, 180, span={"essential": False}, operation="GET /v1/banner")
    assert "nonessential_block" not in scene.found()


def test_the_operators_word_counts(scene: Scene) -> None:
    scene.request(end=100)
    scene.call(0, 60, OTHER, operation="GET /ads")
    found = scene.found(lambda *names: False if "stock" in names else None)
    assert found["nonessential_block"][0]["costs"] == {0: 60}
    assert "nonessential_block" not in scene.found(lambda *_: True)


def test_pages_that_survive_a_calls_failure_do_not_need_it(scene: Scene) -> None:
    for number in range(6):
        scene.request(end=100)
        scene.call(0, 60, operation="GET /ads", error=number < 3)
    (finding,) = scene.found()["nonessential_block"]
    assert "failed 3 times and the page was answered all the same" in finding["message"]
    assert finding["confidence"] < 0.8


def test_a_call_for_flags_is_one_finding(scene: Scene) -> None:
    """Pages survive its failures; that it blocks routing says it already."""
    for number in range(8):
        scene.request(end=100)
        flags = "edge:web→external:flags.example"
        scene.call(0, 60, flags, span=http("/api/eval"), peer="flags.example", error=number < 4)
    found = scene.found()
    assert "blocking_flag_service" in found
    assert "nonessential_block" not in found


def test_one_request_has_no_average(scene: Scene) -> None:
    scene.request(end=100)
    for number in range(6):
        scene.call(10 * number, 10 * number + 10, DATA, operation="SELECT reviews")
    (finding,) = scene.found()["n_plus_one"]
    assert finding["message"].endswith("some 6 times per request: 1 request, 50 ms")


def test_calls_made_again(scene: Scene) -> None:
    for _ in range(3):
        scene.request(end=200)
        scene.call(0, 80, span=http("/v1/quote"), error=True)
        scene.call(90, 120, span=http("/v1/quote"))
    (finding,) = scene.found()["retry_storm"]
    assert finding["costs"] == dict.fromkeys(range(3), 80)


def test_an_attempt_that_was_given_up_is_gone_whole(scene: Scene) -> None:
    """Its span shows no error and has a little of its time as retry; the path says all of it was."""
    for _ in range(3):
        scene.request(end=130)
        first, _ = scene.call(0, 90, served=(5, 400), retry_ns=2 * MS)
        scene.call(92, 120)
        scene.stretch(0, 90, first, "render:web", "retry")
    (finding,) = scene.found()["retry_storm"]
    assert finding["costs"] == {0: 90, 1: 90, 2: 90}


def test_retries_around_retries(scene: Scene) -> None:
    for _ in range(3):
        scene.request(end=200)
        _, served = scene.call(0, 150, served=(5, 145), attempts=2, retry_ns=60 * MS)
        scene.call(10, 100, "origin:orders→origin:pricing", served[1:][0] if isinstance(served, tuple) else served,
                   attempts=3, retry_ns=50 * MS)  # fmt: skip
    found = scene.found()
    assert len(found["retry_storm"]) == 2
    (finding,) = found["stacked_retries"]
    assert (finding["seam"], finding["requests"]) == ("render:web→origin:orders", 3)


def chain(scene: Any, visits: int, *steps: str, turned: int = 0) -> list[dict[str, Any]]:
    """Calls one after the other in every visit; `{n}` is the visit's number, `{secret}` what only an answer tells."""
    for visit in range(visits):
        scene.request(end=200, span={"url_full": f"http://web/page/{visit}"})
        order = list(steps)
        if visit < turned:
            order.reverse()
        for place, step in enumerate(order):
            path = step.format(n=visit, secret=7000 + visit)
            operation = "GET " + step.split("/{")[0].split("?")[0]
            scene.call(30 * place, 30 * place + 30, span=http(path), operation=operation)
    found: list[dict[str, Any]] = scene.found().get("serial_fanout", [])
    return found


def test_calls_that_need_nothing_of_each_other(scene: Scene) -> None:
    (finding,) = chain(scene, 20, "/a", "/b", "/c/{n}")
    assert set(finding["costs"].values()) == {60}
    assert finding["route"] == "GET /page"
    assert finding["confidence"] < 0.8


@pytest.mark.parametrize(
    ("scope", "step"),
    [
        ("@vercel/otel/fetch", "await Promise.all([…])"),
        ("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", "errgroup.Group"),
        ("opentelemetry.instrumentation.httpx", "asyncio.gather with one AsyncClient"),
        (None, "await Promise.all([…]), errgroup, asyncio.gather"),
    ],
)
def test_how_to_start_them_together_is_said_in_the_callers_language(scene: Scene, scope: str | None, step: str) -> None:
    for _ in range(20):
        scene.request(end=100)
        for place, path in enumerate(("/a", "/b")):
            scene.call(30 * place, 30 * place + 30, span={**http(path), "scope": scope}, operation=f"GET {path}")
    (finding,) = scene.found()["serial_fanout"]
    assert finding["next_step"].endswith(f": {step}")


def test_a_call_that_needs_an_answer_is_left_alone(scene: Scene) -> None:
    assert chain(scene, 20, "/me", "/orders?user={secret}") == []


def test_what_an_answer_told_earlier_is_known_later(scene: Scene) -> None:
    """The third needs what the second had: it can start with the second, no sooner."""
    (finding,) = chain(scene, 20, "/me", "/orders?user={secret}", "/picks?user={secret}")
    assert set(finding["costs"].values()) == {30}


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (lambda number: (number + 37) % 600, True),  # wraps around now and then
        (lambda number: number + 1, False),  # the next of a list: its answer may have named it
        (lambda number: number * 7919 % 600, False),
    ],
)
def test_a_number_that_always_lies_as_far_was_computed(scene: Scene, second: Any, found: bool) -> None:
    for at in range(40):
        scene.request(end=100)
        first = (at * 101) % 600
        for place, number in enumerate((first, second(first))):
            span = http(f"/stock/{number}")
            scene.call(10 + 40 * place, 50 + 40 * place, span=span, operation="GET /stock/{id}")
    assert ("serial_fanout" in scene.found()) is found


def test_pages_of_a_list_follow_each_other(scene: Scene) -> None:
    assert chain(scene, 20, "/first", "/more?cursor=2") == []


def test_too_few_requests_tell_nothing(scene: Scene) -> None:
    assert chain(scene, 19, "/a", "/b") == []


def test_an_order_that_turns_is_no_rule(scene: Scene) -> None:
    assert chain(scene, 30, "/a", "/b", turned=8) == []


def test_calls_made_together_are_not_serial(scene: Scene) -> None:
    for _ in range(25):
        scene.request(end=100)
        scene.call(0, 80, span=http("/a"), operation="GET /a")
        scene.call(1, 70, span=http("/b"), operation="GET /b")
    assert "serial_fanout" not in scene.found()


def test_a_page_in_a_trace_of_its_own(scene: Scene) -> None:
    """Next.js 14 and 15: the middleware's trace holds the entry, another one the page."""
    scene.request(end=5)
    scene.trace += 500
    page = scene.span(None, 5, 100, "server", service="web")
    scene.rows["traces"].append({"request_no": 0, "trace_id": scene.trace})
    scene.rows["requests"][0]["complete_ns"] = 100 * MS
    scene.rows["ends"][0] |= {"span_id": page, "at_ns": 100 * MS, "horizon_ns": 100 * MS}
    scene.call(10, 70, parent=page, span={"essential": False}, operation="GET /v1/banner")
    (finding,) = scene.found()["nonessential_block"]
    assert finding["costs"] == {0: 60}

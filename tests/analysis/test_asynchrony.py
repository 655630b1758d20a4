"""Work that a request causes and does not wait for: linked, never on its path."""

from __future__ import annotations

from typing import Any

Traces = Any
REMOTE = 0x300


def producer(traces: Traces) -> Traces:
    traces.span("POST /orders", "server", "api", 0, 100, extent="handler")
    traces.span("publish", "producer", "api", 20, 30, "POST /orders", messaging_system="kafka")
    return traces


def test_a_consumer_is_a_job_of_its_own(traces: Traces) -> None:
    producer(traces)
    traces.span("work", "consumer", "jobs", 90, 500, "publish", flags=REMOTE)
    traces.span("INSERT", "client", "jobs", 100, 400, "work", role="query", db_system="postgresql")
    told = traces.told()
    assert [(row["entry"], row["kind"], row["complete"]) for row in told.requests()] == [
        ("POST /orders", "api", 100),
        ("work", "job", 410),
    ]
    assert told.brief(entry="POST /orders") == [
        ("origin:api", "compute", 20),
        ("data:kafka", "query", 10),
        ("origin:api", "compute", 70),
    ]
    assert {cause for _, cause, _ in told.brief(entry="work")} == {"compute", "query"}
    assert told.background() == [("POST /orders", "work", 60, "parent")]
    assert told.warnings() == set()


def test_a_message_tells_itself_when_it_was_enqueued(traces: Traces) -> None:
    producer(traces)
    traces.span("work", "consumer", "jobs", 90, 500, "publish", flags=REMOTE, enqueued_ns=25)
    assert traces.told().background() == [("POST /orders", "work", 65, "parent")]


def test_a_wait_that_clocks_make_negative_is_not_known(traces: Traces) -> None:
    producer(traces)
    traces.span("work", "consumer", "jobs", 10, 500, "publish", flags=REMOTE)
    assert traces.told().background() == [("POST /orders", "work", None, "parent")]


def test_a_consumer_that_links_to_its_producer(traces: Traces) -> None:
    producer(traces)
    traces.span("work", "consumer", "jobs", 90, 500, trace=2)
    traces.link("work", "publish", trace=2)
    told = traces.told()
    assert told.background() == [("POST /orders", "work", 60, "link")]
    assert [row["kind"] for row in told.requests()] == ["api", "job"]


def test_a_batch_links_to_each_of_its_producers(traces: Traces) -> None:
    producer(traces)
    traces.span("publish again", "producer", "api", 40, 50, "POST /orders", messaging_system="kafka")
    traces.span("work", "consumer", "jobs", 90, 500, trace=2)
    traces.link("work", "publish", trace=2)
    traces.link("work", "publish again", trace=2)
    told = traces.told()
    assert told.background() == [("POST /orders", "work", 40, "link"), ("POST /orders", "work", 60, "link")]


def test_a_span_that_links_and_serves_is_no_asynchronous_work(traces: Traces) -> None:
    traces.span("call", "client", "web", 0, 50)
    traces.span("GET /", "server", "api", 10, 40, trace=2)
    traces.link("GET /", "call", trace=2)
    assert traces.told().background() == []


def test_a_push_under_a_producer_is_not_waited_for(traces: Traces) -> None:
    producer(traces)
    traces.span("POST /push", "server", "sink", 25, 300, "publish", flags=REMOTE)
    told = traces.told()
    assert [row["entry"] for row in told.requests()] == ["POST /orders", "POST /push"]
    assert told.background() == [("POST /orders", "POST /push", None, "parent")]


def test_background_work_is_off_the_path(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 100, extent="body")
    traces.span("BackgroundTask mail", "internal", "api", 60, 400, "GET /", role="background")
    traces.span("send", "client", "api", 70, 390, "BackgroundTask mail", peer="smtp.example.com")
    told = traces.told()
    assert told.brief() == [("origin:api", "compute", 100)]
    assert told.background() == [("GET /", "BackgroundTask mail", None, "background")]
    assert told.hop("send")["async"] is True
    assert told.warnings() == set()


def test_work_after_the_answer_is_background(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("POST /api", "server", "web", 0, 50, role="request", extent="body")
    traces.span("handler", "internal", "web", 5, 40, "POST /api", role="handler", extent="handler")
    traces.span("audit", "client", "web", 45, 80, "handler", role="fetch", extent="body", peer="audit.example.com")
    told = traces.told()
    assert told.brief() == [("render:web", "compute", 50)]
    assert told.background() == [("POST /api", "audit", None, "background")]
    assert told.warnings() == set()


def test_a_stream_that_a_handler_returned_holds_the_answer(traces: Traces) -> None:
    traces.service("web", "render")
    traces.span("POST /api", "server", "web", 0, 90, role="request", extent="body")
    traces.span("handler", "internal", "web", 5, 40, "POST /api", role="handler", extent="handler")
    traces.span("rows", "client", "web", 45, 80, "handler", role="fetch", extent="body", peer="cms.example.com")
    told = traces.told()
    assert told.brief() == [
        ("render:web", "compute", 45),
        ("external:cms.example.com", "external_call", 35),
        ("render:web", "compute", 10),
    ]
    assert told.background() == []


def test_what_a_server_span_starts_after_its_end_is_background(traces: Traces) -> None:
    traces.span("GET /", "server", "api", 0, 50)
    traces.span("flush", "client", "api", 55, 80, "GET /", peer="logs.example.com")
    told = traces.told()
    assert told.brief() == [("origin:api", "compute", 50)]
    assert told.background() == [("GET /", "flush", None, "background")]

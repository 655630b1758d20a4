"""The tables that come out, and what must not change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.decoding import flat as columns
from collector.normalise import keys, normalise
from collector.normalise.tables import WRITERS_COLUMNS
from seamscope.config import Rules
from seamscope.schema import tables as schema

Tables = Callable[..., dict[str, Any]]

SPANS: list[dict[str, Any]] = [
    {
        "resource": {"service.name": "web", "vercel.runtime": "nodejs"},
        "scope": "next.js",
        "version": "16.4.6",
        "name": "GET /dash",
        "kind": "server",
        "attributes": {"next.span_type": "BaseServer.handleRequest", "http.route": "/dash", "http.method": "GET"},
    },
    {
        "resource": {"service.name": "orders", "telemetry.sdk.language": "go"},
        "scope": "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        "name": "GET",
        "kind": "server",
        "attributes": {"http.request.method": "GET", "url.path": "/v1/orders/7", "server.address": "orders"},
        "events": [("exception", 5, {"exception.type": "Oops"}), ("note", 6)],
    },
    {
        "resource": {"service.name": "orders", "telemetry.sdk.language": "go"},
        "scope": "github.com/exaring/otelpgx",
        "name": "query",
        "kind": "client",
        "attributes": {"db.system.name": "postgresql", "db.query.text": "SELECT * FROM orders"},
        "links": [{"why": "because"}],
    },
    {
        "resource": {"service.name": "jobs", "telemetry.sdk.language": "python"},
        "scope": "opentelemetry.instrumentation.celery",
        "name": "run/mail",
        "kind": "consumer",
        "attributes": {"messaging.message.id": "m-1", "celery.queue": "mail"},
    },
    {"name": "bare"},
]

SETTINGS = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SPAN_KEYS = sorted(key for names in keys.SPAN_SLOTS.values() for key in names)
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.text(max_size=40).filter(lambda text: "\x00" not in text and text.isprintable()),
    st.sampled_from(["https://a.b:81/c?d", "/a/1", "GET", "1.5ms", "2027-01-15T08:00:00Z", "SELECT 1 FROM t", "th:8"]),
    st.lists(st.text(alphabet='ab",]', max_size=5), max_size=3),
)
ANY_SPAN = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["internal", "server", "client", "producer", "consumer"]),
        "scope": st.sampled_from(["", "next.js", "nginx", "deno", "prisma", "github.com/exaring/otelpgx"]),
        "name": st.sampled_from(["", "GET /a/1?b", "connect", "pg.query:SELECT", "db.pool.wait", "ü/1"]),
        "attributes": st.dictionaries(st.sampled_from(SPAN_KEYS), VALUES, max_size=6),
    }
)


def _rows(made: dict[str, Any], *without: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in without} for row in made["spans"].to_pylist()]


def test_the_tables_are_those_of_the_schema(tables: Tables) -> None:
    made = tables(SPANS)
    for name in ("spans", "resources", "span_events", "span_links"):
        wanted = [field for field in schema.INGESTED[name] if field.name not in WRITERS_COLUMNS]
        assert list(made[name].schema) == wanted
        made[name].validate(full=True)
    assert {name: table.num_rows for name, table in made.items()} == {
        "spans": 5,
        "resources": 4,
        "span_events": 2,
        "span_links": 1,
    }


def test_events_and_links_know_their_span(tables: Tables) -> None:
    made = tables(SPANS)
    spans = made["spans"].to_pylist()
    events, links = made["span_events"].to_pylist(), made["span_links"].to_pylist()
    identity = ("trace_hi", "trace_lo", "span_id", "kind")
    assert [[event[column] for column in identity] for event in events] == [[spans[1][c] for c in identity]] * 2
    assert [link[column] for link in links for column in identity] == [spans[2][c] for c in identity]
    assert [event["name"] for event in events] == ["exception", "note"]
    assert events[0]["at_ns"] == spans[1]["start_ns"] + 5
    assert events[0]["attributes"] == [{"key": "exception.type", "value": "Oops"}]
    assert events[1]["attributes"] == []
    assert links[0]["linked_span_id"] == 0x0202020202020202
    assert links[0]["attributes"] == [{"key": "why", "value": "because"}]


def test_nothing_in_nothing_out() -> None:
    made = normalise(columns.empty(2), np.zeros(0, np.bool_), Rules())
    assert {name: table.num_rows for name, table in made.items()} == dict.fromkeys(made, 0)
    for name, table in made.items():
        assert [field.name for field in schema.INGESTED[name] if field.name not in WRITERS_COLUMNS] == (
            table.schema.names
        )


@pytest.mark.parametrize("without", range(5))
def test_leaving_out_a_span(tables: Tables, flat_of: Callable[..., Any], without: int) -> None:
    flat = flat_of(SPANS)
    keep = np.arange(5) != without
    made = normalise(flat, keep, Rules())
    whole = tables(SPANS)
    assert _rows(made) == [row for at, row in enumerate(_rows(whole)) if at != without]
    ids = set(made["spans"]["resource_id"].to_pylist())
    assert set(made["resources"]["resource_id"].to_pylist()) == ids
    for name in ("span_events", "span_links"):
        gone = whole["spans"]["span_id"][without].as_py()
        assert made[name].to_pylist() == [row for row in whole[name].to_pylist() if row["span_id"] != gone]


def test_links_that_were_not_admitted(flat_of: Callable[..., Any]) -> None:
    flat = flat_of(SPANS)
    made = normalise(flat, np.ones(5, np.bool_), Rules(), np.zeros(1, np.bool_))
    assert made["span_links"].num_rows == 0


def test_splitting_a_batch_changes_nothing(tables: Tables) -> None:
    whole = tables(SPANS, SPANS[::-1])
    numbered = [tables(*([[]] * at), [span]) for at, span in enumerate([*SPANS, *SPANS[::-1]])]
    without = ("trace_lo", "span_id")
    assert _rows(whole, *without) == [row for made in numbered for row in _rows(made, *without)]


@SETTINGS
@given(spans=st.lists(ANY_SPAN, min_size=1, max_size=6))
def test_anything_can_be_read_and_its_neighbours_do_not_matter(tables: Tables, spans: list[dict[str, Any]]) -> None:
    whole = tables(spans)
    whole["spans"].validate(full=True)
    alone = [row for span in spans for row in _rows(tables([span]), "trace_lo", "span_id")]
    assert repr(_rows(whole, "trace_lo", "span_id")) == repr(alone)


@SETTINGS
@given(spans=st.lists(ANY_SPAN, min_size=1, max_size=4), order=st.randoms(use_true_random=False))
def test_the_order_of_attributes_does_not_matter(tables: Tables, spans: list[dict[str, Any]], order: Any) -> None:
    shuffled = []
    for span in spans:
        pairs = list(span["attributes"].items())
        order.shuffle(pairs)
        shuffled.append(span | {"attributes": pairs})
    assert repr(_rows(tables(spans), "attributes")) == repr(_rows(tables(shuffled), "attributes"))


@SETTINGS
@given(
    spans=st.lists(ANY_SPAN, min_size=1, max_size=4),
    more=st.dictionaries(st.text(alphabet="abcxyz._", min_size=1, max_size=12), VALUES, max_size=4),
)
def test_unknown_keys_do_not_matter(tables: Tables, spans: list[dict[str, Any]], more: dict[str, Any]) -> None:
    unknown = {key: value for key, value in more.items() if key not in keys.SPANS.meaning}
    with_more = [span | {"attributes": {**unknown, **span["attributes"]}} for span in spans]
    assert repr(_rows(tables(spans), "attributes")) == repr(_rows(tables(with_more), "attributes"))


OLD_TO_NEW = {
    "http.method": "http.request.method",
    "http.status_code": "http.response.status_code",
    "http.url": "url.full",
    "http.scheme": "url.scheme",
    "net.peer.name": "server.address",
    "net.peer.port": "server.port",
    "net.sock.peer.addr": "network.peer.address",
    "http.flavor": "network.protocol.version",
    "db.system": "db.system.name",
    "db.name": "db.namespace",
    "db.statement": "db.query.text",
    "db.operation": "db.operation.name",
    "db.sql.table": "db.collection.name",
    "rpc.system": "rpc.system.name",
    "rpc.grpc.status_code": "rpc.response.status_code",
    "messaging.operation": "messaging.operation.type",
    "messaging.destination": "messaging.destination.name",
    "messaging.message_id": "messaging.message.id",
}


@SETTINGS
@given(
    attributes=st.dictionaries(st.sampled_from(sorted(OLD_TO_NEW)), VALUES, max_size=8),
    kind=st.sampled_from(["client", "producer"]),
)
def test_old_and_new_conventions_give_the_same_columns(tables: Tables, attributes: dict[str, Any], kind: str) -> None:
    renamed = {OLD_TO_NEW[key]: value for key, value in attributes.items()}
    old, new, both = (
        _rows(tables([{"kind": kind, "attributes": sent}]), "attributes")
        for sent in (attributes, renamed, attributes | renamed)
    )
    assert repr(old) == repr(new) == repr(both)

"""The views of the public interface: names, order, words, ids and times as they are promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seamscope.schema import words
from seamscope.store import Store
from tests.seamscope.store_rows import SECOND, START_NS, attributes, event, owner, request, resource, rows, span

if TYPE_CHECKING:
    from collections.abc import Iterator

SEAM = "render:web→origin:orders"
PROMISED = {
    "spans": "trace_id span_id parent_span_id name kind flags start_ns end_ns start_at duration_ns status"
    " status_message service service_version environment instance place tier operation route method http_status peer"
    " db_system correlation_id weight resource_id scope attributes ingested_at",
    "resources": "resource_id service service_version environment instance",
    "span_events": "trace_id span_id",
    "span_links": "trace_id span_id",
    "logs": "trace_id span_id time_ns time_at severity severity_text body service attributes correlation_id"
    " platform_id",
    "metric_points": "time_ns time_at instrument subject measure service instance environment pool state"
    " peer peer_port value count sum min max",
    "errors": "request_id route upstream service type message at",
    "requests": "request_id trace_id kind route method status environment place start_ns start_at shell_ns complete_ns"
    " shell_evidence complete_evidence dominant_owner dominant_cause weight final revision settled_at",
    "request_traces": "request_id trace_id joined_by",
    "segments": "request_id horizon start_ns end_ns span_id owner tier service seam cause evidence",
    "hops": "request_id trace_id client_span_id server_span_id seam boundary caller_instance callee_instance peer"
    " status attempts gap_ns gap_kind request_leg_ns response_leg_ns leg_error_ns setup_ns dns_ns connect_ns tls_ns"
    " pool_wait_ns send_ns network_ns server_queue_ns transfer_ns retry_ns unexplained_ns reused joined_by",
    "findings": "finding_id rule route seam since until requests cost_ns confidence message next_step",
    "finding_requests": "finding_id request_id cost_ns span_ids",
    "warnings": "trace_id span_id code detail",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("views") / "test.duckdb") as opened:
        opened.commit(
            {
                "spans": rows(
                    "spans",
                    span(0, correlation_id="c-1", route="/dash"),
                    span(1, kind=3, status=2, status_message="refused", peer="orders", error_type="timeout"),
                    span(2, status=2, status_message="unused", end_ns=0, resource_id=2, tier_hint=2),
                    span(3, resource_id=99, attributes=[*attributes(k="first"), *attributes(k="last")]),
                ),
                "resources": rows("resources", resource(1, "web", "render"), resource(2, "orders")),
                "span_events": rows(
                    "span_events",
                    event(2, attributes=attributes(exception__type="IOError", exception__message="\x1b[2Jdisk 'full'")),
                    event(1, name="retry"),
                ),
                "span_links": rows(
                    "span_links", {"trace_hi": 7, "trace_lo": 1, "span_id": 1, "kind": 2, "linked_trace_hi": 0,
                                   "linked_trace_lo": 15, "linked_span_id": 2**64 - 1, "attributes": []}
                ),
                "logs": rows(
                    "logs",
                    {"trace_hi": 0, "trace_lo": 0, "span_id": 0, "time_ns": 5, "body": "free", "resource_id": 1},
                    {"trace_hi": 7, "trace_lo": 1, "span_id": 1, "time_ns": 6, "body": "bound", "resource_id": 1},
                ),
            },
            now_ns=START_NS,
        )  # fmt: skip
        key = {"request_no": 0, "trace_hi": 7, "trace_lo": 1}
        results = {
            "requests": rows("requests", request(0, dominant_owner_no=1, dominant_cause=9)),
            "request_traces": rows("request_traces", {**key, "joined_by": 1}),
            "segments": rows(
                "segments",
                {"request_no": 0, "horizon": 0, "start_ns": 0, "end_ns": 60, "span_id": 1, "call_id": 0, "owner_no": 1,
                 "cause": 2, "evidence": 1},
                {"request_no": 0, "horizon": 0, "start_ns": 60, "end_ns": 100, "span_id": 0, "call_id": 2,
                 "owner_no": 0, "cause": 11, "evidence": 4},
            ),
            "hops": rows("hops", {**key, "client_span_id": 2, "server_span_id": 0, "seam_no": 0, "gap_kind": 4,
                                  "joined_by": 0, "dns_ns": 3, "start_ns": START_NS, "async": False}),
            "warnings": rows("warnings", {**key, "span_id": 3, "code": 2, "detail": "ends first"}),
            "async_work": rows("async_work", {**key, "span_id": 2, "queue_wait_ns": 5, "link": "parent"}),
        }  # fmt: skip
        opened.write_results(results, rows("owners", owner(0, SEAM), owner(1, "render:web")))
        yield opened


def one(store: Store, text: str) -> tuple[Any, ...]:
    (row,) = store.query(text).rows()
    return row


@pytest.mark.parametrize("view", PROMISED)
def test_promised_columns_come_first_in_order(store: Store, view: str) -> None:
    promised = PROMISED[view].split()
    assert store.query(f"SELECT * FROM {view} LIMIT 0").columns[: len(promised)] == promised  # noqa: S608


@pytest.mark.parametrize("view", [*PROMISED, "async_work"])
def test_views_give_no_codes_and_no_numbers_for_ids(store: Store, view: str) -> None:
    types = dict(store.query(f"DESCRIBE {view}").select("column_name", "column_type").rows())
    for column, kind in types.items():
        if column.endswith("_id") or column in {"kind", "tier", "cause", "evidence", "horizon", "role", "code", "rule"}:
            assert kind == "VARCHAR", column
        if column.endswith("_ns"):
            assert kind in {"BIGINT", "UINTEGER"}, column
        if column.endswith("_at") or column in {"at", "since", "until"}:
            assert kind == "TIMESTAMP_NS", column


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), min_size=1, max_size=20))
def test_ids_are_hex_of_full_length(store: Store, halves: list[tuple[int, int]]) -> None:
    values = ", ".join(f"({high}::UBIGINT, {low}::UBIGINT)" for high, low in halves)
    text = f"SELECT base.trace_text(hi, lo), base.span_text(lo) FROM (VALUES {values}) v(hi, lo)"  # noqa: S608
    wanted = [(f"{high:016x}{low:016x}", f"{low:016x}" if low else None) for high, low in halves]
    assert store.query(text).rows() == wanted


@pytest.mark.parametrize(
    ("macro", "vocabulary"),
    [
        ("tier_word", words.TIERS),
        ("cause_word", words.CAUSES),
        ("evidence_word", words.EVIDENCE),
        ("horizon_word", words.HORIZONS),
        ("request_kind_word", words.REQUEST_KINDS),
        ("span_kind_word", words.SPAN_KINDS),
        ("status_word", words.STATUSES),
        ("gap_kind_word", words.GAP_KINDS),
        ("joined_by_word", words.JOINED_BY),
        ("warning_word", words.WARNINGS),
        ("finding_word", words.FINDINGS),
        ("role_word", words.ROLES),
        ("extent_word", words.EXTENTS),
    ],
)
def test_codes_become_words(store: Store, macro: str, vocabulary: tuple[str, ...]) -> None:
    text = f"SELECT base.{macro}(code::UTINYINT) FROM range(256) codes(code) ORDER BY code"  # noqa: S608
    assert store.query(text).to_series().to_list() == [*vocabulary, *[None] * (256 - len(vocabulary))]


def test_spans(store: Store) -> None:
    text = "SELECT trace_id, parent_span_id, kind, status, tier, service, duration_ns, resource_id FROM spans"
    trace = f"{7:016x}{1:016x}"
    assert store.query(f"{text} ORDER BY span_id").rows() == [
        (trace, None, "server", "unset", "render", "web", SECOND // 2, f"{1:016x}"),
        (trace, f"{1:016x}", "client", "error", "render", "web", SECOND // 2, f"{1:016x}"),
        (trace, f"{2:016x}", "server", "error", "edge", "orders", 0, f"{2:016x}"),
        (trace, f"{3:016x}", "server", "unset", "unknown", None, SECOND // 2, f"{99:016x}"),
    ]


def test_times_keep_their_nanoseconds(store: Store) -> None:
    text = "SELECT epoch_ns(start_at) = start_ns, epoch_ns(ingested_at) = ingested_ns FROM spans"
    assert store.query(text).unique().rows() == [(True, True)]
    assert one(store, "SELECT start_at::VARCHAR FROM spans WHERE span_id = '0000000000000001'") == (
        "2023-11-14 22:13:20",
    )


def test_trace_is_found_by_its_id(store: Store) -> None:
    text = "SELECT count(*) FROM spans WHERE trace_id = '00000000000000070000000000000001'"
    assert one(store, text) == (4,)


def test_of_a_repeated_attribute_the_last_wins(store: Store) -> None:
    text = "SELECT attr(attributes, 'k'), attr(attributes, 'none') FROM spans WHERE span_id = '0000000000000004'"
    assert one(store, text) == ("last", None)
    assert one(store, 'SELECT attr(NULL::STRUCT("key" VARCHAR, "value" VARCHAR)[], \'k\')') == (None,)


def test_errors_are_verbatim_and_know_their_request(store: Store) -> None:
    text = "SELECT request_id, route, upstream, service, type, message, correlation_id FROM errors ORDER BY type"
    entry = "00000000000000070000000000000001-0000000000000001"
    assert store.query(text).rows() == [
        (entry, "GET /dash", None, "orders", "IOError", "\x1b[2Jdisk 'full'", None),
        (entry, "GET /dash", "orders", "web", "timeout", "refused", None),
    ]


def test_requests(store: Store) -> None:
    text = "SELECT request_id, kind, shell_evidence, complete_evidence, dominant_owner, dominant_cause FROM requests"
    entry = "00000000000000070000000000000001-0000000000000001"
    assert one(store, text) == (entry, "page", "measured", None, "render:web", "pool_wait")
    assert one(store, "SELECT request_id, joined_by FROM request_traces") == (entry, "request_id")


def test_segments_sum_to_the_horizon(store: Store) -> None:
    text = (
        "SELECT start_ns, end_ns, span_id, owner, tier, service, seam, cause, evidence FROM segments ORDER BY start_ns"
    )
    assert store.query(text).rows() == [
        (0, 60, "0000000000000001", "render:web", "render", "web", None, "render", "measured"),
        (60, 100, None, SEAM, None, None, SEAM, "network", "bounded"),
    ]
    text = """
        SELECT sum(s.end_ns - s.start_ns)::BIGINT = any_value(r.shell_ns)
        FROM segments s JOIN requests r USING (request_id) GROUP BY request_id
    """
    assert one(store, text) == (True,)


def test_hops(store: Store) -> None:
    text = (
        'SELECT client_span_id, server_span_id, seam, boundary, gap_ns, gap_kind, dns_ns, joined_by, "async" FROM hops'
    )
    assert one(store, text) == (
        "0000000000000002", None, SEAM, "render→origin", None, "no_server_span", 3, "trace_context", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seam", "boundary"),
    [
        ("origin:orders→data:postgres/app", "origin→data"),
        ("browser:a→b→edge:c:d", "browser→edge"),
        ("origin:o\nrders→external:x", "origin→external"),
    ],
)
def test_boundary_of_odd_seams(store: Store, seam: str, boundary: str) -> None:
    assert store.query("SELECT base.boundary($seam)", {"seam": seam}).item() == boundary


def test_the_rest(store: Store) -> None:
    entry = "00000000000000070000000000000001-0000000000000001"
    assert one(store, "SELECT span_id, code, detail, request_id FROM warnings") == (
        "0000000000000003", "end_before_start", "ends first", entry,
    )  # fmt: skip
    assert one(store, "SELECT span_id, queue_wait_ns, link FROM async_work") == ("0000000000000002", 5, "parent")
    assert one(store, "SELECT linked_trace_id, linked_span_id FROM span_links") == (f"{15:032x}", "f" * 16)
    assert store.query("SELECT trace_id, span_id, body, service FROM logs ORDER BY time_ns").rows() == [
        (None, None, "free", "web"),
        (f"{7:016x}{1:016x}", "0000000000000001", "bound", "web"),
    ]
    assert store.query("SELECT * FROM findings").is_empty()
    assert store.query("SELECT * FROM finding_requests").is_empty()

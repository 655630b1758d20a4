"""Bodies in, rows and outcomes out: no body harms another, and every item is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from collector import ingest as module
from collector.decoding.decode import Body, decode_traces
from collector.decoding.flat import concat, empty
from collector.ingest import PARTS, Outcome, ingest
from collector.normalise import normalise
from seamscope.schema.tables import INGESTED
from seamscope.store.fingerprints import COPY
from tests.collector import traffic

if TYPE_CHECKING:
    from pathlib import Path

    from collector.decoding.flat import FlatTraces


def body(message: Any, signal: Any = "traces", encoding: Any = "protobuf") -> Body:
    return Body(message.SerializeToString() if encoding == "protobuf" else traffic.as_json(message), encoding, signal)


def test_a_mix_of_signals_and_encodings() -> None:
    broken = traffic.spans(4, 3)
    broken.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    broken.resource_spans[0].scope_spans[0].spans[2].span_id = bytes(8)
    bodies = [
        body(traffic.spans(3, 1)),
        body(traffic.logs(2), "logs"),
        Body(b"\xff", "protobuf", "traces"),
        body(traffic.spans(2, 2), encoding="json"),
        body(traffic.metrics(5), "metrics"),
        body(broken),
        Body(b"{", "json", "logs"),
        Body(b"", "protobuf", "traces"),
        body(traffic.logs(1), "logs", "json"),
    ]
    found = ingest(bodies)
    assert [outcome.accepted for outcome in found.outcomes] == [3, 2, 0, 2, 5, 2, 0, 0, 1]
    assert [outcome.error is None for outcome in found.outcomes] == [
        True,
        True,
        False,
        True,
        True,
        True,
        False,
        True,
        True,
    ]
    assert dict(found.outcomes[5].rejected) == {"trace_id_length": 1, "span_id_zero": 1}
    assert {name: table.num_rows for name, table in found.tables.items()} == {
        "spans": 7,
        "resources": found.tables["resources"].num_rows,
        "span_events": 0,
        "span_links": 0,
        "logs": 3,
    }


def test_tables_have_the_stores_columns() -> None:
    found = ingest([body(traffic.spans(1)), body(traffic.logs(1), "logs")])
    for name, table in found.tables.items():
        expected = [field for field in INGESTED[name] if field.name not in {"commit_no", "ingested_ns"}]
        beside = [COPY] if name == "logs" else []
        assert [field.name for field in table.schema] == [*(field.name for field in expected), *beside]


def test_order_of_bodies_does_not_matter() -> None:
    bodies = [body(traffic.spans(2, seed), encoding=encoding) for seed, encoding in enumerate(["json", "protobuf"] * 2)]
    forward, backward = ingest(bodies), ingest(bodies[::-1])
    ids = [sorted(found.tables["spans"]["span_id"].to_pylist()) for found in (forward, backward)]
    assert ids[0] == ids[1]
    assert [outcome.accepted for outcome in forward.outcomes] == [2] * 4


def test_what_was_lost_of_accepted_items_is_noted() -> None:
    message = traffic.spans(1)
    (span,) = message.resource_spans[0].scope_spans[0].spans
    span.attributes.add(key="long").value.string_value = "x" * 70_000
    span.links.add(trace_id=b"short")
    odd = message.SerializeToString() + b"\x08\x05"  # resource_spans as a number
    found = ingest([Body(odd, "protobuf", "traces"), body(traffic.spans(1, 1))])
    assert [dict(outcome.notes) for outcome in found.outcomes] == [
        {"odd_field": 1, "cut_value": 1, "broken_link": 1},
        {},
    ]
    assert [outcome.accepted for outcome in found.outcomes] == [1, 1]


def test_nothing() -> None:
    assert ingest([]).tables == {}
    found = ingest([Body(b"", "protobuf", "traces")])
    assert (found.tables, found.outcomes) == ({}, [Outcome()])


def test_large_groups_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 2_000)
    bodies = [body(traffic.spans(5, seed)) for seed in range(9)]
    found = ingest(bodies)
    assert found.tables["spans"].num_rows == 45
    assert [outcome.accepted for outcome in found.outcomes] == [5] * 9


def test_a_fault_of_ours_costs_one_body_not_the_batch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decode = decode_traces
    poison = body(traffic.spans(1, 99))

    def fail_on_poison(bodies: Any) -> Any:
        if poison in bodies:
            raise ZeroDivisionError
        return decode(bodies)

    monkeypatch.setattr(module, "decode_traces", fail_on_poison)
    found = ingest([body(traffic.spans(2, 1)), poison, body(traffic.spans(3, 2))])
    assert [outcome.accepted for outcome in found.outcomes] == [2, 0, 3]
    assert found.outcomes[1].error is not None
    assert found.tables["spans"].num_rows == 5
    assert "could not be read" in caplog.text


@pytest.mark.parametrize("poisoned", [(0,), (3, 90), (10, 11, 99)])
def test_a_fault_of_ours_costs_the_spans_that_cause_it(monkeypatch: pytest.MonkeyPatch, poisoned: tuple[int]) -> None:
    def fail_on_poison(flat: FlatTraces, keep: Any, *rest: Any) -> Any:
        if "poison" in flat.spans.name.filter(pa.array(keep)).to_pylist():
            raise ZeroDivisionError
        return normalise(flat, keep, *rest)

    monkeypatch.setattr(module, "normalise", fail_on_poison)
    message = traffic.spans(100, 1)
    for number in poisoned:
        message.resource_spans[0].scope_spans[0].spans[number].name = "poison"
    found = ingest([body(message), body(traffic.spans(2, 2)), body(message, encoding="json")])
    kept, lost = 100 - len(poisoned), {"invalid_field": len(poisoned)}
    assert [(outcome.accepted, dict(outcome.rejected)) for outcome in found.outcomes] == [
        (kept, lost),
        (2, {}),
        (kept, lost),
    ]
    assert found.tables["spans"].num_rows == 2 * kept + 2
    assert "poison" not in found.tables["spans"]["operation"].to_pylist()


def test_where_faults_of_ours_are_everywhere_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def fail(*_: Any) -> Any:
        tried.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(module, "normalise", fail)
    (outcome,) = ingest([body(traffic.spans(1000, 1))]).outcomes
    assert outcome.error is not None
    assert len(tried) == 1 + PARTS


def test_want_of_memory_is_no_fault_of_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[type[Exception]] = [MemoryError, ZeroDivisionError]

    def fail(*given: Any) -> Any:
        if faults:
            raise faults.pop()
        return normalise(*given)

    monkeypatch.setattr(module, "normalise", fail)
    with pytest.raises(MemoryError):
        ingest([body(traffic.spans(10, 1))])


@pytest.mark.parametrize("threshold", ["c", "fffffffffffffb", "fffffffffffffc", "ffffffffffffff"])
def test_a_trace_state_of_any_threshold_is_read(threshold: str) -> None:
    message = traffic.spans(3)
    message.resource_spans[0].scope_spans[0].spans[1].trace_state = f"ot=th:{threshold}"
    found = ingest([body(message)])
    assert found.outcomes[0].accepted == 3
    share = 1 - int(threshold.ljust(14, "0"), 16) / 2**56 if threshold == "c" else None
    weight = found.tables["spans"]["weight"].to_pylist()[1]
    assert weight == (1 / share if share else 2**56 / (2**56 - int(threshold, 16)))


def test_a_number_of_very_many_digits_is_a_word() -> None:
    message = traffic.spans(3)
    attribute = message.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="rpc.grpc.status_code")
    attribute.value.string_value = "9" * 5000
    found = ingest([body(message)])
    assert found.outcomes[0].accepted == 3
    assert found.tables["spans"]["rpc_status"].to_pylist() == ["9" * 5000, None, None]


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_what_stands_in_every_row_is_short(encoding: str) -> None:
    traces, logs = traffic.spans(40), traffic.logs(40)
    for scope in (traces.resource_spans[0].scope_spans[0].scope, logs.resource_logs[0].scope_logs[0].scope):
        scope.name, scope.version = "n" * 300_000, "é" * 300
    found = ingest([body(traces, encoding=encoding), body(logs, "logs", encoding)])
    assert [outcome.accepted for outcome in found.outcomes] == [40, 40]
    assert found.outcomes[0].notes == {"cut_value": 2}
    assert (
        set(found.tables["spans"]["scope"].to_pylist()) == {"n" * 256} == set(found.tables["logs"]["scope"].to_pylist())
    )
    assert set(found.tables["spans"]["scope_version"].to_pylist()) == {"é" * 128}


def test_recorded_requests(captures: Path) -> None:
    bodies = [Body(path.read_bytes(), "protobuf", "traces") for path in sorted(captures.rglob("*.pb"))]
    found = ingest(bodies)
    assert all(outcome.error is None and not outcome.rejected for outcome in found.outcomes)
    assert found.tables["spans"].num_rows == sum(outcome.accepted for outcome in found.outcomes)


def test_empty_batches_join() -> None:
    assert concat([]).errors == ()
    assert concat([empty(1), empty(2)]).errors == (None,) * 3

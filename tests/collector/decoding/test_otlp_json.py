"""The JSON reader: the same columns as protobuf gives, and no JSON that hurts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.decoding import flat
from collector.decoding.decode import Body, decode_traces
from collector.decoding.json_values import json_room, spell_json
from collector.decoding.wire import WireLimits
from seamscope.byte_kernels import PADDING
from tests.collector.official import otlp_json, spans_of_flat, spans_of_message
from tests.strategies import requests

if TYPE_CHECKING:
    from pathlib import Path

    from collector.decoding.flat import FlatTraces

RELAXED = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck), database=None)
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def decode(*bodies: bytes | str, limits: WireLimits | None = None) -> FlatTraces:
    data = [body.encode() if isinstance(body, str) else body for body in bodies]
    return decode_traces([Body(body, "json", "traces") for body in data], limits)


def request(**span: Any) -> dict[str, Any]:
    """Return a request of one span; `None` leaves a field out."""
    whole = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "GET /",
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
        **span,
    }
    kept = {name: value for name, value in whole.items() if value is not None}
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "s"}, "spans": [kept]}]}]}


def body(**span: Any) -> str:
    return json.dumps(request(**span))


def _loaded(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return spans with texts of arrays and maps as what they mean: JSON keeps escapes and numbers as sent."""

    def loaded(value: Any) -> Any:
        if isinstance(value, tuple) and len(value) == 3 and value[1] in {flat.ARRAY, flat.KVLIST}:
            return (value[0], value[1], json.loads(value[2], object_pairs_hook=list))
        if isinstance(value, (list, tuple)):
            return type(value)(loaded(each) for each in value)
        return {key: loaded(each) for key, each in value.items()} if isinstance(value, dict) else value

    return [loaded(span) for span in spans]


@RELAXED
@given(st.lists(requests(valid=False), max_size=2), st.booleans(), st.sampled_from([None, 1]))
def test_content_is_what_protobuf_would_have_given(messages: list[Any], ascii_only: bool, indent: int | None) -> None:
    bodies = [json.dumps(otlp_json(each), ensure_ascii=ascii_only, indent=indent) for each in messages]
    batch = decode(*bodies)
    assert batch.errors == (None,) * len(bodies)
    assert batch.oddities.tolist() == [0] * len(bodies)
    found, expected = spans_of_flat(batch), [spans_of_message(message) for message in messages]
    assert [_loaded(each) for each in found] == [_loaded(each) for each in expected]


def test_the_published_example_reads(corpus: Path) -> None:
    batch = decode((corpus / "otlp-examples" / "trace.json").read_bytes())
    (span,) = spans_of_flat(batch)[0]
    assert span["trace"] == (0x5B8EFFF798038103D269B633813FC60C, 16)
    assert span["parent"] == (0xEEE19B7EC3C1B173, 8)
    assert span["times"] == (1544712660000000000, 1544712661000000000)
    assert span["resource"] == [("service.name", flat.STRING, "my.service")]


@pytest.mark.parametrize(
    ("sent", "kind"),
    [(2, 2), ("2", 2), ("SPAN_KIND_SERVER", 2), ("server", 2), ("Client", 3), ("SPAN_KIND_UNSPECIFIED", 0), ("odd", 0)],
)
def test_kinds_are_numbers_or_words(sent: int | str, kind: int) -> None:
    assert decode(body(kind=sent)).spans.kind.tolist() == [kind]


@pytest.mark.parametrize("sent", [2, "STATUS_CODE_ERROR", "error"])
def test_status_codes_are_numbers_or_words(sent: int | str) -> None:
    assert decode(body(status={"code": sent})).spans.status.tolist() == [2]


@pytest.mark.parametrize("sent", [1e3, "1000", 1000, "1e3", "1000.0", "10000e-1"])
def test_times_are_strings_or_numbers(sent: Any) -> None:
    assert decode(body(endTimeUnixNano=sent)).spans.end.tolist() == [1000]


@pytest.mark.parametrize("sent", ["-1", "1.5", "soon", "18446744073709551616", "9" * 5000, "1e400", " 1", "0x1", ""])
def test_a_time_that_is_none_is_a_fault_of_its_span(sent: str) -> None:
    batch = decode(body(endTimeUnixNano=sent), body())
    assert batch.spans.faults.tolist() == [flat.FAULT_TIME, 0]


def test_the_greatest_time_fits() -> None:
    assert decode(body(endTimeUnixNano=str(2**64 - 1))).spans.end.tolist() == [2**64 - 1]


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("traceId", "5b8efff798038103d269b633813fc60"),
        ("traceId", "5b8efff798038103d269b633813fc60g"),
        ("traceId", "5b8efff798038103d269b633813fc60G"),
        ("traceId", "5b8efff79803810:d269b633813fc60c"),
        ("traceId", "5b8efff798038103d269b6@3813fc60c"),
        ("traceId", 5),
        ("spanId", {"a": 1}),
        ("spanId", "eee19b7ec3c1b17/"),
        ("spanId", "eee19b7ec3c1b1\u00e9"),
        ("parentSpanId", "zzzzzzzzzzzzzzzz"),
    ],
)
def test_an_id_that_is_not_hexadecimal_is_a_fault_of_its_span(field: str, sent: Any) -> None:
    batch = decode(body(**{field: sent}), body())
    assert batch.spans.faults[0] & flat.FAULT_ID
    assert batch.spans.faults[1] == 0


@pytest.mark.parametrize("sent", ["W47/95gDgQPSabYzgT/GDA==", "", "zz", "ab" * 300])
def test_an_id_of_another_length_says_so(sent: str) -> None:
    assert decode(body(traceId=sent)).spans.trace_id_len.tolist() == [min(len(sent) // 2, 255)]


@pytest.mark.parametrize("member", ["5", "null", "[]", '"x"', "true"])
def test_a_span_that_is_no_object_is_counted_as_a_span(member: str) -> None:
    batch = decode(f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{member}]}}]}}]}}')
    assert batch.spans.faults.tolist() == [flat.FAULT_SHAPE]


@pytest.mark.parametrize(
    "odd",
    [
        {"name": 5},
        {"attributes": {}},
        {"attributes": [5]},
        {"kind": {}},
        {"kind": 2**40},
        {"flags": "x"},
        {"status": []},
        {"events": "none"},
        {"droppedLinksCount": -1},
        {"attributes": [{"key": "k", "value": 5}]},
        {"attributes": [{"key": "k", "value": {"boolValue": 1}}]},
        {"attributes": [{"key": "k", "value": {"arrayValue": []}}]},
        {"events": [{"timeUnixNano": "never"}]},
    ],
)
def test_a_wrong_shape_is_counted_and_the_span_kept(odd: dict[str, Any]) -> None:
    batch = decode(body(), body(**odd))
    assert batch.errors == (None, None)
    assert batch.oddities.tolist() == [0, 1]
    assert batch.spans.faults.tolist() == [0, 0]


def test_a_number_that_is_none_stays_as_text() -> None:
    sent = [{"intValue": "12345678901234567890"}, {"intValue": 1.5}, {"doubleValue": "fast"}, {"intValue": "-7"}]
    batch = decode(body(attributes=[{"key": "k", "value": value} for value in sent]))
    assert batch.span_attributes.text.to_pylist() == ["12345678901234567890", "1.5", "fast", "-7"]
    assert batch.span_attributes.type.tolist() == [flat.STRING, flat.STRING, flat.STRING, flat.INT]


def test_doubles_keep_their_value() -> None:
    sent: list[Any] = [0.1, 1e308, -0.0, 5e-324, "NaN", "-Infinity", "2.5", 3]
    batch = decode(body(attributes=[{"key": "k", "value": {"doubleValue": value}} for value in sent]))
    expected = np.array([float(value) for value in sent])
    assert np.array_equal(batch.span_attributes.doubles, expected, equal_nan=True)
    assert batch.span_attributes.text.to_pylist()[4:7] == ["NaN", "-Infinity", "2.5"]


def test_a_double_beyond_its_range_is_infinite() -> None:
    text = body(attributes=[{"key": "k", "value": {"doubleValue": "big"}}]).replace('"big"', "1e999")
    assert decode(text).span_attributes.text.to_pylist() == ["Infinity"]


def test_escapes_are_undone() -> None:
    name = 'a"\\/\b\f\n\r\té\u2028😀'
    assert decode(body(name=name)).spans.name.to_pylist() == [name]
    assert decode(json.dumps(request(name=name), ensure_ascii=False)).spans.name.to_pylist() == [name]


def test_lone_surrogates_are_replaced() -> None:
    names = ["\\ud800", "\\udc00x", "\\ud800\\ud800", "\\ud83d\\ude00", "\\ud83dx"]
    found = decode(*(body(name="N").replace('"N"', f'"{name}"') for name in names)).spans.name.to_pylist()
    assert found == ["\ufffd", "\ufffdx", "\ufffd\ufffd", "😀", "\ufffdx"]


def test_names_may_be_escaped() -> None:
    assert decode(body(name="N").replace('"name"', '"\\u006eame"')).spans.name.to_pylist() == ["", "N"][1:]


def test_a_key_is_one_key_however_it_is_spelled() -> None:
    text = body(attributes=[{"key": "k", "value": {"intValue": 1}}, {"key": "K", "value": {"intValue": 2}}])
    batch = decode(text.replace('"K"', '"\\u006b"'))
    assert batch.keys.to_pylist() == ["k"]
    assert batch.span_attributes.key.tolist() == [0, 0]


def test_text_that_is_not_utf8_marks_its_span_alone() -> None:
    batch = decode(body(name="bad").encode().replace(b"bad", b"b\xffd"), body())
    assert batch.spans.faults.tolist() == [flat.FAULT_UTF8, 0]
    assert batch.spans.name.to_pylist() == ["b\ufffdd", "GET /"]


def test_unknown_names_and_nulls_are_passed_over() -> None:
    batch = decode(body(colour={"deep": [1, {"a": None}]}, parentSpanId=None, traceState=None, status=None))
    assert batch.errors == (None,)
    assert batch.oddities.tolist() == [0]
    nulls = body().replace('"name": "GET /"', '"name": null, "attributes": null, "kind": null')
    assert decode(nulls).oddities.tolist() == [0]


@pytest.mark.parametrize(
    ("name", "value"), [("stringValue", "x"), ("boolValue", True), ("intValue", "7"), ("doubleValue", 0.5)]
)
def test_what_a_value_is_tells_its_whole_name(name: str, value: str | bool | float) -> None:
    sent = json.dumps(request(attributes=[{"key": "hit", "value": {name: value}}]), separators=(",", ":"))
    none = spans_of_flat(decode(sent.replace(name, "other")))
    assert spans_of_flat(decode(sent)) != none
    for place in range(len(name)):
        before, behind = name[:place], name[place + 1 :]
        assert spans_of_flat(decode(sent.replace(name, f"{before}X{behind}"))) == none
        assert decode(sent.replace(name, f"{before}\x01{behind}")).errors != (None,)


def test_the_last_of_a_repeated_name_wins() -> None:
    assert decode(body().replace('"name":', '"name": "first", "name":')).spans.name.to_pylist() == ["GET /"]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decode(b"\xef\xbb\xbf" + body().encode()).errors == (None,)


def test_arrays_and_maps_become_plain_json() -> None:
    value = {
        "kvlistValue": {
            "values": [
                {"key": "a", "value": {"arrayValue": {"values": [{"intValue": "1"}, {}, {"stringValue": 'x"'}]}}},
                {"key": "b", "value": {"boolValue": False}},
                {"value": {"arrayValue": {}}},
                {"key": "c"},
                5,
            ]
        }
    }
    (text,) = decode(body(attributes=[{"key": "k", "value": value}])).span_attributes.text.to_pylist()
    assert text == '{"a":[1,null,"x\\""],"b":false,"":[],"c":null,"":null}'


def test_a_very_long_array_stays_the_text_it_was_sent_as() -> None:
    values: dict[str, Any] = {"values": [{}] * 300_000}
    batch = decode(body(attributes=[{"key": "k", "value": {"arrayValue": values}}]))
    assert batch.span_attributes.type.tolist() == [flat.STRING]
    assert batch.span_attributes.text.to_pylist() == [json.dumps(values)]


_KINDS = {"stringValue", "boolValue", "intValue", "doubleValue", "bytesValue", "arrayValue", "kvlistValue"}


def _plain(kind: str, value: Any) -> Any:
    """Return what an array or map means, shape by shape: objects as lists of pairs."""
    members = value.get("values") if isinstance(value, dict) else None
    members = members if isinstance(members, list) else []
    if kind == "arrayValue":
        return [_meant(member) for member in members]
    pairs = [member if isinstance(member, dict) else {} for member in members]
    keys = [pair.get("key") if isinstance(pair.get("key"), str) else "" for pair in pairs]
    return [(key, _meant(pair.get("value"))) for key, pair in zip(keys, pairs, strict=True)]


def _meant(value: Any) -> Any:
    said = [(name, held) for name, held in (value.items() if isinstance(value, dict) else ()) if name in _KINDS]
    kind, held = next(((name, held) for name, held in reversed(said) if held is not None), ("", None))
    if kind in {"arrayValue", "kvlistValue"}:
        return _plain(kind, held)
    if kind in {"intValue", "doubleValue"} and isinstance(held, str) and re.fullmatch(r"-?[1-9]\d*", held):
        return int(held)
    return json.loads(json.dumps(held), object_pairs_hook=list)


_ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 99), st.sampled_from(["", "x", "7", '\\"', "{[", "]}"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(lambda values: {"values": values}),
        st.dictionaries(st.sampled_from(["key", "value", "values", "x", *sorted(_KINDS)]), inner, max_size=4),
    ),
    max_leaves=30,
)


@settings(RELAXED, max_examples=300)
@given(st.sampled_from(["arrayValue", "kvlistValue"]), st.lists(_ODD, max_size=6), st.booleans())
def test_an_array_or_map_of_anything_is_spelled_as_it_is_meant(kind: str, members: list[Any], tight: bool) -> None:
    value = {kind: {"values": members}}
    text = json.dumps(
        request(attributes=[{"key": "k", "value": value}]), separators=(",", ":") if tight else (" ,\n", " :\t")
    )
    (spelled,) = decode(text).span_attributes.text.to_pylist()
    assert json.loads(spelled, object_pairs_hook=list) == _plain(kind, value[kind])


@settings(RELAXED, max_examples=300)
@given(st.sampled_from([flat.ARRAY, flat.KVLIST]), st.lists(st.one_of(_ODD, st.just(5)), max_size=20))
@example(flat.KVLIST, [5] * 1000)
@example(flat.KVLIST, [{}] * 1000)
@example(flat.KVLIST, [5])
@example(flat.ARRAY, [5] * 1000)
def test_plain_json_fits_its_room(kind: int, members: list[Any]) -> None:
    sent = json.dumps({"values": members}, separators=(",", ":")).encode()
    room = json_room(np.array([len(sent)], np.int64))
    out = np.full(8 * room, 7, np.uint8)
    _, used = spell_json(
        np.frombuffer(sent + bytes(PADDING), np.uint8), np.array([kind], np.uint8), np.array([len(sent)], np.int64), out
    )
    assert used <= room
    assert (out[used:] == 7).all()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " ",
        "[]",
        "5",
        '"x"',
        "nul",
        "{",
        '{"a"',
        '{"a":',
        '{"a":1',
        '{"a":1,}',
        '{"a":1}}',
        "{'a':1}",
        '{"a":01}',
        '{"a":1.}',
        '{"a":.5}',
        '{"a":1e}',
        '{"a":-}',
        '{"a":+1}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":tru}',
        '{"a":"\n"}',
        '{"a":"\\x"}',
        '{"a":"\\u12g4"}',
        '{"a":"x}',
        '{"a":[1,]}',
        '{"a":[1 2]}',
        '{"a" 1}',
        "{a:1}",
        '{"a":1 "b":2}',
        '{"resourceSpans":[{]}',
        '{"resourceSpans":[,]}',
        '{"resourceSpans":[{}',
        "{} x",
    ],
)
def test_bad_grammar_is_an_error_of_its_body_alone(bad: str) -> None:
    batch = decode(body(), bad, body())
    assert batch.errors[0] is None
    assert batch.errors[1] is not None
    assert "malformed" in batch.errors[1]
    assert batch.errors[2] is None
    assert batch.spans.body.tolist() == [0, 2]


@pytest.mark.parametrize("opener", ["[", '{"a":', '{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":['])
def test_a_bomb_of_nesting_is_an_error(opener: str) -> None:
    (error,) = decode('{"a":' + opener * 100_000).errors
    assert error is not None


def test_a_deep_value_is_an_error() -> None:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    (error,) = decode(body(attributes=[{"key": "k", "value": value}])).errors
    assert error is not None
    assert "too deep" in error


def test_a_bomb_of_items_is_refused() -> None:
    spans = ",".join(["{}"] * 100)
    text = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}'
    assert decode(text, limits=WireLimits(records=100)).errors == (None,)
    (error,) = decode(text, limits=WireLimits(records=99)).errors
    assert error is not None
    assert "more items" in error


def _ours(data: bytes) -> bool:
    return decode(data).errors[0] is None


def _pythons(data: bytes) -> bool:
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        document = json.loads(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"), parse_constant=refuse)
    except ValueError:
        return False
    return isinstance(document, dict)


@settings(RELAXED, max_examples=200)
@given(st.data())
def test_damaged_json_gets_pythons_verdict(data: st.DataObject) -> None:
    text = body(
        attributes=[{"key": "k\\u00e9", "value": {"arrayValue": {"values": [{"doubleValue": -1.5e-3}]}}}]
    ).encode()
    at = data.draw(st.integers(0, len(text)))
    instead = data.draw(
        st.sampled_from([b"", b'"', b"\\", b"{", b"]", b",", b"0", b"\x00", b"\xff", b"e", b"null", b" "])
    )
    length = data.draw(st.integers(0, 3))
    damaged = text[:at] + instead + text[at + length :]
    assert _ours(damaged) == _pythons(damaged)


@RELAXED
@given(st.binary(max_size=100))
def test_any_bytes_give_columns_or_an_error(data: bytes) -> None:
    batch = decode(body(), data, body())
    assert batch.errors[0] is None
    assert batch.errors[2] is None

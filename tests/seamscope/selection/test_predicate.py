"""The filter line: what it selects, what it refuses, and that what is typed never becomes SQL."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seamscope.errors import QueryError, UsageError
from seamscope.reading.requests import list_requests
from seamscope.results import Selection
from seamscope.selection.line import Term, parse
from seamscope.selection.predicate import one_environment, predicate, unknown_attributes, without_other
from seamscope.selection.values import duration_ns, time_ns

if TYPE_CHECKING:
    from seamscope.store import Store

NOW_NS = 1_800_000_000_000_000_000


@pytest.mark.parametrize(
    ("line", "terms"),
    [
        ("", []),
        ("  slow   page ", [Term("text", ":", "slow"), Term("text", ":", "page")]),
        ("route:/dash", [Term("route", ":", "/dash")]),
        ("route:'GET /dash'", [Term("route", ":", "GET /dash")]),
        ('"a \\"quoted\\" word"', [Term("text", ":", 'a "quoted" word')]),
        ("-cause:dns", [Term("cause", ":", "dns", negated=True)]),
        ("cause!=dns", [Term("cause", "=", "dns", negated=True)]),
        ("-cause!=dns", [Term("cause", "=", "dns")]),
        ("route==/dash", [Term("route", "==", "/dash")]),
        ("route==//cdn", [Term("route", "==", "//cdn")]),
        ("-place==''", [Term("place", "==", "", negated=True)]),
        ("shell>=500ms", [Term("shell", ">=", "500ms")]),
        ("-word", [Term("text", ":", "word", negated=True)]),
        ("https://example.com", [Term("text", ":", "https://example.com")]),
    ],
)
def test_line_is_taken_apart(line: str, terms: list[Term]) -> None:
    assert parse(line) == terms


@given(st.text(max_size=60))
def test_any_line_is_taken_apart_or_refused(line: str) -> None:
    with suppress(UsageError):
        assert predicate(Selection(line), NOW_NS).where


@pytest.mark.parametrize(
    ("text", "ns"),
    [("500ms", 500_000_000), ("1.5s", 1_500_000_000), ("800us", 800_000), ("2m", 120_000_000_000), ("7", 7_000_000)],
)
def test_durations(text: str, ns: int) -> None:
    assert duration_ns(text) == ns


def test_times() -> None:
    assert time_ns("15m", NOW_NS) == NOW_NS - 900_000_000_000
    assert time_ns("2027-01-15T08:00:00Z", NOW_NS) == NOW_NS
    assert time_ns("2027-01-15T09:00:00+01:00", NOW_NS) == NOW_NS
    assert time_ns("2027-01-15 08:00:00", NOW_NS) == NOW_NS


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("rout:/dash", "did you mean route?"),
        ("tier:orign", "did you mean origin?"),
        ("cause:poolwait", "did you mean pool_wait?"),
        ("shell>soon", "not a duration"),
        ("route:", "has no value"),
        ("place:''", "has no value"),
        ("place==", "has no value"),
        ("route>5", "cannot be compared"),
        ("origin>5", "cannot be compared"),
        ("'open", "is not closed"),
        ("spans>nan", "not a number"),
        ("final:perhaps", "neither yes nor no"),
    ],
)
def test_off_words_are_named(line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        predicate(Selection(line), NOW_NS)


@pytest.mark.parametrize(
    ("line", "requests"),
    [
        ("", 54),
        ("route:/dash", 40),
        ("route='GET /dash'", 40),
        ("route=/dash", 0),
        ("route:*/dash", 40),
        ("route:/dash route:/api/me", 51),
        ("-route:/dash", 14),
        ("route=='GET /dash'", 40),
        ("route=='get /dash'", 0),
        ("route=='GET *'", 0),
        ("-route=='GET /dash'", 14),
        ("route:/ route=='GET /dash'", 40),
        ("route:/api route=='GET /dash'", 0),
        ("version==''", 54),
        ("-version==''", 0),
        ("service==orders", 0),
        ("service==jobs", 1),
        ("seam=='render:web→origin:orders' boundary=='origin→data'", 41),
        ("org_id==1", 17),
        ("org_id==*", 0),
        ("kind==page", 41),
        ("status==500", 1),
        ("kind:page", 41),
        ("status>=500", 1),
        ("status:5xx", 1),
        ("shell>130ms", 10),
        ("shell>130ms shell<=135ms", 5),
        ("shell:unknown", 13),
        ("environment:preview", 1),
        ("env:*", 54),
        ("cause:pool_wait", 41),
        ("tier:origin cause:pool_wait", 41),
        ("tier:data cause:pool_wait", 0),
        ("cause:pool_wait stretch>38ms", 2),
        ("-cause:pool_wait", 13),
        ("origin:orders", 41),
        ("origin:order", 41),
        ("origin=orders", 41),
        ("origin=order", 0),
        ("origin=order*", 41),
        ("origin!=order", 54),
        ("origin!=orders", 13),
        ("render:web->origin:orders", 41),
        ("seam:orders→data", 41),
        ("boundary:render->origin gap>7ms", 41),
        ("boundary:render->origin gap>9ms", 0),
        ("boundary:origin->render", 0),
        ("peer:orders", 41),
        ("operation:/v1/me reused:no", 41),
        ("service:orders", 41),
        ("service:order", 0),
        ("service:jobs", 1),
        ("warning:outlives_parent", 1),
        ("-warning:outlives_parent", 53),
        ("org_id:1", 17),
        ("org_id>1", 18),
        ("org_id:*", 53),
        ("-org_id:1", 37),
        ("org_id:'1 OR true'", 0),
        ("req-40", 1),
        ("id:req-40", 1),
        ("abcd000000000028", 1),
        ("'SELECT orders'", 41),
        ("process", 1),
        ("%", 1),
        ("'`%_'", 1),
        ("dominant:dns", 0),
        ("joined_by:trace_context", 41),
    ],
)
def test_line_selects(example: Store, line: str, requests: int) -> None:
    found = list_requests(example, Selection(line), limit=1000, now_ns=NOW_NS)
    assert len(found) == requests


def test_since_and_until(example: Store) -> None:
    since, until = "2027-01-15T08:00:10Z", "2027-01-15T08:00:20Z"
    assert len(list_requests(example, Selection(since=since, until=until), now_ns=NOW_NS)) == 10
    assert len(list_requests(example, Selection(since="5s"), now_ns=NOW_NS + 40_000_000_000)) == 20


@settings(max_examples=15, deadline=None)
@given(st.text(alphabet="';$\"\\%_*-→>:=ab ", max_size=30))
def test_values_never_become_sql(example: Store, value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    for key in ("route", "seam", "service", "boundary", "attr.x", "id"):
        if not value:
            continue
        try:
            list_requests(example, Selection(f"{key}:'{quoted}'"), limit=1, now_ns=NOW_NS)
        except QueryError as error:
            pytest.fail(f"{key}: {error}")
        chosen = predicate(Selection(f"{key}:'{quoted}'"), NOW_NS)
        assert len(value) < 4 or value not in chosen.where


def test_one_environment_is_taken_and_said(example: Store) -> None:
    taken, notes = one_environment(example, Selection())
    assert taken.environment == "production"
    assert notes
    assert "preview" in notes[0]


@pytest.mark.parametrize("line", ["environment:preview", "env:*"])
def test_an_environment_that_is_named_stands(example: Store, line: str) -> None:
    assert one_environment(example, Selection(line)) == (Selection(line), ())


@pytest.mark.parametrize(
    "line", ["kind:other", "kind=page", "kind==other", "KIND!=api", "-kind:page", "route:/ kind:other"]
)
def test_a_line_that_speaks_of_kinds_stands(line: str) -> None:
    assert without_other(Selection(line)) == Selection(line)


@pytest.mark.parametrize(
    "line", ["tier:origin", "gap_kind:unmeasurable", "'kind:other'", "route:'a kind:other'", "attr.kind:x"]
)
def test_kind_other_stays_out_unless_the_line_speaks_of_kinds(line: str) -> None:
    assert without_other(Selection(line)) == Selection(f"{line} -kind:other")


def test_attributes_that_nobody_sends_are_named(example: Store) -> None:
    assert unknown_attributes(example, Selection("org_id:1 colour:red")) == ["colour"]

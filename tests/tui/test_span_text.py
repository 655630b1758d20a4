"""Everything known of a span, as lines."""

from __future__ import annotations

from dataclasses import replace

from tests.tui.fakes import detail, segments, span, span_id, trace_id, waterfall
from tui.glyphs import UNICODE
from tui.lines import cells
from tui.span_text import MOST_LINES, Entry, entries, lines, matching, record_entries

ROW = waterfall()[2]


def test_keeps_headings_over_what_matches() -> None:
    found = list(entries(ROW, span(trace_id(0), span_id(2), "internal"), segments(11.5), UNICODE))
    kept = matching(found, "apprender")
    assert [(entry.label, entry.kind) for entry in kept] == [("attributes", "heading"), ("next.span_type", "attribute")]
    assert matching(found, "") == found


def test_long_values_wrap_and_are_counted() -> None:
    drawn = lines([Entry("key", "v" * 10_000, "attribute")], 40)
    assert all(cells(line.label) + cells(line.value) <= 40 for line in drawn)
    assert "6000 more characters" in "".join(line.value.strip() for line in drawn)


def test_what_is_too_much_to_draw_is_counted_and_found() -> None:
    told = [Entry(f"key.{number}", "v" * 3_000, "attribute") for number in range(5_000)]
    drawn = lines(told, 40)
    shown = sum(line.label.startswith("key.") for line in drawn)
    assert MOST_LINES < len(drawn) < MOST_LINES + 200
    assert drawn[-1].value == f"and {5_000 - shown} more: / finds them"
    assert lines(matching(told, "key.4999"), 40)[0].label == "key.4999"
    assert all(line.kind == "attribute" for line in lines(told[:shown], 40))


def test_a_long_label_has_its_own_line() -> None:
    drawn = lines([Entry("a.very.long.attribute.name.indeed", "a value that is not short", "attribute")], 40)
    assert [line.label for line in drawn] == ["a.very.long.attribute.name.indeed", ""]


def test_a_call_says_what_its_pool_said_of_its_wait() -> None:
    whole = detail()
    row = next(row for row in whole.waterfall if row.span_id == span_id(5))
    found = list(entries(row, None, (), UNICODE, whole.testimonies))
    words = "confirmed by db.client.connection.pending_requests of main: 12 waiting while it waited"
    assert Entry("pool_wait", words, "cause") in found


def test_a_log_record_is_told_whole_line_by_line() -> None:
    stack = "Error: no\n    at quote (quote.ts:8)\n    at \x1b[2Jmain"
    record = replace(
        detail().logs.lines[0],
        body="gave up\nafter 3 attempts",
        level="error",
        attributes=(("exception.stacktrace", stack),),
    )
    found = list(record_entries(record))
    assert [entry.value for entry in found if entry.kind == "title"] == ["gave up", "after 3 attempts"]
    assert Entry("level", "error", "error") in found
    drawn = lines(found, 60)
    assert [line.value.strip() for line in drawn if line.kind == "attribute"][-3:] == [
        "Error: no", "at quote (quote.ts:8)", "at \\x1b[2Jmain"
    ]  # fmt: skip

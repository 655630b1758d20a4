"""`seamscope sql`: exact values in every format, one line for every error, and nothing that a terminal would obey."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from seamscope import cli
from seamscope.cli import group
from seamscope.errors import QueryError, StoreError
from seamscope.store import Store
from seamscope.text.rows_text import json_object, titles, values
from tests.conftest import PROJECT
from tests.seamscope.store_rows import START_NS, attributes, resource, rows, span

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202e=1+1"


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sql") / "test.duckdb"
    with Store.open(path) as store:
        odd = span(1, name=HOSTILE, attributes=attributes(k=HOSTILE))
        store.commit(
            {"spans": rows("spans", span(0), odd), "resources": rows("resources", resource())}, now_ns=START_NS
        )
    return str(path)


def run(db: str, query: str, *options: str, stdin: str = "") -> Result:
    return CliRunner().invoke(group, ["sql", query, "--db", db, *options], input=stdin, catch_exceptions=False)


def test_json_is_a_list_of_objects(db: str) -> None:
    result = run(db, "SELECT span_id, start_ns, start_at, parent_span_id, reused FROM spans ORDER BY span_id", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0] == {
        "span_id": "0000000000000001",
        "start_ns": START_NS,
        "start_at": "2023-11-14T22:13:20.000000000Z",
        "parent_span_id": None,
        "reused": None,
    }
    assert json.loads(run(db, "SELECT 1 AS n WHERE false", "--json").stdout) == []


def test_every_type_has_a_form(db: str) -> None:
    text = """
        SELECT 18446744073709551615::UBIGINT AS big, sum(n::HUGEINT) AS huge, 12.5::DECIMAL(10, 2) AS decimal,
            'nan'::DOUBLE AS nan, DATE '2020-01-31' AS day, INTERVAL 1 DAY AS span, '\\xAA'::BLOB AS blob, true AS yes,
            {'at': make_timestamp_ns(5), 'list': [1, NULL]} AS nested, MAP {'k': 1} AS map, [HUGEINT '5'] AS numbers,
            make_timestamp_ns(1_700_000_000_123_456_789) AS at, TIMESTAMPTZ '2020-01-01 01:00:00+01' AS zoned
        FROM (VALUES (1), (2)) v(n)
    """
    (row,) = json.loads(run(db, text, "--json").stdout)
    assert row == {
        "big": 2**64 - 1,
        "huge": 3,
        "decimal": 12.5,
        "nan": "nan",
        "day": "2020-01-31",
        "span": row["span"],
        "blob": "aa",
        "yes": True,
        "nested": {"at": "1970-01-01T00:00:00.000000005Z", "list": [1, None]},
        "map": {"k": 1},
        "numbers": [5],
        "at": "2023-11-14T22:13:20.123456789Z",
        "zoned": "2020-01-01T00:00:00.000000Z",
    }
    for form in ("table", "csv", "ndjson"):
        assert run(db, text, "--format", form).exit_code == 0


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("DATE 'infinity'", "infinity"),
        ("DATE '-infinity'", "-infinity"),
        ("DATE '0044-03-15 (BC)'", "-0043-03-15"),
        ("DATE '200000-01-01'", "200000-01-01"),
        ("TIMESTAMP 'infinity'", "infinity"),
        ("TIMESTAMPTZ '-infinity'", "-infinity"),
        ("TIMESTAMP '0044-03-15 (BC) 01:02:03.000004'", "-0043-03-15T01:02:03.000004Z"),
        ("TIMESTAMP_S '200000-01-01'", "200000-01-01T00:00:00Z"),
        ("TIME '24:00:00'", "24:00:00"),
        ("TIME '01:02:03'", "01:02:03"),
        ("[TIME '01:02:03.000004']", ["01:02:03.000004"]),
        ("'01:02:03.000000004'::TIME_NS", "01:02:03.000000004"),
        ("['24:00:00'::TIME_NS]", ["24:00:00"]),
        ("[DATE '0044-03-15 (BC)', NULL]", ["-0043-03-15", None]),
        ("{'a': DATE 'infinity', 'b': [TIMESTAMPTZ '2020-01-01']}",
         {"a": "infinity", "b": ["2020-01-01T00:00:00.000000Z"]}),
        ("MAP {DATE '200000-01-01': TIMESTAMP 'infinity'}", {"200000-01-01": "infinity"}),
        ("union_value(a := DATE 'infinity')", "infinity"),
        ("[INTERVAL 1 DAY]", ["MonthDayNano(months=0, days=1, nanoseconds=0)"]),
        ("12345678901234567890.1234", "12345678901234567890.1234"),
        ("-0.12345678901234567890", "-0.12345678901234567890"),
        ("[0.1, 12345678901234567890.1234]", [0.1, "12345678901234567890.1234"]),
        ("0.1::DECIMAL(38, 30)", 0.1),
        ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
        ("[170141183460469231731687303715884105727::HUGEINT]", [2**127 - 1]),
        ("340282366920938463463374607431768211455::UHUGEINT", f"{2**128 - 1}"),
        ("[340282366920938463463374607431768211455::UHUGEINT]", f"[{2**128 - 1}]"),
    ],
)  # fmt: skip
def test_what_few_types_hold_is_written_whole(db: str, written: str, shown: object) -> None:
    text = f'SELECT {written} AS "a""b", 1 AS n, NULL::DATE AS none'
    (row,) = json.loads(run(db, text, "--json").stdout)
    assert row == {'a"b': shown, "n": 1, "none": None}
    if isinstance(shown, str):
        assert shown in run(db, text).stdout
        cell = list(csv.reader(io.StringIO(run(db, text, "--format", "csv").stdout)))[1][0]
        assert cell.lstrip("'") == shown


def test_a_negative_number_in_csv_is_no_formula(db: str) -> None:
    lines = run(db, "SELECT -12345678901234567890.1234 AS n", "--format", "csv").stdout.splitlines()
    assert lines == ["n", "-12345678901234567890.1234"]


def test_a_panic_is_said_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def panic(**_: object) -> None:
        raise pl.exceptions.PanicException("out of range\x1b")

    monkeypatch.setattr(cli.group, "main", panic)
    assert cli._call(["sql", "SELECT 1"]) == 3
    assert "should not have happened (PanicException: out of range\\x1b)" in capsys.readouterr().err


def test_ndjson_is_an_object_per_line(db: str) -> None:
    lines = run(db, "SELECT range AS n FROM range(3)", "--ndjson").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_csv_is_read_back(db: str) -> None:
    text = "SELECT 'a,\"b\"' AS quoted, '=1+1' AS formula, NULL AS none, -5 AS number, attributes FROM spans LIMIT 1"
    first, second = csv.reader(io.StringIO(run(db, text, "--format", "csv").stdout))
    assert first == ["quoted", "formula", "none", "number", "attributes"]
    assert second[:4] == ['a,"b"', "'=1+1", "", "-5"]


def test_table(db: str) -> None:
    lines = run(db, "SELECT name, duration_ns AS ns FROM spans WHERE status = 'unset' LIMIT 1").stdout.splitlines()
    assert lines[0].split() == ["name", "ns"]
    assert lines[2].split() == ["GET", "/0", "500000000"]


def test_repeated_columns_are_told_apart(db: str) -> None:
    assert json.loads(run(db, "SELECT 1 AS n, 2 AS n, 3 AS n", "--json").stdout) == [{"n": 1, "n_2": 2, "n_3": 3}]
    (row,) = json.loads(run(db, "SELECT 1 AS n, 2 AS n, 3 AS n_2, 4 AS n, 5 AS n_2", "--json").stdout)
    assert row == {"n": 1, "n_3": 2, "n_2": 3, "n_4": 4, "n_2_2": 5}


def test_query_from_stdin(db: str) -> None:
    assert json.loads(run(db, "-", "--json", stdin="SELECT 7 AS n -- a comment").stdout) == [{"n": 7}]


def test_rows_are_limited_and_it_says_so(db: str) -> None:
    result = run(db, "SELECT range AS n FROM range(5000)")
    assert len(result.stdout.splitlines()) == 1002
    assert result.stderr == "seamscope: the first 1,000 rows; --limit gives more\n"
    assert len(json.loads(run(db, "SELECT range AS n FROM range(5000)", "--json").stdout)) == 5000
    limited = run(db, "SELECT range AS n FROM range(40000)", "--ndjson", "--limit", "20000")
    assert len(limited.stdout.splitlines()) == 20_000
    assert run(db, "SELECT range AS n FROM range(7)", "--ndjson", "--limit", "7").stderr == ""


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
def test_hostile_text_is_harmless(db: str, form: str) -> None:
    text = f"SELECT name, attributes, 'x' AS \"{HOSTILE}\" FROM spans"  # noqa: S608
    out = run(db, text, "--format", form).stdout
    assert not [c for c in out if (ord(c) < 0x20 and c not in "\r\n") or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]
    if form == "json":
        assert json.loads(out)[1]["name"] == HOSTILE


def test_refusals_are_one_harmless_line(db: str) -> None:
    for text in (
        "DELETE FROM base.spans",
        f"SELECT '{HOSTILE}'::INTEGER",
        "SELECT * FROM read_text('/etc/passwd')",
        "x",
    ):
        with pytest.raises(QueryError) as caught:
            run(db, text)
        assert "\n" not in str(caught.value)
        assert "\x1b" not in str(caught.value)


def seamscope(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **more}
    command = [sys.executable, "-m", "seamscope", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_exit_codes_of_the_whole_command(db: str, tmp_path: Path) -> None:
    fine = seamscope("sql", "SELECT 1 AS n", "--json", SEAMSCOPE_DB=db)
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, '[{"n": 1}]\n', "")
    refused = seamscope("sql", "DROP VIEW spans", "--db", db)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (3, "", 1)
    absent = seamscope("sql", "SELECT 1", "--db", str(tmp_path / "absent.duckdb"))
    assert (absent.returncode, len(absent.stderr.splitlines())) == (3, 1)
    assert "run `seamscope collect`" in absent.stderr
    assert seamscope("sql").returncode == 2


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "table"])
def test_letters_that_stdout_has_not_are_written_as_their_numbers(db: str, form: str) -> None:
    words = ("sql", "SELECT '東京 🚀 é' AS city", "--db", db, "--format", form)
    shown = subprocess.run([sys.executable, "-m", "seamscope", *words], capture_output=True, check=False,
                           env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "latin-1"})  # fmt: skip
    assert (shown.returncode, shown.stderr) == (0, b"")
    text = shown.stdout.decode("latin-1")
    assert "\\u6771\\u4eac" in text
    if "json" in form:
        assert "東京 🚀 é" in str(json.loads(text))


def test_no_store_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        run(str(tmp_path / "absent.duckdb"), "SELECT 1")


INTERRUPTED = """
import os, signal, sys, threading
from seamscope import cli
from seamscope.store import reading
signal.signal(signal.SIGINT, signal.default_int_handler)
begun = reading.batches
def noticed(*arguments):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    return begun(*arguments)
reading.batches = noticed
sys.argv = ["seamscope", *sys.argv[1:]]
cli.main()
"""


def test_interrupt_stops_a_statement_at_once(db: str) -> None:
    endless = "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t"
    command = [sys.executable, "-c", INTERRUPTED, "sql", endless, "--db", db]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=25)
    assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (130, "", "")


def test_values_of_empty_batches() -> None:
    empty = pa.record_batch([pa.array([], pa.timestamp("ns"))], names=["at"])
    assert values(empty) == []
    assert titles(empty.schema) == ["at"]
    assert json_object(["a"], ["\x7f\u202e"]) == '{"a": "\\u007f\\u202e"}'

"""What a statement does to which table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from collector.normalise.database import scan, system
from collector.normalise.texts import Texts

Emit = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("statement", "word", "table"),
    [
        ("SELECT * FROM orders", "SELECT", "orders"),
        ("select id from public.orders where id = $1", "select", "orders"),
        ('SELECT "o"."id" FROM "public"."Order" AS "o"', "SELECT", "Order"),
        ("SELECT * FROM `shop`.`orders`", "SELECT", "orders"),
        ("SELECT * FROM [dbo].[Orders]", "SELECT", "Orders"),
        ("INSERT INTO orders (id) VALUES (1)", "INSERT", "orders"),
        ("insert into orders(id) values (1)", "insert", "orders"),
        ("UPDATE orders SET a = 1", "UPDATE", "orders"),
        ("UPDATE ONLY orders SET a = 1", "UPDATE", "orders"),
        ("DELETE FROM orders WHERE id = 1", "DELETE", "orders"),
        ("CREATE TABLE IF NOT EXISTS orders (id int)", "CREATE", "orders"),
        ("/* trace=1 */ SELECT * FROM orders", "SELECT", "orders"),
        ("-- a comment\n  SELECT * FROM orders", "SELECT", "orders"),
        ("(SELECT a FROM x) UNION (SELECT b FROM y)", "SELECT", "x"),
        ("SELECT EXTRACT(day FROM created) FROM orders", "SELECT", "orders"),
        ("SELECT (SELECT count(*) FROM items) AS n FROM orders", "SELECT", "orders"),
        ("SELECT * FROM (SELECT 1) x JOIN orders USING (id)", "SELECT", "orders"),
        ("SELECT 'FROM secrets' FROM orders", "SELECT", "orders"),
        ("SELECT '--' FROM orders", "SELECT", "orders"),
        ("SELECT a -- FROM secrets\nFROM orders", "SELECT", "orders"),
        ("WITH x AS (SELECT 1 FROM y) SELECT * FROM x", "WITH", "x"),
        ("SELECT 1", "SELECT", None),
        ("BEGIN", "BEGIN", None),
        ("  ", None, None),
        ("SELECT * FROM", "SELECT", None),
        ("SELECT 'open", "SELECT", None),
        ("/* open", None, None),
        ("", None, None),
    ],
)
def test_statements(statement: str, word: str | None, table: str | None) -> None:
    words_, tables = scan(Texts.of(pa.array([statement])).slices())
    assert words_.array().to_pylist() == [word]
    assert tables.array().to_pylist() == [table]


@pytest.mark.parametrize(
    ("sent", "known"),
    [("postgresql", "postgresql"), ("MSSQL", "microsoft.sql_server"), ("dynamodb", "aws.dynamodb"), ("redis", "redis")],
)
def test_systems(sent: str, known: str) -> None:
    assert system(sent) == known


def test_a_document_is_no_sql(emit: Emit) -> None:
    attributes = {"db.system": "mongodb", "db.statement": "find from orders", "db.mongodb.collection": "carts"}
    row = emit(kind="client", attributes=attributes)
    assert (row["db_operation"], row["db_collection"]) == ("FIND", "carts")
    row = emit(kind="client", attributes={"db.system": "redis", "db.statement": "MGET from into"})
    assert (row["db_operation"], row["db_collection"]) == ("MGET", None)


def test_a_query_is_a_call(emit: Emit) -> None:
    attributes = {"db.system": "postgresql", "db.statement": "SELECT 1"}
    assert emit(kind="client", attributes=attributes)["role"] == "query"
    assert emit(kind="internal", attributes=attributes)["role"] == "none"
    assert emit(kind="client", attributes=attributes)["tier_hint"] == "unknown"

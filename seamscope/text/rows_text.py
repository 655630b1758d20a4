"""Rows of any query as text: a table, JSON, JSON lines, CSV. Hostile values stay values.

Numbers of any size are written whole, times as RFC 3339 in UTC to the nanosecond, blobs as hex, NaN and infinities
(which JSON has not) as text.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from seamscope.text.paper import draw, name, table
from seamscope.text.report_lists import harmless
from seamscope.text.safe import safe_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from seamscope.text.paper import Paper

CELL: Final = 60
"""Characters of a value that a table on a terminal shows; elsewhere it shows all."""


def titles(schema: pa.Schema) -> list[str]:
    """Give the column names, a repeated one numbered: `n`, `n_2`."""
    seen: Counter[str] = Counter()
    given = []
    for title in schema.names:
        seen[title] += 1
        given.append(title if seen[title] == 1 else f"{title}_{seen[title]}")
    return given


def values(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Give the rows of a batch as plain values that JSON knows: numbers, text, booleans, lists, objects, null."""
    return list(zip(*(_column(column) for column in batch.columns), strict=True)) if batch.num_columns else []


def _column(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        naive = column.cast(pa.timestamp(column.type.unit))
        return [None if at is None else f"{at}Z" for at in pc.strftime(naive, format="%Y-%m-%dT%H:%M:%S").to_pylist()]
    try:
        found = pl.Series(column).to_list()
    except pl.exceptions.PolarsError:
        found = column.to_pylist()
    return [_plain(value) for value in found]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.hex() if isinstance(value, bytes) else _time(value)


def _time(value: Any) -> str:
    """Give a time inside a list or an object, to the microsecond; anything else in its own words."""
    if not isinstance(value, dt.datetime):
        return str(value)
    return value.astimezone(dt.UTC).isoformat() if value.tzinfo else f"{value.isoformat()}Z"


def json_object(columns: Sequence[str], row: Sequence[Any]) -> str:
    """Give a row as one line of JSON; where a terminal would obey it, in ASCII escapes, which read back the same."""
    document = dict(zip(columns, row, strict=True))
    return safe_json(json.dumps(document, ensure_ascii=False, allow_nan=False))


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Give rows as RFC 4180; text that a spreadsheet would take for a formula gets a leading apostrophe."""
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return sheet.getvalue()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (int, float)):
        return value
    return harmless(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def rows_table(schema: pa.Schema, rows: Sequence[Sequence[Any]], paper: Paper) -> str:
    """Draw rows as a table; numbers are set to the right, null is empty."""
    numeric = [_is_number(column.type) for column in schema]
    marked = [f">{title}" if right else title for title, right in zip(titles(schema), numeric, strict=True)]
    drawn = table([harmless_title(title) for title in marked])
    for row in rows:
        drawn.add_row(*(name(_shown(value, paper)) for value in row))
    return draw(paper, drawn)


def harmless_title(title: str) -> str:
    """Give a column's title that no terminal obeys (a user may write anything after AS)."""
    return name(title).plain


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _shown(value: Any, paper: Paper) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[: CELL - 1]}…" if paper.bounded and len(text) > CELL else text

"""Rows of any query as text: a table, JSON, JSON lines, CSV. Hostile values stay values.

Numbers of any size are written whole (as text where JSON's readers would round them), times as RFC 3339 in UTC to the
nanosecond, in any year, blobs as hex, NaN and infinities (which JSON has not) as text.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from seamscope.text.paper import draw, name, table
from seamscope.text.report_lists import harmless
from seamscope.text.safe import safe_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from seamscope.text.paper import Paper

CELL: Final = 60
"""Characters of a value that a table on a terminal shows; elsewhere it shows all."""


def titles(schema: pa.Schema) -> list[str]:
    """Give the column names, a repeated one numbered: `n`, `n_2`; no two are the same."""
    seen: Counter[str] = Counter()
    taken, given = set(schema.names), []
    for title in schema.names:
        seen[title] += 1
        fresh = title
        while seen[title] > 1 and (fresh := f"{title}_{seen[title]}") in taken:
            seen[title] += 1
        taken.add(fresh)
        given.append(fresh)
    return given


def values(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Give the rows of a batch as plain values: numbers, text, booleans, lists, objects, null."""
    return list(zip(*(_column(column) for column in batch.columns), strict=True)) if batch.num_columns else []


def _column(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        numbers = column.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64())
        shown = _moments(numbers.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64), kind)
        return [text if valid else None for text, valid in zip(shown, column.is_valid().to_pylist(), strict=True)]
    return [_plain(value) for value in _found(column)]


def _found(column: pa.Array) -> list[Any]:
    """Give a column as Python's values."""
    if _is_delicate(column.type):
        return [_inside(scalar) for scalar in column]
    try:
        return pl.Series(column).to_list()
    except pl.exceptions.PolarsError:
        return list(column.to_pylist())


def _is_delicate(kind: pa.DataType) -> bool:
    """Tell whether a type has something in it that Polars rounds (decimals) or panics at (times)."""
    inner = (kind.field(at).type for at in range(kind.num_fields))
    return pa.types.is_temporal(kind) or pa.types.is_decimal(kind) or any(map(_is_delicate, inner))


def _inside(scalar: Any) -> Any:
    """Give a value with the times inside it as text."""
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_map(kind):
        return {str(_inside(entry["key"])): _inside(entry["value"]) for entry in scalar.values}
    if pa.types.is_struct(kind):
        return {name: _inside(inner) for name, inner in scalar.items()}
    if isinstance(scalar, pa.ListScalar):
        return [_inside(inner) for inner in scalar]
    return _inside(scalar.value) if pa.types.is_union(kind) else _leaf(scalar, kind)


def _leaf(scalar: Any, kind: pa.DataType) -> Any:
    """Give a value that has none inside; as text what Python has not: years before 1 and after 9999, a day's end."""
    if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        return _moments(np.array([scalar.value], np.int64), kind)[0]
    return _time_of_day(scalar.value, kind) if pa.types.is_time64(kind) else scalar.as_py()


def _time_of_day(value: int, kind: pa.DataType) -> str:
    digits = 9 if kind.unit == "ns" else 6
    seconds, rest = divmod(value, 10**digits)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:0{digits}}" if rest else text


def _moments(numbers: NDArray[np.int64], kind: pa.DataType) -> list[str]:
    """Give dates, or times in UTC; years beyond four digits as they are, DuckDB's infinities as words."""
    is_date = pa.types.is_date32(kind)
    last, unit = np.iinfo(np.int32 if is_date else np.int64).max, "D" if is_date else kind.unit
    ends = np.abs(numbers) == last
    shown = np.datetime_as_string(np.where(ends, 0, numbers).view(f"datetime64[{unit}]")).tolist()
    words = [_year(text) if is_date else f"{_year(text)}Z" for text in shown]
    for at in np.flatnonzero(ends):
        words[at] = "infinity" if numbers[at] > 0 else "-infinity"
    return words


def _year(text: str) -> str:
    """Give a time with four digits of its year at least, where NumPy counts the sign among them."""
    return f"-0{text[1:]}" if text[0] == "-" and text[4] == "-" else text


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.hex() if isinstance(value, bytes) else str(value)


def _number(value: Decimal) -> int | float | Decimal:
    """Give a number that JSON's readers have as it is, else the same one."""
    if value == value.to_integral_value():
        return int(value)
    near = float(value)
    return near if Decimal(repr(near)) == value else value


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, default=lambda number: f"{number:f}")


def json_object(columns: Sequence[str], row: Sequence[Any]) -> str:
    """Give a row as one line of JSON; where a terminal would obey it, in ASCII escapes, which read back the same."""
    document = dict(zip(columns, row, strict=True))
    return safe_json(_json(document))


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Give rows as RFC 4180; text that a spreadsheet would take for a formula gets a leading apostrophe."""
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return sheet.getvalue()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    return harmless(value if isinstance(value, str) else _json(value))


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
    text = value if isinstance(value, str) else f"{value:f}" if isinstance(value, Decimal) else _json(value)
    return f"{text[: CELL - 1]}…" if paper.bounded and len(text) > CELL else text

"""Arrays and maps of OTLP/JSON → plain JSON text, one value at a time: they are few, and bounded by their reader."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def _double(value: object) -> str:
    """Return a double as in the columns: shortest form, words for what JSON has no number for."""
    try:
        number = float(str(value))
    except ValueError:
        return "null"
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        return json.dumps({"inf": "Infinity", "-inf": "-Infinity"}.get(str(number), "NaN"))
    return str(pc.cast(pa.scalar(number), pa.string()).as_py())


def _text(value: object) -> str:
    """Return a JSON string; lone surrogates read U+FFFD."""
    clean = str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(clean, ensure_ascii=False)


def _integer(value: object) -> str:
    text = str(value)
    return text if text.lstrip("-").isdecimal() and len(text) <= 20 else _text(text)


def _members(value: Any) -> list[Any]:
    members = value.get("values") if isinstance(value, dict) else None
    return members if isinstance(members, list) else []


def _array(value: Any) -> str:
    return "[" + ",".join(_any(member) for member in _members(value)) + "]"


def _map(value: Any) -> str:
    pairs = [member for member in _members(value) if isinstance(member, dict)]
    return "{" + ",".join(f"{_text(pair.get('key') or '')}:{_any(pair.get('value'))}" for pair in pairs) + "}"


_KINDS = {
    "stringValue": _text,
    "boolValue": lambda value: "true" if value in {True, "true"} else "false",
    "intValue": _integer,
    "doubleValue": _double,
    "arrayValue": _array,
    "kvlistValue": _map,
    "bytesValue": _text,
}


def _any(value: Any) -> str:
    """Return an `AnyValue` as JSON text: the last field of its union, null where none is set."""
    named = [name for name in value if name in _KINDS and value[name] is not None] if isinstance(value, dict) else []
    return _KINDS[named[-1]](value[named[-1]]) if named else "null"


def render(body: bytes, *, is_map: bool) -> str:
    """Return an `ArrayValue` or a `KeyValueList` of OTLP/JSON as plain JSON; its grammar and depth were checked."""
    value = json.loads(body.decode("utf-8", "replace"), parse_int=str, parse_float=str)
    return _map(value) if is_map else _array(value)

"""Recorded truth (`seamscope.truth/1`): what a second instrument measured of each request, read and checked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seamscope.errors import DataError
from seamscope.schema.words import CAUSES, FINDINGS, HORIZONS, TIERS
from seamscope.score.owners import spelled

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

SCHEMA: Final = "seamscope.truth/1"
VARIANTS: Final = ("phases", "blind")

REQUESTS: Final = {
    "no": pl.UInt32,
    "key": pl.String,
    "service": pl.String,
    "entry_span_id": pl.String,
    "horizon": pl.String,
    "owner": pl.String,
    "cause": pl.String,
}
"""`owner` and `cause` are the dominant ones; null where none leads."""
TRACES: Final = {"no": pl.UInt32, "trace_id": pl.String}
MEASURED: Final = {"no": pl.UInt32, "owner": pl.String, "cause": pl.String, "ns": pl.Int64}
"""An owner that is neither a tier's service nor a seam says that it was measured somewhere."""
RULES: Final = {"no": pl.UInt32, "rule": pl.String, "expected": pl.Boolean}
SAVINGS: Final[dict[str, Any]] = {
    "rule": pl.String,
    "horizon": pl.String,
    "ns": pl.Int64,
    "error_ns": pl.Int64,
    "nos": pl.List(pl.UInt32),
}
"""What is saved on average where a rule's requests are mended, as measured, give or take; `nos` are those requests."""

_SCHEMAS: Final[dict[str, Any]] = {
    "requests": REQUESTS,
    "traces": TRACES,
    "measured": MEASURED,
    "rules": RULES,
    "savings": SAVINGS,
}
_LIST_OF_REQUESTS: Final = re.compile(r'"requests"\s*:\s*\[')
_BETWEEN: Final = re.compile(r"[\s,]*")
_OWNER: Final = re.compile(rf"(?:{'|'.join(TIERS)}):[^→]+(?:→(?:{'|'.join(TIERS)}):.+)?")


@dataclass(frozen=True, slots=True)
class Truth:
    """One scenario's answers; `no` numbers its entries from 0: a request may have one for each horizon."""

    scenario: str
    system: str
    variant: str
    """`phases` or `blind`."""
    seed: int | None
    control: str | None
    requests: pl.DataFrame
    """Columns `REQUESTS`."""
    traces: pl.DataFrame
    """Columns `TRACES`."""
    measured: pl.DataFrame
    """Columns `MEASURED`."""
    rules: pl.DataFrame
    """Columns `RULES`: findings that a request must give, and those that it must not; null: that it may give."""
    savings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SAVINGS))
    """Columns `SAVINGS`; empty where nobody measured one."""

    @property
    def healthy(self) -> bool:
        """Whether nothing was injected: it is a control itself."""
        return self.control is None or self.control == self.scenario


class _WrongError(Exception):
    """Something in the document is not what it should be; its words say what."""


def read_truth(text: str, name: str) -> Truth:
    """Read one `expected.json`; `DataError` names the file (`name`) and the line of what is wrong."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{name}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    try:
        head = _head(document)
    except _WrongError as wrong:
        raise DataError(f"{name}:1: {wrong}", f"the form is {SCHEMA}") from None
    rows: dict[str, list[dict[str, Any]]] = {part: [] for part in _SCHEMAS}
    keys: set[tuple[str, str]] = set()
    for no, request in enumerate(document["requests"]):
        try:
            _request(no, request, rows, keys)
        except _WrongError as wrong:
            key = request.get("key") if isinstance(request, dict) else None
            who = f"request {key!r}" if isinstance(key, str) else f"request number {no + 1}"
            raise DataError(f"{name}:{_line(text, no)}: {who}: {wrong}", f"the form is {SCHEMA}") from None
    try:
        rows["savings"] = _savings(document, rows["requests"])
    except _WrongError as wrong:
        raise DataError(f"{name}:1: savings: {wrong}", f"the form is {SCHEMA}") from None
    return Truth(**head, **_frames(rows))


def _frames(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    return {part: pl.DataFrame(rows[part], schema=schema, orient="row") for part, schema in _SCHEMAS.items()}


def _savings(document: Mapping[str, Any], requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give what is said of savings, with the numbers of the requests that it is said of."""
    numbers = {request["key"]: request["no"] for request in requests}
    found = []
    for one in _maybe(document, "savings", list) or []:
        if not isinstance(one, dict):
            raise _WrongError("holds something that is no object")
        rule, keys, ns = _one_of(one, "rule", FINDINGS), _maybe(one, "keys", list), one.get("ns")
        if not keys or not all(isinstance(key, str) and key in numbers for key in keys):
            raise _WrongError(f"keys of {rule}: none, or one that no request has")
        if isinstance(ns, bool) or not isinstance(ns, int) or abs(ns) >= 1 << 63:
            raise _WrongError(f"ns of {rule} is {json.dumps(ns)[:60]}, not a whole number")
        horizon, error_ns = _one_of(one, "horizon", HORIZONS), _number(one, "error_ns")
        nos = [numbers[key] for key in keys]
        found.append({"rule": rule, "horizon": horizon, "ns": ns, "error_ns": error_ns, "nos": nos})
    return found


def _line(text: str, no: int) -> int:
    """Find the line on which a request begins."""
    found = _LIST_OF_REQUESTS.search(text)
    place, decoder = (found.end() if found else 0), json.JSONDecoder()
    for _ in range(no):
        place = decoder.raw_decode(text, _BETWEEN.match(text, place).end())[1]  # type: ignore[union-attr]
    start = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
    return text.count("\n", 0, start) + 1


def _head(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise _WrongError("not an object")
    if document.get("schema") != SCHEMA:
        raise _WrongError(f"schema is {document.get('schema')!r}, not {SCHEMA!r}")
    requests = document.get("requests")
    if not isinstance(requests, list) or not requests:
        raise _WrongError("requests is no list, or an empty one")
    return {
        "scenario": _text(document, "scenario"),
        "system": _text(document, "system"),
        "variant": _one_of(document, "variant", VARIANTS),
        "seed": _number(document, "seed"),
        "control": _maybe_text(document, "control"),
    }


def _request(no: int, request: object, rows: Mapping[str, list[dict[str, Any]]], keys: set[tuple[str, str]]) -> None:
    if not isinstance(request, dict):
        raise _WrongError("not an object")
    key = _text(request, "key")
    horizon = _one_of(request, "horizon", HORIZONS)
    if (key, horizon) in keys:
        raise _WrongError("its key was there before, with the same horizon")
    keys.add((key, horizon))
    entry = _maybe(request, "entry", dict) or {}
    for name in HORIZONS:
        _number(request, f"{name}_ns")
    dominant = _maybe(request, "dominant", dict)
    rows["requests"].append(
        {
            "no": no,
            "key": key,
            "service": _maybe_text(entry, "service"),
            "entry_span_id": _hex(entry.get("span_id"), 16, "entry.span_id"),
            "horizon": horizon,
            "owner": None if dominant is None else _owner(dominant),
            "cause": None if dominant is None else _one_of(dominant, "cause", CAUSES),
        }
    )
    traces = _maybe(request, "trace_ids", list) or []
    rows["traces"].extend({"no": no, "trace_id": _hex(trace, 32, "trace_ids")} for trace in traces)
    rows["measured"].extend({"no": no, **_part(part)} for part in _maybe(request, "measured", list) or [])
    rows["rules"].extend({"no": no, **rule} for rule in _rules(request))


def _part(part: object) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise _WrongError("measured holds something that is no object")
    ns = _number(part, "ns")
    if ns is None:
        raise _WrongError("measured: ns is missing")
    return {"owner": spelled(_text(part, "owner")), "cause": _one_of(part, "cause", CAUSES), "ns": ns}


def _rules(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: dict[str, bool | None] = {}
    where: dict[str, str] = {}
    for name, expected in (("findings", True), ("possible_findings", None), ("not_findings", False)):
        for rule in _maybe(request, name, list) or []:
            _known(rule, name, FINDINGS)
            if where.setdefault(rule, name) != name:
                raise _WrongError(f"{rule} is both in {where[rule]} and in {name}")
            found[rule] = expected
    return [{"rule": rule, "expected": expected} for rule, expected in found.items()]


def _owner(part: Mapping[str, Any]) -> str:
    owner = spelled(_text(part, "owner"))
    if not _OWNER.fullmatch(owner):
        raise _WrongError(f"owner {owner!r} is neither tier:service nor a seam")
    return owner


def _maybe(part: Mapping[str, Any], name: str, kind: type) -> Any:
    value = part.get(name)
    if value is not None and not isinstance(value, kind):
        raise _WrongError(f"{name} is {json.dumps(value)[:60]}, not {_KINDS[kind]}")
    return value


_KINDS: Final[Mapping[type, str]] = {dict: "an object", list: "a list", str: "a text"}


def _maybe_text(part: Mapping[str, Any], name: str) -> str | None:
    found: str | None = _maybe(part, name, str)
    return found


def _text(part: Mapping[str, Any], name: str) -> str:
    found = _maybe_text(part, name)
    if not found:
        raise _WrongError(f"{name} is missing")
    return found


def _number(part: Mapping[str, Any], name: str) -> int | None:
    value = part.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise _WrongError(f"{name} is {json.dumps(value)[:60]}, not a whole number from 0")
    return value


def _one_of(part: Mapping[str, Any], name: str, known: Collection[str]) -> str:
    found = _text(part, name)
    _known(found, name, known)
    return found


def _known(word: object, name: str, known: Collection[str]) -> None:
    if word not in known:
        raise _WrongError(f"{name}: {json.dumps(word)[:60]} is not one of {' '.join(known)}")


def _hex(value: object, digits: int, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(f"[0-9a-f]{{{digits}}}", value.lower()):
        raise _WrongError(f"{name} is {json.dumps(value)[:60]}, not {digits} hex digits")
    return value.lower()

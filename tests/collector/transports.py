"""The three transports of OTLP behind one face, so that a duty is tested over each with the same words."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import grpc
from google.protobuf import json_format  # type: ignore[import-untyped]
from google.rpc import error_details_pb2, status_pb2

from collector.doors.otlp_status import REPLIES
from tests.collector import traffic

if TYPE_CHECKING:
    from collector.serve import Collector

    Transport = Literal["grpc", "http/protobuf", "http/json"]

TRANSPORTS = ("grpc", "http/protobuf", "http/json")
PATHS = {"traces": "/v1/traces", "logs": "/v1/logs", "metrics": "/v1/metrics"}

_GRPC_WORDS = {
    grpc.StatusCode.OK: "ok",
    grpc.StatusCode.INVALID_ARGUMENT: "bad data",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "too large",
    grpc.StatusCode.UNAVAILABLE: "later",
    grpc.StatusCode.UNIMPLEMENTED: "not served",
}
_HTTP_WORDS = {200: "ok", 400: "bad data", 413: "too large", 429: "later", 503: "later", 404: "not served"}


@dataclass(frozen=True)
class Said:
    """What a server answered.

    Attributes:
        verdict: `ok`, `bad data`, `too large`, `later`, `not served`, or the code itself.
        reply: the Export response of a success.
        status: the `google.rpc.Status` of a failure; None where none was sent.
        content_type: over HTTP.
        retry_after: over HTTP.
    """

    verdict: str
    reply: Any = None
    status: Any = None
    content_type: str = ""
    retry_after: str | None = None

    def detail(self, kind: Any) -> Any:
        """Return the detail of a kind in the status; None where there is none."""
        found = kind()
        return found if self.status and any(each.Unpack(found) for each in self.status.details) else None

    @property
    def delay_s(self) -> float | None:
        """Return the seconds to wait before another try, where they are said."""
        info = self.detail(error_details_pb2.RetryInfo)
        return info.retry_delay.ToNanoseconds() / 1e9 if info else None


def encoded(transport: str, request: Any) -> bytes:
    """Return a request as it travels."""
    if isinstance(request, bytes):
        return request
    return traffic.as_json(request) if transport == "http/json" else bytes(request.SerializeToString())


def send(transport: str, collector: Collector, request: Any, signal: str = "traces", *, zipped: bool = False) -> Said:
    """Export once: a message, or bytes as they are."""
    data = encoded(transport, request)
    if transport == "grpc":
        return _over_grpc(collector, data, signal, zipped=zipped)
    headers = dict(traffic.JSON if transport == "http/json" else traffic.PROTOBUF)
    if zipped:
        data, headers["content-encoding"] = gzip.compress(data, 1), "gzip"
    return read(traffic.post(collector.http, data, headers, PATHS[signal]), signal)


def _over_grpc(collector: Collector, data: bytes, signal: str, *, zipped: bool) -> Said:
    reply = traffic.call(collector.grpc, data, signal, compressed=zipped)
    verdict = _GRPC_WORDS.get(reply.code, reply.code.name)
    if verdict == "ok":
        return Said(verdict, REPLIES[signal][0].FromString(reply.data))
    return Said(verdict, status=status_pb2.Status.FromString(reply.details) if reply.details else None)


def read(answer: traffic.Answer, signal: str = "traces") -> Said:
    """Understand an HTTP answer."""
    kind = answer.headers.get("content-type", "")
    message = REPLIES[signal][0]() if answer.status == 200 else status_pb2.Status()
    if kind == "application/json":
        json_format.Parse(answer.body, message)
    else:
        assert kind == "application/x-protobuf", answer
        message.ParseFromString(answer.body)
    ok = answer.status == 200
    return Said(
        _HTTP_WORDS.get(answer.status, str(answer.status)),
        message if ok else None,
        None if ok else message,
        kind,
        answer.headers.get("retry-after"),
    )

"""What a sender is told: success, partial success, refusal and error, in OTLP's words and in its request's encoding.

The duties are those of the OpenTelemetry protocol specification 1.11: a full success leaves `partial_success` unset,
a partial one carries the exact count of rejected items and says why in English, a refusal for want of room is
retryable and names its delay, and every HTTP error body is a `google.rpc.Status`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import grpc
from google.protobuf import any_pb2, duration_pb2, json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    Encoding = Literal["protobuf", "json"]
    Signal = Literal["traces", "logs", "metrics"]

STATUS_KEY: Final = "grpc-status-details-bin"
"""The trailing metadata that carries a `google.rpc.Status` over gRPC."""

MESSAGE_LIMIT: Final = 2048
"""Characters of an error message; the rest is cut, so that no reply outgrows the specification's 4 MiB."""

REPLIES: Final[Mapping[str, tuple[Any, str]]] = {
    "traces": (trace_service_pb2.ExportTraceServiceResponse, "rejected_spans"),
    "logs": (logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (metrics_service_pb2.ExportMetricsServiceResponse, "rejected_data_points"),
}
"""The response message of each signal, and its count of rejected items."""

_FULL_SUCCESS: Final[Mapping[Encoding, bytes]] = {"protobuf": b"", "json": b"{}"}
"""A response in which nothing is set, encoded; nearly all are."""

_HTTP: Final[Mapping[grpc.StatusCode, int]] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 413,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNIMPLEMENTED: 404,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not taken, and whether and when it may be sent again.

    Attributes:
        code: the gRPC code; `UNAVAILABLE` is retryable, `INVALID_ARGUMENT` and `RESOURCE_EXHAUSTED` are not.
        message: one English sentence.
        retry_after_s: seconds to wait before another try; None where a retry is useless.
        http: the HTTP status, where it does not follow from `code`.
    """

    code: grpc.StatusCode
    message: str
    retry_after_s: float | None = None
    http: int | None = None

    @property
    def http_status(self) -> int:
        """The HTTP status that says the same."""
        return self.http or _HTTP.get(self.code, 500)

    @property
    def retry_after_header(self) -> str:
        """The delay as HTTP's whole seconds, at least one."""
        return str(max(1, math.ceil(self.retry_after_s or 0.0)))


NO_PROFILES: Final = Refusal(grpc.StatusCode.UNIMPLEMENTED, "profiles are not collected; send traces and logs")

LONG_HEAD: Final = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "the headers are too large", http=431)


def invalid(message: str) -> Refusal:
    """Return the refusal of a body that cannot be read: no retry will help."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)


def too_large(limit_bytes: int) -> Refusal:
    """Return the refusal of a body over the size limit (counted after decompression): no retry will help."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, f"the request is larger than {limit_bytes} bytes uncompressed")


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _status(refusal: Refusal) -> Any:
    status = status_pb2.Status(code=refusal.code.value[0], message=refusal.message[:MESSAGE_LIMIT])
    if refusal.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(refusal.retry_after_s * 1e9))
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    elif refusal.code is grpc.StatusCode.INVALID_ARGUMENT:
        fault = error_details_pb2.BadRequest.FieldViolation(field="body", description=refusal.message[:MESSAGE_LIMIT])
        status.details.append(_packed(error_details_pb2.BadRequest(field_violations=[fault])))
    return status


def status_bytes(refusal: Refusal, encoding: Encoding = "protobuf") -> bytes:
    """Return the refusal as an encoded `google.rpc.Status` with `RetryInfo` or `BadRequest` where they are due."""
    return _encoded(_status(refusal), encoding)


def retry_delay_s(details: bytes | None) -> float | None:
    """Return the delay that a server's encoded `google.rpc.Status` asks for, in seconds; None where it asks none."""
    if not details:
        return None
    status = status_pb2.Status()
    try:
        status.ParseFromString(details)
        for detail in status.details:
            wanted = error_details_pb2.RetryInfo()
            if detail.Unpack(wanted):
                return float(wanted.retry_delay.ToNanoseconds()) / 1e9
    except DecodeError:
        return None
    return None


def _encoded(message: Any, encoding: Encoding) -> bytes:
    if encoding == "json":
        text: str = json_format.MessageToJson(message, indent=None)
        return text.encode()
    encoded: bytes = message.SerializeToString()
    return encoded


def _why(rejected: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(rejected.items()) if count)
    return f"rejected by reason: {reasons}"


_NOTES: Final[Mapping[str, str]] = {
    "odd_field": "fields of another shape than OTLP gives them were passed over",
    "cut_value": "long values were cut",
    "broken_link": "span links without valid ids were dropped",
}


def warning_of(notes: Mapping[str, int]) -> str:
    """Return what a sender should know of items that were kept, by the notes of an `Outcome`; empty for nothing."""
    return "; ".join(f"{_NOTES.get(kind, kind)}: {count}" for kind, count in sorted(notes.items()) if count)


def export_reply(
    signal: Signal, rejected: Mapping[str, int], warning: str = "", encoding: Encoding = "protobuf"
) -> bytes:
    """Return an encoded Export response.

    Args:
        signal: whose response.
        rejected: items not kept, by reason; all zero or empty for full success.
        warning: words for the sender where everything was kept but something was odd.
        encoding: the request's.
    """
    if not rejected and not warning:
        return _FULL_SUCCESS[encoding]
    reply_type, field = REPLIES[signal]
    reply = reply_type()
    count = sum(rejected.values())
    words = "; ".join(part for part in (_why(rejected) if count else "", warning) if part)
    if words:
        setattr(reply.partial_success, field, count)
        reply.partial_success.error_message = words[:MESSAGE_LIMIT]
    return _encoded(reply, encoding)

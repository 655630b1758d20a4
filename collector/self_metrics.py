"""The collector's own metrics, sent as OTLP to wherever the operator watches services.

Names, units and kinds are in `METRICS`; sums are cumulative since the start.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from collector.decoding.decode import Body
from collector.sending.links import BusyError, link
from seamscope import __version__
from seamscope.errors import SeamscopeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from collector.telemetry import Telemetry

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's unit and description; a gauge, or a sum that only grows."""

    unit: str
    description: str
    gauge: bool = False


LAST_S: Final = 1.0
"""How long a stop waits at its end for the last ones to be sent, which began when the doors closed."""

METRICS: Final[Mapping[str, Metric]] = {
    "seamscope.collector.requests": Metric("{request}", "Requests whose body arrived whole"),
    "seamscope.collector.request.size": Metric("By", "Bytes of their bodies, decompressed"),
    "seamscope.collector.items.accepted": Metric("{item}", "Spans, log records and data points taken"),
    "seamscope.collector.items.unkept": Metric("{item}", "Accepted data points that were counted and not stored"),
    "seamscope.collector.items.rejected": Metric("{item}", "Those that were not, by reason"),
    "seamscope.collector.requests.refused": Metric("{request}", "Requests asked to come again, by reason"),
    "seamscope.collector.requests.invalid": Metric("{request}", "Requests that could not be read"),
    "seamscope.collector.requests.denied": Metric("{request}", "Requests of those who may not send or read, by reason"),
    "seamscope.collector.items.duplicate": Metric("{item}", "Accepted items that were stored before"),
    "seamscope.collector.items.expired": Metric("{item}", "Those deleted for their age or for the store's size"),
    "seamscope.collector.commits": Metric("{commit}", "Transactions, by outcome"),
    "seamscope.collector.commit.duration": Metric("ms", "Of late, by quantile", gauge=True),
    "seamscope.collector.queue.size": Metric("By", "Bytes of bodies held and not yet answered", gauge=True),
    "seamscope.collector.analysis.lag": Metric("s", "How long what has settled waits to be analysed", gauge=True),
    "seamscope.collector.analysis.failing": Metric("1", "1 while the analysis fails and is tried again", gauge=True),
    "seamscope.collector.analysis.set_aside": Metric("{trace}", "Traces set aside: processing them fails"),
    "seamscope.collector.disk.free": Metric("By", "Free bytes of the store's disk", gauge=True),
    "seamscope.collector.memory.resident": Metric("By", "What the process holds", gauge=True),
    "seamscope.collector.uptime": Metric("s", "Since the start", gauge=True),
}
"""What is sent."""

LOOKS: Final[Mapping[str, str]] = {
    "analysis.failing": "analysis_failing",
    "analysis.lag": "analysis_lag_s",
    "analysis.set_aside": "analysis_set_aside",
    "disk.free": "free_disk_bytes",
    "memory.resident": "resident_bytes",
    "uptime": "uptime_s",
}
"""What a snapshot holds once the collector runs, and where."""

Point = tuple[str, float, dict[str, str]]


def points(snapshot: Mapping[str, Any]) -> Iterator[Point]:
    """Yield name, value and attributes of every data point in a snapshot of `Telemetry`."""
    prefix = "seamscope.collector."
    for signal, counts in snapshot["signals"].items():
        of = {"signal": signal}
        yield f"{prefix}requests", counts["requests"], of
        yield f"{prefix}request.size", counts["request_bytes"], of
        yield f"{prefix}items.accepted", counts["accepted"], of
        yield f"{prefix}items.duplicate", counts["duplicates"], of
        yield f"{prefix}items.unkept", counts["unkept"], of
        yield f"{prefix}requests.invalid", counts["invalid_requests"], of
        for name, field in (("items.rejected", "rejected"), ("requests.refused", "refused_requests")):
            for reason, count in counts[field].items():
                yield f"{prefix}{name}", count, {**of, "reason": reason}
    for what, count in snapshot["denied_requests"].items():
        signal, _, reason = what.partition(": ")
        yield f"{prefix}requests.denied", count, {"signal": signal, "reason": reason}
    yield f"{prefix}commits", snapshot["commits"], {"outcome": "ok"}
    yield f"{prefix}commits", snapshot["failed_commits"], {"outcome": "failed"}
    for quantile, took in snapshot["commit_ms"].items():
        if took is not None:
            yield f"{prefix}commit.duration", took, {"quantile": quantile}
    yield f"{prefix}queue.size", snapshot["queue_bytes"], {}
    for signal, count in snapshot.get("expired_items", {}).items():
        yield f"{prefix}items.expired", count, {"signal": signal}
    for name, field in LOOKS.items():
        if field in snapshot:
            yield f"{prefix}{name}", snapshot[field], {}


def _attributes(of: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in of.items()]


def request(snapshot: Mapping[str, Any], start_ns: int, now_ns: int) -> ExportMetricsServiceRequest:
    """Return a snapshot as an OTLP request; a series whose `start_ns` changes would read as one begun anew."""
    message = ExportMetricsServiceRequest()
    resource = message.resource_metrics.add()
    about = {"service.name": "seamscope", "service.version": __version__, "host.name": socket.gethostname()}
    about["service.instance.id"] = f"{about['host.name']}:{os.getpid()}"
    resource.resource.attributes.extend(_attributes(about))
    scope = resource.scope_metrics.add()
    scope.scope.name = "seamscope.collector"
    made: dict[str, Any] = {}
    for name, value, of in points(snapshot):
        if name not in made:
            made[name] = _series(scope, name)
        point = made[name].add(time_unix_nano=now_ns, start_time_unix_nano=start_ns, attributes=_attributes(of))
        if isinstance(value, int):
            point.as_int = value
        else:
            point.as_double = value
    return message


def _series(scope: Any, name: str) -> Any:
    about = METRICS[name]
    metric = scope.metrics.add(name=name, unit=about.unit, description=about.description)
    if about.gauge:
        return metric.gauge.data_points
    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    metric.sum.is_monotonic = True
    return metric.sum.data_points


class SelfMetrics:
    """A thread that sends them again and again; what cannot be sent is complained about and left.

    Args:
        telemetry: what is counted.
        endpoint: `HOST:PORT` over gRPC, `http://HOST:PORT` over HTTP.
        every_s: how often.
    """

    def __init__(self, telemetry: Telemetry, endpoint: str, every_s: float) -> None:
        self._telemetry = telemetry
        self._endpoint = endpoint
        self._every_s = every_s
        self._said = ""
        self._start_ns = time.time_ns()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="metrics", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Have the last ones sent, and wait for nothing."""
        self._stopped.set()

    def stop(self) -> None:
        """Send the last ones and end the thread; one whose endpoint dawdles is left behind."""
        self.end()
        self._thread.join(LAST_S)

    def send(self) -> None:
        """Send them once.

        Raises:
            SeamscopeError: the endpoint does not answer, or does not take them.
            BusyError: it does not take them now.
        """
        data = request(self._telemetry.snapshot(), self._start_ns, time.time_ns()).SerializeToString()
        way = link(self._endpoint)
        try:
            _, said = way.send(Body(data, "protobuf", "metrics"))
        finally:
            way.close()
        if said and said != self._said:
            _log.warning("who was sent the collector's own metrics said: %s", said)
        self._said = said

    def _follow(self) -> None:
        ended = False
        while not ended:
            ended = self._stopped.wait(self._every_s)
            try:
                self.send()
            except (SeamscopeError, BusyError) as error:
                _log.warning("the collector's own metrics could not be sent: %s", error)
            except Exception:  # noqa: BLE001 - whatever the endpoint answers, the next ones are sent
                _log.exception("the collector's own metrics could not be sent")

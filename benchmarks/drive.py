"""Sends an OTLP endpoint request after request, and prints what was acknowledged, how fast, and what it cost.

    python -m benchmarks.drive 127.0.0.1:4317 4711 400 512
    python -m benchmarks.drive http://127.0.0.1:4318 4711 400 512 --transport http/json --rate 50000

Every span is new. With `--rate`, requests are due at fixed times, and an answer's time counts from when its request was
due; without, the next one goes out as soon as one of those in flight is answered. What is refused is not sent again.
"""

from __future__ import annotations

import argparse
import http.client
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import grpc

from benchmarks.meters import ProcessMeter
from benchmarks.requests import Fresh, request

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSPORTS: Final = ("grpc", "http/protobuf", "http/json")
EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BODIES: Final = 40
PATIENCE_S: Final = 120.0


class OverGrpc:
    """Sends over one channel."""

    def __init__(self, endpoint: str) -> None:
        self._export = grpc.insecure_channel(endpoint).unary_unary(EXPORT)

    def __call__(self, body: bytes) -> str:
        """Send, wait; give `ok` or the status."""
        try:
            self._export(body, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "ok"


class OverHttp:
    """Sends over a connection to each thread."""

    def __init__(self, endpoint: str, media: str) -> None:
        place = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
        self._host, self._port = str(place.hostname), place.port or 4318
        self._head = {"content-type": media}
        self._mine = threading.local()

    def __call__(self, body: bytes) -> str:
        """Send, wait; give `ok` or the status."""
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE_S)
            self._mine.connection = connection
        try:
            connection.request("POST", "/v1/traces", body, self._head)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return type(error).__name__
        return "ok" if answer.status == http.HTTPStatus.OK else str(answer.status)


def sender(transport: str, endpoint: str) -> Callable[[bytes], str]:
    """Give what sends a body over a transport."""
    if transport == "grpc":
        return OverGrpc(endpoint)
    return OverHttp(endpoint, "application/json" if transport == "http/json" else "application/x-protobuf")


class Drive:
    """So many requests, or as many as go out in a time, over so many at once."""

    def __init__(self, send: Callable[[bytes], str], bodies: list[Fresh], rate: float | None = None) -> None:
        """`rate` is requests a second."""
        self.answers: Counter[str] = Counter()
        self.took_s: list[float] = []
        self._send = send
        self._bodies = bodies
        self._every_s = 1 / rate if rate else 0.0
        self._turn = threading.Lock()
        self._sent = 0

    def run(self, requests: int, seconds: float, in_flight: int) -> float:
        """Send; give the seconds until the last answer."""
        self._began = time.perf_counter()
        self._until = self._began + seconds
        self._left = requests
        with ThreadPoolExecutor(in_flight) as threads:
            for done in [threads.submit(self._work) for _ in range(in_flight)]:
                done.result()
        return time.perf_counter() - self._began

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            body, due = taken
            time.sleep(max(0.0, due - time.perf_counter()))
            answer = self._send(body)
            with self._turn:
                self.took_s.append(time.perf_counter() - due)
                self.answers[answer] += 1

    def _take(self) -> tuple[bytes, float] | None:
        with self._turn:
            now = time.perf_counter()
            if self._sent >= self._left or now > self._until:
                return None
            body = self._bodies[self._sent % len(self._bodies)].next()
            due = self._began + self._sent * self._every_s if self._every_s else time.perf_counter()
            self._sent += 1
            return body, due


def main() -> None:
    """Print one line of figures; further ones to standard error."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("endpoint")
    words.add_argument("pid", type=int)
    words.add_argument("requests", type=int)
    words.add_argument("spans", type=int, help="of a request")
    words.add_argument("in_flight", type=int, nargs="?", default=48)
    words.add_argument("--transport", choices=TRANSPORTS, default="grpc")
    words.add_argument("--rate", type=float, help="spans a second")
    words.add_argument("--seconds", type=float, default=1e9, help="send no longer than this")
    chosen = words.parse_args()
    print(line(chosen))


def line(chosen: argparse.Namespace) -> str:
    """Drive as told; say what came of it."""
    dice, encoding = random.Random(), "json" if chosen.transport == "http/json" else "protobuf"
    bodies = [Fresh(request(dice, chosen.spans, time.time_ns()), encoding, dice) for _ in range(BODIES)]
    send, meter = sender(chosen.transport, chosen.endpoint), ProcessMeter(chosen.pid)
    send(bodies[0].next())
    drive, before = Drive(send, bodies, chosen.rate and chosen.rate / chosen.spans), meter.cpu_s()
    seconds = drive.run(chosen.requests, chosen.seconds, chosen.in_flight)
    spans = drive.answers["ok"] * chosen.spans
    figures: dict[str, Any] = {
        "acked": f"{spans / seconds:,.0f} spans/s",
        "refused": sum(drive.answers.values()) - drive.answers["ok"],
        "p99": f"{sorted(drive.took_s)[int(len(drive.took_s) * 0.99)] * 1e3:.0f} ms",
        "cpu": f"{(meter.cpu_s() - before) / max(spans, 1) * 1e6:.1f} s per million",
        "peak rss": f"{meter.peak_mib():.0f} MiB",
    }
    return ", ".join(f"{name} {value}" for name, value in figures.items())


if __name__ == "__main__":
    main()

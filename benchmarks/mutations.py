"""Mutated requests over the three transports: a real collector answers each in its class, at once, and lives on.

    python -m benchmarks.mutations --requests 1000000 --seed 7

Requests of the three signals, small ones made here and recorded ones (`sample_traces`), are damaged byte by byte or
field by field (`benchmarks.mutants`) and sent 128 at a time over gRPC, HTTP with protobuf and HTTP with JSON. What the
answer must be is said by the official parsers: protobuf's, and Python's for JSON. Where these leave it open, both
answers will do, and are counted:

- text that is not UTF-8 costs a span here, the whole request there;
- a request that holds groups, which protobuf has given up, or values nested over 32 deep may be refused (`stricter`);
- what is damaged inside exemplars, buckets and other parts of metrics that are passed over may go unseen;
- JSON of another shape than OTLP's, which the official classes refuse, may be taken in part.

A receiver that runs already is driven with `--endpoint HOST:PORT --http http://HOST:PORT --pid PID`; then what it logs
is not looked at, and it has crashed if it is gone.

`over_1_s` counts rounds of 128 requests that took longer than a second, `failures` errors that the collector logged,
`growth_mib` what its memory grew after the first tenth of the requests (20,000 at most).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc

from benchmarks.forked import Nursery
from benchmarks.ledger import Collector
from benchmarks.mutants import PATHS, SIGNALS, Mutants, Wanted, is_stricter, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.mutants import Mutant

AT_ONCE: Final = 128
PATIENCE_S: Final = 30.0
WARM: Final = 20_000
METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
GRPC_SAYS: Final = {
    grpc.StatusCode.OK: "ok",
    grpc.StatusCode.INVALID_ARGUMENT: "bad",
    grpc.StatusCode.UNAVAILABLE: "later",
}
FAILURES: Final = ("Traceback", "could not be read", "failed")
HTTP_SAYS: Final = {200: "ok", 400: "bad", 429: "later", 503: "later"}


class OverGrpc:
    """Sends requests over one channel, all at once."""

    def __init__(self, ready: dict[str, str]) -> None:
        self._channel = grpc.insecure_channel(ready["grpc"])
        self._export = {name: self._channel.unary_unary(METHODS[name]) for name in SIGNALS}

    def say(self, mutants: Sequence[Mutant]) -> list[str]:
        """Give the answer to each: `ok`, `bad`, `later`, or another word."""
        calls = [self._export[each.signal].future(each.data, timeout=PATIENCE_S) for each in mutants]
        return [GRPC_SAYS.get(call.code(), call.code().name) for call in calls]

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


class OverHttp:
    """Sends requests over as many connections, one on each."""

    def __init__(self, ready: dict[str, str], media: str) -> None:
        host, _, port = ready["http"].partition("//")[2].rpartition(":")
        self._address = (host, int(port))
        self._heads = {
            name: f"POST {PATHS[name]} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: ".encode()
            for name in SIGNALS
        }
        self._held: list[socket.socket] = []

    def say(self, mutants: Sequence[Mutant]) -> list[str]:
        """Give the answer to each: `ok`, `bad`, `later`, or another word."""
        used = [self._connection() for _ in mutants]
        for connection, each in zip(used, mutants, strict=True):
            connection.sendall(b"%s%d\r\n\r\n%s" % (self._heads[each.signal], len(each.data), each.data))
        return [self._answer(connection) for connection in used]

    def _connection(self) -> socket.socket:
        if self._held:
            return self._held.pop()
        made = socket.create_connection(self._address, PATIENCE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _answer(self, connection: socket.socket) -> str:
        got = b""
        try:
            while (end := got.find(b"\r\n\r\n")) < 0:
                got += self._more(connection)
            head = got[:end].lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            while len(got) < end + 4 + size:
                got += self._more(connection)
        except (OSError, ValueError) as error:
            connection.close()
            return type(error).__name__
        if b"connection: close" in head:
            connection.close()
        else:
            self._held.append(connection)
        return HTTP_SAYS.get(int(got[9:12]), got[9:12].decode())

    @staticmethod
    def _more(connection: socket.socket) -> bytes:
        got = connection.recv(1 << 16)
        if not got:
            raise ConnectionError("hung up")
        return got

    def close(self) -> None:
        """Hang up."""
        for each in self._held:
            each.close()


TRANSPORTS: Final[dict[str, tuple[str, Callable[[dict[str, str]], Any]]]] = {
    "grpc": ("protobuf", OverGrpc),
    "http/protobuf": ("protobuf", lambda ready: OverHttp(ready, "application/x-protobuf")),
    "http/json": ("json", lambda ready: OverHttp(ready, "application/json")),
}


def judged(mutant: Mutant, answer: str) -> str:
    """Give what an answer counts as: `ok`, `bad`, `stricter`, `later` or `wrong`."""
    if answer not in {"ok", "bad"}:
        return answer if answer == "later" else "wrong"
    due = wanted(mutant, was_taken=answer == "ok")
    if due in {Wanted.EITHER, Wanted(answer)}:
        return answer
    return "stricter" if answer == "bad" and is_stricter(mutant) else "wrong"


class Drive:
    """One transport's requests."""

    def __init__(self, name: str, ready: dict[str, str], seed: int) -> None:
        encoding, make = TRANSPORTS[name]
        self.counts: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.wrong: list[str] = []
        self._name = name
        self._mutants = Mutants(random.Random(f"{seed} {name}"), encoding)
        self._transport = make(ready)

    def run(self, requests: int, stop: threading.Event) -> None:
        """Send so many requests, or until told to stop."""
        while requests > 0 and not stop.is_set():
            sent = [self._mutants.next() for _ in range(min(AT_ONCE, requests))]
            began = time.monotonic()
            answers = self._transport.say(sent)
            took = time.monotonic() - began
            self.slowest_s = max(self.slowest_s, took)
            self.counts["over_1_s"] += took > 1.0
            for each, answer in zip(sent, answers, strict=True):
                self._count(each, answer)
            requests -= len(sent)
        self._transport.close()

    def _count(self, mutant: Mutant, answer: str) -> None:
        verdict = judged(mutant, answer)
        self.counts[verdict] += 1
        self.counts["requests"] += 1
        if verdict == "wrong" and len(self.wrong) < 20:
            self.wrong.append(f"{self._name} {mutant.signal} {answer}: {mutant.data.hex()}")


def resident_mib(pid: int) -> float:
    """Give what a process holds."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it is gone
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def watch(pid: int, drives: Sequence[Drive], threads: Sequence[threading.Thread], warm: int) -> tuple[float, float]:
    """Wait for the end; give what the collector held after the first requests, and at most afterwards."""
    first = most = 0.0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.1)
        if sum(drive.counts["requests"] for drive in drives) >= warm:
            now = resident_mib(pid)
            first, most = first or now, max(most, now)
    return first, most


def trial(requests: int, seed: int, minutes: float = 1e9) -> dict[str, Any]:
    """Drive a collector of its own with so many requests; say what came of it."""
    with tempfile.TemporaryDirectory() as place, Nursery() as nursery:
        collector = Collector(nursery, Path(place), ("--settle", "1s"))
        found = driven(collector.ready(), collector.process.pid, requests, seed, minutes)
        code = collector.end(signal.SIGTERM)
        said = collector.said()
    return found | {"crashes": int(code != 0), "failures": sum(said.count(words) for words in FAILURES)}


def driven(ready: dict[str, str], pid: int, requests: int, seed: int, minutes: float) -> dict[str, Any]:
    """Drive a receiver with so many requests, a third over each transport; say what came of it."""
    stop = threading.Event()
    drives = {name: Drive(name, ready, seed) for name in TRANSPORTS}
    share = -(-requests // len(drives))
    threads = [threading.Thread(target=drive.run, args=(share, stop)) for drive in drives.values()]
    timer = threading.Timer(min(minutes * 60, threading.TIMEOUT_MAX), stop.set)
    timer.start()
    began = time.monotonic()
    for thread in threads:
        thread.start()
    first, most = watch(pid, list(drives.values()), threads, min(WARM, requests // 10))
    timer.cancel()
    took = time.monotonic() - began
    for line in (line for drive in drives.values() for line in drive.wrong):
        print(line, file=sys.stderr)
    total = sum((drive.counts for drive in drives.values()), Counter[str]())
    return {
        "seed": seed,
        "requests": total["requests"],
        "seconds": round(took, 1),
        "crashes": int(not Path(f"/proc/{pid}").exists()),
        "wrong": total["wrong"],
        "over_1_s": total["over_1_s"],
        "slowest_ms": round(1e3 * max(drive.slowest_s for drive in drives.values())),
        "later": total["later"],
        "growth_mib": round(most - first),
        "resident_mib": round(most),
        **{name: dict(drive.counts) for name, drive in drives.items()},
    }


def main() -> None:
    """Print the figures; exit 1 after a crash, a wrong answer or an error in the log."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--requests", type=int, default=100_000)
    words.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    words.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    words.add_argument("--endpoint", help="gRPC address of a receiver that runs already")
    words.add_argument("--http", help="its HTTP address")
    words.add_argument("--pid", type=int, help="its process")
    chosen = words.parse_args()
    if chosen.endpoint:
        if not (chosen.http and chosen.pid):
            words.error("--endpoint goes with --http and --pid")
        ready = {"grpc": chosen.endpoint, "http": chosen.http}
        found = driven(ready, chosen.pid, chosen.requests, chosen.seed, chosen.minutes)
    else:
        found = trial(chosen.requests, chosen.seed, chosen.minutes)
    print(json.dumps(found))
    raise SystemExit(any(found.get(name) for name in ("crashes", "wrong", "failures")))


if __name__ == "__main__":
    main()

"""Kills, damage and full disks: what a real collector acknowledged is there afterwards, once.

    python -m benchmarks.chaos --kills 100 --damages 50 --full-disks 10

- Kills: `kill -9` of a collector under load at ten kinds of moment (`MOMENTS`), then a start on what it left. This
  process notes what was acknowledged; spans of a request without an answer may be there or not, whole, and are sent
  again after every third start. Lost: acknowledged and not stored. Doubled: stored more than once.
- Damage: one of six kinds (`DAMAGES`) done to the log or the file of a killed collector, then a start.
  All spans of the commits before the damage must be there.
- Full disks: `RLIMIT_FSIZE` (no root needed) holds the size of every file that the collector writes, while it is under
  load, then lets go. Acknowledged spans lost, and how long after that until the first acknowledgement.

A kill leaves the page cache, so none of this tests a power loss.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.ingest import PROJECT
from seamscope.store import StoreFile
from seamscope.store.opening import log_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
DEADLINE_S: Final = 60.0
NAMES: Final = ("GET /dash", "fetch GET", "pg.query SELECT")

MOMENTS: Final = {
    "first answer": (8, 1, ()),
    "small requests": (8, 60, ()),
    "middling requests": (512, 12, ()),
    "large requests": (6_000, 4, ()),
    "many senders": (64, 40, ()),
    "during analysis": (256, 20, ("--settle", "0s")),
    "during retention by age": (256, 30, ("--settle", "0s", "--retention-age", "1h")),
    "while the log is folded in": (2_000, 12, ()),
    "while it stops": (256, 12, ("--settle", "0s")),
    "during its start": (256, 8, ()),
}
"""Kinds of moment: spans a request, answers before the kill, options of the collector."""

DAMAGES: Final = (
    "log: a flipped bit",
    "log: zeros at the end",
    "log: cut",
    "log: garbage",
    "log: its head",
    "file: cut",
)


def body(dice: random.Random, spans: int) -> tuple[bytes, list[int]]:
    """Give a request of new spans, eight to a trace, and their ids."""
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "chaos"
    scope = resource_spans.scope_spans.add()
    ids = []
    for number in range(spans):
        if number % 8 == 0:
            trace = dice.randbytes(16)
        span = scope.spans.add(trace_id=trace, span_id=dice.randbytes(8), name=NAMES[number % 3], kind=2)
        span.start_time_unix_nano = 1_790_000_000_000_000_000 + number * 1_000_000
        span.end_time_unix_nano = span.start_time_unix_nano + 500_000
        ids.append(int.from_bytes(span.span_id, "big"))
    return message.SerializeToString(), ids


@dataclass
class Ledger:
    """What an outside client knows of its requests."""

    acknowledged: set[int] = field(default_factory=set)
    unanswered: list[tuple[bytes, list[int]]] = field(default_factory=list)
    answers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, data: bytes, ids: list[int], *, stored: bool) -> None:
        """Note what became of a request."""
        with self.lock:
            self.answers += stored
            if stored:
                self.acknowledged.update(ids)
            else:
                self.unanswered.append((data, ids))


class Collector:
    """`seamscope collect` in a process of its own, and what it says."""

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        self.ready = folder / "ready.json"
        self.ready.unlink(missing_ok=True)
        ports = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-file", str(self.ready))
        command = [sys.executable, "-m", "seamscope", "collect", "--db", str(folder / "s.duckdb"), *ports, *options]
        self.said = (folder / "said").open("a+")
        self.process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=self.said)

    def endpoint(self) -> str:
        """Wait until it is ready; give its address."""
        until = time.monotonic() + DEADLINE_S
        while not self.ready.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.said.seek(0)
                raise RuntimeError(f"the collector did not start: {self.said.read()[-600:]}")
            time.sleep(0.005)
        address: str = json.loads(self.ready.read_text())["grpc"]
        return address

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE_S)
        self.said.close()
        return code


def send(endpoint: str, ledger: Ledger, seed: int, spans: int, stop: threading.Event) -> None:
    """Send request after request until told, or until nobody answers."""
    dice = random.Random(seed)
    with grpc.insecure_channel(endpoint) as channel:
        export = channel.unary_unary(EXPORT)
        while not stop.is_set():
            data, ids = body(dice, spans)
            try:
                export(data, timeout=DEADLINE_S)
            except grpc.RpcError as error:
                ledger.note(data, ids, stored=False)
                if error.details() and "send this request again" in str(error.details()):
                    stop.wait(0.05)
                    continue
                return
            ledger.note(data, ids, stored=True)


@contextmanager
def load(endpoint: str, ledger: Ledger, seed: int, spans: int, senders: int = 3) -> Iterator[None]:
    """Have senders send during a block."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=send, args=(endpoint, ledger, 1_000 * seed + number, spans, stop))
        for number in range(senders)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_for(ledger: Ledger, answers: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many requests more were acknowledged."""
    until = time.monotonic() + DEADLINE_S
    wanted = ledger.answers + answers
    while ledger.answers < wanted and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)


def stored(db: Path) -> Counter[int]:
    """Give how often each span id is stored."""
    with StoreFile.open(db) as store:
        found = store.query("SELECT span_id, count(*) AS n FROM base.span_rows GROUP BY span_id")
    return Counter(dict(found.iter_rows()))


def kill(folder: Path, moment: str, seed: int, ledger: Ledger) -> dict[str, int]:
    """Kill a collector at one kind of moment; give what is wrong afterwards."""
    spans, answers, options = MOMENTS[moment]
    dice = random.Random(seed)
    collector = Collector(folder, options)
    if moment == "during its start" and ledger.answers:
        time.sleep(dice.uniform(0.2, 1.5))
        collector.end(signal.SIGKILL)
    else:
        with load(collector.endpoint(), ledger, seed, spans, senders=12 if moment == "many senders" else 3):
            wait_for(ledger, answers, collector.process)
            time.sleep(dice.uniform(0.0, 0.05))
            if moment == "while it stops":
                collector.process.send_signal(signal.SIGTERM)
                time.sleep(dice.uniform(0.0, 0.2))
            with suppress(ProcessLookupError):
                collector.end(signal.SIGKILL)
    return judged(folder, ledger)


def judged(folder: Path, ledger: Ledger) -> dict[str, int]:
    """Hold a store against what was acknowledged; a request without an answer is there whole, or not at all."""
    there = stored(folder / "s.duckdb")
    torn = sum(0 < sum(one in there for one in ids) < len(ids) for _, ids in ledger.unanswered)
    return {
        "lost": len(ledger.acknowledged - there.keys()),
        "doubled": sum(count > 1 for count in there.values()),
        "torn": torn,
    }


def send_again(folder: Path, ledger: Ledger) -> None:
    """Start the collector, send again what had no answer, as an exporter does, and stop it in order."""
    collector = Collector(folder)
    waiting, ledger.unanswered = ledger.unanswered, []
    with grpc.insecure_channel(collector.endpoint()) as channel:
        export = channel.unary_unary(EXPORT)
        for data, ids in waiting:
            export(data, timeout=DEADLINE_S)
            ledger.note(data, ids, stored=True)
    collector.end(signal.SIGTERM)


def kills(cycles: int, seed: int) -> dict[str, Any]:
    """Kill again and again; a store lives through all ten kinds of moment, then a new one begins."""
    total: Counter[str] = Counter(cycles=0, acknowledged=0, lost=0, doubled=0, torn=0)
    moments = list(MOMENTS)
    while total["cycles"] < cycles:
        ledger = Ledger()
        with tempfile.TemporaryDirectory() as place:
            for number, moment in enumerate(moments[: cycles - total["cycles"]]):
                total.update(kill(Path(place), moment, seed + total["cycles"], ledger))
                total["cycles"] += 1
                if number % 3 == 2:
                    send_again(Path(place), ledger)
                    total.update(judged(Path(place), ledger))
        total["acknowledged"] += len(ledger.acknowledged)
    return dict(total)


def harm(place: Path, kind: str, dice: random.Random) -> int:
    """Damage a file; give the byte from which on it is another, or its length where something was added."""
    content = bytearray(place.read_bytes())
    at = dice.randrange(len(content) // 8, len(content))
    if kind.endswith("a flipped bit"):
        content[at] ^= 1 << dice.randrange(8)
    elif kind.endswith("zeros at the end"):
        content[at:] = bytes(len(content) - at)
    elif kind.endswith("cut"):
        del content[at:]
    elif kind.endswith("garbage"):
        at = len(content)
        content += dice.randbytes(4_096)
    else:
        at, content[0] = 0, content[0] ^ 0xFF
    place.write_bytes(content)
    return at


def damages(trials: int, seed: int) -> dict[str, Any]:
    """Damage what a killed collector left, again and again, each time from the same store."""
    total: Counter[str] = Counter(trials=0, did_not_start=0, kept_too_little=0, put_aside=0)
    with tempfile.TemporaryDirectory() as made:
        origin = Path(made)
        sizes = committed(origin, seed)
        for trial in range(trials):
            with tempfile.TemporaryDirectory() as place:
                damage(origin, Path(place), sizes, random.Random(seed + trial), DAMAGES[trial % len(DAMAGES)], total)
    return dict(total)


def committed(folder: Path, seed: int, requests: int = 24) -> list[tuple[int, set[int]]]:
    """Have a collector commit request after request and kill it; give the log's length and the ids after each."""
    collector = Collector(folder)
    endpoint, ids, found = collector.endpoint(), set[int](), []
    dice = random.Random(seed)
    with grpc.insecure_channel(endpoint) as channel:
        export = channel.unary_unary(EXPORT)
        for _ in range(requests):
            data, fresh = body(dice, 64)
            export(data, timeout=DEADLINE_S)
            ids |= set(fresh)
            found.append((log_file(folder / "s.duckdb").stat().st_size, set(ids)))
    collector.end(signal.SIGKILL)
    return found


def damage(
    origin: Path,
    folder: Path,
    sizes: list[tuple[int, set[int]]],
    dice: random.Random,
    kind: str,
    total: Counter[str],
) -> None:
    """Do one kind of damage to a copy, salvage it, and hold it against what was committed before the damage."""
    db = folder / "s.duckdb"
    for place in (origin / "s.duckdb", log_file(origin / "s.duckdb")):
        shutil.copy(place, folder / place.name)
    at = harm(db if kind.startswith("file") else log_file(db), kind, dice)
    total["trials"] += 1
    try:
        collector = Collector(folder)
        collector.endpoint()
        collector.end(signal.SIGTERM)
    except RuntimeError:
        total["did_not_start"] += 1
        return
    total["put_aside"] += any(".damaged-" in each.name or ".corrupt-" in each.name for each in folder.iterdir())
    before = max((ids for size, ids in sizes if size <= at), key=len, default=set())
    if not kind.startswith("file"):
        total["kept_too_little"] += not before <= stored(db).keys()


def full_disks(cycles: int, seed: int) -> dict[str, Any]:
    """Let files grow no further under load, then let go, again and again on one collector."""
    ledger, slowest = Ledger(), 0.0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        collector = Collector(folder, ("--settle", "1s"))
        endpoint = collector.endpoint()
        signals_ignored(collector.process.pid)
        for cycle in range(cycles):
            with load(endpoint, ledger, seed + cycle, 512):
                wait_for(ledger, 4, collector.process)
                size = max(path.stat().st_size for path in folder.glob("s.duckdb*") if path.is_file())
                limit(collector.process.pid, size + 100_000 * (cycle % 3))
                time.sleep(0.6)
                limit(collector.process.pid, resource.RLIM_INFINITY)
                began = time.monotonic()
                wait_for(ledger, 1, collector.process)
                slowest = max(slowest, time.monotonic() - began)
        collector.end(signal.SIGTERM)
        refused = len(ledger.unanswered)
        found = judged(folder, ledger)
    return {"cycles": cycles, **found, "refused_requests": refused, "slowest_resume_s": round(slowest, 2)}


def limit(pid: int, size: int) -> None:
    """Hold the size of the files that a process writes."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def signals_ignored(pid: int) -> None:
    """Make sure that a write beyond the limit is an error, and no end of the process (Python ignores SIGXFSZ)."""
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)
    if not ignored >> (signal.SIGXFSZ - 1) & 1:
        raise RuntimeError("the collector would be ended by SIGXFSZ")


def main() -> None:
    """Print the figures; exit 1 if anything was lost, doubled or torn, or did not start."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--kills", type=int, default=100)
    words.add_argument("--damages", type=int, default=60)
    words.add_argument("--full-disks", type=int, default=10)
    words.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    chosen = words.parse_args()
    trials: dict[str, tuple[Callable[[int, int], dict[str, Any]], int]] = {
        "kills": (kills, chosen.kills),
        "damages": (damages, chosen.damages),
        "full_disks": (full_disks, chosen.full_disks),
    }
    found = {name: trial(count, chosen.seed) for name, (trial, count) in trials.items() if count}
    print(json.dumps({"seed": chosen.seed, **found}))
    wrong = ("lost", "doubled", "torn", "did_not_start", "kept_too_little")
    raise SystemExit(any(one.get(name) for one in found.values() for name in wrong))


if __name__ == "__main__":
    main()

"""Mutated requests over the three transports: a real collector answers each in its class, at once, and lives on.

    python -m benchmarks.mutations --requests 1000000 --seed 7

Requests of the three signals, small ones made here and recorded ones (`sample_traces`), are damaged byte by byte or
field by field (`benchmarks.mutants`) and sent 64 at a time over gRPC, HTTP with protobuf and HTTP with JSON. What the
answer must be is said by the official parsers: protobuf's, and Python's for JSON. Where these leave it open, both
answers will do, and are counted:

- text that is not UTF-8 costs a span here, the whole request there;
- a request that holds groups, which protobuf has given up, or values nested over 32 deep may be refused (`stricter`),
  and so may one over gRPC that begins with an unknown field whose bytes begin zlib's format too;
- what is damaged inside exemplars, buckets and other parts of metrics that are passed over may go unseen;
- JSON of another shape than OTLP's, which the official classes refuse, may be taken in part.

Most of the CPU is the collector's, which does not fill two cores with what it does one after another: two of them,
each with its own store, are driven side by side (`--collectors`), and get half of the requests each.

A receiver that runs already is driven with `--endpoint HOST:PORT --http http://HOST:PORT --pid PID`; then what it logs
is not looked at, and it has crashed if it is gone.

`over_1_s` counts rounds of 64 requests that took longer than a second, `failures` errors that the collector logged,
`growth_mib` by how much more a collector's memory came to after the first tenth of its requests (200,000 at most) than
within it, `warm_mib`; none where it ended before that. `held_mib` is what it usually held (the median of ten looks a
second), tenth by tenth of its requests, `peaks_mib` what at most; of two collectors, the one that grew most. `stop_s`
is how long they took to end when they were told to. `driver_ms` and `collector_ms` are CPU time a request.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.forked import Nursery
from benchmarks.ledger import Collector
from benchmarks.meters import ProcessMeter
from benchmarks.mutants import Mutants, Wanted, is_stricter, wanted
from benchmarks.transports import TRANSPORTS
from collector.doors.grpc_body import encoding_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from benchmarks.mutants import Mutant

AT_ONCE: Final = 64
WARM: Final = 200_000
"""Requests to one collector: by then its file is larger than DuckDB's share of 1 GiB."""
END_S: Final = 300.0
"""A stop that takes longer is given up."""
FAILURES: Final = ("Traceback", "could not be read", "failed")


def judged(mutant: Mutant, answer: str, transport: str = "") -> str:
    """Give what an answer counts as: `ok`, `bad`, `stricter`, `later` or `wrong`."""
    if answer not in {"ok", "bad"}:
        return answer if answer == "later" else "wrong"
    due = wanted(mutant, was_taken=answer == "ok")
    if due in {Wanted.EITHER, Wanted(answer)}:
        return answer
    looks_packed = transport == "grpc" and encoding_of(mutant.data) != "identity"
    return "stricter" if answer == "bad" and (looks_packed or is_stricter(mutant)) else "wrong"


class Drive:
    """One transport's requests to one receiver."""

    def __init__(self, name: str, ready: dict[str, str], seed: str) -> None:
        encoding, make = TRANSPORTS[name]
        self.name = name
        self.counts: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.wrong: list[str] = []
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
        verdict = judged(mutant, answer, self.name)
        self.counts[verdict] += 1
        self.counts["requests"] += 1
        if verdict == "wrong" and len(self.wrong) < 20:
            self.wrong.append(f"{self.name} {mutant.signal} {answer}: {mutant.data.hex()}")


def resident_mib(pid: int) -> float:
    """Give what a process holds."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it is gone
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Receiver:
    """A receiver that is driven: its requests, and what it holds and takes meanwhile."""

    def __init__(self, ready: dict[str, str], pid: int, seed: str) -> None:
        self.pid = pid
        self.drives = [Drive(name, ready, seed) for name in TRANSPORTS]
        self._held: list[tuple[int, float]] = [(0, resident_mib(pid))]
        """What it held, in MiB, after how many requests."""
        self._meter = ProcessMeter(pid)
        self._began_s = self._meter.cpu_s()
        self.took_s = 0.0

    def look(self) -> None:
        """Note what it holds, and the CPU it took."""
        self.took_s = max(self.took_s, self._meter.cpu_s() - self._began_s)
        self._held.append((sum(drive.counts["requests"] for drive in self.drives), resident_mib(self.pid)))

    def memory(self, warm: int) -> dict[str, Any]:
        """Give what it held at most within its first `warm` requests, by how much more later, and usually by tenths."""
        later = [mib for sent, mib in self._held if sent >= warm]
        warm_mib = max((mib for sent, mib in self._held if sent < warm), default=0.0)
        parts: dict[int, list[float]] = defaultdict(list)
        for sent, mib in self._held:
            parts[min(9, 10 * sent // max(1, self._held[-1][0]))].append(mib)
        return {
            "warm_mib": round(warm_mib),
            "growth_mib": round(max(0.0, max(later) - warm_mib)) if later else None,
            "held_mib": [round(median(part)) for part in parts.values()],
            "peaks_mib": [round(max(part)) for part in parts.values()],
        }


def trial(requests: int, seed: int, minutes: float = 1e9, collectors: int = 1, settle: str = "1s") -> dict[str, Any]:
    """Drive collectors of its own with so many requests; say what came of it."""
    with ExitStack() as stack:
        nursery = stack.enter_context(Nursery())
        places = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(collectors)]
        started = [Collector(nursery, place, ("--settle", settle)) for place in places]
        addresses = [(each.ready(), each.process.pid) for each in started]
        found = driven(addresses, requests, seed, minutes)
        codes, stop_s = ended(started)
        lines = [line for each in started for line in each.said().splitlines()]
    failed = [line for line in lines if any(words in line for words in FAILURES)]
    for line in failed[:20]:
        print(line[:2_000], file=sys.stderr)
    return found | {"crashes": sum(code != 0 for code in codes), "failures": len(failed), "stop_s": stop_s}


def ended(started: Sequence[Collector]) -> tuple[list[int | None], float]:
    """Tell collectors to stop; give their codes, None for one that does not end, and how many seconds they took."""
    began = time.monotonic()
    for each in started:
        each.process.send_signal(signal.SIGTERM)
    codes: list[int | None] = []
    for each in started:
        try:
            codes.append(each.process.wait(END_S))
        except TimeoutError:
            codes.append(None)
    return codes, round(time.monotonic() - began, 1)


def watch(sending: Sequence[Future[None]], receivers: Sequence[Receiver]) -> None:
    """Look at the receivers until all is sent; what a sender raises is raised."""
    left = set(sending)
    while left:
        done, left = wait(left, 0.1, FIRST_EXCEPTION)
        for each in done:
            each.result()
        for receiver in receivers:
            receiver.look()


def driven(addresses: Sequence[tuple[dict[str, str], int]], requests: int, seed: int, minutes: float) -> dict[str, Any]:
    """Drive receivers (addresses, pid) with so many requests, a third over each transport; say what came of it."""
    stop = threading.Event()
    receivers = [Receiver(*each, f"{seed} {number}") for number, each in enumerate(addresses)]
    drives = [drive for receiver in receivers for drive in receiver.drives]
    share = -(-requests // len(drives))
    timer = threading.Timer(min(minutes * 60, threading.TIMEOUT_MAX), stop.set)
    timer.start()
    began, began_cpu_s = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(len(drives)) as pool:
        sending = [pool.submit(drive.run, share, stop) for drive in drives]
        try:
            watch(sending, receivers)
        finally:
            stop.set()
            timer.cancel()
    took_s, took_cpu_s = time.monotonic() - began, time.process_time() - began_cpu_s
    for line in (line for drive in drives for line in drive.wrong):
        print(line, file=sys.stderr)
    return {"seed": seed, "seconds": round(took_s, 1)} | told(
        receivers, took_s, took_cpu_s, min(WARM, requests // 10 // len(receivers))
    )


def told(receivers: Sequence[Receiver], took_s: float, took_cpu_s: float, warm: int) -> dict[str, Any]:
    """Give the figures of all receivers together, and the memory of the one that grew most."""
    drives = [drive for receiver in receivers for drive in receiver.drives]
    by_name = {name: sum((d.counts for d in drives if d.name == name), Counter[str]()) for name in TRANSPORTS}
    total = sum(by_name.values(), Counter[str]())
    memory = max((each.memory(warm) for each in receivers), key=lambda each: each["growth_mib"] or 0)
    return {
        "requests": total["requests"],
        "per_second": round(total["requests"] / took_s),
        "driver_ms": round(1e3 * took_cpu_s / total["requests"], 3),
        "collector_ms": round(1e3 * sum(each.took_s for each in receivers) / total["requests"], 3),
        "crashes": sum(not Path(f"/proc/{each.pid}").exists() for each in receivers),
        "wrong": total["wrong"],
        "over_1_s": total["over_1_s"],
        "slowest_ms": round(1e3 * max(drive.slowest_s for drive in drives)),
        "later": total["later"],
        **memory,
        **{name: dict(counts) for name, counts in by_name.items()},
    }


def main() -> None:
    """Print the figures; exit 1 after a crash, a wrong answer or an error in the log."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--requests", type=int, default=100_000)
    words.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    words.add_argument("--collectors", type=int, default=2, help="how many are driven side by side")
    words.add_argument(
        "--settle", default="1s", help="of the collectors; a short run analyses nothing with their default"
    )
    words.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    words.add_argument("--endpoint", help="gRPC address of a receiver that runs already")
    words.add_argument("--http", help="its HTTP address")
    words.add_argument("--pid", type=int, help="its process")
    chosen = words.parse_args()
    if chosen.endpoint:
        if not (chosen.http and chosen.pid):
            words.error("--endpoint goes with --http and --pid")
        ready = {"grpc": chosen.endpoint, "http": chosen.http}
        found = driven([(ready, chosen.pid)], chosen.requests, chosen.seed, chosen.minutes)
    else:
        found = trial(chosen.requests, chosen.seed, chosen.minutes, chosen.collectors, chosen.settle)
    print(json.dumps(found))
    raise SystemExit(any(found.get(name) for name in ("crashes", "wrong", "failures")))


if __name__ == "__main__":
    main()

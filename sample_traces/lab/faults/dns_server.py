"""A DNS server over UDP that answers late on demand, A and AAAA alike, and writes down when it did.

    dns_server.py --listen 10.0.0.5:53 --answer pricing=10.0.0.3 --late-ms 80 --cache-ms 300

With `--cache-ms` a name that was answered within that time is answered at once, as a caching resolver does: the first
lookup is slow and the next is not. AAAA questions get an empty answer (the name exists, no such record).
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from faults.log import Log, drawn_ms, say_ready

A, AAAA = 1, 28
_NXDOMAIN = 3


@dataclass(frozen=True)
class Question:
    """What a query asks: a name in lower case without the last dot, and a record type."""

    name: str
    record: int
    end: int  # where the question ends in the packet


def question(packet: bytes) -> Question:
    """The first question of a query.

    Raises:
        ValueError: the packet is no whole query.
    """
    at, labels = 12, []
    while at < len(packet) and packet[at]:
        size = packet[at]
        if size > 63 or at + 1 + size > len(packet):
            raise ValueError("not a name")
        labels.append(packet[at + 1 : at + 1 + size].decode("ascii", "replace").lower())
        at += 1 + size
    if at + 5 > len(packet):
        raise ValueError("cut short")
    return Question(".".join(labels), int.from_bytes(packet[at + 1 : at + 3], "big"), at + 5)


def answer(packet: bytes, known: Mapping[str, str]) -> bytes:
    """The answer to a query: the address of a known name, nothing for its other types, no such name otherwise.

    Raises:
        ValueError: the packet is no whole query.
    """
    asked = question(packet)
    address = known.get(asked.name)
    flags = 0x8580 | (0 if address else _NXDOMAIN)
    count = 1 if address and asked.record == A else 0
    numbers = (1, count, 0, 0)
    head = packet[:2] + flags.to_bytes(2, "big") + b"".join(number.to_bytes(2, "big") for number in numbers)
    record = b""
    if count and address:
        record = b"\xc0\x0c" + A.to_bytes(2, "big") + b"\x00\x01" + (0).to_bytes(4, "big") + b"\x00\x04"
        record += socket.inet_aton(address)
    return head + packet[12 : asked.end] + record


class Lateness:
    """How late a name's answer is: late the first time, at once while it is cached."""

    def __init__(self, late_ms: float, cache_ms: float, spread: float, salt: int) -> None:
        self._late_ms, self._cache_ms, self._spread, self._salt = late_ms, cache_ms, spread, salt
        self._fresh_until: dict[tuple[str, int], float] = {}
        self._asked = 0

    def of(self, asked: Question, now_ms: float) -> float:
        """Milliseconds to wait. A cached answer is fresh from when it was given."""
        key = (asked.name, asked.record)
        if now_ms < self._fresh_until.get(key, -1.0):
            return 0.0
        self._asked += 1
        late = drawn_ms(self._late_ms, self._spread, f"{self._salt}:{self._asked // 2}")
        self._fresh_until[key] = now_ms + late + self._cache_ms if self._cache_ms else -1.0
        return late


def serve(options: argparse.Namespace) -> None:
    """Answer until killed."""
    log = Log(options.witness, "the DNS server")
    known = dict(pair.split("=", 1) for pair in options.answer)
    lateness = Lateness(options.late_ms, options.cache_ms, options.spread, options.salt)
    host, port = options.listen.rsplit(":", 1)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((host, int(port)))
    say_ready(options.ready)
    while True:
        packet, sender = server.recvfrom(4096)
        now = time.monotonic_ns()
        with contextlib.suppress(ValueError):
            asked, reply = question(packet), answer(packet, known)
            late = lateness.of(asked, now / 1e6) if asked.name in known else 0.0

            def send(reply: bytes = reply, sender: tuple[str, int] = sender, now: int = now) -> None:
                server.sendto(reply, sender)
                log.line("injected", now, owner="dns")

            timer = threading.Timer(late / 1e3, send)
            timer.daemon = True
            timer.start()


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True, help="address:port")
    parser.add_argument("--answer", action="append", default=[], help="name=address (repeatable)")
    parser.add_argument("--late-ms", type=float, default=0)
    parser.add_argument("--cache-ms", type=float, default=0, help="answer a name at once for so long after an answer")
    parser.add_argument("--spread", type=float, default=0.15, help="delays differ by ± this part")
    parser.add_argument("--salt", type=int, default=0)
    parser.add_argument("--witness", default="")
    parser.add_argument("--ready", default="")
    return parser


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve(arguments().parse_args())

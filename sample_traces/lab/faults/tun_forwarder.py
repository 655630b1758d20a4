"""A wire of ours between two namespaces: two TUN devices, and this process between them, which may hold packets.

    tun_forwarder.py --near sl-x-web=10.78.1.1 --far sl-x-orders=10.78.1.2 --number 1 --syn-ms 60

Holding a SYN delays `connect` as a long path or a full backlog does; holding all packets of a direction delays that
leg. Packets of one direction never overtake each other's hold, except that what is not held passes what is.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from faults.log import Log, drawn_ms, say_ready
from hosts import enter_namespace
from scenario import hit

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_TCP, _SYN, _ACK = 6, 0x02, 0x10


def is_connect(packet: bytes) -> bool:
    """Whether an IPv4 packet is the first of a TCP connection (SYN without ACK)."""
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != _TCP:
        return False
    at = (packet[0] & 15) * 4
    return len(packet) > at + 13 and packet[at + 13] & (_SYN | _ACK) == _SYN


def source_port(packet: bytes) -> int:
    """The port that an IPv4 TCP packet comes from."""
    at = (packet[0] & 15) * 4
    return int.from_bytes(packet[at : at + 2], "big")


def make(namespace: str, device: str, own: str, peer: str) -> int:
    """A TUN device in a namespace, up, with its addresses; its file. Leaves this thread in that namespace."""
    enter_namespace(namespace)
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TUN | _IFF_NO_PI))
    for command in (["address", "add", own, "peer", peer, "dev", device], ["link", "set", device, "up"]):
        subprocess.run(["ip", *command], check=True, capture_output=True)
    return tun


class Wire:
    """Packets on their way, by when they are due."""

    def __init__(self, options: argparse.Namespace, log: Log) -> None:
        self.options, self.log = options, log
        self.held: list[tuple[int, int, int, bytes, int]] = []  # due, order, to, packet, since (0: nothing to tell)
        self.count = 0

    def take(self, packet: bytes, to: int, leg_ms: float, *, connects: bool) -> None:
        """Decide how long a packet waits."""
        now, ms, tell = time.monotonic_ns(), leg_ms, 0
        self.count += 1
        if connects and is_connect(packet) and hit(str(source_port(packet)), self.options.share, self.options.salt):
            ms += drawn_ms(self.options.syn_ms, self.options.spread, f"{self.options.salt}:{source_port(packet)}")
            tell = now
        if ms <= 0:
            os.write(to, packet)
        else:
            heapq.heappush(self.held, (now + int(ms * 1e6), self.count, to, packet, tell))

    def release(self) -> float:
        """Send what is due; seconds until the next is."""
        while self.held and self.held[0][0] <= time.monotonic_ns():
            _, _, to, packet, since = heapq.heappop(self.held)
            os.write(to, packet)
            if since:
                self.log.line("injected", since, owner="connect")
        return max(0.0, (self.held[0][0] - time.monotonic_ns()) / 1e9) if self.held else 1.0


def serve(options: argparse.Namespace) -> None:
    """Forward until killed."""
    (near_space, near), (far_space, far) = options.near.split("="), options.far.split("=")
    device = f"wire{options.number}"
    near_tun, far_tun = make(near_space, device, near, far), make(far_space, device, far, near)
    wire = Wire(options, Log(options.witness, "the forwarder"))
    say_ready(options.ready)
    while True:
        ready, _, _ = select.select([near_tun, far_tun], [], [], wire.release())
        if near_tun in ready:
            wire.take(os.read(near_tun, 65536), far_tun, options.request_ms, connects=True)
        if far_tun in ready:
            wire.take(os.read(far_tun, 65536), near_tun, options.response_ms, connects=False)


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--near", required=True, help="namespace=address of the side that connects")
    parser.add_argument("--far", required=True, help="namespace=address of the side that listens")
    parser.add_argument("--number", type=int, required=True, help="of the device")
    parser.add_argument("--syn-ms", type=float, default=0, help="hold each SYN")
    parser.add_argument("--request-ms", type=float, default=0, help="hold every packet to the listener")
    parser.add_argument("--response-ms", type=float, default=0, help="hold every packet from the listener")
    parser.add_argument("--share", type=float, default=1.0, help="of the connects, by their source port")
    parser.add_argument("--spread", type=float, default=0.15, help="SYN delays differ by ± this part")
    parser.add_argument("--salt", type=int, default=0)
    parser.add_argument("--witness", default="")
    parser.add_argument("--ready", default="")
    return parser


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve(arguments().parse_args())

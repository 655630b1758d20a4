"""A TCP proxy that holds bytes, per direction, and writes down when it did, on the monotonic clock.

    tcp_proxy.py --listen 10.0.0.2:8081 --to 10.0.0.2:8080 --request-ms 40 --share 0.5

It reads no more of HTTP/1.1 than where a request begins and which `x-request-id` and `x-lab-call` it carries, and no
more of TLS than which record is a hello. Holding `accept` would delay no connect (the backlog answers): that is
`tun_forwarder`'s work.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from faults.log import Log, drawn_ms, say_ready
from scenario import hit

_REQUEST = re.compile(rb"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+ HTTP/1\.[01]\r\n")
_HANDSHAKE = 22
_PRE_SHARED_KEY = 41


def header(head: bytes, name: str) -> str:
    """The value of a header in the bytes of a request's head, or the empty string."""
    found = re.search(rb"(?i)\r\n" + name.encode() + rb": *([^\r\n]*)", head)
    return found.group(1).decode("latin-1") if found else ""


def resumes(hello: bytes) -> bool:
    """Whether a TLS 1.3 ServerHello (a whole record) takes up a session that was offered (RFC 8446 §4.2.11)."""
    at = 5 + 4 + 2 + 32  # record and handshake headers, version, random
    try:
        at += 1 + hello[at]
        at += 2 + 1  # cipher suite and compression
        end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
        at += 2
        while at + 4 <= end:
            if int.from_bytes(hello[at : at + 2], "big") == _PRE_SHARED_KEY:
                return True
            at += 4 + int.from_bytes(hello[at + 2 : at + 4], "big")
    except IndexError:
        return False
    return False


@dataclass
class Talk:
    """One connection's state."""

    request_id: str = ""
    call: str = ""
    secure: bool = False
    greeted: bool = False
    waiting: bool = False  # a request went out and no answer came yet
    answered: int = 0
    last_ns: int = field(default_factory=time.monotonic_ns)
    server: bytes = b""


class Proxy:
    """The options, and what was seen."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.log = Log(options.witness, f"the proxy {options.listen}")
        self.seen: set[str] = set()

    def touches(self, talk: Talk) -> bool:
        """Whether the fault is for this request: by its id alone, and once where asked."""
        mark = talk.request_id + talk.call
        if self.options.once and mark in self.seen:
            return False
        self.seen.add(mark)
        return hit(talk.request_id, self.options.share, self.options.salt)

    async def hold(self, ms: float, cause: str, talk: Talk, since_ns: int) -> None:
        """Wait what is left of a delay, then write it down."""
        until = since_ns + int(drawn_ms(ms, self.options.spread, talk.request_id + cause) * 1e6)
        await asyncio.sleep(max(0, until - time.monotonic_ns()) / 1e9)
        self.log.line(cause, since_ns, owner=self.options.owner, request_id=talk.request_id, call=talk.call)

    async def outward(self, client: asyncio.StreamReader, server: asyncio.StreamWriter, talk: Talk) -> None:
        """Client to server."""
        while data := await client.read(65536):
            now = talk.last_ns = time.monotonic_ns()
            if not talk.greeted and data[0] == _HANDSHAKE:
                talk.secure = True
            if not talk.secure and _REQUEST.match(data):
                talk.request_id, talk.call = header(data, "x-request-id"), header(data, "x-lab-call")
                talk.waiting = True
                if self.options.request_ms and self.touches(talk):
                    await self.hold(self.options.request_ms, self.options.request_cause, talk, now)
            server.write(data)
            await server.drain()
        server.write_eof()

    async def inward(self, server: asyncio.StreamReader, client: asyncio.StreamWriter, talk: Talk) -> None:
        """Server to client."""
        while data := await server.read(65536):
            now = talk.last_ns = time.monotonic_ns()
            first, talk.waiting = talk.waiting, False
            if talk.secure and not talk.greeted and data[0] == _HANDSHAKE:
                talk.greeted = True
                if self.options.hello_ms and not (self.options.full_handshakes_only and resumes(data)):
                    await self.hold(self.options.hello_ms, "injected", talk, now)
            dripping = first and self.options.drip_ms and hit(talk.request_id, self.options.share, self.options.salt)
            if first and self.options.response_ms and self.touches_answer(talk):
                await self.hold(self.options.response_ms, "network", talk, now)
            if dripping and b"\r\n\r\n" in data:
                await self.drip(data, client, talk)
            else:
                client.write(data)
                await client.drain()
            talk.answered += first
            if self.options.close_after and talk.answered >= self.options.close_after and not talk.waiting:
                break
        client.close()

    def touches_answer(self, talk: Talk) -> bool:
        """As `touches`, for the answer."""
        return hit(talk.request_id, self.options.share, self.options.salt)

    async def drip(self, data: bytes, client: asyncio.StreamWriter, talk: Talk) -> None:
        """The head at once, the body in parts over the time of the drip."""
        head, body = data.split(b"\r\n\r\n", 1)
        client.write(head + b"\r\n\r\n" + body[:1])
        await client.drain()
        started, rest = time.monotonic_ns(), body[1:]
        whole_ms = drawn_ms(self.options.drip_ms, self.options.spread, talk.request_id + "drip")
        size = max(1, -(-len(rest) // 8))
        parts = [rest[at : at + size] for at in range(0, len(rest), size)]
        for number, part in enumerate(parts, 1):
            until = started + int(whole_ms * 1e6 * number / len(parts))
            await asyncio.sleep(max(0, until - time.monotonic_ns()) / 1e9)
            client.write(part)
            await client.drain()
        owner = self.options.owner
        self.log.line("transfer", started, owner=owner, request_id=talk.request_id, call=talk.call)

    async def closing(self, talk: Talk, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        """Hang up on a connection that was idle for long, as load balancers do."""
        idle_ns = int(self.options.idle_close_ms * 1e6)
        while True:
            await asyncio.sleep(idle_ns / 4e9)
            if not talk.waiting and time.monotonic_ns() - talk.last_ns > idle_ns:
                self.log.line("injected", talk.last_ns)
                client.close()
                server.close()
                return

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until both ends are done or one fails."""
        host, port = self.options.to.rsplit(":", 1)
        try:
            inner, outer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        talk = Talk()
        work = [asyncio.create_task(self.outward(reader, outer, talk))]
        work.append(asyncio.create_task(self.inward(inner, writer, talk)))
        if self.options.idle_close_ms:
            work.append(asyncio.create_task(self.closing(talk, writer, outer)))
        await asyncio.wait(work[1:], return_when=asyncio.FIRST_COMPLETED)
        for one in work:
            one.cancel()
        for done in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(done, Exception) and not isinstance(done, OSError | RuntimeError):
                print(f"tcp_proxy: {done!r}", file=sys.stderr)
        for end in (writer, outer):
            with contextlib.suppress(OSError, RuntimeError):
                end.close()


async def serve(options: argparse.Namespace) -> None:
    """Listen until killed."""
    host, port = options.listen.rsplit(":", 1)
    proxy = Proxy(options)
    server = await asyncio.start_server(proxy.connected, host, int(port), backlog=256)
    say_ready(options.ready)
    async with server:
        await server.serve_forever()


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True, help="address:port")
    parser.add_argument("--to", required=True, help="address:port of the server")
    parser.add_argument("--owner", default="", help="who owns what is held here: a seam, as contract §3 writes it")
    parser.add_argument("--request-ms", type=float, default=0, help="hold each request")
    parser.add_argument("--request-cause", default="network", help="what holding a request is called")
    parser.add_argument("--response-ms", type=float, default=0, help="hold the first bytes of each answer")
    parser.add_argument("--drip-ms", type=float, default=0, help="let the body drip over this time after its head")
    parser.add_argument("--hello-ms", type=float, default=0, help="hold each ServerHello")
    parser.add_argument("--full-handshakes-only", action="store_true", help="do not hold where a session is resumed")
    parser.add_argument("--close-after", type=int, default=0, help="hang up after so many answers")
    parser.add_argument("--idle-close-ms", type=float, default=0, help="hang up on a connection idle for so long")
    parser.add_argument("--share", type=float, default=1.0, help="of the requests, by their id")
    parser.add_argument("--salt", type=int, default=0, help="another choice of requests for the same share")
    parser.add_argument("--once", action="store_true", help="hold a request id's first request only: its retry passes")
    parser.add_argument("--spread", type=float, default=0.15, help="delays differ by ± this part")
    parser.add_argument("--witness", default="")
    parser.add_argument("--ready", default="")
    return parser


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments().parse_args()))

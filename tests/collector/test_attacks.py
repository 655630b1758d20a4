"""What is sent to do harm: bombs, floods and dawdlers, against a collector in a process of its own.

After each attack a good request is stored. What is packed never grows the process by twice the request limit, however
large it is inside. A request that is as large as it may be on the wire takes three times that over gRPC, for grpcio
copies a message twice while it hands it over.
"""

from __future__ import annotations

import gzip
import re
import resource
import socket
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import zstandard

from collector.doors.grpc_door import MESSAGE_BYTES
from tests.collector import traffic
from tests.collector.transports import TRANSPORTS, Said, read, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.collector.traffic import Listening

pytestmark = [
    pytest.mark.xdist_group("attacks"),
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="/proc tells the memory of a process"),
]
MIB = 1 << 20
TOKEN = "ingest-0123456789abcdef"  # noqa: S105 - of these tests
BOMB_BYTES = 256 * MIB
LIMIT = MESSAGE_BYTES


def memory(process: int, what: str) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(rf"{what}:\s+(\d+) kB", status)[0]) * 1024


class Victim:
    """A collector under attack."""

    def __init__(self, listening: Listening, token: str | None = None) -> None:
        self.grpc, self.http = listening.grpc, listening.http
        self.process = listening.program.process.pid
        self.bearer = {"authorization": f"Bearer {token}"} if token else {}
        self.seed = 0

    def works(self) -> None:
        """After whatever happened before, good requests are taken over both doors."""
        self.seed += 2
        data = [traffic.spans(8, seed=hash((self.seed, door))).SerializeToString() for door in range(2)]
        reply = traffic.call(self.grpc, data[0], metadata=tuple(self.bearer.items()))
        assert reply.code is grpc.StatusCode.OK, reply
        assert traffic.post(self.http, data[1], {**traffic.PROTOBUF, **self.bearer}).status == 200

    def grows(self, attack: Callable[[], Any]) -> int:
        """Return by how many bytes the process grew at most during an attack, without code of libraries that came back.

        An idle collector hands pages of files back to the system, 160 MiB of them; its next analysis, which may fall
        into any attack, reads a hundred anew.
        """
        Path(f"/proc/{self.process}/clear_refs").write_text("5")
        before, files = memory(self.process, "VmRSS"), memory(self.process, "RssFile")
        attack()
        grown = memory(self.process, "VmHWM") - before - max(0, memory(self.process, "RssFile") - files)
        self.works()
        return grown


def attacked(folder: Path, *arguments: str, token: str | None = None) -> Iterator[Victim]:
    with traffic.collecting(folder, "--db", "store.duckdb", *arguments) as listening:
        listening.program._watchdog.cancel()  # several tests share it
        victim = Victim(listening, token)
        for _ in range(3):
            victim.works()
        yield victim


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    yield from attacked(tmp_path_factory.mktemp("victim"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "tokens").write_text(f"{TOKEN}\n")
    yield from attacked(folder, "--token-file", "tokens", token=TOKEN)


# Bombs: small on the wire, large inside.


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def test_a_gzip_bomb_over_grpc_stays_packed(victim: Victim) -> None:
    said: list[Said] = []
    grown = victim.grows(lambda: said.append(send("grpc", victim, bytes(BOMB_BYTES), zipped=True)))  # type: ignore[arg-type]
    assert said[0].verdict == "too large"
    assert grown < 2 * LIMIT


def test_a_deflate_bomb_over_grpc_stays_packed(victim: Victim) -> None:
    codes: list[grpc.StatusCode] = []

    def attack() -> None:
        with grpc.insecure_channel(str(victim.grpc), [("grpc.max_send_message_length", -1)]) as channel:
            call = channel.unary_unary(traffic.METHODS["traces"], lambda data: data)
            try:
                call(bytes(BOMB_BYTES), timeout=traffic.DEADLINE_S, compression=grpc.Compression.Deflate)
            except grpc.RpcError as error:
                codes.append(error.code())

    assert victim.grows(attack) < 2 * LIMIT
    assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED]


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip.compress(bytes(BOMB_BYTES), 1),
    "gzip, members": lambda: gzip.compress(bytes(16 * MIB)) * 16,
    "deflate": lambda: zlib.compress(bytes(BOMB_BYTES), 1),
    "zstd": lambda: zstandard.ZstdCompressor().compress(bytes(BOMB_BYTES)),
    "zstd, frames": lambda: zstandard.ZstdCompressor().compress(bytes(16 * MIB)) * 16,
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_packed_bomb_over_http_stays_packed(victim: Victim, what: str) -> None:
    data, headers = BOMBS[what](), {**traffic.PROTOBUF, "content-encoding": what.partition(",")[0]}
    answers: list[traffic.Answer] = []
    grown = victim.grows(lambda: answers.append(traffic.post(victim.http, data, headers)))
    assert answers[0].status == 413
    assert grown < 2 * LIMIT


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_packed_twice_is_not_unpacked_twice(victim: Victim, encoding: str) -> None:
    packers: dict[str, Any] = {"gzip": gzip, "deflate": zlib, "zstd": zstandard.ZstdCompressor()}
    pack = packers[encoding].compress
    inner = pack(traffic.spans(8).SerializeToString())
    assert traffic.post(victim.http, pack(inner), {**traffic.PROTOBUF, "content-encoding": encoding}).status == 400
    both = {**traffic.PROTOBUF, "content-encoding": f"{encoding}, {encoding}"}
    assert traffic.post(victim.http, pack(inner), both).status == 415


@pytest.mark.parametrize("cut", [slice(None, -3), slice(None, 10), slice(4, None)])
def test_a_damaged_zstd_body_is_bad_data(victim: Victim, cut: slice) -> None:
    data = zstandard.ZstdCompressor(write_checksum=True).compress(traffic.spans(64).SerializeToString())
    assert (
        read(traffic.post(victim.http, data[cut], {**traffic.PROTOBUF, "content-encoding": "zstd"})).verdict
        == "bad data"
    )
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27))
    stream = wide.compressobj()  # no size in its head, so its window counts
    data = stream.compress(bytes(64)) + stream.flush()
    assert read(traffic.post(victim.http, data, {**traffic.PROTOBUF, "content-encoding": "zstd"})).verdict == "bad data"


def in_scope(spans: bytes) -> bytes:
    return field(1, field(2, spans))


ITEMS: dict[str, bytes] = {
    "spans": in_scope(b"\x12\x00" * 16_000_000),
    "resources": b"\x0a\x00" * 32_000_000,
    "scopes": field(1, b"\x12\x00" * 16_000_000),
    "attributes": in_scope(field(2, b"\x4a\x00" * 16_000_000)),
    "events": in_scope(field(2, b"\x5a\x00" * 16_000_000)),
    "links": in_scope(field(2, b"\x6a\x00" * 16_000_000)),
    "values of an array": in_scope(field(2, field(9, field(2, field(5, b"\x0a\x00" * 16_000_000))))),
}


@pytest.mark.parametrize("what", ITEMS)
@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_a_bomb_of_items_is_not_built(victim: Victim, transport: str, what: str) -> None:
    said: list[Said] = []
    grown = victim.grows(lambda: said.append(send(transport, victim, ITEMS[what], zipped=True)))  # type: ignore[arg-type]
    assert said[0].verdict == "bad data"
    assert grown < 2 * LIMIT


JSON_BOMBS = {
    "spans": b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 10_000_000 + b"{}]}]}]}",
    "unknown members": b'{"x":[' + b"[]," * 10_000_000 + b"[]]}",
    "open brackets": b"[" * 30_000_000,
    "open objects": b'{"a":' * 6_000_000,
    "a long number": b'{"x":' + b"9" * 30_000_000 + b"}",
    "a long text": b'{"x":"' + b"a" * 30_000_000,
}


@pytest.mark.parametrize("what", JSON_BOMBS)
def test_a_bomb_of_json_is_not_built(victim: Victim, what: str) -> None:
    said: list[Said] = []
    grown = victim.grows(lambda: said.append(send("http/json", victim, JSON_BOMBS[what], zipped=True)))  # type: ignore[arg-type]
    assert said[0].verdict == ("ok" if what in {"unknown members", "a long number"} else "bad data")
    assert grown < 2 * LIMIT


def nested(depth: int) -> bytes:
    """Return a span with an attribute whose arrays nest so deep; lengths make it quadratic, so it is built inwards."""
    value = b""
    for _ in range(depth):
        value = field(5, field(1, value))  # an array in a value
    return in_scope(field(2, field(9, field(1, b"k") + field(2, value))))


@pytest.mark.parametrize("depth", [100, 5_000])
@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_a_bomb_of_nesting_is_bad_data(victim: Victim, transport: str, depth: int, signal: str) -> None:
    data, said = nested(depth), []
    grown = victim.grows(lambda: said.append(send(transport, victim, data, signal)))  # type: ignore[arg-type]
    assert said[0].verdict == "bad data" or (signal != "traces" and said[0].verdict == "ok"), said
    assert grown < 2 * LIMIT


def in_parallel(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(jobs)) as threads:
        return list(threads.map(lambda job: job(), jobs))


@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_large_bodies_of_strangers_are_not_read(guarded: Victim, transport: str) -> None:
    body, said = bytes(60 * MIB), []

    def stranger() -> str:
        if transport == "grpc":
            return str(traffic.call(guarded.grpc, body).code.name)
        try:
            return str(traffic.post(guarded.http, body, traffic.PROTOBUF).status)
        except ConnectionError:
            return "401"  # it was hung up on while it still sent

    grown = guarded.grows(lambda: said.extend(in_parallel([stranger] * 8)))
    assert set(said) <= {"UNAUTHENTICATED", "401"}
    assert grown < 2 * LIMIT  # what HTTP/2 and TCP take before anybody reads


@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_large_bodies_together_stay_within_the_budget(victim: Victim, transport: str) -> None:
    """The largest requests, eight at once: what cannot be held is refused for now.

    grpcio holds a message three times while it hands it over, and how many are handed over at once is chance: 4.9 to
    8.7 times the limit in 29 runs, some of them on other event loops. Over HTTP two may be arriving, one is held and
    one is decoded, and code that was let go of comes back: 1.1 to 5.0 times.
    """
    said: list[Said] = []
    body = field(2047, bytes(60 * MIB))  # an unknown field: nothing of it is stored
    jobs = [lambda: send(transport, victim, body)] * 8  # type: ignore[arg-type]
    grown = victim.grows(lambda: said.extend(in_parallel(jobs)))
    assert {each.verdict for each in said} <= {"ok", "later"}
    assert "ok" in {each.verdict for each in said}
    assert grown < (10 if transport == "grpc" else 6) * LIMIT


# Floods and dawdlers.


def hpack(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


METHOD = traffic.METHODS["traces"].encode()
HEAD = b"".join(
    hpack(name, value)
    for name, value in [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", METHOD),
        (b":authority", b"x"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    ]
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "rapid reset": lambda: (
        frame(1, 4, 2 * number + 1, HEAD) + frame(3, 0, 2 * number + 1, bytes(4)) for number in range(20_000)
    ),
    "pings": lambda: (frame(6, 0, 0, bytes(8)) for _ in range(20_000)),
    "settings": lambda: (frame(4, 0, 0, struct.pack(">HI", 4, 65_535)) for _ in range(20_000)),
    "empty data": lambda: iter([frame(1, 4, 1, HEAD), *([frame(0, 0, 1)] * 20_000)]),
    "continuations": lambda: iter([frame(1, 0, 1, HEAD), *([frame(9, 0, 1, hpack(b"x", b"y" * 99))] * 20_000)]),
    "priorities": lambda: (frame(2, 0, 2 * number + 1, bytes(5)) for number in range(20_000)),
    "open streams": lambda: (frame(1, 4, 2 * number + 1, HEAD) for number in range(20_000)),
    "unknown frames": lambda: (frame(200, 255, 0, bytes(64)) for _ in range(20_000)),
    "window updates": lambda: (frame(8, 0, 0, struct.pack(">I", 1)) for _ in range(20_000)),
    "a window of nothing": lambda: iter(
        [frame(4, 0, 0, struct.pack(">HI", 4, 0)), frame(1, 4, 1, HEAD), frame(0, 1, 1, bytes(5))]
    ),
    "zeros": lambda: iter([bytes(64)] * 20_000),
}


def flood(victim: Victim, pieces: Iterator[bytes]) -> None:
    """Send until everything is sent or the other side has had enough; what it says is read and dropped."""
    with closing(socket.create_connection((victim.grpc.host, victim.grpc.port), traffic.DEADLINE_S)) as raw:
        raw.setblocking(False)
        data = memoryview(PREFACE + b"".join(pieces))
        with ThreadPoolExecutor(1) as reader:
            reading = reader.submit(drain, raw)
            try:
                raw.settimeout(traffic.DEADLINE_S)
                raw.sendall(data)
                raw.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            reading.result()


def drain(raw: socket.socket) -> None:
    try:
        while raw.recv(1 << 16):
            pass
    except OSError:
        return


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_of_frames_is_survived(victim: Victim, what: str) -> None:
    grown = victim.grows(lambda: in_parallel([lambda: flood(victim, FLOODS[what]())] * 4))
    assert grown < LIMIT


def test_heads_that_are_too_large_are_refused(victim: Victim) -> None:
    large = "x" * 100_000
    answer = traffic.post(victim.http, b"", {**traffic.PROTOBUF, "x-large": large})
    assert answer.status == 431
    many = {f"x-{number}": "y" * 200 for number in range(90)}
    assert traffic.post(victim.http, b"", {**traffic.PROTOBUF, **many}).status == 431
    reply = traffic.call(victim.grpc, b"", metadata=(("x-large", large),))
    assert reply.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    victim.works()


SMUGGLED = [
    b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
    b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"content-length: -1\r\n\r\n",
    b"content-length: 99999999999999999999999\r\n\r\n",
    b"x\x00y: 1\r\n\r\n",
    b"authorization : Bearer x\r\n\r\n",
]


@pytest.mark.parametrize("head", SMUGGLED)
def test_a_head_that_can_be_read_two_ways_is_not_read(victim: Victim, head: bytes) -> None:
    inner = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with closing(socket.create_connection((victim.http.host, victim.http.port), traffic.DEADLINE_S)) as raw:
        raw.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" + head + inner)
        raw.shutdown(socket.SHUT_WR)
        said = b""
        while piece := raw.recv(4096):
            said += piece
    assert not said or said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))  # nothing to those who leave half-way
    assert said.count(b"HTTP/1.1") <= 1  # what follows is no request of its own
    victim.works()


def test_silent_connections_hold_nobody_up(victim: Victim) -> None:
    with ExitStack() as held:
        for address in (victim.grpc, victim.http):
            for _ in range(400):
                raw = socket.create_connection((address.host, address.port), traffic.DEADLINE_S)
                held.enter_context(closing(raw))
        victim.works()


def test_when_files_run_out_connections_wait_and_come_back(tmp_path: Path) -> None:
    """With few descriptors left for sockets, what cannot be accepted waits, and is served when others have gone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with traffic.collecting(tmp_path, "--db", "store.duckdb") as listening:
        victim = Victim(listening)
        victim.works()
        resource.prlimit(victim.process, resource.RLIMIT_NOFILE, (128, hard))
        with ExitStack() as held:
            for address in (victim.grpc, victim.http):
                for _ in range(100):
                    raw = socket.create_connection((address.host, address.port), traffic.DEADLINE_S)
                    held.enter_context(closing(raw))
        resource.prlimit(victim.process, resource.RLIMIT_NOFILE, (soft, hard))
        victim.works()


def test_transports_are_all_attacked() -> None:
    assert TRANSPORTS == ("grpc", "http/protobuf", "http/json")

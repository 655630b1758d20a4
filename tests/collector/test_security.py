"""Who gets in: tokens, certificates, origins and public addresses, over both doors, and readers over the network."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import trustme

from collector.doors.certificates import Certificates
from collector.doors.entry import Security
from seamscope.errors import DataError, EndpointError, QueryError, UsageError
from seamscope.remote import SERVICE, Lent, open_store
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.doors.addresses import Address
    from collector.serve import Collector

INGEST, READ = "ingest-0123456789abcdef", "read-0123456789abcdef"
PUBLIC = {"grpc": "0.0.0.0:0", "http": "127.0.0.1:0"}


@dataclass(frozen=True)
class Papers:
    """A CA, a server's certificate and a client's, as files."""

    folder: Path
    authority: trustme.CA

    def write(self, name: str, leaf: trustme.LeafCert) -> tuple[Path, Path]:
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return cert, key

    def server(self) -> tuple[Path, Path]:
        return self.write("server", self.authority.issue_cert("127.0.0.1", "localhost"))

    @property
    def ca(self) -> Path:
        self.authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        return self.folder / "ca.pem"

    def credentials(self, leaf: trustme.LeafCert | None = None) -> Any:
        own = (leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes()) if leaf else ()
        return grpc.ssl_channel_credentials(self.authority.cert_pem.bytes(), *own)

    def context(self, leaf: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if leaf:
            leaf.configure_cert(context)
        return context


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"), trustme.CA())


def token_files(folder: Path) -> dict[str, Any]:
    (folder / "ingest-tokens").write_text(f"{INGEST}\n")
    (folder / "read-tokens").write_text(f"{READ}\n")
    return {"token_file": folder / "ingest-tokens", "read_token_file": folder / "read-tokens"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, papers: Papers) -> Iterator[Collector]:
    """TLS, tokens and one web origin."""
    folder = tmp_path_factory.mktemp("guarded")
    cert, key = papers.server()
    security = Security(**token_files(folder), tls_cert=cert, tls_key=key, origins=("https://app.example",))
    with traffic.running(folder, security=security) as running:
        yield running


def bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


def stores(collector: Collector, papers: Papers, seed: str) -> None:
    """Whoever has the token gets in, over both doors."""
    over_grpc, over_http = traffic.spans(8, seed=hash(seed)), traffic.spans(8, seed=hash(seed) + 1)
    reply = traffic.call(
        collector.grpc, over_grpc.SerializeToString(), metadata=bearer(INGEST), credentials=papers.credentials()
    )
    assert reply.code is grpc.StatusCode.OK, reply
    headers = {**traffic.PROTOBUF, **dict(bearer(INGEST))}
    answer = traffic.post(collector.http, over_http.SerializeToString(), headers, context=papers.context())
    assert answer.status == 200
    assert traffic.span_ids(over_grpc) | traffic.span_ids(over_http) <= traffic.stored_spans(collector.store)


def test_with_tls_and_a_token_spans_are_stored(guarded: Collector, papers: Papers) -> None:
    stores(guarded, papers, "good")


@pytest.mark.parametrize(
    ("metadata", "code", "status"),
    [
        ([], "UNAUTHENTICATED", 401),
        (bearer("wrong-0123456789abcdef"), "UNAUTHENTICATED", 401),
        ([*bearer(INGEST), *bearer(INGEST)], "UNAUTHENTICATED", 401),
        (bearer(READ), "PERMISSION_DENIED", 403),
    ],
)
def test_without_the_token_nobody_sends(
    guarded: Collector, papers: Papers, metadata: list[tuple[str, str]], code: str, status: int
) -> None:
    denied = sum(guarded.telemetry.snapshot()["denied_requests"].values())  # type: ignore[attr-defined]
    stored = traffic.count(guarded.store, "spans")
    data = traffic.spans(8, seed=hash(code)).SerializeToString()
    reply = traffic.call(guarded.grpc, data, metadata=metadata, credentials=papers.credentials())
    assert reply.code.name == code
    answer = raw_post(guarded.http, papers.context(), metadata, data)
    assert answer.status == status
    assert answer.headers["content-type"] == traffic.PROTOBUF["content-type"]
    assert (answer.headers.get("www-authenticate") == "Bearer") == (status == 401)
    assert traffic.count(guarded.store, "spans") == stored
    assert sum(guarded.telemetry.snapshot()["denied_requests"].values()) == denied + 2  # type: ignore[attr-defined]


def raw_post(address: Address, context: ssl.SSLContext, headers: list[tuple[str, str]], data: bytes) -> traffic.Answer:
    """Post with headers that may repeat."""
    import http.client

    connection = http.client.HTTPSConnection(address.host, address.port, timeout=traffic.DEADLINE_S, context=context)
    with closing(connection):
        connection.putrequest("POST", "/v1/traces")
        for key, value in [*headers, *traffic.PROTOBUF.items(), ("content-length", str(len(data)))]:
            connection.putheader(key, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        return traffic.Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


def test_a_body_is_not_asked_for_without_the_token(guarded: Collector, papers: Papers) -> None:
    with closing(socket.create_connection((guarded.http.host, guarded.http.port), traffic.DEADLINE_S)) as raw:
        head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 60000000\r\nexpect: 100-continue\r\n\r\n"
        with papers.context().wrap_socket(raw, server_hostname="127.0.0.1") as secured:
            secured.sendall(head)
            assert secured.recv(4096).startswith(b"HTTP/1.1 401")


def test_without_tls_nobody_gets_in(guarded: Collector, papers: Papers) -> None:
    for address in (guarded.grpc, guarded.http):
        with closing(socket.create_connection((address.host, address.port), traffic.DEADLINE_S)) as raw:
            raw.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
            said = b""
            while piece := _received(raw):
                said += piece
            assert b"200" not in said
    stores(guarded, papers, "plain")


def _received(raw: socket.socket) -> bytes:
    try:
        return raw.recv(4096)
    except ConnectionResetError:
        return b""


def test_old_tls_is_refused(guarded: Collector, papers: Papers) -> None:
    context = papers.context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    for address in (guarded.grpc, guarded.http):
        with (
            closing(socket.create_connection((address.host, address.port), traffic.DEADLINE_S)) as raw,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            context.wrap_socket(raw, server_hostname="127.0.0.1")
    stores(guarded, papers, "old tls")


def test_a_handshake_that_dawdles_is_ended(tmp_path: Path, papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    from collector.doors import grpc_door, http_server

    quick = tuple(
        (key, 3_000 if key == "grpc.server_handshake_timeout_ms" else value) for key, value in grpc_door.OPTIONS
    )
    monkeypatch.setattr(grpc_door, "OPTIONS", quick)
    monkeypatch.setattr(http_server, "HANDSHAKE_S", 3.0)
    cert, key = papers.server()
    with traffic.running(tmp_path, security=Security(tls_cert=cert, tls_key=key)) as running, ExitStack() as opened:
        slow = []
        for address in (running.grpc, running.http):
            for said in (b"", b"\x16\x03\x01"):  # nothing, or the first bytes of a greeting
                raw = socket.create_connection((address.host, address.port), traffic.DEADLINE_S)
                slow.append(opened.enter_context(closing(raw)))
                raw.sendall(said)
        for raw in slow:
            raw.settimeout(30)  # sooner than anybody ends it who was not told to
            while _received(raw):  # until it is hung up on
                pass
        data = traffic.spans(8).SerializeToString()
        assert traffic.call(running.grpc, data, credentials=papers.credentials()).code is grpc.StatusCode.OK


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory, papers: Papers) -> Iterator[Collector]:
    """Client certificates instead of tokens."""
    cert, key = papers.server()
    security = Security(tls_cert=cert, tls_key=key, tls_client_ca=papers.ca)
    with traffic.running(tmp_path_factory.mktemp("mutual"), security=security) as running:
        yield running


def test_a_client_certificate_of_the_ca_lets_in(mutual: Collector, papers: Papers) -> None:
    own = papers.authority.issue_cert("edge.example")
    request = traffic.spans(8, seed=1)
    reply = traffic.call(mutual.grpc, request.SerializeToString(), credentials=papers.credentials(own))
    assert reply.code is grpc.StatusCode.OK, reply
    answer = traffic.post(mutual.http, request.SerializeToString(), traffic.PROTOBUF, context=papers.context(own))
    assert answer.status == 200


@pytest.mark.parametrize("which", ["none", "of another CA", "expired"])
def test_no_other_certificate_does(mutual: Collector, papers: Papers, which: str) -> None:
    import datetime as dt

    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    leaf = {
        "none": None,
        "of another CA": trustme.CA().issue_cert("edge.example"),
        "expired": papers.authority.issue_cert("edge.example", not_after=before),
    }[which]
    stored = traffic.count(mutual.store, "spans")
    data = traffic.spans(8, seed=2).SerializeToString()
    assert traffic.call(mutual.grpc, data, credentials=papers.credentials(leaf)).code is grpc.StatusCode.UNAVAILABLE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        traffic.post(mutual.http, data, traffic.PROTOBUF, context=papers.context(leaf))
    assert traffic.count(mutual.store, "spans") == stored


def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    old, new = Papers(tmp_path, trustme.CA()), Papers(tmp_path, trustme.CA())
    cert, key = old.server()
    certificates = Certificates(cert, key, look_s=0)
    first = certificates.current()
    cert.write_bytes(new.authority.issue_cert("127.0.0.1").cert_chain_pems[0].bytes())  # its key is still to come
    assert certificates.current() is first
    new.server()
    second = certificates.current()
    assert second is not first
    assert handshake(certificates.context(), new.context()) == "127.0.0.1"
    with pytest.raises(ssl.SSLError):
        handshake(certificates.context(), old.context())


def test_a_certificate_that_could_not_be_read_is_tried_again(
    tmp_path: Path, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = papers.server()
    certificates = Certificates(cert, key, look_s=0)
    first = certificates.current()
    renewed = Papers(tmp_path, papers.authority).server()
    for place, new in zip((cert, key), renewed, strict=True):
        new.replace(place)
    monkeypatch.setattr("collector.doors.certificates._bytes", _denied)
    assert certificates.current() is first
    monkeypatch.undo()
    assert certificates.current() is not first


def _denied(file: Path) -> bytes:
    raise DataError(f"cannot read {file}")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Shake hands in memory; return the name that the server's certificate is for."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for _ in range(10):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found: Any = here.getpeercert()
    return str(found["subjectAltName"][0][1])


def test_both_doors_follow_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.doors.certificates.LOOK_S", 0.0)
    monkeypatch.setattr(Certificates.__init__, "__defaults__", (None, 0.0))
    old, new = Papers(tmp_path, trustme.CA()), Papers(tmp_path, trustme.CA())
    cert, key = old.server()
    security = Security(tls_cert=cert, tls_key=key)
    data = traffic.spans(8).SerializeToString()
    with traffic.running(tmp_path, security=security) as running:
        for papers in (old, new):
            papers.server()
            reply = traffic.call(running.grpc, data, credentials=papers.credentials())
            assert reply.code is grpc.StatusCode.OK, reply
            assert traffic.post(running.http, data, traffic.PROTOBUF, context=papers.context()).status == 200


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path, papers: Papers) -> None:
    cert, _ = papers.server()
    _, other_key = papers.write("other", papers.authority.issue_cert("elsewhere"))
    for wrong in (other_key, cert, tmp_path / "absent"):
        with pytest.raises(DataError):
            Certificates(cert, wrong)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "without encryption.*and without a token"),
        ({"token_file": Path("tokens")}, "without encryption"),
        ({"tls_cert": Path("c"), "tls_key": Path("k")}, "without a token"),
        ({"tls_cert": Path("c")}, "--tls-key"),
        ({"tls_client_ca": Path("c")}, "--tls-cert"),
        ({"origins": ("https://app.example/",), "insecure_public": True}, "--cors-origin"),
        ({"origins": ("app.example",), "insecure_public": True}, "--cors-origin"),
        ({"origins": ("https://*.example",), "insecure_public": True}, "--cors-origin"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    from collector.doors.addresses import Address

    public = Address("0.0.0.0", 0)  # noqa: S104 - that is the point
    with (
        pytest.raises(UsageError, match=words) as error,
        traffic.running(tmp_path, grpc=public, security=Security(**more)),
    ):
        pass
    assert error.value.exit_code == 2
    assert not (tmp_path / "store.duckdb").exists()


def test_a_public_address_with_both_or_by_its_name_is_taken(tmp_path: Path, papers: Papers) -> None:
    from collector.doors.addresses import Address

    public = (Address("0.0.0.0", 4317),)  # noqa: S104 - that is the point
    cert, key = papers.server()
    Security(tls_cert=cert, tls_key=key, token_file=token_files(tmp_path)["token_file"]).check(public)
    Security(tls_cert=cert, tls_key=key, tls_client_ca=papers.ca).check(public)
    Security(insecure_public=True).check(public)


def test_readers_elsewhere_need_the_read_token(guarded: Collector, papers: Papers) -> None:
    stores(guarded, papers, "to read")
    target = f"grpc://{guarded.grpc}"
    with open_store(target, token=READ, tls_ca=papers.ca) as reader:
        assert reader.query("SELECT count(*) AS n FROM spans")["n"][0] == traffic.count(guarded.store, "spans")
        wide = reader.query("SELECT range AS n, repeat('x', 100) AS t FROM range(50000)")
        assert wide["n"].sum() == 50000 * 49999 // 2  # an answer of several messages
        with pytest.raises(QueryError, match="nosuch"):
            reader.query("SELECT * FROM nosuch")
        with pytest.raises(QueryError):
            reader.query("CREATE TABLE t (a INTEGER)")
        assert isinstance(reader, Lent)
        with pytest.raises(EndpointError, match="only read") as error:
            reader.analyze()
        assert "collector's machine" in error.value.hint
    for token, words in ((None, "wants a read token"), (INGEST, "not one to read"), ("x" * 20, "wants a read token")):
        with pytest.raises(EndpointError, match=words):
            open_store(target, token=token, tls_ca=papers.ca)
    with pytest.raises(EndpointError):
        open_store(target, token=READ)  # in plain text


def test_a_store_that_is_not_lent_says_so(tmp_path: Path) -> None:
    with traffic.running(tmp_path) as running, pytest.raises(EndpointError, match="does not lend"):
        open_store(f"grpc://{running.grpc}", token=READ)


def test_a_reader_who_leaves_frees_the_cursor(guarded: Collector, papers: Papers) -> None:
    """Queries that are given up do not keep the two cursors busy: more of them than there are get their turn."""
    endless = "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t"
    with grpc.secure_channel(str(guarded.grpc), papers.credentials()) as channel:
        ask = channel.unary_stream(f"{SERVICE}Query")
        for _ in range(4):
            call = ask(json.dumps({"sql": endless}).encode(), metadata=bearer(READ))
            gone = threading.Event()
            call.add_callback(gone.set)
            call.cancel()
            assert gone.wait(traffic.DEADLINE_S)
    with open_store(f"grpc://{guarded.grpc}", token=READ, tls_ca=papers.ca) as reader:
        assert reader.query("SELECT 1 AS one")["one"][0] == 1


def test_health_is_told_to_all_and_counts_to_readers(guarded: Collector, papers: Papers) -> None:
    def look(token: str | None) -> dict[str, Any]:
        headers = dict(bearer(token)) if token else {}
        answer = traffic.post(guarded.http, b"", headers, "/healthz", "GET", papers.context())
        assert answer.status == 200
        found: dict[str, Any] = json.loads(answer.body)
        return found

    assert look(None) == look(INGEST) == {"status": "ok"}
    assert "signals" in look(READ)


@pytest.fixture(scope="module")
def open_to_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    security = Security(origins=("https://app.example",))
    with traffic.running(tmp_path_factory.mktemp("pages"), security=security) as running:
        yield running


PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,authorization"}


def test_a_page_that_is_allowed_may_send(open_to_pages: Collector) -> None:
    origin = {"origin": "https://app.example"}
    asked = traffic.post(open_to_pages.http, b"", {**origin, **PREFLIGHT}, method="OPTIONS")
    assert asked.status == 200
    assert asked.headers["access-control-allow-origin"] == origin["origin"]
    assert "authorization" in asked.headers["access-control-allow-headers"]
    request = traffic.spans(8, seed=1)
    answer = traffic.post(open_to_pages.http, traffic.as_json(request), {**traffic.JSON, **origin})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin["origin"]
    assert traffic.span_ids(request) <= traffic.stored_spans(open_to_pages.store)


def test_a_page_that_is_allowed_may_not_look(open_to_pages: Collector) -> None:
    answer = traffic.post(open_to_pages.http, b"", {"origin": "https://app.example"}, "/healthz", "GET")
    assert json.loads(answer.body) == {"status": "ok"}
    assert "signals" in json.loads(traffic.post(open_to_pages.http, b"", {}, "/healthz", "GET").body)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"]
)
def test_no_other_page_may(open_to_pages: Collector, origin: str) -> None:
    asked = traffic.post(open_to_pages.http, b"", {"origin": origin, **PREFLIGHT}, method="OPTIONS")
    assert asked.status == 400
    assert "access-control-allow-origin" not in asked.headers
    stored = traffic.count(open_to_pages.store, "spans")
    answer = traffic.post(open_to_pages.http, b"{}", {**traffic.JSON, "origin": origin})
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    assert json.loads(answer.body)["code"] == grpc.StatusCode.PERMISSION_DENIED.value[0]
    assert traffic.count(open_to_pages.store, "spans") == stored


def test_without_allowed_origins_no_page_may_send_or_look(tmp_path: Path) -> None:
    with traffic.running(tmp_path) as running:
        own = f"http://{running.http}"  # a name that somebody's DNS points here makes any page one of our own
        assert traffic.post(running.http, b"{}", {**traffic.JSON, "origin": own}).status == 403
        assert traffic.post(running.http, b"{}", {"content-type": "text/plain"}).status == 415  # needs no preflight
        assert traffic.post(running.http, b"", PREFLIGHT, method="OPTIONS").status == 405
        rebound = traffic.post(running.http, b"", {"host": "evil.example"}, "/healthz", "GET")
        assert json.loads(rebound.body) == {"status": "ok"}
        assert "signals" in json.loads(traffic.post(running.http, b"", {}, "/healthz", "GET").body)


def test_a_replay_goes_where_a_token_and_tls_are_asked_for(guarded: Collector, papers: Papers, tmp_path: Path) -> None:
    from collector.decoding.decode import Body
    from collector.sending.links import Access, link

    body = Body(traffic.spans(8, seed=77).SerializeToString(), "protobuf", "traces")
    for endpoint in (str(guarded.grpc), f"https://{guarded.http}"):
        for token, taken in ((INGEST, True), (READ, False), (None, False)):
            way = link(endpoint, Access(token, papers.ca))
            try:
                if taken:
                    assert way.send(body) == (0, "")
                    continue
                with pytest.raises(DataError, match=r"UNAUTHENTICATED|PERMISSION_DENIED|401|403"):
                    way.send(body)
            finally:
                way.close()
    with pytest.raises(DataError, match="cannot read"):
        link(str(guarded.grpc), Access(INGEST, tmp_path / "absent"))


def test_strangers_write_no_log(tmp_path: Path, papers: Papers) -> None:
    cert, key = papers.server()
    with traffic.collecting(
        tmp_path, "--db", "store.duckdb", "--tls-cert", str(cert), "--tls-key", str(key)
    ) as listening:
        for address in (listening.grpc, listening.http) * 5:
            with closing(socket.create_connection((address.host, address.port), traffic.DEADLINE_S)) as raw:
                raw.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                while _received(raw):
                    pass
        listening.program.send(signal.SIGTERM)
        code, _, err = listening.program.end()
        assert (code, err) == (0, "")

"""HTTP: method, status, address, path, route, and the peer that a span talks to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.normalise import urls
from collector.normalise.batch import integers, merged
from collector.normalise.choices import each_distinct, either, joined, mask_of, scalar
from collector.normalise.roles import SYSTEMS
from collector.normalise.routes import templates
from collector.normalise.texts import LOWER, UPPER, Slices, Texts, readonly
from collector.normalise.urls import HTTP_PORT, HTTPS_PORT, Hosts, Urls
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from collector.normalise.batch import Batch, Columns
    from collector.normalise.texts import I32, U8, Mask

CLIENT_SOURCES: Final = ("server_host", "peer_host", "@url", "host_header", "@db_url", "network_peer", "peer_service")
"""Where the host that a span calls is named, best first ('@': inside a URL)."""
ENTRY_SOURCES: Final = ("server_host", "host_header", "own_host", "@url")
"""Where the host that a SERVER span was called as is named."""


def protocol(version: str) -> str:
    """Return an HTTP version as conventions spell it now: 'HTTP/1.1' → '1.1', '2.0' → '2', 'h2' → '2'."""
    folded = version.lower().removeprefix("http/").removeprefix("h")
    return {"2.0": "2", "3.0": "3", "2c": "2", "1": "1.1"}.get(folded, folded)


def _address(batch: Batch, source: str, url: Urls) -> Hosts | None:
    if source == "@url":
        return url.host if "url" in batch.own else None
    slot = source.removeprefix("@")
    if slot not in batch.own:
        return None
    texts = batch.own.slices(slot)
    return urls.parse(texts).host if source.startswith("@") else urls.hosts(texts)


def _peer(batch: Batch, url: Urls) -> Hosts:
    """Return the host that each span talks to; on SERVER spans, the one it was called as."""
    nothing = np.full(batch.rows, -1, np.int32)
    found = Hosts(Slices(url.path.data, readonly(nothing), readonly(nothing)), readonly(nothing))
    entry = batch.verdicts.entry
    for side, sources in ((~entry, CLIENT_SOURCES), (entry, ENTRY_SOURCES)):
        if not side.any():
            continue
        known = [address for address in (_address(batch, source, url) for source in sources) if address is not None]
        for address in known:
            found = found.either(address.keep(side))
    return found


def _port(batch: Batch, peer: Hosts, url: Urls) -> pa.Array | None:
    """Return the port: as an attribute says, as written beside the host, or as the URL's scheme has it."""
    entry = batch.verdicts.entry
    stated = batch.own.numbers("server_port")
    for slot, side in (("peer_port", ~entry), ("own_port", entry)):
        old = batch.own.numbers(slot)
        stated = merged(stated, None if old is None else (old[0], old[1] & side))
    beside = merged(_as_numbers(peer.port), _as_numbers(url.host.port))
    values = merged(merged(stated, beside), _usual_port(batch, peer))
    if values is None:
        return None
    present = values[1] & (values[0] > 0) & (values[0] <= 65_535)
    return integers(np.where(present, values[0], 0), present, np.int32)


def _peer_port(batch: Batch) -> pa.Array | None:
    """Return the port at the other end of the connection; old servers call it by the name that clients use."""
    old = batch.own.numbers("peer_port")
    on_server = None if old is None else (old[0], old[1] & batch.verdicts.entry)
    values = merged(batch.own.numbers("network_peer_port"), on_server)
    if values is None:
        return None
    present = values[1] & (values[0] > 0) & (values[0] <= 65_535)
    return integers(np.where(present, values[0], 0), present, np.int32)


def _usual_port(batch: Batch, peer: Hosts) -> tuple[np.ndarray, Mask] | None:
    """Return the port that goes without saying for a host that is called by a scheme."""
    if "scheme" not in batch.own:
        return None
    schemes = batch.own.slices("scheme").array(LOWER)
    ports = np.zeros(batch.rows, np.int64)
    for scheme, port in (("http", HTTP_PORT), ("https", HTTPS_PORT)):
        ports[mask_of(pc.equal(schemes, scalar(scheme)))] = port
    return ports, (ports > 0) & peer.name.present


def _as_numbers(port: I32) -> tuple[np.ndarray, Mask]:
    return port.astype(np.int64), port >= 0


def _status(batch: Batch) -> pa.Array | None:
    found = batch.own.numbers("status")
    if found is None:
        return None
    present = found[1] & (found[0] >= 100) & (found[0] <= 999)
    return integers(np.where(present, found[0], 0), present, np.int16)


def _resends(batch: Batch) -> pa.Array | None:
    """Return how often a call was made again: as counted, or one less than the attempts."""
    own = batch.own
    found = merged(own.numbers("resend"), own.numbers("celery_retries"))
    is_river = batch.verdicts.job_system == SYSTEMS.index("river")
    for slot, side in (("attempts", None), ("river_attempt", is_river)):
        attempts = own.numbers(slot)
        if attempts is not None:
            known = attempts[1] & (attempts[0] > 0)
            found = merged(found, (attempts[0] - 1, known if side is None else known & side))
    if found is None:
        return None
    present = found[1] & (found[0] >= 0) & (found[0] < 2**15)
    return integers(np.where(present, found[0], 0), present, np.int16)


@kernel
def _without_query(data: U8, at: int, end: int) -> int:
    """Return the end of a sent route without its query, -1 where it is a URL and no route at all."""
    for i in range(at, end):
        if data[i] == 58 and i + 2 < end and data[i + 1] == 47 and data[i + 2] == 47:
            return -1
        if data[i] == 63 and i > at and data[i - 1] != 40:
            # a query has a '=' after it; '?' in a regular expression of Django does not
            for j in range(i + 1, end):
                if data[j] == 61:
                    return i
            return end
    return end


@kernel
def _sent_routes(data: U8, start: I32, length: I32) -> tuple[I32, bool]:
    """Return the length of each sent route without its query (-1: none), and whether all begin as routes do."""
    kept = length.copy()
    rooted = True
    for row in range(len(start)):
        if length[row] <= 0:
            continue
        at = start[row]
        end = _without_query(data, at, at + length[row])
        kept[row] = end - at if end >= 0 else -1
        first = data[at]
        rooted = rooted and first in (40, 42, 47, 94, 126)
    return kept, rooted


def sent_routes(batch: Batch) -> pa.StringArray | None:
    """Return the routes that emitters sent, with a leading slash; never a URL, never a query."""
    if "route" not in batch.own:
        return None
    sent = batch.own.slices("route").keep(batch.verdicts.named_route)
    length, all_rooted = _sent_routes(sent.data, sent.start, sent.length)
    routes = Slices(sent.data, sent.start, readonly(length)).array()
    if all_rooted:
        return routes
    rooted = pc.match_substring_regex(routes, r"^[/^*(~]")
    return pc.if_else(rooted, routes, joined("/", routes, ""))


@kernel
def _name_paths(data: U8, offsets: I32) -> tuple[I32, I32]:
    """Find the path in names such as 'GET /orders/{id}' and 'RSC GET /dash': (first byte, length), -1 for none."""
    rows = len(offsets) - 1
    start = np.zeros(rows, np.int32)
    length = np.full(rows, -1, np.int32)
    for row in range(rows):
        at = offsets[row]
        end = offsets[row + 1]
        words_ = 0
        while at < end and words_ < 2 and data[at] != 47:
            first = at
            while at < end and 65 <= data[at] <= 90:
                at += 1
            if at == first or at >= end or data[at] != 32:
                break
            at += 1
            words_ += 1
        if words_ == 0 or at >= end or data[at] != 47:
            continue
        stop = at
        while stop < end and data[stop] != 63 and data[stop] != 35 and data[stop] != 32:
            stop += 1
        if stop == end or data[stop] != 32:
            start[row] = at
            length[row] = stop - at
    return start, length


def _paths(batch: Batch, url: Urls) -> Slices | None:
    """Return the path of each span, without query."""
    stated = urls.parse(batch.own.slices("path")).path if "path" in batch.own else None
    if "url" not in batch.own:
        return stated
    return url.path if stated is None else stated.either(url.path)


def _learned(batch: Batch, paths: Slices | None, sent: pa.StringArray | None) -> pa.StringArray | None:
    """Return routes of entry spans that sent none: from the span's name where that is a route, else from the path."""
    own = batch.own
    entry = batch.verdicts.entry & ~own.has("rpc_method") & ~own.has("rpc_system")
    if sent is not None and sent.null_count < len(sent):
        entry &= pc.is_null(sent).to_numpy(zero_copy_only=False)
    if not entry.any():
        return None
    names = Texts.of(batch.flat.spans.name)
    start, length = _name_paths(names.data, names.offsets)
    named = Slices(names.data, readonly(start), readonly(length)).keep(entry)
    found = []
    if named.present.any():
        found.append(templates(named))
    if paths is not None and (wanted := paths.keep(entry & ~named.present)).present.any():
        found.append(templates(wanted))
    return either(*found)


def _routes(batch: Batch, paths: Slices | None) -> pa.StringArray | None:
    sent = sent_routes(batch)
    learned = _learned(batch, paths, sent)
    return either(sent, learned)


def _called(batch: Batch, paths: Slices | None) -> pa.StringArray | None:
    """Return the path template that calling spans with a method ask for."""
    template = batch.own.slices("template").array() if "template" in batch.own else None
    calling = ~batch.verdicts.entry & ~batch.verdicts.keeps_name & batch.own.has("method")
    wanted = None if paths is None else paths.keep(calling)
    if wanted is None or not wanted.present.any():
        return template
    return either(template, templates(wanted))


def _requests(batch: Batch, method: pa.StringArray, routes: list[pa.StringArray]) -> pa.StringArray:
    """Return 'GET /route' per span; 'RSC GET /route' where Next.js answers with a component tree."""
    operations = method
    if routes:
        operations = pc.coalesce(joined(method, pc.coalesce(*routes)), method)
    tree = batch.own.flags("rsc")
    if tree is None or not tree[0].any():
        return operations
    return pc.if_else(pa.array(tree[0]), joined("RSC", operations), operations)


def columns(batch: Batch) -> tuple[Columns, pa.StringArray | None]:
    """Return the columns about HTTP and addresses, and what each span asks for ('GET /v1/{name}', null without)."""
    own = batch.own
    url = urls.parse(own.slices("url"))
    paths = _paths(batch, url)
    peer = _peer(batch, url)
    route = _routes(batch, paths)
    found = {
        "method": own.slices("method").array(UPPER) if "method" in own else None,
        "route": route,
        "http_status": _status(batch),
        "url_full": own.slices("url").array() if "url" in own else None,
        "url_path": None if paths is None else paths.keep(paths.length > 0).array(),
        "peer": peer.name.array(LOWER),
        "peer_port": _port(batch, peer, url),
        "network_peer": urls.hosts(own.slices("network_peer")).name.array() if "network_peer" in own else None,
        "network_peer_port": _peer_port(batch),
        "protocol_version": each_distinct(own.slices("protocol").array(), protocol) if "protocol" in own else None,
        "resend_count": _resends(batch),
    }
    present = {name: column for name, column in found.items() if column is not None}
    if "method" not in present:
        return present, None
    asked = [column for column in (route, _called(batch, paths)) if column is not None]
    return present, _requests(batch, present["method"], asked)

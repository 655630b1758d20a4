"""Taking addresses apart: URLs, host names with ports, request targets. Nothing is copied, only measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collector.normalise.texts import Slices, readonly
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from collector.normalise.texts import I32, U8, Mask

NO_PORT: Final = -1
HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class Hosts:
    """Host names over the bytes they came in, with the port that stood beside them (-1: none did)."""

    name: Slices
    port: I32

    def either(self, other: Hosts) -> Hosts:
        """Return these hosts, and `other` where there is none; a port goes with its host."""
        port = np.where(self.name.length > 0, self.port, other.port)
        return Hosts(self.name.either(other.name), readonly(port.astype(np.int32)))

    def keep(self, mask: Mask) -> Hosts:
        """Return the hosts of the rows in `mask`."""
        return Hosts(self.name.keep(mask), readonly(np.where(mask, self.port, np.int32(NO_PORT)).astype(np.int32)))


@dataclass(frozen=True, slots=True)
class Urls:
    """Parts of URLs: `host` (its port is the one written, or the scheme's own) and `path` without query."""

    host: Hosts
    path: Slices


@kernel
def _authority(data: U8, at: int, end: int) -> tuple[int, int, int]:
    """Measure 'user@host:port': (first byte of the host, byte after it, port or -1). Brackets of IPv6 are left off."""
    colons = 0
    last = -1
    for i in range(at, end):
        if data[i] == 64:
            at = i + 1
            colons = 0
        elif data[i] == 58:
            colons += 1
            last = i
    if at < end and data[at] == 91:
        close = at
        while close < end and data[close] != 93:
            close += 1
        last = close + 1 if close + 1 < end and data[close + 1] == 58 else -1
        host_end = close
        at += 1
    elif colons == 1:
        host_end = last
    else:
        # no colon, or an IPv6 address without brackets
        last = -1
        host_end = end
    port = -1
    if 0 <= last < end - 1 and end - last <= 6:
        port = 0
        for i in range(last + 1, end):
            if not 48 <= data[i] <= 57:
                return at, host_end, -1
            port = port * 10 + (int(data[i]) - 48)
    return at, host_end, port if port <= 65_535 else -1


@kernel
def _split_hosts(data: U8, start: I32, length: I32) -> tuple[I32, I32, I32]:
    first = start.astype(np.int64)
    host_start = start.copy()
    host_length = np.full(len(start), -1, np.int32)
    port = np.full(len(start), -1, np.int32)
    for i in range(len(start)):
        if length[i] <= 0:
            continue
        host_start[i], host_end, port[i] = _authority(data, first[i], first[i] + length[i])
        if host_end > host_start[i]:
            host_length[i] = host_end - host_start[i]
    return host_start, host_length, port


@kernel
def _after_scheme(data: U8, at: int, end: int) -> int:
    """Return the first byte after '://', or -1 where the text does not begin with a scheme."""
    i = at
    while i + 2 < end and i - at < 32:
        if data[i] == 58:
            return i + 3 if data[i + 1] == 47 and data[i + 2] == 47 and i > at else -1
        if data[i] == 47 or data[i] == 63:
            return -1
        i += 1
    return -1


@kernel
def _parse(data: U8, start: I32, length: I32) -> tuple[I32, I32, I32, I32, I32]:
    first = start.astype(np.int64)
    host_start = start.copy()
    host_length = np.full(len(start), -1, np.int32)
    port = np.full(len(start), -1, np.int32)
    path_start = start.copy()
    path_length = np.full(len(start), -1, np.int32)
    for i in range(len(start)):
        if length[i] <= 0:
            continue
        at = first[i]
        end = at + length[i]
        rest = _after_scheme(data, at, end)
        if rest >= 0:
            stop = rest
            while stop < end and data[stop] != 47 and data[stop] != 63 and data[stop] != 35:
                stop += 1
            host_start[i], host_end, port[i] = _authority(data, rest, stop)
            if host_end > host_start[i]:
                host_length[i] = host_end - host_start[i]
            letter = data[rest - 4] | 32
            if port[i] < 0 and letter == 112 and rest - at == 7:
                port[i] = 80
            if port[i] < 0 and letter == 115 and rest - at == 8 and (data[at] | 32) == 104:
                port[i] = 443
            at = stop
        elif data[at] != 47:
            continue
        stop = at
        while stop < end and data[stop] != 63 and data[stop] != 35:
            stop += 1
        path_start[i] = at
        path_length[i] = stop - at
    return host_start, host_length, port, path_start, path_length


def hosts(texts: Slices) -> Hosts:
    """Take host names apart: 'API.example.com:8443', '[::1]:80', '::1', 'user@host'."""
    start, length, port = _split_hosts(texts.data, texts.start, texts.length)
    return Hosts(Slices(texts.data, readonly(start), readonly(length)), readonly(port))


def parse(texts: Slices) -> Urls:
    """Take URLs and request targets apart; a text that is neither has no part. A path is '' after a bare host."""
    host_start, host_length, port, path_start, path_length = _parse(texts.data, texts.start, texts.length)
    name = Slices(texts.data, readonly(host_start), readonly(host_length))
    path = Slices(texts.data, readonly(path_start), readonly(path_length))
    return Urls(Hosts(name, readonly(port)), path)

"""Phases of a call that a span's own events tell: when each event happened, and the arithmetic between them.

Three dialects: Go's httptrace without sub-spans (`http.getconn.start` … `http.receive.done`; a connect event's name
carries the address), the browser's resource timing (`domainLookupStart` … `responseEnd`), and Envoy's verbose
tracing (`first_upstream_tx_byte_sent` …). A phase that its events do not bound on both sides is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collector.normalise.names import Names
from collector.normalise.texts import Texts, readonly
from seamscope.kernel import kernel

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from collector.normalise.texts import Mask

    I16 = NDArray[np.int16]
    I64 = NDArray[np.int64]
    U32 = NDArray[np.uint32]

FIRST: Final = (
    "http.getconn.start",
    "http.dns.start",
    "http.connect.*",
    "http.tls.start",
    "http.headers.start",
    "http.send.start",
    "http.receive.start",
    "fetchStart",
    "domainLookupStart",
    "connectStart",
    "secureConnectionStart",
    "requestStart",
    "responseStart",
    "first_upstream_tx_byte_sent",
    "first_upstream_rx_byte_received",
    "first_downstream_tx_byte_sent",
)
"""Events whose first time counts, where there are several."""
LAST: Final = (
    "http.getconn.done",
    "http.dns.done",
    "http.tls.done",
    "http.send.done",
    "http.receive.done",
    "domainLookupEnd",
    "connectEnd",
    "responseEnd",
    "last_upstream_tx_byte_sent",
    "last_upstream_rx_byte_received",
)
"""Events whose last time counts."""
CONNECT_DONE: Final = "http.connect.done"

_NAMES: Final = Names.of((*FIRST, *LAST))
_SLOTS: Final = (*FIRST, *LAST, CONNECT_DONE)
_SLOT: Final = {name: at for at, name in enumerate(_SLOTS)}
_SLOT_OF: Final = readonly(np.array([_SLOT.get(pattern, -1) for pattern in _NAMES.patterns], np.int16))
_CONNECT: Final = _SLOT["http.connect.*"]
_CONNECT_DONE: Final = _SLOT[CONNECT_DONE]


@kernel
def _collect(
    pattern: I16,
    span: U32,
    time: I64,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int32],
    slot_of: I16,
    line_of: I16,
    firsts: int,
    connect: int,
    connect_done: int,
    lines: I64,
) -> None:
    """Write the first or last time of each wanted event to lines[line, span]; 0 means that it did not happen."""
    for event in range(len(pattern)):
        slot = slot_of[pattern[event]]
        if slot < 0:
            continue
        if slot == connect:
            # 'http.connect.<address>.start' and '.done': the last letter tells
            end = data[offsets[event + 1] - 1]
            slot = connect if end == 116 else connect_done
        line = line_of[slot]
        have = lines[line, span[event]]
        first = slot < firsts
        if have == 0 or (time[event] < have if first else time[event] > have):
            lines[line, span[event]] = time[event]


class Timeline:
    """When the telling events of each span happened."""

    def __init__(self, names: pa.StringArray, span: U32, time: I64, spans: int) -> None:
        """Read the events of `spans` spans: per event its name, its span and its time in nanoseconds since 1970."""
        texts = Texts.of(names)
        pattern = _NAMES.match(texts) if len(names) else np.zeros(0, np.int16)
        seen = {int(_SLOT_OF[number]) for number in np.unique(pattern)} - {-1}
        if _CONNECT in seen:
            seen.add(_CONNECT_DONE)
        wanted = sorted(seen)
        line_of = np.full(len(_SLOTS), -1, np.int16)
        line_of[wanted] = np.arange(len(wanted))
        self._spans = spans
        lines = np.zeros((len(wanted), spans), np.int64)
        if wanted:
            _collect(
                readonly(pattern),
                readonly(span),
                readonly(time),
                texts.data,
                texts.offsets,
                _SLOT_OF,
                readonly(line_of),
                len(FIRST),
                _CONNECT,
                _CONNECT_DONE,
                lines,
            )
        self._lines = {_SLOTS[slot]: lines[line] for line, slot in enumerate(wanted)}

    def __bool__(self) -> bool:
        """Tell whether any telling event was seen."""
        return bool(self._lines)

    def __contains__(self, event: str) -> bool:
        """Tell whether any span has `event`."""
        return event in self._lines

    def at(self, event: str) -> I64:
        """Return when `event` happened in each span, 0 where it did not."""
        line = self._lines.get(event)
        return np.zeros(self._spans, np.int64) if line is None else line

    def between(self, first: str, last: str) -> I64:
        """Return the time from `first` to `last` in each span, -1 where one of them is missing or they are reversed."""
        return _span_of(self.at(first), self.at(last))


def _span_of(start: I64, end: I64) -> I64:
    known = (start > 0) & (end >= start)
    return np.where(known, end - start, -1)


def _either(first: I64, second: I64) -> I64:
    """Return `first` where it is known, else `second`; -1 is not known."""
    return np.where(first >= 0, first, second)


def _go(events: Timeline) -> dict[str, I64]:
    """Phases of Go's httptrace events. Attempts to connect overlap, so their wall time counts, not their sum."""
    handshake = events.at("http.tls.start")
    limit = np.where(handshake > 0, handshake, events.at("http.getconn.done"))
    connected = events.at(CONNECT_DONE)
    connected = np.where((limit > 0) & (connected > limit), limit, connected)
    phases = {
        "dns": events.between("http.dns.start", "http.dns.done"),
        "connect": _span_of(events.at("http.connect.*"), connected),
        "tls": events.between("http.tls.start", "http.tls.done"),
    }
    setup = sum((np.maximum(phase, 0) for phase in phases.values()), np.zeros(1, np.int64))
    getconn = events.between("http.getconn.start", "http.getconn.done")
    headers = events.at("http.headers.start")
    sending = np.where(headers > 0, headers, events.at("http.send.start"))
    return {
        **phases,
        "pool_wait": np.where(getconn >= 0, np.maximum(getconn - setup, 0), -1),
        "send": _span_of(sending, events.at("http.send.done")),
        "transfer": events.between("http.receive.start", "http.receive.done"),
    }


def _browser(events: Timeline) -> dict[str, I64]:
    """Phases of the browser's resource timing; without a new connection its marks all stand on `fetchStart`."""
    secure = events.at("secureConnectionStart")
    connect_start, connect_end = events.at("connectStart"), events.at("connectEnd")
    opened = (connect_start > 0) & (connect_end > connect_start)
    queued_until = np.where(opened, events.at("domainLookupStart"), events.at("requestStart"))
    return {
        "dns": events.between("domainLookupStart", "domainLookupEnd"),
        "connect": _span_of(connect_start, np.where(opened & (secure > 0), secure, connect_end)),
        "tls": np.where(opened, _span_of(secure, connect_end), -1),
        "pool_wait": _span_of(events.at("fetchStart"), queued_until),
        "transfer": events.between("responseStart", "responseEnd"),
    }


def _envoy(events: Timeline, start: I64) -> dict[str, I64]:
    """Phases of a proxy's upstream call; what lies before its first byte is the wait for an upstream connection."""
    return {
        "pool_wait": _span_of(start, events.at("first_upstream_tx_byte_sent")),
        "send": events.between("first_upstream_tx_byte_sent", "last_upstream_tx_byte_sent"),
        "transfer": events.between("first_upstream_rx_byte_received", "last_upstream_rx_byte_received"),
    }


def _first_byte(events: Timeline, start: I64, entry: Mask) -> I64:
    """Return the time from each span's start to its response's first byte: sent, for a server; received, else."""
    received = np.maximum.reduce(
        [events.at(name) for name in ("http.receive.start", "responseStart", "first_upstream_rx_byte_received")]
    )
    sent = events.at("first_downstream_tx_byte_sent")
    return _span_of(start, np.where(entry & (sent > 0), sent, received))


def phases(events: Timeline, start: I64, entry: Mask) -> dict[str, I64]:
    """Return phase → nanoseconds per span, -1 where it is not known.

    Args:
        events: the events of the spans.
        start: each span's start, nanoseconds since 1970.
        entry: which spans are SERVER spans.
    """
    if not events:
        return {}
    found: dict[str, I64] = {}
    for mark, told in (("http.", _go(events)), ("fetchStart", _browser(events)), ("first_up", _envoy(events, start))):
        if any(slot.startswith(mark) and slot in events for slot in _SLOTS):
            for name, lengths in told.items():
                found[name] = _either(found[name], lengths) if name in found else lengths
    found["first_byte"] = _first_byte(events, start, entry)
    return found


def reused(events: Timeline) -> tuple[Mask, Mask]:
    """Return whether the browser's request went over an open connection, and which spans say so."""
    connect_start, connect_end = events.at("connectStart"), events.at("connectEnd")
    known = (connect_start > 0) & (connect_end > 0) & (events.at("requestStart") > 0)
    return known & (connect_end == connect_start), known

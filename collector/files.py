"""Files of OTLP: request bodies out of what people have lying about, and the recorded form.

Read: one protobuf request, protobuf requests each after its length as a varint (what `collect --record` and Java's
`writeDelimitedTo` write), one JSON request, or one per line (NDJSON); and, retold as OTLP, Jaeger's and Zipkin's JSON.
Each also as `.gz` or `.zst`, found by content, not by name. A file is read as a stream, memory holds a body at a time.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from collector.decoding import foreign_json
from collector.decoding.decode import Body
from collector.decoding.otlp_json import read_json
from collector.decoding.signals import LOGS, METRICS, TRACES
from collector.decoding.wire import read_wire
from collector.unpacked import Unpacked
from seamscope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader, FileIO

    from collector.decoding.decode import Encoding, Signal

_log = logging.getLogger(__name__)

BODY_BYTES: Final = 256 * 1024 * 1024
"""Bytes of one body in a file; more than over the wire, since whole exports are one JSON document."""
EMPTY_BODIES: Final = 16
"""Empty bodies one after another that a file may hold. Each is a zero, and so is each byte of what was never written:
of a megabyte that unfolds to a gigabyte of them, a body each would be hundreds of gigabytes."""
_CHUNK: Final = 1024 * 1024
_HEAD: Final = 64 * 1024
_VARINT_BYTES: Final = 10
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
_FORMS: Final = (
    "OTLP as protobuf (one request, or each after its length), JSON or NDJSON; Jaeger or Zipkin v2 JSON; .gz or .zst"
)
_FORMS_HINT: Final = f"what is read: {_FORMS}"


def _varint(number: int) -> bytes:
    """Return a number as a protobuf varint."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def delimited(*bodies: bytes) -> bytes:
    """Give bodies as they stand in a recorded file, each after its length as a protobuf varint."""
    return b"".join(_varint(len(body)) + body for body in bodies)


def end_of_bodies(file: FileIO) -> int:
    """Give where the last whole body of a recorded file ends; only their lengths are read.

    A long run of zeros at the end is what a file system leaves of what was not written before the power went.
    """
    number, end = file.fileno(), 0
    size = os.fstat(number).st_size
    while head := os.pread(number, _VARINT_BYTES, end):
        past = _past_zeros(number, end) if head[0] == 0 else end + _taken_bytes(head)
        is_torn = head[0] == 0 and past >= size and past - end > EMPTY_BODIES
        if is_torn or not end < past <= size:
            break
        end = past
    return end


def _past_zeros(number: int, begin: int) -> int:
    """Give where the zeros end that begin there."""
    while piece := os.pread(number, _HEAD, begin):
        rest = piece.lstrip(b"\0")
        begin += len(piece) - len(rest)
        if rest:
            break
    return begin


def _taken_bytes(head: bytes) -> int:
    """Give how many bytes a body and its length take, by the first of them; 0 where these tell no length."""
    size = 0
    for place, byte in enumerate(head):
        size |= (byte & 127) << (7 * place)
        if byte < 128:
            return place + 1 + size
    return 0


def end_of_lines(file: FileIO) -> int:
    """Give where the last whole line of a file ends."""
    end = os.fstat(file.fileno()).st_size
    while end:
        begin = max(end - _CHUNK, 0)
        found = os.pread(file.fileno(), end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _json_signal(head: bytes) -> Signal | None:
    found = re.search(rb'"resource(Spans|Logs|Metrics)"', head)
    signals: dict[bytes, Signal] = {b"Spans": "traces", b"Logs": "logs", b"Metrics": "metrics"}
    return signals[found[1]] if found else None


def _why_no_request(line: bytes) -> str | None:
    """Return why a line is no request in JSON, or None."""
    error = read_json([line], TRACES).errors[0]
    return "it is no OTLP request" if error is None and _json_signal(line) is None else error


def _has_words_first(head: bytes) -> bool:
    """Tell whether a line of words, as programs say when they start, stands before one of JSON."""
    first, _, rest = head.partition(b"\n")
    return rest.startswith(b'{"resource') and first.isascii() and first.decode("ascii").strip().isprintable()


def _wire_signal(data: bytes) -> Signal | None:
    """Return what a protobuf request holds: the three look alike but for the fields of their records."""
    cells = read_wire([data], TRACES)
    lengths = cells.table("spans")[:, 1] & 0x7FFFFFFF
    if cells.errors[0] is None and np.any(lengths == 16):
        return "traces"
    others: tuple[tuple[Signal, Any, str], ...] = (("logs", LOGS, "logs"), ("metrics", METRICS, "points"))
    for signal, layout, table in others:
        cells = read_wire([data], layout)
        if len(cells.table(table)) and not cells.oddities[0]:
            return signal
    return None


def _why_not(data: bytes) -> str | None:
    """Return why bytes are no request in protobuf, or None; of any signal, since all begin alike."""
    cells = read_wire([data], TRACES)
    if cells.errors[0] is None and not len(cells.table("resources")):
        return "it holds no resource"
    return cells.errors[0]


class BodyFile:
    """The bodies of one file, in order, by iterating once.

    Args:
        path: a file, or '-' for standard input.
        on_damage: called with a line for what was lost without losing the rest, such as a file's cut-off end.

    Raises:
        DataError: while iterating: the file cannot be read, or is not OTLP.
    """

    def __init__(self, path: Path | str, on_damage: Callable[[str], None] | None = None) -> None:
        self._path = path
        self._name = "standard input" if str(path) == "-" else str(path)
        self._on_damage = on_damage or _log.warning
        self._signal: Signal | None = None

    def __iter__(self) -> Iterator[Body]:
        """Yield the bodies."""
        try:
            if str(self._path) == "-":
                yield from self._bodies(Unpacked(cast("BufferedReader", sys.stdin.buffer)))
                return
            with Path(self._path).open("rb") as file:
                yield from self._bodies(Unpacked(file))
        except OSError as error:
            hint = "name the files in it" if isinstance(error, IsADirectoryError) else "check the path"
            raise DataError(f"cannot read {self._name}: {error.strerror or error}", hint) from None

    def _bodies(self, stream: Unpacked) -> Iterator[Body]:
        head = stream.peek(_HEAD)
        text = head.lstrip(_BLANK)
        if not head and stream.damage is None:
            return
        if text[:1] in {b"{", b"["} or _has_words_first(text):
            yield from self._json(stream, text)
        else:
            yield from self._protobuf(stream, head)
        if stream.damage is not None:
            self._damaged(stream.damage)

    def _damaged(self, what: str) -> None:
        self._on_damage(f"{self._name}: {what}")

    def _body(self, data: bytes, encoding: Encoding) -> Body:
        if self._signal is None:
            self._signal = _json_signal(data) if encoding == "json" else _wire_signal(data)
        return Body(data.strip() if encoding == "json" else data, encoding, self._signal or self._named())

    def _named(self) -> Signal:
        """Return the signal that the file's name speaks of, for bodies that do not show theirs."""
        name = Path(self._name).name
        return "logs" if "logs" in name else "metrics" if "metrics" in name else "traces"

    def _not_otlp(self, why: str) -> DataError:
        return DataError(f"{self._name} is not OTLP: {why}", _FORMS_HINT)

    def _foreign(self, stream: Unpacked, form: str) -> Iterator[Body]:
        """Retell a document of another tool."""
        data = stream.take(BODY_BYTES + 1)
        if len(data) > BODY_BYTES:
            raise DataError(
                f"{self._name} is one document of more than {BODY_BYTES} bytes", "export fewer traces at once"
            )
        try:
            for told in foreign_json.bodies(data, form, self._damaged):
                yield Body(told, "json", "traces")
        except (TypeError, ValueError) as error:
            raise DataError(f"{self._name} looks like {form} JSON, but {stream.damage or error}", _FORMS_HINT) from None

    def _json(self, stream: Unpacked, head: bytes) -> Iterator[Body]:
        form = foreign_json.format_of(head)
        if form is not None:
            yield from self._foreign(stream, form)
            return
        if head.startswith(b"["):
            raise self._not_otlp("it is a JSON list")
        first = stream.line(BODY_BYTES)
        while not first.strip(_BLANK) and stream.peek(1):
            first = stream.line(BODY_BYTES)
        ahead = stream.peek(_HEAD).lstrip(_BLANK)
        if ahead and ((first.rstrip().endswith(b"}") and ahead.startswith(b"{")) or _why_no_request(first) is None):
            yield from self._lines(stream, first)
            return
        second = stream.line(max(0, BODY_BYTES - len(first)))
        if second and _why_no_request(second) is None:
            yield from self._lines(stream, first, second)
            return
        data = first + second + stream.take(max(0, BODY_BYTES + 1 - len(first) - len(second)))
        if len(data) > BODY_BYTES:
            raise DataError(f"{self._name} is one document of more than {BODY_BYTES} bytes", "split it into NDJSON")
        if _json_signal(data) is None and data.strip(_BLANK) != b"{}":
            raise self._not_otlp("its JSON has no resourceSpans, resourceLogs or resourceMetrics")
        error = read_json([data], TRACES).errors[0]
        if error is not None:
            raise self._not_otlp(stream.damage or error)
        yield self._body(data, "json")

    def _lines(self, stream: Unpacked, *taken: bytes) -> Iterator[Body]:
        """Read a line each, those taken already first."""
        rest = iter(lambda: stream.line(BODY_BYTES), b"")
        for number, line in enumerate(chain(taken, rest), 1):
            if not line.strip(_BLANK):
                continue
            self._signal = None  # a file of lines may mix signals
            fault = _why_no_request(line)
            if fault is None:
                yield self._body(line, "json")
            else:
                self._damaged(f"line {number} was passed over: {fault}")

    def _protobuf(self, stream: Unpacked, head: bytes) -> Iterator[Body]:
        if head[:1] == b"\n":
            whole = stream.peek(BODY_BYTES + 1)
            as_one = (
                f"more than {BODY_BYTES} bytes" if len(whole) > BODY_BYTES else read_wire([whole], TRACES).errors[0]
            )
            if as_one is None:
                yield self._body(stream.take(len(whole)), "protobuf")
                return
            yield from self._delimited(stream, f"as one request, {as_one}")
        else:
            yield from self._delimited(stream, "")

    def _delimited(self, stream: Unpacked, as_one: str) -> Iterator[Body]:
        count, proven = 0, False
        while stream.peek(1):
            begin = stream.position
            if zeros := stream.zeros():
                empty = self._empty(zeros, begin)
                yield from empty
                count += len(empty)
                continue
            size = self._size(stream)
            data = stream.take(size) if 0 <= size <= BODY_BYTES else b""
            fault = None if size == len(data) else "a length or a body is cut off"
            if fault is None and data and not proven:
                fault = _why_not(data)
            if fault is not None:
                if not proven:
                    raise self._not_otlp(stream.damage or as_one or fault)
                self._damaged(f"{fault} at byte {begin}; the {count} requests before it were read")
                return
            yield self._body(data, "protobuf")
            count += 1
            proven = proven or bool(data)  # a file of zeros is a file of empty requests, until it is not
        if count == 0 and stream.damage is not None:
            raise self._not_otlp(stream.damage)

    def _empty(self, count: int, begin: int) -> list[Body]:
        """Return so many empty bodies, or none where they are too many to be any."""
        if count > EMPTY_BODIES:
            self._damaged(f"{count} zeros were passed over at byte {begin}: they are no requests")
            return []
        return [self._body(b"", "protobuf")] * count

    @staticmethod
    def _size(stream: Unpacked) -> int:
        """Take a varint; -1 where there is none."""
        size = 0
        for place in range(_VARINT_BYTES):
            byte = stream.take(1)
            if not byte:
                return -1
            size |= (byte[0] & 127) << (7 * place)
            if byte[0] < 128:
                return size
        return -1


def iter_bodies(path: Path | str, on_damage: Callable[[str], None] | None = None) -> Iterator[Body]:
    """Yield the bodies of a file or, for '-', of standard input; see `BodyFile`."""
    yield from BodyFile(path, on_damage)

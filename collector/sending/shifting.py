"""`replay --shift-to-now`: moves every time of a recording by one amount, so that all distances stay."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from collector.decoding import admit
from collector.decoding.decode import Body
from collector.decoding.messages import items, parse
from seamscope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LATEST_NS: Final = int(admit.LATEST_NS)

ITEM_TIMES: Final = ("start_time_unix_nano", "end_time_unix_nano", "time_unix_nano", "observed_time_unix_nano")

TIME_ATTRIBUTES: Final = frozenset(
    {
        "http.request.header.x-request-start",
        "http.request.header.x-queue-start",
        "messaging.servicebus.message.enqueued_time",
        "messaging.eventhubs.message.enqueued_time",
        "messaging.rocketmq.message.delivery_timestamp",
        "queue.message_timestamp",
        "bullmq.job.processed.timestamp",
    }
)
"""Attributes that hold a moment; left behind, they would say that a request had waited since the recording."""

_NUMBER: Final = re.compile(r"(?P<prefix>(?:t=)?)(?P<whole>\d{9,19})(?P<point>\.(?P<part>\d{1,9}))?")
_UNITS: Final = ((11, 10**9), (14, 10**6), (17, 10**3), (20, 1))
"""Digits below which a moment since 1970 is in seconds, milliseconds, microseconds, nanoseconds."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The first and the last moment of a recording, in nanoseconds since 1970; both 0 where it has none."""

    first_ns: int = 0
    last_ns: int = 0


def extent(bodies: Iterable[Body]) -> Extent:
    """Return the extent of a recording; what cannot be read has no part in it, nor a moment that no collector takes."""
    first, last = 0, 0
    for body in bodies:
        for moment in _moments(body):
            first = min(first or moment, moment)
            last = max(last, moment)
    return Extent(first, last)


def _moments(body: Body) -> Iterator[int]:
    with suppress(DataError):
        for item in items(parse(body)):
            for field in ITEM_TIMES:
                moment = getattr(item, field, 0)
                if 0 < moment <= LATEST_NS:
                    yield moment


def all_shifted(bodies: Iterable[tuple[Body, int]], on_unreadable: Callable[[DataError], object]) -> Iterator[Body]:
    """Yield bodies, each moved by so much; one that cannot be read is passed over, and told of."""
    for body, by_ns in bodies:
        try:
            moved = shifted(body, by_ns)
        except DataError as error:
            on_unreadable(error)
        else:
            yield moved


def shifted(body: Body, by_ns: int) -> Body:
    """Return the body as protobuf with every moment moved; one that is not set stays so, and one that cannot be.

    Raises:
        DataError: the body cannot be read.
    """
    message = parse(body)
    for item in items(message):
        _shift_times(item, by_ns)
        for holder in (item, *getattr(item, "events", ()), *getattr(item, "exemplars", ())):
            if holder is not item:
                _shift_times(holder, by_ns)
            for attribute in getattr(holder, "attributes", ()):
                if attribute.key in TIME_ATTRIBUTES:
                    _shift_value(attribute.value, by_ns)
    return Body(message.SerializeToString(), "protobuf", body.signal)


def _shift_times(holder: Any, by_ns: int) -> None:
    for field in ITEM_TIMES:
        moment = getattr(holder, field, 0)
        if moment and moment + by_ns <= LATEST_NS:
            setattr(holder, field, max(1, moment + by_ns))


def _shift_value(value: Any, by_ns: int) -> None:
    for each in _leaves(value):
        kind = each.WhichOneof("value")
        if kind == "int_value" and (number := _NUMBER.fullmatch(str(each.int_value))):
            each.int_value = int(_shift_number(number, by_ns))
        elif kind == "string_value":
            each.string_value = _shift_text(each.string_value, by_ns)


def _leaves(value: Any) -> Iterator[Any]:
    if value.WhichOneof("value") == "array_value":
        yield from value.array_value.values
    else:
        yield value


def _shift_text(text: str, by_ns: int) -> str:
    """Return a moment as text, moved, in the form it had; text that is none stays, and what no calendar has."""
    number = _NUMBER.fullmatch(text)
    if number:
        return _shift_number(number, by_ns)
    try:
        moment = datetime.fromisoformat(text)
        moved = moment + timedelta(microseconds=by_ns // 1000)
    except (ValueError, OverflowError):
        return text
    written = moved.isoformat(timespec="milliseconds" if "." in text else "seconds")
    return written.replace("+00:00", "Z") if text.endswith("Z") and moment.tzinfo is not None else written


def _shift_number(number: re.Match[str], by_ns: int) -> str:
    part = number["part"] or ""
    unit = next(unit for digits, unit in _UNITS if len(number["whole"]) < digits)
    scaled = int(number["whole"] + part) + by_ns * 10 ** len(part) // unit
    if not 0 <= scaled * unit <= LATEST_NS * 10 ** len(part):
        return number.group()
    digits = str(scaled).zfill(len(part) + 1)
    return f"{number['prefix']}{digits[: -len(part)]}.{digits[-len(part) :]}" if part else f"{number['prefix']}{digits}"


def now_ns() -> int:
    """Return the present in nanoseconds since 1970."""
    return int(datetime.now(UTC).timestamp() * 1e6) * 1000

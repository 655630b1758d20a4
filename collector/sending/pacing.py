"""`replay --live`: recordings played side by side at the pace of their recording, as if it all happened now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from collector.sending.shifting import Extent, extent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from collector.decoding.decode import Body


class Due(NamedTuple):
    """A body and when to send it."""

    at_ns: int
    """From the start of the play: when the last of its items had ended."""
    moved_ns: int
    """From a moment in the recording to one counted from the start of the play."""
    body: Body


def schedule(recordings: Sequence[Sequence[Body]], within_ns: int) -> list[Due]:
    """Put recordings on one line of time, their beginnings spread so that all end within `within_ns`, if they can."""
    told = [(bodies, [extent([body]) for body in bodies]) for bodies in recordings]
    wholes = [_whole(extents) for _, extents in told]
    longest = max((whole.last_ns - whole.first_ns for whole in wholes), default=0)
    step = max(0, within_ns - longest) // max(1, len(wholes) - 1)
    line = [
        Due(max(0, one.last_ns + number * step - whole.first_ns), number * step - whole.first_ns, body)
        for number, ((bodies, extents), whole) in enumerate(zip(told, wholes, strict=True))
        for body, one in zip(bodies, extents, strict=True)
    ]
    return sorted(line, key=lambda due: due.at_ns)


def _whole(extents: Sequence[Extent]) -> Extent:
    known = [one for one in extents if one.last_ns]
    return Extent(min((one.first_ns for one in known), default=0), max((one.last_ns for one in known), default=0))


def live(line: Sequence[Due], wait: Callable[[float], object] = time.sleep) -> Iterator[tuple[Body, int]]:
    """Yield each body when it is due, and by how much its moments become those of today; `wait` is given seconds."""
    began_ns, began = time.time_ns(), time.monotonic_ns()
    for due in line:
        left_ns = began + due.at_ns - time.monotonic_ns()
        if left_ns > 0:
            wait(left_ns / 1e9)
        yield due.body, began_ns + due.moved_ns

"""When a saving that was foretold is right."""

from __future__ import annotations

import pytest

from seamscope.score.savings import Saving

MS = 1_000_000


@pytest.mark.parametrize(
    ("foretold", "measured", "right"),
    [
        (30, 20, True),
        (31, 20, False),
        (10, 20, True),
        (330, 300, True),
        (331, 300, False),
        (269, 300, False),
        (5, -5, True),
        (None, 0, False),
    ],
)
def test_within_ten_milliseconds_or_a_tenth(foretold: int | None, measured: int, *, right: bool) -> None:
    ns = None if foretold is None else foretold * MS
    saving = Saving("s", "blind", "serial_fanout", "shell", 3, 3, ns, measured * MS, None)
    assert saving.right is right
    assert saving.error_ns == (None if ns is None else ns - measured * MS)

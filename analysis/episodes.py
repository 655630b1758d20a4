"""Episodes: stretches in which a callee stood still, as the calls that waited meanwhile tell (design §4.6).

Calls whose waits overlap waited for the same thing. What happens now and then (a stopped process, a blocked loop, a
long collection) is of one order of length: a wait that is much shorter, and by itself, is something else. A call that
had to open a connection waited for both: for the callee while others, whose connections were there, did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from analysis.arrays import Int64s, Mask

OF_ONE_ORDER: Final = 4
"""An episode is no shorter than such a part of what the usual call's takes."""


def stood(came: Int64s, began: Int64s, clean: Mask) -> Int64s:
    """Return for each late call (in the order in which they came) how long the callee stood still for it, or 0.

    Args:
        came: when each came, on the callee's clock.
        began: when it was taken up.
        clean: calls whose connection was there before.
    """
    over = np.maximum.accumulate(began)
    number = np.concatenate([[0], np.cumsum(came[1:] > over[:-1])])
    first, last = (np.full(number[-1] + 1, sign) for sign in (np.iinfo(np.int64).max, np.iinfo(np.int64).min))
    np.minimum.at(first, number[clean], came[clean])
    np.maximum.at(last, number[clean], began[clean])
    length = np.where(last > first, last - np.minimum(first, last), 0)
    several = np.bincount(number, clean)[number] > 1
    usual = float(np.median(length[number[clean & several]])) if (clean & several).any() else 0.0
    meanwhile = np.minimum(began, last[number]) - np.maximum(came, first[number])
    held = (length[number] * OF_ONE_ORDER >= usual) & (length[number] > 0) & (2 * meanwhile >= began - came)
    return np.where(held, meanwhile, 0).astype(np.int64)

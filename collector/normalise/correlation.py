"""Ids that join the pieces of a request where trace context was lost: request ids, and the platforms' own.

A ray id is written `<16 hex>-<COLO>` by some emitters and without the colo by others; a Vercel id is a list whose
last part is the id. Both are cut to the part that both sides of a seam have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from collector.normalise.choices import either, mask_of, only, scalar
from collector.normalise.texts import LOWER, Slices, readonly
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from collector.normalise.batch import Batch, Columns
    from collector.normalise.keys import Promoted
    from collector.normalise.texts import I32, U8

NOWHERE: Final = pa.array(["earth", "global"], pa.string())
"""Regions that say nothing about where."""


@kernel
def _rays(data: U8, start: I32, length: I32) -> I32:
    """Return the length of each text without the colo after a ray id."""
    cut = length.copy()
    for row in range(len(start)):
        at = start[row]
        if length[row] < 18 or length[row] > 24 or data[at + 16] != 45:
            continue
        is_ray = True
        for i in range(at, at + 16):
            is_ray = is_ray and (48 <= data[i] <= 57 or 97 <= (data[i] | 32) <= 102)
        if is_ray:
            cut[row] = 16
    return cut


@kernel
def _last_parts(data: U8, start: I32, length: I32) -> tuple[I32, I32]:
    """Return where the part after the last '::' of each text lies."""
    first = start.copy()
    cut = length.copy()
    for row in range(len(start)):
        end = start[row] + length[row]
        for i in range(start[row], end - 1):
            if data[i] == 58 and data[i + 1] == 58:
                first[row] = i + 2
                cut[row] = end - i - 2
    return first, cut


def ray_ids(own: Promoted, slot: str) -> pa.StringArray | None:
    """Return a slot's ids in lower case, those that are ray ids without their colo."""
    if slot not in own:
        return None
    texts = own.slices(slot)
    cut = _rays(texts.data, texts.start, texts.length)
    return Slices(texts.data, texts.start, readonly(cut)).array(LOWER)


def vercel_ids(own: Promoted) -> pa.StringArray | None:
    """Return Vercel's request ids: the last part of `x-vercel-id`."""
    if "vercel_id" not in own:
        return None
    texts = own.slices("vercel_id")
    first, cut = _last_parts(texts.data, texts.start, texts.length)
    return Slices(texts.data, readonly(first), readonly(cut)).array()


def columns(own: Promoted) -> Columns:
    """Return the columns of ids, of spans or of log records."""
    found = {
        "correlation_id": own.slices("request_id").array() if "request_id" in own else None,
        "platform_id": either(ray_ids(own, "ray_id"), vercel_ids(own), ray_ids(own, "invocation_id")),
    }
    return {name: column for name, column in found.items() if column is not None}


def place(batch: Batch) -> pa.StringArray | None:
    """Return where a span says it ran: a colo or a region."""
    own = batch.own
    stated = None
    if "place" in own:
        stated = own.slices("place").array()
        stated = only(pc.invert(pc.is_in(stated, value_set=NOWHERE)), stated)
    if "proxy_zone" not in own or "component" not in own:
        return stated
    is_proxy = mask_of(pc.equal(own.slices("component").array(), scalar("proxy")))
    return either(stated, own.slices("proxy_zone").keep(is_proxy).array())

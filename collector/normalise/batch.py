"""What every part of the normaliser looks at: the batch, its attributes by meaning, and what its spans are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.decoding.flat import FlatTraces
    from collector.normalise.facts import Verdicts
    from collector.normalise.keys import Promoted
    from collector.normalise.resources import Resources
    from collector.normalise.texts import Mask

    I64 = NDArray[np.int64]
    U8 = NDArray[np.uint8]

Columns = dict[str, pa.Array]
"""Columns of `seamscope.schema.tables.SPANS` by name; one that is left out is null."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of kept spans."""

    flat: FlatTraces
    own: Promoted
    """The spans' own attributes."""
    on_events: Promoted
    """The attributes of their events, by span."""
    resources: Resources
    kind: U8
    """`words.SPAN_KINDS`."""
    start: I64
    end: I64
    verdicts: Verdicts

    @property
    def rows(self) -> int:
        """Number of spans."""
        return len(self.kind)


def integers(values: I64, present: Mask, width: type[np.signedinteger[Any]] = np.int64) -> pa.Array:
    """Return whole numbers as an Arrow column of `width`, null where `present` is not set."""
    return pa.array(values.astype(width, copy=False), mask=~present)


def truths(values: Mask, present: Mask) -> pa.Array:
    """Return truth values as an Arrow column, null where `present` is not set."""
    return pa.array(values, mask=~present)


def merged(first: tuple[I64, Mask] | None, second: tuple[I64, Mask] | None) -> tuple[I64, Mask] | None:
    """Return `first`, with values of `second` where it has none."""
    if first is None or second is None:
        return first or second
    values, present = first
    return np.where(present, values, second[0]), present | second[1]

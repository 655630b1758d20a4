"""Text columns as kernels see them: bytes, and where in the bytes a row's text lies.

A `Slices` column is cut, chosen between and compared by moving two integers per row; bytes are copied once, when
it becomes an Arrow column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pyarrow as pa

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    I32 = NDArray[np.int32]
    Mask = NDArray[np.bool_]

A = TypeVar("A", bound=np.generic)

AS_IT_IS: Final = 0
LOWER: Final = 1
UPPER: Final = 2

ABSENT: Final = -1
"""Length of a row without text; 0 is an empty text."""


def readonly(array: NDArray[A]) -> NDArray[A]:
    """Return a view that cannot be written, so that every kernel is compiled for one kind of input."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True)
class Texts:
    """The bytes of a `pyarrow.StringArray` and its n + 1 offsets; both cannot be written."""

    data: U8
    offsets: I32

    @classmethod
    def of(cls, array: pa.StringArray) -> Texts:
        """Return the buffers of `array`, without copying; nulls read as empty texts."""
        if len(array) == 0:
            return cls(readonly(np.zeros(1, np.uint8)), readonly(np.zeros(1, np.int32)))
        _, offsets, data = array.buffers()
        whole = np.frombuffer(offsets, np.int32)
        empty = data is None or data.size == 0
        return cls(
            readonly(np.zeros(1, np.uint8) if empty else np.frombuffer(data, np.uint8)),
            readonly(whole[array.offset : array.offset + len(array) + 1]),
        )

    @property
    def lengths(self) -> I32:
        """Bytes of each text."""
        lengths: I32 = np.diff(self.offsets)
        return lengths

    def slices(self) -> Slices:
        """Return every row, whole."""
        return Slices(self.data, readonly(self.offsets[:-1]), readonly(self.lengths))


@dataclass(frozen=True, slots=True)
class Slices:
    """A text column over shared bytes: row i is `data[start[i] : start[i] + length[i]]`, or absent (length -1)."""

    data: U8
    start: I32
    length: I32

    @property
    def present(self) -> Mask:
        """Rows that have a text, if only an empty one."""
        mask: Mask = self.length >= 0
        return mask

    def keep(self, mask: Mask) -> Slices:
        """Return the column with the rows outside `mask` absent."""
        return replace(self, length=readonly(np.where(mask, self.length, np.int32(ABSENT))))

    def either(self, other: Slices) -> Slices:
        """Return this column, with rows of `other` (over the same bytes) where this one has nothing."""
        mine = self.length > 0
        start = np.where(mine, self.start, other.start)
        return replace(self, start=readonly(start), length=readonly(np.where(mine, self.length, other.length)))

    def array(self, fold: int = AS_IT_IS) -> pa.StringArray:
        """Return an Arrow column; absent rows are null. `fold`: LOWER, UPPER (ASCII only) or AS_IT_IS."""
        offsets, data, valid, nulls = gather(self.data, self.start, self.length, fold)
        return string_array(offsets, data, valid if nulls else None, nulls)


def string_array(offsets: I32, data: U8, valid: Mask | None, nulls: int) -> pa.StringArray:
    """Return an Arrow column over buffers that a kernel filled."""
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [bits, pa.py_buffer(offsets), pa.py_buffer(data)]
    column: Any = pa.StringArray.from_buffers(len(offsets) - 1, buffers[1], buffers[2], buffers[0], nulls)
    return column


@kernel
def gather(data: U8, start: I32, length: I32, fold: int) -> tuple[I32, U8, Mask, int]:
    """Copy slices together: offsets, bytes, which rows are present, and how many are not."""
    rows = len(start)
    offsets = np.empty(rows + 1, np.int32)
    valid = np.empty(rows, np.bool_)
    total = 0
    nulls = 0
    offsets[0] = 0
    for row in range(rows):
        valid[row] = length[row] >= 0
        if length[row] > 0:
            total += length[row]
        elif length[row] < 0:
            nulls += 1
        offsets[row + 1] = total
    out = np.empty(total, np.uint8)
    for row in range(rows):
        to = offsets[row]
        at = start[row]
        # bytes one by one: a slice assignment takes long to compile, and is no faster for short texts
        while to < offsets[row + 1]:
            out[to] = data[at]
            at += 1
            to += 1
    if fold != AS_IT_IS:
        low = 65 if fold == LOWER else 97
        for i in range(total):
            if low <= out[i] < low + 26:
                out[i] ^= 32
    return offsets, out, valid, nulls

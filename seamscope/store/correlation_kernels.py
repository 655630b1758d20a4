"""The compiled loop that reads correlation ids as numbers of 128 bits (`seamscope.store.correlation`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Offsets = NDArray[np.int32]

HEX_FORM: Final = 1
UUID_FORM: Final = 2
_NO_DIGIT: Final = 255
_DIGITS = np.full(256, _NO_DIGIT, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_HEX_LENGTH: Final = 32
_UUID_LENGTH: Final = 36
_DASH: Final = ord("-")


@kernel
def numbered(at: Offsets, data: Bytes) -> tuple[Bytes, Bytes]:  # pragma: no cover - compiled
    """Give the form of each text and, where it has one, its 16 bytes, the highest first; 0 where it has none.

    32 lower-case hex digits are of `HEX_FORM`; with dashes behind the 8th, 12th, 16th and 20th, of `UUID_FORM`.
    """
    forms, numbers = np.zeros(at.size - 1, np.uint8), np.zeros(16 * (at.size - 1), np.uint8)
    for row in range(at.size - 1):
        length = at[row + 1] - at[row]
        if length != _HEX_LENGTH and length != _UUID_LENGTH:  # noqa: PLR1714 - `in` makes a tuple
            continue
        dashed, place, whole = length == _UUID_LENGTH, np.int64(at[row]), True
        for number in range(16):
            if dashed and (number == 4 or number == 6 or number == 8 or number == 10):  # noqa: PLR1714 - likewise
                whole &= data[place] == _DASH
                place += 1
            high, low = _DIGITS[data[place]], _DIGITS[data[place + 1]]
            whole &= (high | low) != _NO_DIGIT
            numbers[16 * row + number] = (high << 4) | low
            place += 2
        if whole:
            forms[row] = UUID_FORM if dashed else HEX_FORM
    return forms, numbers

"""How many spans a kept one stands for: the sampling threshold in `tracestate`.

`ot=th:c` keeps a quarter: a threshold T of up to 14 hexadecimal digits (padded with zeros) out of 2^56 keeps
1 − T / 2^56, and the adjusted count is its inverse (OpenTelemetry, tracestate: probability sampling).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seamscope.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.normalise.texts import I32, U8, Texts


@kernel
def _hex(byte: int) -> int:
    if 48 <= byte <= 57:
        return byte - 48
    return byte - 87 if 97 <= byte <= 102 else -1


@kernel
def _threshold(data: U8, at: int, end: int) -> int:
    """Return the threshold in a list member that begins at `at`, -1 where it has none."""
    while at + 2 < end and data[at] != 44:
        if data[at] == 116 and data[at + 1] == 104 and data[at + 2] == 58:
            value = 0
            digits = 0
            at += 3
            while at < end and digits < 14 and _hex(data[at]) >= 0:
                value = value * 16 + _hex(data[at])
                digits += 1
                at += 1
            return value << (4 * (14 - digits)) if digits else -1
        while at < end and data[at] != 59 and data[at] != 44:
            at += 1
        if at < end and data[at] == 59:
            at += 1
    return -1


@kernel
def _weights(data: U8, offsets: I32) -> NDArray[np.float64]:
    weights = np.ones(len(offsets) - 1)
    for row in range(len(weights)):
        at = offsets[row]
        end = offsets[row + 1]
        while at + 2 < end:
            if data[at] == 111 and data[at + 1] == 116 and data[at + 2] == 61:
                threshold = _threshold(data, at + 3, end)
                if 0 <= threshold < 1 << 56:
                    # as whole numbers: in floating point, 2^56 less a threshold close to it is 0
                    weights[row] = 2.0**56 / np.float64((1 << 56) - threshold)
                break
            while at < end and data[at] != 44:
                at += 1
            at += 1
            while at < end and data[at] == 32:
                at += 1
    return weights


def weights(trace_states: Texts) -> NDArray[np.float64]:
    """Return the adjusted count of each span, 1.0 where its trace state names none."""
    if trace_states.offsets[0] == trace_states.offsets[-1]:
        return np.ones(len(trace_states.offsets) - 1)
    return _weights(trace_states.data, trace_states.offsets)
